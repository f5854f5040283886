package capi

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOpen: what is no plugin is refused, and why is said in words.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.so")
	if err := os.WriteFile(text, []byte("no library"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, want string }{
		{filepath.Join(dir, "none.so"), "cannot be loaded: cannot open shared object file"},
		{text, "cannot be loaded: "},
		{"libc.so.6", "is a library, but no PJRT plugin"},
	} {
		_, err := Open(c.path)
		if err == nil || !strings.HasPrefix(err.Error(), "open PJRT plugin "+c.path+": "+c.want) {
			t.Errorf("%s: %v, want %q", c.path, err, c.want)
		}
	}
}
