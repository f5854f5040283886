package ops

import (
	"context"
	"fmt"
	"testing"

	"byol/model"
	"byol/model/device"
	"byol/model/device/reference"
	"byol/model/nn/gradtest"
	"byol/model/optim"
)

// whole is a network with every kind of layer, whose batch of six images is in two shards.
func whole(f func(c *model.Config)) model.Config {
	c := model.Config{
		Arch: "custom", Block: "basic", Blocks: []int{1, 1}, BaseWidth: 4, Stem: "cifar", ImageSize: 8,
		ProjectorHidden: 8, ProjectorOut: 4, PredictorHidden: 6, Classes: 3, Batch: 6, Shards: 2,
		Schedule: optim.Schedule{BaseLR: 3, Batch: 6, Warmup: 1, Total: 10, BaseTau: 0.9},
	}
	f(&c)
	return c
}

// TestWholeGradient checks the gradient of the whole loss, two shards, against finite differences in float64.
func TestWholeGradient(t *testing.T) {
	for name, c := range map[string]model.Config{
		"sync":             whole(func(*model.Config) {}),
		"local":            whole(func(c *model.Config) { c.LocalBatchNorm = true }),
		"same padding":     whole(func(c *model.Config) { c.Padding = "same" }),
		"bottleneck":       whole(func(c *model.Config) { c.Block, c.Stem, c.ImageSize = "bottleneck", "imagenet", 14 }),
		"no-predictor":     whole(func(c *model.Config) { c.Ablation = model.NoPredictor }),
		"no-stop-gradient": whole(func(c *model.Config) { c.Ablation = model.NoStopGradient }),
	} {
		t.Run(name, func(t *testing.T) { wholeGradient(t, c) })
	}
}

func wholeGradient(t *testing.T, c model.Config) {
	dev := reference.New(64)
	e := New(dev, nil)
	l, err := model.New(t.Context(), e, c, c.Shards, nil)
	if err == nil {
		err = l.Init(1)
	}
	if err != nil {
		t.Fatal(err)
	}
	batch := drawn(c)
	// Biases and batch-norm parameters away from their first values, where they would hide mistakes.
	theta := make([]float64, l.Parameters())
	at := buffer(l.Current().Theta)
	dev.Download64(theta, at)
	for i, x := range gradtest.Normals(9, len(theta)) {
		theta[i] += 0.05 * x
	}
	grad := func(theta []float64) []model.ShardStats {
		dev.Upload64(at, theta)
		e.Use(l.Current())
		stats, err := l.Grad(context.Background(), batch, nil)
		if err != nil {
			t.Fatal(err)
		}
		return stats.Shards
	}
	grad(theta)
	gradient, shard := make([]float64, len(theta)), make([]float64, len(theta))
	for i := range c.Shards {
		dev.Download64(shard, buffer(l.ShardGradient(i)))
		for j, x := range shard {
			gradient[j] += x
		}
	}
	for _, p := range e.plan.layout.Params {
		x := append([]float64(nil), theta...)
		probe := p.Name == "classifier.weight" || p.Name == "classifier.bias"
		gradtest.Check(t, gradtest.Problem{
			Name: p.Name, X: theta[p.Off:p.End()], Gradient: gradient[p.Off:p.End()], Places: 3,
			Loss: func(part []float64) float64 {
				copy(x[p.Off:], part)
				sum := 0.0
				// The probe's loss reaches the probe alone, which is what a stop-gradient means.
				for _, s := range grad(x) {
					if probe {
						sum += s.ProbeLoss
					} else {
						sum += s.Loss
					}
				}
				return sum / float64(c.Batch)
			},
		})
	}
}

// drawn is a batch of normal numbers, some of its labels missing.
func drawn(c model.Config) model.Batch {
	n := c.Batch * c.ImageSize * c.ImageSize * 3
	var b model.Batch
	for v, view := range []*[]float32{&b.View1, &b.View2} {
		for _, x := range gradtest.Normals(uint64(v+1), n) {
			*view = append(*view, float32(x))
		}
	}
	for i := range c.Batch {
		b.Labels = append(b.Labels, int32((i*7)%(c.Classes+1)-1))
	}
	return b
}

// TestLossGradients checks the device's two losses by themselves.
func TestLossGradients(t *testing.T) {
	const n, d = 3, 5
	dev := reference.New(64)
	alloc := func(x []float64) device.Buffer {
		b, err := dev.Alloc(len(x))
		if err != nil {
			t.Fatal(err)
		}
		dev.Upload64(b, x)
		return b
	}
	x, z := gradtest.Normals(1, n*d), gradtest.Normals(2, n*d)
	bx, bz, g := alloc(x), alloc(z), alloc(x)
	labels := []int32{2, -1, 4}
	for name, loss := range map[string]func() float64{
		"regression": func() float64 { return 0.25 * dev.Regression(bx, bz, g, n, d, 0.25, false) },
		"cross entropy": func() float64 {
			sum, _ := dev.CrossEntropy(bx, labels, g, n, d, 0.25)
			return 0.25 * sum
		},
	} {
		dev.Upload64(bx, x)
		loss()
		gradient := make([]float64, n*d)
		dev.Download64(gradient, g)
		gradtest.Check(t, gradtest.Problem{Name: name, X: x, Gradient: gradient, Loss: func(x []float64) float64 {
			dev.Upload64(bx, x)
			return loss()
		}})
	}
	if got := fmt.Sprintf("%.7f", regressionOf(dev, alloc)); got != "1.3333333" {
		t.Errorf("regression of [1 2 2] and [2 0 0] is %s, want 1.3333333", got)
	}
}

// regressionOf is the published example.
func regressionOf(dev device.Device, alloc func([]float64) device.Buffer) float64 {
	return dev.Regression(alloc([]float64{1, 2, 2}), alloc([]float64{2, 0, 0}), alloc(make([]float64, 3)), 1, 3, 1, false)
}
