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
	for _, look := range []func(){l.checkSilence, l.judge, l.checkJoin, l.complain, l.saveOnTime} {
		if look(); l.asked != nil {
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
	if !l.deadline.IsZero() {
		l.deadline = l.deadline.Add(gap)
	}
}

// checkSilence notices workers that have not been heard for the failure timeout. While others are waited for, such a
// worker loses its place; later it is lost.
func (l *Lead) checkSilence() {
	for _, m := range l.ranked() {
		quiet := l.now.Sub(m.seen)
		if m.left != nil || quiet < l.set.FailureTimeout || l.has(Silent, m) || m.gone && l.has(Cut, m) {
			continue
		}
		text := fmt.Sprintf("was not heard for %v", quiet.Round(100*time.Millisecond))
		if l.view.Phase == run.Waiting && !l.set.Local {
			if !m.gone {
				delete(l.streams, m.stream)
				l.do(Drop{Stream: m.stream, Why: text})
			}
			l.free(m, text+", and its place is free again")
			return
		}
		l.sign(Sign{Kind: Silent, Worker: string(m.id), Rank: m.rank, Failure: &failure.Failure{
			What: l.lostText(m, text), Why: "last heard: " + doing(m), Try: l.resumeHint(), Code: failure.Training}})
	}
}

func (l *Lead) checkJoin() {
	if l.view.Phase == run.Waiting && l.now.After(l.joinBy) {
		l.failJoin()
	}
}

// complain says who is waited for when nothing gets on.
func (l *Lead) complain() {
	limit := max(stallAfter, 10*l.pace.quantile(0.5))
	quiet := l.now.Sub(l.progressed)
	if l.complained || l.collecting.what == nothing || quiet < limit {
		return
	}
	l.complained = true
	for _, m := range l.ranked() {
		if !l.answered(m) {
			l.tell("no-progress", string(m.id), "step %d waits for %s for %v: %s", l.view.Step, m.id,
				quiet.Round(time.Second), doing(m))
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

func (Signal) happen(l *Lead) {
	l.signalled = true
	l.tell("stop-asked", "", "a signal asked to stop")
	l.propose(run.Stop{Reason: "stopped by a signal"})
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
