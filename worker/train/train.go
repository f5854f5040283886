// Package train is the work of one generation: a group of ranks that never changes takes steps on its replicas, each
// committed by the coordinator, until the plan changes. A Generation does not outlive its group; the replica and the
// line to the coordinator do.
//
// A step, in the order of docs/architecture.md: images, gradient (whose buckets are summed over all ranks while the
// rest is computed), update; then a courier takes what this rank would commit to the coordinator and brings ξ' back,
// while the next step's images are loaded and its forward pass is run on θ' and a ξ' of this rank's own. When the
// coordinator's is there, and the same, the step is committed.
//
// Ownership. A Generation is used by the goroutine that owns the engine. Each Step starts two more, one that sums and
// one courier, and returns when both have ended. The group, the images and the replica belong to the caller.
//
// When it fails: Step returns the first error of whoever met one, and the replica holds what is committed: the step
// before, or the step itself where only the beginning of the next one failed. What was computed of a step that may have
// been committed stays with the replica. A *failure.Failure says what is wrong with this worker's part, a
// *NotFiniteError what is wrong with the training; any other error means that the group or the line is gone, and the
// generation with it.
package train

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"byol/allreduce"
	"byol/internal/failure"
	"byol/internal/fault"
	"byol/internal/vector"
	"byol/model"
	pb "byol/proto"
	"byol/worker/control"
	"byol/worker/data"
	"byol/worker/replica"
)

// Coordinator is the worker's end of the line to it; a *control.Line is one.
type Coordinator interface {
	Say(s control.Statement) (withdraw func())
	Expect(generation, step int64, off int, dst []float32)
	Committed(ctx context.Context, step int64) (*pb.Plan, error)
	Forget()
}

// Group is the ranks of a generation; an *allreduce.Group is one.
type Group interface {
	Rank() int
	Size() int
	AllReduce(ctx context.Context, key allreduce.Key, shards [][]float32, out []float32) error
	Total(ctx context.Context, key allreduce.Key, local, sum []float64) error
	Share(ctx context.Context, key allreduce.Key, buf []float32, spans []vector.Span) error
}

// NotFiniteError says that the gradient of a step, summed over all shards, is not finite: it is so on all ranks.
type NotFiniteError struct {
	Step int64
	Err  error
}

// Error implements error.
func (e *NotFiniteError) Error() string { return e.Err.Error() }

// Unwrap is what the learner found.
func (e *NotFiniteError) Unwrap() error { return e.Err }

// Images are the batches of this rank's shards, step after step; a *data.Loader is one.
type Images interface {
	Next(ctx context.Context) (*data.Batch, error)
	Recycle(b *data.Batch)
}

// Parts are what a generation works with.
type Parts struct {
	Coordinator Coordinator
	Group       Group
	Images      Images // from the replica's step on
	Replica     *replica.Replica
	Sums        *Sums // the replica's
}

// Options are what a generation knows about its run.
type Options struct {
	Config     *pb.RunConfig
	Generation int64
	ShardBegin int // the first of this rank's shards
	// CheckpointMark is what Ready tells of the directory of checkpoints.
	CheckpointMark string
	// OnPhase is told what the worker does; it must not block. nil: nobody.
	OnPhase func(phase string)
	// OnCommitted is told the result of each step that was committed; nil: nobody is.
	OnCommitted func(*pb.StepResult)
	Faults      fault.Plan // for tests
	Tries       *Tries     // for Faults; nil: this worker has begun no step before
	Trace       *Trace     // is told what is done beside the owner of the engine, and for which step what; nil: nobody is
	Kill        func()     // carries out a fault that ends the process
	Points      fault.Points
	Log         *zap.Logger
}

// Tries are how often a step was begun. It is the worker's and outlives generations.
type Tries struct {
	step  int64
	count int
}

// begin counts one more try of a step.
func (t *Tries) begin(step int64) {
	if t.step != step {
		*t = Tries{step: step}
	}
	t.count++
}

// of is the try that a step is in: the first where only its beginning was computed, ahead of the step before.
func (t *Tries) of(step int64) int {
	if t.step != step {
		return 1
	}
	return max(1, t.count)
}

// Generation is one membership's training.
type Generation struct {
	Parts
	o         Options
	spans     []vector.Span // of the flat vectors, by rank
	ahead     *data.Batch   // images that were loaded and have not been learned from
	stopwatch stopwatch
	evalKey   uint32 // of the next share in an evaluation
}

// Buckets of keys beyond those of gradients.
const (
	bucketTarget = 1<<24 + iota // sharing ξ'
	bucketEval                  // the first of an evaluation
)

