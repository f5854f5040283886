package model

import (
	"errors"
	"fmt"
	"slices"

	"byol/model/device"
	"byol/model/nn"
)

// state is one version of everything a step changes.
type state struct {
	theta, momentum, xi device.Buffer // flat [P]
	statistics          []float32
}

// Learner holds the state of one worker: both networks, the momentum, and the gradients of its shards.
type Learner struct {
	dev device.Device
	cfg Config
	cut nn.Cut

	steps, nextSteps int64 // that led to the current and the next state, for Export

	layers     *nn.Lockstep
	encoder    *nn.ResNet
	projector  *nn.MLP
	predictor  *nn.MLP
	classifier *nn.Classifier // nil without a probe

	images                  nn.Views   // [n][H][W][3]
	embedding, z, p, logits nn.Streams // [n][features], [n][d], [n][d], [n][classes]

	stages []nn.Stage // of a forward pass

	current, next state
	spare         []float32 // running statistics of the step after next, for Lead
	ahead         ahead
	labels        []int32 // all −1, for batches without labels
	shards        []ShardStats
	squares       []float64 // scratch of gradientNorm
}

// New plans a Learner of local shards on dev. All memory of a step is allocated here. sync may be nil where
// local is cfg.Shards.
func New(dev device.Device, cfg Config, local int, sync nn.Syncer) (*Learner, error) {
	if err := cfg.Check(); err != nil {
		return nil, fmt.Errorf("plan model: %w", err)
	}
	if local < 1 || local > cfg.Shards {
		return nil, fmt.Errorf("plan model: %d local shards of %d", local, cfg.Shards)
	}
	if local < cfg.Shards && sync == nil {
		return nil, errors.New("plan model: other shards exist, but nothing to exchange sums with them")
	}
	l := &Learner{dev: dev, cfg: cfg, cut: nn.Cut{Shards: cfg.Shards, Local: local, Images: cfg.Batch / cfg.Shards}}
	l.layers = nn.New(dev, nn.Options{
		Cut: l.cut, LocalBatchNorm: cfg.LocalBatchNorm, BucketElements: (cfg.BucketBytes + 3) / 4, Sync: sync,
	})
	if err := l.declare(); err != nil {
		return nil, fmt.Errorf("plan model: %w", err)
	}
	if err := l.plan(); err != nil {
		return nil, fmt.Errorf("plan model: %w", err)
	}
	return l, nil
}

// declare lays the networks out: encoder, projector, predictor, classifier.
func (l *Learner) declare() error {
	shape, err := l.cfg.EncoderShape()
	if err != nil {
		return err
	}
	c := l.cfg
	l.encoder = nn.NewResNet(l.layers, "encoder.", shape)
	features := l.encoder.FeatureDim()
	l.projector = nn.NewMLP(l.layers, "projector", nn.MLPShape{
		In: features, Hidden: c.ProjectorHidden, Out: c.ProjectorOut,
	})
	l.predictor = nn.NewMLP(l.layers, "predictor", nn.MLPShape{
		In: c.ProjectorOut, Hidden: c.PredictorHidden, Out: c.ProjectorOut, OnlineOnly: !c.TargetPredictor,
	})
	if c.Classes > 0 {
		l.classifier = nn.NewClassifier(l.layers, "classifier", features, c.Classes)
	}
	l.stages = slices.Concat(l.encoder.Stages(), l.projector.Stages())
	if c.Ablation != NoPredictor {
		l.stages = append(l.stages, l.predictor.Stages()...)
	}
	l.layers.Reserve(4 * c.ProjectorOut)
	return l.layers.Err()
}

