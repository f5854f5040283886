package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"byol/coordinator"
	"byol/internal/failure"
	"byol/internal/safetensors"
	"byol/internal/vector"
	"byol/worker/encoder"
)

// tinyRun are the flags of a run with the network of stored's checkpoints.
func tinyRun(more ...string) []string {
	return append([]string{"--data", "synthetic:64,size=12", "--arch", "tiny", "--image-size", "8", "--batch-size", "16",
		"--shards", "1"}, more...)
}

// exported is a file with the encoder of a made-up checkpoint, after change.
func exported(t *testing.T, name string, change func([]safetensors.Tensor) []safetensors.Tensor) string {
	t.Helper()
	_, infos := stored(t, 3)
	e, _, err := encoder.FromCheckpoint(infos[0].Path, encoder.Online, "")
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := safetensors.Write(f, change(e.Tensors), nil); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestInit: what --init takes, and what is said of what it does not.
func TestInit(t *testing.T) {
	t.Chdir(t.TempDir())
	same := func(l []safetensors.Tensor) []safetensors.Tensor { return l }
	good := exported(t, "good.safetensors", same)
	copied := exported(t, "copied.safetensors", func(l []safetensors.Tensor) []safetensors.Tensor {
		return append(l, safetensors.Tensor{Name: "fc.bias", DType: "F32", Shape: []int{1}, Data: make([]byte, 4)})
	})
	other := exported(t, "other.safetensors", func(l []safetensors.Tensor) []safetensors.Tensor {
		l[0].Data = make([]byte, len(l[0].Data))
		return l
	})
	nan := exported(t, "nan.safetensors", func(l []safetensors.Tensor) []safetensors.Tensor {
		l[0].Data = vector.Bytes([]float32{float32(math.NaN())})
		l[0].Data = append(l[0].Data, make([]byte, 4*8*27-4)...)
		return l
	})
	if err := os.WriteFile("torn.safetensors", []byte("torn"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want []string
		code int
	}{
		{tinyRun("--init", nan), []string{"is not an encoder to start from", "conv1.weight: value 0 of 216 is NaN"},
			failure.Data},
		{tinyRun("--init", good, "--width", "2"), []string{"does not fit the network", "matched 0 of 30 tensors of tiny ×2",
			"conv1.weight: have [8 3 3 3], want [16 3 3 3]", "and 27 more",
			"it holds tiny, cifar stem: --arch tiny --width 1 --stem cifar"}, failure.Usage},
		{tinyRun("--init", "torn.safetensors"), []string{"cannot be read"}, failure.Data},
		{tinyRun("--init", "none.safetensors"), []string{"cannot be read", "no such file"}, failure.Data},
	} {
		code, _, errs := command(append(c.args, "--dry-run")...)
		for _, want := range c.want {
			if code != c.code || !strings.Contains(errs, want) {
				t.Errorf("%v: exit code %d, want %d and %q:\n%s", c.args, code, c.code, want, errs)
			}
		}
	}
	plans := map[string]*plan{}
	for _, file := range []string{"", good, copied, other} {
		p, err := planned(t, tinyRun("--init", file)...)
		if err != nil {
			t.Fatal(err)
		}
		plans[file] = p
	}
	dir := func(file string) string { return plans[file].settings.RunDir }
	if dir(good) != dir(copied) || dir(good) == dir(other) || dir(good) == dir("") {
		t.Errorf("runs are named %s, %s with fc, %s of other weights, %s of none", dir(good), dir(copied), dir(other),
			dir(""))
	}
	if p := plans[good]; !strings.Contains(banner(p, ""), "matched 30 of 30, weights_sha256 "+p.config.InitSha256[:12]) {
		t.Errorf("the banner says\n%s", banner(p, ""))
	}
}

// TestInitIsKept: a run has a copy of its own, with which it goes on when the file has moved or is another one;
// without either it is known by its digest.
func TestInitIsKept(t *testing.T) {
	t.Chdir(t.TempDir())
	file := exported(t, "e.safetensors", func(l []safetensors.Tensor) []safetensors.Tensor { return l })
	begin := func(args ...string) *plan {
		p, err := planned(t, args...)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll("run", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := p.keepStart(); err != nil {
			t.Fatal(err)
		}
		return p
	}
	first := begin(tinyRun("--init", file, "--run-dir", "run")...)
	if err := os.WriteFile(filepath.Join("run", coordinator.SettingsFile), first.marshal(), 0o644); err != nil {
		t.Fatal(err)
	}
	config := `{"init_sha256": "` + first.initial.sha256 + `", "samples": "64", "shards": 1, "batch_size": 16}`
	if err := os.WriteFile(filepath.Join("run", "config.json"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("something else"), 0o644); err != nil {
		t.Fatal(err)
	}
	again := begin("--run-dir", "run")
	if file := again.options(nil, nil).InitFile; again.config.InitSha256 != first.config.InitSha256 ||
		file != filepath.Join("run", initFile) {
		t.Errorf("goes on with %s of %s, began with %s", again.config.InitSha256, file, first.config.InitSha256)
	}
	for _, gone := range []string{file, filepath.Join("run", initFile)} {
		if err := os.Remove(gone); err != nil {
			t.Fatal(err)
		}
	}
	if last := begin("--run-dir", "run"); last.config.InitSha256 != first.config.InitSha256 ||
		!strings.Contains(banner(last, ""), "whose file is gone") {
		t.Errorf("without any file: %s\n%s", last.config.InitSha256, banner(last, ""))
	}
}
