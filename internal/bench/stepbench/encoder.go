package main

import (
	"context"
	"math/rand/v2"

	"byol/model"
	"byol/model/device"
	"byol/model/engine"
	"byol/model/nn"
)

// encoderTrial is the online encoder alone: forward, and backward from a given gradient of the features. Its one shard
// is normalised by itself, which is the same as with all others.
type encoderTrial struct {
	dev        device.Device
	pair       *nn.Pair
	forward    *nn.Forward
	backward   *nn.Backward
	stages     [2]int // forward, backward
	theta      device.Buffer
	statistics []float32
	images     nn.Views
	views      [2][]float32
	gradient   []float32 // of the features of either view
	size       int       // parameters of the encoder
}

// newEncoderTrial gives half of the batch to either view.
func newEncoderTrial(dev device.Device, cfg model.Config) (*encoderTrial, error) {
	network, err := cfg.Network()
	if err != nil {
		return nil, err
	}
	layout, err := engine.Describe(network)
	if err != nil {
		return nil, err
	}
	n := cfg.Batch / 2
	t := &encoderTrial{dev: dev, statistics: make([]float32, layout.Statistics),
		size: int(network.Encoder.Parameters())}
	t.pair = nn.New(dev, layout, nn.Options{Cut: engine.Cut{Shards: 1, Local: 1, Images: n}, LocalBatchNorm: true})
	encoder := nn.NewResNet(t.pair)
	t.pair.Plan()
	if t.theta, err = dev.Alloc(layout.Size); err != nil {
		return nil, err
	}
	host := make([]float32, layout.Size)
	for _, p := range layout.Params {
		p.Draw(host[p.Off:p.End()], 1, "online")
	}
	dev.Upload(t.theta, host)
	pixels, r := n*cfg.ImageSize*cfg.ImageSize*3, rand.New(rand.NewPCG(1, 2))
	for v := range t.images {
		if t.images[v], err = dev.Alloc(pixels); err != nil {
			return nil, err
		}
		t.views[v] = noise(r, pixels)
	}
	encoder.Plan(t.images)
	t.forward, t.backward = nn.NewForward(t.pair), nn.NewBackward(t.pair)
	encoder.Forward(t.forward)
	encoder.Backward(t.backward)
	backward, _ := t.backward.Stages()
	t.stages = [2]int{len(t.forward.Stages(nn.Online)), len(backward)}
	t.gradient = noise(r, n*layout.Features)
	return t, t.pair.Err()
}

func (t *encoderTrial) parameters() int { return t.size }

func (t *encoderTrial) step(_ context.Context, _ int64, begin func(phase string)) error {
	begin("forward")
	for v, x := range t.views {
		t.dev.Upload(t.images[v], x)
	}
	t.pair.Use(t.theta, t.theta, t.statistics)
	for k := range t.stages[0] {
		t.forward.Launch(k, nn.Online, nil)
	}
	begin("backward")
	for _, b := range t.pair.Scratch(0) {
		t.dev.Upload(b.Slice(0, len(t.gradient)), t.gradient)
	}
	for k := range t.stages[1] {
		t.backward.Launch(k, nil)
		t.backward.LaunchWeights(k)
	}
	return t.dev.Sync()
}
