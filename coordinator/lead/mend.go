package lead

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"byol/coordinator/run"
	"byol/internal/failure"
)

// mending is what the leader remembers of what went wrong, to tell a mishap from a fault that comes again.
type mending struct {
	// proved says that a group has worked in this run: what goes wrong afterwards is one worker's trouble and not the
	// run's.
	proved bool
	// since counts groups that broke since the last committed step, rings those of them that nobody was to blame for.
	since, rings int
	// quarrels count by worker the complaints that it made, or that were made of it, since the last committed step.
	quarrels map[run.WorkerID]int
	// doubted is the step that was computed again because results differed without a majority; odd the one whose loss
	// or gradient was not finite.
	doubted, odd stamp
	// benched workers may not come back before a time; benches counts how often they were sent off.
	benched map[run.WorkerID]time.Time
	benches map[run.WorkerID]int
	// out are processes that are not started again, and why.
	out map[string]*failure.Failure
	// drained are the indexes of workers that were let go for good.
	drained map[int]bool
	// known are the names of all who ever joined.
	known map[string]bool
}

func newMending() mending {
	return mending{quarrels: map[run.WorkerID]int{}, benched: map[run.WorkerID]time.Time{},
		benches: map[run.WorkerID]int{},
		out:     map[string]*failure.Failure{}, drained: map[int]bool{}, known: map[string]bool{},
		doubted: stamp{-1, -1}, odd: stamp{-1, -1}}
}

const (
	// ringTries is how often a ring that broke is formed again before somebody is sent off.
	ringTries = 2
	// benchFirst is how long a worker that was sent off stays away, twice as long each time, up to benchLast.
	benchFirst, benchLast = 30 * time.Second, 10 * time.Minute
)

// lose removes a worker that was lost; the others run the step again. A fault that no run begins with, or that leaves
// nobody, ends the run.
func (l *Lead) lose(id, kind string, why *failure.Failure) {
	l.signs = slices.DeleteFunc(l.signs, func(s Sign) bool { return s.Worker == id || s.Kind == Accuser })
	l.tell(kind, id, "%s", why.Error())
	l.incident(kind, id, why.Error())
	hopeless := slices.Contains([]int{failure.Usage, failure.Data, failure.Checkpoint}, why.Code)
	lost := []run.WorkerID{run.WorkerID(id)}
	if m := l.members[lost[0]]; m != nil && m.unfit != nil {
		lost = nil // it can save what it holds
	}
	switch {
	case hopeless && (!l.mending.proved || len(l.view.Members) == 1):
		l.fail(why, lost...)
	case l.mending.out[id] != nil && l.tooFewLeft():
		l.fail(why, lost...)
	case l.tired(why, lost...):
	default:
		l.later(run.Leave{Worker: run.WorkerID(id), Reason: Plain(why.What, run.MaxText)})
	}
}

// tired ends a run whose groups break one after the other at the same step.
func (l *Lead) tired(why *failure.Failure, lost ...run.WorkerID) bool {
	l.mending.since++
	if l.mending.since <= 3*l.view.Settings.Workers+10 {
		return false
	}
	f := *why
	f.What = fmt.Sprintf("step %d broke %d groups one after the other; the last time: %s", l.view.Step, l.mending.since,
		f.What)
	l.fail(&f, lost...)
	return true
}

// leftOut notes a process that is not started again. A run that has not begun ends with it, as does one that has too
// few left; where all were asked to go, as if it had been asked to stop.
func (l *Lead) leftOut(name string, why *failure.Failure) {
	l.mending.out[name] = why
	if why.Code == failure.Temporary {
		if l.tooFewLeft() {
			l.signalled = true
			l.later(run.Stop{Reason: "all workers were asked to go"})
		}
		return
	}
	l.tell("worker-left-out", name, "%s; it is not started again", why.Error())
	if !l.mending.proved || l.tooFewLeft() {
		l.fail(why)
	}
}

// tooFewLeft reports whether the processes that may still work stand for fewer workers than the run goes on with.
func (l *Lead) tooFewLeft() bool {
	left := 0
	for i, workers := range l.set.Processes {
		if l.mending.out[string(numbered(i))] == nil {
			left += workers
		}
	}
	return l.set.Processes != nil && left < l.view.Settings.MinWorkers
}

