package nn

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"byol/model/arch"
	"byol/model/device/reference"
)

// TestOnlineOnly runs an encoder with and without the target network: the online features and gradients are the
// same bits.
func TestOnlineOnly(t *testing.T) {
	shape := ResNetShape{Encoder: arch.Encoder{Bottleneck: true, Blocks: []int{1, 1}, Base: 4, Stem: arch.ImageNet},
		Padding: "symmetric", ImageSize: 24}
	run := func(onlineOnly bool) (features, gradient []float32) {
		shape.OnlineOnly = onlineOnly
		dev := reference.New(32)
		l := New(dev, Options{Cut: Cut{Shards: 1, Local: 1, Images: 3}})
		r := NewResNet(l, "", shape)
		l.Plan()
		random := rand.New(rand.NewPCG(1, 2))
		draw := func(n int) []float32 {
			x := make([]float32, n)
			for i := range x {
				x[i] = float32(random.NormFloat64())
			}
			return x
		}
		var images Views
		for v := range images {
			images[v] = l.alloc(3 * 24 * 24 * 3)
			dev.Upload(images[v], draw(3*24*24*3))
		}
		theta, xi := l.alloc(l.size), l.alloc(l.size)
		dev.Upload(theta, draw(l.size))
		l.Use(theta, xi, make([]float32, l.StatisticsSize()), make([]float32, l.StatisticsSize()))
		y := r.Plan(images)
		if l.Err() != nil {
			t.Fatal(l.Err())
		}
		l.Begin(nil)
		if err := r.Forward(context.Background()); err != nil {
			t.Fatal(err)
		}
		n := 3 * r.FeatureDim()
		for _, g := range l.Scratch(0) {
			dev.Upload(g.Slice(0, n), draw(n))
		}
		if err := r.Backward(context.Background()); err != nil {
			t.Fatal(err)
		}
		features, gradient = make([]float32, n), make([]float32, l.size)
		dev.Download(features, y[Online2].Slice(0, n))
		dev.Download(gradient, l.grads[0])
		if onlineOnly != (y[Target1].Len == 0) {
			t.Errorf("online only %v: the target has features of %d elements", onlineOnly, y[Target1].Len)
		}
		return features, gradient
	}
	features, gradient := run(true)
	wantFeatures, wantGradient := run(false)
	if !slices.Equal(features, wantFeatures) || !slices.Equal(gradient, wantGradient) {
		t.Errorf("features %v…\nwant     %v…\ngradient %v…\nwant     %v…", features[:4], wantFeatures[:4], gradient[:4],
			wantGradient[:4])
	}
	if slices.Max(gradient) == 0 {
		t.Error("the gradient is zero")
	}
}
