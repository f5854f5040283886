// Package sourcetest is the common exam of every data.Source and every data.Decoder.
//
// # When it fails
//
// It fails the test that called it, and says which promise of the interface was broken with input, got and want.
package sourcetest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"byol/worker/data"
)

// Run examines a Source. open must open the same set each time; labelled says whether every image has a label.
func Run(t *testing.T, open func() (data.Source, error), labelled bool) {
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
	for _, s := range []data.Source{src, other} {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

// readAll reads every image in order, all into one buffer, and checks that it can be decoded.
func readAll(t *testing.T, src data.Source) [][]byte {
	t.Helper()
	var all [][]byte
	var buf []byte
	var m data.Image
	for i := range src.Len() {
		b, err := src.Bytes(t.Context(), i, buf)
		if err != nil {
			t.Fatalf("read %s: %v", src.Name(i), err)
		}
		if err := data.GoDecoder().Decode(b, data.Limits{}, data.Rect{}, &m); err != nil {
			t.Errorf("decode %s: %v", src.Name(i), err)
		}
		all = append(all, bytes.Clone(b))
		buf = b
	}
	return all
}

// again reads backwards from several goroutines at once, and wants the same bytes.
func again(t *testing.T, src data.Source, want [][]byte) {
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

func cancelled(t *testing.T, src data.Source) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := src.Bytes(ctx, 0, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("read with a cancelled context: %v, want %v", err, context.Canceled)
	}
}

// EqualImages fails the test if two decoded images differ in size, or in a value by more than tolerance.
func EqualImages(t *testing.T, name string, got, want *data.Image, tolerance int) {
	t.Helper()
	if got.Width != want.Width || got.Height != want.Height || got.Held != want.Held {
		t.Errorf("%s: %d × %d pixels, %v of them; want %d × %d, %v", name, got.Width, got.Height, got.Held, want.Width,
			want.Height, want.Held)
		return
	}
	for i := range want.Pix {
		if d := int(got.Pix[i]) - int(want.Pix[i]); d > tolerance || -d > tolerance {
			t.Errorf("%s: value %d is %d, want %d within %d", name, i, got.Pix[i], want.Pix[i], tolerance)
			return
		}
	}
}

// cut takes the part r out of a whole image.
func cut(m *data.Image, r data.Rect) *data.Image {
	out := &data.Image{Width: m.Width, Height: m.Height, Held: r}
	for y := range r.H {
		from := 3 * ((r.Y-m.Held.Y+y)*m.Held.W + r.X - m.Held.X)
		out.Pix = slices.Concat(out.Pix, m.Pix[from:from+3*r.W])
	}
	return out
}
