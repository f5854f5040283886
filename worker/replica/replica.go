// Package replica is the state of a run on one worker: a learner on its engine, and how many steps are committed in
// it. It outlives the groups it is trained in and the number of shards it holds; only a checkpoint, a seed or another
// worker's state replaces it. The host sees the engine's vectors through it.
//
// Ownership. A Replica belongs to the goroutine that owns the engine. What State, Next, TargetNext and Gradients
// return may be read, and written where that is said, by others until the owner goes on; digests are hashed in
// goroutines that end before Digests returns.
//
// A step that was computed outlives its failure: whether it was committed may be known only later, when the plan of
// another group says so. Then Restore adopts it, with ξ' computed here, if the digests are those that were committed.
//
// When it fails: a Restore that finds no such state leaves a replica without one (Step is −1): that is a *LacksError,
// and the next Restore starts afresh. One that was interrupted while it planned for another number of shards leaves
// what was there, the step that was computed too: the next plan may come in the middle of this one, on all workers at
// once. Errors of other methods are the engine's; the committed state is then untouched.
package replica

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"byol/internal/failure"
	"byol/internal/safetensors"
	"byol/internal/vector"
	"byol/model"
	"byol/model/engine"
	"byol/worker/checkpoint"
	"byol/worker/transfer"
)

// Config is what fixes a replica for the life of a worker.
type Config struct {
	Model model.Config
	// Sums brings batch-norm sums to the other ranks.
	Sums model.Syncer
	// Parallel has digests hashed in parallel.
	Parallel bool
	// Offers, where set, is shown the committed state whenever it can be read, for other workers.
	Offers Offers
}

// Offers gives others the committed state. A *transfer.Server is one.
type Offers interface {
	// Offer shows the state of a step, in place of what was shown before, which is not read any more when it returns.
	Offer(step int64, s transfer.State)
	// Withdraw ends that.
	Withdraw()
}

// Want is a state that a replica is to hold.
type Want struct {
	Step int64
	// Digests of its parts, 0 for those that are not known.
	Digests Digests
}

// Complete reports whether the digests name the state.
func (w Want) Complete() bool {
	d := w.Digests
	return d.Online != 0 && d.Momentum != 0 && d.Statistics != 0 && d.Target != 0
}

// LacksError says that a replica holds no state, because nobody gave it the one that is wanted.
type LacksError struct {
	Step int64
	Err  error
}

// Error implements error.
func (e *LacksError) Error() string { return fmt.Sprintf("restore step %d: %v", e.Step, e.Err) }

// Unwrap is why nobody gave it.
func (e *LacksError) Unwrap() error { return e.Err }

// Replica is the state of the run on this worker.
type Replica struct {
	cfg     Config
	eng     engine.Engine
	learner *model.Learner // nil before the first Restore
	local   int            // shards
	step    int64          // committed steps, −1 for no state
	// computed is the step that Next showed, as long as nothing is computed over it.
	computed *State
	averaged bool      // the device has ξ' of that step
	arrival  []float32 // where the committed one goes then
}

// New returns a replica on an engine that holds no state yet.
func New(eng engine.Engine, cfg Config) *Replica { return &Replica{cfg: cfg, eng: eng, step: -1} }

// Learner computes on the state. It changes with Restore.
func (r *Replica) Learner() *model.Learner { return r.learner }

// Step is the number of steps committed in the state, −1 where there is none.
func (r *Replica) Step() int64 { return r.step }

// Local is the number of shards.
func (r *Replica) Local() int { return r.local }

// Holds is how many bytes of the host's memory the replica's engine holds.
func (r *Replica) Holds() int64 { return r.eng.Holds() }

// Needs is how many bytes of the host's memory local shards take at least.
func (r *Replica) Needs(local int) (int64, error) {
	return r.cfg.Model.Needs(r.eng.Needs, local)
}

// Restore makes the replica hold the wanted state in local shards: its own where it is that one, or the step that it
// computed from it where that one was committed, else what the source gives. What was begun of a next step is dropped.
// how says in a word where the state came from.
func (r *Replica) Restore(ctx context.Context, local int, want Want, from Source) (how string, err error) {
	if err := r.fit(ctx, local); err != nil {
		return "", err
	}
	switch how, err := r.own(want); {
	case err != nil:
		r.drop()
		return "", err
	case how != "":
		return how, nil
	}
	r.drop()
	if err := from.Fill(ctx, r.learner, want.Step); err != nil {
		return "", &LacksError{want.Step, err}
	}
	debug.FreeOSMemory() // a checkpoint is as large as the state itself
	r.step = want.Step
	s, err := r.State()
	if err == nil && !r.Digests(s).match(want.Digests) {
		err = &LacksError{want.Step, fmt.Errorf("the state that was found has digests %x, committed are %x", r.Digests(s),
			want.Digests)}
	}
	if err != nil {
		r.drop()
		return "", err
	}
	return "fetched", nil
}

// drop forgets the state.
func (r *Replica) drop() {
	r.withdraw()
	r.step, r.computed, r.averaged = -1, nil, false
}

// own makes the wanted state of what is here, if it can.
func (r *Replica) own(want Want) (how string, err error) {
	if r.step < 0 {
		return "", nil
	}
	s, err := r.State()
	if err != nil {
		return "", err
	}
	if named := want.Complete(); r.step == want.Step || named {
		if r.Digests(s).match(want.Digests) {
			how = "held"
			if r.step != want.Step { // a step that changed nothing
				r.computed, how = nil, "unchanged"
			}
			r.step = want.Step
			r.offer(s)
			return how, nil
		}
	}
	if r.step+1 == want.Step && r.computed != nil && want.Complete() {
		return r.rollForward(want)
	}
	return "", nil
}

