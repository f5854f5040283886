package coordinator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"byol/coordinator/raftnode"
	"byol/coordinator/report"
	"byol/coordinator/run"
	"byol/coordinator/target"
	pb "byol/proto"
)

// driver is what the goroutine of Run knows: it alone turns messages, silence and time into commands, and the state
// into plans. Its methods return an error only for what ends the coordinator without a word to the workers.
type driver struct {
	c       *Coordinator
	ctx     context.Context
	log     *raftnode.Node
	report  *report.Report
	view    run.State
	shown   run.State // what advance last saw
	members map[run.WorkerID]*member
	target  *target.Target
	rates   run.Schedule

	collecting collecting
	progressAt time.Time // when the run last got on
	complained bool      // about the lack of it
	saveAt     time.Time // when the last timed checkpoint was asked for
	replayed   map[int64]run.Record
	trouble    trouble
	failure    *Failure
	signalled  bool
	deadline   time.Time // of the end, once the run is over
	figures    figures
	refusals   []string
	local      *launcher
}

// collecting says what the driver gathers from all workers.
type collecting struct {
	generation, step int64
	what             activity
	since            time.Time
}

type activity int

const (
	nothing activity = iota
	readiness
	results
	evaluations
)

// drive carries out events until the run has ended and everybody has left.
func (d *driver) drive(ctx context.Context) error {
	tick := time.NewTicker(d.c.period())
	defer tick.Stop()
	last := time.Now()
	cancelled := ctx.Done()
	for {
		_, changed := d.log.View()
		if err := d.advance(); err != nil {
			return err
		}
		if d.over() {
			return nil
		}
		var err error
		select {
		case letter := <-d.c.events:
			err = letter.event.happen(d)
			close(letter.done)
		case <-changed:
		case now := <-tick.C:
			if now.Sub(last) > d.c.opts.FailureTimeout/2 {
				d.refillLeases() // it was us who slept
			}
			last = now
			err = d.tick(now)
		case <-cancelled:
			cancelled = nil
			d.signalled = true
			d.event("stop-asked", "", "a signal asked to stop")
			err = d.propose(run.Stop{Reason: "stopped by a signal"})
		case <-d.c.aborted:
			return d.abort()
		}
		if err != nil {
			return err
		}
	}
}

// abort ends the run at once.
func (d *driver) abort() error {
	d.failure = &Failure{What: fmt.Sprintf("interrupted at step %d", d.view.Step), Why: "asked to end at once",
		Try: d.resumeHint(), Code: ExitInterrupted}
	return d.propose(run.Stop{Reason: "interrupted", Now: true})
}

// propose has the state carry out c. Refusals are for commands that came too late; they are not errors here.
func (d *driver) propose(c run.Command) error {
	err := d.ask(c)
	if refused(err) {
		d.c.opts.Log.Info("command came too late", zap.String("command", fmt.Sprintf("%T", c)), zap.Error(err))
		return nil
	}
	return err
}

// ask is propose with the refusal as its error.
func (d *driver) ask(c run.Command) error {
	err := d.log.Propose(context.WithoutCancel(d.ctx), c)
	d.view, _ = d.log.View()
	if err == nil || refused(err) {
		return err
	}
	return fmt.Errorf("write the raft log: %w", err)
}

// refused tells a state's answer from a failure of the log.
func refused(err error) bool {
	var stale *run.StaleError
	if errors.As(err, &stale) {
		return true
	}
	return slices.ContainsFunc([]error{run.ErrEnded, run.ErrPhase, run.ErrConflict, run.ErrInvalid, run.ErrFull,
		run.ErrDuplicate, run.ErrIndexTaken, run.ErrNotMember, run.ErrNoRun, run.ErrExists},
		func(sentinel error) bool { return errors.Is(err, sentinel) })
}

// advance does what the state asks of the shell: prepare to collect, send plans, tell watchers.
func (d *driver) advance() error {
	d.view, _ = d.log.View()
	d.prepare()
	d.sendPlans()
	if d.view.Phase != d.shown.Phase {
		d.progressAt, d.complained = time.Now(), false
		d.noteCode()
	}
	if d.view.Version != d.shown.Version {
		d.shown = d.view
		d.publish()
	}
	if d.view.Phase.Final() && d.deadline.IsZero() {
		d.deadline = time.Now().Add(d.c.opts.Grace)
		d.event("run-"+string(d.view.Phase), "", d.endText())
		d.publish()
	}
	return nil
}

// noteCode makes a failure that the state decided one for people.
func (d *driver) noteCode() {
	if d.view.Phase == run.Failed && d.failure == nil {
		d.failure = &Failure{What: d.view.Reason, Try: d.resumeHint(), Code: d.view.FailCode}
	}
}

