package source

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sort"
	"strconv"
	"strings"
	"sync"
)

// maxLabel bounds labels, so that a damaged one is told from a class.
const maxLabel = 1 << 24

// tars is a Source over WebDataset archives. Entries of one name up to its first dot are one sample: an image
// (.jpg, .jpeg, .png), and its label as a number in .cls or as "label" in .json.
type tars struct {
	from     Files
	paths    []string
	parts    []*index
	starts   []int // image number of each part's first, and the total
	classes  []string
	manifest string

	mu    sync.Mutex // guards files and closed
	files []File     // opened when first read
	shut  bool
}

func openTars(ctx context.Context, files Files, pattern string, opts Options) (Source, error) {
	paths, err := tarPaths(ctx, files, pattern)
	if err != nil {
		return nil, err
	}
	t := &tars{from: files, paths: paths, files: make([]File, len(paths)), starts: []int{0}}
	highest, total := -1, 0
	for _, p := range paths {
		x, err := tarIndex(ctx, files, p, opts.CacheDir)
		if err != nil {
			return nil, err
		}
		t.parts = append(t.parts, x)
		total += x.len()
		t.starts = append(t.starts, total)
		for _, l := range x.labels {
			highest = max(highest, int(l))
		}
	}
	if total == 0 {
		return nil, failed(fmt.Sprintf("open data %q", pattern), "there is no image in these tars",
			"tars whose entries end in .jpg, .jpeg or .png", nil)
	}
	t.classes = tarClasses(ctx, files, path.Dir(paths[0]), highest)
	t.manifest = manifest(total, len(t.classes), func(i int) (string, int64, int) {
		part, j := t.find(i)
		return path.Base(paths[part]) + "/" + t.parts[part].name(j), int64(t.parts[part].sizes[j]), t.Label(i)
	})
	return t, nil
}

// tarPaths gives the files that a pattern names, all of which exist.
func tarPaths(ctx context.Context, files Files, pattern string) ([]string, error) {
	what := fmt.Sprintf("open data %q", pattern)
	paths := []string{pattern}
	if _, err := files.Stat(ctx, pattern); err != nil { // a file of that very name goes first
		if paths, err = expandPattern(pattern); err != nil {
			return nil, failed(what, "the pattern is wrong: "+err.Error(),
				"a pattern like train-{000000..000009}.tar, or a.tar,b.tar", err)
		}
	}
	for _, p := range paths {
		info, err := files.Stat(ctx, p)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, failed(what, p+" does not exist",
				"check the path; it is taken from the folder the program was started in", err)
		case err != nil:
			return nil, failed(what, err.Error(),
				"check the permissions", err)
		case info.Kind == Folder && len(paths) > 1:
			return nil, failed(what, p+" is a folder in a list of tars",
				"one folder, or tars alone", nil)
		case !strings.EqualFold(path.Ext(p), ".tar"):
			return nil, failed(what, p+" is neither a folder nor a .tar file",
				"the folder it lies in, or an uncompressed .tar", nil)
		}
	}
	return paths, nil
}

// tarClasses names the labels: by the lines of a classes.txt that lies beside the tars, or by their numbers.
func tarClasses(ctx context.Context, files Files, dir string, highest int) []string {
	if highest < 0 {
		return nil
	}
	if b, err := readAll(ctx, files, path.Join(dir, "classes.txt")); err == nil {
		if lines := strings.Split(strings.TrimSpace(string(b)), "\n"); len(lines) > highest {
			for i := range lines {
				lines[i] = Printable(strings.TrimSpace(lines[i]))
			}
			return lines
		}
	}
	names := make([]string, highest+1)
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return names
}

// readAll reads a small file.
func readAll(ctx context.Context, files Files, name string) ([]byte, error) {
	f, err := files.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	b := make([]byte, min(info.Size, 1<<20))
	return b, readAt(f, b, 0)
}

// tarIndex takes the cached index if the tar is as it was, or scans it.
func tarIndex(ctx context.Context, files Files, p, cacheDir string) (*index, error) {
	f, err := files.Open(ctx, p)
	if err != nil {
		return nil, failed(fmt.Sprintf("open data %q", p), err.Error(),
			"check the permissions", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open data: %w", err)
	}
	key := stampOf("", info)
	var cached string
	if cacheDir != "" {
		cached = cachePath(cacheDir, "tar", p)
		if x := loadIndex(cached); x != nil && len(x.keys) == 1 && x.keys[0] == key {
			return x, nil
		}
	}
	x, err := scanTar(ctx, io.NewSectionReader(f, 0, info.Size), info.Size)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, failed(fmt.Sprintf("read tar %q", p), err.Error(),
			"tar tf on it; copy it again if it is cut short", err)
	}
	x.keys = []stamp{key}
	if cached != "" {
		storeIndex(cached, x)
	}
	return x, nil
}

