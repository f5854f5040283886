package model

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"byol/model/device"
	"byol/model/device/reference"
	"byol/model/nn/gradtest"
)

// TestWholeGradient checks the gradient of the whole loss, two shards, against finite differences.
func TestWholeGradient(t *testing.T) {
	two := func(f func(c *Config)) Config {
		return with(func(c *Config) { c.Shards, c.Batch = 2, 6; f(c) })
	}
	for name, c := range map[string]Config{
		"sync":             two(func(*Config) {}),
		"local":            two(func(c *Config) { c.LocalBatchNorm = true }),
		"same padding":     two(func(c *Config) { c.Padding = "same" }),
		"bottleneck":       two(func(c *Config) { c.Block, c.Stem, c.ImageSize = "bottleneck", "imagenet", 14 }),
		"no-predictor":     two(func(c *Config) { c.Ablation = NoPredictor }),
		"no-stop-gradient": two(func(c *Config) { c.Ablation = NoStopGradient }),
	} {
		t.Run(name, func(t *testing.T) { wholeGradient(t, c) })
	}
}

func wholeGradient(t *testing.T, c Config) {
	dev := reference.New(64)
	l := newLearner(t, dev, c)
	batch := global(c, 0)
	// Biases and batch-norm parameters away from their first values, where they would hide mistakes.
	theta := make([]float64, l.Parameters())
	dev.Download64(theta, l.Theta())
	for i, x := range gradtest.Normals(9, len(theta)) {
		theta[i] += 0.05 * x
	}
	set := func(theta []float64) {
		dev.Upload64(l.Theta(), theta)
		l.layers.Changed()
	}
	set(theta)
	if _, err := l.Grad(context.Background(), batch, nil); err != nil {
		t.Fatal(err)
	}
	gradient, shard := make([]float64, len(theta)), make([]float64, len(theta))
	for i := range c.Shards {
		dev.Download64(shard, l.ShardGradient(i))
		for j, x := range shard {
			gradient[j] += x
		}
	}
	for _, p := range l.layers.Params() {
		x := append([]float64(nil), theta...)
		probe := p.Name == "classifier.weight" || p.Name == "classifier.bias"
		gradtest.Check(t, gradtest.Problem{
			Name: p.Name, X: theta[p.Off : p.Off+p.Len], Gradient: gradient[p.Off : p.Off+p.Len], Places: 3,
			Loss: func(part []float64) float64 {
				copy(x[p.Off:], part)
				set(x)
				sum := 0.0
				l.layers.Begin(nil)
				if err := errors.Join(l.forward(context.Background(), 0), l.losses(batch.Labels)); err != nil {
					t.Fatal(err)
				}
				// The probe's loss reaches the probe alone, which is what a stop-gradient means.
				for _, s := range l.shards {
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
