package lead

import (
	"fmt"
	"slices"
	"time"

	"byol/coordinator/run"
	"byol/internal/failure"
)

// stallAfter is how long nothing may happen before people are told who is waited for.
const stallAfter = time.Minute

func (e Tick) happen(l *Lead) {
	for s, at := range e.Heard {
		if m := l.streams[s]; m != nil && at.After(m.seen) {
			m.seen = at
		}
	}
	if gap := l.now.Sub(l.ticked); gap > l.set.FailureTimeout/2 {
		l.forgive(gap)
	}
	l.ticked = l.now
	if l.view.Phase.Final() {
		return
	}
	for _, look := range []func(){l.checkSilence, l.judge, l.checkJoin, l.grow, l.complain, l.saveOnTime, l.retrySave,
		l.checkStop} {
		if look(); l.asked != nil || len(l.queue) > 0 {
			return
		}
	}
}

// forgive takes a gap between two looks at the clock for what it is: it was the leader that did not run. Nobody was
// silent, and no wait has gone on.
func (l *Lead) forgive(gap time.Duration) {
	for _, m := range l.members {
		m.seen = l.now
	}
	for i := range l.signs {
		l.signs[i].At = l.signs[i].At.Add(gap)
	}
	l.joinBy, l.progressed = l.joinBy.Add(gap), l.progressed.Add(gap)
	for _, t := range []*time.Time{&l.deadline, &l.stopBy} {
		if !t.IsZero() {
			*t = t.Add(gap)
		}
	}
}

// checkSilence notices workers that have not been heard for the failure timeout. Those that are not of the group lose
// their place.
func (l *Lead) checkSilence() {
	for _, m := range l.ranked() {
		quiet := l.now.Sub(m.seen)
		if m.left != nil || quiet < l.set.FailureTimeout || l.has(Silent, m) || m.gone && l.has(Cut, m) {
			continue
		}
		text := fmt.Sprintf("was not heard for %v", quiet.Round(100*time.Millisecond))
		if m.rank < 0 {
			l.free(m, text+", and its place is free again")
			return
		}
		l.sign(Sign{Kind: Silent, Worker: string(m.id), Rank: m.rank, Accused: -1, Failure: &failure.Failure{
			What: l.lostText(m, text), Why: "last heard: " + doing(m), Try: l.resumeHint(), Code: failure.Training}})
	}
}

// checkJoin begins with fewer workers than are wished for when their time is over; without enough of them a run that
// never had a group ends. Where members hold the state of a run that is taken up, it does not wait for others for long.
func (l *Lead) checkJoin() {
	if l.view.Phase != run.Waiting || l.view.Formed {
		return
	}
	by := l.joinBy
	for _, m := range l.members {
		if m.join.Held >= l.view.Step && l.view.Step > 0 {
			by = l.joinedAt.Add(2 * l.set.FailureTimeout)
		}
	}
	if !l.now.After(by) {
		return
	}
	have, want, least := run.Together(l.prepared()), l.view.Settings.Workers, l.view.Settings.MinWorkers
	switch {
	case have >= least:
		l.tell("fewer-workers", "", "%d of %d workers are there after %v: the run goes on with them, others may join later",
			have, want, l.set.JoinTimeout)
		l.propose(run.Form{Generation: l.view.Generation})
	case run.Together(l.view.Members) >= least && l.now.Before(l.joinBy.Add(l.set.JoinTimeout)):
		// they open what they need
	default:
		l.failJoin()
	}
}

// prepared are the members that can work.
func (l *Lead) prepared() []run.Member {
	return slices.DeleteFunc(slices.Clone(l.view.Members), func(m run.Member) bool { return !m.Prepared })
}

// grow lets members enter that stand by, once no others come at the same time.
func (l *Lead) grow() {
	s := &l.view
	ready := l.prepared()
	if s.Phase == run.Waiting || s.GrowWanted || s.StopWanted || !s.Started || len(ready) == len(s.Group()) {
		return
	}
	if run.Together(ready) < s.Settings.Workers && l.now.Before(l.growAt) {
		return
	}
	l.propose(run.Form{Generation: s.Generation})
}

// retryLater has a save that failed tried again after a while, longer each time.
func (l *Lead) retryLater() {
	l.failedAt, l.retryAt = l.now, l.now.Add(min(retryFirst<<min(l.retries, 16), retryLast))
	l.retries++
}

const retryFirst, retryLast = 5 * time.Second, time.Minute

// ending reports whether all steps are committed, and only the last checkpoint is waited for.
func (l *Lead) ending() bool {
	s := &l.view
	return s.Phase == run.Stopping && !s.InFlight && s.Step >= s.Settings.EndStep
}

