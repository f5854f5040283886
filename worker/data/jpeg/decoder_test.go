package jpeg_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"byol/worker/data/jpeg"
	"byol/worker/data/picture"
	"byol/worker/data/picture/decodertest"
)

func TestDecoder(t *testing.T) { decodertest.Run(t, jpeg.NewDecoder(), "testdata") }

// TestPNG goes through the kinds of PNG; transparency is dropped.
func TestPNG(t *testing.T) {
	rect := image.Rect(0, 0, 5, 4)
	grey, deep, palette := image.NewGray(rect), image.NewNRGBA64(rect), image.NewPaletted(rect, color.Palette{
		color.NRGBA{R: 10, G: 20, B: 30, A: 255}, color.NRGBA{R: 200, G: 100, B: 50, A: 255}})
	clear := image.NewNRGBA(rect)
	for i := range 20 {
		x, y := i%5, i/5
		grey.SetGray(x, y, color.Gray{Y: uint8(10 * i)})
		deep.SetNRGBA64(x, y, color.NRGBA64{R: uint16(i) * 0x0a0a, G: 0x1414, B: 0xffff, A: 0xffff})
		palette.SetColorIndex(x, y, uint8(i%2))
		clear.SetNRGBA(x, y, color.NRGBA{R: uint8(i), G: 20, B: 30, A: uint8(12 * i)})
	}
	for _, c := range []struct {
		name string
		m    image.Image
		want [3]byte // of pixel (3, 2), number 13
	}{
		{"grey", grey, [3]byte{130, 130, 130}},
		{"16 bits", deep, [3]byte{130, 20, 255}},
		{"palette", palette, [3]byte{200, 100, 50}},
		{"alpha", clear, [3]byte{13, 20, 30}},
	} {
		var b bytes.Buffer
		if err := png.Encode(&b, c.m); err != nil {
			t.Fatal(err)
		}
		var m picture.Image
		region := picture.Rect{X: 2, Y: 1, W: 3, H: 2}
		if err := jpeg.NewDecoder().Decode(b.Bytes(), picture.Limits{}, region, &m); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		x, y := 3-m.Held.X, 2-m.Held.Y
		if got := [3]byte(m.Pix[3*(y*m.Held.W+x):]); got != c.want {
			t.Errorf("%s: pixel (3, 2) is %v, want %v", c.name, got, c.want)
		}
	}
}

// FuzzDecode: whatever the bytes are, the decoder returns.
func FuzzDecode(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.jpg")
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("P6\n1 1\n255\nabc"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var m picture.Image
		err := jpeg.NewDecoder().Decode(b, picture.Limits{Pixels: 1 << 20}, picture.Rect{}, &m)
		if err == nil && len(m.Pix) != 3*m.Width*m.Height {
			t.Errorf("%d × %d pixels in %d bytes", m.Width, m.Height, len(m.Pix))
		}
	})
}
