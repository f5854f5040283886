package turbo

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"byol/worker/data/jpeg"
	"byol/worker/data/picture"
)

// FuzzAgainstLibrary: whatever the bytes are, what our decoder takes libjpeg-turbo takes without a warning that
// matters, with the same pixels; and a plain file is read or refused alike with the library and without it, in a region
// or whole.
func FuzzAgainstLibrary(f *testing.F) {
	opened, err := Open()
	if err != nil {
		f.Skipf("libjpeg-turbo: %v", err)
	}
	dec := opened.(*decoder)
	files, _ := filepath.Glob(filepath.Join("..", "jpeg", "testdata", "*.jpg"))
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	b := jpeg.NewBaseline()
	f.Fuzz(func(t *testing.T, text []byte) {
		info, err := picture.Probe(text)
		if err != nil || info.Format != picture.JPEG || info.Width*info.Height > 1<<18 {
			return
		}
		if plain, _ := b.Examine(text, info); plain {
			testOneAnswer(t, dec, "this file", text)
		}
		var got, want picture.Image
		if done, _ := b.Decode(text, info, picture.Rect{}, &got); !done {
			return
		}
		if unknown, err := dec.whole(text, info, &scratch{}, &want); err != nil || unknown {
			t.Fatalf("taken, but the library says %v (unknown: %v)", err, unknown)
		}
		if !bytes.Equal(got.Pix, want.Pix) {
			t.Fatal("pixels differ from the library's")
		}
	})
}
