package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"byol/internal/failure"
	"byol/worker/data/source"
)

// TestFineTuning fine-tunes a drawn encoder: any number of workers comes to the same figures, the same command again
// trains nothing, more candidates train only those that are new, and a list takes the place of a draw.
func TestFineTuning(t *testing.T) {
	dir := t.TempDir()
	file := drawnEncoder(t, filepath.Join(dir, "enc.safetensors"), nil)
	const train, eval = "synthetic:400,size=8,seed=3", "synthetic:90,size=8,seed=4"
	tune := func(workers int, out string, args ...string) (evalResult, string) {
		t.Helper()
		stdout, stderr, code := evaluate(t, workers, append([]string{"eval", args[0], file, "--train-data", train,
			"--eval-data", eval, "--norm-batch", "8", "--epochs", "3", "-o", "json", "--out", filepath.Join(dir, out)},
			args[1:]...)...)
		var r results
		if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != 0 {
			t.Fatalf("%v: exit %d, %v\n%s", args, code, err, stderr)
		}
		return r.Results[0], stderr
	}
	semi := []string{"semi", "--fraction", "20%", "--rates", "0.5,2,1e30"}
	one, stderr := tune(1, "1", semi...)
	if one.Method != "semi" || one.TrainCount < 70 || one.TrainCount > 85 || one.Figures[0].Name != "semi_top1" ||
		len(one.Figures) != 3 || one.Figures[2].Name != "semi_mean_per_class" || one.Figures[2].Classes != 10 ||
		one.Figures[0].Total != 90 || one.Settings["fraction"] != "20%" ||
		!slices.Contains(one.Notes, "learning rate 1e+30, 3 epochs: diverged") {
		t.Errorf("result %+v", one)
	}
	if !strings.Contains(stderr, "3 candidates to train on") || !strings.Contains(stderr, "; 0 are there from before") {
		t.Errorf("it said\n%s", stderr)
	}
	two, _ := tune(2, "2", semi...)
	if !slices.Equal(two.Figures, one.Figures) || !slices.Equal(two.Notes, one.Notes) {
		t.Errorf("two workers: %v, %v, one: %v, %v", two.Figures, two.Notes, one.Figures, one.Notes)
	}
	again, stderr := tune(1, "1", append(semi[:4:4], "2,0.5,2,1e30,0.1")...)
	if !strings.Contains(stderr, "1 candidates to train on") || !strings.Contains(stderr, "; 3 are there from before") ||
		len(again.Notes) != len(one.Notes)+1 {
		t.Errorf("with one more it said\n%s, %v", stderr, again.Notes)
	}
	left := filepath.Join(dir, "1", "features", "semi-*", "*.state")
	if files, err := filepath.Glob(left); err != nil || len(files) > 0 {
		t.Errorf("states of finished candidates are left: %v %v", files, err)
	}
	images, err := source.Open(t.Context(), train, source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer images.Close()
	list := filepath.Join(dir, "list.txt")
	var names []string
	for i := range 60 {
		names = append(names, images.Name(i))
	}
	if err := os.WriteFile(list, []byte(strings.Join(names, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	if r, _ := tune(1, "1", "semi", "--list", list, "--rates", "0.5"); r.TrainCount != 60 || r.Settings["list"] != list {
		t.Errorf("of a list %+v", r)
	}
	if r, _ := tune(2, "1", "finetune", "--rates", "0.5"); r.TrainCount != 360 || r.Figures[1].Name != "finetune_top5" {
		t.Errorf("of all labels %+v", r)
	}
	text, err := os.ReadFile(filepath.Join(dir, "1", resultsPage))
	if err != nil || !strings.Contains(string(text), "| semi | semi_top1 |") ||
		!strings.Contains(string(text), "| finetune | finetune_top1 |") {
		t.Errorf("%v\n%s", err, text)
	}
}

// TestFineTuningRefuses: what makes no sense ends with words before any worker is waited for.
func TestFineTuningRefuses(t *testing.T) {
	dir := t.TempDir()
	file := drawnEncoder(t, filepath.Join(dir, "enc.safetensors"), nil)
	list := filepath.Join(dir, "list.txt")
	if err := os.WriteFile(list, []byte("synthetic:3 (red)\nnobody.jpg\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		code int
		want []string
	}{
		{"semi --fraction 2", failure.Usage, []string{`--fraction cannot be "2"`, "--fraction 10%"}},
		{"semi --fraction 0.1%", failure.Data, []string{"0.1 % of the images is none of some classes", "have so few: "}},
		{"semi --list none.txt", failure.Usage, []string{"the list none.txt cannot be used", "no such file"}},
		{"semi --list " + list, failure.Usage, []string{"of no image", "nobody.jpg"}},
		{"semi --rates 0", failure.Usage, []string{"--rates cannot have 0"}},
		{"finetune --rates -1", failure.Usage, []string{"--rates cannot have -1"}},
		{"finetune --epochs 0", failure.Usage, []string{"--epochs cannot have 0"}},
		{"finetune --norm-batch 513", failure.Usage, []string{"--norm-batch cannot be 513", "from 1 to 512"}},
		{"finetune --workers 0", failure.Usage, []string{"--workers cannot be 0"}},
	} {
		args := strings.Fields(c.args)
		_, stderr, code := evaluate(t, 0, append([]string{"eval", args[0], file, "--train-data", "synthetic:300,size=8",
			"--eval-data", "synthetic:20,size=8,seed=2"}, args[1:]...)...)
		if code != c.code {
			t.Errorf("%s: exit %d, want %d", c.args, code, c.code)
		}
		for _, want := range c.want {
			if !strings.Contains(stderr, want) {
				t.Errorf("%s: no %q in\n%s", c.args, want, stderr)
			}
		}
	}
}

// TestTuneKept: what is damaged is computed anew.
func TestTuneKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kept")
	k, note := openTuneKept(dir)
	if note != "" || k.state("a") != nil {
		t.Errorf("of nothing: %q", note)
	}
	if err := k.keep("a", []byte("state")); err != nil {
		t.Fatal(err)
	}
	if got := k.state("a"); string(got) != "state" {
		t.Errorf("state %q", got)
	}
	r := tuneResult{Rate: 0.5, Epochs: 30, Held: tuneCount{Images: 9, Top1: 4}}
	if err := k.finish("a", r); err != nil {
		t.Fatal(err)
	}
	k, note = openTuneKept(dir)
	if note != "" || fmt.Sprint(k.done) != fmt.Sprint(map[string]tuneResult{"a": r}) || k.state("a") != nil {
		t.Errorf("kept %v, %q", k.done, note)
	}
	if err := os.WriteFile(k.results(), []byte(`{"a": {`), 0o644); err != nil {
		t.Fatal(err)
	}
	if k, note = openTuneKept(dir); len(k.done) != 0 || !strings.Contains(note, "trained again") {
		t.Errorf("of a damaged file: %v, %q", k.done, note)
	}
}
