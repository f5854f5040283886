package worker

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"byol/allreduce"
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

// step trains one step: design.md section 3, in its order.
func (s *session) step(ctx context.Context) error {
	w, l, step := s.w, s.state.learner, s.state.step
	if w.opts.Faults.Kill(s.rank, step) {
		w.opts.Kill()
	}
	s.clock.begin("data")
	batch, err := s.loader.Next(ctx)
	if err != nil {
		return unloaded(ctx, step, err)
	}
	stats, err := s.gradient(ctx, batch)
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
	defer w.inbox.forget()
	if err := s.propose(next, stats, norm); err != nil {
		return err
	}
	s.clock.begin("commit")
	plan, err := w.inbox.committed(ctx, step)
	if err != nil {
		return err
	}
	s.clock.begin("broadcast")
	if err := s.adopt(ctx, plan, next); err != nil {
		return err
	}
	s.clock.begin("idle")
	return nil
}

// gradient runs both networks and leaves in the learner the gradient summed over all shards of all workers. Buckets
// are reduced while the backward pass goes on.
func (s *session) gradient(ctx context.Context, b *data.Batch) (model.Stats, error) {
	l := s.state.learner
	if b.Step != s.state.step {
		return model.Stats{}, fmt.Errorf("images of step %d came for step %d", b.Step, s.state.step)
	}
	s.state.sync.step, s.state.sync.next = uint64(s.state.step), 0
	r := s.reduce(ctx, len(l.Buckets()))
	stats, err := l.Grad(r.ctx, model.Batch{View1: b.View1, View2: b.View2, Labels: b.Labels}, r.add)
	s.clock.begin("ring")
	if failed := r.finish(err); failed != nil {
		return stats, failed
	}
	return stats, nil
}

// unloaded says what is wrong with the data; another worker may have read something else, so it ends the run.
func unloaded(ctx context.Context, step int64, err error) error {
	var known *data.Failure
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
	digests                     *pb.Digests
}

// nextState views and hashes θ', m', the running statistics and ξ.
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
	n.digests = s.digests(n.theta, n.momentum, n.statistics, n.xi)
	return n, nil
}

// damage carries out a test's fault.
func (s *session) damage(target string, x []float32) {
	if s.w.opts.Faults.Flip(target, s.rank, -1, s.state.step, x) {
		s.w.log.Warn("flipped a bit, as the fault plan says", zap.String("target", target), zap.Int64("step", s.state.step))
	}
}

// propose gives the coordinator this rank's span of θ' and everything it decides the commit by. The times of
// commit and broadcast it reports are those of the step before.
func (s *session) propose(n nextState, stats model.Stats, norm float64) error {
	w, step, span := s.w, s.state.step, s.spans[s.rank]
	xiNext := w.fixture.memory.blank(slotXiNext, s.state.learner.XiNext())
	w.inbox.expect(s.generation, step, span.Off, xiNext[span.Off:][:span.Len])
	if err := w.outbox.sendSpan(s.generation, step, span.Off, n.theta[span.Off:][:span.Len]); err != nil {
		return err
	}
	result := &pb.StepResult{Generation: s.generation, Step: step, Digests: n.digests,
		EmbeddingStdRatio: stats.StdRatio, GradientNorm: norm, Phases: s.clock.report()}
	for i, sh := range stats.Shards {
		result.Shards = append(result.Shards, &pb.ShardResult{Shard: int32(s.begin + i), LossSum: sh.Loss,
			ProbeLossSum: sh.ProbeLoss, ProbeCorrect: int64(sh.Correct), Labelled: int64(sh.Labelled), Images: int64(sh.Images)})
	}
	return w.outbox.send(&pb.FromWorker{Message: &pb.FromWorker_StepResult{StepResult: result}})
}

// adopt takes ξ' round the ring, checks it, and makes the next state the current one. Its arrival is the commit.
func (s *session) adopt(ctx context.Context, p *pb.Plan, n nextState) error {
	w, l, step := s.w, s.state.learner, s.state.step
	xiNext := w.fixture.memory.blank(slotXiNext, l.XiNext())
	w.inbox.forget()
	key := allreduce.Key{Step: uint64(step), Bucket: bucketTarget}
	if err := s.group.Share(ctx, key, xiNext, s.spans); err != nil {
		return fmt.Errorf("share the target: %w", err)
	}
	if got := digest(xiNext); p.CommittedStep == step+1 && got != p.TargetDigest {
		return &Failure{What: fmt.Sprintf("the target of step %d arrived damaged", step),
			Why: fmt.Sprintf("its digest is %016x, the coordinator committed %016x", got, p.TargetDigest),
			Try: "check this machine's memory and network; run again to go on from the newest checkpoint", Code: ExitTraining}
	}
	w.fixture.memory.flush(l.XiNext(), xiNext)
	l.Commit()
	s.state.step++
	w.board.setStep(s.generation, s.state.step)
	return nil
}
