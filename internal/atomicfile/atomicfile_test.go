package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// alone checks that dir holds one file of that name and nothing else.
func alone(t *testing.T, dir, name string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != name {
		t.Errorf("the directory holds %v, %v, want %s alone", entries, err, name)
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "card.json")
	for _, text := range []string{"first", "", "a longer text than the first one", "x"} {
		if err := Write(path, []byte(text)); err != nil || read(t, path) != text {
			t.Errorf("after writing %q: %q, %v", text, read(t, path), err)
		}
	}
	alone(t, dir, "card.json")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v, want 0644", info.Mode(), err)
	}
}

// TestFailures: an error in any part of it leaves what was there.
func TestFailures(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "card.json")
	if err := Write(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := Replace(path, func(w io.Writer) error {
		if _, err := io.WriteString(w, "half of it"); err != nil {
			return err
		}
		return broken
	})
	if !errors.Is(err, broken) || read(t, path) != "old" {
		t.Errorf("got %v and %q, want the writer's error and the old text", err, read(t, path))
	}
	alone(t, dir, "card.json")

	if err := Write(filepath.Join(dir, "missing", "card.json"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("into a directory that is not there: %v", err)
	}
	if err := Write(filepath.Join(path, "card.json"), nil); err == nil {
		t.Error("into a file as if it were a directory: no error")
	}
	taken := filepath.Join(t.TempDir(), "taken")
	if err := os.MkdirAll(filepath.Join(taken, "inside"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Write(taken, []byte("new")); err == nil {
		t.Error("over a directory: no error")
	}
	alone(t, filepath.Dir(taken), "taken")
}

// TestReadersSeeWholeFiles replaces a file while others read it: each reader finds one of the texts, whole.
func TestReadersSeeWholeFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "card.json")
	text := func(i int) string { return fmt.Sprintf("%0*d", 1<<12, i) }
	if err := Write(path, []byte(text(0))); err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			for i := range 20 {
				if err := Write(path, []byte(text(2*i+w))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	for {
		select {
		case <-done:
			return
		default:
		}
		var i int
		got := read(t, path)
		if _, err := fmt.Sscanf(got, "%d", &i); err != nil || got != text(i) {
			t.Fatalf("a reader found %d bytes, %v: half a file", len(got), err)
		}
	}
}

// breaking is a file that fails after a number of bytes, at sync or at close, as a full disk does.
type breaking struct {
	file
	room            int
	onSync, onClose bool
	err             error
}

func (b *breaking) Write(p []byte) (int, error) {
	if len(p) > b.room {
		n, _ := b.file.Write(p[:b.room])
		b.room = 0
		return n, b.err
	}
	b.room -= len(p)
	return b.file.Write(p)
}

func (b *breaking) Sync() error {
	if b.onSync {
		return b.err
	}
	return b.file.Sync()
}

func (b *breaking) Close() error {
	err := b.file.Close()
	if b.onClose {
		return b.err
	}
	return err
}

// TestFullDisk: whichever write, flush or close fails, the old content stays and no temporary is left.
func TestFullDisk(t *testing.T) {
	const plenty = 1 << 20
	content := make([]byte, 3<<16) // more than the buffer
	for _, c := range []struct {
		name            string
		room            int
		onSync, onClose bool
	}{
		{"no room", 0, false, false}, {"room for a part", 100_000, false, false},
		{"room for all but a byte", len(content) - 1, false, false}, {"sync", plenty, true, false},
		{"close", plenty, false, true},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "card.json")
		if err := Write(path, []byte("old")); err != nil {
			t.Fatal(err)
		}
		create := func(dir, pattern string) (file, error) {
			f, err := createTemp(dir, pattern)
			return &breaking{file: f, room: c.room, onSync: c.onSync, onClose: c.onClose, err: syscall.ENOSPC}, err
		}
		err := replace(path, create, func(w io.Writer) error {
			_, err := w.Write(content)
			return err
		})
		if !errors.Is(err, syscall.ENOSPC) || read(t, path) != "old" {
			t.Errorf("%s: %v, and %d bytes", c.name, err, len(read(t, path)))
		}
		alone(t, dir, "card.json")
		if err := Write(path, content); err != nil || len(read(t, path)) != len(content) {
			t.Errorf("%s, afterwards: %v", c.name, err)
		}
	}
}

func TestTemporary(t *testing.T) {
	for name, want := range map[string]bool{".card.json-12": true, "card.json": false, ".card.json": false,
		".card.jsonx-1": false, "card.json-1": false} {
		if Temporary(name, "card.json") != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}