// sample gathers the entries of one key.
type sample struct {
	key, name    string
	offset, size int64
	label        int
	image        bool
}

// scanTar reads the headers of a tar, and the labels.
func scanTar(ctx context.Context, r io.ReadSeeker, size int64) (*index, error) {
	x, tr, s := &index{}, tar.NewReader(r), sample{label: -1}
	for {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return x, x.addSample(&s)
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("it is cut short after %d images (%w)", x.len(), err)
		}
		if err != nil {
			return nil, fmt.Errorf("it is damaged after %d images: %w", x.len(), err)
		}
		if h.Typeflag != tar.TypeReg || hidden(path.Base(h.Name)) {
			continue
		}
		key, ext, _ := cutKey(h.Name)
		if key != s.key {
			if err := x.addSample(&s); err != nil {
				return nil, err
			}
			s = sample{key: key, label: -1}
		}
		offset, err := r.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		switch ext {
		case "jpg", "jpeg", "png":
			if sparse(h) {
				return nil, fmt.Errorf("%s is a sparse file", Printable(h.Name))
			}
			if offset+h.Size > size {
				return nil, fmt.Errorf("it is cut short after %d images, in %s", x.len(), Printable(h.Name))
			}
			if !s.image {
				s.image, s.name, s.offset, s.size = true, h.Name, offset, h.Size
			}
		case "cls", "json":
			if s.label, err = readLabel(tr, ext, s.label); err != nil {
				return nil, fmt.Errorf("label %s: %w", Printable(h.Name), err)
			}
		}
	}
}

// sparse files do not lie in one piece.
func sparse(h *tar.Header) bool {
	for k := range h.PAXRecords {
		if strings.HasPrefix(k, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// cutKey cuts an entry's name at the first dot of its last part: what is before says which sample, what is
// behind says what of it.
func cutKey(name string) (key, ext string, ok bool) {
	dir, base := path.Split(name)
	base, ext, ok = strings.Cut(base, ".")
	return dir + base, strings.ToLower(ext), ok
}

func (x *index) addSample(s *sample) error {
	if !s.image {
		return nil
	}
	x.offsets = append(x.offsets, s.offset)
	return x.add(s.name, s.size, s.label)
}

// readLabel reads a label; a .json without one leaves the one there is.
func readLabel(r io.Reader, ext string, label int) (int, error) {
	b, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil {
		return 0, err
	}
	if ext == "json" {
		var v struct{ Label *int }
		if err := json.Unmarshal(b, &v); err != nil {
			return 0, err
		}
		if v.Label == nil {
			return label, nil
		}
		label = *v.Label
	} else if label, err = strconv.Atoi(strings.TrimSpace(string(b))); err != nil {
		return 0, fmt.Errorf("%.20q is not a number", b)
	}
	if label < -1 || label > maxLabel {
		return 0, fmt.Errorf("%d is not from 0 to %d", label, maxLabel)
	}
	return label, nil
}

func (t *tars) find(i int) (part, j int) {
	part = sort.SearchInts(t.starts, i+1) - 1
	return part, i - t.starts[part]
}

func (t *tars) Len() int          { return t.starts[len(t.parts)] }
func (t *tars) Classes() []string { return t.classes }
func (t *tars) Manifest() string  { return t.manifest }

func (t *tars) Name(i int) string {
	part, j := t.find(i)
	return Printable(t.paths[part] + ":" + t.parts[part].name(j))
}

func (t *tars) Label(i int) int {
	part, j := t.find(i)
	return int(t.parts[part].labels[j])
}

func (t *tars) Bytes(ctx context.Context, i int, buf []byte) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	part, j := t.find(i)
	x := t.parts[part]
	f, err := t.file(ctx, part)
	if err != nil {
		return nil, about(t.paths[part], err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, about(t.paths[part], err)
	}
	if stampOf("", info) != x.keys[0] {
		return nil, fmt.Errorf("%s: %w (restart the run if this was meant)", Printable(t.paths[part]), ErrChanged)
	}
	buf = sized(buf, int(x.sizes[j]))
	if err := readAt(f, buf, x.offsets[j]); err != nil {
		return nil, about(t.paths[part], err)
	}
	return buf, nil
}

func (t *tars) file(ctx context.Context, part int) (File, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.shut {
		return nil, ErrClosed
	}
	if t.files[part] == nil {
		f, err := t.from.Open(ctx, t.paths[part])
		if err != nil {
			return nil, err
		}
		t.files[part] = f
	}
	return t.files[part], nil
}

func (t *tars) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shut = true
	var errs []error
	for _, f := range t.files {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	t.files = make([]File, len(t.files))
	return errors.Join(errs...)
}
