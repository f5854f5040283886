// Package decodertest is the common exam of every picture.Decoder.
//
// # When it fails
//
// It fails the test that called it, and says which promise of the interface was broken with input, got and want.
package decodertest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"byol/worker/data/picture"
)

// pictures are the JPEG files of worker/data/jpeg/testdata, which make_jpegs.c there wrote: 40 × 24 pixels, red 6x,
// green 10y, blue 255-6x, each held within 0 … 255. CMYK has 230/255 of each.
var pictures = []struct {
	name      string
	grey      bool
	scale     float64
	tolerance int // quality 95; and where chroma is halved, it is smoothed or not
}{
	{"colour.jpg", false, 1, 12}, {"c422.jpg", false, 1, 12}, {"c440.jpg", false, 1, 8}, {"c444.jpg", false, 1, 4},
	{"progressive.jpg", false, 1, 12}, {"restart.jpg", false, 1, 12}, {"rgb.jpg", false, 1, 4}, {"grey.jpg", true, 1, 3},
	{"cmyk.jpg", false, 230.0 / 255, 5}, {"ycck.jpg", false, 230.0 / 255, 12},
}

// Run examines a Decoder; dir holds the pictures.
func Run(t *testing.T, dec picture.Decoder, dir string) {
	if dec.Name() == "" {
		t.Error("Name is empty")
	}
	files := map[string][]byte{}
	for _, p := range pictures {
		b, err := os.ReadFile(filepath.Join(dir, p.name))
		if err != nil {
			t.Fatal(err)
		}
		files[p.name] = b
	}
	t.Run("pictures", func(t *testing.T) { testPictures(t, dec, files) })
	t.Run("content before name", func(t *testing.T) { testPNG(t, dec) })
	t.Run("limits", func(t *testing.T) { testLimits(t, dec, files["colour.jpg"]) })
	t.Run("damaged", func(t *testing.T) { testDamaged(t, dec, files) })
	t.Run("concurrent", func(t *testing.T) { testConcurrent(t, dec, files) })
}

func testPictures(t *testing.T, dec picture.Decoder, files map[string][]byte) {
	for _, p := range pictures {
		var whole picture.Image
		if err := dec.Decode(files[p.name], picture.Limits{}, picture.Rect{}, &whole); err != nil {
			t.Errorf("%s: %v", p.name, err)
			continue
		}
		want := &picture.Image{Width: 40, Height: 24, Held: picture.Rect{W: 40, H: 24}}
		for i := range 40 * 24 {
			x, y := i%40, i/40
			r, g, b := min(6*x, 255), min(10*y, 255), max(255-6*x, 0)
			if p.grey {
				r, b = g, g
			}
			for _, v := range []int{r, g, b} {
				want.Pix = append(want.Pix, byte(float64(v)*p.scale+0.5))
			}
		}
		EqualImages(t, p.name, &whole, want, p.tolerance)
		region := picture.Rect{X: 7, Y: 5, W: 22, H: 13}
		part := picture.Image{Pix: make([]byte, 5)}
		if err := dec.Decode(files[p.name], picture.Limits{}, region, &part); err != nil {
			t.Errorf("%s, a region: %v", p.name, err)
			continue
		}
		if !part.Held.Contains(region) {
			t.Errorf("%s: asked for %v, holds %v", p.name, region, part.Held)
			continue
		}
		EqualImages(t, p.name+", a region", cut(&part, region), cut(&whole, region), 0)
	}
}

