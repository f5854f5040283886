package nn

import (
	"byol/model/device"
	"byol/model/engine"
)

// BatchNorm normalises each channel of a stream over the batch of all shards (or, with local batch norm, of
// one shard): y = (x−mean)/sqrt(var+ε)·gamma + beta, with the biased variance; x, y [n][h][w][c], all others [c].
type BatchNorm struct {
	pair        *Pair
	index       int // of the layout's norms
	gamma, beta int // of the layout's parameters; beta follows gamma
	c, hw       int // channels; positions of an image
	nets        int // networks that run it
	running     engine.Norm

	mean, inv [streamCount][]float64 // [groups][c]

	// Sums of each shard. A convolution computes them along with its output where it can, so that x or dy need not be
	// read once more.
	forwardSums    [Eval][]float64 // [local shards][2c]: Σx, Σx²
	hasForwardSums [Eval]bool
	gradSums       [views][]float64 // [local shards][2c]: Σg, Σg·x̂
	hasGradSums    bool
	gradTotals     [views][]float64 // [2c] over all shards

	moved []float64 // [2c] scratch of finishLocal
	grad  []float64 // [2c] scratch: a shard's gradient of gamma, then beta
}

func newBatchNorm(l *Pair, index int) *BatchNorm {
	n := l.layout.Norms[index]
	b := &BatchNorm{pair: l, index: index, gamma: n.Gamma, beta: n.Beta, c: n.C, hw: n.PerImage,
		nets: runners(n.OnlineOnly), running: n}
	for s := range b.mean {
		b.mean[s] = make([]float64, b.groups(s)*b.c)
		b.inv[s] = make([]float64, b.groups(s)*b.c)
	}
	for s := range b.nets * views {
		b.forwardSums[s] = make([]float64, l.opt.Cut.Local*2*b.c)
	}
	for v := range views {
		b.gradSums[v] = make([]float64, l.opt.Cut.Local*2*b.c)
		b.gradTotals[v] = make([]float64, 2*b.c)
	}
	b.grad, b.moved = make([]float64, 2*b.c), make([]float64, 2*b.c)
	l.norms[index] = b
	return b
}

// groups is how many sets of images of a stream are normalised apart here.
func (b *BatchNorm) groups(stream int) int {
	if b.pair.opt.LocalBatchNorm && stream != Eval {
		return b.pair.opt.Cut.Local
	}
	return 1
}

// count is the number of values of a channel in one set.
func (b *BatchNorm) count() float64 {
	n := b.pair.opt.Cut.Images * b.hw
	if !b.pair.opt.LocalBatchNorm {
		n *= b.pair.opt.Cut.Shards
	}
	return float64(n)
}

// sumShards computes [Σx, Σx²] of every stream of the pass of each local shard, unless the convolution has. With local
// batch norm it turns them into statistics.
func (b *BatchNorm) sumShards(p pass, x *Streams) {
	if p.evaluates() {
		return
	}
	from, to := p.streams(b.nets)
	for s := from; s < to; s++ {
		if !b.hasForwardSums[s] {
			for i := range b.pair.opt.Cut.Local {
				b.pair.dev.BatchNormSums(b.pair.part(x[s], i, b.hw*b.c), b.pair.opt.Cut.Images*b.hw, b.c,
					b.forwardSums[s][i*2*b.c:(i+1)*2*b.c])
			}
		}
		b.hasForwardSums[s] = false
		if b.pair.opt.LocalBatchNorm {
			b.finishLocal(s)
		}
	}
}

// finishLocal sets the statistics of each shard from its own sums, which stay.
func (b *BatchNorm) finishLocal(stream int) {
	for i := range b.pair.opt.Cut.Local {
		copy(b.moved, b.forwardSums[stream][i*2*b.c:])
		engine.Moments(b.count(), b.moved, b.mean[stream][i*b.c:(i+1)*b.c], b.inv[stream][i*b.c:(i+1)*b.c])
	}
}

// take sets the statistics of the pass from the moments that totals begin with, and returns the rest.
func (b *BatchNorm) take(p pass, totals []float64) []float64 {
	for s := p.from; s < p.to; s++ {
		totals = totals[copy(b.mean[s], totals):]
		totals = totals[copy(b.inv[s], totals):]
	}
	return totals
}

// useRunning makes the running statistics those of the evaluation stream.
func (b *BatchNorm) useRunning() {
	mean, variance := b.running.Mean, b.running.Var
	engine.Running(b.pair.running[mean.Off:mean.End()], b.pair.running[variance.Off:variance.End()], b.mean[Eval],
		b.inv[Eval])
}

// output says what is done to y behind the normalisation.
type output struct {
	residual *Streams // [n][h][w][c] that is added; optional
	relu     bool
}

