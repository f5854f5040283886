package nn

import (
	"context"
	"math"

	"byol/model/device"
)

const (
	epsilon  = 1e-5
	momentum = 0.1 // weight of the new value in a running statistic
	keep     = 1 - momentum
)

// BatchNorm normalises each channel of a stream over the batch of all shards (or, with local batch norm, of
// one shard): y = (x−mean)/sqrt(var+1e-5)·gamma + beta, with the biased variance; x, y [n][h][w][c], all others [c].
// Its running statistics are PyTorch's: r = 0.9·r + 0.1·new with the unbiased variance, view 1 and then view 2.
type BatchNorm struct {
	l           *Lockstep
	name        string
	gamma, beta *Param // beta follows gamma in the layout
	c, hw       int    // channels; positions of an image
	nets        int    // networks that run it
	at          int    // where its mean, then its variance, are in a network's statistics
	record      int    // where its sums are in the message of local batch norm

	mean, inv [streamCount][]float64 // [groups][c]

	// What a convolution computed along with its output, so that x or dy need not be read once more for it.
	forwardSums    [Eval][]float64 // [local shards][2c]: Σx, Σx²
	hasForwardSums [Eval]bool
	gradSums       [views][]float64 // [local shards][2c]: Σg, Σg·x̂
	hasGradSums    bool

	sums  []float64 // [2c] scratch: totals over shards
	grad  []float64 // [2c] scratch: a shard's gradient of gamma, then beta
	moved []float64 // [2c] scratch of gatherRunning
}

func newBatchNorm(l *Lockstep, name string, c, hw, nets int) *BatchNorm {
	b := &BatchNorm{l: l, name: name, c: c, hw: hw, nets: nets, at: 2 * l.channels}
	b.gamma = l.declare(name+".weight", Gamma, c)
	b.beta = l.declare(name+".bias", Beta, c)
	for _, o := range l.norms {
		b.record += o.localLen()
	}
	for s := range b.mean {
		b.mean[s] = make([]float64, b.groups(s)*c)
		b.inv[s] = make([]float64, b.groups(s)*c)
	}
	for s := range nets * views {
		b.forwardSums[s] = make([]float64, l.opt.Cut.Local*2*c)
	}
	for v := range views {
		b.gradSums[v] = make([]float64, l.opt.Cut.Local*2*c)
	}
	b.sums, b.grad, b.moved = make([]float64, 2*c), make([]float64, 2*c), make([]float64, 2*c)
	l.channels += c
	l.norms = append(l.norms, b)
	return b
}

// localLen is the number of sums that a shard has of this batch norm in the message of local batch norm.
func (b *BatchNorm) localLen() int { return b.nets * views * 2 * b.c }

// groups is how many sets of images of a stream are normalised apart here.
func (b *BatchNorm) groups(stream int) int {
	if b.l.opt.LocalBatchNorm && stream != Eval {
		return b.l.opt.Cut.Local
	}
	return 1
}

// count is the number of values of a channel in one set.
func (b *BatchNorm) count() float64 {
	n := b.l.opt.Cut.Images * b.hw
	if !b.l.opt.LocalBatchNorm {
		n *= b.l.opt.Cut.Shards
	}
	return float64(n)
}

// normalise computes the statistics of units whose outputs z are there, with one message for all of them.
func (l *Lockstep) normalise(ctx context.Context, p pass, units ...*unit) error {
	if p.evaluates() {
		return nil
	}
	if l.opt.LocalBatchNorm {
		l.message.begin(l.localSize())
		for _, u := range units {
			u.bn.sumShards(p, &u.z, u.bn.localAt(p))
			u.bn.finishLocal(p)
		}
		return nil
	}
	n, at := 0, 0
	for _, u := range units {
		n += u.bn.sumsLen(p)
	}
	if n == 0 {
		return nil
	}
	l.message.begin(n + l.flags())
	for _, u := range units {
		u.bn.sumShards(p, &u.z, at)
		at += u.bn.sumsLen(p)
	}
	l.putArrival()
	all, err := l.gather(ctx)
	if err != nil {
		return err
	}
	l.readArrivals(all)
	at = 0
	for _, u := range units {
		u.bn.finish(p, all, at)
		at += u.bn.sumsLen(p)
	}
	return nil
}

// sumsLen is the number of sums that a shard sends for this batch norm in a pass.
func (b *BatchNorm) sumsLen(p pass) int {
	from, to := p.streams(b.nets)
	return max(to-from, 0) * 2 * b.c
}

