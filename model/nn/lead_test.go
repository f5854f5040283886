package nn

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"byol/model/arch"
	"byol/model/device/reference"
)

// TestOnlineAlone runs an encoder with the online network alone, as Lead does for a target that never comes, and with
// both: the online features and gradients are the same bits.
func TestOnlineAlone(t *testing.T) {
	for _, shape := range []ResNetShape{
		{Encoder: arch.Encoder{Bottleneck: true, Blocks: []int{1, 1}, Base: 4, Stem: arch.ImageNet}, Padding: "symmetric",
			ImageSize: 24},
		{Encoder: arch.Encoder{Blocks: []int{2}, Base: 3, Stem: arch.CIFAR}, Padding: "same", ImageSize: 7},
	} {
		features, gradient := encode(t, shape, true)
		wantFeatures, wantGradient := encode(t, shape, false)
		if !slices.Equal(features, wantFeatures) || !slices.Equal(gradient, wantGradient) {
			t.Errorf("%+v: features or gradient of the online network alone differ from those beside the target", shape)
		}
		if slices.Max(gradient) == 0 {
			t.Errorf("%+v: the gradient is zero", shape)
		}
	}
}

// encode returns the features of view 2 and the flat gradient for some gradient of the features.
func encode(t *testing.T, shape ResNetShape, alone bool) (features, gradient []float32) {
	t.Helper()
	const images = 3
	dev, ctx := reference.New(32), context.Background()
	l := New(dev, Options{Cut: Cut{Shards: 1, Local: 1, Images: images}})
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
	var views Views
	for v := range views {
		pixels := images * shape.ImageSize * shape.ImageSize * 3
		views[v] = l.alloc(pixels)
		dev.Upload(views[v], draw(pixels))
	}
	theta, xi := l.alloc(l.size), l.alloc(l.size)
	dev.Upload(theta, draw(l.size))
	l.Use(theta, xi, make([]float32, l.StatisticsSize()), make([]float32, l.StatisticsSize()))
	y := r.Plan(views)
	if l.Err() != nil {
		t.Fatal(l.Err())
	}
	l.Begin(nil)
	var err error
	if stages := r.Stages(); alone {
		done := 0
		if done, err = l.Lead(ctx, stages, func() bool { return false }); done != len(stages) {
			t.Errorf("led %d of %d stages", done, len(stages))
		}
	} else {
		err = l.Run(ctx, stages, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	n := images * r.FeatureDim()
	for _, g := range l.Scratch(0) {
		dev.Upload(g.Slice(0, n), draw(n))
	}
	if err := r.Backward(ctx); err != nil {
		t.Fatal(err)
	}
	features, gradient = make([]float32, n), make([]float32, l.size)
	dev.Download(features, y[Online2].Slice(0, n))
	dev.Download(gradient, l.grads[0])
	return features, gradient
}
