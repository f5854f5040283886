package main

import (
	"context"
	"math/rand/v2"

	"byol/model"
	"byol/model/device"
)

// byolTrial is the whole step of one worker that holds all shards.
type byolTrial struct {
	dev    device.Device
	l      *model.Learner
	batch  model.Batch
	shards int
}

func newBYOLTrial(dev device.Device, cfg model.Config) (*byolTrial, error) {
	l, err := model.New(dev, cfg, cfg.Shards, nil)
	if err != nil {
		return nil, err
	}
	l.Init(1)
	r := rand.New(rand.NewPCG(1, 2))
	n := cfg.Batch * cfg.ImageSize * cfg.ImageSize * 3
	return &byolTrial{dev: dev, l: l, shards: cfg.Shards,
		batch: model.Batch{View1: noise(r, n), View2: noise(r, n), Labels: make([]int32, cfg.Batch)}}, nil
}

func (t *byolTrial) parameters() int { return t.l.Parameters() }

func (t *byolTrial) step(ctx context.Context, step int64, begin func(phase string)) error {
	t.l.SetPhaseHook(begin)
	if _, err := t.l.Grad(ctx, t.batch, nil); err != nil {
		return err
	}
	begin("sum")
	for i := 1; i < t.shards; i++ { // as a worker does over the ring
		t.dev.AddMasked(t.l.Gradient(), t.l.ShardGradient(i), device.Buffer{}, t.l.Gradient(), t.l.Parameters())
	}
	begin("update")
	if _, err := t.l.Update(step); err != nil {
		return err
	}
	t.l.UpdateTarget(0.01)
	t.l.Commit()
	return t.dev.Sync()
}
