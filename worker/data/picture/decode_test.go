package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// painted are images of every kind that Go's decoders give.
func painted(w, h int) map[string]image.Image {
	r := image.Rect(0, 0, w, h)
	grey, cmyk, rgba, nrgba := image.NewGray(r), image.NewCMYK(r), image.NewRGBA(r), image.NewNRGBA(r)
	deep, palette := image.NewNRGBA64(r), image.NewPaletted(r, color.Palette{color.NRGBA{R: 9, G: 99, B: 199, A: 255},
		color.NRGBA{R: 250, G: 3, B: 7, A: 255}})
	all := map[string]image.Image{"grey": grey, "cmyk": cmyk, "rgba": rgba, "nrgba": nrgba, "16 bits": deep,
		"palette": palette}
	fill := func(pix []byte, alpha int) {
		for i := range pix {
			if pix[i] = byte(i * 37); alpha > 0 && i%alpha == alpha-1 {
				pix[i] = 255
			}
		}
	}
	fill(grey.Pix, 0)
	fill(cmyk.Pix, 0)
	fill(rgba.Pix, 4)
	fill(nrgba.Pix, 4)
	for i := range w * h {
		deep.SetNRGBA64(i%w, i/w, color.NRGBA64{R: uint16(i * 771), G: 0x1414, B: 0xffff, A: 0xffff})
		palette.SetColorIndex(i%w, i/w, uint8(i%2))
	}
	for _, ratio := range []image.YCbCrSubsampleRatio{image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422,
		image.YCbCrSubsampleRatio420, image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio411,
		image.YCbCrSubsampleRatio410} {
		m := image.NewYCbCr(r, ratio)
		fill(m.Y, 0)
		fill(m.Cb, 0)
		fill(m.Cr, 0)
		all[ratio.String()] = m
	}
	return all
}

// TestToRGB compares the loops over each kind of image with the colours that the image itself gives, pixel by pixel. Of
// YCbCr it may round otherwise: Go's takes luma by 0x10101 / 2^16.
func TestToRGB(t *testing.T) {
	const w, h = 11, 7
	for name, m := range painted(w, h) {
		for _, r := range []Rect{{W: w, H: h}, {X: 3, Y: 2, W: 5, H: 3}, {X: w - 1, Y: h - 1, W: 1, H: 1}, {X: 1,
			W: 1, H: h}} {
			var dst Image
			dst.Reset(w, h, r)
			toRGB(m, &dst)
			for i := range r.W * r.H {
				x, y := r.X+i%r.W, r.Y+i/r.W
				c := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
				got, want := [3]byte(dst.Pix[3*i:]), [3]byte{c.R, c.G, c.B}
				for k := range got {
					d := int(got[k]) - int(want[k])
					if _, rounded := m.(*image.YCbCr); d != 0 && !(rounded && max(d, -d) == 1) {
						t.Fatalf("%s, region %v: pixel (%d, %d) is %v, want %v", name, r, x, y, got, want)
					}
				}
			}
		}
	}
}

