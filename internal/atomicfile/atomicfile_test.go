package atomicfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"byol/internal/disk"
	"byol/internal/disk/crash"
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

// TestCrash replaces a file twice on a disk whose power fails after each operation: what is found is the old text or
// the new one, and the one that was reported where one was.
func TestCrash(t *testing.T) {
	texts := []string{strings.Repeat("first ", 2000), strings.Repeat("the second ", 20_000)}
	replaceAll := func(d *crash.Disk) (reported int) {
		if disk.MkdirAll(d, "/run") != nil {
			return 0
		}
		for i, text := range texts {
			if ReplaceOn(d, "/run/card", func(w io.Writer) error {
				_, err := io.WriteString(w, text)
				return err
			}) != nil {
				return reported
			}
			reported = i + 1
		}
		return reported
	}
	whole := crash.New()
	if replaceAll(whole) != len(texts) {
		t.Fatal("it does not work without a crash")
	}
	for last := 1; last <= whole.Operations(); last++ {
		for _, share := range []int{0, 50, 100} {
			d := crash.New()
			d.CrashAfter(last)
			reported := replaceAll(d)
			got, err := disk.ReadFile(d.Left(share, uint64(last)), "/run/card")
			found := slices.Index(texts, string(got)) + 1
			switch {
			case err != nil && !errors.Is(err, os.ErrNotExist):
				t.Errorf("crash after operation %d, share %d: %v", last, share, err)
			case err == nil && found == 0:
				t.Errorf("crash after operation %d, share %d: %d bytes that are no text", last, share, len(got))
			case found < reported:
				t.Errorf("crash after operation %d, share %d: text %d was reported, text %d is there", last, share, reported, found)
			}
		}
	}
}

// TestFullDisk: on a disk with any amount of room, and with any one operation failing, the old content stays or the
// new one is there, and no temporary is left.
func TestFullDisk(t *testing.T) {
	old, content := []byte("old"), make([]byte, 3<<16) // more than the buffer
	write := func(d *crash.Disk, text []byte) error {
		return ReplaceOn(d, "/card", func(w io.Writer) error {
			_, err := w.Write(text)
			return err
		})
	}
	check := func(name string, d *crash.Disk, err, want error) {
		t.Helper()
		got, _ := disk.ReadFile(d, "/card")
		if !errors.Is(err, want) || !bytes.Equal(got, old) && !bytes.Equal(got, content) {
			t.Errorf("%s: %v, and %d bytes", name, err, len(got))
		}
		d.Limit(-1)
		if all, err := d.ReadDir("/"); err != nil || len(all) != 1 {
			t.Errorf("%s: %v, %v, want one file", name, all, err)
		}
		if err := write(d, content); err != nil {
			t.Errorf("%s, afterwards: %v", name, err)
		}
	}
	for _, room := range []int{0, 1, 100_000, len(content) - 1} {
		d := crash.New()
		if err := write(d, old); err != nil {
			t.Fatal(err)
		}
		d.Limit(len(old) + room)
		check(fmt.Sprint("room for ", room), d, write(d, content), syscall.ENOSPC)
	}
	for at := 1; ; at++ {
		d := crash.New()
		if err := write(d, old); err != nil {
			t.Fatal(err)
		}
		before := d.Operations()
		d.FailAt(before+at, syscall.EIO)
		err := write(d, content)
		if err == nil {
			if at <= 5 { // create, write, sync, rename, sync the directory
				t.Errorf("operation %d of a write fails, and the write does not", at)
			}
			return
		}
		check(fmt.Sprint("operation ", at), d, err, syscall.EIO)
	}
}

func TestTemporary(t *testing.T) {
	for name, want := range map[string]bool{".card.json-12": true, "card.json": false, ".card.json": false,
		".card.jsonx-1": false, "card.json-1": false, ".card.json-": false, ".card.json-notes": false} {
		if Temporary(name, "card.json") != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

// TestMask: a mask that keeps others out does so here, too; a secret is its owner's alone whatever it says.
func TestMask(t *testing.T) {
	dir := t.TempDir()
	for mask, want := range map[int]os.FileMode{0o077: 0o600, 0o027: 0o640, 0: 0o644} {
		before := syscall.Umask(mask)
		path := filepath.Join(dir, fmt.Sprint(mask))
		err := errors.Join(Write(path, []byte("x")), WriteSecret(path+".key", []byte("x")))
		syscall.Umask(before)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]os.FileMode{path: want, path + ".key": 0o600} {
			if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
				t.Errorf("mask %03o, %s: %v, %v, want %v", mask, filepath.Base(name), info.Mode(), err, want)
			}
		}
	}
}
