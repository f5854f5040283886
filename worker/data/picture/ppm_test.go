package picture

import (
	"fmt"
	"strings"
	"testing"
)

// TestNetpbm: all six kinds, with samples of any number of levels, have the pixels that Pillow reads.
func TestNetpbm(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"P6", "P6 2 1 255\n\x01\x02\x03\xfe\xff\x00", "1 2 3 254 255 0"},
		{"P5", "P5 2 1 255\n\x07\xff", "7 7 7 255 255 255"},
		{"P6 of 65535 levels", "P6 1 1 65535\n\x00\x80\x80\x00\xff\xff", "0 128 255"},
		{"P5 of 15 levels", "P5 3 1 15 \x00\x07\x0f", "0 0 0 119 119 119 255 255 255"},
		{"P5 of more than its levels", "P5 1 1 3\n\x09", "255 255 255"},
		{"P3", "P3\n# by hand\n2 1\n255\n1 2 3\n4 # four\n5 6\n", "1 2 3 4 5 6"},
		{"P2 of one level", "P2 2 1 1 0 1", "0 0 0 255 255 255"},
		{"P1 without spaces", "P1\n3 2\n010\n1 0 1", "255 255 255 0 0 0 255 255 255 0 0 0 255 255 255 0 0 0"},
		{"P4 over a byte", "P4\n9 1\n\x80\x80", "0 0 0" + strings.Repeat(" 255 255 255", 7) + " 0 0 0"},
		{"P3 cut short", "P3 2 1 255 1 2 3 4 5", "decode ppm: cut short"},
		{"P3 of words", "P3 1 1 255 1 x 3", `decode ppm: 'x' is no number`},
		{"P1 of greys", "P1 2 1 0 7", `decode ppm: '7' is neither black nor white`},
		{"P1 cut short", "P1 2 1 0 ", "decode ppm: cut short"},
		{"P4 cut short", "P4 9 2 \x80\x80\x80", "decode ppm: cut short"},
		{"P6 of 65535 levels cut short", "P6 1 1 65535\n\x00\x80\x80", "decode ppm: cut short"},
		{"P5 cut short", "P5 2 1 15\n\x00", "decode ppm: cut short"},
		{"many pixels in few bytes", "P3 30000 30000 255 1", "decode ppm: cut short"},
		{"no levels", "P5 1 1 0\n\x00", "ppm: 1 × 1 pixels of 0 levels"},
		{"too many levels", "P5 1 1 65536\n\x00\x00", "ppm: 1 × 1 pixels of 65536 levels"},
		{"P7", "P7 1 1 255\n\x00", errNotImage.Error()},
	} {
		info, err := Probe([]byte(c.file))
		var m Image
		if err == nil {
			err = Decode([]byte(c.file), info, Rect{W: info.Width, H: info.Height}, &m)
		}
		got := strings.Trim(fmt.Sprint(m.Pix), "[]")
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