// localAt is where a pass's sums are in the message of local batch norm.
func (b *BatchNorm) localAt(p pass) int { return b.record + p.from*2*b.c }

// sumShards puts [Σx, Σx²] of every stream of the pass of each local shard into the message, from at on.
func (b *BatchNorm) sumShards(p pass, x *Streams, at int) {
	from, end := p.streams(b.nets)
	rows := b.l.opt.Cut.Images * b.hw
	for i := range b.l.opt.Cut.Local {
		to := b.l.message.shard(i)[at:]
		for s := from; s < end; s++ {
			if b.hasForwardSums[s] {
				copy(to[:2*b.c], b.forwardSums[s][i*2*b.c:])
			} else {
				b.l.dev.BatchNormSums(b.l.part(x[s], i, b.hw*b.c), rows, b.c, to[:2*b.c])
			}
			to = to[2*b.c:]
		}
	}
	b.hasForwardSums = [Eval]bool{}
}

// finish turns the sums of all shards into statistics and updates the running ones.
func (b *BatchNorm) finish(p pass, all []float64, at int) {
	from, to := p.streams(b.nets)
	for s := from; s < to; s++ {
		b.l.total(b.sums, all, at)
		b.moments(b.sums, b.mean[s], b.inv[s])
		b.moveRunning(s)
		at += 2 * b.c
	}
}

// finishLocal does so for each shard by itself; the running statistics wait for gatherRunning.
func (b *BatchNorm) finishLocal(p pass) {
	from, to := p.streams(b.nets)
	for i := range b.l.opt.Cut.Local {
		at := b.localAt(p)
		for s := from; s < to; s++ {
			copy(b.sums, b.l.message.shard(i)[at:])
			b.moments(b.sums, b.mean[s][i*b.c:(i+1)*b.c], b.inv[s][i*b.c:(i+1)*b.c])
			at += 2 * b.c
		}
	}
}

// moments turns [Σx, Σx²] into the mean and the unbiased variance, in place, and sets mean and 1/sqrt(var+ε)
// of the biased variance Σx²/n − mean². The square is rounded before it is subtracted.
func (b *BatchNorm) moments(sums, mean, inv []float64) {
	n := b.count()
	unbiased := n / max(n-1, 1)
	for j := range b.c {
		m := sums[j] / n
		v := max(sums[b.c+j]/n-float64(m*m), 0)
		mean[j], inv[j] = m, 1/math.Sqrt(v+epsilon)
		sums[j], sums[b.c+j] = m, v*unbiased
	}
}

// moveRunning moves the running statistics of a stream's network towards b.sums.
func (b *BatchNorm) moveRunning(stream int) {
	at := networkOf(stream)*2*b.l.channels + b.at
	running := b.l.next[at : at+2*b.c]
	for j, r := range running {
		running[j] = float32(float64(keep*float64(r)) + float64(momentum*b.sums[j]))
	}
}

// localSize is the length of the message of local batch norm.
func (l *Lockstep) localSize() int {
	n := 0
	for _, b := range l.norms {
		n += b.localLen()
	}
	return n
}

// gatherRunning updates the running statistics after a pass with local batch norm: with the mean over all
// shards, in shard order, of the shards' means and unbiased variances. One message serves all layers.
func (l *Lockstep) gatherRunning(ctx context.Context) error {
	l.message.begin(l.localSize())
	all, err := l.gather(ctx)
	if err != nil {
		return err
	}
	shards := float64(l.opt.Cut.Shards)
	for _, b := range l.norms {
		moved, scratch := b.moved, b.grad
		for s := range b.nets * views {
			clear(moved)
			for v := range l.opt.Cut.Shards {
				at := v*l.message.n + b.record + s*2*b.c
				copy(b.sums, all[at:])
				b.moments(b.sums, scratch[:b.c], scratch[b.c:])
				for j, x := range b.sums {
					moved[j] += x
				}
			}
			for j, x := range moved {
				b.sums[j] = x / shards
			}
			b.moveRunning(s)
		}
	}
	return nil
}

