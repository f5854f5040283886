package main

import (
	"context"
	"math/rand/v2"

	"byol/model"
	"byol/model/engine"
)

// byolTrial is the whole step of one worker that holds all shards.
type byolTrial struct {
	engine engine.Engine
	l      *model.Learner
	batch  model.Batch
	shards int
}

func newBYOLTrial(ctx context.Context, eng engine.Engine, cfg model.Config) (*byolTrial, error) {
	l, err := model.New(ctx, eng, cfg, cfg.Shards, nil)
	if err != nil {
		return nil, err
	}
	if err := l.Init(1); err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(1, 2))
	n := cfg.Batch * cfg.ImageSize * cfg.ImageSize * 3
	return &byolTrial{engine: eng, l: l, shards: cfg.Shards,
		batch: model.Batch{View1: noise(r, n), View2: noise(r, n), Labels: make([]int32, cfg.Batch)}}, nil
}

func (t *byolTrial) parameters() int { return t.l.Parameters() }

func (t *byolTrial) step(ctx context.Context, step int64, begin func(phase string)) error {
	t.l.SetPhaseHook(begin)
	if _, err := t.l.Grad(ctx, t.batch, nil); err != nil {
		return err
	}
	begin("sum")
	if err := t.sum(); err != nil {
		return err
	}
	begin("update")
	if _, err := t.l.Update(step); err != nil {
		return err
	}
	t.l.UpdateTarget(0.01)
	t.l.Commit()
	return t.engine.Sync()
}

// sum adds the gradients of all shards on the host, as a worker does over the ring.
func (t *byolTrial) sum() error {
	all := engine.Span{Len: t.l.Parameters()}
	sum := t.l.Gradient().Host()
	for i := range t.shards {
		v := t.l.ShardGradient(i)
		if err := v.Fetch(all).Wait(); err != nil {
			return err
		}
		if i == 0 {
			continue
		}
		for j, x := range v.Host() {
			sum[j] += x
		}
	}
	t.l.Gradient().Store(all)
	return nil
}