// heard notes that a worker's group broke.
func (c Complaint) heard(l *Lead, m *member) {
	if c.Generation != l.view.Generation || m.rank < 0 || l.view.Phase.Final() {
		return
	}
	why := Plain(c.Reason, run.MaxText)
	m.complaint, m.stacks = &c, c.Stacks
	if c.NotFinite && !l.view.InFlight {
		return
	}
	if c.Code != 0 {
		m.unfit = &failure.Failure{Why: why, Code: exitCode(c.Code), Try: cmp.Or(Plain(c.Hint, run.MaxText), l.resumeHint()),
			What: fmt.Sprintf("%s cannot go on at step %d in phase %s", m.named(), l.view.Step, Plain(c.Phase, run.MaxName))}
		l.sign(Sign{Kind: Broke, Worker: string(m.id), Rank: m.rank, Accused: -1, Failure: m.unfit})
		return
	}
	if c.NotFinite {
		l.notFinite(fmt.Sprintf("%s computed a gradient that is not finite: %s", m.id, why))
		return
	}
	accused, who := -1, "its group"
	if group := l.group(); c.Suspect >= 0 && c.Suspect < len(group) && c.Suspect != m.rank {
		accused, who = c.Suspect, string(group[c.Suspect].id)
		if c.Address != "" {
			who += " at " + Plain(c.Address, run.MaxName)
		}
	}
	f := &failure.Failure{What: fmt.Sprintf("%s lost %s at step %d in phase %s", m.id, who, l.view.Step,
		Plain(c.Phase, run.MaxName)), Why: why, Try: l.resumeHint(), Code: failure.Unreachable}
	l.tell("group-broken", string(m.id), "%s", f.Error())
	l.sign(Sign{Kind: Accuser, Worker: string(m.id), Rank: m.rank, Accused: accused, Failure: f})
}

// broke forms a group again whose ring broke though all its members live. When that has not helped, the member that
// most complaints are about is sent off for a while; a run that never had a group ends with the reason.
func (l *Lead) broke(why *failure.Failure) {
	group := l.group()
	for _, s := range l.signs {
		if s.Kind != Accuser {
			continue
		}
		l.mending.quarrels[run.WorkerID(s.Worker)]++
		if s.Accused >= 0 && s.Accused < len(group) {
			l.mending.quarrels[group[s.Accused].id] += 2 // to be accused weighs more than to accuse
		}
	}
	l.signs = slices.DeleteFunc(l.signs, func(s Sign) bool { return s.Kind == Accuser })
	l.mending.rings++
	l.incident("group-broken", "", why.Error())
	switch {
	case l.tired(why):
	case l.mending.rings <= ringTries || len(group) == 1:
		l.later(run.Regroup{Generation: l.view.Generation, Reason: Plain(why.What, run.MaxText)})
	case !l.mending.proved:
		f := *why
		f.Try = "see to it that workers reach one another, then the same command again: their addresses (worker " +
			"--advertise HOST:PORT tells another one), firewalls, the MTU of the network"
		l.fail(&f)
	default:
		l.sendOff(why)
	}
}

// sendOff removes the member with most quarrels, the higher rank of equals, for a while.
func (l *Lead) sendOff(why *failure.Failure) {
	var worst *member
	for _, m := range l.group() {
		if worst == nil || l.mending.quarrels[m.id] >= l.mending.quarrels[worst.id] {
			worst = m
		}
	}
	l.mending.rings, l.mending.quarrels = 0, map[run.WorkerID]int{}
	l.bench(worst.id)
	f := *why
	f.Why += fmt.Sprintf("; %s is left out for now: most complaints were about it", worst.id)
	l.lose(string(worst.id), "worker-evicted", &f)
}

// bench keeps a worker away for a while.
func (l *Lead) bench(id run.WorkerID) {
	away := min(benchFirst<<min(l.mending.benches[id], 16), benchLast)
	l.mending.benches[id]++
	l.mending.benched[id] = l.now.Add(away)
}

// expel removes a worker that does what none of this build would, or takes what it says for the run's failure when no
// group has worked yet.
func (l *Lead) expel(m *member, f *failure.Failure) {
	if !l.mending.proved || len(l.view.Members) == 1 {
		l.fail(f, m.id)
		return
	}
	l.bench(m.id)
	f.Code = failure.Training
	l.lose(string(m.id), "worker-expelled", f)
}

// quarantine removes a worker whose results were wrong, for good.
func (l *Lead) quarantine(id run.WorkerID, why *failure.Failure) {
	l.tell("worker-quarantined", string(id), "%s", why.Error())
	l.incident("worker-quarantined", string(id), why.Error())
	if !l.tired(why, id) {
		l.later(run.Leave{Worker: id, Reason: Plain(why.What, run.MaxText), Quarantine: true})
	}
}

// again has the step computed once more, by other workers where there are any. It reports false where that was done.
func (l *Lead) again(seen *stamp, why *failure.Failure) bool {
	at := stamp{0, l.view.Step}
	if *seen == at {
		return false
	}
	*seen = at
	l.incident("step-repeated", "", why.Error())
	l.tell("step-repeated", "", "step %d is computed again by other workers: %s", l.view.Step, why.Error())
	if !l.tired(why) {
		l.later(run.Regroup{Generation: l.view.Generation, Reason: Plain(why.What, run.MaxText), Turn: true})
	}
	return true
}

