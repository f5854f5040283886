package lead

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"byol/coordinator/run"
	"byol/internal/failure"
)

// fail ends the run for everybody: at once where all that is committed is stored, or where nobody is there who could
// store it. Otherwise those who hold the state save it first, for the grace at most. The lost are of no use any more.
func (l *Lead) fail(f *failure.Failure, lost ...run.WorkerID) {
	if l.view.Phase.Final() {
		return
	}
	if l.failure == nil {
		l.failure, l.advised = f, l.resumeHint()
	}
	reason := Plain(f.Error(), run.MaxText)
	if !l.storable(lost) {
		l.queue = []run.Command{run.Fail{Reason: reason, Code: f.Code}}
		return
	}
	l.tell("run-failing", "", "the run fails once the state of step %d is saved: %s", l.view.Step, f.What)
	l.saves, l.stopBy = true, l.now.Add(l.set.Grace)
	l.queue = []run.Command{run.Stop{Reason: reason, Code: f.Code}}
	for _, id := range lost {
		l.later(run.Leave{Worker: id, Reason: Plain(f.What, run.MaxText)})
	}
	if len(lost) == 0 && l.view.Busy() {
		l.later(run.Regroup{Generation: l.view.Generation, Reason: Plain(f.What, run.MaxText)})
	}
}

// storable reports whether there is a state that is worth a checkpoint and has none, and somebody who would be left to
// write it. It is false once that is being done, or has been tried to the end.
func (l *Lead) storable(lost []run.WorkerID) bool {
	s := &l.view
	if _, kept := s.Stored(s.Step); kept || s.Step == 0 || s.FailCode != 0 || l.ending() {
		return false
	}
	waits := s.Phase == run.Waiting && s.Formed && l.mending.proved
	if !s.Started && !waits {
		return false
	}
	return slices.ContainsFunc(l.ranked(), func(m *member) bool {
		return (m.rank >= 0 || waits) && !m.gone && m.left == nil && !slices.Contains(lost, m.id)
	})
}

// failed completes what is said of a run that has failed: how to go on depends on what could be stored.
func (l *Lead) failed() {
	if l.failure == nil { // another coordinator led when it failed
		l.failure = &failure.Failure{What: l.view.Reason, Try: l.resumeHint(), Code: l.view.FailCode}
		return
	}
	f := *l.failure
	if l.advised != "" {
		f.Try = strings.Replace(f.Try, l.advised, l.resumeHint(), 1)
	}
	if _, kept := l.view.Stored(l.view.Step); !kept && l.saves {
		why := cmp.Or(l.view.LastSaveError, fmt.Sprintf("it took longer than the grace of %v", l.set.Grace))
		f.Why += fmt.Sprintf("; step %d could not be saved: %s", l.view.Step, why)
	}
	l.failure = &f
}
