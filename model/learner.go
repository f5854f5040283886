package model

import (
	"context"

	"byol/model/device"
	"byol/model/nn"
)

// Learner holds the state of one worker: both networks, the momentum, and the gradients of its shards.
type Learner struct {
	dev   device.Device
	cfg   Config
	flat  [7]device.Buffer
	grads []device.Buffer
	stats [2][]float32
	hook  func(phase string)
}

// New plans a Learner of local shards on dev. All memory is allocated here. sync may be nil where local is
// cfg.Shards.
func New(dev device.Device, cfg Config, local int, sync nn.Syncer) (*Learner, error) {
	return &Learner{dev: dev, cfg: cfg}, nil
}

// Init draws both networks; the result is a pure function of the seed and the names.
func (l *Learner) Init(seed uint64) {}

// SetPhaseHook has f called whenever a phase begins: "forward", "backward", "sync" (waiting for other
// shards, then the phase it interrupted again), "update", and "idle" at the end.
func (l *Learner) SetPhaseHook(f func(phase string)) { l.hook = f }

// Grad runs both networks forward and the online one backward. onBucket (may be nil) is called on this
// goroutine when a span of the flat gradient is complete for all local shards, from the end of the layout.
func (l *Learner) Grad(ctx context.Context, b Batch, onBucket func(Bucket) error) (Stats, error) {
	return Stats{}, ctx.Err()
}

// Buckets lists the spans in the order onBucket reports them. They depend on the configuration alone.
func (l *Learner) Buckets() []Bucket { return nil }

// ShardGradient is the flat gradient of local shard i, valid after Grad.
func (l *Learner) ShardGradient(i int) device.Buffer { return l.grads[i] }

// Gradient is where the gradient summed over all shards goes before Update. It is the same memory as
// ShardGradient(0): sum into it, or copy over it.
func (l *Learner) Gradient() device.Buffer { return l.grads[0] }

// Update applies LARS with the gradient of step: ThetaNext and MomentumNext are set. It returns the norm of
// the gradient, and an error if that is not finite.
func (l *Learner) Update(step int64) (norm float64, err error) { return 0, nil }

// UpdateTarget sets XiNext = ξ + (1−τ)(θ'−ξ).
func (l *Learner) UpdateTarget(oneMinusTau float64) {}

// Commit makes the next state current.
func (l *Learner) Commit() {}

// Parameters is the length of the flat layout.
func (l *Learner) Parameters() int { return 0 }

// Theta is the online network's parameters.
func (l *Learner) Theta() device.Buffer { return l.flat[0] }

// ThetaNext is where Update puts the new online parameters.
func (l *Learner) ThetaNext() device.Buffer { return l.flat[1] }

// Momentum is LARS' momentum.
func (l *Learner) Momentum() device.Buffer { return l.flat[2] }

// MomentumNext is where Update puts the new momentum.
func (l *Learner) MomentumNext() device.Buffer { return l.flat[3] }

// Xi is the target network's parameters.
func (l *Learner) Xi() device.Buffer { return l.flat[4] }

// XiNext is where the new target goes before Commit.
func (l *Learner) XiNext() device.Buffer { return l.flat[5] }

// Statistics are the running means and variances of the online network, then the target's.
func (l *Learner) Statistics() []float32 { return l.stats[0] }

// StatisticsNext is the same after the step at hand; Grad sets it.
func (l *Learner) StatisticsNext() []float32 { return l.stats[1] }

// Tensors copies the whole current state to the host: "online/", "target/" and "momentum/" before
// torchvision's names, convolutions as OIHW.
func (l *Learner) Tensors() []Tensor { return nil }

// Load sets the current state from tensors named as in Tensors; all must be there with their shapes.
func (l *Learner) Load(tensors []Tensor) error { return nil }

// Encode computes features [n][FeatureDim] of n images x [n][H][W][3] by the online encoder with its running
// statistics.
func (l *Learner) Encode(ctx context.Context, x []float32, n int, out []float32) error { return ctx.Err() }

// FeatureDim is the number of features of one image.
func (l *Learner) FeatureDim() int { return 0 }

// Export copies the online encoder to the host as torchvision's state_dict: its names, its order, with
// num_batches_tracked as int64 scalars.
func (l *Learner) Export() []Tensor { return nil }
