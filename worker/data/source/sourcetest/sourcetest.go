// Package sourcetest is the common exam of every source.Source and of source.Files, and Files in memory.
//
// # When it fails
//
// It fails the test that called it, and says which promise of the interface was broken with input, got and want.
package sourcetest

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"

	"byol/worker/data/jpeg"
	"byol/worker/data/picture"
	"byol/worker/data/source"
)

// Run examines a Source. open must open the same set each time; labelled says whether every image has a label.
func Run(t *testing.T, open func() (source.Source, error), labelled bool) {
	t.Helper()
	src, err := open()
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	if src.Len() < 1 {
		t.Fatalf("Len is %d, want at least 1", src.Len())
	}
	if src.Manifest() == "" {
		t.Error("Manifest is empty")
	}
	names := map[string]int{}
	for i := range src.Len() {
		name := src.Name(i)
		if j, taken := names[name]; taken || name == "" {
			t.Errorf("images %d and %d are both named %q", j, i, name)
		}
		names[name] = i
		label := src.Label(i)
		if labelled && (label < 0 || label >= len(src.Classes())) {
			t.Errorf("image %d has label %d of %d classes", i, label, len(src.Classes()))
		}
		if !labelled && label != -1 {
			t.Errorf("image %d has label %d, want -1", i, label)
		}
	}
	first := readAll(t, src)
	again(t, src, first)
	cancelled(t, src)
	other, err := open()
	if err != nil {
		t.Fatalf("open again: %v", err)
	}
	if src.Manifest() != other.Manifest() || src.Len() != other.Len() {
		t.Errorf("opened twice: %d images %s, then %d images %s", src.Len(), src.Manifest(), other.Len(), other.Manifest())
	}
	for _, s := range []source.Source{src, other} {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

// readAll reads every image in order, all into one buffer, and checks that it can be decoded.
func readAll(t *testing.T, src source.Source) [][]byte {
	t.Helper()
	var all [][]byte
	var buf []byte
	var m picture.Image
	for i := range src.Len() {
		b, err := src.Bytes(t.Context(), i, buf)
		if err != nil {
			t.Fatalf("read %s: %v", src.Name(i), err)
		}
		if err := jpeg.NewDecoder().Decode(b, picture.Limits{}, picture.Rect{}, &m); err != nil {
			t.Errorf("decode %s: %v", src.Name(i), err)
		}
		all = append(all, bytes.Clone(b))
		buf = b
	}
	return all
}

// again reads backwards from several goroutines at once, and wants the same bytes.
func again(t *testing.T, src source.Source, want [][]byte) {
	t.Helper()
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			var buf []byte
			for i := src.Len() - 1 - g; i >= 0; i -= 4 {
				b, err := src.Bytes(t.Context(), i, buf)
				if err != nil || !bytes.Equal(b, want[i]) {
					t.Errorf("read %s a second time: %d bytes and %v, want the %d bytes of the first", src.Name(i), len(b), err,
						len(want[i]))
				}
				buf = b
			}
		})
	}
	wg.Wait()
}

func cancelled(t *testing.T, src source.Source) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := src.Bytes(ctx, 0, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("read with a cancelled context: %v, want %v", err, context.Canceled)
	}
}
