package worker

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"byol/internal/failure"
	pb "byol/proto"
)

// damageTarget flips a bit of the target of step 1 on its way to rank 0, once.
func damageTarget() func(rank int, m *pb.ToWorker) *pb.ToWorker {
	done := false
	return func(rank int, m *pb.ToWorker) *pb.ToWorker {
		s := m.GetSlice()
		if s == nil || rank != 0 || s.Step != 1 || done {
			return m
		}
		done = true
		d := slices.Clone(s.Data)
		d[3] ^= 1
		return &pb.ToWorker{Message: &pb.ToWorker_Slice{Slice: &pb.Slice{
			Generation: s.Generation, Step: s.Step, Offset: s.Offset, Data: d}}}
	}
}

// TestHealing ends runs where undisturbed ones end: with the same bits.
func TestHealing(t *testing.T) {
	want := trained(t, &conductor{workers: 3, until: 4}, nil)
	for _, c := range []struct {
		name   string
		run    *conductor
		broken int // complaints, at least
	}{
		{"a step is committed, and nobody hears of it", &conductor{lose: 2}, 0},
		{"a step is committed, and its target arrives damaged", &conductor{hook: damageTarget()}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.run.workers, c.run.until = 3, 4
			if got := trained(t, c.run, nil); got != want {
				t.Errorf("the run ends with %s, undisturbed with %s", got, want)
			}
			if len(c.run.result.broken) < c.broken || c.run.generation != 2 || len(c.run.result.lacks) > 0 {
				t.Errorf("generation %d after complaints %v; %v lack the state", c.run.generation, c.run.result.broken,
					c.run.result.lacks)
			}
			for _, b := range c.run.result.broken {
				if strings.Contains(b.Reason, "the plan has changed") {
					continue // a peer heard of it first
				}
				if b.Generation != 1 || !strings.Contains(b.Reason, "target of step 1") || b.Phase == "" || len(b.Stacks) == 0 {
					t.Errorf("complained of %v", b)
				}
			}
		})
	}
}

// healed runs c, whose members come and go as begin starts them, until the run has ended.
func healed(t *testing.T, c *conductor, begin func(start func(rank int, o Options) (wait func() error))) string {
	t.Helper()
	c.t, c.heal = t, true
	if c.cfg == nil {
		c.cfg = tiny(t)
	}
	c.save = map[int64]bool{c.until: true}
	c.start()
	var all sync.WaitGroup
	begin(func(rank int, o Options) func() error {
		ctx, die := context.WithCancelCause(t.Context())
		o.Coordinator, o.Index, o.OpenEngine, o.Grace = c.address, rank, openTestEngine, time.Nanosecond
		o.Kill = func() { die(errors.New("killed")) }
		o.Log = zaptest.NewLogger(t, zaptest.Level(zap.WarnLevel)).With(zap.Int("rank", rank))
		ended := make(chan error, 1)
		all.Go(func() { ended <- Run(ctx, o) })
		return func() error { return <-ended }
	})
	all.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != pb.RunState_RUN_STATE_COMPLETED || len(c.result.saved) != 1 {
		t.Fatalf("the run is %v at step %d", c.state, c.step)
	}
	return c.result.saved[0].StateSha256
}

// TestLostWorker lets rank 1 of 3 vanish in the middle of the run. The others go on without it, and end where they
// would have ended with it; it comes back and gets the state from one of them.
func TestLostWorker(t *testing.T) {
	want := trained(t, &conductor{workers: 3, until: 40}, nil)
	for _, plan := range []string{"kill rank=1 step=1", "kill-proposed rank=1 step=1"} {
		c := &conductor{workers: 3, until: 40, gather: 3}
		got := healed(t, c, func(start func(int, Options) func() error) {
			flip := faults(t, plan)
			var o Options
			flip(1, &o)
			for _, rank := range []int{0, 2} {
				start(rank, Options{})
			}
			wantFailure(t, start(1, o)(), failure.Temporary)
			start(1, Options{})
		})
		if got != want {
			t.Errorf("%s: the run ends with %s, undisturbed with %s", plan, got, want)
		}
		if n := len(c.result.ready); n < 3+2+3 {
			t.Errorf("%s: %d were ready: the third did not come back", plan, n)
		}
		for _, r := range c.result.ready[3:] {
			if r.Step < 1 || r.Step > 2 && r.Generation < 3 {
				t.Errorf("%s: ready %v", plan, r)
			}
		}
	}
}

