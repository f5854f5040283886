package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"byol/internal/failure"
)

// tars is a Source over WebDataset archives; see scanTar for what is an image in one.
type tars struct {
	paths    []string
	parts    []*index
	starts   []int // image number of each part's first, and the total
	labels   labelling
	omitted  []Omission
	manifest string
	plain    bool     // names are those of a folder
	sums     []uint32 // of all images; nil: not known
	files    handles
}

func openTars(ctx context.Context, files Files, paths []string, opts Options) (Source, error) {
	t := &tars{paths: paths, starts: []int{0}}
	t.files.init(files, paths, openLimit())
	var err error
	var omitted omissions
	total := 0
	if t.parts, err = tarIndexes(ctx, files, paths, opts.CacheDir); err != nil {
		return nil, err
	}
	for k, x := range t.parts {
		total += x.len()
		t.starts = append(t.starts, total)
		omitted.merge(x.omitted, path.Base(paths[k]))
	}
	if total == 0 {
		return nil, failed(fmt.Sprintf("open data %q", strings.Join(paths, ",")),
			"there is no image in these tars"+omitted.clause(), "tars whose entries end in "+endings, nil)
	}
	if err := labelsBeside(ctx, files, paths, t.parts, &omitted); err != nil {
		return nil, err
	}
	t.labels, t.omitted = newLabelling(t.parts, classesBeside(ctx, files, paths[0])), omitted.printable()
	if t.sums, err = sumsBeside(ctx, files, paths, t.parts); err != nil {
		return nil, err
	}
	t.plain = t.sums != nil || !slices.ContainsFunc(t.parts, func(x *index) bool { return !x.nested })
	t.manifest = manifest(total, len(t.labels.classes), func(i int) (string, int64, int) {
		part, j := t.find(i)
		return t.Entry(i), int64(t.parts[part].sizes[j]), t.Label(i)
	})
	return t, nil
}

// Entry is the name in the tar, and the tar's before it: not where a set of tars stands for a folder, whose names it
// has.
func (t *tars) Entry(i int) string {
	part, j := t.find(i)
	if t.plain {
		return t.parts[part].name(j)
	}
	return path.Base(t.paths[part]) + "/" + t.parts[part].name(j)
}

// maxBeside bounds what lies beside data and is read whole.
const maxBeside = 256 << 20

// remoteScans is how many tars are read at a time that come over a network.
const remoteScans = 8

// tarIndexes indexes all of a set: those of this machine one after another, those of others several at a time.
func tarIndexes(ctx context.Context, files Files, paths []string, cacheDir string) ([]*index, error) {
	parts, errs := make([]*index, len(paths)), make([]error, len(paths))
	scan := func(k int) { parts[k], errs[k] = tarIndex(ctx, files, paths[k], cacheDir) }
	if remote, _ := scheme(paths[0]); remote == "" {
		for k := range paths {
			if scan(k); errs[k] != nil {
				return nil, errs[k]
			}
		}
		return parts, nil
	}
	var next atomic.Int64
	var failures atomic.Bool
	var all sync.WaitGroup
	for range min(remoteScans, len(paths)) {
		all.Go(func() {
			for k := int(next.Add(1)) - 1; k < len(paths) && !failures.Load(); k = int(next.Add(1)) - 1 {
				if scan(k); errs[k] != nil {
					failures.Store(true)
				}
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// readFile reads a file that lies beside data.
func readFile(ctx context.Context, files Files, name string) ([]byte, error) {
	f, err := files.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Kind != Regular || info.Size > maxBeside {
		return nil, fmt.Errorf("%s: no file of at most %d MiB", Printable(name), maxBeside>>20)
	}
	b := make([]byte, info.Size)
	return b, readAt(f, b, 0)
}

// compression names what a file is compressed by, by its first bytes; "" if it is by nothing that is known.
func compression(f io.ReaderAt) string {
	var head [6]byte
	n, _ := f.ReadAt(head[:], 0)
	for _, c := range []struct{ magic, name string }{{"\x1f\x8b", "gzip"}, {"\x28\xb5\x2f\xfd", "zstd"}, {"BZh", "bzip2"},
		{"\xfd7zXZ\x00", "xz"}, {"\x04\x22\x4d\x18", "lz4"}, {"PK\x03\x04", "zip"}, {"7z\xbc\xaf\x27\x1c", "7z"}} {
		if bytes.HasPrefix(head[:n], []byte(c.magic)) {
			return c.name
		}
	}
	return ""
}

// sequential is a File that can be told that it is going to be read from its start to its end: from then on by the
// ReaderAt, until the function is called.
type sequential interface {
	Sequential(ctx context.Context) (io.ReaderAt, func(), error)
}

// advised is an error in a tar's content, and what to do about it.
type advised struct {
	error
	advice string
}

// Unwrap gives the error.
func (a advised) Unwrap() error { return a.error }

// tarIndex takes the cached index if the tar is as it was, or scans it.
func tarIndex(ctx context.Context, files Files, p, cacheDir string) (*index, error) {
	f, err := files.Open(ctx, p)
	switch {
	case known(err):
		return nil, err
	case err != nil:
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
	from := io.ReaderAt(f)
	if s, ok := f.(sequential); ok {
		r, end, err := s.Sequential(ctx)
		if err != nil {
			return nil, err
		}
		defer end()
		from = r
	}
	if packed := compression(from); packed != "" {
		return nil, failed(fmt.Sprintf("read tar %q", p),
			"it is compressed ("+packed+"), and images are read from their place",
			"uncompress it: images are compressed by themselves", nil)
	}
	x, err := scanTar(ctx, from, info.Size)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if f := (*failure.Failure)(nil); errors.As(err, &f) {
		return nil, f
	}
	if err != nil {
		try := "tar tf on it; copy it again if it is cut short"
		if told := (advised{}); errors.As(err, &told) {
			try = told.advice
		}
		return nil, failed(fmt.Sprintf("read tar %q", p), err.Error(), try, err)
	}
	x.keys = []stamp{key}
	if cached != "" {
		storeIndex(cached, x)
	}
	return x, nil
}

func (t *tars) find(i int) (part, j int) {
	part = sort.SearchInts(t.starts, i+1) - 1
	return part, i - t.starts[part]
}

func (t *tars) Len() int            { return t.starts[len(t.parts)] }
func (t *tars) Classes() []string   { return t.labels.classes }
func (t *tars) Omitted() []Omission { return t.omitted }
func (t *tars) Manifest() string    { return t.manifest }

func (t *tars) Name(i int) string {
	part, j := t.find(i)
	return Printable(t.paths[part] + ":" + t.parts[part].name(j))
}

func (t *tars) Label(i int) int {
	part, j := t.find(i)
	return t.labels.of(part, t.parts[part].labels[j])
}

func (t *tars) Bytes(ctx context.Context, i int, buf []byte) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	part, j := t.find(i)
	x := t.parts[part]
	f, err := t.files.take(ctx, part)
	if err != nil {
		return nil, about(t.paths[part], err)
	}
	defer t.files.give(part)
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
	if t.sums != nil && Sum(buf) != t.sums[i] {
		return nil, changed(t.Name(i), "its bytes are not those that "+IndexFile+" has the checksum of",
			"copy "+path.Base(t.paths[part])+" again")
	}
	return buf, nil
}

func (t *tars) Close() error { return t.files.close() }
