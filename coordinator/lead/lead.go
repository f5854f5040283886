// Package lead is what a leader decides: who may join, what is collected from workers, when all have answered, what is
// committed, who is to blame when something is lost, and when the run is over. A Lead lives one term of raft.
//
// It is a pure function of what happens. Step takes an Event and the time it happened at, and returns what is to be
// done, in order; the shell (package coordinator) does it and has the clock, the streams, the vectors and the log. Two
// actions are questions: Propose and Weigh. A question is the last action of its Step, and the next Event is its answer
// (Answered, Weighed). So a Lead sees one thing at a time and can be run from a script.
//
// A Lead belongs to one goroutine. The States it is given are shared and never written.
//
// # When it fails
//
// A worker that is lost, or whose results are wrong, is removed, and the others run the step again; a ring that broke
// with nobody to blame is formed again. What no other worker could do better ends in the Failure of End, which says
// what, why and what to try: settings and data that no run can begin with, a state that nobody holds, a step that
// breaks every group. A shell that breaks the rule about questions gets a panic. A term that begins while workers are
// at work does not know what they hold, and so begins a new generation: members that do not come back within the
// failure timeout are lost.
package lead

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"byol/coordinator/run"
	"byol/internal/failure"
	"byol/model/optim"
)

// Settings are what a leader knows beyond the state.
type Settings struct {
	// Build is the binary's version, which workers must have as well; "" accepts any. Relaxed accepts all builds and
	// kernels.
	Build   string
	Relaxed bool
	Rates   optim.Schedule
	// ManifestHash is of the images that the run was created with, "" if that is not known.
	ManifestHash string
	// Data and EvalData name the images, for people.
	Data, EvalData string
	// SaveEvery is the time between checkpoints that the clock asks for, 0 for none. Keep is how many are kept, 0 for all.
	SaveEvery time.Duration
	Keep      int
	// JoinTimeout bounds the wait for all workers, FailureTimeout a worker's silence, Grace the end.
	JoinTimeout, FailureTimeout, Grace time.Duration
	// OnNaN is what becomes of a step whose gradient is not finite, twice: "skip" commits that it changes nothing, for
	// MaxSkips steps at most; otherwise the run ends.
	OnNaN    string
	MaxSkips int
	// EvictStragglers has workers sent off for a while that are slow; otherwise they are only named.
	EvictStragglers bool
	// BalanceSpeed has shards dealt out by speed.
	BalanceSpeed bool
	// Processes are those that the shell started and tells the end of: how many workers each stands for, by index. nil: it
	// started none.
	Processes []int
	// Address is where workers connect, for people.
	Address string
	// CheckpointDir is where workers write checkpoints, Mark what this coordinator, on Host, left there: "" for nothing.
	CheckpointDir, Mark, Host string
	// Opening says that this term takes the run up: nothing has been computed since the program was started.
	Opening bool
	// Heard is when the leader before this one was heard last; zero: that is not known.
	Heard time.Time
	// Warnings are what somebody should look at, found when the run was taken up.
	Warnings []string
	// Replayed are records of steps that are run again, by step. The leader takes out those it has compared.
	Replayed map[int64]run.Record
}

// Lead is one term's leader.
type Lead struct {
	set     Settings
	view    run.State
	shown   run.Phase // the phase that advance last saw
	members map[run.WorkerID]*member
	streams map[Stream]*member
	absent  Stream // counts members that have not attached; their streams are its negatives

	now     time.Time
	actions []Action
	asked   Action        // the question that is open, nil for none
	queue   []run.Command // to be proposed next
	ended   bool

	collecting collecting
	begun      time.Time   // when it began to be collected
	parameters int64       // of the network, 0 before the first worker has told
	worked     int64       // parameters of a group that has worked, 0 before: who has others is wrong, whoever tells first
	restored   bool        // the shell's target is the one of this generation's workers
	joining    *member     // whose Join is proposed
	commitment *commitment // the step whose Commit is proposed

	signs     []Sign
	mending   mending
	ledger    ledger
	trial     trial     // of the step that is verified
	held      Digests   // of the state that the group began with
	seeking   bool      // a checkpoint to go back to is looked for
	growAt    time.Time // when those that stand by may enter
	failedAt  time.Time // when a checkpoint last failed or was tried again
	retryAt   time.Time // when it is tried again
	retries   int
	stopBy    time.Time // when a stop that a signal or a failure asked for is carried out in any case
	failure   *failure.Failure
	advised   string // what the failure says of running again
	saves     bool   // the run has failed, and its state is to be saved
	signalled bool
	aborted   bool
	refusals  []string // of joins, the newest last

	pace           pace
	unreadable     map[image]bool
	contents       map[int64]known // by image
	lastUnreadable string

	ticked     time.Time // the last Tick
	joinBy     time.Time
	joinedAt   time.Time // when the last worker joined
	progressed time.Time // when the run last got on
	complained bool      // about the lack of it
	savedAt    time.Time // when the last timed checkpoint was asked for
	saver      string    // whose word of a checkpoint is proposed
	saving     float64   // seconds that it took
	unshared   string    // who does not see the checkpoints that this coordinator sees
	deadline   time.Time // of the end, once the run is over
}

