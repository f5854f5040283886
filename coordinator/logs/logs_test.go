package logs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// ten are bounds of ten lines to a file.
var ten = Bounds{120, 3}

// numbered writes n lines to l, from line number from on.
func numbered(t *testing.T, l *File, from, n int) {
	t.Helper()
	for i := range n {
		if _, err := fmt.Fprintf(l, "line %06d\n", from+i); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLogIsBounded turns over without losing a line, keeps the newest files, and goes on with what is there.
func TestLogIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "coordinator.log")
	turns := 0
	l, err := Open(path, ten, func() error { turns++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	numbered(t, l, 0, 25)
	if l, err = Open(path, ten, func() error { turns++; return nil }); err != nil {
		t.Fatal(err)
	}
	numbered(t, l, 25, 40)
	var all strings.Builder
	for ago := ten.Kept; ago >= 0; ago-- {
		text, err := os.ReadFile(Older(path, ago))
		if err != nil || len(text) > 120 {
			t.Errorf("%d bytes, %v", len(text), err)
		}
		all.Write(text)
	}
	var want strings.Builder
	for i := 30; i < 65; i++ {
		fmt.Fprintf(&want, "line %06d\n", i)
	}
	if all.String() != want.String() || turns != 2+6 {
		t.Errorf("%d turns, kept\n%s", turns, all.String())
	}
	if files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); err != nil || len(files) != 1+ten.Kept {
		t.Errorf("%v, %v", files, err)
	}
}

// TestLogGoesOnWhereItCannotTurn: a directory in the way of the older file costs no line.
func TestLogGoesOnWhereItCannotTurn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "coordinator.log")
	if err := os.MkdirAll(filepath.Join(Older(path, 3), "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(Older(path, 2), []byte("old\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := Open(path, ten, nil)
	if err != nil {
		t.Fatal(err)
	}
	numbered(t, l, 0, 25)
	if text, err := os.ReadFile(path); err != nil || strings.Count(string(text), "\n") != 25 {
		t.Errorf("%v:\n%s", err, text)
	}
}

// TestLogIsFollowedAcrossTurns: who follows a log has each line once, however often it turned over since the last look.
func TestLogIsFollowedAcrossTurns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "coordinator.log")
	l, err := Open(path, ten, nil)
	if err != nil {
		t.Fatal(err)
	}
	numbered(t, l, 0, 15)
	tail, err := Follow(path)
	if err != nil {
		t.Fatal(err)
	}
	defer tail.Close()
	got, written := 0, 15
	for look := range 40 {
		if _, err := tail.Next(func(line []byte) error {
			if want := fmt.Sprintf("line %06d", got); string(line) != want {
				t.Fatalf("look %d: %q, want %q", look, line, want)
			}
			got++
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if got != written {
			t.Fatalf("look %d: %d lines, %d were written", look, got, written)
		}
		numbered(t, l, written, look%30)
		written += look % 30
	}
}

// TestTail reads a file that grows in pieces, and one that begins anew: each line once, a half line when it is whole.
func TestTail(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	write := func(text string, flag int) {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|flag, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(text); err != nil || f.Close() != nil {
			t.Fatal(err)
		}
	}
	write("", 0)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tail, got := Tail{file: f}, ""
	long := strings.Repeat("x", 100<<10)
	for _, c := range []struct {
		text string
		flag int
		want string
	}{
		{"", 0, ""}, {"a\nb", os.O_APPEND, "a|"}, {"c\n", os.O_APPEND, "bc|"}, {long + "\nd", os.O_APPEND, long + "|"},
		{"\n\n", os.O_APPEND, "d||"}, {"new\nre", os.O_TRUNC, "new|"}, {"st", os.O_APPEND, ""},
	} {
		write(c.text, c.flag)
		got = ""
		more, err := tail.Next(func(line []byte) error { got += string(line) + "|"; return nil })
		if err != nil || got != c.want || more != (c.text != "") {
			t.Errorf("after %.10q: got %.20q, %v, %v, want %.20q", c.text, got, more, err, c.want)
		}
	}
	if err := tail.Rest(func(line []byte) error { got = string(line); return nil }); err != nil || got != "rest" {
		t.Errorf("the last words are %q, %v", got, err)
	}
}

// TestLines has a process say things in pieces: its lines come whole, and none is cut by the end of a file. What it
// said last is found again across files.
func TestLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "worker-0.log")
	if err := os.WriteFile(path, []byte("of another process\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path, Bounds{120, 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if text, err := f.Last(1000); len(text) != 0 || err != nil {
		t.Errorf("before the first word: %q, %v", text, err)
	}
	w, said := &Lines{File: f}, ""
	for i := range 30 {
		said += fmt.Sprintf("line %06d\n", i)
	}
	said += "the end"
	for at, n := 0, 1; at < len(said); at, n = at+n, n%17+1 {
		n = min(n, len(said)-at)
		if got, err := w.Write([]byte(said[at : at+n])); got != n || err != nil {
			t.Fatalf("%d of %d, %v", got, n, err)
		}
		for _, name := range []string{path, Older(path, 1)} {
			if text, err := os.ReadFile(name); err == nil && len(text) > 0 && text[len(text)-1] != '\n' || len(text) > 120 {
				t.Fatalf("%s holds %q", name, text)
			}
		}
	}
	w.Flush()
	w.Flush()
	for _, n := range []int{0, 5, 7, 60, 110} {
		if text, err := f.Last(n); string(text) != said[len(said)-n:] || err != nil {
			t.Errorf("the last %d bytes: %q, %v", n, text, err)
		}
	}
	text, err := f.Last(1 << 20)
	if err != nil || len(text) < 120 || !strings.HasSuffix(said, string(text)) {
		t.Errorf("all that is kept: %q, %v", text, err)
	}
	if _, err := w.Write(make([]byte, longestLine)); err != nil || len(w.begun) != 0 {
		t.Errorf("a line without an end: %d bytes wait, %v", len(w.begun), err)
	}
	_ = f.Close()
	if n, err := w.Write([]byte("nowhere\n")); n != 8 || err != nil {
		t.Errorf("where nothing can be written: %d, %v", n, err)
	}
}
