package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"byol/allreduce"
	"byol/model"
)

// reducer sums gradient buckets over all shards in a goroutine of its own, while the backward pass computes the
// next ones. Where the host sees the device's memory, sums happen in place; else the owner of the device copies
// a bucket out when it is complete and all sums back at the end.
type reducer struct {
	s       *session
	ctx     context.Context // for the backward pass: ends when a sum fails
	cancel  context.CancelCauseFunc
	buckets chan model.Bucket
	wg      sync.WaitGroup
	err     error // of the goroutine, valid after wg.Wait
	copies  [][]float32
}

// reduce starts a reducer for a number of buckets.
func (s *session) reduce(ctx context.Context, buckets int) *reducer {
	r := &reducer{s: s, buckets: make(chan model.Bucket, buckets)}
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	if !s.w.fixture.memory.direct() {
		for i := range s.state.local {
			r.copies = append(r.copies, s.w.fixture.memory.room(slotGradient+i, s.state.learner.Parameters()))
		}
	}
	r.wg.Go(r.run)
	return r
}

// slotGradient is the first of the copies of shard gradients.
const slotGradient = 16

// add hands over a bucket that is complete for all local shards. It is called by the owner of the device.
func (r *reducer) add(b model.Bucket) error {
	if err := r.ctx.Err(); err != nil {
		return context.Cause(r.ctx)
	}
	for i, x := range r.copies {
		r.s.w.fixture.dev.Download(x[b.Off:][:b.Len], r.s.state.learner.ShardGradient(i).Slice(b.Off, b.Len))
	}
	r.buckets <- b
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
	if r.copies != nil {
		r.s.w.fixture.dev.Upload(r.s.state.learner.Gradient(), r.copies[0])
	}
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

func (r *reducer) sum(b model.Bucket) error {
	s := r.s
	shards := make([][]float32, s.state.local)
	for i := range shards {
		if r.copies != nil {
			shards[i] = r.copies[i][b.Off:][:b.Len]
		} else {
			shards[i] = s.w.fixture.memory.host.Host(s.state.learner.ShardGradient(i).Slice(b.Off, b.Len))
		}
		if b.Index == 0 {
			s.w.opts.Faults.Flip("gradient", s.rank, s.begin+i, s.state.step, shards[i])
		}
	}
	key := allreduce.Key{Step: uint64(s.state.step), Bucket: uint32(b.Index)}
	return s.group.AllReduce(r.ctx, key, shards, shards[0])
}