// member is a worker that has joined.
type member struct {
	id     run.WorkerID
	stream Stream
	join   Join
	rank   int // −1 until ranks are given
	seen   time.Time

	plan     run.Plan
	sent     bool // plan was sent
	beat     *Beat
	ready    *Ready
	result   *Result
	measured *Measured
	whole    bool // its span of what is collected is complete
	taken    [activities]stamp
	saved    int64 // the newest order of a checkpoint that it has told of
	refused  int   // messages that were refused and told of, in this generation
	left     *Leave
	unfit    *failure.Failure // why it cannot do its part, though it holds the state; nil: it can
	leaving  bool             // it asked to go, or is drained
	slow     int              // steps in a row in which it was a straggler

	paced     []time.Duration // for a shard, of the last steps in this group
	history   []string        // of its phases
	lastNote  string
	complaint *Complaint
	stacks    string
	gone      bool // its stream has ended
}

// named is its name for people, with how many workers it stands for.
func (m *member) named() string { return run.Named(string(m.id), m.join.Workers) }

// stamp says which generation and step something is of.
type stamp struct{ generation, step int64 }

// New begins a term with the state as it was when all earlier terms were applied.
func New(set Settings, state run.State, now time.Time) *Lead {
	l := &Lead{set: set, members: map[run.WorkerID]*member{}, streams: map[Stream]*member{},
		unreadable: map[image]bool{}, contents: map[int64]known{}, now: now, ticked: now, progressed: now, savedAt: now,
		joinBy: now.Add(set.JoinTimeout)}
	l.mending, l.ledger = newMending(), newLedger()
	if state.FailCode != 0 && !state.Phase.Final() {
		l.stopBy = now.Add(set.Grace)
	}
	l.mending.proved = state.Started || state.Step > state.Restore.Step || state.Restarts > 0
	l.see(state)
	if regroups && !state.Phase.Final() && len(state.Group()) > 0 {
		l.ledger.inherits(now, set.Heard)
		l.queue = append(l.queue, run.Regroup{Generation: state.Generation, Reason: "another coordinator leads"})
	}
	return l
}

// Step takes what happened at now and returns what is to be done, in order. After End it returns nothing.
func (l *Lead) Step(now time.Time, e Event) []Action {
	if l.ended {
		return nil
	}
	_, answers := e.(answer)
	if answers != (l.asked != nil) {
		panic(fmt.Sprintf("lead: %T while %T is asked", e, l.asked))
	}
	l.now, l.actions = now, nil
	e.happen(l)
	l.advance()
	return l.actions
}

// see takes over a state. Members that others let in have not attached here: those of an earlier term, or of a later
// one, if this one is over and only does not know it yet.
func (l *Lead) see(state run.State) {
	l.view = state
	for _, o := range state.Members {
		if l.members[o.ID] != nil || l.joining != nil && l.joining.id == o.ID {
			continue
		}
		l.absent++
		m := &member{id: o.ID, stream: -l.absent, rank: o.Rank, seen: l.now, leaving: o.Leaving, gone: true}
		m.join = Join{ID: string(o.ID), Index: o.Wished, Address: o.Address, Host: o.Host, Incarnation: o.Incarnation,
			Workers: o.Workers}
		l.members[o.ID] = m
	}
}

// do adds an action.
func (l *Lead) do(a Action) { l.actions = append(l.actions, a) }

// ask adds a question. Nothing is decided until it is answered.
func (l *Lead) ask(q Action) {
	if l.asked != nil {
		panic(fmt.Sprintf("lead: %T while %T is asked", q, l.asked))
	}
	l.asked = q
	l.do(q)
}

func (l *Lead) propose(c run.Command) { l.ask(Propose{Command: c}) }

// later proposes c when nothing is asked any more.
func (l *Lead) later(c run.Command) { l.queue = append(l.queue, c) }

func (l *Lead) tell(kind, worker, format string, args ...any) {
	l.do(Tell{Kind: kind, Worker: worker, Text: fmt.Sprintf(format, args...)})
}

