package model

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"byol/model/engine"
)

// Encoder is an encoder alone, with running statistics: what judges and users of a trained network want of it.
type Encoder struct {
	eng    engine.Engine
	side   int
	layout *engine.Layout
	state  engine.State
}

// NewEncoder plans the encoder that cfg describes for so many images at once, on an engine that it has to itself. What
// cfg says of heads, batch and update doesn't matter. It computes nothing of use before Load.
func NewEncoder(ctx context.Context, eng engine.Engine, cfg Config, images int) (*Encoder, error) {
	network, err := EncoderNetwork(cfg)
	if err != nil {
		return nil, fmt.Errorf("plan encoder: %w", err)
	}
	e := &Encoder{eng: eng, side: cfg.ImageSize}
	if e.layout, err = engine.Describe(network); err != nil {
		return nil, fmt.Errorf("plan encoder: %w", err)
	}
	if _, err := eng.Plan(ctx, network, engine.Cut{Shards: 1, Local: 1, Images: max(images, 1)}); err != nil {
		return nil, fmt.Errorf("plan encoder: %w", err)
	}
	if e.state.Theta, err = eng.NewVector(false); err != nil {
		return nil, fmt.Errorf("plan encoder: %w", err)
	}
	e.state.Xi = e.state.Theta // nobody reads it
	e.state.Statistics = make([]float32, 2*e.layout.Statistics)
	return e, nil
}

// EncoderNetwork is the network of cfg with the smallest heads there are: an engine knows no network without.
func EncoderNetwork(cfg Config) (engine.Network, error) {
	cfg.ProjectorHidden, cfg.ProjectorOut, cfg.PredictorHidden, cfg.Classes = 1, 1, 1, 0
	cfg.Batch, cfg.Shards, cfg.LocalBatchNorm, cfg.Ablation = 1, 1, false, ""
	return cfg.Network()
}

// Load sets parameters and running statistics from tensors with torchvision's names, convolutions as
// [out][in][height][width]. All of the encoder must be there with their shapes; others are left alone.
func (e *Encoder) Load(tensors []Tensor) error {
	byName := map[string]Tensor{}
	for _, t := range tensors {
		byName[engine.EncoderPrefix+t.Name] = t
	}
	host, norms := e.state.Theta.Host(), e.layout.Norms
	for _, p := range e.layout.Params {
		if !strings.HasPrefix(p.Name, engine.EncoderPrefix) {
			p.Draw(host[p.Off:p.End()], 0, "head") // any, as long as it is finite
			continue
		}
		data, err := take(byName, p.Name, p.Shape)
		if err != nil {
			return fmt.Errorf("load encoder: %w", err)
		}
		p.FromFile(host[p.Off:p.End()], data)
	}
	for _, n := range slices.DeleteFunc(slices.Clone(norms), func(n engine.Norm) bool {
		return !strings.HasPrefix(n.Name, engine.EncoderPrefix)
	}) {
		for _, s := range running(n) {
			data, err := take(byName, s.name, []int{s.Len})
			if err != nil {
				return fmt.Errorf("load encoder: %w", err)
			}
			copy(e.state.Statistics[s.Off:s.End()], data)
		}
	}
	e.state.Theta.Store(engine.Span{Len: e.layout.Size})
	if err := e.eng.Sync(); err != nil {
		return fmt.Errorf("load encoder: %w", err)
	}
	e.eng.Use(e.state)
	return nil
}

// FeatureDim is the number of features of one image.
func (e *Encoder) FeatureDim() int { return e.layout.Features }

// Encode computes features [n][FeatureDim] of n images x [n][H][W][3]. Those of an image do not depend on the images
// beside it.
func (e *Encoder) Encode(ctx context.Context, x []float32, n int, out []float32) error {
	size, dim := e.side*e.side*3, e.FeatureDim()
	if len(x) < n*size || len(out) < n*dim {
		return fmt.Errorf("encode %d images: %d values in and %d out, want %d and %d", n, len(x), len(out), n*size, n*dim)
	}
	if err := e.eng.Encode(ctx, x, n, out); err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	return nil
}
