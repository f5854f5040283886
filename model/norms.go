package model

import (
	"context"

	"byol/model/engine"
)

const (
	momentum = 0.1 // weight of the new value in a running statistic
	keep     = 1 - momentum
)

// views is how many views an image has.
const views = 2

// half is how far one network has come in its forward half, which the stages of an engine are.
type half struct {
	network int // 0: online, 1: target
	stages  []engine.Stage
	done    int       // stages that were launched
	waiting bool      // for the sums of the last of them
	moments []float64 // of the batch norms it ended with
}

// plan takes the stages of a new plan.
func (h *half) plan(stages []engine.Stage) {
	longest := 0
	for _, s := range stages {
		longest = max(longest, s.Totals)
	}
	*h = half{network: h.network, stages: stages, moments: make([]float64, longest)}
}

// begin forgets what was done.
func (h *half) begin() { h.done, h.waiting = 0, false }

// left says whether there is a stage to launch.
func (h *half) left() bool { return h.done < len(h.stages) }

// final is the stage behind which nothing is left.
func (h *half) final() *engine.Stage { return &h.stages[len(h.stages)-1] }

// last is the stage that was launched last.
func (h *half) last() *engine.Stage { return &h.stages[h.done-1] }

// count is the number of values of a channel of a batch norm over the images that are normalised together.
func (l *Learner) count(n engine.Norm) float64 {
	images := l.cut.Images
	if !l.cfg.LocalBatchNorm {
		images *= l.cut.Shards
	}
	return float64(images * n.PerImage)
}

// settle turns sums over all shards of what the last stage of a half ended with into moments, for the next, and moves
// the running statistics.
func (l *Learner) settle(h *half, sums []float64) {
	at := 0
	for _, index := range h.last().Norms {
		n := l.layout.Norms[index]
		for range views {
			from, to := sums[at:at+2*n.C], h.moments[at:at+2*n.C]
			engine.Moments(l.count(n), from, to[:n.C], to[n.C:])
			l.moveRunning(h.network, n, from)
			at += 2 * n.C
		}
	}
}

// moveRunning moves the running statistics of a network's batch norm towards [mean, unbiased variance], as PyTorch
// does: r = 0.9·r + 0.1·new, for view 1 and then view 2.
func (l *Learner) moveRunning(network int, n engine.Norm, moments []float64) {
	own := l.running[network*l.layout.Statistics:]
	for j, s := range [...]engine.Span{n.Mean, n.Var} {
		move(own[s.Off:s.End()], moments[j*n.C:])
	}
}

func move(running []float32, towards []float64) {
	for j, r := range running {
		running[j] = float32(float64(keep*float64(r)) + float64(momentum*towards[j]))
	}
}

// exchangeRunning updates the running statistics after the forward halves with local batch norm: with the mean over all
// shards of the shards' means and unbiased variances. One message serves both networks.
func (l *Learner) exchangeRunning(ctx context.Context) error {
	if err := l.putSums([]*half{&l.online, &l.target}); err != nil {
		return err
	}
	return l.shareRunning(ctx)
}

// shareRunning turns the message at hand, of the sums of both networks, into one of each shard's moments, and moves the
// running statistics by the mean of all.
func (l *Learner) shareRunning(ctx context.Context) error {
	l.eachNorm(func(at int, n engine.Norm, _ int) {
		unused := l.sums[:2*n.C]
		for _, own := range l.message.part(at, 2*n.C) {
			engine.Moments(l.count(n), own, unused[:n.C], unused[n.C:])
		}
	})
	mean, err := l.exchange(ctx)
	if err != nil {
		return err
	}
	for i := range mean {
		mean[i] /= float64(l.cut.Shards)
	}
	l.eachNorm(func(at int, n engine.Norm, network int) { l.moveRunning(network, n, mean[at:][:2*n.C]) })
	return nil
}

// eachNorm calls f for each batch norm of the last stages of both networks, and each view: where in the message its
// numbers begin, and whose it is.
func (l *Learner) eachNorm(f func(at int, n engine.Norm, network int)) {
	at := 0
	for _, h := range [...]*half{&l.online, &l.target} {
		for _, index := range h.last().Norms {
			n := l.layout.Norms[index]
			for range views {
				f(at, n, h.network)
				at += 2 * n.C
			}
		}
	}
}
