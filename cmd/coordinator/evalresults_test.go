package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"byol/internal/disk"
	"byol/internal/failure"
)

// kept are the methods of the results in a directory, and the size and view of the encoder's images.
func kept(t *testing.T, dir string) (methods []string, size int, view string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, resultsFile))
	if err != nil {
		t.Fatal(err)
	}
	var r results
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	for _, o := range r.Results {
		methods = append(methods, o.Method)
	}
	return methods, r.Encoder.ImageSize, r.Encoder.View
}

// TestResultsStay: an evaluation at another size, or of another view, has a directory of its own; and where a directory
// is given, results of others are set aside and come back.
func TestResultsStay(t *testing.T) {
	dir := t.TempDir()
	file := drawnEncoder(t, filepath.Join(dir, "enc.safetensors"), nil)
	judge := func(args ...string) string {
		t.Helper()
		_, stderr, code := evaluate(t, 1, append(args, "--train-data", "synthetic:40,size=8", "--eval-data",
			"synthetic:20,size=8,seed=2")...)
		if code != 0 {
			t.Fatalf("%v: exit %d\n%s", args, code, stderr)
		}
		return stderr
	}
	judge("eval", "knn", file)
	judge("eval", "knn", file, "--image-size", "12")
	judge("eval", "knn", file, "--augment", "byol")
	for name, want := range map[string]struct {
		size int
		view string
	}{"enc": {8, "1/1"}, "enc-12-pixels": {12, "1/1"}, "enc-byol": {8, "224/256"}} {
		if m, size, view := kept(t, filepath.Join(dir, "eval", name)); len(m) != 1 || size != want.size ||
			!strings.HasPrefix(view, want.view) {
			t.Errorf("%s has %v of %d pixels, view %s, want %v", name, m, size, view, want)
		}
	}

	out := filepath.Join(dir, "out")
	linear := []string{"eval", "linear", file, "--features", "cached", "--epochs", "1", "--out", out}
	judge("eval", "knn", file, "--out", out)
	if stderr := judge("eval", "knn", file, "--out", out, "--image-size", "12"); !strings.Contains(stderr, "are in ") {
		t.Errorf("nobody is told where the results are:\n%s", stderr)
	}
	judge(linear...)
	if m, size, _ := kept(t, out); !slices.Equal(m, []string{"knn", "linear"}) || size != 8 {
		t.Errorf("after another one's: %v of %d pixels", m, size)
	}
	judge(append(linear, "--image-size", "12")...)
	if m, size, _ := kept(t, out); !slices.Equal(m, []string{"knn", "linear"}) || size != 12 {
		t.Errorf("after the first one's: %v of %d pixels", m, size)
	}
	aside, _ := filepath.Glob(filepath.Join(out, "results-*"))
	if len(aside) != 2 {
		t.Errorf("set aside are %v, want a page and a file", aside)
	}
}

// TestOneEvaluationAtATime: two in one directory would write each other's features; the second is refused and changes
// nothing.
func TestOneEvaluationAtATime(t *testing.T) {
	dir := t.TempDir()
	file, out := drawnEncoder(t, filepath.Join(dir, "enc.safetensors"), nil), filepath.Join(dir, "out")
	if err := os.Mkdir(out, 0o755); err != nil {
		t.Fatal(err)
	}
	release, err := disk.Hold(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"eval", "knn", file, "--train-data", "synthetic:40,size=8", "--eval-data",
		"synthetic:20,size=8,seed=2"}, {"embed", file, "--data", "synthetic:40,size=8", "-o", filepath.Join(dir, "x.npy")}} {
		for _, want := range []int{failure.Temporary, 0} {
			_, stderr, code := evaluate(t, 1, append(args, "--out", out)...)
			if code != want || strings.Contains(stderr, "another evaluation is at work") != (want != 0) {
				t.Errorf("%v: exit %d, want %d\n%s", args, code, want, stderr)
			}
			if want != 0 {
				release()
			}
		}
		if release, err = disk.Hold(out); err != nil {
			t.Fatalf("nobody is at work any more: %v", err)
		}
	}
	release()
}