// prepare opens the intake for what the state now waits for.
func (d *driver) prepare() {
	s := &d.view
	want := collecting{generation: s.Generation, step: s.Step}
	switch {
	case s.Phase.Final() || s.Phase == run.Waiting:
	case !s.Started:
		want.what = readiness
	case s.InFlight:
		want.what = results
	case s.Phase == run.Evaluating:
		want.what = evaluations
	}
	have := d.collecting
	have.since = time.Time{}
	if want == have {
		return
	}
	d.c.intake.shut()
	want.since = time.Now()
	d.collecting, d.progressAt, d.complained = want, want.since, false
	for _, m := range d.members {
		m.result, m.eval, m.whole = nil, nil, false
		if want.what == readiness {
			m.ready = nil
		}
	}
	switch want.what {
	case readiness:
		d.target = nil
		for _, o := range s.Members {
			if m := d.members[o.ID]; m != nil {
				m.rank.Store(int32(o.Rank))
			}
		}
	case results:
		d.target.Begin(float32(d.rates.OneMinusTau(s.Step)))
		d.c.intake.admit(d.target, s.Generation, s.Step)
	}
}

// sendPlans tells each worker its plan, when it is another one than it knows.
func (d *driver) sendPlans() {
	for _, m := range d.members {
		p, ok := d.view.Plan(m.id)
		if !ok || m.gone || m.sent && p.Same(m.plan) {
			continue
		}
		m.plan, m.sent = p, true
		m.outbox.push(parcel{message: &pb.ToWorker{Message: &pb.ToWorker_Plan{Plan: planMessage(p)}}})
	}
}

// over reports whether the run has ended and all workers have left, or had their time to.
func (d *driver) over() bool {
	if !d.view.Phase.Final() {
		return false
	}
	for _, m := range d.members {
		if !m.gone && !d.has(silent, m) {
			return time.Now().After(d.deadline)
		}
	}
	return true
}

// tick looks at the clock.
func (d *driver) tick(now time.Time) error {
	d.publish()
	if d.view.Phase.Final() {
		return nil
	}
	if err := d.checkSilence(now); err != nil {
		return err
	}
	if err := d.judge(now); err != nil {
		return err
	}
	if d.view.Phase == run.Waiting && now.After(d.c.joinBy) {
		return d.failJoin()
	}
	d.complain(now)
	return d.saveOnTime(now)
}

// saveOnTime asks for a checkpoint where the configuration counts seconds.
func (d *driver) saveOnTime(now time.Time) error {
	every := d.c.opts.Config.SaveEverySeconds
	if every <= 0 || d.collecting.what != results || len(d.view.Saving) > 0 || d.view.SaveWanted {
		return nil
	}
	if now.Sub(d.saveAt).Seconds() < every {
		return nil
	}
	d.saveAt = now
	return d.propose(run.RequestSave{})
}

// stallAfter is how long nothing may happen before the log says who is waited for.
const stallAfter = time.Minute

func (d *driver) complain(now time.Time) {
	limit := max(stallAfter, 10*d.figures.median())
	if d.complained || d.collecting.what == nothing || now.Sub(d.progressAt) < limit {
		return
	}
	d.complained = true
	for _, m := range d.ranked() {
		if !d.answered(m) {
			d.event("no-progress", string(m.id), fmt.Sprintf("step %d waits for %s for %v: %s", d.view.Step, m.id,
				now.Sub(d.progressAt).Round(time.Second), doing(m)))
		}
	}
}

// answered reports whether m has sent what is being collected.
func (d *driver) answered(m *member) bool {
	switch d.collecting.what {
	case readiness:
		return m.ready != nil && d.whole(m)
	case results:
		return m.result != nil && d.whole(m)
	case evaluations:
		return m.eval != nil
	}
	return true
}

// whole reports whether all of m's span has come; there are spans without elements.
func (d *driver) whole(m *member) bool {
	begin, end := d.target.Span(int(m.rank.Load()))
	return m.whole || begin == end
}

// ranked returns the members in rank order once ranks are given, by id before.
func (d *driver) ranked() []*member {
	return slices.SortedFunc(maps.Values(d.members), func(a, b *member) int {
		if x, y := a.rank.Load(), b.rank.Load(); x != y {
			return int(x - y)
		}
		if a.id < b.id {
			return -1
		}
		return 1
	})
}

// event writes down that something happened. A report that can't be written doesn't stop the training.
func (d *driver) event(kind, worker, text string) {
	d.c.opts.Log.Info(text, zap.String("event", kind), zap.String("worker", worker), zap.Int64("step", d.view.Step))
	if err := d.report.Event(kind, worker, text); err != nil {
		d.c.opts.Log.Warn("write event", zap.Error(err))
	}
}

// fail ends the run for everybody.
func (d *driver) fail(f *Failure) error {
	if d.failure == nil && !d.view.Phase.Final() {
		d.failure = f
	}
	return d.propose(run.Fail{Reason: f.Error(), Code: f.Code})
}

// resumeHint says what running again would do.
func (d *driver) resumeHint() string {
	if n := len(d.view.Checkpoints); n > 0 {
		return fmt.Sprintf("run the same command again to go on from step %d", d.view.Checkpoints[n-1].Step)
	}
	return "run the same command again to begin again from step 0, there is no checkpoint yet"
}

func (d *driver) endText() string {
	text := fmt.Sprintf("%s at step %d", d.view.Phase, d.view.Step)
	if d.view.Reason != "" {
		text += ": " + d.view.Reason
	}
	return text
}

// refuse counts a message that came too late or too early.
func (d *driver) refuse(m *member, text string) {
	m.stale.Add(1)
	d.event("message-refused", string(m.id), fmt.Sprintf("refused a message of %s: %s", m.id, text))
}
