package simulate

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"byol/coordinator/run"
	"byol/internal/failure"
)

// proof is what is known of a run from outside, to compare with what it does.
type proof struct {
	state   run.State // of all that is committed
	applied int
	said    map[saying]bool
}

// saying is that a worker said something of a generation and step.
type saying struct {
	kind             string
	generation, step int64
	worker           run.WorkerID
}

func newProof() proof { return proof{said: map[saying]bool{}} }

func (p *proof) say(kind string, generation, step int64, worker run.WorkerID) {
	p.said[saying{kind, generation, step, worker}] = true
}

// checkProposal looks at what a leader wants to be agreed on: all of the group have said so in this generation.
func (w *World) checkProposal(c *coordinator, command run.Command) {
	kind, generation, step := "", int64(0), int64(0)
	switch k := command.(type) {
	case run.Started:
		kind, generation, step = "ready", k.Generation, k.Step
	case run.Commit:
		if kind, generation, step = "result", k.Record.Generation, k.Record.Step; k.Record.Skipped {
			return
		}
	default:
		return
	}
	for _, m := range c.state.Group() {
		if generation == c.state.Generation && !w.proof.said[saying{kind, generation, step, m.ID}] {
			w.problem("%T of generation %d step %d is proposed, and %s never said so", command, generation, step, m.ID)
		}
	}
}

// judge looks at a command that was agreed on. A step that is committed makes the state that it makes in a run without
// faults, of each image once; steps are gone back on only where nobody of the group holds their state.
func (w *World) judge(command run.Command) {
	before := w.proof.state.Step
	s := w.lastState()
	switch k := command.(type) {
	case run.Commit:
		if s.Step == before {
			return // refused, or said twice
		}
		w.checkRecord(k.Record)
	case run.Leave:
		known := slices.ContainsFunc([]*process{w.faults.flipped, w.faults.lied}, func(p *process) bool {
			return p != nil && p.id == k.Worker
		})
		if k.Quarantine && !known {
			w.problem("%s is in quarantine, and nothing was wrong with it: %s", k.Worker, k.Reason)
		}
	case run.Rewind:
		w.out.Rewinds++
		for _, m := range s.Members {
			if p := w.holder(m.ID); p != nil && p.held.step == before && p.group != nil {
				w.problem("step %d is gone back to from step %d, and %s of the group holds it", s.Step, before, p.name())
			}
		}
	default:
		if s.Step != before {
			w.problem("%T took the run from step %d to %d", command, before, s.Step)
		}
	}
}

func (w *World) checkRecord(r run.Record) {
	want := w.model.truth[r.Step+1]
	if got := (state{r.Step + 1, r.Online, r.Momentum, r.Statistics, r.Target}); got != want &&
		(r.Step > 0 || !r.Skipped) {
		w.problem("step %d is committed as %+v, without faults it is %+v", r.Step, got, want)
	}
	if r.Skipped != (r.Step == w.model.odd) {
		w.problem("step %d: skipped %v, and its gradient is a number: %v", r.Step, r.Skipped, r.Step != w.model.odd)
	}
	if samples := w.model.samples(r.Step); !r.Skipped && r.Samples != samples {
		w.problem("step %d used images %016x, it is to use %016x", r.Step, r.Samples, samples)
	}
}

// checkAdopted looks at a state that a worker takes for committed.
func (w *World) checkAdopted(p *process, s state, how string) {
	w.note("%s holds step %d (%s)", p.name(), s.step, how)
	if last := w.lastState().Step; s.step > last {
		w.problem("%s takes step %d for committed, the log ends at %d", p.name(), s.step, last)
	} else if s != w.model.truth[s.step] {
		w.problem("%s holds %+v of step %d by %s, without faults it is %+v", p.name(), s, s.step, how, w.model.truth[s.step])
	}
}

func (w *World) checkStored(p *process, s state) {
	if s != w.model.truth[s.step] {
		w.problem("%s stores another state of step %d than is committed", p.name(), s.step)
	}
}

// holder is the live process with an id that holds a state and can be reached, nil for none.
func (w *World) holder(id run.WorkerID) *process {
	for _, p := range w.slots {
		if p.id == id && p.alive && !p.stopped && p.has && p.welcome {
			return p
		}
	}
	return nil
}

// judgeEnd looks at how a run ended: a failure has a reason that is true.
func (w *World) judgeEnd(phase run.Phase, f *failure.Failure) {
	s := w.lastState()
	switch {
	case phase == run.Completed && s.Step == w.settings.EndStep && f == nil:
	case phase == run.Failed && f != nil && f.Code == failure.Checkpoint && w.disk.full:
	case phase == run.Failed && f != nil && f.Code == failure.Checkpoint:
		for _, p := range w.slots {
			if q := w.holder(p.id); q == p && p.held.step == s.Step {
				w.problem("the run ends (%v), and %s holds step %d", f, p.name(), s.Step)
			}
		}
		if path, _ := w.disk.newest(); path != "" && w.disk.files[path].state.step < s.Step {
			w.problem("the run ends (%v), and checkpoint %s is there", f, path)
		}
	default:
		w.problem("the run ends %s at step %d of %d: %v", phase, s.Step, w.settings.EndStep, f)
	}
}

// checkCopies brings all coordinators to the end of the log: they hold the same.
func (w *World) checkCopies() {
	last := w.lastState()
	for _, c := range w.coords {
		if !c.alive {
			continue
		}
		c.apply(len(w.raft.entries))
		if !reflect.DeepEqual(c.state.Clone(), last.Clone()) {
			w.problem("coordinator %d holds %+v, the log makes %+v", c.id, c.state, *last)
		}
	}
}

// healed begins to wait for progress: from now on nothing goes wrong.
func (p *proof) healed(w *World) {
	from := p.state.Step
	w.after(progressBound, func() {
		s := w.lastState()
		if s.Step >= min(from+10, w.settings.EndStep) {
			return
		}
		if s.Phase == run.Waiting && s.Reason != "" && (w.settings.MinWorkers > 1 || len(s.Quarantine) > 0) {
			return // for somebody who was sent off for a while, or until the join timeout for ever: that ends, too
		}
		w.problem("%v after all was healed the run came from step %d to %d: %s", progressBound, from, s.Step, w.situation())
	})
}

// String tells an outcome.
func (o Outcome) String() string {
	return fmt.Sprintf("%s at step %d after %v: %d terms, %d groups broke, %d rewinds, %d events, faults %v", o.End,
		o.Steps,
		o.Took.Round(time.Millisecond), o.Terms, o.Breaks, o.Rewinds, o.Events, o.Faults)
}
