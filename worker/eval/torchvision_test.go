package eval

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"byol/internal/safetensors"
	"byol/internal/vector"
	"byol/model"
	"byol/model/device/cpu"
	"byol/model/engine"
	"byol/model/engine/ops"
	"byol/worker/data"
	"byol/worker/data/source"
	"byol/worker/data/views"
	"byol/worker/encoder"
)

var update = flag.Bool("update", false, "write testdata/torchvision.f32 anew; needs BYOL_TORCH")

// exported draws an encoder whose running statistics are no fresh network's, exports it, and reads the file back.
func exported(t *testing.T, arch string, side int) (file []byte, cfg model.Config, tensors []model.Tensor) {
	t.Helper()
	cfg = model.Config{Arch: arch, ImageSize: side}
	network, err := model.EncoderNetwork(cfg)
	if err != nil {
		t.Fatal(err)
	}
	layout, err := engine.Describe(network)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(7, 8))
	look, err := views.ParseAugment("byol", side)
	if err != nil {
		t.Fatal(err)
	}
	e := &encoder.Encoder{Shape: encoder.Shape{Arch: arch, Width: 1, Stem: "imagenet", Padding: "symmetric",
		ImageSize: side}, Features: layout.Features, Sight: look.Evaluation(), Network: encoder.Online, Step: 3}
	add := func(name string, shape []int, x []float32) {
		name = strings.TrimPrefix(name, engine.EncoderPrefix)
		e.Tensors = append(e.Tensors, safetensors.Tensor{Name: name, DType: safetensors.F32, Shape: shape,
			Data: vector.Bytes(x)})
		tensors = append(tensors, model.Tensor{Name: name, Shape: shape, Data: x})
	}
	for _, p := range layout.Params {
		if !strings.HasPrefix(p.Name, engine.EncoderPrefix) {
			continue
		}
		drawn, x := make([]float32, p.Len), make([]float32, p.Len)
		p.Draw(drawn, 5, "online")
		for i := range drawn {
			if p.Kind != engine.Weight {
				drawn[i] += float32(r.NormFloat64()) / 8
			}
		}
		p.ToFile(x, drawn)
		add(p.Name, p.Shape, x)
	}
	for _, n := range layout.Norms {
		if !strings.HasPrefix(n.Name, engine.EncoderPrefix) {
			continue
		}
		mean, variance := make([]float32, n.C), make([]float32, n.C)
		for i := range mean {
			mean[i], variance[i] = float32(r.NormFloat64())/4, 0.5+r.Float32()
		}
		add(n.Name+".running_mean", []int{n.C}, mean)
		add(n.Name+".running_var", []int{n.C}, variance)
	}
	var b bytes.Buffer
	if err := e.WriteSafetensors(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), cfg, tensors
}

// ours are the features that our encoder computes of n images.
func ours(t *testing.T, cfg model.Config, tensors []model.Tensor, pixels []float32) []float32 {
	t.Helper()
	dev, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	eng := ops.New(dev, nil)
	defer eng.Close()
	e, err := model.NewEncoder(t.Context(), eng, cfg, 4)
	if err == nil {
		err = e.Load(tensors)
	}
	if err != nil {
		t.Fatal(err)
	}
	n := len(pixels) / (cfg.ImageSize * cfg.ImageSize * 3)
	out := make([]float32, n*e.FeatureDim())
	if err := e.Encode(t.Context(), pixels, n, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// theirs are those that torchvision computes with the exported file.
func theirs(t *testing.T, file []byte, cfg model.Config, pixels []float32) []float32 {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string][]byte{"encoder.safetensors": file, "pixels.f32": vector.Bytes(pixels),
		"architecture": fmt.Appendf(nil, "%s %d", cfg.Arch, cfg.ImageSize)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	script := filepath.Join("testdata", "torchvision_features.py")
	cmd := exec.CommandContext(t.Context(), os.Getenv("BYOL_TORCH"), script, dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "features.f32"))
	if err != nil {
		t.Fatal(err)
	}
	return vector.Floats(raw)
}

// worst is the largest relative difference of the features of an image.
func worst(a, b []float32, dim int) float64 {
	most := 0.0
	for ; len(a) > 0; a, b = a[dim:], b[dim:] {
		d, n := 0.0, 0.0
		for i := range dim {
			d, n = d+math.Pow(float64(a[i])-float64(b[i]), 2), n+math.Pow(float64(b[i]), 2)
		}
		most = max(most, math.Sqrt(d/n))
	}
	return most
}

const tolerance = 1e-5

// TestTorchvisionFeatures: torchvision's features of an exported encoder are ours. Those in testdata are torchvision's
// of drawn images; where BYOL_TORCH is a Python with torchvision it computes them again, and of 100 photographs those
// of two networks (make torchvision).
func TestTorchvisionFeatures(t *testing.T) {
	const side, images, dim = 64, 4, 512
	golden := filepath.Join("testdata", "torchvision.f32")
	file, cfg, tensors := exported(t, "resnet18", side)
	pixels := make([]float32, images*side*side*3)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range pixels {
		pixels[i] = float32(r.NormFloat64())
	}
	got := ours(t, cfg, tensors, pixels)
	torch := os.Getenv("BYOL_TORCH")
	if torch != "" && *update {
		if err := os.WriteFile(golden, vector.Bytes(theirs(t, file, cfg, pixels)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(golden)
	if err != nil || len(raw) != 4*images*dim {
		t.Fatalf("%d bytes, %v", len(raw), err)
	}
	if e := worst(got, slices.Clone(vector.Floats(raw)), dim); e > tolerance {
		t.Errorf("features of drawn images are off by %.1e", e)
	}
	if torch == "" {
		t.Skip("of photographs: BYOL_TORCH is not set to a Python with torchvision; make torchvision runs it")
	}
	for _, arch := range []string{"resnet18", "resnet50"} {
		file, cfg, tensors := exported(t, arch, 224)
		pixels := photographs(t, 100, 224)
		got, want := ours(t, cfg, tensors, pixels), theirs(t, file, cfg, pixels)
		e := worst(got, want, len(want)/100)
		t.Logf("%s: features of 100 photographs differ by at most %.1e", arch, e)
		if len(got) != len(want) || e > tolerance {
			t.Errorf("%s: off by %.1e", arch, e)
		}
	}
}

// photographs are n of the sample of ImageNet, as an evaluation sees them.
func photographs(t *testing.T, n, side int) []float32 {
	t.Helper()
	const dir = "../../../shared/data/imagenet-sample"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no photographs: ", err)
	}
	src, err := source.Open(t.Context(), dir, source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	look, err := views.ParseAugment("byol", side)
	if err != nil {
		t.Fatal(err)
	}
	indices, out := make([]int, n), make([]float32, n*side*side*3)
	for i := range indices {
		indices[i] = i * src.Len() / n
	}
	e := data.Evaluator{Source: src, Augment: look, Threads: 2}
	if err := e.EvalBatch(t.Context(), indices, out, make([]bool, n)); err != nil {
		t.Fatal(err)
	}
	return out
}
