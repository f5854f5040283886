package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// numbered writes n lines to l, from line number from on.
func numbered(t *testing.T, l *logFile, from, n int) {
	t.Helper()
	for i := range n {
		if _, err := fmt.Fprintf(l, "line %06d\n", from+i); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLogIsBounded turns over without losing a line, keeps the newest files, and goes on with what is there.
func TestLogIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), coordinatorLog)
	turns := 0
	l, err := openLogFile(path, func() error { turns++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	l.most = 120 // ten lines
	numbered(t, l, 0, 25)
	if l, err = openLogFile(path, func() error { turns++; return nil }); err != nil {
		t.Fatal(err)
	}
	l.most = 120
	numbered(t, l, 25, 40)
	var all strings.Builder
	for ago := logsKept; ago >= 0; ago-- {
		text, err := os.ReadFile(olderLog(path, ago))
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
	if files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); err != nil || len(files) != 1+logsKept {
		t.Errorf("%v, %v", files, err)
	}
}

// TestLogGoesOnWhereItCannotTurn: a directory in the way of the older file costs no line.
func TestLogGoesOnWhereItCannotTurn(t *testing.T) {
	path := filepath.Join(t.TempDir(), coordinatorLog)
	if err := os.MkdirAll(filepath.Join(olderLog(path, 3), "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(olderLog(path, 2), []byte("old\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := openLogFile(path, func() error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	l.most = 120
	numbered(t, l, 0, 25)
	if text, err := os.ReadFile(path); err != nil || strings.Count(string(text), "\n") != 25 {
		t.Errorf("%v:\n%s", err, text)
	}
}

// TestLogIsFollowedAcrossTurns: who follows a log has each line once, however often it turned over since the last look.
func TestLogIsFollowedAcrossTurns(t *testing.T) {
	path := filepath.Join(t.TempDir(), coordinatorLog)
	l, err := openLogFile(path, func() error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	l.most = 120
	numbered(t, l, 0, 15)
	tail, err := openTail(path)
	if err != nil {
		t.Fatal(err)
	}
	defer tail.close()
	got, written := 0, 15
	for look := range 40 {
		if _, err := tail.next(func(line []byte) error {
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
