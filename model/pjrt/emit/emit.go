// Package emit writes the programs of BYOL for accelerators: both networks over two views, the losses, the backward
// pass by hand, LARS, features for evaluations. Emitting is a function of the configuration: its result is text, and
// the description of what goes in and out. The moving average is the host's, because a device may fuse its product and
// sum.
//
// One program computes for one shard; an accelerator with several local shards runs it once for each. So programs
// depend on the network and the images of a shard, never on the number of shards or workers, and neither do their bits.
//
// Stages. A pass is cut where batch norm needs sums over all shards: a stage ends with the sums of its own shard, the
// next begins with what the host has made of everybody's. The networks have stages of their own, so that one computes
// while the sums of the other travel; gradients of weights are stages of their own, too, and run while sums of the
// backward pass travel. Sums are of the distance from the running mean, so that float32 does not cancel, and the host
// ends them in float64.
//
// Rows. Activations have the images of view 1 of the shard and then those of view 2: [2·images][height][width][c].
//
// Precision. Parameters, sums, statistics, losses and gradients of weights are float32. Activations and the operands
// of products are float32 or bfloat16. With FP64, which is for tests, everything is float64.
//
// When it fails: a network that cannot be emitted is an error in words. The rest are bugs and panic.
package emit

import (
	"errors"
	"fmt"

	"byol/model/engine"
	"byol/model/pjrt/hlo"
)

// Config is everything that programs depend on.
type Config struct {
	engine.Network
	Images    int // of one shard
	Precision Precision
}

// Precision is the type of activations and of products.
type Precision int

// The precisions.
const (
	FP32 Precision = iota
	BF16
	FP64 // for tests: everything in float64
)

// XLA are the options of compilations that equal bits need on a platform (cpu, cuda, rocm, tpu). They are part of what
// a program computes, wherever and for whatever device it is compiled.
func XLA(platform string, p Precision) map[string]any {
	options := map[string]any{}
	if platform == "cuda" || platform == "rocm" {
		options["xla_gpu_exclude_nondeterministic_ops"] = true
	}
	if p == BF16 { // else XLA leaves roundings out between what it joins, on each device others
		options["xla_allow_excess_precision"] = false
	}
	return options
}

// types are those of activations and products, and of everything else.
func (p Precision) types() (activations, masters hlo.Type) {
	switch p {
	case BF16:
		return hlo.BF16, hlo.F32
	case FP64:
		return hlo.F64, hlo.F64
	}
	return hlo.F32, hlo.F32
}

const (
	views    = 2
	colours  = 3
	minimum  = 1e-12  // of the squared length that a vector is divided by
	same     = "same" // padding of the reference, as opposed to PyTorch's
	online   = 0
	target   = 1
	networks = 2
)

// Stage is a stretch of a pass that is launched as one.
type Stage struct {
	Segment *hlo.Segment // nil: nothing to launch
	// Norms are the batch norms whose sums the stage ends with, and Sums is where: for each norm and view
	// [Σ(x−r), Σ(x−r)²] forward, r the running mean, and [Σg, Σg·x̂] backward, all [c]. The backward sums of a shard,
	// added over views, are its gradients of the norm's offset and scale.
	Norms []int
	Sums  *hlo.Value
	// Totals is what the stage begins with, nil for nothing: for each norm of the stage before and each view, forward its
	// mean and 1/√(variance+Epsilon), backward its sums over all shards divided by the number of values.
	Totals    *hlo.Value
	Gradients []Gradient // that it computes
}

// Gradient is the gradient of one parameter of one shard.
type Gradient struct {
	Param int
	Value *hlo.Value
}

// Step is the gradient of one shard: segments, and what the host gives and takes. Those of the scales and offsets of
// batch norms are in sums; a parameter that no stage has a gradient of counts as zero.
type Step struct {
	Layout  *engine.Layout
	Program *hlo.Program

	// What the host gives: images [images][height][width][3], labels [images] with −1 for none (nil without a probe), the
	// scale of every gradient, which is 1 over the images of all shards, and by network the flat layout and the running
	// statistics.
	View1, View2, Labels, Scale *hlo.Value
	Parameters, Statistics      [2]*hlo.Value

	// In the order of launches. Load comes before everything else that uses images, and Prepare before what uses the
	// parameters of its network.
	Load              *hlo.Segment
	Prepare           [2]*hlo.Segment
	Online, Target    []Stage
	Losses            Stage
	Backward, Weights []Stage // Weights[i] may run while the sums of Backward[i] travel

	// Dead is what nobody needs any more behind a segment. Of it, what is as large as a result is given up to that.
	Dead map[*hlo.Segment][]*hlo.Value

	// What the networks give on the way, [2·images][·] in the rows of activations, but logits of view 1 alone (nil without
	// a probe).
	Embedding, Prediction, Logits *hlo.Value
	Projection                    [2]*hlo.Value // by network
	// Behind is what the online network gives behind each batch norm and its ReLU, by norm; nil where there is none.
	Behind []*hlo.Value
	// Report is what the losses stage tells, in one vector: for each view and image BYOL's loss; with a probe, for each
	// image its loss and then whether it is right, an image without label adding nothing; and for each view Σẑ and Σẑ² of
	// the projections of unit length, by dimension.
	Report *hlo.Value
}

