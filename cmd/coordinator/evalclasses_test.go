package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"byol/internal/failure"
)

// drawnFolder makes a folder of n noisy pictures of 8 × 8 pixels for each class.
func drawnFolder(t *testing.T, n int, classes ...string) string {
	t.Helper()
	dir := t.TempDir()
	for k, class := range classes {
		for i := range n {
			var file strings.Builder
			file.WriteString("P3 8 8 255")
			for p := range 8 * 8 * 3 {
				fmt.Fprintf(&file, " %d", (p*p*7+i*101+p*k*13)%256)
			}
			path := filepath.Join(dir, class, fmt.Sprintf("%d.ppm", i))
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(file.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// TestSharedClasses: with --eval-classes intersect the images of classes that one set lacks are left out of both. The
// one class that is left is then all that can be answered.
func TestSharedClasses(t *testing.T) {
	file := drawnEncoder(t, filepath.Join(t.TempDir(), "enc.safetensors"), nil)
	train, eval := drawnFolder(t, 20, "ant", "bee", "cat"), drawnFolder(t, 6, "bee", "dog")
	for _, method := range [][]string{{"knn", "--k", "30"}, {"linear", "--features", "cached", "--epochs", "2"},
		{"finetune", "--rates", "0.1", "--epochs", "1"}} {
		stdout, stderr, code := evaluate(t, 1, append([]string{"eval", method[0], file, "--train-data", train, "--eval-data",
			eval, "--eval-classes", "intersect", "-o", "json"}, method[1:]...)...)
		var all results
		if err := json.Unmarshal([]byte(stdout), &all); err != nil || code != 0 || len(all.Results) != 1 {
			t.Fatalf("%v: exit %d, %v\n%s", method, code, err, stderr)
		}
		r := all.Results[0]
		if r.Classes != 1 || r.TrainCount > 20 || r.EvalCount != 6 {
			t.Errorf("%v: %d classes, %d images to learn from, %d to judge by, want 1, at most 20, 6", method, r.Classes,
				r.TrainCount, r.EvalCount)
		}
		if f := r.Figures[0]; method[0] == "knn" && (f.Correct != 6 || f.Total != 6) {
			t.Errorf("%v: %+v, want 6 of 6", method, f)
		}
	}
}

// TestNothingDecodes: a set of which no picture can be decoded is an error that names it, not a figure of 0 images.
func TestNothingDecodes(t *testing.T) {
	dir := t.TempDir()
	file := drawnEncoder(t, filepath.Join(dir, "enc.safetensors"), nil)
	good, damaged := drawnFolder(t, 3, "ant", "bee"), drawnFolder(t, 2, "ant", "bee")
	for _, name := range []string{"ant/0", "ant/1", "bee/0", "bee/1"} {
		if err := os.WriteFile(filepath.Join(damaged, name+".ppm"), []byte("<html>"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"eval", "knn", file, "--train-data", damaged, "--eval-data", good}, "--train-data has no picture"},
		{[]string{"eval", "knn", file, "--train-data", good, "--eval-data", damaged}, "--eval-data has no picture"},
		{[]string{"eval", "linear", file, "--features", "cached", "--epochs", "1", "--train-data", good, "--eval-data",
			damaged}, "--eval-data has no picture"},
		{[]string{"embed", file, "--data", damaged, "-o", filepath.Join(dir, "x.npy")}, "--data has no picture"},
	} {
		_, stderr, code := evaluate(t, 1, append(c.args, "--out", filepath.Join(dir, "out"))...)
		if code != failure.Data || !strings.Contains(stderr, c.want) || !strings.Contains(stderr, "all 4 are left out") {
			t.Errorf("%v: exit %d, want %d with %q:\n%s", c.args, code, failure.Data, c.want, stderr)
		}
		before, after, ok := strings.Cut(stderr, "ant/1.ppm")
		if !ok || !strings.Contains(before, "ant/0.ppm") || !strings.Contains(after, "bee/0.ppm") {
			t.Errorf("%v: images are not in their order:\n%s", c.args, stderr)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "x.npy")); err == nil {
		t.Error("embed wrote a file of nothing")
	}
}
