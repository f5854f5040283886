package coordinator

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"byol/coordinator/lead"
	"byol/coordinator/raftnode"
	"byol/coordinator/report"
	"byol/coordinator/run"
	"byol/coordinator/status"
	"byol/coordinator/target"
	"byol/internal/failure"
	"byol/internal/fault"
	pb "byol/proto"
)

// term is one term of leadership: it tells a lead what happens and does what the lead says. It belongs to the goroutine
// of Run.
type term struct {
	c       *Coordinator
	number  uint64
	lead    *lead.Lead
	streams map[lead.Stream]*attachment
	target  *target.Target
	ranks   []lead.Stream // of what was opened last
	sent    *lead.Release // what was released last, while its ξ is the current one
	last    *lead.Figures
	version int64        // of the state that the lead knows
	shown   int64        // of the state that was published
	next    []lead.Event // what came of actions
	asked   [2]time.Time // when the log was asked to agree on the last step, and when it had
	ended   bool
	failure *failure.Failure
}

// errDeposed ends a term that another follows.
var errDeposed = errors.New("coordinator: leads no more")

func (c *Coordinator) newTerm(number uint64) *term {
	view, _ := c.node.View()
	set := c.leadSettings()
	set.Heard = c.node.Info().Heard
	return &term{c: c, number: number, lead: lead.New(set, view, time.Now()),
		streams: map[lead.Stream]*attachment{}, version: -1, shown: -1}
}

// leadSettings are what a leader knows of this run.
func (c *Coordinator) leadSettings() lead.Settings {
	o, cfg := c.opts, c.opts.Config
	return lead.Settings{Build: o.Build, Relaxed: cfg.Determinism == "relaxed", Rates: scheduleOf(cfg),
		ManifestHash: cfg.ManifestHash, Data: cfg.Data, EvalData: cfg.EvalData,
		OnNaN: o.OnNaN, MaxSkips: o.MaxSkips, EvictStragglers: o.Straggler == "evict",
		BalanceSpeed: o.Balance == "speed",
		SaveEvery:    time.Duration(cfg.SaveEverySeconds * float64(time.Second)), Keep: int(cfg.Keep),
		JoinTimeout: o.JoinTimeout, FailureTimeout: o.FailureTimeout, Grace: o.Grace,
		Processes: o.processes(), Address: c.named, Replayed: c.replayed,
		CheckpointDir: cfg.CheckpointDir, Mark: c.mark, Host: c.host, Opening: c.opening, Warnings: c.warnings}
}

// run carries out what happens until the run or the term has ended.
func (t *term) run(cancelled <-chan struct{}) error {
	tick := time.NewTicker(t.c.period())
	defer tick.Stop()
	for {
		if err := t.catchUp(); err != nil || t.ended {
			return err
		}
		if t.c.parted(time.Now(), 0) {
			return errHandOver
		}
		_, changed := t.c.node.View()
		leads, deposed := t.c.node.Leadership()
		if leads != t.number {
			return errDeposed
		}
		var err error
		select {
		case letter := <-t.c.events:
			err = t.take(letter)
		case <-changed:
		case <-deposed:
		case <-tick.C:
			err = t.happen(lead.Tick{Heard: t.heard()})
			t.publish()
		case <-cancelled:
			cancelled = nil
			if t.c.shared() {
				err = t.part()
			} else {
				err = t.happen(lead.Signal{})
			}
		case <-t.c.aborted:
			if t.c.shared() {
				return errHandOver
			}
			err = t.happen(lead.Abort{})
		}
		if err != nil {
			return err
		}
	}
}

// catchUp tells the lead of a state that others changed, and everybody of any new one.
func (t *term) catchUp() error {
	if view, _ := t.c.node.View(); view.Version != t.version {
		t.version = view.Version
		if err := t.happen(lead.Changed{State: view}); err != nil {
			return err
		}
	}
	if t.version != t.shown {
		t.publish()
	}
	return nil
}

// take carries out a letter.
func (t *term) take(l envelope) error {
	defer close(l.done)
	switch e := l.event.(type) {
	case nil: // somebody wants to see the status
		t.publish()
		return nil
	case lead.Joining:
		t.streams[e.Stream] = l.from
		err := t.happen(e)
		if l.from.refused {
			delete(t.streams, e.Stream)
		}
		return err
	case lead.Gone:
		delete(t.streams, e.Stream)
		return t.happen(e)
	default:
		return t.happen(e)
	}
}