// rollForward adopts the step that was computed, if it is the one that was committed, with ξ' averaged as the
// coordinator does it.
func (r *Replica) rollForward(want Want) (how string, err error) {
	next, err := r.Next() // the copies may be of other vectors by now
	if err != nil {
		return "", err
	}
	if next.Target, _ = r.Average(); !r.Digests(next).match(want.Digests) {
		return "", nil
	}
	r.Adopt()
	return "rolled forward", nil
}

// fit has the learner hold so many shards. A state stays where it is, after an error too.
func (r *Replica) fit(ctx context.Context, local int) error {
	var err error
	if r.learner == nil {
		r.learner, err = model.New(ctx, r.eng, r.cfg.Model, local, r.cfg.Sums)
	} else {
		err = r.learner.Replan(ctx, local)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return failure.Of(err, failure.Failure{What: "the network cannot be built",
			Try: "check --arch, --image-size, --batch-size and --shards", Code: failure.Usage})
	}
	r.local = local
	return nil
}

// State is a state as the host sees it.
type State struct {
	Online     []float32 // θ
	Momentum   []float32
	Statistics []float32 // running statistics of both networks
	Target     []float32 // ξ
}

// State views the committed state, and shows it to others. It is valid until the owner of the engine goes on.
func (r *Replica) State() (State, error) {
	s, err := view(r.learner.Current())
	if err == nil && r.step >= 0 {
		r.offer(s)
	}
	return s, err
}

// Next views what would be committed after an update: θ', m' and their statistics, and ξ as it is. It is kept until
// the next step's gradients begin, or Restore finds another state.
func (r *Replica) Next() (State, error) {
	next := r.learner.Next()
	next.Xi = r.learner.Current().Xi
	s, err := view(next)
	if err == nil {
		r.computed, r.averaged = &s, false
	}
	return s, err
}

// offer shows others the committed state.
func (r *Replica) offer(s State) {
	if r.cfg.Offers != nil {
		r.cfg.Offers.Offer(r.step, transfer.State(s))
	}
}

// withdraw ends that.
func (r *Replica) withdraw() {
	if r.cfg.Offers != nil {
		r.cfg.Offers.Withdraw()
	}
}

// view brings a state to the host. What the host has already is not written again, so others may read it meanwhile.
func view(s engine.State) (State, error) {
	vectors := [...]engine.Vector{s.Theta, s.Momentum, s.Xi}
	var transfers [len(vectors)]engine.Transfer
	for i, v := range vectors {
		transfers[i] = v.Fetch(engine.Span{Len: len(v.Host())})
	}
	for _, t := range transfers {
		if err := t.Wait(); err != nil {
			return State{}, err
		}
	}
	return State{Online: s.Theta.Host(), Momentum: s.Momentum.Host(), Statistics: s.Statistics, Target: s.Xi.Host()}, nil
}

// Digests name a state; see package vector.
type Digests struct{ Online, Momentum, Statistics, Target uint64 }

// match reports whether d is want as far as that is known.
func (d Digests) match(want Digests) bool {
	same := func(have, want uint64) bool { return want == 0 || have == want }
	return same(d.Online, want.Online) && same(d.Momentum, want.Momentum) && same(d.Statistics, want.Statistics) &&
		same(d.Target, want.Target)
}

// Digests hashes s.
func (r *Replica) Digests(s State) Digests {
	var d Digests
	var wg sync.WaitGroup
	for _, v := range []struct {
		x   []float32
		sum *uint64
	}{{s.Online, &d.Online}, {s.Momentum, &d.Momentum}, {s.Statistics, &d.Statistics}, {s.Target, &d.Target}} {
		if !r.cfg.Parallel {
			*v.sum = vector.Digest(v.x)
			continue
		}
		wg.Go(func() { *v.sum = vector.Digest(v.x) })
	}
	wg.Wait()
	return d
}

// TargetNext is memory for ξ', to be filled before Adopt.
func (r *Replica) TargetNext() []float32 { return r.learner.Next().Xi.Host() }

// Average makes ξ' of the step that Next showed, in TargetNext, with the bits of the coordinator's. That is for who
// runs ahead; arrival is where the coordinator's may go meanwhile.
func (r *Replica) Average() (target, arrival []float32) {
	target = r.TargetNext()
	vector.Average(target, r.computed.Target, r.computed.Online, float32(r.cfg.Model.Schedule.OneMinusTau(r.step)))
	r.storeTarget()
	if len(r.arrival) != len(target) {
		r.arrival = make([]float32, len(target))
	}
	return target, r.arrival
}

func (r *Replica) storeTarget() {
	v := r.learner.Next().Xi
	v.Store(engine.Span{Len: len(v.Host())})
	r.averaged = true
}

// Adopt commits the step that was computed: what Next showed, with what is in TargetNext as ξ'.
func (r *Replica) Adopt() {
	if !r.averaged {
		r.storeTarget()
	}
	s := *r.computed
	s.Target, r.computed, r.averaged = r.TargetNext(), nil, false
	r.learner.Commit()
	r.step++
	r.offer(s) // the memory of the state before may be written now
}

// Snapshot copies the state to the host as a checkpoint holds it, with the run's configuration as text.
func (r *Replica) Snapshot(config string) (checkpoint.State, error) {
	tensors, err := r.learner.Tensors()
	if err != nil {
		return checkpoint.State{}, err
	}
	s := checkpoint.State{Step: r.step, Config: config, Tensors: make([]safetensors.Tensor, len(tensors))}
	for i, t := range tensors {
		s.Tensors[i] = safetensors.Tensor{Name: t.Name, DType: safetensors.F32, Shape: t.Shape, Data: vector.Bytes(t.Data)}
	}
	return s, nil
}
