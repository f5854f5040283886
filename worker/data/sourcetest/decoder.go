package sourcetest

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"byol/worker/data"
)

// pictures are the JPEG files of worker/data/testdata, which make_jpegs.c there wrote: 40 × 24 pixels, red 6x,
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

// TestDecoder examines a Decoder; dir holds the pictures.
func TestDecoder(t *testing.T, dec data.Decoder, dir string) {
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

func testPictures(t *testing.T, dec data.Decoder, files map[string][]byte) {
	for _, p := range pictures {
		var whole data.Image
		if err := dec.Decode(files[p.name], data.Limits{}, data.Rect{}, &whole); err != nil {
			t.Errorf("%s: %v", p.name, err)
			continue
		}
		want := &data.Image{Width: 40, Height: 24, Held: data.Rect{W: 40, H: 24}}
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
		region := data.Rect{X: 7, Y: 5, W: 22, H: 13}
		part := data.Image{Pix: make([]byte, 5)}
		if err := dec.Decode(files[p.name], data.Limits{}, region, &part); err != nil {
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
func testPNG(t *testing.T, dec data.Decoder) {
	m := image.NewNRGBA(image.Rect(0, 0, 3, 2))
	for i := range m.Pix {
		m.Pix[i] = byte(20*i) | 0xff*byte(i%4/3)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	var got data.Image
	if err := dec.Decode(b.Bytes(), data.Limits{}, data.Rect{}, &got); err != nil {
		t.Fatal(err)
	}
	want := &data.Image{Width: 3, Height: 2, Held: data.Rect{W: 3, H: 2}}
	for i := 0; i < len(m.Pix); i += 4 {
		want.Pix = append(want.Pix, m.Pix[i:i+3]...)
	}
	EqualImages(t, "png", &got, want, 0)
}

// testLimits: an image over the limit is refused by its header, before memory is taken.
func testLimits(t *testing.T, dec data.Decoder, file []byte) {
	var m data.Image
	err := dec.Decode(file, data.Limits{Pixels: 40*24 - 1}, data.Rect{}, &m)
	if err == nil || !strings.Contains(err.Error(), "40 × 24 pixels is over the limit of 959 pixels") {
		t.Errorf("one pixel over the limit: %v", err)
	}
	if err := dec.Decode(file, data.Limits{Pixels: 40 * 24}, data.Rect{}, &m); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	huge := bytes.Clone(file)
	at := bytes.Index(huge, []byte{0xff, 0xc0})
	binary.BigEndian.PutUint16(huge[at+5:], 65500)
	binary.BigEndian.PutUint16(huge[at+7:], 65500)
	m = data.Image{}
	err = dec.Decode(huge, data.Limits{}, data.Rect{}, &m)
	if err == nil || !strings.Contains(err.Error(), "over the limit") || m.Pix != nil {
		t.Errorf("a header of 65500 × 65500 pixels: %v, and %d bytes taken", err, len(m.Pix))
	}
}

// testDamaged cuts files short and changes bytes: there may be an error or a picture, but no crash, and what is cut
// short is an error.
func testDamaged(t *testing.T, dec data.Decoder, files map[string][]byte) {
	var m data.Image
	for name, b := range files {
		for n := 0; n < len(b)-20; n += 7 {
			if dec.Decode(b[:n:n], data.Limits{}, data.Rect{}, &m) == nil {
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
			_ = dec.Decode(c, data.Limits{Pixels: 1 << 20}, data.Rect{}, &m)
		}
		if err := dec.Decode(b, data.Limits{}, data.Rect{}, &m); err != nil {
			t.Errorf("%s, after damaged ones: %v", name, err)
		}
	}
	for _, b := range [][]byte{nil, []byte("x"), []byte("GIF89a"), {0xff, 0xd8, 0xff, 0xd9}} {
		if dec.Decode(b, data.Limits{}, data.Rect{}, &m) == nil {
			t.Errorf("%q is taken for a picture", b)
		}
	}
}

func testConcurrent(t *testing.T, dec data.Decoder, files map[string][]byte) {
	var want data.Image
	if err := dec.Decode(files["colour.jpg"], data.Limits{}, data.Rect{}, &want); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			var m data.Image
			for range 50 {
				if err := dec.Decode(files["colour.jpg"], data.Limits{}, data.Rect{}, &m); err != nil {
					t.Error(err)
					return
				}
				_ = dec.Decode(files["colour.jpg"][:500], data.Limits{}, data.Rect{}, new(data.Image))
				_ = dec.Decode(files["cmyk.jpg"], data.Limits{}, data.Rect{}, new(data.Image))
			}
			if !bytes.Equal(m.Pix, want.Pix) {
				t.Error("decoded beside others: other pixels")
			}
		})
	}
	wg.Wait()
}