// encoded is an image as a file.
func encoded(t *testing.T, encode func(io.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestDecode: each format is told by its content, and a region is part of the whole.
func TestDecode(t *testing.T) {
	m := painted(20, 12)["nrgba"]
	files := map[Format][]byte{
		PNG:  encoded(t, func(w io.Writer) error { return png.Encode(w, m) }),
		JPEG: encoded(t, func(w io.Writer) error { return jpeg.Encode(w, m, nil) }),
		PPM:  append([]byte("P6\n20 12\n255\n"), bytes.Repeat([]byte{1, 2, 3, 4, 5}, 20*12*3/5)...),
	}
	for format, file := range files {
		info, err := Probe(file)
		if err != nil || info.Format != format || info.Width != 20 || info.Height != 12 {
			t.Errorf("%s: %+v, %v", format, info, err)
			continue
		}
		var whole, part Image
		r := Rect{X: 5, Y: 3, W: 9, H: 8}
		if err := errors.Join(Decode(file, info, Rect{W: 20, H: 12}, &whole), Decode(file, info, r,
			&part)); err != nil {
			t.Errorf("%s: %v", format, err)
			continue
		}
		for y := range r.H {
			got, want := part.Pix[3*y*r.W:][:3*r.W], whole.Pix[3*((r.Y+y)*20+r.X):][:3*r.W]
			if !bytes.Equal(got, want) {
				t.Errorf("%s: row %d of the region is %v, want %v", format, y, got, want)
			}
		}
		for n := len(file) - 1; n > 30; n -= 5 {
			if err := Decode(file[:n], info, r, &part); err == nil || !strings.Contains(err.Error(),
				"decode "+string(format)) {
				t.Fatalf("%s: %d of %d bytes: %v", format, n, len(file), err)
			}
		}
		wrong := info
		wrong.Width++
		if err := Decode(file, wrong, Rect{W: 21, H: 12}, &part); err == nil {
			t.Errorf("%s: a picture of another size than its header's is taken", format)
		}
	}
}

// TestBrokenDecoder: a panic in a decoder that is not ours is an error like any other.
func TestBrokenDecoder(t *testing.T) {
	for _, c := range []struct {
		decode func(io.Reader) (image.Image, error)
		want   string
	}{
		{func(io.Reader) (image.Image, error) { var none []int; return nil, fmt.Errorf("%d", none[3]) },
			"the decoder broke: runtime error: index out of range [3] with length 0"},
		{func(io.Reader) (image.Image, error) { panic("odd") }, "the decoder broke: odd"},
		{func(io.Reader) (image.Image, error) { return nil, io.ErrUnexpectedEOF }, "unexpected EOF"},
	} {
		if m, err := guarded(c.decode, nil); m != nil || err == nil || err.Error() != c.want {
			t.Errorf("%v, %v, want %q", m, err, c.want)
		}
	}
	m, err := guarded(func(r io.Reader) (image.Image, error) {
		b, err := io.ReadAll(r)
		return image.NewGray(image.Rect(0, 0, len(b), 1)), err
	}, []byte("abc"))
	if err != nil || m.Bounds().Dx() != 3 {
		t.Errorf("a decoder that works: %v, %v", m, err)
	}
}

// TestProbe reads headers as files in the field have them.
func TestProbe(t *testing.T) {
	frame := []byte{0xff, 0xc0, 0, 11, 8, 0, 5, 0, 7, 1, 1, 0x11, 0}
	start := []byte{0xff, 0xd8}
	adobe := append([]byte{0xff, 0xee, 0, 14}, "Adobe\x00\x64\x00\x00\x00\x00\x01"...)
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	size := func(w, h uint32) []byte {
		b := append([]byte("\x89PNG\r\n\x1a\n"), 0, 0, 0, 13, 'I', 'H', 'D', 'R')
		return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, w), h)
	}
	grey := Info{Format: JPEG, Width: 7, Height: 5, Components: 1}
	marked := grey
	marked.Adobe = true
	for _, c := range []struct {
		name string
		file []byte
		want Info
		err  string
	}{
		{"jpeg", join(start, frame), grey, ""},
		{"jpeg of Adobe", join(start, adobe, frame), marked, ""},
		{"jpeg with fill bytes", join(start, []byte{0xff, 0xff, 0xff}, frame), grey, ""},
		{"jpeg with bytes between segments", join(start, []byte{0xff, 0xfe, 0, 2, 1, 2, 3}, frame), grey, ""},
		{"jpeg with a marker without a length", join(start, []byte{0xff, 0xd0, 0xff, 0x01}, frame), grey, ""},
		{"jpeg without pixels", join(start, bytes.Replace(frame, []byte{0, 5, 0, 7}, []byte{0, 0, 0, 7}, 1)), Info{},
			"jpeg: 7 × 0 pixels"},
		{"jpeg cut in its frame header", join(start, frame[:8]), Info{}, "frame header is cut short"},
		{"jpeg with a length of 1", join(start, []byte{0xff, 0xdb, 0, 1}, frame), Info{}, "no frame header"},
		{"jpeg of an end", []byte{0xff, 0xd8, 0xff, 0xd9, 0, 0}, Info{}, "no frame header"},
		{"png", size(3, 1<<20), Info{Format: PNG, Width: 3, Height: 1 << 20}, ""},
		{"png without pixels", size(0, 4), Info{}, "png: 0 × 4 pixels"},
		{"png of too many", size(1<<31, 4), Info{}, "png: 2147483648 × 4 pixels"},
		{"ppm", []byte("P6 7 5 255\nx"), Info{Format: PPM, Width: 7, Height: 5, Components: 3, start: 11}, ""},
		{"pgm with comments", []byte("P5\n# by hand\n7\t5 # wide\n255\nx"), Info{Format: PPM, Width: 7, Height: 5,
			Components: 1, start: 28}, ""},
		{"ppm without pixels", []byte("P6 0 5 255\n"), Info{}, "ppm: 0 × 5 pixels"},
		{"ppm of ten digits", []byte("P6 1234567890 5 255\n"), Info{}, "ppm: bad header"},
		{"ppm of letters", []byte("P6 7x5 255\n"), Info{}, "ppm: bad header"},
	} {
		got, err := Probe(c.file)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %+v, %v, want an error with %q", c.name, got, err, c.err)
			}
		} else if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v, want %+v", c.name, got, err, c.want)
		}
	}
}

