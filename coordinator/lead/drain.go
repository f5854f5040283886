package lead

import (
	"errors"
	"fmt"
	"slices"

	"byol/coordinator/run"
	"byol/internal/failure"
)

// Why a worker cannot be drained.
var (
	ErrNoWorker = errors.New("lead: no such worker")
	ErrTooFew   = errors.New("lead: too few workers would be left")
)

// Drain has a worker leave for good, because an operator asked for it: like one that was asked to go by a signal, it
// leaves at the next boundary. Nothing comes of it where Drains would refuse it, or where the worker leaves already.
type Drain struct{ Worker run.WorkerID }

// Drains says whether a worker can be drained: leaves reports that it is leaving already. A run never begins to wait
// because somebody drained a worker, so that the last ones that it goes on with stay.
func Drains(s *run.State, id run.WorkerID) (leaves bool, err error) {
	staying, found := 0, false
	going := 0
	for _, m := range s.Members {
		if m.ID == id {
			found, leaves, going = true, m.Leaving, m.StandsFor()
		}
		if !m.Leaving {
			staying += m.StandsFor()
		}
	}
	switch least := s.Settings.MinWorkers; {
	case s.Phase.Final():
		return false, fmt.Errorf("%w: %s", run.ErrEnded, s.Phase)
	case !found:
		return false, fmt.Errorf("%w: %s", ErrNoWorker, Plain(string(id), run.MaxName))
	case !leaves && staying-going < least:
		return false, fmt.Errorf("%w: %d of them, and the run goes on with at least %d", ErrTooFew, staying-going, least)
	}
	return leaves, nil
}

func (e Drain) happen(l *Lead) {
	m := l.members[e.Worker]
	if leaves, err := Drains(&l.view, e.Worker); err != nil || leaves || m == nil || m.leaving {
		return
	}
	m.leaving = true
	if index := l.wished(m.id); index >= 0 {
		l.mending.drained[index] = true
	}
	l.tell("worker-leaving", string(m.id), "%s is drained: it leaves at the next step boundary, for good", m.named())
	l.later(run.Depart{Worker: m.id, Reason: Plain(fmt.Sprintf("%s was drained", m.id), run.MaxText)})
}

// drainedExit takes note of the end of a process that was to end, and reports whether it is one.
func (l *Lead) drainedExit(e Exited) bool {
	if !l.mending.drained[e.Index] || e.Restarting || e.Signalled || e.Code != 0 ||
		slices.ContainsFunc(l.view.Members, func(m run.Member) bool { return m.Wished == e.Index }) {
		return false
	}
	l.mending.out[fmt.Sprintf("worker-%d", e.Index)] = &failure.Failure{What: "it was drained", Code: failure.Temporary}
	return true
}
