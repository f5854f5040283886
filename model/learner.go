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
	dev     device.Device // of the state
	cfg     Config
	cut     nn.Cut
	sync    nn.Syncer
	scope   device.Device // of all that follows from the number of local shards
	release func() error
	store   device.Device // of the state, until Close
	free    func() error
	hook    func(phase string)

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
	l := &Learner{dev: dev, cfg: cfg, sync: sync}
	l.store, l.free = device.Scope(dev)
	if err := l.build(local); err != nil {
		return nil, errors.Join(fmt.Errorf("plan model: %w", err), l.free())
	}
	return l, nil
}

// Close gives all memory back, the state's too. The learner is of no more use.
func (l *Learner) Close() error {
	err := errors.Join(l.release(), l.free())
	l.release, l.free = nothing, nothing
	return err
}

func nothing() error { return nil }

// Replan makes the learner one of another number of local shards. The current state stays where it is: it is neither
// copied nor rounded. Everything else is planned anew in the memory that is given back before, so a learner never
// holds more than the largest number of shards so far has needed. That is what a worker calls when the shards are
// dealt out again:
//
//	if replica.local != local {
//		err = replica.learner.Replan(local) // the same Syncer, with its new group, goes on
//	}
//
// What Lead has begun is dropped, all gradients are void, their buffers are others than before, and buckets are cut as
// the configuration says. It is called between steps and between groups. The step that Update has computed stays, too,
// until the next Grad: Commit may follow. After an error the learner is of no more use but for Close.
func (l *Learner) Replan(local int) error {
	l.Drop()
	if local == l.cut.Local {
		return nil
	}
	if err := l.checkLocal(local); err != nil {
		return fmt.Errorf("plan model anew: %w", err)
	}
	err := l.release()
	l.release = nothing
	if err != nil {
		return fmt.Errorf("plan model anew: give memory back: %w", err)
	}
	if err := l.build(local); err != nil {
		return fmt.Errorf("plan model anew: %w", err)
	}
	return nil
}

func (l *Learner) checkLocal(local int) error {
	if local < 1 || local > l.cfg.Shards {
		return fmt.Errorf("%d local shards of %d", local, l.cfg.Shards)
	}
	if local < l.cfg.Shards && l.sync == nil {
		return errors.New("other shards exist, but nothing to exchange sums with them")
	}
	return nil
}

// build declares and plans everything for a number of local shards in a scope of its own, and the state where there is
// none.
func (l *Learner) build(local int) (err error) {
	if err := l.checkLocal(local); err != nil {
		return err
	}
	l.cut = nn.Cut{Shards: l.cfg.Shards, Local: local, Images: l.cfg.Batch / l.cfg.Shards}
	l.scope, l.release = device.Scope(l.dev)
	defer func() {
		if err != nil {
			err = errors.Join(err, l.release())
			l.release = nothing
		}
	}()
	l.layers = nn.New(l.scope, nn.Options{
		Cut: l.cut, LocalBatchNorm: l.cfg.LocalBatchNorm, BucketElements: (l.cfg.BucketBytes + 3) / 4, Sync: l.sync,
	})
	l.layers.SetHook(l.hook)
	if err := l.declare(); err != nil {
		return err
	}
	if l.current.theta.IsNil() {
		if err := l.allocateState(); err != nil {
			return err
		}
	}
	return l.plan()
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

// allocateState allocates what no number of shards decides over.
func (l *Learner) allocateState() error {
	var err error
	alloc := func(how func(device.Device, int) (device.Buffer, error)) device.Buffer {
		b, e := how(l.store, l.layers.Size())
		err = errors.Join(err, e)
		return b
	}
	for _, s := range []*state{&l.current, &l.next} {
		s.theta, s.momentum = alloc(device.Device.Alloc), alloc(device.Device.Alloc)
		s.xi = alloc(device.AllocPeer)
		s.statistics = make([]float32, l.layers.StatisticsSize())
	}
	l.spare = make([]float32, l.layers.StatisticsSize())
	if err != nil {
		return fmt.Errorf("allocate the networks' %d parameters on %s: %w", l.layers.Size(), l.dev.Name(), err)
	}
	return nil
}

// plan allocates what a step needs beside the state.
func (l *Learner) plan() error {
	l.layers.Plan()
	n := l.cut.Batch()
	for v := range l.images {
		var err error
		if l.images[v], err = l.scope.Alloc(n * l.imageLen()); err != nil {
			return fmt.Errorf("allocate %d images on %s: %w", n, l.dev.Name(), err)
		}
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
func (l *Learner) SetPhaseHook(f func(phase string)) {
	l.hook = f
	l.layers.SetHook(f)
}

// Buckets lists the buckets in the order in which Grad reports them. They depend on the configuration and SetBuckets.
func (l *Learner) Buckets() []Bucket { return l.layers.Buckets() }

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
