package model

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"byol/model/engine"
)

// Learner holds the state of one worker: both networks, the momentum, and the gradients of its shards.
type Learner struct {
	eng     engine.Engine
	cfg     Config
	network engine.Network
	layout  *engine.Layout
	sync    Syncer
	hook    func(phase string)
	phase   string

	cut      engine.Cut // zero where there is no plan
	stages   *engine.Stages
	complete []int // where the gradient is complete from, behind Losses and then each of Backward and Weights in turn
	buckets  buckets
	turns    turns

	current, next engine.State
	spare         []float32 // running statistics of the step after next, for Lead
	using         bool      // the engine reads the current state

	online, target half
	running        []float32 // statistics that the pass at hand moves
	ahead          ahead
	message        message
	sums           []float64 // totals over shards that a backward stage begins with

	unlabelled []int32 // all −1, for batches without labels
	losses     []engine.Losses
	shards     []ShardStats
}

// New plans a Learner of local shards on an engine, which it has to itself. All memory of a step is allocated here.
// sync may be nil where local is cfg.Shards.
func New(ctx context.Context, eng engine.Engine, cfg Config, local int, sync Syncer) (*Learner, error) {
	network, err := cfg.Network()
	if err != nil {
		return nil, fmt.Errorf("plan model: %w", err)
	}
	l := &Learner{eng: eng, cfg: cfg, network: network, sync: sync, target: half{network: 1}}
	if l.layout, err = engine.Describe(network); err != nil {
		return nil, fmt.Errorf("plan model: %w", err)
	}
	if err := l.checkLocal(local); err != nil {
		return nil, fmt.Errorf("plan model: %w", err)
	}
	if err := l.plan(ctx, local); err != nil {
		return nil, fmt.Errorf("plan model: %w", err)
	}
	if err := l.allocateState(); err != nil {
		return nil, fmt.Errorf("plan model: %w", err)
	}
	return l, nil
}

