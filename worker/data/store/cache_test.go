package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"byol/worker/data/store"
)

// TestHalfKept: an object whose record the disk did not take leaves nothing that takes room; it is told once, and
// pictures are read all the same.
func TestHalfKept(t *testing.T) {
	s := serve(t)
	want := s.fill()
	dir := t.TempDir()
	files := func() []string {
		found, err := filepath.Glob(filepath.Join(dir, "objects", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	c, _ := s.client(store.Config{CacheDir: dir, CacheBytes: 1 << 30})
	if _, err := open(t, c, pattern); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	records := 0
	for _, f := range files() { // where each record would be, there is a folder now
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(f, ".meta") {
			if err := os.MkdirAll(filepath.Join(f, "x"), 0o755); err != nil {
				t.Fatal(err)
			}
			records++
		}
	}
	c, notes := s.client(store.Config{CacheDir: dir, CacheBytes: 1 << 30})
	src, err := open(t, c, pattern)
	if err != nil {
		t.Fatal(err)
	}
	same(t, want, src)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if left := files(); records == 0 || len(left) != records {
		t.Errorf("%d records cannot be written, and there are %q", records, left)
	}
	if n := notes(); len(n) != 1 || !strings.Contains(n[0], "takes nothing") {
		t.Errorf("told %q", n)
	}
}
