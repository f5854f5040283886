package worker

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"byol/allreduce"
	"byol/internal/vector"
	pb "byol/proto"
)

// courier takes what this worker would commit to the coordinator and brings ξ' back, in a goroutine of its own, while
// the owner of the device may begin the next step on θ'. Whichever of the two fails first ends the other.
type courier struct {
	s      *session
	step   int64
	next   nextState
	xiNext []float32      // where ξ' goes
	result *pb.StepResult // without digests

	ctx       context.Context // for what runs beside the courier, too
	cancel    context.CancelCauseFunc
	here      atomic.Bool   // ξ' is there, and what was committed
	committed chan struct{} // closed when this rank's span of ξ' is there, or never comes
	done      chan struct{}

	// What follows is valid after done.
	err                      error
	began, committedAt, last time.Time
}

// send sets a courier off.
func (s *session) send(ctx context.Context, n nextState, r *pb.StepResult) *courier {
	c := &courier{s: s, step: s.state.step, next: n, result: r, began: s.clock.now(), committed: make(chan struct{}),
		done: make(chan struct{})}
	c.xiNext = s.w.fixture.memory.blank(slotXiNext, s.state.learner.XiNext())
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	go c.run()
	return c
}

func (c *courier) run() {
	defer close(c.done)
	plan, err := c.commit()
	c.committedAt = c.s.clock.now()
	close(c.committed)
	if err == nil {
		err = c.share(plan)
	}
	c.last = c.s.clock.now()
	if err != nil {
		c.err = err
		c.cancel(err)
		return
	}
	c.here.Store(true)
}

// commit gives the coordinator this rank's span of θ' and everything it decides the commit by, and waits for this
// rank's span of ξ'.
func (c *courier) commit() (*pb.Plan, error) {
	s, w := c.s, c.s.w
	c.result.Digests = s.digests(c.next.theta, c.next.momentum, c.next.statistics, c.next.xi)
	c.result.Digests.Slice = s.sliceDigest(c.next.theta)
	span := s.spans[s.rank]
	w.inbox.expect(s.generation, c.step, span.Off, c.xiNext[span.Off:][:span.Len])
	defer w.inbox.forget()
	if err := w.outbox.sendSpan(s.generation, c.step, span.Off, c.next.theta[span.Off:][:span.Len]); err != nil {
		return nil, err
	}
	if err := w.outbox.send(&pb.FromWorker{Message: &pb.FromWorker_StepResult{StepResult: c.result}}); err != nil {
		return nil, err
	}
	if w.opts.Faults.KillProposed(s.rank, c.step) {
		w.opts.Kill()
	}
	return w.inbox.committed(c.ctx, c.step)
}

// share takes ξ' round the ring and checks it.
func (c *courier) share(p *pb.Plan) error {
	key := allreduce.Key{Step: uint64(c.step), Bucket: bucketTarget}
	if err := c.s.group.Share(c.ctx, key, c.xiNext, c.s.spans); err != nil {
		return fmt.Errorf("share the target: %w", err)
	}
	if got := vector.Digest(c.xiNext); p.CommittedStep == c.step+1 && got != p.TargetDigest {
		return &Failure{What: fmt.Sprintf("the target of step %d arrived damaged", c.step),
			Why: fmt.Sprintf("its digest is %016x, the coordinator committed %016x", got, p.TargetDigest),
			Try: "check this machine's memory and network; run again to go on from the newest checkpoint", Code: ExitTraining}
	}
	return nil
}

// wait returns when the courier's goroutine has ended. failed is the error of what ran beside it, which wins unless it
// only came second. The clock is told what is waited for, and how long it took in all.
func (c *courier) wait(failed error) error {
	if failed != nil {
		c.cancel(failed)
	}
	clock := &c.s.clock
	clock.begin("commit")
	<-c.committed
	clock.begin("broadcast")
	<-c.done
	clock.took("commit", c.committedAt.Sub(c.began))
	clock.took("broadcast", c.last.Sub(c.committedAt))
	defer c.cancel(nil)
	if failed == nil || c.err != nil && errors.Is(context.Cause(c.ctx), c.err) {
		return c.err
	}
	return failed
}
