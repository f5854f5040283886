package model

import (
	"fmt"
	"slices"

	"byol/model/arch"
	"byol/model/engine"
	"byol/model/optim"
)

// Config is what fixes a Learner: network, batch and update.
type Config struct {
	Arch            string // a name of package arch, or custom: see Blocks
	Width           int    // channel multiplier; 0 counts as 1
	Stem            string // of package arch; empty: the architecture's own
	Padding         string // symmetric (PyTorch) | same (the reference's); empty: symmetric
	ImageSize       int
	ProjectorHidden int
	ProjectorOut    int
	PredictorHidden int
	Classes         int // of the probe; 0: no probe
	LocalBatchNorm  bool
	Ablation        string // "" | no-predictor | no-stop-gradient

	ZeroInitLastGamma bool

	Batch, Shards int // images of a step, over all workers; virtual shards
	AtOnce        int // shards that a learner computes at a time, which needs LocalBatchNorm; 0: all that it has
	Schedule      optim.Schedule
	WeightDecay   float64
	Momentum      float64
	Eta           float64 // LARS' trust coefficient

	BucketBytes int // of a Bucket, in float32; 0: one bucket of everything

	Blocks    []int  // arch custom: blocks per group
	Block     string // arch custom: basic | bottleneck
	BaseWidth int    // arch custom: channels of the stem

	// TargetPredictor also runs the target's predictor, whose output nothing uses, so that its running
	// statistics move as in the released code.
	TargetPredictor bool
}

// The ablations: negative controls, in which the representation collapses.
const (
	NoPredictor    = "no-predictor"     // the prediction is the projection
	NoStopGradient = "no-stop-gradient" // a view's target is the online projection of the other, with gradient
)

// custom is the architecture that Blocks, Block and BaseWidth describe.
const custom = "custom"

// encoder is the configured encoder.
func (c Config) encoder() (arch.Encoder, error) {
	e, err := c.architecture()
	if err != nil {
		return arch.Encoder{}, err
	}
	if c.Stem != "" {
		e.Stem = c.Stem
	}
	return e.Widened(c.Width), nil
}

// architecture looks the configured one up.
func (c Config) architecture() (arch.Encoder, error) {
	if c.Arch != custom {
		return arch.Find(c.Arch)
	}
	if c.Block != "basic" && c.Block != "bottleneck" {
		return arch.Encoder{}, fmt.Errorf("block %q: want basic or bottleneck", c.Block)
	}
	if len(c.Blocks) == 0 || slices.Min(c.Blocks) < 1 || c.BaseWidth < 1 {
		return arch.Encoder{}, fmt.Errorf("blocks %v of base width %d: want at least one of each", c.Blocks, c.BaseWidth)
	}
	return arch.Encoder{
		Name: custom, Bottleneck: c.Block == "bottleneck", Blocks: c.Blocks, Base: c.BaseWidth, Stem: arch.ImageNet,
	}, nil
}

// Network is the configured network as engines take it, or what is wrong with it.
func (c Config) Network() (engine.Network, error) {
	if err := c.Check(); err != nil {
		return engine.Network{}, err
	}
	e, err := c.encoder()
	if err != nil {
		return engine.Network{}, err
	}
	return engine.Network{Encoder: e, Padding: c.padding(), ImageSize: c.ImageSize,
		ZeroInitLastGamma: c.ZeroInitLastGamma, ProjectorHidden: c.ProjectorHidden, ProjectorOut: c.ProjectorOut,
		PredictorHidden: c.PredictorHidden, Classes: c.Classes, NoPredictor: c.Ablation == NoPredictor,
		NoStopGradient: c.Ablation == NoStopGradient, TargetPredictor: c.TargetPredictor,
		LocalBatchNorm: c.LocalBatchNorm, Rule: engine.Rule{Momentum: c.Momentum, Decay: c.WeightDecay, Eta: c.Eta}}, nil
}

// Cut is how a batch is cut for a worker of local shards.
func (c Config) Cut(local int) engine.Cut {
	return engine.Cut{Shards: c.Shards, Local: local, Images: c.Batch / c.Shards}
}

func (c Config) padding() string {
	if c.Padding == "" {
		return "symmetric"
	}
	return c.Padding
}

// Check says what is wrong with the configuration.
func (c Config) Check() error {
	e, err := c.encoder()
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name  string
		value int
	}{
		{"image size", c.ImageSize}, {"projector hidden size", c.ProjectorHidden},
		{"projector output size", c.ProjectorOut}, {"predictor hidden size", c.PredictorHidden},
		{"batch size", c.Batch}, {"number of shards", c.Shards},
	} {
		if f.value < 1 {
			return fmt.Errorf("%s %d: want at least 1", f.name, f.value)
		}
	}
	switch {
	case c.Width < 0:
		return fmt.Errorf("width %d: want at least 1", c.Width)
	case e.Stem != arch.ImageNet && e.Stem != arch.CIFAR:
		return fmt.Errorf("stem %q: want %s or %s", e.Stem, arch.ImageNet, arch.CIFAR)
	case c.padding() != "symmetric" && c.padding() != "same":
		return fmt.Errorf("padding %q: want symmetric or same", c.Padding)
	case c.Ablation != "" && c.Ablation != NoPredictor && c.Ablation != NoStopGradient:
		return fmt.Errorf("ablation %q: want %s or %s", c.Ablation, NoPredictor, NoStopGradient)
	case c.Classes < 0:
		return fmt.Errorf("%d classes: want 0 for no probe, or more", c.Classes)
	case c.Batch%c.Shards != 0:
		return fmt.Errorf("batch size %d is not a multiple of the %d shards", c.Batch, c.Shards)
	case c.AtOnce < 0 || c.AtOnce > 0 && !c.LocalBatchNorm:
		return fmt.Errorf("%d shards at a time: batch norm over all of them needs all at once", c.AtOnce)
	case c.BucketBytes < 0:
		return fmt.Errorf("bucket of %d bytes: want at least 0", c.BucketBytes)
	}
	return nil
}