// TestAskedToGo asks ranks to go by the context of Run: each works on until the coordinator lets it, and says that it
// comes back; where nobody lets it, it goes when the grace is over.
func TestAskedToGo(t *testing.T) {
	want := trained(t, &conductor{workers: 3, until: 12}, nil)
	asked, ask := context.WithCancelCause(t.Context())
	c := &conductor{workers: 3, until: 12, t: t, cfg: tiny(t), heal: true, save: map[int64]bool{12: true}}
	c.hook = func(_ int, m *pb.ToWorker) *pb.ToWorker {
		if m.GetPlan().GetCommittedStep() == 2 {
			ask(errors.New("signal: terminated"))
			time.Sleep(20 * time.Millisecond) // before the run is over
		}
		return m
	}
	c.start()
	errs := make([]error, 3)
	var all sync.WaitGroup
	for rank := range 3 {
		ctx := t.Context()
		if rank == 1 {
			ctx = asked
		}
		all.Go(func() {
			errs[rank] = Run(ctx, Options{Coordinator: c.address, Index: rank, OpenEngine: openTestEngine})
		})
	}
	all.Wait()
	mustSucceed(t, []error{errs[0], errs[2]})
	if f := wantFailure(t, errs[1], failure.Temporary); !strings.Contains(f.What, "as asked to") ||
		!strings.Contains(f.Why, "terminated") {
		t.Errorf("rank 1: %+v", f)
	}
	if got := c.result.saved[0].StateSha256; got != want {
		t.Errorf("the run ends with %s, undisturbed with %s", got, want)
	}
	if a := c.result.asked; len(a) != 1 || a[0].GraceSeconds != 90 || !strings.Contains(a[0].Reason, "terminated") {
		t.Errorf("said %v", a)
	}
}

// TestAskedToGoWithoutCoordinator: one whose coordinator dies meanwhile goes, says that its step is saved, and may be
// started again.
func TestAskedToGoWithoutCoordinator(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	c := &conductor{t: t, workers: 1, until: 1 << 40, cfg: tiny(t)}
	c.cfg.FailureTimeoutSeconds = 0.5
	var die sync.Once
	c.hook = func(_ int, m *pb.ToWorker) *pb.ToWorker {
		p := m.GetPlan()
		switch {
		case p.GetCommittedStep() == 2:
			cancel(errors.New("signal: terminated"))
		case p.GetCommittedStep() >= 3:
			p.State = pb.RunState_RUN_STATE_PAUSED
			p.Restore = &pb.Restore{Kind: pb.Restore_KIND_CHECKPOINT, Step: p.CommittedStep, Path: "/here/step-3"}
			die.Do(func() { time.AfterFunc(100*time.Millisecond, c.server.Stop) })
		}
		return m
	}
	c.start()
	err := Run(ctx, Options{Coordinator: c.address, OpenEngine: openTestEngine})
	f := wantFailure(t, err, failure.Temporary)
	for _, want := range []string{"left at step 3, as asked to: no coordinator", "terminated", "saved in /here/step-3"} {
		if all := f.Error() + f.Try; !strings.Contains(all, want) {
			t.Errorf("got %q, want %q in it", all, want)
		}
	}
}

// TestGraceIsOver: a worker that nobody lets go goes all the same.
func TestGraceIsOver(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	c := &conductor{t: t, workers: 1, until: 1 << 40, cfg: tiny(t)}
	c.hook = func(_ int, m *pb.ToWorker) *pb.ToWorker {
		if m.GetPlan().GetCommittedStep() == 2 {
			cancel(errors.New("signal: terminated"))
		}
		return m
	}
	c.start()
	err := Run(ctx, Options{Coordinator: c.address, OpenEngine: openTestEngine, Grace: 100 * time.Millisecond})
	if f := wantFailure(t, err, failure.Temporary); !strings.Contains(f.Error(), "terminated") ||
		!strings.Contains(f.Error(), "grace of 100ms") {
		t.Errorf("got %+v, want the signal and the grace as the reason", f)
	}
	<-c.done
	if l := c.result.leaves[0]; l.Failed || l.ExitCode != failure.Temporary {
		t.Errorf("left with %v", l)
	}
}
