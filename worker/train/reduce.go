package train

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"byol/allreduce"
	"byol/internal/fault"
	"byol/internal/vector"
	"byol/model"
	"byol/worker/replica"
)

// reducer sums gradient buckets over all shards in a goroutine of its own, while the backward pass computes the next
// ones.
type reducer struct {
	g         *Generation
	gradients *replica.Gradients
	ctx       context.Context // for the backward pass: ends when a sum fails
	cancel    context.CancelCauseFunc
	buckets   chan replica.Fetched
	verify    bool // marks are wanted
	wg        sync.WaitGroup
	err       error    // of the goroutine, valid after wg.Wait
	marks     []uint64 // of the shards' gradients, valid after wg.Wait
}

// reduce starts a reducer for a number of buckets. In a step that is verified it marks what it sums.
func (g *Generation) reduce(ctx context.Context, buckets int, verify bool) *reducer {
	r := &reducer{g: g, gradients: g.Replica.Gradients(), buckets: make(chan replica.Fetched, buckets), verify: verify,
		marks: make([]uint64, g.Replica.Local())}
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	r.wg.Go(r.run)
	return r
}

// add hands over a bucket that is complete for all local shards, or will be. It is called by the owner of the engine.
func (r *reducer) add(b model.Bucket) error {
	if r.ctx.Err() != nil {
		return context.Cause(r.ctx)
	}
	r.buckets <- r.gradients.Fetch(b)
	return nil
}

// finish waits for the last sum. failed is the error of the backward pass, which wins unless it only came second.
func (r *reducer) finish(failed error) error {
	if failed != nil {
		r.cancel(failed)
	}
	close(r.buckets)
	r.wg.Wait()
	defer r.cancel(nil)
	switch {
	case r.err != nil && (failed == nil || errors.Is(failed, r.err)):
		return r.err
	case failed != nil:
		return fmt.Errorf("compute gradient: %w", failed)
	}
	r.gradients.Put()
	return nil
}

func (r *reducer) run() {
	for b := range r.buckets {
		if err := r.sum(b); err != nil {
			r.err = fmt.Errorf("sum gradients: %w", err)
			r.cancel(r.err)
			return
		}
	}
}

func (r *reducer) sum(b replica.Fetched) error {
	g, step := r.g, r.g.Replica.Step()
	shards, err := b.Wait()
	if err != nil {
		return err
	}
	for i, x := range shards {
		if b.Index == 0 {
			g.flip("gradient", g.o.ShardBegin+i, step, x)
		}
		if r.verify {
			r.marks[i] = vector.Mark(r.marks[i], b.Off, x)
		}
	}
	g.o.Points.Pass(fault.Bucket)
	began := g.stopwatch.now()
	err = g.Group.AllReduce(r.ctx, allreduce.Key{Step: uint64(step), Bucket: uint32(b.Index)}, shards, shards[0])
	g.o.Trace.Did(doesBucket, step, began, g.stopwatch.now())
	return err
}