// plan allocates.
func (l *Learner) plan() error {
	l.layers.Plan()
	var err error
	alloc := func(n int) device.Buffer {
		b, e := l.dev.Alloc(n)
		err = errors.Join(err, e)
		return b
	}
	n, size := l.cut.Batch(), l.layers.Size()
	for v := range l.images {
		l.images[v] = alloc(n * l.imageLen())
	}
	for _, s := range []*state{&l.current, &l.next} {
		s.theta, s.momentum = alloc(size), alloc(size)
		xi, e := device.AllocPeer(l.dev, size)
		s.xi, err = xi, errors.Join(err, e)
		s.statistics = make([]float32, l.layers.StatisticsSize())
	}
	l.spare = make([]float32, l.layers.StatisticsSize())
	if err != nil {
		return fmt.Errorf("allocate the networks' %d parameters on %s: %w", size, l.dev.Name(), err)
	}
	l.embedding = l.encoder.Plan(l.images)
	l.z = l.projector.Plan(l.embedding)
	l.p = l.predictor.Plan(l.z)
	if l.cfg.Ablation == NoPredictor {
		l.p = l.z
	}
	if l.classifier != nil {
		l.logits = l.classifier.Plan(l.embedding)
	}
	l.shards = make([]ShardStats, l.cut.Local)
	l.squares = make([]float64, 2*normColumns)
	l.labels = make([]int32, n)
	for i := range l.labels {
		l.labels[i] = -1
	}
	l.use()
	return l.layers.Err()
}

// use points the layers to the current state.
func (l *Learner) use() {
	l.layers.Use(l.current.theta, l.current.xi, l.current.statistics, l.next.statistics)
}

// imageLen is the number of elements of one image.
func (l *Learner) imageLen() int { return l.cfg.ImageSize * l.cfg.ImageSize * 3 }

// SetPhaseHook has f called whenever a phase begins: "forward", "backward", "update", "sync" (waiting for the
// sums of other shards; then the phase it interrupted begins again), and "idle" at the end.
func (l *Learner) SetPhaseHook(f func(phase string)) { l.layers.SetHook(f) }

// Buckets lists the spans in the order in which Grad reports them. They depend on the configuration and SetBuckets.
func (l *Learner) Buckets() []Bucket {
	var list []Bucket
	for i, s := range l.layers.Buckets() {
		list = append(list, Bucket{Index: i, Off: s.Off, Len: s.Len})
	}
	return list
}

// SetBuckets has Grad report buckets of that many bytes from now on; 0: one. Gradients are the same with any.
func (l *Learner) SetBuckets(bytes int) { l.layers.SetBuckets((bytes + 3) / 4) }

// ShardGradient is the flat gradient of local shard i, valid from Grad until Gradient is filled.
func (l *Learner) ShardGradient(i int) device.Buffer { return l.layers.Gradients()[i] }

// Gradient is where the gradient summed over all shards goes before Update. It is the memory of
// ShardGradient(0), so that a sum may start there and no copy is needed for a single shard.
func (l *Learner) Gradient() device.Buffer { return l.layers.Gradients()[0] }

// Commit makes the next state current.
func (l *Learner) Commit() {
	l.current, l.next = l.next, l.current
	l.steps = l.nextSteps
	if !l.ahead.begun {
		l.use()
		return
	}
	l.next.statistics, l.spare = l.spare, l.next.statistics // the layers have both states already
	l.ahead.committed = true
}

// Parameters is the length of the flat layout.
func (l *Learner) Parameters() int { return l.layers.Size() }

// FeatureDim is the number of features of one image.
func (l *Learner) FeatureDim() int { return l.encoder.FeatureDim() }

// Theta is the online network's parameters.
func (l *Learner) Theta() device.Buffer { return l.current.theta }

// ThetaNext is where Update puts the new online parameters.
func (l *Learner) ThetaNext() device.Buffer { return l.next.theta }

// Momentum is LARS' momentum.
func (l *Learner) Momentum() device.Buffer { return l.current.momentum }

// MomentumNext is where Update puts the new momentum.
func (l *Learner) MomentumNext() device.Buffer { return l.next.momentum }

// Xi is the target network's parameters, in the layout of the online network's.
func (l *Learner) Xi() device.Buffer { return l.current.xi }

// XiNext is where the new target goes before Commit.
func (l *Learner) XiNext() device.Buffer { return l.next.xi }

// Statistics are the running means and variances of the online network, then the target's.
func (l *Learner) Statistics() []float32 { return l.current.statistics }

// StatisticsNext is the same after the step at hand; Grad sets it.
func (l *Learner) StatisticsNext() []float32 { return l.next.statistics }