// New begins a generation. The replica holds the committed step.
func New(o Options, p Parts) *Generation {
	if o.OnPhase == nil {
		o.OnPhase = func(string) {}
	}
	if o.Tries == nil {
		o.Tries = new(Tries)
	}
	g := &Generation{Parts: p, o: o, stopwatch: newStopwatch(time.Now, o.OnPhase)}
	for r := range p.Group.Size() {
		g.spans = append(g.spans, vector.PartOfBlocks(p.Replica.Learner().Parameters(), r, p.Group.Size()))
	}
	p.Sums.join(p.Group, func(step int64, local []float32) { g.flip("sums", -1, step, local) })
	p.Replica.Learner().SetPhaseHook(g.stopwatch.begin)
	return g
}

// own is the span of this rank.
func (g *Generation) own() vector.Span { return g.spans[g.Group.Rank()] }

// Ready tells the coordinator what this worker holds, and gives it this rank's span of ξ. It stands until a plan
// after version shows that all are ready. fingerprint and manifest name what the worker computes with, and on.
func (g *Generation) Ready(version int64, fingerprint, manifest string) (withdraw func(), err error) {
	state, err := g.Replica.State()
	if err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	// What is said outlives this call, and the memory of the state is the device's again: a copy.
	own, step, generation := append([]float32(nil), g.own().Of(state.Target)...), g.Replica.Step(), g.o.Generation
	r := &pb.Ready{Generation: generation, Step: step, Digests: g.digests(state, state.Target), Fingerprint: fingerprint,
		ManifestHash: manifest, Parameters: int64(g.Replica.Learner().Parameters()), CheckpointMark: g.o.CheckpointMark}
	messages := []*pb.FromWorker{{Message: &pb.FromWorker_Ready{Ready: r}}}
	return g.Coordinator.Say(control.Statement{
		Messages: append(messages, control.Slices(generation, step, g.own().Off, own)...),
		Settled:  func(p *pb.Plan) bool { return p.Generation != generation || p.Version > version },
	}), nil
}

// digests hashes a state, and this rank's span of what it sends.
func (g *Generation) digests(s replica.State, sent []float32) *pb.Digests {
	d := g.Replica.Digests(s)
	return &pb.Digests{Online: d.Online, Momentum: d.Momentum, Statistics: d.Statistics, Target: d.Target,
		Slice: vector.Digest(g.own().Of(sent))}
}

// Step trains one step. While it is being committed, the next one begins. Where the step is verified, the coordinator
// is told marks of the gradients.
func (g *Generation) Step(ctx context.Context, verify bool) error {
	l, step := g.Replica.Learner(), g.Replica.Step()
	g.o.Tries.begin(step)
	g.o.Trace.of(step)
	if g.o.Faults.Kill(g.Group.Rank(), step) {
		g.o.Kill()
	}
	g.o.Points.Pass(fault.Step)
	batch, err := g.images(ctx, step)
	if err != nil {
		return err
	}
	stats, marks, err := g.gradient(ctx, batch, verify)
	used := samples(batch)
	g.ahead = nil
	g.Images.Recycle(batch)
	if err != nil {
		return err
	}
	g.stopwatch.begin("update")
	norm, err := l.Update(step)
	switch {
	case errors.Is(err, model.ErrNotFinite):
		return &NotFiniteError{Step: step, Err: err}
	case err != nil:
		return err
	}
	next, err := g.Replica.Next()
	if err != nil {
		return fmt.Errorf("update: %w", err)
	}
	g.damage(next)
	r := g.result(stats, norm, used)
	for i, s := range r.Shards {
		s.Gradient = marks[i]
	}
	c := g.send(ctx, next, r)
	err = c.wait(g.begin(c))
	if c.err == nil { // it is committed, whatever became of the next one
		g.o.Points.Pass(fault.Shared)
		g.Replica.Adopt()
		g.o.Points.Pass(fault.Adopted)
		if g.o.OnCommitted != nil {
			g.o.OnCommitted(c.result)
		}
	}
	g.stopwatch.begin("idle")
	return err
}

// images returns the batch of a step, the same one if it is asked for again.
func (g *Generation) images(ctx context.Context, step int64) (*data.Batch, error) {
	if g.ahead != nil {
		return g.ahead, nil
	}
	g.stopwatch.begin("data")
	batch, err := g.Images.Next(ctx)
	if err != nil {
		return nil, unloaded(ctx, step, err)
	}
	if batch.Step != step {
		return nil, fmt.Errorf("images of step %d came for step %d", batch.Step, step)
	}
	g.ahead = batch
	return batch, nil
}

