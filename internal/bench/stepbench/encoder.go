package main

import (
	"context"
	"math/rand/v2"

	"byol/model"
	"byol/model/device"
	"byol/model/nn"
)

// encoderTrial is the online encoder alone: forward, and backward from a given gradient of the features.
type encoderTrial struct {
	dev      device.Device
	layers   *nn.Lockstep
	encoder  *nn.ResNet
	images   nn.Views
	views    [2][]float32
	gradient []float32 // of the features of either view
}

// newEncoderTrial gives half of the batch to either view.
func newEncoderTrial(dev device.Device, cfg model.Config) (*encoderTrial, error) {
	shape, err := cfg.EncoderShape()
	if err != nil {
		return nil, err
	}
	n := cfg.Batch / 2
	l := nn.New(dev, nn.Options{Cut: nn.Cut{Shards: 1, Local: 1, Images: n}})
	t := &encoderTrial{dev: dev, layers: l, encoder: nn.NewResNet(l, "", shape)}
	if l.Err() != nil {
		return nil, l.Err()
	}
	l.Plan()
	theta, err := dev.Alloc(l.Size())
	if err != nil {
		return nil, err
	}
	host := make([]float32, l.Size())
	for _, p := range l.Params() {
		p.Draw(host[p.Off:p.Off+p.Len], 1, "online")
	}
	dev.Upload(theta, host)
	pixels, r := n*cfg.ImageSize*cfg.ImageSize*3, rand.New(rand.NewPCG(1, 2))
	for v := range t.images {
		if t.images[v], err = dev.Alloc(pixels); err != nil {
			return nil, err
		}
		t.views[v] = noise(r, pixels)
	}
	t.encoder.Plan(t.images)
	l.Use(theta, theta, make([]float32, l.StatisticsSize()), make([]float32, l.StatisticsSize()))
	t.gradient = noise(r, n*t.encoder.FeatureDim())
	return t, l.Err()
}

func (t *encoderTrial) parameters() int { return t.layers.Size() }

func (t *encoderTrial) step(ctx context.Context, _ int64, begin func(phase string)) error {
	begin("forward")
	for v, x := range t.views {
		t.dev.Upload(t.images[v], x)
	}
	t.layers.Changed()
	t.layers.Begin(nil)
	never := func() bool { return false } // the target is not waited for: the online network runs alone
	if _, err := t.layers.Lead(ctx, t.encoder.Stages(), never); err != nil {
		return err
	}
	begin("backward")
	for _, b := range t.layers.Scratch(0) {
		t.dev.Upload(b.Slice(0, len(t.gradient)), t.gradient)
	}
	if err := t.encoder.Backward(ctx); err != nil {
		return err
	}
	return t.dev.Sync()
}
