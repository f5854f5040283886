package sourcetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"byol/worker/data/source"
)

// Memory is source.Files in memory. Names are clean paths. It is safe for concurrent use.
type Memory struct {
	// Fail, if not nil, is asked before each stat, list, open and read, and may give an error in its place.
	Fail func(op, name string) error

	mu    sync.Mutex // guards all below
	now   int64
	files map[string]*memoryFile
	dirs  map[string]int64 // versions of folders
}

type memoryFile struct {
	content []byte
	version int64
}

// Write makes a file, and the folders it is in. A file of the same name is another one afterwards.
func (m *Memory) Write(name string, content []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files == nil {
		m.files, m.dirs = map[string]*memoryFile{}, map[string]int64{}
	}
	m.now++
	_, known := m.files[name]
	m.files[name] = &memoryFile{content: content, version: m.now}
	for dir := path.Dir(name); !known; dir = path.Dir(dir) {
		_, known = m.dirs[dir]
		m.dirs[dir] = m.now
		known = known || dir == "." || dir == "/"
	}
}

// Remove removes a file.
func (m *Memory) Remove(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now++
	delete(m.files, name)
	m.dirs[path.Dir(name)] = m.now
}

func (m *Memory) fail(op, name string) error {
	if m.Fail == nil {
		return nil
	}
	if err := m.Fail(op, name); err != nil {
		return &fs.PathError{Op: op, Path: strings.Clone(name), Err: err}
	}
	return nil
}

// Stat implements source.Files.
func (m *Memory) Stat(_ context.Context, name string) (source.Info, error) { return m.stat(name) }

func (m *Memory) stat(name string) (source.Info, error) {
	if err := m.fail("stat", name); err != nil {
		return source.Info{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.files[name]; f != nil {
		return source.Info{Size: int64(len(f.content)), Version: f.version}, nil
	}
	if version, ok := m.dirs[name]; ok {
		return source.Info{Kind: source.Folder, Version: version}, nil
	}
	return source.Info{}, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
}

// List implements source.Files.
func (m *Memory) List(ctx context.Context, folder string) ([]source.Entry, error) {
	if err := m.fail("list", folder); err != nil {
		return nil, err
	}
	if info, err := m.Stat(ctx, folder); err != nil || info.Kind != source.Folder {
		return nil, &fs.PathError{Op: "list", Path: folder, Err: fs.ErrNotExist}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []source.Entry
	for name := range m.files {
		if path.Dir(name) == folder {
			out = append(out, source.Entry{Name: path.Base(name)})
		}
	}
	for name := range m.dirs {
		if path.Dir(name) == folder && name != folder {
			out = append(out, source.Entry{Name: path.Base(name), Kind: source.Folder})
		}
	}
	slices.SortFunc(out, func(a, b source.Entry) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Open implements source.Files. What is open stays as it is read, and tells by its version when it was replaced.
func (m *Memory) Open(_ context.Context, name string) (source.File, error) {
	if err := m.fail("open", name); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files[name] == nil {
		return nil, &fs.PathError{Op: "open", Path: strings.Clone(name), Err: fs.ErrNotExist}
	}
	return &opened{in: m, name: strings.Clone(name)}, nil
}

// opened is an open file of a Memory: its name, by which what it holds is looked up at each call.
type opened struct {
	in   *Memory
	name string
}

// Stat implements source.File.
func (o *opened) Stat() (source.Info, error) { return o.in.stat(o.name) }

// Close implements source.File.
func (o *opened) Close() error { return nil }

// ReadAt implements io.ReaderAt.
func (o *opened) ReadAt(p []byte, off int64) (int, error) {
	if err := o.in.fail("read", o.name); err != nil {
		return 0, err
	}
	o.in.mu.Lock()
	defer o.in.mu.Unlock()
	f := o.in.files[o.name]
	if f == nil {
		return 0, fs.ErrNotExist
	}
	return bytes.NewReader(f.content).ReadAt(p, off)
}

// RunFiles examines Files. write makes or replaces a file below root, which is an empty folder.
func RunFiles(t *testing.T, files source.Files, root string, write func(name string, content []byte)) {
	t.Helper()
	ctx := t.Context()
	content := []byte("0123456789")
	latin1 := path.Join(root, "a", "caf\xe9.jpg")
	for _, name := range []string{path.Join(root, "b.tar"), path.Join(root, "a", "z"), latin1} {
		write(name, content)
	}
	for name, want := range map[string]source.Kind{root: source.Folder, path.Join(root, "a"): source.Folder,
		latin1: source.Regular} {
		info, err := files.Stat(ctx, name)
		if err != nil || info.Kind != want || want == source.Regular && info.Size != 10 || info.Version == 0 {
			t.Errorf("stat %q: %+v, %v, want kind %d", name, info, err, want)
		}
	}
	got, err := files.List(ctx, root)
	want := []source.Entry{{Name: "a", Kind: source.Folder}, {Name: "b.tar"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("list: %v, %v, want %v", got, err, want)
	}
	none := path.Join(root, "none")
	_, statErr := files.Stat(ctx, none)
	_, listErr := files.List(ctx, none)
	_, openErr := files.Open(ctx, none)
	for op, err := range map[string]error{"stat": statErr, "list": listErr, "open": openErr} {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s what is not there: %v", op, err)
		}
	}
	name := []byte(latin1)
	f, err := files.Open(ctx, string(name))
	if err != nil {
		t.Fatal(err)
	}
	testReadAt(t, f, content)
	before, err := f.Stat()
	if closeErr := f.Close(); err != nil || closeErr != nil || before.Size != 10 || before.Kind != source.Regular {
		t.Errorf("an open file: %+v, %v, %v", before, err, closeErr)
	}
	write(latin1, []byte("other"))
	if after, err := files.Stat(ctx, latin1); err != nil || after == before {
		t.Errorf("a file that was replaced: %+v, %v, before %+v", after, err, before)
	}
}

// testReadAt reads every piece of a file, and over its end.
func testReadAt(t *testing.T, f source.File, content []byte) {
	t.Helper()
	for from := range len(content) {
		for n := range len(content) + 3 {
			buf := make([]byte, n)
			got, err := f.ReadAt(buf, int64(from))
			want := content[from:min(from+n, len(content))]
			if !bytes.Equal(buf[:got], want) || got < n && !errors.Is(err, io.EOF) || got == n && err != nil &&
				!errors.Is(err, io.EOF) {
				t.Fatalf("read %d bytes at %d: %q, %v, want %q", n, from, buf[:got], err, want)
			}
		}
	}
}

// Watch is from with each opening asked of told(true), which may refuse it, and each closing told by told(false).
func Watch(from source.Files, told func(opens bool) error) source.Files { return watched{from, told} }

type watched struct {
	source.Files
	told func(opens bool) error
}

// Open implements source.Files.
func (w watched) Open(ctx context.Context, name string) (source.File, error) {
	if err := w.told(true); err != nil {
		return nil, &fs.PathError{Op: "open", Path: strings.Clone(name), Err: err}
	}
	f, err := w.Files.Open(ctx, name)
	if err != nil {
		return nil, errors.Join(err, w.told(false))
	}
	return watchedFile{f, w.told}, nil
}

type watchedFile struct {
	source.File
	told func(opens bool) error
}

// Close implements source.File.
func (f watchedFile) Close() error { return errors.Join(f.File.Close(), f.told(false)) }