// heard lists when each stream was heard last.
func (t *term) heard() map[lead.Stream]time.Time {
	all := make(map[lead.Stream]time.Time, len(t.streams))
	for s, a := range t.streams {
		all[s] = t.c.started.Add(time.Duration(a.seen.Load()))
	}
	return all
}

// happen tells the lead of e and does what it says, and so on with what comes of that.
func (t *term) happen(e lead.Event) error {
	t.next = append(t.next, e)
	for len(t.next) > 0 {
		e, t.next = t.next[0], t.next[1:]
		for e != nil {
			actions := t.lead.Step(time.Now(), e)
			e = nil
			for _, a := range actions {
				var err error
				if e, err = t.do(a); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// do carries out an action. Questions have an answer.
func (t *term) do(a lead.Action) (lead.Event, error) {
	switch a := a.(type) {
	case lead.Propose:
		return t.propose(a.Command)
	case lead.Weigh:
		t.c.intake.shut()
		slices, whole := t.target.Received()
		return lead.Weighed{Slices: slices, Whole: whole, Target: t.target.NextDigest()}, nil
	case lead.Open:
		return nil, t.open(a)
	case lead.Shut:
		t.c.intake.shut()
	case lead.Adopt:
		t.target.Commit()
	case lead.Release:
		t.release(a)
	case lead.Resume:
		t.resume(a)
	case lead.Send:
		t.send(a)
	case lead.Inspect:
		t.c.inspect(a)
	case lead.Seek:
		t.c.seek()
	case lead.Ask:
		if s := t.streams[a.Stream]; s != nil {
			s.outbox.push(parcel{message: &pb.ToWorker{Message: &pb.ToWorker_Dump{Dump: &pb.Dump{}}}})
		}
	case lead.Drop:
		if s := t.streams[a.Stream]; s != nil {
			s.drop(a.Why)
		}
	default:
		t.report(a)
	}
	return nil, nil
}

// report does what is for people and files. A report that can't be written doesn't stop the training.
func (t *term) report(a lead.Action) {
	files := t.c.report.Load()
	switch a := a.(type) {
	case lead.Tell:
		t.c.tell(a.Kind, a.Worker, a.Text)
		if a.Seconds > 0 {
			t.c.opts.Board.Saved(time.Duration(a.Seconds * float64(time.Second)))
		}
		t.spanCheckpoint(a)
	case lead.Note:
		t.c.scribe.do(func() { t.c.opts.Log.Info(a.Text) })
	case lead.Committed:
		t.last = &a.Figures
		view, _ := t.c.node.View()
		t.c.worked.count(view.Group())
		line := reportLine(a.Figures, t.c.opts.Config)
		t.c.opts.Board.Committed(line)
		t.spanStep(a, line)
		t.c.file(func() error { return files.Step(line) })
	case lead.Evaluated:
		t.c.tell("evaluated", "", evaluationText(a.Evaluation))
		line := reportEvaluation(a.Evaluation)
		t.c.opts.Board.Evaluated(line)
		t.c.file(func() error { return files.Evaluation(line) })
	case lead.Incident:
		t.c.file(func() error { return files.Incident(incidentFiles(a)) })
	case lead.Rewound:
		t.c.opts.Board.Rewound(a.Step)
		t.c.file(func() error { return files.Rewind(a.Step) })
	case lead.Prune:
		t.c.scribe.do(func() { t.c.prune(a.Keep) })
	case lead.End:
		t.ended, t.failure = true, a.Failure
	}
}

// file has something written of which nothing depends.
func (c *Coordinator) file(write func() error) {
	c.scribe.do(func() {
		if err := write(); err != nil {
			c.opts.Log.Warn("write report", zap.Error(err))
		}
	})
}

func (c *Coordinator) prune(keep int) {
	if k := c.opts.Checkpoints; k != nil {
		if err := k.Prune(keep); err != nil {
			c.tell("prune-failed", "", "old checkpoints could not be removed: "+err.Error())
		}
	}
}

// seek looks for the newest checkpoint that verifies, which takes as long as reading it.
func (c *Coordinator) seek() {
	c.start(func() {
		found := lead.Sought{Why: "no checkpoint verifies"}
		if c.opts.Checkpoints != nil {
			info, _, err := c.opts.Checkpoints.Newest()
			if err != nil {
				found.Why = err.Error()
			} else if info != nil {
				k := checkpointValue(info)
				found.Checkpoint = &k
			}
		}
		_ = c.post(c.life, envelope{event: found}) // nobody wants to know when the run is over
	})
}

// tell remembers that something happened, and has it written down. It waits for no file.
func (c *Coordinator) tell(kind, worker, text string) {
	c.telling.Lock() // so that lines are written in the order of their ids
	defer c.telling.Unlock()
	files := c.report.Load()
	if files == nil { // the reports are those of who leads
		c.scribe.do(func() { c.opts.Log.Info(text, zap.String("event", kind), zap.String("worker", worker)) })
		return
	}
	e := files.Happened(kind, worker, text)
	c.file(func() error {
		c.opts.Log.Info(text, zap.String("event", kind), zap.String("worker", worker))
		return files.Event(e)
	})
	c.opts.Board.Happened(e)
	if c.opts.OnEvent != nil {
		c.opts.OnEvent(e)
	}
}

// propose has the log agree on c. An error says that the log is of no use any more, or this term over.
func (t *term) propose(c run.Command) (lead.Event, error) {
	if _, commits := c.(run.Commit); commits {
		t.c.opts.Points.Pass(fault.Propose)
	}
	t.c.proposing.Store(int64(time.Since(t.c.started)))
	begun := time.Now()
	err := t.c.node.Propose(t.c.life, c)
	t.c.proposing.Store(0)
	agreed := time.Now()
	t.c.opts.Board.Proposed(agreed.Sub(begun))
	if _, commits := c.(run.Commit); commits {
		t.asked = [2]time.Time{begun, agreed}
	}
	view, _ := t.c.node.View()
	t.version = view.Version
	switch {
	case err == nil || refused(err):
		return lead.Answered{Command: c, Err: err, State: view}, nil
	case errors.Is(err, raftnode.ErrNotDone) || errors.Is(err, raftnode.ErrUnknown):
		if leads, _ := t.c.node.Leadership(); leads != t.number {
			return nil, errDeposed
		}
	}
	return nil, fmt.Errorf("write the raft log: %w", err)
}

// refused tells a state's answer from a failure of the log.
func refused(err error) bool {
	var stale *run.StaleError
	if errors.As(err, &stale) {
		return true
	}
	return slices.ContainsFunc([]error{run.ErrEnded, run.ErrPhase, run.ErrConflict, run.ErrInvalid, run.ErrFull,
		run.ErrDuplicate, run.ErrIndexTaken, run.ErrBanned, run.ErrNotMember, run.ErrNoRun, run.ErrExists},
		func(sentinel error) bool { return errors.Is(err, sentinel) })
}

// open takes slices, and reports the spans that are complete without any.
func (t *term) open(o lead.Open) error {
	if o.Restore {
		made, err := target.New(o.Parameters, len(o.Ranks))
		if err != nil {
			return err
		}
		t.target, t.sent = made, nil
		t.target.BeginRestore()
	} else {
		t.target.Begin(o.Rate)
	}
	t.ranks = o.Ranks
	ranks := map[lead.Stream]int{}
	for rank, s := range o.Ranks {
		ranks[s] = rank
		if begin, end := t.target.Span(rank); begin == end {
			t.next = append(t.next, lead.Whole{Stream: s, Generation: o.Generation, Step: o.Step})
		}
	}
	t.c.intake.admit(t.target, o.Generation, o.Step, ranks)
	return nil
}

// release makes ξ' the current target and sends each rank its span of it.
func (t *term) release(r lead.Release) {
	t.c.opts.Points.Pass(fault.Broadcast)
	t.target.Commit()
	t.sent = &r
	for rank := range t.ranks {
		t.sendSpan(rank)
	}
	t.c.opts.Points.Pass(fault.BroadcastEnd)
}

// sendSpan sends a rank its span of the current target.
func (t *term) sendSpan(rank int) {
	begin, end := t.target.Span(rank)
	if a := t.streams[t.ranks[rank]]; a != nil {
		a.outbox.push(parcel{piece: &piece{generation: t.sent.Generation, step: t.sent.Step, offset: begin,
			values: t.target.Current()[begin:end]}})
	}
}

// resume gives a worker that attached again the place it had.
func (t *term) resume(r lead.Resume) {
	t.c.intake.resume(r.Was, r.Stream)
	if rank := slices.Index(t.ranks, r.Was); rank >= 0 {
		t.ranks[rank] = r.Stream
		if t.sent != nil {
			t.sendSpan(rank)
		}
	}
}

func (t *term) send(s lead.Send) {
	a := t.streams[s.Stream]
	if a == nil {
		return
	}
	m := &pb.ToWorker{}
	switch x := s.Message.(type) {
	case run.Plan:
		m.Message = &pb.ToWorker_Plan{Plan: planMessage(x)}
	case lead.Welcome:
		name := string(x.ID)
		a.name.Store(&name)
		m.Message = &pb.ToWorker_Welcome{Welcome: &pb.Welcome{WorkerId: string(x.ID), RunId: x.RunID,
			Config: t.c.opts.Config}}
	case lead.Refused:
		a.refused = true
		m.Message = &pb.ToWorker_Refused{Refused: &pb.Refused{Reason: x.Reason, Hint: x.Hint,
			Temporary: x.Temporary}}
	}
	a.outbox.push(parcel{message: m})
	if m.GetWelcome() != nil { // from the first moment on a worker knows that it would hear this again and again
		a.outbox.push(parcel{message: aliveNow()})
	}
}

// publish shows the status as it is now.
func (t *term) publish() {
	info := t.c.node.Info()
	facts := status.Facts{Lead: t.lead.View(), Last: t.last, Now: time.Now(), Started: t.c.started,
		Config: t.c.opts.Config, Rates: scheduleOf(t.c.opts.Config), Build: t.c.opts.Build, RunDir: t.c.runDir,
		Launcher: t.c.opts.Launcher, LeaderID: info.LeaderID, Term: info.Term, CommitIndex: info.CommitIndex}
	if files := t.c.report.Load(); files != nil {
		facts.PacedSteps, facts.PacedSeconds = files.Pace()
	}
	s := status.Message(facts)
	if w := t.c.stalled.Load(); w != nil && *w != "" {
		s.Warnings = append(slices.Clone(s.Warnings), *w)
	}
	t.shown = t.version
	t.c.protect(s)
	t.c.latest.Show(s)
	state := &facts.Lead.State
	t.c.show(s, info, !state.Started && !state.Phase.Final() && state.Phase != run.Waiting)
	if t.c.opts.OnProgress != nil {
		t.c.opts.OnProgress(s)
	}
}

// dismiss hangs up on all workers: they find whoever leads now.
func (t *term) dismiss() {
	t.c.intake.shut()
	for _, a := range t.streams {
		a.drop("the coordinator leads no more")
	}
}

// reportLine is the line of a committed step in the metrics.
func reportLine(f lead.Figures, c *pb.RunConfig) report.Step {
	s := report.Step{Step: f.Record.Step + 1, Time: report.At(time.Unix(0, f.Record.UnixNano)), Loss: f.Loss,
		ProbeLoss: f.ProbeLoss, ProbeTop1: f.ProbeTop1, Std: f.Std,
		LR: f.LR, Tau: f.Tau, GradientNorm: f.Norm, Seconds: f.Seconds, ImagesPerSecond: f.ImagesPerSecond,
		Phases: map[string]float64{}, Latency: map[string]float64{}, Digest: fmt.Sprintf("%016x", f.Record.Target)}
	if c.Samples > 0 {
		s.Epoch = float64(f.Record.Step+1) * float64(c.BatchSize) / float64(c.Samples)
	}
	for _, p := range f.Phases {
		s.Phases[p.Name] = p.Seconds
		if p.Latency > 0 {
			s.Latency[p.Name] = p.Latency
		}
	}
	return s
}

// incidentFiles are what is kept of an incident.
func incidentFiles(a lead.Incident) report.Incident {
	i := report.Incident{Name: fmt.Sprintf("step-%09d-generation-%d-%s", a.Step, a.Generation, a.Kind), About: a,
		Texts: map[string]string{}}
	for _, w := range a.Workers {
		if w.Stacks != "" {
			i.Texts["stacks-"+w.ID+".txt"] = w.Stacks
		} else if text := stuck(w); text != "" {
			i.Texts["process-"+w.ID+".txt"] = text
		}
	}
	return i
}

func reportEvaluation(e run.Evaluation) report.Evaluation {
	line := report.Evaluation{Step: e.Step, Error: e.Error}
	for _, c := range e.Counts {
		if e.Error == "" {
			line.Measures = append(line.Measures, report.Measure{Name: c.Name, Ratio: c.Ratio(), Of: c.Total})
		}
	}
	return line
}

// evaluationText puts an evaluation in words.
func evaluationText(e run.Evaluation) string {
	if e.Error != "" {
		return fmt.Sprintf("evaluation after %d steps failed: %s", e.Step, e.Error)
	}
	text := fmt.Sprintf("evaluation after %d steps:", e.Step)
	for i, c := range e.Counts {
		if i > 0 {
			text += ","
		}
		text += fmt.Sprintf(" %s %.2f %% of %d", c.Name, 100*c.Ratio(), c.Total)
	}
	return text
}
