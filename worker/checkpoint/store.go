package checkpoint

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"byol/internal/atomicfile"
	"byol/internal/disk"
	"byol/internal/safetensors"
)

const (
	tempPrefix = ".tmp-" // of earlier versions
	latestName = "latest"
	markName   = ".mark"
	startName  = "start"
)

// Name is the file name of the checkpoint after step committed steps.
func Name(step int64) string { return fmt.Sprintf("step-%09d%s", step, Suffix) }

// stepOf is the inverse of Name; anything else is not ours.
func stepOf(name string) (int64, bool) {
	digits, ok := strings.CutSuffix(name, Suffix)
	if !ok {
		return 0, false
	}
	if digits, ok = strings.CutPrefix(digits, "step-"); !ok {
		return 0, false
	}
	step, err := strconv.ParseInt(digits, 10, 64)
	return step, err == nil && Name(step) == name
}

// Save stores s in dir as step-NNNNNNNNN.safetensors and makes `latest` name it. When Save returns without
// error both are durable. A checkpoint of the same step is replaced. Saving also removes what an earlier
// writer that died has left.
func Save(dir string, s State) (Info, error) { return SaveOn(disk.System{}, dir, s) }

// SaveOn is Save on any file system.
func SaveOn(files disk.FS, dir string, s State) (Info, error) {
	if s.Step < 0 {
		return Info{}, fmt.Errorf("save checkpoint: step %d is negative", s.Step)
	}
	if err := disk.MkdirAll(files, dir); err != nil {
		return Info{}, fmt.Errorf("save checkpoint: %w", err)
	}
	if err := removeLeftovers(files, dir); err != nil {
		return Info{}, fmt.Errorf("save checkpoint: remove leftovers: %w", err)
	}
	meta := map[string]string{
		"format_version": strconv.Itoa(FormatVersion),
		"step":           strconv.FormatInt(s.Step, 10),
		"config":         s.Config,
		"config_sha256":  textDigest(s.Config),
		"state_sha256":   Digest(s),
	}
	path := filepath.Join(dir, Name(s.Step))
	body := func(w io.Writer) error { return safetensors.Write(w, s.Tensors, meta) }
	if err := atomicfile.ReplaceOn(files, path, body); err != nil {
		return Info{}, fmt.Errorf("save checkpoint %s: %w", path, err)
	}
	if err := writeText(files, filepath.Join(dir, latestName), Name(s.Step)); err != nil {
		return Info{}, fmt.Errorf("save checkpoint: write %s: %w", latestName, err)
	}
	info, _, err := header(files, path)
	if err != nil {
		return Info{}, fmt.Errorf("save checkpoint: %w", err)
	}
	return info, nil
}

// Adopt stores the checkpoint at path in dir, too, and makes `latest` and `start` name it: it is what the run of dir
// begins with, and Prune keeps it. Both files are verified whole.
func Adopt(dir, path string) (Info, error) {
	from, err := Verify(path)
	if err != nil {
		return Info{}, err
	}
	files := disk.System{}
	to := filepath.Join(dir, Name(from.Step))
	if err := disk.MkdirAll(files, dir); err != nil {
		return Info{}, fmt.Errorf("adopt checkpoint: %w", err)
	}
	if err := writeText(files, filepath.Join(dir, startName), Name(from.Step)); err != nil {
		return Info{}, fmt.Errorf("adopt checkpoint: write %s: %w", startName, err)
	}
	if have, err := Verify(to); err == nil && have.StateSHA256 == from.StateSHA256 {
		return have, nil
	}
	source, err := files.Open(path)
	if err != nil {
		return Info{}, fmt.Errorf("adopt checkpoint: %w", err)
	}
	defer source.Close()
	err = atomicfile.ReplaceOn(files, to, func(w io.Writer) error {
		_, err := io.Copy(w, source)
		return err
	})
	if err == nil {
		err = writeText(files, filepath.Join(dir, latestName), Name(from.Step))
	}
	if err != nil {
		return Info{}, fmt.Errorf("adopt checkpoint %s: %w", path, err)
	}
	return Verify(to)
}

func writeText(files disk.FS, path, line string) error {
	return atomicfile.ReplaceOn(files, path, func(w io.Writer) error {
		_, err := io.WriteString(w, line+"\n")
		return err
	})
}

// leftover reports whether a file is what a writer left that died: a temporary of one of our files, by today's name or
// that of earlier versions.
func leftover(name string) bool {
	if rest, old := strings.CutPrefix(name, tempPrefix); old {
		name = "." + rest
	}
	i := strings.LastIndex(name, "-")
	if i < 1 {
		return false
	}
	of := name[1:i]
	_, checkpoint := stepOf(of)
	return (checkpoint || of == latestName || of == markName || of == startName) && atomicfile.Temporary(name, of)
}