// Replan makes the learner one of another number of local shards. The current state stays where it is: it is neither
// copied nor rounded. Everything else is planned anew in the memory that is given back before, so a learner never
// holds more than the largest number of shards so far has needed. That is what a worker calls when the shards are
// dealt out again; the same Syncer, with its new group, goes on.
//
// What Lead has begun is dropped, all gradients are void, their vectors are others than before, and buckets are cut as
// the configuration says. It is called between steps and between groups. The step that Update has computed stays, too,
// until the next Grad: Commit may follow. After an error there is a state and no plan, and Replan may be called again.
func (l *Learner) Replan(ctx context.Context, local int) error {
	l.Drop()
	if local == l.cut.Local {
		return nil
	}
	if err := l.checkLocal(local); err != nil {
		return fmt.Errorf("plan model anew: %w", err)
	}
	if err := l.plan(ctx, local); err != nil {
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

// plan has the engine plan for a number of local shards, and allocates what passes need beside it.
func (l *Learner) plan(ctx context.Context, local int) error {
	l.cut, l.using = engine.Cut{}, false
	cut := l.cfg.Cut(local)
	l.turns.atOnce = l.cfg.atOnce(local)
	stages, err := l.eng.Plan(ctx, l.network, l.cfg.Cut(l.turns.atOnce))
	if err != nil {
		return err
	}
	l.stages = stages
	l.online.plan(stages.Online)
	l.target.plan(stages.Target)
	order := []*engine.Stage{&stages.Losses}
	for k := range stages.Backward {
		order = append(order, &stages.Backward[k], &stages.Weights[k])
	}
	l.complete = completeFrom(l.layout.Size, order)
	l.SetBuckets(l.cfg.BucketBytes)
	longest := l.longest()
	l.message.allocate(local, cut.Shards, longest)
	l.sums = make([]float64, longest)
	l.losses, l.shards = make([]engine.Losses, local), make([]ShardStats, local)
	l.unlabelled = make([]int32, cut.Batch())
	for i := range l.unlabelled {
		l.unlabelled[i] = -1
	}
	if err := l.planTurns(local); err != nil {
		return err
	}
	l.cut = cut
	return nil
}

// longest is how many numbers a message has at most, and what is computed from it: a stage of both networks, or the
// moments of the widest batch norm.
func (l *Learner) longest() int {
	n, most := l.stages.Losses.Sums, func(list []engine.Stage) (n int) {
		for _, s := range list {
			n = max(n, s.Sums)
		}
		return n
	}
	for _, norm := range l.layout.Norms {
		n = max(n, 6*norm.C)
	}
	return max(n, most(l.stages.Online)+most(l.stages.Target), most(l.stages.Backward))
}

// allocateState allocates what no number of shards decides over.
func (l *Learner) allocateState() error {
	var err error
	vector := func(peers bool) engine.Vector {
		v, e := l.eng.NewVector(peers)
		err = errors.Join(err, e)
		return v
	}
	for _, s := range []*engine.State{&l.current, &l.next} {
		s.Theta, s.Momentum, s.Xi = vector(false), vector(false), vector(true)
		s.Statistics = make([]float32, 2*l.layout.Statistics)
	}
	l.spare = make([]float32, 2*l.layout.Statistics)
	if err != nil {
		return fmt.Errorf("allocate the networks' %d parameters on %s: %w", l.layout.Size, l.eng.Name(), err)
	}
	return nil
}

// imageLen is the number of elements of one image.
func (l *Learner) imageLen() int { return l.cfg.ImageSize * l.cfg.ImageSize * 3 }

// SetPhaseHook has f called whenever a phase begins: "forward", "backward", "update", "sync" (waiting for the
// sums of other shards; then the phase it interrupted begins again), and "idle" at the end.
func (l *Learner) SetPhaseHook(f func(phase string)) { l.hook = f }

// begins says that a phase begins.
func (l *Learner) begins(phase string) {
	l.phase = phase
	if l.hook != nil {
		l.hook(phase)
	}
}

// Buckets lists the buckets in the order in which Grad reports them. They depend on the configuration and SetBuckets.
func (l *Learner) Buckets() []Bucket { return l.buckets.list }

// SetBuckets has Grad report buckets of that many bytes from now on; 0: one. Gradients are the same with any.
func (l *Learner) SetBuckets(bytes int) { l.buckets.cut(l.layout.Size, (bytes+3)/4) }

// ShardGradient is the flat gradient of local shard i, valid from Grad until Gradient is filled.
func (l *Learner) ShardGradient(i int) engine.Vector {
	if l.inTurns() {
		return l.turns.held[i]
	}
	return l.eng.Gradient(i)
}

// Gradient is where the gradient summed over all shards goes before Update. It is the memory of
// ShardGradient(0), so that a sum may start there and no copy is needed for a single shard.
func (l *Learner) Gradient() engine.Vector { return l.ShardGradient(0) }

// Commit makes the next state current.
func (l *Learner) Commit() {
	l.current, l.next = l.next, l.current
	if !l.ahead.begun {
		l.using = false
		return
	}
	l.next.Statistics, l.spare = l.spare, l.next.Statistics // the engine has both states already
	l.ahead.committed = true
}

// Parameters is the length of the flat layout.
func (l *Learner) Parameters() int { return l.layout.Size }

// FeatureDim is the number of features of one image.
func (l *Learner) FeatureDim() int { return l.layout.Features }

// Current is the committed state: the online network's parameters, the momentum, the target's parameters in the
// same layout, and the running means and variances of the online network, then the target's.
func (l *Learner) Current() engine.State { return l.current }

// Next is the state after the step at hand: Grad sets its statistics, Update θ' and m', and the new target goes to its
// Xi before Commit.
func (l *Learner) Next() engine.State { return l.next }

// Probe copies the linear classifier that is trained beside the encoder to the host: weight [classes][FeatureDim] and
// bias [classes], nil without one.
func (l *Learner) Probe() (weight, bias []float32, err error) {
	c := l.layout.Classifier
	if c == nil {
		return nil, nil, nil
	}
	var out [2][]float32
	for i, k := range []int{c.Weight, c.Bias} {
		at := l.layout.Params[k].Span
		if err := l.current.Theta.Fetch(at).Wait(); err != nil {
			return nil, nil, fmt.Errorf("copy probe: %w", err)
		}
		out[i] = slices.Clone(l.current.Theta.Host()[at.Off:at.End()])
	}
	return out[0], out[1], nil
}

// Encode computes features [n][FeatureDim] of n images x [n][H][W][3] by the online encoder with its running
// statistics. The features of an image do not depend on the images beside it.
func (l *Learner) Encode(ctx context.Context, x []float32, n int, out []float32) error {
	size, dim := l.imageLen(), l.FeatureDim()
	if len(x) < n*size || len(out) < n*dim {
		return fmt.Errorf("encode %d images: %d values in and %d out, want %d and %d", n, len(x), len(out), n*size, n*dim)
	}
	l.Drop()
	l.use()
	if err := l.eng.Encode(ctx, x, n, out); err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	return nil
}