// New emits a step's gradient.
func New(c Config) (*Step, error) {
	b, err := newBuilder(c)
	if err != nil {
		return nil, fmt.Errorf("emit programs: %w", err)
	}
	s := b.step
	b.inputs()
	s.Load = b.Cut("load")
	b.images = hlo.Concat(0, s.View1, s.View2).As(b.act).Named("images")
	for i, role := range roles {
		s.Prepare[i] = b.Cut("prepare " + role)
	}
	for i := range networks {
		b.tensors[i] = newTensors(b, s.Prepare[i], s.Parameters[i], s.Statistics[i])
	}
	b.forward()
	b.losses()
	b.backward()
	for _, v := range []*hlo.Value{s.Embedding, s.Projection[online], s.Projection[target], s.Prediction, s.Logits} {
		if v != nil {
			b.Export(v)
		}
	}
	s.lives()
	return s, nil
}

var roles = [networks]string{"online", "target"}

// builder is what the parts of a program share while it is emitted.
type builder struct {
	*hlo.Program
	*engine.Layout
	Config
	step     *Step
	act, acc hlo.Type // of activations and products; of everything else
	images   *hlo.Value
	tensors  [networks]*tensors
	saved    map[int]saved // by the index of a convolution's weights
	pooled   *hlo.Value    // output of the max pooling
	dp, dz   *hlo.Value    // gradients of the prediction and, without stop-gradient, of the projection
}

// saved is what the backward pass needs of a unit of the online network.
type saved struct {
	x, z, y *hlo.Value
	stats   moments
}

func newBuilder(c Config) (*builder, error) {
	switch {
	case c.Precision < FP32 || c.Precision > FP64:
		return nil, fmt.Errorf("precision %d: want fp32 or bf16", c.Precision)
	case c.Images < 1:
		return nil, fmt.Errorf("%d images in a shard: want at least 1", c.Images)
	case c.Padding != "symmetric" && c.Padding != same:
		return nil, fmt.Errorf("padding %q: want symmetric or same", c.Padding)
	case c.NoPredictor && c.NoStopGradient:
		return nil, errors.New("two ablations at once, without predictor and without stop-gradient: want one")
	}
	l, err := engine.Describe(c.Network)
	if err != nil {
		return nil, err
	}
	b := &builder{Program: &hlo.Program{Precise: true}, Layout: l, Config: c, saved: map[int]saved{}}
	b.act, b.acc = c.Precision.types()
	b.step = &Step{Layout: l, Program: b.Program, Behind: make([]*hlo.Value, len(l.Norms))}
	return b, nil
}

func (b *builder) inputs() {
	s := b.step
	s.View1 = b.Input("view1", b.acc, b.Images, b.ImageSize, b.ImageSize, colours)
	s.View2 = b.Input("view2", b.acc, b.Images, b.ImageSize, b.ImageSize, colours)
	if b.Classes > 0 {
		s.Labels = b.Input("labels", hlo.I32, b.Images)
	}
	s.Scale = b.Input("scale", b.acc)
	for i, role := range roles {
		s.Parameters[i] = b.Input([]string{"theta", "xi"}[i], b.acc, b.Size)
		s.Statistics[i] = b.Input(role+".statistics", b.acc, b.Layout.Statistics)
	}
}

// rows is the number of rows of activations.
func (b *builder) rows() int { return views * b.Images }

// tensors are one network's parameters and running statistics, cut out of its flat vectors in a segment of their own
// when they are first used.
type tensors struct {
	b                 *builder
	segment           *hlo.Segment
	theta, statistics *hlo.Value
	known             map[string]*hlo.Value
}

func newTensors(b *builder, s *hlo.Segment, theta, statistics *hlo.Value) *tensors {
	return &tensors{b: b, segment: s, theta: theta, statistics: statistics, known: map[string]*hlo.Value{}}
}

func (t *tensors) once(name string, f func() *hlo.Value) *hlo.Value {
	if t.known[name] == nil {
		t.b.Within(t.segment, func() { t.known[name] = f().Named(name) })
	}
	return t.known[name]
}

// cut is a parameter in its place's shape: convolutions [out][height][width][in].
func (t *tensors) cut(p engine.Param) *hlo.Value {
	return t.theta.Slice(0, p.Off, p.End()).Reshape(shape(p)...)
}

func shape(p engine.Param) []int {
	if s := p.Shape; len(s) == 4 {
		return []int{s[0], s[2], s[3], s[1]}
	}
	return p.Shape
}

// vector is a parameter as it is.
func (t *tensors) vector(param int) *hlo.Value {
	p := t.b.Params[param]
	return t.once(p.Name, func() *hlo.Value { return t.cut(p) })
}

// factor is a parameter as products take it.
func (t *tensors) factor(param int) *hlo.Value {
	if t.b.act == t.b.acc {
		return t.vector(param)
	}
	p := t.b.Params[param]
	return t.once(p.Name+"."+t.b.act.String(), func() *hlo.Value { return t.cut(p).As(t.b.act) })
}

// mean is a batch norm's running mean.
func (t *tensors) mean(n engine.Norm) *hlo.Value {
	return t.once(n.Name+".running_mean", func() *hlo.Value { return t.statistics.Slice(0, n.Mean.Off, n.Mean.End()) })
}

// variance is a batch norm's running variance.
func (t *tensors) variance(n engine.Norm) *hlo.Value {
	return t.once(n.Name+".running_var", func() *hlo.Value { return t.statistics.Slice(0, n.Var.Off, n.Var.End()) })
}
