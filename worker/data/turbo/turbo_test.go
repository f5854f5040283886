package turbo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"byol/worker/data/jpeg"
	"byol/worker/data/picture"
	"byol/worker/data/picture/decodertest"
)

func opened(t testing.TB) picture.Decoder {
	t.Helper()
	d, err := Open()
	if err != nil {
		t.Skipf("needs libjpeg-turbo: %v", err)
	}
	return d
}

func TestDecoder(t *testing.T) {
	decodertest.Run(t, opened(t), filepath.Join("..", "jpeg", "testdata"))
}

// TestMissingLibrary: a machine without the library gets an error that says so, and Best a decoder all the same.
func TestMissingLibrary(t *testing.T) {
	_, err := open([]string{"libturbojpeg-of-another-world.so"})
	if err == nil || !strings.Contains(err.Error(), "libturbojpeg-of-another-world.so") {
		t.Errorf("open a library that is not there: %v", err)
	}
	_, err = open([]string{"libc.so.6", "libSystem.B.dylib"})
	if err == nil || !strings.Contains(err.Error(), "older than 2.0") {
		t.Errorf("open a library that is another one: %v", err)
	}
	d, note := Best()
	if d == nil || note == "" || strings.Contains(note, "\n") {
		t.Errorf("Best: %v, %q; want a decoder and one line", d, note)
	}
}

// TestAgainstGo: on photographs, the two decoders differ by the rounding of the inverse transform and the
// smoothing of chroma alone.
func TestAgainstGo(t *testing.T) {
	dec := opened(t)
	files, _ := filepath.Glob(filepath.Join("..", "..", "..", "..", "shared", "data", "imagenet-sample", "*", "*.JPEG"))
	if len(files) == 0 {
		t.Skip("needs ../shared/data/imagenet-sample")
	}
	for _, name := range files[:12] {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var got, want picture.Image
		if err := dec.Decode(b, picture.Limits{}, picture.Rect{}, &got); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := jpeg.NewDecoder().Decode(b, picture.Limits{}, picture.Rect{}, &want); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got.Width != want.Width || got.Height != want.Height {
			t.Errorf("%s: %d × %d pixels, want %d × %d", name, got.Width, got.Height, want.Width, want.Height)
			continue
		}
		sum := 0
		for i := range got.Pix {
			d := int(got.Pix[i]) - int(want.Pix[i])
			sum += max(d, -d)
		}
		if mean := float64(sum) / float64(len(got.Pix)); mean > 4 {
			t.Errorf("%s: mean difference from the Go decoder is %.2f levels, want under 4", name, mean)
		}
	}
}
