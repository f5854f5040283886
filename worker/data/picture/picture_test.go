package picture

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestProbeErrors(t *testing.T) {
	jpeg, err := os.ReadFile(filepath.Join("..", "jpeg", "testdata", "colour.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "empty file"},
		{"animation", []byte("RIFF\x94\x07\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02\x00\x00\x00\x27\x00\x00\x1d\x00\x00ANIM"),
			"webp: an animation, which is not read"},
		{"text", []byte("<html>404</html>"), "not a JPEG, PNG, WebP, GIF, BMP, TIFF or PPM image"},
		{"jpeg of 3 bytes", jpeg[:3], "jpeg: cut short before the picture"},
		{"jpeg without frame", append(jpeg[:2:2], 0xff, 0xda, 0, 4, 0, 0), "jpeg: no frame header before the picture"},
		{"short png", []byte("\x89PNG\r\n\x1a\n"), "png: header is cut short"},
		{"ppm of three bytes", []byte("P6\n2 2\n65536\n"), "ppm: 2 × 2 pixels of 65536 levels"},
		{"ppm cut short", []byte("P6\n2"), "ppm: bad header"},
	} {
		_, err := Probe(c.data)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