// useRunning makes the running statistics those of the evaluation stream.
func (b *BatchNorm) useRunning() {
	for j := range b.c {
		b.mean[Eval][j] = float64(b.l.stats[b.at+j])
		b.inv[Eval][j] = 1 / math.Sqrt(float64(b.l.stats[b.at+b.c+j])+epsilon)
	}
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
			Gamma: b.l.param(network, b.gamma), Beta: b.l.param(network, b.beta), Mean: b.mean[s], InvStd: b.inv[s],
		}
		if o.residual != nil {
			a.Residual = o.residual[s]
		}
		if b.groups(s) == 1 {
			b.l.dev.BatchNormApply(a)
			continue
		}
		for i := range b.groups(s) {
			shard := a
			shard.Rows = b.l.opt.Cut.Images * b.hw
			shard.X, shard.Y = b.l.part(a.X, i, n), b.l.part(a.Y, i, n)
			if o.residual != nil {
				shard.Residual = b.l.part(a.Residual, i, n)
			}
			shard.Mean, shard.InvStd = a.Mean[i*b.c:(i+1)*b.c], a.InvStd[i*b.c:(i+1)*b.c]
			b.l.dev.BatchNormApply(shard)
		}
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
		Rows: b.l.opt.Cut.Batch() * b.hw, C: b.c, DY: g.dy[v], X: g.u.z[v], DX: g.dx[v],
		Gamma: b.l.param(online, b.gamma), Mean: b.mean[v], InvStd: b.inv[v],
	}
	if g.masked {
		a.Beta = b.l.param(online, b.beta)
	}
	if i < 0 {
		return a
	}
	n := b.hw * b.c
	a.Rows = b.l.opt.Cut.Images * b.hw
	a.DY, a.X, a.DX = b.l.part(a.DY, i, n), b.l.part(a.X, i, n), b.l.part(a.DX, i, n)
	if b.l.opt.LocalBatchNorm {
		a.Mean, a.InvStd = a.Mean[i*b.c:(i+1)*b.c], a.InvStd[i*b.c:(i+1)*b.c]
	}
	return a
}

// postNormGrads computes the sums that the gradients of list need and starts one message with all of them.
// Each shard's own sums are its gradients of gamma and beta. finishNormGrads must follow.
func (l *Lockstep) postNormGrads(ctx context.Context, list ...normGrad) {
	n := 0
	for _, g := range list {
		n += views * 2 * g.u.bn.c
	}
	l.message.begin(n)
	for i := range l.opt.Cut.Local {
		to := l.message.shard(i)
		for _, g := range list {
			n := 2 * g.u.bn.c
			for v := range views {
				if g.u.bn.hasGradSums {
					copy(to[:n], g.u.bn.gradSums[v][i*n:])
				} else {
					l.dev.BatchNormGradSums(g.of(v, i), to[:n])
				}
				to = to[n:]
			}
		}
	}
	for _, g := range list {
		g.u.bn.hasGradSums = false
	}
	if !l.opt.LocalBatchNorm {
		l.post(ctx)
	}
	for i := range l.opt.Cut.Local {
		from := l.message.shard(i)
		for _, g := range list {
			g.u.bn.ownGradient(i, from)
			from = from[views*2*g.u.bn.c:]
		}
	}
}

// ownGradient adds view 1 and view 2 of [Σg, Σg·x̂], which is [dbeta, dgamma], and stores them as gamma, beta.
func (b *BatchNorm) ownGradient(i int, sums []float64) {
	for j := range b.c {
		b.grad[j] = sums[b.c+j] + sums[3*b.c+j]
		b.grad[b.c+j] = sums[j] + sums[2*b.c+j]
	}
	b.l.dev.Upload64(b.l.grads[i].Slice(b.gamma.Off, 2*b.c), b.grad)
}

// finishNormGrads waits for the message and sets dx.
func (l *Lockstep) finishNormGrads(list ...normGrad) error {
	all, err := l.messageTotals()
	if err != nil {
		return err
	}
	at := 0
	for _, g := range list {
		b := g.u.bn
		for v := range views {
			if l.opt.LocalBatchNorm {
				for i := range l.opt.Cut.Local {
					l.dev.BatchNormGradApply(g.of(v, i), l.message.shard(i)[at:at+2*b.c], b.count())
				}
			} else {
				l.total(b.sums, all, at)
				l.dev.BatchNormGradApply(g.of(v, -1), b.sums, b.count())
			}
			at += 2 * b.c
		}
		if err := l.buckets.ready(b.gamma); err != nil {
			return err
		}
		if err := l.buckets.ready(b.beta); err != nil {
			return err
		}
	}
	return nil
}

// messageTotals waits for the message unless local batch norm sent none.
func (l *Lockstep) messageTotals() ([]float64, error) {
	if l.opt.LocalBatchNorm {
		return nil, nil
	}
	return l.wait()
}