// retrySave asks again for a checkpoint that could not be written: soon where nothing else is left to do. An end that
// waits for it waits for the grace.
func (l *Lead) retrySave() {
	s, at := &l.view, l.retryAt
	if soon := l.failedAt.Add(retryFirst); l.ending() && soon.Before(at) {
		at = soon
	}
	if s.LastSaveError == "" || len(s.Saving) > 0 || s.SaveWanted || !s.Started || l.now.Before(at) {
		return
	}
	if l.ending() && l.now.Sub(l.progressed) > l.set.Grace {
		l.fail(&failure.Failure{What: "the last checkpoint could not be written", Why: s.LastSaveError,
			Try: "make room, and " + l.resumeHint(), Code: failure.Checkpoint})
		return
	}
	l.failedAt, l.retryAt = l.now, l.now.Add(retryLast)
	if s.Phase == run.Paused && s.StopReason != "" { // it was asked to stop, and could not store its state
		l.propose(run.Stop{Reason: s.StopReason})
		return
	}
	l.propose(run.RequestSave{})
}

// checkStop ends a run at once that a signal or a failure asked to stop, when it has not within the grace.
func (l *Lead) checkStop() {
	if l.stopBy.IsZero() || !l.now.After(l.stopBy) {
		return
	}
	l.stopBy = time.Time{}
	if l.view.FailCode != 0 { // it fails, and nobody has stored what it had
		l.propose(run.Stop{Now: true})
		return
	}
	f := &failure.Failure{What: fmt.Sprintf("stopped at step %d without a checkpoint", l.view.Step),
		Why: fmt.Sprintf("it was not written within the grace of %v", l.set.Grace), Try: l.resumeHint(),
		Code: failure.Checkpoint}
	if l.view.LastSaveError != "" {
		f.Why = l.view.LastSaveError
	}
	l.failure = f
	l.propose(run.Stop{Reason: BySignal, Now: true})
}

// complain says who is waited for when nothing gets on.
func (l *Lead) complain() {
	limit := max(stallAfter, 10*l.pace.quantile(0.5))
	quiet := l.now.Sub(l.progressed)
	if l.complained || l.collecting.what == nothing || quiet < limit {
		return
	}
	l.complained = true
	for _, m := range l.group() {
		if !l.answered(m) {
			l.tell("no-progress", string(m.id), "step %d waits for %s for %v: %s", l.view.Step, m.id,
				quiet.Round(time.Second), doing(m))
			if !m.gone {
				l.do(Ask{Stream: m.stream})
			}
		}
	}
}

// saveOnTime asks for a checkpoint where the configuration counts seconds.
func (l *Lead) saveOnTime() {
	due := l.set.SaveEvery > 0 && l.now.Sub(l.savedAt) >= l.set.SaveEvery
	if !due || l.collecting.what != results || len(l.view.Saving) > 0 || l.view.SaveWanted {
		return
	}
	l.savedAt = l.now
	l.propose(run.RequestSave{})
}

// BySignal is why a run has stopped whose coordinators were asked to go, by a signal: the same command goes on.
const BySignal = "stopped by a signal"

func (Signal) happen(l *Lead) {
	l.signalled, l.stopBy = true, l.now.Add(l.set.Grace)
	l.tell("stop-asked", "", "a signal asked to stop")
	l.propose(run.Stop{Reason: BySignal})
}

func (Abort) happen(l *Lead) {
	l.failure = &failure.Failure{What: fmt.Sprintf("interrupted at step %d", l.view.Step), Why: "asked to end at once",
		Try: l.resumeHint(), Code: failure.Interrupted}
	l.aborted = true
	l.propose(run.Stop{Reason: "interrupted", Now: true})
}

// pace is how long the last steps took.
type pace struct{ durations []time.Duration }

const (
	durationsKept = 256
	recentSteps   = 16 // over which the present pace is taken
)

func (p *pace) add(d time.Duration) {
	p.durations = append(p.durations, d)
	if len(p.durations) > durationsKept {
		p.durations = slices.Delete(p.durations, 0, 1)
	}
}

// recent is the mean of the last steps.
func (p *pace) recent() time.Duration {
	last := p.durations[max(0, len(p.durations)-recentSteps):]
	if len(last) == 0 {
		return 0
	}
	var sum time.Duration
	for _, d := range last {
		sum += d
	}
	return sum / time.Duration(len(last))
}

// quantile is the duration that a share q of the steps did not exceed.
func (p *pace) quantile(q float64) time.Duration {
	if len(p.durations) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(p.durations))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}
