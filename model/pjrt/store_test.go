package pjrt

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func newStore(dir string, limit int64) (*store, *[]string) {
	var told []string
	return &store{dir: dir, limit: limit, note: func(text string) { told = append(told, text) }}, &told
}

// TestStore: what is kept is loaded, what is damaged is dropped with a line, and what cannot be kept is told once.
func TestStore(t *testing.T) {
	s, told := newStore(filepath.Join(t.TempDir(), "programs"), 0)
	defer s.close()
	k := key{1}
	if s.load(k) != nil || len(*told) > 0 {
		t.Fatalf("an empty store has a program: %q", *told)
	}
	s.keep(k, []byte("code"))
	if got := s.load(k); string(got) != "code" {
		t.Fatalf("loaded %q", got)
	}
	whole, err := os.ReadFile(s.path(k))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"nothing": nil, "a byte less": whole[:len(whole)-1],
		"another byte": append(bytes.Clone(whole[:len(whole)-1]), 'x'), "a seal alone": whole[:32]} {
		*told = nil
		if err := os.WriteFile(s.path(k), content, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := s.load(k); got != nil || len(*told) != 1 ||
			!strings.Contains((*told)[0], "is compiled again: it is damaged") {
			t.Errorf("%s: loaded %q, told %q", name, got, *told)
		}
		if _, err := os.Stat(s.path(k)); err == nil {
			t.Errorf("%s: the file is still there", name)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	full, said := newStore(filepath.Join(file, "programs"), 0)
	full.keep(key{1}, []byte("code"))
	full.keep(key{2}, []byte("code"))
	if len(*said) != 1 || !strings.Contains((*said)[0], "the next start compiles them again: ") {
		t.Errorf("a folder that cannot be made: %q", *said)
	}
	if release, ok := full.claim(key{1}); !ok {
		t.Error("a program cannot be claimed where files cannot be locked")
	} else {
		release()
	}
}

// TestPrune: what was used longest ago goes first, what is in use never, and nothing while all is within the limit.
func TestPrune(t *testing.T) {
	const size = 32 + 4
	s, told := newStore(t.TempDir(), 3*size)
	old := time.Now().Add(-time.Hour)
	for i := range 5 {
		s.keep(key{byte(i)}, []byte("code"))
		at := old.Add(time.Duration(i) * time.Minute)
		if err := os.Chtimes(s.path(key{byte(i)}), at, at); err != nil {
			t.Fatal(err)
		}
	}
	if s.load(key{1}) == nil { // it is now the newest
		t.Fatal("nothing was kept")
	}
	s.prune(map[key]bool{{0}: true})
	left := ""
	for i := range 5 {
		if _, err := os.Stat(s.path(key{byte(i)})); err == nil {
			left += string(rune('0' + i))
		}
	}
	if left != "014" || len(*told) != 1 || !strings.HasPrefix((*told)[0], "2 compiled programs were removed from ") {
		t.Errorf("left are %s, told %q", left, *told)
	}
	s.prune(nil)
	unlimited, said := newStore(s.dir, 0)
	unlimited.prune(nil)
	files, err := filepath.Glob(filepath.Join(s.dir, "*"+suffix))
	if err != nil || len(files) != 3 || len(*said)+len(*told) > 1 {
		t.Errorf("%d files are left: %v", len(files), err)
	}
}

// TestClaim: of two that share a folder one compiles a program, until it releases it; others are free meanwhile.
func TestClaim(t *testing.T) {
	dir := t.TempDir()
	a, _ := newStore(dir, 0)
	b, _ := newStore(dir, 0)
	defer a.close()
	defer b.close()
	release, ok := a.claim(key{1})
	if !ok {
		t.Fatal("nobody has it, and it cannot be claimed")
	}
	if _, ok := b.claim(key{1}); ok {
		t.Skip("files cannot be locked here")
	}
	other, ok := b.claim(key{9, 9})
	if !ok {
		t.Fatal("another program cannot be claimed")
	}
	other()
	release()
	if again, ok := b.claim(key{1}); !ok {
		t.Error("it was released, and cannot be claimed")
	} else {
		again()
	}
}
