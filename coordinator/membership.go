package coordinator

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"byol/coordinator/run"
	pb "byol/proto"
)

// join lets a worker in, or says why not and what to do.
func (d *driver) join(m *member) (reason, hint string, err error) {
	o, j := d.c.opts, m.join
	m.id = d.nameFor(j)
	if o.Build != "" && j.Build != o.Build && o.Config.Determinism != "relaxed" {
		reason = fmt.Sprintf("the worker is of build %q, the coordinator of %q", j.Build, o.Build)
		hint = "use binaries of one build, or --determinism relaxed"
	} else if d.view.Phase.Final() {
		reason, hint = "the run has ended: "+d.endText(), "run the coordinator again"
	} else if j.DataAddress == "" {
		reason, hint = "the worker has no address for its peers", "use binaries of one build"
	} else {
		reason, hint, err = d.enter(m)
	}
	if reason != "" {
		d.refusals = append(d.refusals, fmt.Sprintf("%s was refused: %s", m.id, reason))
		d.event("worker-refused", string(m.id), fmt.Sprintf("%s was refused: %s", m.id, reason))
	}
	return reason, hint, err
}

// nameFor is the id a worker asks for, or one made of its index, or the next free one.
func (d *driver) nameFor(j *pb.Join) run.WorkerID {
	if j.WorkerId != "" {
		return run.WorkerID(j.WorkerId)
	}
	if j.Index >= 0 {
		return run.WorkerID(fmt.Sprintf("worker-%d", j.Index))
	}
	for n := 0; ; n++ {
		id := run.WorkerID(fmt.Sprintf("worker-%d", n))
		if d.members[id] == nil {
			return id
		}
	}
}

func (d *driver) enter(m *member) (reason, hint string, err error) {
	j := m.join
	err = d.ask(run.Join{Member: run.Member{ID: m.id, Wished: int(max(j.Index, -1)), Address: j.DataAddress,
		Host: j.Host, Incarnation: j.Incarnation}})
	switch {
	case errors.Is(err, run.ErrFull):
		return fmt.Sprintf("the run has all its %d workers", d.c.opts.Workers), "start the run with more --workers", nil
	case errors.Is(err, run.ErrDuplicate):
		return fmt.Sprintf("a worker with the name %s has joined already", m.id), "give each worker its own id", nil
	case errors.Is(err, run.ErrIndexTaken):
		return fmt.Sprintf("a worker with index %d has joined already", j.Index), "give each worker its own --index", nil
	case refused(err):
		return err.Error(), fmt.Sprintf("indexes are 0 to %d", d.c.opts.Workers-1), nil
	case err != nil:
		return "", "", err
	}
	if old := d.members[m.id]; old != nil && !old.gone {
		return fmt.Sprintf("%s is attached already", m.id), "one stream per worker", nil
	}
	d.members[m.id] = m
	d.event("worker-joined", string(m.id), fmt.Sprintf("%s joined from %s (%s, process %d): %d of %d",
		m.id, j.DataAddress, j.Host, j.Pid, len(d.view.Members), d.c.opts.Workers))
	m.outbox.push(parcel{message: &pb.ToWorker{Message: &pb.ToWorker_Welcome{Welcome: &pb.Welcome{
		WorkerId: string(m.id), RunId: d.view.Settings.RunID, Config: d.c.opts.Config}}}})
	return "", "", nil
}

