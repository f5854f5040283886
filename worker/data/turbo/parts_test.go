package turbo

import (
	"bytes"
	"image/color"
	"runtime"
	"slices"
	"strings"
	"testing"

	"byol/worker/data/jpeg"
	"byol/worker/data/picture"
)

// TestFromCMYK compares with the standard library's conversion, of inks stored as they are and inverted.
func TestFromCMYK(t *testing.T) {
	var cmyk, inverted, want []byte
	for i := range 256 {
		inks := [4]byte{byte(i), byte(3 * i), byte(255 - i), byte(i * i / 255)}
		cmyk = append(cmyk, inks[:]...)
		for _, ink := range inks {
			inverted = append(inverted, 255-ink)
		}
		r, g, b := color.CMYKToRGB(inks[0], inks[1], inks[2], inks[3])
		want = append(want, r, g, b)
	}
	plain, other := make([]byte, len(want)), make([]byte, len(want))
	fromCMYK(plain, cmyk, false)
	fromCMYK(other, inverted, true)
	if !bytes.Equal(plain, other) {
		t.Error("inks stored inverted give other colours")
	}
	for i, v := range plain {
		if d := int(v) - int(want[i]); d > 1 || d < -1 {
			t.Errorf("pixel %d, channel %d: %d, want %d", i/3, i%3, v, want[i])
		}
	}
}

// TestHarmless: of the library's warnings, those that leave a picture whole.
func TestHarmless(t *testing.T) {
	for why, want := range map[string]bool{
		"Corrupt JPEG data: 3 extraneous bytes before marker 0xd9":        true,
		"Warning: unknown JFIF revision number 2.01":                      true,
		"Invalid SOS parameters for sequential JPEG":                      true,
		"Premature end of JPEG file":                                      false,
		"Corrupt JPEG data: bad Huffman code":                             false,
		"Corrupt JPEG data: premature end of data segment":                false,
		"Corrupt JPEG data: found marker 0xd9 instead of RST3":            false,
		"Inconsistent progression sequence for component 0 coefficient 1": false,
		"": false,
	} {
		if harmless(why) != want {
			t.Errorf("%q: harmless %v, want %v", why, !want, want)
		}
	}
}

// TestNames: a name for each system that has the library, looked for in order.
func TestNames(t *testing.T) {
	all := names()
	suffix := map[string]string{"darwin": ".dylib"}[runtime.GOOS]
	if suffix == "" {
		suffix = ".so.0"
	}
	for _, n := range all {
		if !strings.HasSuffix(n, suffix) || !strings.Contains(n, "libturbojpeg") {
			t.Errorf("%q on %s", n, runtime.GOOS)
		}
	}
	if len(all) == 0 || len(slices.Compact(slices.Clone(all))) != len(all) {
		t.Errorf("names %q", all)
	}
}

// TestErrors: what is no JPEG, or over the limits, never reaches the library; scratch memory is used again.
func TestErrors(t *testing.T) {
	d := &decoder{name: "none", other: jpeg.NewDecoder()} // without a library: a call of it would crash
	var m picture.Image
	for _, c := range []struct {
		file  []byte
		limit int
		want  string
	}{
		{nil, 0, "empty file"},
		{[]byte("<html>"), 0, "not a JPEG, PNG, WebP, GIF, BMP, TIFF or PPM image"},
		{[]byte("P6\n1 1\n255\nab"), 0, "decode ppm: cut short"},
		{[]byte{0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 1, 0, 1, 0, 1, 1, 0x11, 0}, 65535,
			"256 × 256 pixels is over the limit"},
	} {
		err := d.Decode(c.file, picture.Limits{Pixels: c.limit}, picture.Rect{}, &m)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.file, err, c.want)
		}
	}
	if err := d.Decode([]byte("P6\n1 1\n255\nabc"), picture.Limits{}, picture.Rect{}, &m); err != nil ||
		string(m.Pix) != "abc" {
		t.Errorf("a picture that is no JPEG: %q, %v", m.Pix, err)
	}
	first := d.take()
	d.give(first)
	if d.take() != first || d.take() == first {
		t.Error("memory that was given back is not taken again, or twice")
	}
}
