package model

import (
	"context"
	"fmt"
	"math"
)

// Grad runs both networks forward on both views, or goes on behind Lead, and the online network backward.
// onBucket (may be nil) is called on this goroutine when a part of the flat gradient is complete for all local shards,
// or will be when what was launched has run: then it can be fetched. The parts go from the end of the layout to its
// start. The gradients are those of (Σ loss + Σ cross entropy)/batch over this learner's shards, so that their sum
// over all shards is the gradient of the global mean.
func (l *Learner) Grad(ctx context.Context, b Batch, onBucket func(Bucket) error) (Stats, error) {
	if err := l.checkBatch(b); err != nil {
		return Stats{}, err
	}
	defer l.begins("idle")
	l.begins("forward")
	l.buckets.begin(onBucket)
	pass := l.atOnce
	if l.inTurns() {
		pass = l.takeTurns
	}
	ratio, err := pass(ctx, b)
	if err != nil {
		return Stats{}, err
	}
	for i, s := range l.losses {
		l.shards[i] = ShardStats{Loss: s.Loss, ProbeLoss: s.Probe, Correct: s.Correct, Labelled: l.labelled(b, i),
			Images: l.cut.Images}
	}
	return Stats{Shards: l.shards, StdRatio: ratio}, nil
}

// atOnce is the pass of Grad of all local shards side by side.
func (l *Learner) atOnce(ctx context.Context, b Batch) (ratio float64, err error) {
	l.begin(b)
	if err := l.forward(ctx); err != nil {
		return 0, fmt.Errorf("forward: %w", err)
	}
	if ratio, err = l.backward(ctx); err != nil {
		return 0, fmt.Errorf("backward: %w", err)
	}
	if err := l.eng.ReadLosses(l.losses); err != nil {
		return 0, fmt.Errorf("compute gradient: %w", err)
	}
	return ratio, nil
}

func (l *Learner) checkBatch(b Batch) error {
	n := l.cut.Batch()
	for i, view := range [][]float32{b.View1, b.View2} {
		if len(view) != n*l.imageLen() {
			return fmt.Errorf("batch: view %d has %d values, want %d images of %d", i+1, len(view), n, l.imageLen())
		}
	}
	if l.cfg.Classes == 0 || b.Labels == nil {
		return nil
	}
	if len(b.Labels) != n {
		return fmt.Errorf("batch: %d labels for %d images", len(b.Labels), n)
	}
	for i, label := range b.Labels {
		if int(label) >= l.cfg.Classes {
			return fmt.Errorf("batch: label %d of image %d: the probe has %d classes", label, i, l.cfg.Classes)
		}
	}
	return nil
}

// labelled is how many images of a local shard have a label, where there is a probe to see it.
func (l *Learner) labelled(b Batch, shard int) int {
	n := 0
	if b.Labels == nil || l.cfg.Classes == 0 {
		return n
	}
	for _, label := range b.Labels[shard*l.cut.Images:][:l.cut.Images] {
		if label >= 0 {
			n++
		}
	}
	return n
}

// backward computes the losses and all gradients. Weight gradients are computed while the sums that the next stage
// needs travel. It returns the spread of the embedding.
func (l *Learner) backward(ctx context.Context) (ratio float64, err error) {
	s := l.stages
	l.eng.Launch(&s.Losses, nil)
	if err := l.buckets.complete(l.complete[0]); err != nil {
		return 0, err
	}
	if !s.Synchronous {
		if err := l.launchBackward(0); err != nil {
			return 0, err
		}
	}
	if ratio, err = l.stdRatio(ctx); err != nil {
		return 0, fmt.Errorf("measure spread: %w", err)
	}
	l.begins("backward")
	for k := range s.Backward {
		if k > 0 || s.Synchronous {
			if err := l.launchBackward(k); err != nil {
				return 0, err
			}
		}
		if err := l.backwardSums(ctx, k); err != nil {
			return 0, err
		}
	}
	return ratio, nil
}

// launchBackward launches a backward stage; l.sums holds its totals. Where launching computes at once, its weights
// wait until its sums have been sent off.
func (l *Learner) launchBackward(k int) error {
	s := &l.stages.Backward[k]
	l.eng.Launch(s, l.sums[:s.Totals])
	if err := l.buckets.complete(l.complete[1+2*k]); err != nil || l.stages.Synchronous {
		return err
	}
	return l.launchWeights(k)
}

func (l *Learner) launchWeights(k int) error {
	l.eng.Launch(&l.stages.Weights[k], nil)
	return l.buckets.complete(l.complete[2+2*k])
}

// backwardSums exchanges the sums that a backward stage ended with, and leaves in l.sums those over all shards.
func (l *Learner) backwardSums(ctx context.Context, k int) error {
	s := &l.stages.Backward[k]
	if s.Sums > 0 {
		l.message.begin(s.Sums)
		if err := l.eng.Sums(s, l.message.part(0, s.Sums)); err != nil {
			return err
		}
		l.post(ctx)
	}
	var reported error
	if l.stages.Synchronous {
		reported = l.launchWeights(k)
	}
	if s.Sums > 0 {
		total, err := l.wait()
		if err != nil {
			return err
		}
		copy(l.sums, total)
	}
	return reported
}

// stdRatio is the standard deviation of a dimension of the normalised online projections over the global
// batch, averaged over dimensions and views, in units of 1/sqrt(d).
func (l *Learner) stdRatio(ctx context.Context) (float64, error) {
	s := &l.stages.Losses
	l.message.begin(s.Sums)
	if err := l.eng.Sums(s, l.message.part(0, s.Sums)); err != nil {
		return 0, err
	}
	total, err := l.exchange(ctx)
	if err != nil {
		return 0, err
	}
	return spread(total, float64(l.cfg.Batch)), nil
}

// spread is the ratio that Σẑ and Σẑ² over the batch tell, of both views.
func spread(total []float64, batch float64) float64 {
	d, sum := len(total)/(2*views), 0.0
	for v := range views {
		for j := range d {
			x, xx := total[v*2*d+j], total[v*2*d+j+d]
			mean := x / batch
			sum += math.Sqrt(max(xx/batch-float64(mean*mean), 0))
		}
	}
	return sum / 2 / math.Sqrt(float64(d))
}