// TestProbeOfPieces: every beginning of every test picture has a header or an error, and never another size.
func TestProbeOfPieces(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "jpeg", "testdata", "*.jpg"))
	if err != nil || len(files) < 10 {
		t.Fatalf("%d pictures, %v", len(files), err)
	}
	for _, name := range files {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		known := false
		for n := range file {
			info, err := Probe(file[:n])
			if err == nil && (info.Width != 40 || info.Height != 24) {
				t.Fatalf("%s: the first %d bytes are %+v", name, n, info)
			}
			if known && err != nil {
				t.Fatalf("%s: a header before byte %d, and then %v", name, n, err)
			}
			known = err == nil
		}
		if !known {
			t.Errorf("%s: no header", name)
		}
	}
}

// FuzzProbe: whatever the bytes are, there is an error or a size that can be multiplied.
func FuzzProbe(f *testing.F) {
	f.Add([]byte("P6 7 5 255\nx"))
	f.Add([]byte{0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 5, 0, 7, 1, 1, 0x11, 0})
	f.Add([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x00\x00\x01\x00\x00\x00\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		info, err := Probe(b)
		if err == nil && (info.Width < 1 || info.Height < 1 || info.Width > 1<<30 || info.Height > 1<<30) {
			t.Errorf("%+v", info)
		}
	})
}

func TestLimits(t *testing.T) {
	for _, c := range []struct {
		limit, w, h int
		want        string
	}{
		{0, 8192, 10922, ""},
		{0, 8192, 10923, "over the limit of 89478485 pixels"},
		{100, 10, 10, ""},
		{100, 101, 1, "image of 101 × 1 pixels is over the limit of 100 pixels"},
		{100, 1, 101, "over the limit"},
		{-1, 1 << 30, 1 << 30, "over the limit"},
		{100, 0, 5, "image of 0 × 5 pixels"},
		{100, 5, -1, "image of 5 × -1 pixels"},
	} {
		err := Limits{Pixels: c.limit}.Check(c.w, c.h)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d × %d, at most %d: %v, want %q", c.w, c.h, c.limit, err, c.want)
		}
	}
}

// TestRects: a union holds both, and is no larger than it must be.
func TestRects(t *testing.T) {
	draw := func(t *rapid.T, name string) Rect {
		n := rapid.IntRange(0, 50)
		return Rect{X: n.Draw(t, name+" x"), Y: n.Draw(t, name+" y"), W: 1 + n.Draw(t, name+" w"), H: 1 + n.Draw(t,
			name+" h")}
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw(t, "a"), draw(t, "b")
		u := a.Union(b)
		if !u.Contains(a) || !u.Contains(b) || u != b.Union(a) || a.Union(a) != a {
			t.Fatalf("%v and %v: %v", a, b, u)
		}
		for _, less := range []Rect{{u.X + 1, u.Y, u.W - 1, u.H}, {u.X, u.Y + 1, u.W, u.H - 1}, {u.X, u.Y, u.W - 1,
			u.H},
			{u.X, u.Y, u.W, u.H - 1}} {
			if less.Contains(a) && less.Contains(b) {
				t.Fatalf("%v and %v fit into %v, the union is %v", a, b, less, u)
			}
		}
		if a.Contains(b) != (u == a) {
			t.Fatalf("%v contains %v: %v, the union is %v", a, b, a.Contains(b), u)
		}
	})
}

// TestReset: memory that is large enough is used again.
func TestReset(t *testing.T) {
	var m Image
	m.Reset(10, 10, Rect{W: 10, H: 10})
	first := &m.Pix[0]
	m.Reset(20, 20, Rect{X: 3, Y: 4, W: 5, H: 6})
	if m.Width != 20 || m.Height != 20 || m.Held != (Rect{3, 4, 5, 6}) || len(m.Pix) != 90 || &m.Pix[0] != first {
		t.Errorf("%d × %d, %v, %d bytes", m.Width, m.Height, m.Held, len(m.Pix))
	}
	if m.Reset(20, 20, Rect{W: 20, H: 20}); len(m.Pix) != 1200 {
		t.Errorf("%d bytes for 400 pixels", len(m.Pix))
	}
}