// advance does what the state asks for: open for what is to be collected, send plans, end.
func (l *Lead) advance() {
	if l.asked != nil {
		return
	}
	if len(l.queue) > 0 {
		c := l.queue[0]
		l.queue = l.queue[1:]
		l.propose(c)
		return
	}
	l.dismiss()
	l.prepare()
	l.sendPlans()
	if l.view.Phase != l.shown {
		l.shown = l.view.Phase
		l.gotOn()
	}
	if !l.view.Phase.Final() {
		return
	}
	if l.deadline.IsZero() {
		l.deadline = l.now.Add(l.set.Grace)
		if l.view.Phase == run.Failed {
			l.failed()
		}
		l.tell("run-"+string(l.view.Phase), "", "%s", l.endText())
	}
	if l.over() {
		l.end()
	}
}

// gotOn notes that something moved.
func (l *Lead) gotOn() { l.progressed, l.complained = l.now, false }

// sendPlans tells each worker its plan, when it is another one than it knows.
func (l *Lead) sendPlans() {
	for _, m := range l.ranked() {
		p, ok := l.view.Plan(m.id)
		if !ok || m.gone || m.sent && p.Same(m.plan) {
			continue
		}
		m.plan, m.sent = p, true
		l.do(Send{Stream: m.stream, Message: p})
	}
}

// over reports whether all workers have left, or had their time to. One that is silent does not use it.
func (l *Lead) over() bool {
	if l.aborted {
		return true
	}
	for _, m := range l.members {
		if !m.gone && !l.has(Silent, m) && l.now.Sub(m.seen) < l.set.FailureTimeout {
			return l.now.After(l.deadline)
		}
	}
	return true
}

func (l *Lead) end() {
	l.ended = true
	if l.failure == nil && l.signalled && l.view.Phase == run.Stopped {
		l.failure = &failure.Failure{Why: "a signal asked to stop", Try: l.resumeHint(), Code: failure.Temporary,
			What: fmt.Sprintf("stopped at step %d of %d", l.view.Step, l.view.Settings.EndStep)}
	}
	l.do(End{Failure: l.failure})
}

// group returns the members of the present group, in rank order.
func (l *Lead) group() []*member {
	var all []*member
	for _, o := range l.view.Group() {
		all = append(all, l.members[o.ID])
	}
	return all
}

// dismiss lets those go that are members no more: with a word where they asked to.
func (l *Lead) dismiss() {
	for _, m := range l.ranked() {
		if slices.ContainsFunc(l.view.Members, func(o run.Member) bool { return o.ID == m.id }) {
			continue
		}
		delete(l.members, m.id)
		delete(l.streams, m.stream)
		switch {
		case m.gone:
		case m.unfit != nil:
			l.do(Send{Stream: m.stream, Message: run.Plan{Version: l.view.Version, Generation: l.view.Generation,
				Phase: run.Failed, Rank: -1, Step: l.view.Step, Reason: Plain(m.unfit.Error(), run.MaxText),
				FailCode: m.unfit.Code}})
		case m.leaving:
			l.tell("worker-left", string(m.id), "%s left at step %d, as it was asked to", m.named(), l.view.Step)
			l.do(Send{Stream: m.stream, Message: run.Plan{Version: l.view.Version, Generation: l.view.Generation,
				Phase: run.Stopped, Rank: -1, Step: l.view.Step, Reason: "released at step " + fmt.Sprint(l.view.Step)}})
		default:
			l.do(Drop{Stream: m.stream, Why: "not a member any more"})
		}
	}
}

// ranked returns the members in rank order, those without a rank before.
func (l *Lead) ranked() []*member {
	all := make([]*member, 0, len(l.members))
	for _, m := range l.members {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b *member) int { return cmp.Or(a.rank-b.rank, cmp.Compare(a.id, b.id)) })
	return all
}

// resumeHint says what running again would do.
func (l *Lead) resumeHint() string {
	if n := len(l.view.Checkpoints); n > 0 {
		return fmt.Sprintf("run the same command again to go on from step %d", l.view.Checkpoints[n-1].Step)
	}
	if l.view.Step > 0 {
		return "run the same command with --restart-from-scratch to begin again from step 0, there is no checkpoint yet"
	}
	return "run the same command again to begin again from step 0, there is no checkpoint yet"
}

func (l *Lead) endText() string {
	text := fmt.Sprintf("%s at step %d", l.view.Phase, l.view.Step)
	if l.view.Reason != "" {
		text += ": " + l.view.Reason
	}
	return text
}