func modelBatch(b *data.Batch) model.Batch {
	return model.Batch{View1: b.View1, View2: b.View2, Labels: b.Labels}
}

// overlaps reports whether the forward pass of step is begun before the step before it is committed. All workers must
// say the same, so it depends on the configuration alone. Before an evaluation it would be in vain.
func overlaps(c *pb.RunConfig, step int64) bool {
	evaluation := c.EvalData != "" && c.EvalEverySteps > 0 && step%c.EvalEverySteps == 0
	return !c.NoOverlap && step < c.EndStep() && !evaluation
}

// begin begins the step after the courier's, if it overlaps: its images, and the forward pass on θ' and the ξ' that
// this worker averaged. Nothing of the current state is touched.
func (g *Generation) begin(c *courier) error {
	next := c.step + 1
	if c.own == nil {
		return nil
	}
	g.o.Trace.of(next)
	batch, err := g.images(c.ctx, next)
	if err != nil {
		return err
	}
	g.Sums.begin(next)
	return g.Replica.Learner().Lead(c.ctx, modelBatch(batch))
}

// gradient runs both networks and leaves in the learner the gradient summed over all shards of all workers. Buckets
// are reduced while the backward pass goes on. marks are those of the local shards' gradients before they are summed,
// where that is asked for.
func (g *Generation) gradient(ctx context.Context, b *data.Batch,
	verify bool) (s model.Stats, marks []uint64, err error) {
	l := g.Replica.Learner()
	g.Sums.begin(g.Replica.Step())
	r := g.reduce(ctx, len(l.Buckets()), verify)
	stats, err := l.Grad(r.ctx, modelBatch(b), r.add)
	g.stopwatch.begin("ring")
	if failed := r.finish(err); failed != nil {
		return stats, nil, failed
	}
	return stats, r.marks, nil
}

// unloaded says what is wrong with the data; another worker may have read something else, so it ends the run.
func unloaded(ctx context.Context, step int64, err error) error {
	var known *failure.Failure
	if ctx.Err() != nil || errors.As(err, &known) {
		return err
	}
	return &failure.Failure{What: fmt.Sprintf("the images of step %d cannot be read", step), Why: err.Error(), Err: err,
		Try: "bring the files back as they were when the run began, and run the same command again", Code: failure.Data}
}

// damage carries out a test's faults on what would be committed.
func (g *Generation) damage(s replica.State) {
	for _, v := range []struct {
		target string
		x      []float32
	}{{"theta", s.Online}, {"momentum", s.Momentum}, {"statistics", s.Statistics}, {"target", s.Target}} {
		g.flip(v.target, -1, g.Replica.Step(), v.x)
	}
}

// flip damages x, if a test's faults say so.
func (g *Generation) flip(target string, shard int, step int64, x []float32) {
	if len(g.o.Faults) == 0 {
		return
	}
	at := fault.Spot{Target: target, Rank: g.Group.Rank(), Shard: shard, Step: step, Attempt: g.o.Tries.of(step)}
	if g.o.Faults.Flip(at, x) {
		g.o.Log.Warn("flipped a bit, as the fault plan says", zap.String("target", target), zap.Int("shard", shard),
			zap.Int64("step", at.Step), zap.Int("attempt", at.Attempt))
	}
}

// samples are the images that the order gave a batch; the batch is used again for another step.
func samples(b *data.Batch) []int { return append([]int(nil), b.Order...) }

// result is what the coordinator is told of a step, still without digests. The times of commit and broadcast in it
// are those of the step before.
func (g *Generation) result(stats model.Stats, norm float64, used []int) *pb.StepResult {
	r := &pb.StepResult{Generation: g.o.Generation, Step: g.Replica.Step(), EmbeddingStdRatio: stats.StdRatio,
		GradientNorm: norm, Phases: g.stopwatch.report(), Trace: g.o.Trace.take(g.Replica.Step())}
	for i, sh := range stats.Shards {
		each := len(used) / len(stats.Shards)
		r.Shards = append(r.Shards, &pb.ShardResult{Samples: vector.FoldIndices(used[i*each : (i+1)*each]),
			Shard: int32(g.o.ShardBegin + i), LossSum: sh.Loss,
			ProbeLossSum: sh.ProbeLoss, ProbeCorrect: int64(sh.Correct), Labelled: int64(sh.Labelled), Images: int64(sh.Images)})
	}
	return r
}
