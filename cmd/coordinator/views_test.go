package main

import (
	"image/png"
	"os"
	"strings"
	"testing"
)

// TestViewsCommand draws pairs of a set and of a picture, and says how each was drawn.
func TestViewsCommand(t *testing.T) {
	t.Chdir(t.TempDir())
	draw := func(args ...string) (out string, rows int) {
		t.Helper()
		code, out, errs := command(append([]string{"views", "-o", "v.png"}, args...)...)
		if code != 0 {
			t.Fatalf("%v: exit %d, %s%s", args, code, out, errs)
		}
		f, err := os.Open("v.png")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		m, err := png.Decode(f)
		if err != nil {
			t.Fatal(err)
		}
		return out, (m.Bounds().Dy() - sheetSpace) / sheetRow
	}
	out, rows := draw("synthetic:9,size=40", "--n", "3", "--image-size", "32", "--seed", "4")
	if strings.Count(out, "view 1  crop") != 3 || strings.Count(out, "view 2  crop") != 3 || rows != 3 ||
		strings.Contains(out, "blur") {
		t.Errorf("%d rows: %s", rows, out)
	}
	if again, _ := draw("synthetic:9,size=40", "--n", "3", "--image-size", "32", "--seed", "4"); again != out {
		t.Errorf("the same views are drawn otherwise: %s", again)
	}
	if other, _ := draw("synthetic:9,size=40", "--n", "3", "--image-size", "32", "--seed", "4", "--epoch",
		"1"); other == out {
		t.Error("another epoch has the same views")
	}
	out, _ = draw("synthetic:9,size=40", "--augment", "byol", "--augment-solarize", "1,1", "--augment-flip", "1", "--n",
		"2")
	if strings.Count(out, "solarized") != 4 || strings.Count(out, "mirrored") != 4 || strings.Count(out, "blur σ") < 2 {
		t.Errorf("options are not heeded: %s", out)
	}
	if out, rows := draw("synthetic:3,size=40", "--n", "64"); strings.Count(out, "image ") != 3 || rows != 3 {
		t.Errorf("of 3 images: %d rows, %s", rows, out)
	}
	if err := os.Rename("v.png", "photo.png"); err != nil {
		t.Fatal(err)
	}
	if out, rows := draw("photo.png", "--n", "5", "--epoch", "7"); rows != 3 ||
		!strings.Contains(out, "in epoch 11: photo.png") {
		t.Errorf("of one picture: %d rows, %s", rows, out)
	}
}

// TestViewsCommandRefuses says what is wrong in three parts.
func TestViewsCommandRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("torn.jpg", []byte("no picture"), 0o644); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"synthetic:9": "views wants a file to write", "synthetic:9 -o v.jpg": "views writes no v.jpg",
		"synthetic:9 -o v.png --n 0": "--n cannot be 0", "synthetic:9 -o v.png --epoch -1": "--epoch cannot be -1",
		"synthetic:9 -o v.png --image-size 7": "--image-size cannot be 7", "nowhere -o v.png": "nowhere",
		"synthetic:9 -o v.png --augment-hue 2": "--augment-hue cannot be", "torn.jpg -o v.png": "cannot read torn.jpg",
		"synthetic:9 -o none/v.png": "cannot write none/v.png", "synthetic:9 -o v.png --augment x": "no such pipeline",
	} {
		code, _, errs := command(append([]string{"views"}, strings.Fields(args)...)...)
		if code == 0 || !strings.Contains(errs, want) || !strings.Contains(errs, "try: ") || exists("v.png") {
			t.Errorf("%s: exit %d, %s", args, code, errs)
		}
	}
}
