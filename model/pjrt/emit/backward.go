package emit

import (
	"fmt"
	"math"

	"byol/model/engine"
	"byol/model/pjrt/hlo"
)

// back is the way back through the online network.
type back struct {
	*builder
	*tensors
	stages, weights []Stage
	norms           []int                // of the stage at hand
	sums            []*hlo.Value         // of those
	later           []func(stage *Stage) // gradients of weights that may be emitted at any time
}

// backward emits the gradients of all parameters of the online network but the probe's.
func (b *builder) backward() {
	k := &back{builder: b, tensors: b.tensors[online]}
	k.begin(nil)
	s, dz := b.step, b.dp
	if !b.NoPredictor {
		dz = k.head(b.Predictor, dz)
	}
	if b.NoStopGradient {
		dz = dz.Add(b.dz)
	}
	de := k.head(b.Projector, dz)
	k.Note("gradient of the mean over positions")
	out := b.saved[last(b.Blocks[len(b.Blocks)-1]).Weight].y
	g := de.As(b.acc).Scale(1/float64(b.Positions)).Spread([]int{b.rows(), b.Positions, b.Features}, 0, 2).
		Reshape(out.Shape...).As(b.act)
	for i := len(b.Blocks) - 1; i >= 0; i-- {
		g = k.block(b.Blocks[i], g)
	}
	if b.Pool != nil {
		k.Note("gradient of the max pooling")
		g = b.poolGrad(b.saved[b.Stem.Weight].y, b.pooled, g)
	}
	k.weight(b.Stem, k.normalise(normGrad{b.Stem, g, true})[0])
	k.close()
	s.Backward, s.Weights = k.stages, k.weights
}

// begin begins a stage with the means of the sums of the one before.
func (k *back) begin(totals *hlo.Value) {
	name := fmt.Sprintf("backward %d", len(k.stages))
	k.stages = append(k.stages, Stage{Segment: k.Cut(name), Totals: totals})
}

// close ends the stage at hand with its sums, and emits the gradients of weights that wait.
func (k *back) close() {
	s := &k.stages[len(k.stages)-1]
	if len(k.sums) > 0 {
		s.Norms, s.Sums = k.norms, k.Export(hlo.Concat(0, k.sums...).Named("sums"))
	}
	k.norms, k.sums = nil, nil
	var weights Stage
	if len(k.later) > 0 {
		weights.Segment = k.Cut(fmt.Sprintf("weights %d", len(k.weights)))
	}
	for _, f := range k.later {
		f(&weights)
	}
	k.weights, k.later = append(k.weights, weights), nil
}

// last is the convolution that ends a block's main branch.
func last(b engine.Block) engine.Conv { return b.Main[len(b.Main)-1] }

// normGrad is a convolution and the gradient of its batch norm's output, which if masked has yet to pass the ReLU.
type normGrad struct {
	conv   engine.Conv
	dy     *hlo.Value
	masked bool
}

// normalise takes gradients back through batch norms. Their sums end the stage.
func (k *back) normalise(list ...normGrad) []*hlo.Value {
	totals, n := make([]moments, len(list)), 0
	for i := range list {
		q := &list[i]
		a, c, norm := k.saved[q.conv.Weight], q.conv.Out, k.Norms[q.conv.Norm]
		if q.masked {
			q.dy = q.dy.OrZero(a.y.Above(0))
		}
		k.Note(norm.Name + ": sums of the gradient, and of its product with x̂")
		g := k.perView(q.dy, views)
		both := hlo.Concat(1, g.Sum(1), g.Mul(k.normal(a.z, a.stats)).Sum(1)).Reshape(views * 2 * c)
		k.norms, k.sums = append(k.norms, q.conv.Norm), append(k.sums, both)
		totals[i] = moments{at: n, c: c, views: views}
		if n += views * 2 * c; k.LocalBatchNorm {
			totals[i].at, totals[i].of = 0, both.Scale(1/float64(k.Images*norm.PerImage))
		}
	}
	if !k.LocalBatchNorm {
		k.close()
		means := k.Input(k.Norms[list[0].conv.Norm].Name+".means", k.acc, n)
		k.begin(means)
		for i := range totals {
			totals[i].of = means
		}
	}
	var out []*hlo.Value
	for i, q := range list {
		out = append(out, k.apply(q, totals[i]))
	}
	return out
}

// apply is dz = gamma/σ·(g − mean g − x̂·mean(g·x̂)).
func (k *back) apply(q normGrad, m moments) *hlo.Value {
	norm := k.Norms[q.conv.Norm]
	k.Note(norm.Name + ": gradient")
	a := k.saved[q.conv.Weight]
	g, x := k.perView(q.dy, views), k.normal(a.z, a.stats)
	d := g.Sub(m.half(0).Spread(g.Shape, 0, 2)).Sub(x.Mul(m.half(1).Spread(g.Shape, 0, 2)))
	factor := a.stats.half(1).Spread(g.Shape, 0, 2).Mul(k.vector(norm.Gamma).Spread(g.Shape, 2))
	return d.Mul(factor).Reshape(a.z.Shape...).As(k.act)
}

