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
	coordinator int // which of the demo's, where it hits one
}

// A slow worker stands still for slowStop and works for slowWork, again and again until somebody notices, or for
// slowFor.
const (
	slowFor  = 30 * time.Second
	slowStop = 140 * time.Millisecond
	slowWork = 20 * time.Millisecond
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
		return nothing, 0, s.slow(ctx, hit.pid, over)
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
func (s *scene) slow(ctx context.Context, pid int, over func() bool) error {
	defer func() { _ = kill(pid, syscall.SIGCONT) }() // it may have ended by itself
	for end := time.Now().Add(max(slowFor, s.patience()/2)); time.Now().Before(end) && !over(); {
		for _, pulse := range []struct {
			sig  syscall.Signal
			long time.Duration
		}{{syscall.SIGSTOP, slowStop}, {syscall.SIGCONT, slowWork}} {
			if err := kill(pid, pulse.sig); err != nil {
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
