package worker

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"byol/model"
	pb "byol/proto"
	"byol/worker/data"
)

// Views of the device's memory that are needed at the same time.
const (
	slotTheta = iota
	slotMomentum
	slotXi
	slotXiNext
)

// Buckets of keys beyond those of gradients.
const (
	bucketTarget = 1<<24 + iota // sharing ξ'
	bucketAgree
	bucketBank // the first of an evaluation
)

// step trains one step: design.md section 3, in its order. While it is being committed, the next one begins.
func (s *session) step(ctx context.Context) error {
	w, l, step := s.w, s.state.learner, s.state.step
	if w.opts.Faults.Kill(s.rank, step) {
		w.opts.Kill()
	}
	batch, err := s.images(ctx, step)
	if err != nil {
		return err
	}
	stats, err := s.gradient(ctx, batch)
	s.ahead = nil
	s.loader.Recycle(batch)
	if err != nil {
		return err
	}
	s.clock.begin("update")
	norm, err := l.Update(step)
	if err != nil {
		return diverged(step, err)
	}
	next, err := s.nextState()
	if err != nil {
		return err
	}
	c := s.send(ctx, next, s.result(stats, norm))
	err = c.wait(s.lead(c))
	if c.err == nil { // it is committed, whatever became of the next one
		s.adopt(c)
	}
	s.clock.begin("idle")
	return err
}

// images returns the batch of a step, the same one if it is asked for again.
func (s *session) images(ctx context.Context, step int64) (*data.Batch, error) {
	if s.ahead != nil {
		return s.ahead, nil
	}
	s.clock.begin("data")
	batch, err := s.loader.Next(ctx)
	if err != nil {
		return nil, unloaded(ctx, step, err)
	}
	if batch.Step != step {
		return nil, fmt.Errorf("images of step %d came for step %d", batch.Step, step)
	}
	s.ahead = batch
	return batch, nil
}

func modelBatch(b *data.Batch) model.Batch {
	return model.Batch{View1: b.View1, View2: b.View2, Labels: b.Labels}
}

// leads reports whether the forward pass of step is begun before the step before it is committed. All workers must say
// the same, so it depends on the configuration alone. Before an evaluation it would be in vain.
func (s *session) leads(step int64) bool {
	c := s.w.cfg
	end := c.TotalSteps
	if c.MaxSteps > 0 {
		end = min(end, c.MaxSteps)
	}
	evaluation := c.EvalData != "" && c.EvalEverySteps > 0 && step%c.EvalEverySteps == 0
	return !c.NoOverlap && step < end && !evaluation
}

// lead begins the step after the courier's: its images, and the online network's forward pass on θ', as far as it gets
// until ξ' is there. Nothing of the current state is touched.
func (s *session) lead(c *courier) error {
	if !s.leads(c.step + 1) {
		return nil
	}
	batch, err := s.images(c.ctx, c.step+1)
	if err != nil {
		return err
	}
	s.state.sync.begin(c.step + 1)
	return s.state.learner.Lead(c.ctx, modelBatch(batch), c.here.Load)
}

// gradient runs both networks and leaves in the learner the gradient summed over all shards of all workers. Buckets
// are reduced while the backward pass goes on.
func (s *session) gradient(ctx context.Context, b *data.Batch) (model.Stats, error) {
	l := s.state.learner
	s.state.sync.begin(s.state.step)
	r := s.reduce(ctx, len(l.Buckets()))
	stats, err := l.Grad(r.ctx, modelBatch(b), r.add)
	s.clock.begin("ring")
	if failed := r.finish(err); failed != nil {
		return stats, failed
	}
	return stats, nil
}

// unloaded says what is wrong with the data; another worker may have read something else, so it ends the run.
func unloaded(ctx context.Context, step int64, err error) error {
	var known *Failure
	if ctx.Err() != nil || errors.As(err, &known) {
		return err
	}
	return &Failure{What: fmt.Sprintf("the images of step %d cannot be read", step), Why: err.Error(),
		Try: "bring the files back as they were when the run began, and run the same command again", Code: ExitData}
}

func diverged(step int64, err error) error {
	return &Failure{What: fmt.Sprintf("training diverged at step %d", step), Why: err.Error(),
		Try: "a smaller --base-lr, a longer --warmup-epochs, or an earlier checkpoint with --resume PATH", Code: ExitTraining}
}

// nextState is what a worker would commit, as the host sees it.
type nextState struct {
	theta, momentum, statistics []float32
	xi                          []float32 // the current target
}

// nextState views θ', m', the running statistics and ξ.
func (s *session) nextState() (nextState, error) {
	dev, m, l := s.w.fixture.dev, s.w.fixture.memory, s.state.learner
	if err := dev.Sync(); err != nil {
		return nextState{}, fmt.Errorf("update on %s: %w", dev.Name(), err)
	}
	n := nextState{
		theta: m.view(slotTheta, l.ThetaNext()), momentum: m.view(slotMomentum, l.MomentumNext()),
		statistics: l.StatisticsNext(), xi: m.view(slotXi, l.Xi()),
	}
	s.damage("theta", n.theta)
	s.damage("momentum", n.momentum)
	s.damage("statistics", n.statistics)
	s.damage("target", n.xi)
	return n, nil
}

// damage carries out a test's fault.
func (s *session) damage(target string, x []float32) {
	if s.w.opts.Faults.Flip(target, s.rank, -1, s.state.step, x) {
		s.w.log.Warn("flipped a bit, as the fault plan says", zap.String("target", target), zap.Int64("step", s.state.step))
	}
}

// result is what the coordinator is told of a step, still without digests. The times of commit and broadcast in it are
// those of the step before.
func (s *session) result(stats model.Stats, norm float64) *pb.StepResult {
	r := &pb.StepResult{Generation: s.generation, Step: s.state.step, EmbeddingStdRatio: stats.StdRatio,
		GradientNorm: norm, Phases: s.clock.report()}
	for i, sh := range stats.Shards {
		r.Shards = append(r.Shards, &pb.ShardResult{Shard: int32(s.begin + i), LossSum: sh.Loss,
			ProbeLossSum: sh.ProbeLoss, ProbeCorrect: int64(sh.Correct), Labelled: int64(sh.Labelled), Images: int64(sh.Images)})
	}
	return r
}

// adopt makes the next state, whose ξ' the courier brought, the current one.
func (s *session) adopt(c *courier) {
	w, l := s.w, s.state.learner
	w.fixture.memory.flush(l.XiNext(), c.xiNext)
	l.Commit()
	s.state.step++
	w.board.setStep(s.generation, s.state.step)
}