// hear takes a message of a member.
func (d *driver) hear(m *member, message *pb.FromWorker) error {
	switch b := message.Message.(type) {
	case *pb.FromWorker_Heartbeat:
		m.beat = b.Heartbeat
		return nil
	case *pb.FromWorker_Ready:
		if d.stale(m, readiness, b.Ready.Generation, b.Ready.Step) {
			return nil
		}
		return d.hearReady(m, b.Ready)
	case *pb.FromWorker_StepResult:
		if d.stale(m, results, b.StepResult.Generation, b.StepResult.Step) {
			return nil
		}
		m.result = b.StepResult
		return d.progress()
	case *pb.FromWorker_EvalResult:
		if d.stale(m, evaluations, b.EvalResult.Generation, b.EvalResult.Step) {
			return nil
		}
		m.eval = b.EvalResult
		return d.progress()
	case *pb.FromWorker_CheckpointSaved:
		return d.hearSaved(m, b.CheckpointSaved)
	case *pb.FromWorker_Leave:
		return d.hearLeave(m, b.Leave)
	case *pb.FromWorker_ImageUnreadable:
		u := b.ImageUnreadable
		d.figures.unreadable++
		d.figures.lastUnreadable = u.Name
		d.event("image-unreadable", string(m.id), fmt.Sprintf("image %d %s cannot be read and is replaced: %s",
			u.Index, u.Name, u.Error))
		return nil
	}
	return d.fail(&Failure{What: fmt.Sprintf("%s broke the protocol", m.id),
		Why: fmt.Sprintf("it sent %T while a member", message.Message), Try: "use binaries of one build", Code: ExitInternal})
}

// stale refuses a message that isn't what is being collected.
func (d *driver) stale(m *member, what activity, generation, step int64) bool {
	have := d.collecting
	if what == have.what && generation == have.generation && step == have.step {
		return false
	}
	d.refuse(m, fmt.Sprintf("got generation %d step %d, have generation %d step %d", generation, step,
		have.generation, have.step))
	return true
}

func (d *driver) hearSaved(m *member, s *pb.CheckpointSaved) error {
	k := run.Checkpoint{Step: s.Step, Path: s.Path, Bytes: s.SizeBytes, SHA256: s.StateSha256,
		UnixNano: time.Now().UnixNano()}
	err := d.ask(run.Saved{Checkpoint: k, Error: s.Error, FailCode: ExitCheckpoint})
	switch {
	case refused(err):
		d.refuse(m, err.Error())
		return nil
	case err != nil:
		return err
	case s.Error != "":
		d.event("checkpoint-failed", string(m.id),
			fmt.Sprintf("checkpoint of step %d could not be written: %s", s.Step, s.Error))
		return nil
	}
	d.event("checkpoint-saved", string(m.id), fmt.Sprintf("saved step %d as %s (%.1f MiB, %.1f s)", s.Step, s.Path,
		float64(s.SizeBytes)/(1<<20), s.Seconds))
	if keep := int(d.c.opts.Config.Keep); keep > 0 && d.c.opts.Checkpoints != nil {
		if err := d.c.opts.Checkpoints.Prune(keep); err != nil {
			d.event("prune-failed", "", "old checkpoints could not be removed: "+err.Error())
		}
	}
	return nil
}

// failJoin ends a run whose workers did not come in time.
func (d *driver) failJoin() error {
	have, want := len(d.view.Members), d.c.opts.Workers
	var missing []string
	for i := range want {
		if !slices.ContainsFunc(d.view.Members, func(m run.Member) bool { return m.Wished == i }) {
			missing = append(missing, fmt.Sprint(i))
		}
	}
	anyIndex := slices.ContainsFunc(d.view.Members, func(m run.Member) bool { return m.Wished < 0 })
	f := &Failure{Code: ExitTooFew, What: fmt.Sprintf("only %d of %d workers joined within %v", have, want,
		d.c.opts.JoinTimeout), Why: "the others never connected to " + d.c.Addr(),
		Try: fmt.Sprintf("start the missing workers (worker --coordinator %s), a longer --join-timeout, or --workers %d",
			d.c.Addr(), max(1, have))}
	if !anyIndex {
		f.What += fmt.Sprintf(" (missing: %s)", strings.Join(missing, ", "))
	}
	if n := len(d.refusals); n > 0 {
		f.Why = d.refusals[n-1]
	}
	return d.fail(f)
}

// refillLeases forgives a silence during which the coordinator itself was not running.
func (d *driver) refillLeases() {
	for _, m := range d.members {
		m.seen.Store(d.c.sinceStart())
	}
}