func removeLeftovers(files disk.FS, dir string) error {
	entries, err := files.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if !leftover(e.Name()) || !files.Abandoned(path) {
			continue
		}
		if err := files.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Sees looks whether the checkpoint that its writer describes as i is there for this process to read: a file of that
// size, with a header of that step and digest. Its data are not read; Verify does that.
func Sees(i Info) error {
	// A network file system may remember that the file was not there; listing the directory makes it look again.
	files := disk.System{}
	if _, err := files.ReadDir(filepath.Dir(i.Path)); err != nil {
		return err
	}
	have, _, err := header(files, i.Path)
	switch {
	case err != nil:
		return err
	case have.Step != i.Step || have.Bytes != i.Bytes || have.StateSHA256 != i.StateSHA256:
		return fmt.Errorf("%w: %s has step %d, %d bytes and state_sha256 %s; its writer says step %d, %d bytes and %s",
			ErrInvalid, i.Path, have.Step, have.Bytes, have.StateSHA256, i.Step, i.Bytes, i.StateSHA256)
	}
	return nil
}

// Mark leaves a word in dir, which is made if it is missing. Marked reads it, on any host that sees the same directory.
func Mark(dir, word string) error {
	files := disk.System{}
	if err := disk.MkdirAll(files, dir); err != nil {
		return fmt.Errorf("mark directory: %w", err)
	}
	if err := writeText(files, filepath.Join(dir, markName), word); err != nil {
		return fmt.Errorf("mark directory: %w", err)
	}
	return nil
}

// maxMark bounds what Marked reads.
const maxMark = 4 << 10

// Marked is the word that Mark left in dir; "" for none.
func Marked(dir string) (string, error) {
	f, err := disk.System{}.Open(filepath.Join(dir, markName))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read mark: %w", err)
	}
	defer f.Close()
	word, err := io.ReadAll(io.LimitReader(f, maxMark))
	if err != nil {
		return "", fmt.Errorf("read mark: %w", err)
	}
	return strings.TrimSuffix(string(word), "\n"), nil
}

// List describes the checkpoints in dir, oldest step first, by their headers alone. A file that carries a
// checkpoint's name but no readable header is listed without its digest; Verify tells why. A directory that
// does not exist holds none.
func List(dir string) ([]Info, error) { return list(disk.System{}, dir) }

func list(files disk.FS, dir string) ([]Info, error) {
	entries, err := files.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list checkpoints: %w", err)
	}
	var out []Info
	for _, e := range entries {
		step, ok := stepOf(e.Name())
		if !ok {
			continue
		}
		path := filepath.Join(dir, e.Name())
		info, _, err := header(files, path)
		if err != nil {
			info = Info{Step: step, Path: path}
			if st, err := e.Info(); err == nil {
				info.Bytes, info.Created = st.Size(), st.ModTime()
			}
		}
		out = append(out, info)
	}
	slices.SortFunc(out, func(a, b Info) int { return cmp.Compare(a.Step, b.Step) })
	return out, nil
}

// Newest is the checkpoint of the highest step in dir that verifies, and why those above it do not. With
// none the error wraps ErrNone.
func Newest(dir string) (Info, []Problem, error) { return newest(disk.System{}, dir) }

func newest(files disk.FS, dir string) (Info, []Problem, error) {
	all, err := list(files, dir)
	if err != nil {
		return Info{}, nil, err
	}
	var problems []Problem
	for _, c := range slices.Backward(all) {
		info, err := verify(files, c.Path)
		if err == nil {
			return info, problems, nil
		}
		problems = append(problems, Problem{Path: c.Path, Err: err})
	}
	return Info{}, problems, fmt.Errorf("%w in %s: %d files, none verifies", ErrNone, dir, len(problems))
}

// Latest is the file that `latest` in dir names.
func Latest(dir string) (string, error) { return latest(disk.System{}, dir) }

func latest(files disk.FS, dir string) (string, error) { return named(files, dir, latestName) }

// named is the checkpoint that a file in dir names.
func named(files disk.FS, dir, file string) (string, error) {
	text, err := disk.ReadFile(files, filepath.Join(dir, file))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", file, err)
	}
	name := strings.TrimSuffix(string(text), "\n")
	if _, ok := stepOf(name); !ok {
		return "", fmt.Errorf("%w: %s holds %q", ErrInvalid, file, name)
	}
	return filepath.Join(dir, name), nil
}

// Prune removes the oldest checkpoints in dir so that keep are left; the one that `latest` names always stays, and the
// one that `start` names, which does not count: no other place gives it back. keep 0 keeps all. A file without a
// readable header is neither counted nor removed: others may be needed in its place.
func Prune(dir string, keep int) error { return prune(disk.System{}, dir, keep) }

func prune(files disk.FS, dir string, keep int) error {
	all, err := list(files, dir)
	if err != nil || keep <= 0 {
		return err
	}
	newest, err := latest(files, dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("prune checkpoints: %w", err)
	}
	start, err := named(files, dir, startName)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("prune checkpoints: %w", err)
	}
	all = slices.DeleteFunc(all, func(i Info) bool { return i.StateSHA256 == "" || i.Path == start })
	for _, c := range all[:max(0, len(all)-keep)] {
		if c.Path == newest {
			continue
		}
		if err := files.Remove(c.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("prune checkpoints: %w", err)
		}
	}
	return nil
}
