package shards_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"byol/internal/failure"
	"byol/worker/data/shards"
	"byol/worker/data/source"
	"byol/worker/data/source/sourcetest"
)

// photos are a set in memory: two classes, one image that is larger than a shard, and names that are odd if asked for.
func photos(t testing.TB, odd bool) (*sourcetest.Memory, source.Source) {
	t.Helper()
	m := &sourcetest.Memory{}
	for i := range 40 {
		m.Write(fmt.Sprintf("set/%s/%02d.jpg", []string{"cat", "dög"}[i%2], i), bytes.Repeat([]byte{byte(i)}, 100_000+i))
	}
	m.Write("set/cat/large.PNG", bytes.Repeat([]byte("L"), 3<<20))
	m.Write("set/loose.jpg", []byte("x"))
	if odd {
		for _, name := range []string{"a.b.jpg", "a_b.jpg", "a_b.png", "caf\xe9.jpg"} {
			m.Write("set/cat/"+name, []byte(name))
		}
	}
	src, err := source.OpenIn(t.Context(), m, "set", source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m, src
}

func write(t testing.TB, src source.Source, dst string) *source.Index {
	t.Helper()
	x, err := shards.Write(t.Context(), src, dst, shards.Options{MiB: 1})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func open(t testing.TB, uri string) source.Source {
	t.Helper()
	src, err := source.Open(t.Context(), uri, source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = src.Close() })
	return src
}

// same wants equal bytes, labels and classes in equal order.
func same(t testing.TB, a, b source.Source) {
	t.Helper()
	if a.Len() != b.Len() || !slices.Equal(a.Classes(), b.Classes()) {
		t.Fatalf("%d images of %v, and %d of %v", a.Len(), a.Classes(), b.Len(), b.Classes())
	}
	for i := range a.Len() {
		x, errX := a.Bytes(t.Context(), i, nil)
		y, errY := b.Bytes(t.Context(), i, nil)
		if errX != nil || errY != nil || !bytes.Equal(x, y) || a.Label(i) != b.Label(i) {
			t.Errorf("image %d is %s of class %d, %v, and %s of class %d, %v", i, a.Name(i), a.Label(i), errX, b.Name(i),
				b.Label(i), errY)
		}
	}
}

// TestSameSet: shards are the set they were made from, with the same manifest; where names had to change, all but that.
func TestSameSet(t *testing.T) {
	for _, odd := range []bool{false, true} {
		_, src := photos(t, odd)
		dst := filepath.Join(t.TempDir(), "out")
		x := write(t, src, dst)
		again := open(t, shards.Pattern(dst, x))
		same(t, src, again)
		if (src.Manifest() == again.Manifest()) == odd || (x.Renamed > 0) != odd {
			t.Errorf("odd names %v: manifests %s and %s, %d renamed", odd, src.Manifest(), again.Manifest(), x.Renamed)
		}
		if _, err := os.Stat(shards.Unfinished(dst)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the work is left: %v", err)
		}
		for _, s := range x.Shards {
			if s.Images > 1 && s.Bytes > 1<<20 {
				t.Errorf("%s has %d images and %d bytes", s.Name, s.Images, s.Bytes)
			}
		}
		// What is sharded again comes out the same, byte for byte.
		other := filepath.Join(t.TempDir(), "again")
		if y := write(t, again, other); !odd && y.Shards[0] != x.Shards[0] {
			t.Errorf("sharded again: %+v, first %+v", y.Shards[0], x.Shards[0])
		}
	}
}

// TestGoesOn: work that ends after any number of reads goes on with the next shard when it is asked for again, and
// comes out as if nothing had been. Until then there is no folder of that name.
func TestGoesOn(t *testing.T) {
	m, src := photos(t, true)
	dst := filepath.Join(t.TempDir(), "out")
	want := write(t, src, filepath.Join(t.TempDir(), "whole"))
	full := errors.New("no space left on device")
	for limit := 3; ; limit += 5 {
		reads := 0
		m.Fail = func(op, _ string) error {
			if op == "read" {
				if reads++; reads > limit {
					return full
				}
			}
			return nil
		}
		x, err := shards.Write(t.Context(), src, dst, shards.Options{MiB: 1})
		if err == nil {
			if a, b := text(t, want), text(t, x); a != b {
				t.Errorf("after stops:\n%s\nat once:\n%s", b, a)
			}
			m.Fail = nil
			same(t, src, open(t, shards.Pattern(dst, x)))
			return
		}
		var f *failure.Failure
		if !errors.As(err, &f) || !strings.Contains(f.Why, full.Error()) || !strings.Contains(f.Try, "it goes on") {
			t.Fatalf("%v (%+v)", err, f)
		}
		if _, err := os.Stat(dst); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("the folder is there already: %v", err)
		}
		if limit > 1000 {
			t.Fatal("it never ends")
		}
	}
}

func text(t testing.TB, x *source.Index) string {
	b, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestRefuses what is there already, and what is half of something else.
func TestRefuses(t *testing.T) {
	_, src := photos(t, false)
	dst := filepath.Join(t.TempDir(), "out")
	write(t, src, dst)
	_, err := shards.Write(t.Context(), src, dst, shards.Options{MiB: 1})
	var f *failure.Failure
	if !errors.As(err, &f) || f.Why != "it is there and not empty" {
		t.Errorf("over what is there: %v", err)
	}
	half := filepath.Join(t.TempDir(), "half")
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := shards.Write(ctx, src, half, shards.Options{MiB: 1, Progress: func(int, int) { cancel() }}); err == nil {
		t.Error("it did not end")
	}
	if _, err := shards.Write(t.Context(), src, half, shards.Options{MiB: 2}); !errors.As(err, &f) ||
		!strings.Contains(f.Why, "unfinished work of other images or another shard size") {
		t.Errorf("over another's work: %v", err)
	}
}

// TestOtherBytes: an image whose bytes change in a shard, with size and time as they were, is a data error that names
// it when it is read; a shard of another size when the set is opened.
func TestOtherBytes(t *testing.T) {
	_, src := photos(t, false)
	dst := filepath.Join(t.TempDir(), "out")
	x := write(t, src, dst)
	first := filepath.Join(dst, x.Shards[0].Name)
	b, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	b[512+50] ^= 1
	if err := os.WriteFile(first, b, 0o644); err != nil {
		t.Fatal(err)
	}
	changed := open(t, shards.Pattern(dst, x))
	_, err = changed.Bytes(t.Context(), 0, nil)
	var f *failure.Failure
	if !errors.As(err, &f) || !errors.Is(err, source.ErrChanged) || f.What != "read image "+first+":cat/00.jpg" ||
		f.Code != failure.Data {
		t.Errorf("%v (%+v)", err, f)
	}
	if _, err := changed.Bytes(t.Context(), 1, nil); err != nil {
		t.Errorf("the image behind it: %v", err)
	}
	if err := os.WriteFile(first, append(b, make([]byte, 512)...), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := source.Open(t.Context(), shards.Pattern(dst, x), source.Options{}); err == nil ||
		!strings.Contains(err.Error(), "copy it again") && !strings.Contains(err.Error(), "index.json says") {
		t.Errorf("a longer shard: %v", err)
	}
}
