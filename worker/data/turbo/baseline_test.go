package turbo

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"byol/worker/data/jpeg"
	"byol/worker/data/picture"
)

// TestBaselineIsTurbo: the decoder of our own gives libjpeg-turbo's pixels to the bit, of whole images and of regions.
func TestBaselineIsTurbo(t *testing.T) {
	dec, ok := opened(t).(*decoder)
	if !ok {
		t.Fatal("Open gives something else")
	}
	files, _ := filepath.Glob(filepath.Join("..", "..", "..", "..", "shared", "data", "imagenet-sample", "*", "*.JPEG"))
	more, _ := filepath.Glob(filepath.Join("..", "jpeg", "testdata", "*.jpg"))
	b, taken := jpeg.NewBaseline(), 0
	for i, name := range append(more, files...) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		info, err := picture.Probe(text)
		if err != nil {
			t.Fatal(err)
		}
		var want, got picture.Image
		if unknown, err := dec.whole(text, info, &scratch{}, &want); err != nil || unknown {
			t.Fatalf("%s: %v", name, err)
		}
		w, h := info.Width, info.Height
		for _, r := range []picture.Rect{{}, {X: w / 3, Y: h / 5, W: w / 2, H: h / 2}, {X: w - 1, Y: h - 1, W: 1, H: 1},
			{X: i % w, Y: i % h, W: 1 + (w-i%w-1)/2, H: 1 + (h-i%h-1)/2}} {
			if done, err := b.Decode(text, info, r, &got); err != nil {
				t.Fatalf("%s, region %v: %v", name, r, err)
			} else if !done {
				break
			}
			taken++
			if got.Held.W*got.Held.H*3 != len(got.Pix) {
				t.Fatalf("%s: %d bytes for %v", name, len(got.Pix), got.Held)
			}
			for y := range got.Held.H {
				row := got.Pix[y*got.Held.W*3:][:got.Held.W*3]
				if all := want.Pix[((got.Held.Y+y)*w+got.Held.X)*3:][:len(row)]; !bytes.Equal(row, all) {
					t.Errorf("%s, region %v: row %d is %v, want %v", name, r, y, row[:min(24, len(row))], all[:min(24, len(row))])
					break
				}
			}
		}
	}
	if want := 4 * (len(files) + 6); taken != want { // all photographs, and six pictures
		t.Errorf("%d regions were for Baseline, want %d", taken, want)
	}
}

// TestBaselineOfDamagedFiles: of files with some bytes changed, those that Baseline takes the library takes too, with
// the same pixels.
func TestBaselineOfDamagedFiles(t *testing.T) {
	dec, ok := opened(t).(*decoder)
	if !ok {
		t.Fatal("Open gives something else")
	}
	files, _ := filepath.Glob(filepath.Join("..", "jpeg", "testdata", "*.jpg"))
	b, taken, plain, state := jpeg.NewBaseline(), 0, 0, uint32(1)
	next := func(n int) int {
		state = state*1664525 + 1013904223
		return int(state>>8) % n
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for range 1000 {
			c := bytes.Clone(text)
			for range 1 + next(3) {
				c[next(len(c))] = byte(next(256))
			}
			info, err := picture.Probe(c)
			if err != nil || info.Width*info.Height > 1<<20 {
				continue
			}
			if isPlain, _ := b.Examine(c, info); isPlain {
				plain++
				testOneAnswer(t, dec, name, c)
			}
			var got, want picture.Image
			if done, _ := b.Decode(c, info, picture.Rect{}, &got); !done {
				continue
			}
			taken++
			if unknown, err := dec.whole(c, info, &scratch{}, &want); err != nil || unknown {
				t.Errorf("%s, changed: taken, but the library says %v", name, err)
			} else if !bytes.Equal(got.Pix, want.Pix) {
				t.Errorf("%s, changed: pixels differ from the library's", name)
			}
		}
	}
	if plain < 500 {
		t.Errorf("only %d changed files were plain", plain)
	}
	if taken < 500 {
		t.Errorf("only %d changed files were taken", taken)
	}
}

// testOneAnswer: a plain file is decoded or refused alike with the library and without it, in a region or whole.
func testOneAnswer(t *testing.T, dec picture.Decoder, name string, file []byte) {
	var with, without, part picture.Image
	err, why := dec.Decode(file, picture.Limits{}, picture.Rect{}, &with), jpeg.NewDecoder().Decode(file, picture.Limits{},
		picture.Rect{}, &without)
	inPart := dec.Decode(file, picture.Limits{}, picture.Rect{W: 1, H: 1}, &part)
	if err != why || inPart != err {
		t.Errorf("%s, changed: with the library %v, a region %v, without %v", name, err, inPart, why)
	} else if err == nil && !bytes.Equal(with.Pix, without.Pix) {
		t.Errorf("%s, changed: pixels depend on the library", name)
	}
}
