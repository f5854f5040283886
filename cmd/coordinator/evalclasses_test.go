package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
