package model

import (
	"fmt"
	"slices"
	"strings"

	"byol/model/nn"
	"byol/model/optim"
)

// Config is what fixes a Learner: network, batch and update.
type Config struct {
	Arch            string // resnet18, 34, 50, 101, 152, 200, 20, 56, or custom: see Blocks
	Width           int    // channel multiplier; 0 counts as 1
	Stem            string // imagenet | cifar; empty: the architecture's own
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

type architecture struct {
	name   string
	block  string
	blocks []int
	base   int
	stem   string
}

// architectures are the published ones: He et al. 2016 for ImageNet and for CIFAR, ResNet-200 as in BYOL.
func architectures() []architecture {
	return []architecture{
		{"resnet18", "basic", []int{2, 2, 2, 2}, 64, "imagenet"},
		{"resnet34", "basic", []int{3, 4, 6, 3}, 64, "imagenet"},
		{"resnet50", "bottleneck", []int{3, 4, 6, 3}, 64, "imagenet"},
		{"resnet101", "bottleneck", []int{3, 4, 23, 3}, 64, "imagenet"},
		{"resnet152", "bottleneck", []int{3, 8, 36, 3}, 64, "imagenet"},
		{"resnet200", "bottleneck", []int{3, 24, 36, 3}, 64, "imagenet"},
		{"resnet20", "basic", []int{3, 3, 3}, 16, "cifar"},
		{"resnet56", "basic", []int{9, 9, 9}, 16, "cifar"},
	}
}

// Archs lists the names of the architectures.
func Archs() []string {
	var names []string
	for _, a := range architectures() {
		names = append(names, a.name)
	}
	return names
}

// architecture looks the configured one up.
func (c Config) architecture() (architecture, error) {
	if c.Arch == "custom" {
		if c.Block != "basic" && c.Block != "bottleneck" {
			return architecture{}, fmt.Errorf("block %q: want basic or bottleneck", c.Block)
		}
		if len(c.Blocks) == 0 || slices.Min(c.Blocks) < 1 || c.BaseWidth < 1 {
			return architecture{}, fmt.Errorf("blocks %v of base width %d: want at least one of each", c.Blocks, c.BaseWidth)
		}
		return architecture{"custom", c.Block, c.Blocks, c.BaseWidth, "imagenet"}, nil
	}
	for _, a := range architectures() {
		if a.name == c.Arch {
			return a, nil
		}
	}
	return architecture{}, fmt.Errorf("architecture %q is not known: want one of %s", c.Arch, strings.Join(Archs(), ", "))
}

// EncoderShape is the shape of the configured encoder.
func (c Config) EncoderShape() (nn.ResNetShape, error) {
	a, err := c.architecture()
	if err != nil {
		return nn.ResNetShape{}, err
	}
	s := nn.ResNetShape{
		Bottleneck: a.block == "bottleneck", Blocks: a.blocks, Base: a.base * max(c.Width, 1), Stem: a.stem,
		Padding: "symmetric", ImageSize: c.ImageSize, ZeroInitLastGamma: c.ZeroInitLastGamma,
	}
	if c.Stem != "" {
		s.Stem = c.Stem
	}
	if c.Padding != "" {
		s.Padding = c.Padding
	}
	return s, nil
}

// Check says what is wrong with the configuration.
func (c Config) Check() error {
	s, err := c.EncoderShape()
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
	case s.Stem != "imagenet" && s.Stem != "cifar":
		return fmt.Errorf("stem %q: want imagenet or cifar", s.Stem)
	case s.Padding != "symmetric" && s.Padding != "same":
		return fmt.Errorf("padding %q: want symmetric or same", s.Padding)
	case c.Ablation != "" && c.Ablation != NoPredictor && c.Ablation != NoStopGradient:
		return fmt.Errorf("ablation %q: want %s or %s", c.Ablation, NoPredictor, NoStopGradient)
	case c.Classes < 0:
		return fmt.Errorf("%d classes: want 0 for no probe, or more", c.Classes)
	case c.Batch%c.Shards != 0:
		return fmt.Errorf("batch size %d is not a multiple of the %d shards", c.Batch, c.Shards)
	case c.BucketBytes < 0:
		return fmt.Errorf("bucket of %d bytes: want at least 0", c.BucketBytes)
	}
	return nil
}
