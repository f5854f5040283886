// Package replica is the state of a run on one worker: a learner on its device, and how many steps are committed in
// it. It outlives the groups it is trained in and the number of shards it holds; only a checkpoint, a seed or another
// worker's state replaces it.
//
// The host sees the device's vectors through it: in place where the device allows, else as copies whose memory is
// kept.
//
// Ownership. A Replica belongs to the goroutine that owns the device. What State, Next, TargetNext and Gradients
// return may be read, and written where that is said, by others until the owner goes on; digests are hashed in
// goroutines that end before Digests returns.
//
// When it fails: a Restore that returns an error leaves a replica without a state (Step is −1), and the next Restore
// starts afresh. Errors of other methods are the device's; the committed state is then untouched.
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
	"byol/model/device"
	"byol/model/nn"
	"byol/worker/checkpoint"
)

// Config is what fixes a replica for the life of a worker.
type Config struct {
	Model model.Config
	// Sums brings batch-norm sums to the other ranks.
	Sums nn.Syncer
	// Parallel has digests hashed in parallel.
	Parallel bool
	// Shared, where set, is memory that other workers of this host can read, for what they sum and share. Its error
	// only costs time.
	Shared func(n int) ([]float32, error)
}

// Replica is the state of the run on this worker.
type Replica struct {
	cfg     Config
	dev     device.Device
	host    *hostView
	learner *model.Learner // nil before the first Restore
	local   int            // shards
	step    int64          // committed steps, −1 for no state
}

// New returns a replica on dev that holds no state yet.
func New(dev device.Device, cfg Config) *Replica {
	return &Replica{cfg: cfg, dev: dev, host: newHostView(dev, cfg.Shared), step: -1}
}

// Learner computes on the state. It changes with Restore.
func (r *Replica) Learner() *model.Learner { return r.learner }

// Step is the number of steps committed in the state, −1 where there is none.
func (r *Replica) Step() int64 { return r.step }

// Local is the number of shards.
func (r *Replica) Local() int { return r.local }

// Restore makes the replica hold the state of step in local shards: its own state where it is of that step, else what
// the source gives. What was begun of a next step is dropped.
func (r *Replica) Restore(ctx context.Context, local int, step int64, from Source) error {
	own := r.step == step
	if err := r.fit(local); err != nil {
		r.step = -1
		return err
	}
	if own {
		return nil
	}
	r.step = -1
	if err := from.Fill(ctx, r.learner, step); err != nil {
		return err
	}
	debug.FreeOSMemory() // a checkpoint is as large as the state itself
	r.step = step
	return nil
}

// fit has the learner hold so many shards. A state stays where it is.
func (r *Replica) fit(local int) error {
	var err error
	if r.learner == nil {
		r.learner, err = model.New(r.dev, r.cfg.Model, local, r.cfg.Sums)
	} else {
		err = r.learner.Replan(local)
	}
	if err != nil {
		r.learner = nil
		return &failure.Failure{What: "the network cannot be built", Why: err.Error(),
			Try: "check --arch, --image-size, --batch-size and --shards", Code: failure.Usage}
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

// State views the committed state. It is valid until the owner of the device goes on.
func (r *Replica) State() (State, error) {
	l := r.learner
	return r.view(l.Theta(), l.Momentum(), l.Statistics())
}

// Next views what would be committed after an update: θ', m' and their statistics, and ξ as it is.
func (r *Replica) Next() (State, error) {
	l := r.learner
	return r.view(l.ThetaNext(), l.MomentumNext(), l.StatisticsNext())
}

func (r *Replica) view(theta, momentum device.Buffer, statistics []float32) (State, error) {
	if err := r.dev.Sync(); err != nil {
		return State{}, fmt.Errorf("compute on %s: %w", r.dev.Name(), err)
	}
	return State{Online: r.host.view(slotOnline, theta), Momentum: r.host.view(slotMomentum, momentum),
		Statistics: statistics, Target: r.host.view(slotTarget, r.learner.Xi())}, nil
}

// Digests name a state; see package vector.
type Digests struct{ Online, Momentum, Statistics, Target uint64 }

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

// TargetNext is memory for ξ', to be filled and given to Adopt.
func (r *Replica) TargetNext() []float32 { return r.host.blank(slotTargetNext, r.learner.XiNext()) }

// Adopt commits the step that was computed: what Next showed, with target, which is TargetNext, as ξ'.
func (r *Replica) Adopt(target []float32) {
	r.host.flush(r.learner.XiNext(), target)
	r.learner.Commit()
	r.step++
}

// Snapshot copies the state to the host as a checkpoint holds it, with the run's configuration as text.
func (r *Replica) Snapshot(config string) checkpoint.State {
	tensors := r.learner.Tensors()
	s := checkpoint.State{Step: r.step, Config: config, Tensors: make([]safetensors.Tensor, len(tensors))}
	for i, t := range tensors {
		s.Tensors[i] = safetensors.Tensor{Name: t.Name, DType: safetensors.F32, Shape: t.Shape, Data: vector.Bytes(t.Data)}
	}
	return s
}
