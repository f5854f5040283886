package main

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"byol/coordinator/drill"
	"byol/internal/failure"
)

// target is what a fault hits.
type target struct {
	kind        drill.Kind
	pid         int
	worker      string
	coordinator int           // which of the demo's, where it hits one
	step        time.Duration // that the run takes for a step
}

// A slow worker works for a slowPart of a step's time, which is less than its own work in it, and stands still for
// slowStop times as long, again and again until somebody notices. It stands still for slowLeast at least: who is slower
// by less holds nobody up.
const (
	slowPart  = 20
	slowStop  = 7
	slowLeast = 100 * time.Millisecond
)

// strike begins a fault; back takes it back, where it lasts. A slow worker is slow until the fault is over.
func (s *scene) strike(ctx context.Context, hit target, over func() bool) (back func(), lasts time.Duration,
	err error) {
	long := s.timeout + 2*time.Second
	nothing := func() {}
	switch hit.kind {
	case drill.KillWorker, drill.KillLeader:
		return nothing, 0, kill(hit.pid, syscall.SIGKILL)
	case drill.Stop, drill.StopLeader:
		return func() { _ = kill(hit.pid, syscall.SIGCONT) }, long, kill(hit.pid, syscall.SIGSTOP)
	case drill.Slow:
		return nothing, 0, s.slow(ctx, hit, over)
	case drill.PartitionLeader:
		s.demo.part(hit.coordinator)
		return s.demo.mend, long, nil
	}
	lines := s.demo.linesOf(hit.pid)
	if lines == nil {
		return nothing, 0, fmt.Errorf("%s is no worker of the demo any more: %w", hit.worker, syscall.ESRCH)
	}
	switch hit.kind {
	case drill.Partition:
		for _, r := range lines {
			r.Cut()
		}
		return s.demo.mend, long, nil
	case drill.Corrupt:
		lines[s.led].Corrupt()
	}
	return nothing, 0, nil
}

// kill sends a signal to a process; 0 is none.
func kill(pid int, sig syscall.Signal) error {
	if pid <= 0 {
		return syscall.ESRCH
	}
	if err := syscall.Kill(pid, sig); err != nil {
		return fmt.Errorf("send %v to process %d: %w", sig, pid, err)
	}
	return nil
}

// slow gives a process little of its time until the fault is over.
func (s *scene) slow(ctx context.Context, hit target, over func() bool) error {
	defer func() { _ = kill(hit.pid, syscall.SIGCONT) }() // it may have ended by itself
	works := max(hit.step/slowPart, time.Millisecond)
	stands := min(max(slowStop*works, slowLeast), s.timeout/4)
	for end := time.Now().Add(s.patience()); time.Now().Before(end) && !over(); {
		for _, pulse := range []struct {
			sig  syscall.Signal
			long time.Duration
		}{{syscall.SIGSTOP, stands}, {syscall.SIGCONT, works}} {
			if err := kill(hit.pid, pulse.sig); err != nil {
				return &failure.Failure{What: "the worker that was to be slow has ended", Why: err.Error(), Err: err,
					Try: "look at its log", Code: failure.Training}
			}
			if err := rest(ctx, pulse.long); err != nil {
				return err
			}
		}
	}
	return nil
}
