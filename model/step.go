package model

import (
	"context"
	"fmt"
	"math"

	"byol/model/device"
	"byol/model/nn"
)

// Grad runs both networks forward on both views, or goes on where Lead left off, and the online network backward.
// onBucket (may be nil) is called on this goroutine when a part of the flat gradient is complete for all local shards,
// from the end of the layout to its start. The gradients are those of (Σ loss + Σ cross entropy)/batch over this
// learner's shards, so that their sum over all shards is the gradient of the global mean.
func (l *Learner) Grad(ctx context.Context, b Batch, onBucket func(Bucket) error) (Stats, error) {
	if err := l.checkBatch(b); err != nil {
		return Stats{}, err
	}
	defer l.layers.Phase("idle")
	l.layers.Phase("forward")
	if err := l.begin(ctx, b, onBucket); err != nil {
		return Stats{}, fmt.Errorf("forward: %w", err)
	}
	ratio, err := l.stdRatio(ctx)
	if err != nil {
		return Stats{}, fmt.Errorf("measure spread: %w", err)
	}
	l.layers.Phase("backward")
	if err := l.backward(ctx, b.Labels); err != nil {
		return Stats{}, fmt.Errorf("backward: %w", err)
	}
	if err := l.dev.Sync(); err != nil {
		return Stats{}, fmt.Errorf("compute gradient on %s: %w", l.dev.Name(), err)
	}
	return Stats{Shards: l.shards, StdRatio: ratio}, nil
}

func (l *Learner) checkBatch(b Batch) error {
	n := l.cut.Batch()
	for i, view := range [][]float32{b.View1, b.View2} {
		if len(view) != n*l.imageLen() {
			return fmt.Errorf("batch: view %d has %d values, want %d images of %d", i+1, len(view), n, l.imageLen())
		}
	}
	if l.classifier == nil || b.Labels == nil {
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

func (l *Learner) backward(ctx context.Context, labels []int32) error {
	if err := l.losses(labels); err != nil {
		return err
	}
	if l.cfg.Ablation == NoPredictor {
		if err := l.predictor.Skip(); err != nil {
			return err
		}
	} else if err := l.predictor.Backward(ctx); err != nil {
		return err
	}
	if l.cfg.Ablation == NoStopGradient {
		l.targetRegression()
	}
	if err := l.projector.Backward(ctx); err != nil {
		return err
	}
	return l.encoder.Backward(ctx)
}

// losses computes both losses of each shard, the whole gradient of the probe, and that of the predictions in
// the scratch memory.
func (l *Learner) losses(labels []int32) error {
	clear(l.shards)
	if err := l.probe(labels); err != nil {
		return err
	}
	l.regression()
	return nil
}

// probe runs the classifier on the embedding of view 1, forward and backward. Nothing flows into the encoder.
func (l *Learner) probe(labels []int32) error {
	if l.classifier == nil {
		return nil
	}
	if labels == nil {
		labels = l.labels
	}
	l.classifier.Forward()
	logits, grad := l.logits[nn.Online1], l.layers.Scratch(0)[0]
	for i := range l.shards {
		s, own := &l.shards[i], labels[i*l.cut.Images:(i+1)*l.cut.Images]
		s.ProbeLoss, s.Correct = l.dev.CrossEntropy(l.part(logits, i, l.cfg.Classes), own, l.part(grad, i, l.cfg.Classes),
			l.cut.Images, l.cfg.Classes, l.scale())
		for _, label := range own {
			if label >= 0 {
				s.Labelled++
			}
		}
	}
	return l.classifier.Backward()
}

// scale is that of every gradient: the loss is the mean over the global batch.
func (l *Learner) scale() float64 { return 1 / float64(l.cfg.Batch) }

// part is shard i of n elements per image.
func (l *Learner) part(b device.Buffer, i, n int) device.Buffer {
	return b.Slice(i*l.cut.Images*n, l.cut.Images*n)
}

// regression sums ‖p̂1−ẑ'2‖² + ‖p̂2−ẑ'1‖² over each shard and puts the gradients of p1 and p2 into the scratch
// memory. z' are the target's projections; without stop-gradient, the online network's.
func (l *Learner) regression() {
	d, dp := l.cfg.ProjectorOut, l.layers.Scratch(0)
	goal := [2]device.Buffer{l.z[nn.Target2], l.z[nn.Target1]}
	if l.cfg.Ablation == NoStopGradient {
		goal = [2]device.Buffer{l.z[nn.Online2], l.z[nn.Online1]}
	}
	for i := range l.shards {
		s := &l.shards[i]
		s.Images = l.cut.Images
		for v := range goal {
			s.Loss += l.dev.Regression(l.part(l.p[v], i, d), l.part(goal[v], i, d), l.part(dp[v], i, d), l.cut.Images, d,
				l.scale(), false)
		}
	}
}

// targetRegression adds what the loss says to its other side, z2 and z1, when no stop-gradient keeps it out.
// The loss is symmetric, so it is the gradient with the operands exchanged.
func (l *Learner) targetRegression() {
	d, dz := l.cfg.ProjectorOut, l.layers.Scratch(0)
	for i := range l.shards {
		for v := range dz {
			l.dev.Regression(l.part(l.z[v], i, d), l.part(l.p[1-v], i, d), l.part(dz[v], i, d), l.cut.Images, d,
				l.scale(), true)
		}
	}
}

// stdRatio is the standard deviation of a dimension of the normalised online projections over the global
// batch, averaged over dimensions and views, in units of 1/sqrt(d).
func (l *Learner) stdRatio(ctx context.Context) (float64, error) {
	d := l.cfg.ProjectorOut
	n := 2 * 2 * d
	all, err := l.layers.Exchange(ctx, n, func(i int, to []float64) {
		for v := range 2 {
			l.dev.NormalizedSums(l.part(l.z[v], i, d), l.cut.Images, d, to[v*2*d:(v+1)*2*d])
		}
	})
	if err != nil {
		return 0, err
	}
	sum, batch := 0.0, float64(l.cfg.Batch)
	for v := range 2 {
		for j := range d {
			x, xx := 0.0, 0.0
			for s := range l.cfg.Shards {
				at := s*n + v*2*d + j
				x, xx = x+all[at], xx+all[at+d]
			}
			mean := x / batch
			sum += math.Sqrt(max(xx/batch-float64(mean*mean), 0))
		}
	}
	return sum / 2 / math.Sqrt(float64(d)), nil
}