// weight leaves the gradients of a convolution's weights for later.
func (k *back) weight(c engine.Conv, dz *hlo.Value) {
	dz.Named("d." + c.Name + ".z")
	x := k.saved[c.Weight].x
	k.later = append(k.later, func(s *Stage) {
		k.Note("gradient of " + k.Params[c.Weight].Name)
		dw := x.Correlate(dz, hlo.Window{Stride: 1, Low: c.Pad, High: high(c), Dilation: c.Stride})
		k.gradient(s, c.Weight, dw.As(k.acc))
	})
}

// linear leaves the gradients of a linear layer for later.
func (k *back) linear(c engine.Conv, x, dz *hlo.Value) {
	k.later = append(k.later, func(s *Stage) {
		k.Note("gradient of " + k.Params[c.Weight].Name)
		k.gradient(s, c.Weight, dz.Dot(x, 0, 0).As(k.acc))
		if c.Bias >= 0 {
			k.gradient(s, c.Bias, dz.As(k.acc).Sum(0))
		}
	})
}

// head takes the gradient of a head's output back to its input.
func (k *back) head(h engine.Head, dy *hlo.Value) *hlo.Value {
	a := k.saved[h.Hidden.Weight]
	k.Note("gradient of the input of " + h.Out.Name)
	g := dy.Dot(k.factor(h.Out.Weight), 1, 0)
	k.linear(h.Out, a.y, dy)
	dz := k.normalise(normGrad{h.Hidden, g, true})[0].Named("d." + h.Hidden.Name + ".z")
	k.linear(h.Hidden, a.x, dz)
	k.Note("gradient of the input of " + h.Hidden.Name)
	return dz.Dot(k.factor(h.Hidden.Weight), 1, 0)
}

// block takes the gradient of a block's output, behind its ReLU, back to its input.
func (k *back) block(b engine.Block, g *hlo.Value) *hlo.Value {
	c := last(b)
	k.Note("ReLU of the block that ends with " + c.Name)
	g = g.OrZero(k.saved[c.Weight].y.Above(0))
	list := []normGrad{{c, g, false}}
	if b.Shortcut != nil {
		list = append(list, normGrad{*b.Shortcut, g, false})
	}
	ends := k.normalise(list...)
	dz := ends[0]
	for i := len(b.Main) - 1; i > 0; i-- {
		k.weight(b.Main[i], dz)
		dz = k.normalise(normGrad{b.Main[i-1], k.through(b.Main[i], dz), true})[0]
	}
	k.weight(b.Main[0], dz)
	dx := k.through(b.Main[0], dz)
	if b.Shortcut == nil {
		return dx.Add(g)
	}
	k.weight(*b.Shortcut, ends[1])
	return dx.Add(k.through(*b.Shortcut, ends[1]))
}

// through is the gradient of a convolution's input.
func (k *back) through(c engine.Conv, dz *hlo.Value) *hlo.Value {
	k.Note("gradient of the input of " + c.Name)
	before := c.Kernel - 1 - c.Pad
	behind := c.Size - ((c.Next-1)*c.Stride + 1) - before + c.Kernel - 1
	w := k.factor(c.Weight)
	if c.Kernel > 1 {
		w = w.Reverse(1, 2)
	}
	return dz.ConvolveBack(w, hlo.Window{Stride: 1, Low: before, High: behind, Spread: c.Stride})
}

// poolGrad is the gradient of the max pooling y of x: it goes to the first maximum of a window in row-major order. It
// gathers; XLA's own scatter would add in any order on a GPU.
func (b *builder) poolGrad(x, y, dy *hlo.Value) *hlo.Value {
	g := b.Pool
	low, behind := [2]int{g.Pad, g.Pad}, [2]int{poolHigh(g), poolHigh(g)}
	padded := x.Pad(math.Inf(-1), hlo.Padding{Low: low, High: behind})
	var taken, sum *hlo.Value
	for i := range poolKernel * poolKernel {
		at := [2]int{i / poolKernel, i % poolKernel}
		hit := padded.Every(1, at[0], poolStride, g.Next).Every(2, at[1], poolStride, g.Next).Equals(y)
		first := hit
		if taken != nil {
			first, hit = hit.And(taken.Not()), hit.Or(taken)
		}
		taken = hit
		place := hlo.Padding{Between: poolStride - 1}
		for d, from := range at {
			place.Low[d] = from - g.Pad
			place.High[d] = g.Size - ((g.Next-1)*poolStride + 1) - place.Low[d]
		}
		part := dy.OrZero(first).Pad(0, place)
		if sum == nil {
			sum = part
			continue
		}
		sum = sum.Add(part)
	}
	return sum
}
