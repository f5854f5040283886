package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"byol/allreduce"
	"byol/internal/fault"
	"byol/internal/vector"
	pb "byol/proto"
	"byol/worker/control"
	"byol/worker/replica"
)

// courier takes what this worker would commit to the coordinator and brings ξ' back, in a goroutine of its own, while
// the owner of the device may begin the next step on θ' and a ξ' that it averaged itself: the one that comes back must
// have the same bits. Whichever of the two fails first ends the other.
type courier struct {
	g      *Generation
	step   int64
	next   replica.State
	target []float32      // where ξ' goes
	own    []float32      // ξ' as this worker averaged it; nil where it waits for the other
	result *pb.StepResult // without digests

	ctx       context.Context // for what runs beside the courier, too
	cancel    context.CancelCauseFunc
	committed chan struct{} // closed when this rank's span of ξ' is there, or never comes
	done      chan struct{}

	// What follows is valid after done.
	err                      error
	began, committedAt, last time.Time
}

// send sets a courier off.
func (g *Generation) send(ctx context.Context, next replica.State, r *pb.StepResult) *courier {
	c := &courier{g: g, step: g.Replica.Step(), next: next, result: r, target: g.Replica.TargetNext(),
		committed: make(chan struct{}), done: make(chan struct{})}
	if overlaps(g.o.Config, c.step+1) {
		c.own, c.target = g.Replica.Average()
	}
	c.began = g.stopwatch.now()
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	go c.run()
	return c
}

func (c *courier) run() {
	defer close(c.done)
	plan, err := c.commit()
	c.committedAt = c.g.stopwatch.now()
	close(c.committed)
	if err == nil {
		err = c.share(plan)
	}
	c.last = c.g.stopwatch.now()
	c.g.o.Trace.Did(doesCommit, c.step, c.began, c.committedAt)
	c.g.o.Trace.Did(doesShare, c.step, c.committedAt, c.last)
	if err != nil {
		c.err = err
		c.cancel(err)
	}
}

// commit gives the coordinator this rank's span of θ' and everything it decides the commit by, and waits for this
// rank's span of ξ'.
func (c *courier) commit() (*pb.Plan, error) {
	g, own, generation := c.g, c.g.own(), c.g.o.Generation
	g.o.Points.Pass(fault.Prepared)
	c.result.Digests = g.digests(c.next, c.next.Online)
	g.Coordinator.Expect(generation, c.step, own.Off, own.Of(c.target))
	defer g.Coordinator.Forget()
	messages := control.Slices(generation, c.step, own.Off, own.Of(c.next.Online))
	withdraw := g.Coordinator.Say(control.Statement{
		Messages: append(messages, &pb.FromWorker{Message: &pb.FromWorker_StepResult{StepResult: c.result}}),
		// A plan that shows the commit does not settle it: the answer is ξ', which may be lost with its stream.
		Settled: func(p *pb.Plan) bool { return p.Generation != generation },
	})
	defer withdraw()
	if g.o.Faults.KillProposed(g.Group.Rank(), c.step) {
		g.o.Kill()
	}
	g.o.Points.Pass(fault.Proposed)
	return g.Coordinator.Committed(c.ctx, c.step)
}

// share takes ξ' round the ring and checks it.
func (c *courier) share(p *pb.Plan) error {
	c.g.o.Points.Pass(fault.Committed)
	key := allreduce.Key{Step: uint64(c.step), Bucket: bucketTarget}
	if err := c.g.Group.Share(c.ctx, key, c.target, c.g.spans); err != nil {
		return fmt.Errorf("share the target: %w", err)
	}
	if got := vector.Digest(c.target); p.CommittedStep == c.step+1 && got != p.GetCommitted().GetTarget() {
		return &allreduce.PeerError{Rank: allreduce.Nobody, Op: "share", Key: key, Err: fmt.Errorf("the target of step %d "+
			"arrived damaged: its digest is %016x, committed was %016x", c.step, got, p.GetCommitted().GetTarget())}
	}
	if c.own != nil && !bytes.Equal(vector.Bytes(c.own), vector.Bytes(c.target)) {
		return &allreduce.PeerError{Rank: c.g.Group.Rank(), Op: "share", Key: key, Err: fmt.Errorf("the target of step %d "+
			"that this worker averaged itself is not the committed one: its processor or its memory is at fault", c.step)}
	}
	return nil
}

// wait returns when the courier's goroutine has ended. failed is the error of what ran beside it, which wins unless
// it only came second. The stopwatch is told what is waited for, and how long it took in all.
func (c *courier) wait(failed error) error {
	if failed != nil {
		c.cancel(failed)
	}
	s := &c.g.stopwatch
	c.g.o.Trace.of(c.step)
	s.begin("commit")
	<-c.committed
	s.begin("broadcast")
	<-c.done
	s.took("commit", c.committedAt.Sub(c.began))
	s.took("broadcast", c.last.Sub(c.committedAt))
	defer c.cancel(nil)
	if failed == nil || c.err != nil && errors.Is(context.Cause(c.ctx), c.err) {
		return c.err
	}
	return failed
}
