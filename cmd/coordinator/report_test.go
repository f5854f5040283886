package main

import (
	"context"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	pb "byol/proto"
	"byol/worker/data/source"
)

// pageText writes the page of a run and reads it.
func pageText(t *testing.T, dir string, more ...string) (text, out string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "page.html")
	code, out, errs := command(append([]string{"report", dir, "-o", file, "--embed-timeout", "0"}, more...)...)
	if code != 0 {
		t.Fatalf("exit %d, %s%s", code, out, errs)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), out
}

// TestReport makes the page of a run that was killed, with names that would like to be markup.
func TestReport(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "<script>alert(1)<")
	ran(t, dir, "")
	images, err := source.Open(t.Context(), "synthetic:40,size=32,seed=3", source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer images.Close()
	for name, text := range map[string]string{
		"config.json": strings.Replace(ranConfig, "{",
			`{"data": "synthetic:40,size=32,seed=3", "image_size": 24, "augment": `+
				`"byol-noblur", "augment_hue": "0.3", "classes": 10, "epochs": 2, "manifest_hash": "`+images.Manifest()+`", `, 1),
		"config.yaml": "preset: byol-100ep\nepochs: 2\narch: resnet18\nimage-size: 24\n" +
			"augment: byol-noblur\nbatch-norm: local\n",
		"evaluations.jsonl": `{"step":0,"time":null,"queries":8,"knn_top1":0.25,"pixels_top1":0.5}` + "\n" +
			`{"step":2,"queries":8,"knn_top1":0.75}` + "\n" + `{"step":2,"error":"<b>no"}` + "\n",
		"eval/step-2/results.json": `{"format":1,"encoder":{"network":"online","step":2},"results":[{"method":"linear",` +
			`"notes":["on <i>20</i> images"],"figures":[{"name":"top-1","correct":7,"total":8,` +
			`"ratio":0.875,"low":0.5,"high":0.98},{"name":"linear_mean_per_class","classes":3,"ratio":0.8125,` +
			`"low":0.6,"high":0.9}]}]}`,
		"eval/torn/results.json": `{"form`,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	pictures := filepath.Join(t.TempDir(), "png")
	text, out := pageText(t, dir, "--png", pictures)
	for _, want := range []string{"&lt;script&gt;alert(1)&lt;", "it ended without a word", "87.50", "50.00 – 98.00",
		"81.25", "mean of 3 classes",
		"&lt;b&gt;no",
		"on &lt;i&gt;20&lt;/i&gt; images", "worker-lost", "k-NN of raw pixels", "hue 0.3 (paper 0.1)", "no embeddings were"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if n := strings.Count(text, `class="pair"`); n != 40 {
		t.Errorf("%d pairs of 40 images", n)
	}
	if n := strings.Count(text, `class="differs"`); n != 2 { // epochs and batch-norm
		t.Errorf("%d settings are not the preset's, want 2", n)
	}
	if strings.Contains(text, "<script") || strings.Contains(text, "<i>20") {
		t.Error("a name is markup")
	}
	if !strings.Contains(out, "6 charts, 40 pairs of views") {
		t.Errorf("it says %q", out)
	}
	for _, name := range []string{"loss", "accuracy", "learning-rate", "images-per-second"} {
		f, err := os.Open(filepath.Join(pictures, name+".png"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := png.Decode(f); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		f.Close()
	}
}

// TestReportOfLittle makes a page of whatever is left of a run.
func TestReportOfLittle(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	ran(t, dir, "")
	all := []string{"config.json", "metrics.jsonl", "events.jsonl", "raft/raft.db", "raft/lock"}
	for i := range all {
		if err := os.WriteFile(filepath.Join(dir, all[i]), []byte(`{"step":1,"loss`), 0o644); err != nil {
			t.Fatal(err)
		}
		if text, _ := pageText(t, dir); !strings.Contains(text, "</html>") || !strings.Contains(text, `id="events"`) {
			t.Errorf("with a damaged %s the page is %.200q", all[i], text)
		}
	}
	for _, name := range all[1:] {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if text, _ := pageText(t, dir); !strings.Contains(text, "</html>") {
			t.Errorf("without %s the page is %.200q", name, text)
		}
	}
	if code, _, errs := command("report", t.TempDir()); code != 2 || !strings.Contains(errs,
		"is not the directory of a run") {
		t.Errorf("of no run: exit %d, %s", code, errs)
	}
}

// TestNearestRows against the order that is plain to see.
func TestNearestRows(t *testing.T) {
	x := []float32{1, 0, 0, 1, 0.9, 0.1, -1, 0, 0.8, 0.6}
	if got := nearestRows(x, 2, 0, 3); len(got) != 3 || got[0] != 2 || got[1] != 4 || got[2] != 1 {
		t.Errorf("the nearest of row 0 are %v, want 2, 4, 1", got)
	}
	if got := nearestRows(x, 2, 3, 9); len(got) != 4 {
		t.Errorf("all others are %v", got)
	}
}

// TestReportOfAStop: a run that is asked to stop looks at no images for its page, and a directory that cannot be
// written is a line, no failure.
func TestReportOfAStop(t *testing.T) {
	t.Chdir(t.TempDir())
	p, err := planned(t, "--run-dir", "run")
	if err != nil {
		t.Fatal(err)
	}
	ran(t, "run", "")
	config, err := protojson.Marshal(p.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("run/config.json", config, 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if line := endReport(ctx, p, &pb.Status{}); line != "  report    run/report.html\n" {
		t.Errorf("it says %q", line)
	}
	text, err := os.ReadFile("run/report.html")
	if err != nil || !strings.Contains(string(text), "as the run was asked to stop") {
		t.Errorf("the page is %.300q, %v", text, err)
	}
	p.settings.RunDir = "none"
	if line := endReport(ctx, p, &pb.Status{}); !strings.HasPrefix(line, "  report    not written: ") {
		t.Errorf("it says %q", line)
	}
}
