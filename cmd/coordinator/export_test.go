package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"byol/coordinator/report"
	"byol/internal/failure"
	"byol/worker/encoder"
)

// TestExportCommand writes the encoder of the newest good checkpoint, and of one that is named, to a file and to the
// standard output.
func TestExportCommand(t *testing.T) {
	dir, infos := stored(t, 3, 12)
	file := filepath.Join(t.TempDir(), "encoder.safetensors")
	for path, step := range map[string]string{dir: "12", filepath.Join(dir, "checkpoints"): "12", infos[0].Path: "3"} {
		code, out, errs := command("export", path, "-o", file)
		want := fmt.Sprintf("%s: the online encoder after step %s, tiny, cifar stem, ", file, step)
		if code != 0 || !strings.HasPrefix(out, want) {
			t.Errorf("%s: exit code %d, %s\n got %q\nwant %q", path, code, errs, out, want)
		}
		_, piped, _ := command("export", path, "-o", "-")
		if text, err := os.ReadFile(file); err != nil || string(text) != piped || !strings.Contains(piped, "conv1.weight") {
			t.Errorf("%s: the file holds %d bytes, %v, the pipe got %d", path, len(text), err, len(piped))
		}
		if e, known, err := encoder.Open(file); err != nil || !known || fmt.Sprint(e.Step) != step {
			t.Errorf("%s: read back: %v, known %v", path, err, known)
		}
	}
	spoil(t, infos[1].Path)
	if code, out, _ := command("export", dir, "-o", file); code != 0 || !strings.Contains(out, "after step 3,") {
		t.Errorf("with a damaged newest: exit code %d, %q", code, out)
	}
	if code, _, errs := command("export", infos[1].Path, "-o", file); code != failure.Checkpoint ||
		!strings.Contains(errs, "cannot be read") || !strings.Contains(errs, "checkpoints verify") {
		t.Errorf("of a damaged one: exit code %d, %q", code, errs)
	}
	if code, _, errs := command("export", infos[0].Path, "-o", dir+"/no/where.onnx"); code != failure.Usage ||
		!strings.Contains(errs, "error: cannot write ") || !strings.Contains(errs, "try: mkdir -p "+dir+"/no ") {
		t.Errorf("to nowhere: exit code %d, %q", code, errs)
	}
	spoil(t, infos[0].Path)
	if code, _, errs := command("export", dir, "-o", file); code != failure.Checkpoint ||
		!strings.Contains(errs, "checkpoints verify RUN_DIR tells which are good") {
		t.Errorf("of a run with damaged ones: exit code %d, %q", code, errs)
	}
	if code, _, errs := command("export", file, "-o", dir+"/b.onnx"); code != failure.Checkpoint ||
		!strings.Contains(errs, "it is an encoder alone") {
		t.Errorf("of an encoder: exit code %d, %q", code, errs)
	}
	if code, _, errs := command("export", t.TempDir(), "-o", file); code != failure.Checkpoint ||
		!strings.Contains(errs, "there is no checkpoint in ") {
		t.Errorf("of nothing: exit code %d, %q", code, errs)
	}
}

// TestExportFormats: a file's name decides, --format may say it, and what is neither names the two there are.
func TestExportFormats(t *testing.T) {
	dir, _ := stored(t, 3)
	for _, c := range []struct {
		args []string
		want string // what the file begins with; else what the error says
		code int
	}{
		{[]string{"-o", "a.onnx"}, "\x08\x08\x12\x04byol", 0},
		{[]string{"-o", "a.onnx", "--format", "onnx", "--network", "target"}, "\x08\x08\x12\x04byol", 0},
		{[]string{"-o", "weights.bin", "--format", "onnx"}, "\x08\x08\x12\x04byol", 0},
		{[]string{"-o", "weights", "--format", "safetensors"}, "", 0},
		{[]string{"-o", "a.pt"}, "there are two formats, safetensors and onnx", failure.Usage},
		{[]string{"-o", "weights"}, "there are two formats, safetensors and onnx", failure.Usage},
		{[]string{"-o", "a.onnx", "--format", "safetensors"}, "--format is safetensors and the file is called a.onnx",
			failure.Usage},
		{[]string{"-o", "a.onnx", "--format", "tf"}, `--format cannot be "tf"`, failure.Usage},
		{[]string{"-o", "a.onnx", "--network", "both"}, `--network cannot be "both"`, failure.Usage},
	} {
		to := filepath.Join(t.TempDir(), c.args[1])
		code, _, errs := command(append([]string{"export", dir, "-o", to}, c.args[2:]...)...)
		text, err := os.ReadFile(to)
		if code != c.code || (code == 0) != (err == nil) {
			t.Errorf("%v: exit code %d, file %v, %s", c.args, code, err, errs)
		}
		if has := string(text); code == 0 && !strings.HasPrefix(has, c.want) || code != 0 && !strings.Contains(errs, c.want) {
			t.Errorf("%v: want %q, %s", c.args, c.want, errs)
		}
	}
}

// TestExportLeavesACard: with the figures of the run, where no other README stands.
func TestExportLeavesACard(t *testing.T) {
	dir, _ := stored(t, 3)
	for name, text := range map[string]string{
		report.MetricsFile:     `{"step":2,"loss":9}` + "\n" + `{"step":3,"loss":1.25,"std":0.5}` + "\n" + `{"st`,
		report.EvaluationsFile: `{"step":0,"knn_top1":0.1,"pixels_top1":0.2}` + "\n" + `{"step":3,"knn_top1":0.875}` + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	to := t.TempDir()
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(to, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	export := func(name, card string) {
		code, out, errs := command("export", dir, "-o", filepath.Join(to, name))
		if code != 0 || !strings.HasSuffix(out, filepath.Join(to, card)+": its model card\n") {
			t.Errorf("%s: exit code %d, %s%s", name, code, out, errs)
		}
	}
	export("a.safetensors", "README.md")
	card := read("README.md")
	for _, want := range []string{"| k-NN top-1 | 87.5 % |", "| k-NN top-1, untrained network | 10.0 % |",
		"| k-NN top-1, raw pixels | 20.0 % |", "| loss of the last step | 1.2500 |", "after 3 of 40 steps"} {
		if !strings.Contains(card, want) {
			t.Errorf("the card lacks %q:\n%s", want, card)
		}
	}
	export("a.safetensors", "README.md") // its own card is written again
	export("b.onnx", "b.onnx.md")        // that of another file is not
	if read("README.md") != card || !strings.Contains(read("b.onnx.md"), "InferenceSession(\"b.onnx\")") {
		t.Error("the second file's card stands in the place of the first's")
	}
}