// notFinite decides about a step whose loss or gradient is no number: it is computed once more, and if it comes again,
// it is real.
func (l *Lead) notFinite(what string) {
	if len(l.queue) > 0 {
		return // others said so
	}
	f := &failure.Failure{What: what, Why: "the training diverged; nothing of this step was committed",
		Try: "a lower --base-lr, a longer warm-up, or --on-nan skip; " + l.resumeHint(), Code: failure.Training}
	if l.again(&l.mending.odd, f) {
		return
	}
	skipped := 0
	for _, r := range l.view.Records {
		if r.Skipped {
			skipped++
		}
	}
	switch {
	case l.set.OnNaN != "skip":
		l.fail(f)
	case skipped >= l.set.MaxSkips:
		f.Why = fmt.Sprintf("%d of the last %d steps were skipped, which is the limit", skipped, len(l.view.Records))
		l.fail(f)
	default:
		r, known := l.view.Record(l.view.Step - 1)
		if !known {
			r = run.Record{Online: l.held.Online, Momentum: l.held.Momentum, Statistics: l.held.Statistics}
		}
		l.tell("step-skipped", "", "step %d changes nothing: %s, twice", l.view.Step, what)
		l.later(run.Commit{Record: run.Record{Step: l.view.Step, Generation: l.view.Generation, Online: r.Online,
			Momentum: r.Momentum, Statistics: r.Statistics, Target: l.view.Target, UnixNano: l.now.UnixNano(), Skipped: true}})
	}
}

// lacking goes on where members have restored nothing: without them, or where nobody holds the state from a checkpoint.
func (l *Lead) lacking() {
	var lost []*member
	for _, m := range l.group() {
		if m.ready.Lacks {
			lost = append(lost, m)
		}
	}
	if len(lost) == len(l.group()) {
		if !l.seeking {
			l.seeking = true
			l.tell("state-lost", "", "no worker holds the state of step %d: looking for a checkpoint", l.view.Step)
			l.do(Seek{})
		}
		return
	}
	for _, m := range lost {
		l.bench(m.id)
		l.lose(string(m.id), "worker-lost", &failure.Failure{What: fmt.Sprintf("%s cannot get the state of step %d", m.id,
			l.view.Step), Why: Plain(m.ready.Problem, run.MaxText), Try: l.resumeHint(), Code: failure.Unreachable})
	}
}

func (e Sought) happen(l *Lead) {
	l.seeking = false
	if l.collecting.what != readiness ||
		slices.ContainsFunc(l.group(), func(m *member) bool { return m.ready == nil || !m.ready.Lacks }) {
		return // somebody came who holds it
	}
	k := e.Checkpoint
	unread := k != nil && k.Step == l.view.Step
	if k == nil || unread {
		why := Plain(e.Why, run.MaxText)
		if unread {
			why = fmt.Sprintf("checkpoint %s cannot be read by the workers: %s", Plain(k.Path, run.MaxText/2),
				Plain(l.group()[0].ready.Problem, run.MaxText/2))
		}
		l.fail(&failure.Failure{What: fmt.Sprintf("nobody holds the state of step %d", l.view.Step), Why: why,
			Try: "bring a checkpoint back, or --restart-from-scratch", Code: failure.Checkpoint})
		return
	}
	if l.set.Replayed != nil {
		for _, r := range l.view.Records {
			if r.Step >= k.Step {
				l.set.Replayed[r.Step] = r
			}
		}
	}
	reason := fmt.Sprintf("steps %d to %d are run again from checkpoint %s: no worker held their state", k.Step,
		l.view.Step-1, Plain(k.Path, run.MaxText/2))
	l.tell("run-rewound", "", "%s", reason)
	l.later(run.Rewind{Settings: l.view.Settings, Checkpoint: k, Keep: true, Reason: reason})
}

func (t TooLarge) heard(l *Lead, m *member) {
	if t.Generation != l.view.Generation || l.view.Phase.Final() {
		return
	}
	why := fmt.Sprintf("%s has memory for %d shards: %s", m.id, t.MaxShards, Plain(t.Reason, run.MaxText))
	l.tell("worker-too-small", string(m.id), "%s", why)
	if t.MaxShards < 1 {
		l.lose(string(m.id), "worker-left-out", &failure.Failure{What: fmt.Sprintf("%s cannot hold a single shard", m.id),
			Why: Plain(t.Reason, run.MaxText), Code: failure.Usage,
			Try: "more memory, more --shards, or fewer workers on a machine"})
		return
	}
	l.later(run.Limit{Worker: m.id, MaxShards: t.MaxShards, Reason: Plain(why, run.MaxText)})
}

func (e Leaving) heard(l *Lead, m *member) {
	if m.leaving || l.view.Phase.Final() {
		return
	}
	m.leaving = true
	l.tell("worker-leaving", string(m.id), "%s was asked to go (%s): it leaves at the next step boundary", m.named(),
		Plain(e.Reason, run.MaxText))
	l.later(run.Depart{Worker: m.id, Reason: Plain(fmt.Sprintf("%s left", m.id), run.MaxText)})
}
