// Package shards turns any set of images into WebDataset tars with checksums.
//
// The images keep their order, their names and their bytes, so that training on the shards gives the bits of training
// on what they were made from. A Writer belongs to one goroutine.
//
// # When it fails
//
// Write fails with a *failure.Failure and leaves its work in a folder beside the wanted one, which is there whole or
// not at all; the same call goes on from the last complete shard.
package shards

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"byol/internal/atomicfile"
	"byol/internal/failure"
	"byol/worker/data/source"
)

// Options say how to cut.
type Options struct {
	// MiB is the size of a shard: one more image would make it larger. An image that is larger is a shard of its own.
	MiB int
	// Progress, if not nil, is told after each shard how many images are written.
	Progress func(done, total int)
}

// Unfinished is where the work for a folder lies until it is whole.
func Unfinished(dst string) string { return filepath.Clean(dst) + ".unfinished" }

const (
	prefix    = "images"
	stateFile = "state.json"
)

// Pattern is the URI of all shards of an index that lies in dst.
func Pattern(dst string, x *source.Index) string {
	if len(x.Shards) == 1 {
		return filepath.Join(dst, x.Shards[0].Name)
	}
	return filepath.Join(dst, fmt.Sprintf("%s-{000000..%06d}.tar", prefix, len(x.Shards)-1))
}

// Write writes the images of src as tars to the folder dst, which must not be there or be empty.
func Write(ctx context.Context, src source.Source, dst string, o Options) (*source.Index, error) {
	what := fmt.Sprintf("write shards to %q", dst)
	entries, err := os.ReadDir(dst)
	switch {
	case err == nil && len(entries) > 0:
		return nil, problem(what, "it is there and not empty", "another folder, or take this one away", nil)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, problem(what, err.Error(), "another folder", err)
	}
	w := &writer{ctx: ctx, src: src, o: o, dir: Unfinished(dst), keys: map[string]bool{}}
	if err := w.begin(); err != nil {
		return nil, problem(what, err.Error(), "take "+w.dir+" away to begin anew", err)
	}
	for w.x.Images < src.Len() {
		if err := w.shard(); err != nil {
			return nil, trouble(what, err)
		}
		if o.Progress != nil {
			o.Progress(w.x.Images, src.Len())
		}
	}
	if err := w.finish(dst, err == nil); err != nil {
		return nil, trouble(what, err)
	}
	return &w.x, nil
}

func problem(what, why, try string, err error) error {
	return &failure.Failure{What: what, Why: why, Try: try, Code: failure.Data, Err: err}
}

// trouble is what stopped the work: the source's own words, if it has some.
func trouble(what string, err error) error {
	var f *failure.Failure
	if errors.As(err, &f) || errors.Is(err, context.Canceled) {
		return err
	}
	return problem(what, err.Error(),
		"make room or mend it, and run the same command again: it goes on with the next shard", err)
}

type writer struct {
	ctx  context.Context
	src  source.Source
	o    Options
	dir  string
	x    source.Index
	keys map[string]bool // samples so far, which must differ
	buf  []byte
}

// begin makes the folder of the work, or takes up what is there.
func (w *writer) begin() error {
	classes := w.src.Classes()
	w.x = source.Index{Format: source.IndexFormat, Classes: classes, Source: w.src.Manifest(), MiB: w.o.MiB}
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(w.dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var x source.Index
	if err == nil {
		err = json.Unmarshal(text, &x)
	}
	switch {
	case err != nil:
		return err
	case x.Source != w.x.Source || x.MiB != w.x.MiB:
		return fmt.Errorf("%s is the unfinished work of other images or another shard size", w.dir)
	}
	for i := range x.Images {
		w.keyOf(i) // those that are taken
	}
	w.x = x
	return nil
}

// keyOf is the name of an image's sample: that of the image to its only dot; names that have more, or that another
// image has, are changed.
func (w *writer) keyOf(i int) (key, ext string, renamed bool) {
	entry := w.src.Entry(i)
	dir, base := path.Split(entry)
	ext = path.Ext(base)
	stem := strings.TrimSuffix(base, ext)
	key = dir + strings.ReplaceAll(stem, ".", "_")
	if !utf8.ValidString(key) || path.Clean("/"+key) != "/"+key {
		key = strings.TrimLeft(strings.ReplaceAll(source.Printable(path.Clean("/"+key)), `\`, "_"), "/")
	}
	for unique, n := key, 2; ; n++ {
		if !w.keys[unique] {
			key = unique
			break
		}
		unique = key + "_" + strconv.Itoa(n)
	}
	w.keys[key] = true
	return key, ext, key+ext != entry
}

// shard writes the next tar.
func (w *writer) shard() error {
	s := source.Shard{Name: fmt.Sprintf("%s-%06d.tar", prefix, len(w.x.Shards))}
	var next source.Index
	err := atomicfile.Replace(filepath.Join(w.dir, s.Name), func(out io.Writer) error {
		digest := sha256.New()
		counted := &counter{w: io.MultiWriter(out, digest)}
		var err error
		if next, err = w.fill(counted, &s); err != nil {
			return err
		}
		s.Bytes, s.SHA256 = counted.n, hex.EncodeToString(digest.Sum(nil))
		return nil
	})
	if err != nil {
		return err
	}
	next.Shards = append(next.Shards, s)
	w.x = next
	text, err := json.Marshal(w.x)
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(w.dir, stateFile), text)
}

type counter struct {
	w io.Writer
	n int64
}

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// fill writes images to a tar until it is full, and gives the index with them.
func (w *writer) fill(out *counter, s *source.Shard) (source.Index, error) {
	x := w.x
	var sums []uint32
	t := tar.NewWriter(out)
	put := func(name string, b []byte) error {
		h := &tar.Header{Name: name, Size: int64(len(b)), Mode: 0o644, Typeflag: tar.TypeReg}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		_, err := t.Write(b)
		return err
	}
	for x.Images < w.src.Len() {
		b, err := w.src.Bytes(w.ctx, x.Images, w.buf)
		if err != nil {
			return x, err
		}
		w.buf = b
		if len(sums) > 0 && out.n+int64(len(b))+4<<10 > int64(w.o.MiB)<<20 {
			break
		}
		key, ext, renamed := w.keyOf(x.Images)
		if err := put(key+ext, b); err != nil {
			return x, err
		}
		if label := w.src.Label(x.Images); label >= 0 {
			x.Labelled = true
			if err := put(key+".cls", strconv.AppendInt(nil, int64(label), 10)); err != nil {
				return x, err
			}
		}
		if renamed {
			x.Renamed++
		}
		sums = append(sums, source.Sum(b))
		x.Images++
	}
	s.Images, s.Sums = len(sums), source.PackSums(sums)
	return x, t.Close()
}

// finish writes what lies beside the tars, and gives the folder its name.
func (w *writer) finish(dst string, empty bool) error {
	if len(w.x.Classes) > 0 {
		classes := strings.Join(w.x.Classes, "\n") + "\n"
		if err := atomicfile.Write(filepath.Join(w.dir, "classes.txt"), []byte(classes)); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(w.x, "", " ")
	if err != nil {
		return err
	}
	if err := atomicfile.Write(filepath.Join(w.dir, source.IndexFile), append(text, '\n')); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(w.dir, stateFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if empty {
		if err := os.Remove(dst); err != nil {
			return err
		}
	}
	return os.Rename(w.dir, dst)
}
