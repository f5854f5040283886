package picture

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFormats compares what is decoded with what Pillow makes of the same files (testdata/make.py), all and in part.
func TestFormats(t *testing.T) {
	names, err := filepath.Glob(filepath.Join("testdata", "*.ppm"))
	if err != nil || len(names) < 10 {
		t.Fatal(names, err)
	}
	for _, want := range names {
		name := strings.TrimSuffix(want, ".ppm")
		if _, err := os.Stat(name); err != nil {
			continue // a picture itself
		}
		t.Run(filepath.Base(name), func(t *testing.T) {
			have, expected := decoded(t, name, Rect{}), decoded(t, want, Rect{})
			most := 0
			if strings.Contains(name, "lossy") || strings.Contains(name, "alpha") {
				most = 3 // chroma is rounded otherwise at the edges
			}
			if d := farthest(have, expected); have.Width != expected.Width || have.Height != expected.Height || d > most {
				t.Errorf("%d × %d, want %d × %d; a value is off by %d", have.Width, have.Height, expected.Width, expected.Height, d)
			}
			part := Rect{X: 3, Y: 2, W: 9, H: 11}
			some := decoded(t, name, part)
			for y := range part.H {
				from := ((part.Y+y)*have.Width + part.X) * 3
				if string(some.Pix[y*part.W*3:][:part.W*3]) != string(have.Pix[from:][:part.W*3]) {
					t.Fatalf("row %d of a part differs from that of the whole", y)
				}
			}
		})
	}
}

func decoded(t *testing.T, name string, region Rect) *Image {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	info, err := Probe(data)
	if err != nil {
		t.Fatal(err)
	}
	if region == (Rect{}) {
		region = Rect{W: info.Width, H: info.Height}
	}
	m := &Image{}
	if err := Decode(data, info, region, m); err != nil {
		t.Fatal(err)
	}
	for n := range data { // what is cut short is an error or a picture, never a panic
		if info, err := Probe(data[:n]); err == nil && info.Width < 1000 && info.Height < 1000 {
			_ = Decode(data[:n], info, Rect{W: info.Width, H: info.Height}, &Image{})
		}
	}
	return m
}

func farthest(a, b *Image) int {
	most := 0
	for i := range min(len(a.Pix), len(b.Pix)) {
		most = max(most, int(a.Pix[i])-int(b.Pix[i]), int(b.Pix[i])-int(a.Pix[i]))
	}
	return most
}

// TestSmallFileOfManyPixels: a few bytes that promise a huge picture get no memory for it.
func TestSmallFileOfManyPixels(t *testing.T) {
	for _, c := range []struct {
		w, h, n int
		refused bool
	}{{4000, 4000, 100, false}, {9000, 9000, 3000, true}, {9000, 9000, 30_000, false}, {100_000, 100_000, 1 << 30, true}} {
		if err := (Limits{}).CheckFile(c.w, c.h, c.n); (err != nil) != c.refused {
			t.Errorf("%d × %d in %d bytes: %v", c.w, c.h, c.n, err)
		}
	}
}