// testPNG: the decoder is not told a name, so a PNG that is called JPEG is a PNG.
func testPNG(t *testing.T, dec picture.Decoder) {
	m := image.NewNRGBA(image.Rect(0, 0, 3, 2))
	for i := range m.Pix {
		m.Pix[i] = byte(20*i) | 0xff*byte(i%4/3)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	var got picture.Image
	if err := dec.Decode(b.Bytes(), picture.Limits{}, picture.Rect{}, &got); err != nil {
		t.Fatal(err)
	}
	want := &picture.Image{Width: 3, Height: 2, Held: picture.Rect{W: 3, H: 2}}
	for i := 0; i < len(m.Pix); i += 4 {
		want.Pix = append(want.Pix, m.Pix[i:i+3]...)
	}
	EqualImages(t, "png", &got, want, 0)
}

// testLimits: an image over the limit is refused by its header, before memory is taken.
func testLimits(t *testing.T, dec picture.Decoder, file []byte) {
	var m picture.Image
	err := dec.Decode(file, picture.Limits{Pixels: 40*24 - 1}, picture.Rect{}, &m)
	if err == nil || !strings.Contains(err.Error(), "40 × 24 pixels is over the limit of 959 pixels") {
		t.Errorf("one pixel over the limit: %v", err)
	}
	if err := dec.Decode(file, picture.Limits{Pixels: 40 * 24}, picture.Rect{}, &m); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	huge := bytes.Clone(file)
	at := bytes.Index(huge, []byte{0xff, 0xc0})
	binary.BigEndian.PutUint16(huge[at+5:], 65500)
	binary.BigEndian.PutUint16(huge[at+7:], 65500)
	m = picture.Image{}
	err = dec.Decode(huge, picture.Limits{}, picture.Rect{}, &m)
	if err == nil || !strings.Contains(err.Error(), "over the limit") || m.Pix != nil {
		t.Errorf("a header of 65500 × 65500 pixels: %v, and %d bytes taken", err, len(m.Pix))
	}
}

// testDamaged cuts files short and changes bytes: there may be an error or a picture, but no crash, and what is cut
// short is an error.
func testDamaged(t *testing.T, dec picture.Decoder, files map[string][]byte) {
	var m picture.Image
	for name, b := range files {
		for n := 0; n < len(b)-20; n += 7 {
			if dec.Decode(b[:n:n], picture.Limits{}, picture.Rect{}, &m) == nil {
				t.Errorf("%s: the first %d of %d bytes are taken for a picture", name, n, len(b))
				break
			}
		}
		state := uint32(1)
		next := func(n int) int {
			state = state*1664525 + 1013904223
			return int(state>>8) % n
		}
		for range 300 {
			c := bytes.Clone(b)
			for range 1 + next(8) {
				c[next(len(c))] = byte(next(256))
			}
			testOneAnswer(t, dec, name, c)
		}
		if err := dec.Decode(b, picture.Limits{}, picture.Rect{}, &m); err != nil {
			t.Errorf("%s, after damaged ones: %v", name, err)
		}
	}
	for _, b := range [][]byte{nil, []byte("x"), []byte("GIF89a"), {0xff, 0xd8, 0xff, 0xd9}} {
		if dec.Decode(b, picture.Limits{}, picture.Rect{}, &m) == nil {
			t.Errorf("%q is taken for a picture", b)
		}
	}
}

// testOneAnswer: whether a file can be decoded, and to what, does not depend on the region.
func testOneAnswer(t *testing.T, dec picture.Decoder, name string, file []byte) {
	info, err := picture.Probe(file)
	limits := picture.Limits{Pixels: 1 << 16}
	if err != nil || limits.Check(info.Width, info.Height) != nil {
		return
	}
	var whole, part picture.Image
	err = dec.Decode(file, limits, picture.Rect{}, &whole)
	w, h := info.Width, info.Height
	for _, r := range []picture.Rect{{W: 1, H: 1}, {X: w - 1, Y: h - 1, W: 1, H: 1},
		{X: w / 3, Y: h / 3, W: w/2 + 1, H: h/2 + 1}} {
		why := dec.Decode(file, limits, r, &part)
		if (why == nil) != (err == nil) {
			t.Errorf("%s, changed: region %v gives %v, the whole %v\nfile %x", name, r, why, err, file)
			return
		}
		if err == nil {
			EqualImages(t, fmt.Sprintf("%s, changed: region %v", name, r), cut(&part, r), cut(&whole, r), 0)
		}
	}
}

func testConcurrent(t *testing.T, dec picture.Decoder, files map[string][]byte) {
	var want picture.Image
	if err := dec.Decode(files["colour.jpg"], picture.Limits{}, picture.Rect{}, &want); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			var m picture.Image
			for range 50 {
				if err := dec.Decode(files["colour.jpg"], picture.Limits{}, picture.Rect{}, &m); err != nil {
					t.Error(err)
					return
				}
				_ = dec.Decode(files["colour.jpg"][:500], picture.Limits{}, picture.Rect{}, new(picture.Image))
				_ = dec.Decode(files["cmyk.jpg"], picture.Limits{}, picture.Rect{}, new(picture.Image))
			}
			if !bytes.Equal(m.Pix, want.Pix) {
				t.Error("decoded beside others: other pixels")
			}
		})
	}
	wg.Wait()
}

// EqualImages fails the test if two decoded images differ in size, or in a value by more than tolerance.
func EqualImages(t *testing.T, name string, got, want *picture.Image, tolerance int) {
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
func cut(m *picture.Image, r picture.Rect) *picture.Image {
	out := &picture.Image{Width: m.Width, Height: m.Height, Held: r}
	for y := range r.H {
		from := 3 * ((r.Y-m.Held.Y+y)*m.Held.W + r.X - m.Held.X)
		out.Pix = slices.Concat(out.Pix, m.Pix[from:from+3*r.W])
	}
	return out
}