// forward sets y [n][h][w][c] = normalised x [n][h][w][c] in the streams of the pass.
func (b *BatchNorm) forward(p pass, x, y *Streams, o output) {
	from, to := p.streams(b.nets)
	n := b.hw * b.c
	for s := from; s < to; s++ {
		network := networkOf(s)
		a := device.BatchNorm{
			Rows: p.images * b.hw, C: b.c, X: x[s], Y: y[s], ReLU: o.relu,
			Gamma: b.pair.param(network, b.gamma), Beta: b.pair.param(network, b.beta), Mean: b.mean[s], InvStd: b.inv[s],
		}
		if o.residual != nil {
			a.Residual = o.residual[s]
		}
		if b.groups(s) == 1 {
			b.pair.dev.BatchNormApply(a)
			continue
		}
		for i := range b.groups(s) {
			shard := a
			shard.Rows = b.pair.opt.Cut.Images * b.hw
			shard.X, shard.Y = b.pair.part(a.X, i, n), b.pair.part(a.Y, i, n)
			if o.residual != nil {
				shard.Residual = b.pair.part(a.Residual, i, n)
			}
			shard.Mean, shard.InvStd = a.Mean[i*b.c:(i+1)*b.c], a.InvStd[i*b.c:(i+1)*b.c]
			b.pair.dev.BatchNormApply(shard)
		}
	}
}

// trace tells who wants to know what the online network gives behind the norm and its ReLU.
func (b *BatchNorm) trace(p pass, y *Streams) {
	if b.pair.Trace == nil || p.from != Online1 {
		return
	}
	for v := range views {
		b.pair.Trace(b.index, v, y[v].Slice(0, p.images*b.hw*b.c))
	}
}

// normGrad holds the operands of the backward pass of a unit's batch norm: from dy [n][h][w][c], the gradient of its
// output, to dx [n][h][w][c], that of its input.
type normGrad struct {
	u      *unit
	masked bool // dy is the gradient behind the ReLU, which still has to go through it
	dy, dx Views
}

// of returns the kernel's operands of one view: of shard i, or of all for i < 0.
func (g normGrad) of(v, i int) device.BatchNormGrad {
	b := g.u.bn
	a := device.BatchNormGrad{
		Rows: b.pair.opt.Cut.Batch() * b.hw, C: b.c, DY: g.dy[v], X: g.u.z[v], DX: g.dx[v],
		Gamma: b.pair.param(Online, b.gamma), Mean: b.mean[v], InvStd: b.inv[v],
	}
	if g.masked {
		a.Beta = b.pair.param(Online, b.beta)
	}
	if i < 0 {
		return a
	}
	n := b.hw * b.c
	a.Rows = b.pair.opt.Cut.Images * b.hw
	a.DY, a.X, a.DX = b.pair.part(a.DY, i, n), b.pair.part(a.X, i, n), b.pair.part(a.DX, i, n)
	if b.pair.opt.LocalBatchNorm {
		a.Mean, a.InvStd = a.Mean[i*b.c:(i+1)*b.c], a.InvStd[i*b.c:(i+1)*b.c]
	}
	return a
}

// sumShards computes [Σg, Σg·x̂] of both views of each local shard, unless the convolution behind has.
func (g normGrad) sumShards() {
	b := g.u.bn
	if !b.hasGradSums {
		for i := range b.pair.opt.Cut.Local {
			for v := range views {
				b.pair.dev.BatchNormGradSums(g.of(v, i), b.gradSums[v][i*2*b.c:(i+1)*2*b.c])
			}
		}
	}
	b.hasGradSums = false
}

// apply sets dx.
func (g normGrad) apply() {
	b := g.u.bn
	for v := range views {
		if !b.pair.opt.LocalBatchNorm {
			b.pair.dev.BatchNormGradApply(g.of(v, -1), b.gradTotals[v], b.count())
			continue
		}
		for i := range b.pair.opt.Cut.Local {
			b.pair.dev.BatchNormGradApply(g.of(v, i), b.gradSums[v][i*2*b.c:(i+1)*2*b.c], b.count())
		}
	}
}

// ownGradient adds view 1 and view 2 of each shard's [Σg, Σg·x̂], which is [dbeta, dgamma], and stores them as gamma,
// beta.
func (b *BatchNorm) ownGradient() {
	at := b.pair.layout.Params[b.gamma].Off
	for i, gradient := range b.pair.grads {
		first, second := b.gradSums[0][i*2*b.c:], b.gradSums[1][i*2*b.c:]
		for j := range b.c {
			b.grad[j] = first[b.c+j] + second[b.c+j]
			b.grad[b.c+j] = first[j] + second[j]
		}
		b.pair.dev.Upload64(gradient.Slice(at, 2*b.c), b.grad)
	}
}
