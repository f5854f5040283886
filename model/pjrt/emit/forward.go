package emit

import (
	"fmt"

	"byol/model/engine"
	"byol/model/pjrt/hlo"
)

// pass is one network's way forward.
type pass struct {
	*builder
	*tensors
	role   string
	views  int // that are normalised apart
	keeps  bool
	frozen bool // batch norm uses running statistics

	stages []Stage
	norms  []int        // of the stage at hand
	sums   []*hlo.Value // of those
}

// moments are the means and inverse deviations of one batch norm by view, or in the backward pass the means of its two
// sums: elements [at, at + views·2·c) of a vector.
type moments struct {
	of           *hlo.Value
	at, c, views int
}

// half is the first or the second of each view, [views][c].
func (m moments) half(i int) *hlo.Value {
	all := m.of.Slice(0, m.at, m.at+m.views*2*m.c).Reshape(m.views, 2*m.c)
	return all.Slice(1, i*m.c, (i+1)*m.c)
}

// perView is an activation as [views][values][c] in the type of sums.
func (b *builder) perView(v *hlo.Value, views int) *hlo.Value {
	c := v.Dim(len(v.Shape) - 1)
	return v.As(b.acc).Reshape(views, v.Len()/c/views, c)
}

// normal is x̂ = (z−mean)·inverse deviation, per view.
func (b *builder) normal(z *hlo.Value, m moments) *hlo.Value {
	x := b.perView(z, m.views)
	return x.Sub(m.half(0).Spread(x.Shape, 0, 2)).Mul(m.half(1).Spread(x.Shape, 0, 2))
}

// forward emits both networks, the online one first.
func (b *builder) forward() {
	s := b.step
	p := &pass{builder: b, tensors: b.tensors[online], role: "online", views: views, keeps: true}
	p.begin(nil)
	s.Embedding = p.encode(b.images).Named("embedding")
	s.Projection[online] = p.head(b.Projector, s.Embedding.As(b.act)).Named("projection")
	s.Prediction = s.Projection[online]
	if !b.NoPredictor {
		s.Prediction = p.head(b.Predictor, s.Projection[online]).Named("prediction")
	}
	s.Online = p.end()
	p = &pass{builder: b, tensors: b.tensors[target], role: "target", views: views}
	p.begin(nil)
	s.Projection[target] = p.head(b.Projector, p.encode(b.images).As(b.act)).Named("target.projection")
	if b.TargetPredictor && !b.NoPredictor {
		p.hidden(b.Predictor.Hidden, s.Projection[target])
	}
	s.Target = p.end()
}

// begin begins a stage with what the host has made of the sums of the one before.
func (p *pass) begin(totals *hlo.Value) {
	name := fmt.Sprintf("%s %d", p.role, len(p.stages))
	p.stages = append(p.stages, Stage{Segment: p.Cut(name), Totals: totals})
}

// end ends the last stage and returns all. The last one may have nothing to compute.
func (p *pass) end() []Stage {
	p.close()
	if last := &p.stages[len(p.stages)-1]; len(last.Segment.Parameters) == 0 {
		p.Segments = p.Segments[:len(p.Segments)-1]
		last.Segment = nil
	}
	return p.stages
}

// close ends the stage at hand with its sums.
func (p *pass) close() {
	s := &p.stages[len(p.stages)-1]
	if len(p.sums) > 0 {
		s.Norms, s.Sums = p.norms, p.Export(hlo.Concat(0, p.sums...).Named("sums"))
	}
	p.norms, p.sums = nil, nil
}

// normalise ends the stage with the sums of convolutions whose outputs z are there; their statistics begin the next.
func (p *pass) normalise(convs []engine.Conv, z []*hlo.Value) []moments {
	list, n := make([]moments, len(convs)), 0
	for i, c := range convs {
		norm := p.Norms[c.Norm]
		list[i] = moments{at: n, c: c.Out, views: p.views}
		n += p.views * 2 * c.Out
		if p.frozen {
			list[i].at, list[i].of = 0, p.fixed(norm)
			continue
		}
		p.Note(norm.Name + ": sums of the distance from the running mean, and of its square")
		x := p.perView(z[i], p.views)
		x = x.Sub(p.mean(norm).Spread(x.Shape, 2))
		both := hlo.Concat(1, x.Sum(1), x.Mul(x).Sum(1)).Reshape(p.views * 2 * c.Out)
		p.norms, p.sums = append(p.norms, c.Norm), append(p.sums, both)
		if p.LocalBatchNorm {
			list[i].at, list[i].of = 0, p.finish(norm, both)
		}
	}
	if p.frozen || p.LocalBatchNorm {
		return list
	}
	p.close()
	totals := p.Input(p.role+"."+p.Norms[convs[0].Norm].Name+".statistics", p.acc, n)
	p.begin(totals)
	for i := range list {
		list[i].of = totals
	}
	return list
}

// finish does on the accelerator what the host does between stages, for one shard alone.
func (p *pass) finish(n engine.Norm, sums *hlo.Value) *hlo.Value {
	both := sums.Reshape(p.views, 2*n.C).Scale(1 / float64(p.Images*n.PerImage))
	mean, square := both.Slice(1, 0, n.C), both.Slice(1, n.C, 2*n.C)
	inverse := square.Sub(mean.Mul(mean)).AtLeast(0).Plus(engine.Epsilon).Rsqrt()
	all := hlo.Concat(1, mean.Add(p.mean(n).Spread(mean.Shape, 1)), inverse).Reshape(p.views * 2 * n.C)
	return all.Named(n.Name + ".statistics")
}

// fixed are the running statistics.
func (p *pass) fixed(n engine.Norm) *hlo.Value {
	return hlo.Concat(0, p.mean(n), p.variance(n).Plus(engine.Epsilon).Rsqrt())
}

// encode runs the encoder on images and returns their features, in the type of sums.
func (p *pass) encode(images *hlo.Value) *hlo.Value {
	y := p.through(p.Stem, images)
	if g := p.Pool; g != nil {
		p.Note("max pooling")
		y = y.MaxPool(poolKernel, hlo.Window{Stride: poolStride, Low: g.Pad, High: poolHigh(g)})
		if p.keeps {
			p.pooled = y.Named("pooled")
		}
	}
	for _, b := range p.Blocks {
		y = p.block(b, y)
	}
	p.Note("mean over positions")
	all := y.As(p.acc).Reshape(y.Dim(0), p.Positions, p.Features)
	return all.Sum(1).Scale(1 / float64(p.Positions))
}

// The max pooling behind the ImageNet stem.
const (
	poolKernel = 3
	poolStride = 2
)

// poolHigh is the padding below and to the right.
func poolHigh(g *engine.Pool) int { return (g.Next-1)*poolStride + poolKernel - g.Size - g.Pad }

// high is the padding below and to the right, as far as the kernel reaches: negative where it leaves pixels out.
func high(c engine.Conv) int { return (c.Next-1)*c.Stride + c.Kernel - c.Size - c.Pad }

// through runs a convolution with its batch norm and ReLU.
func (p *pass) through(c engine.Conv, x *hlo.Value) *hlo.Value {
	z, m := p.hidden(c, x)
	y := p.apply(c, z, m).AtLeast(0).As(p.act)
	p.keep(c, saved{x, z, y, m})
	return y
}

// hidden runs a convolution as far as its statistics.
func (p *pass) hidden(c engine.Conv, x *hlo.Value) (*hlo.Value, moments) {
	z := p.product(c, x)
	return z, p.normalise([]engine.Conv{c}, []*hlo.Value{z})[0]
}

// block runs a residual block.
func (p *pass) block(b engine.Block, in *hlo.Value) *hlo.Value {
	x, last := in, len(b.Main)-1
	for _, c := range b.Main[:last] {
		x = p.through(c, x)
	}
	c := b.Main[last]
	if b.Shortcut == nil {
		z, m := p.hidden(c, x)
		y := p.apply(c, z, m).Add(in.As(p.acc)).AtLeast(0).As(p.act)
		p.keep(c, saved{x, z, y, m})
		return y
	}
	z, side := p.product(c, x), p.product(*b.Shortcut, in)
	m := p.normalise([]engine.Conv{c, *b.Shortcut}, []*hlo.Value{z, side})
	y := p.apply(c, z, m[0]).Add(p.apply(*b.Shortcut, side, m[1])).AtLeast(0).As(p.act)
	p.keep(c, saved{x, z, y, m[0]})
	p.keep(*b.Shortcut, saved{in, side, nil, m[1]})
	return y
}

// head runs a head.
func (p *pass) head(h engine.Head, x *hlo.Value) *hlo.Value {
	y := p.through(h.Hidden, x)
	return p.product(h.Out, y)
}

func (p *pass) keep(c engine.Conv, s saved) {
	if !p.keeps {
		return
	}
	s.z.Named(c.Name + ".z")
	if s.y != nil {
		p.step.Behind[c.Norm] = s.y.Named(c.Name + ".y")
	}
	p.saved[c.Weight] = s
}

// product is z = x * w, plus the bias of a linear layer that has one.
func (p *pass) product(c engine.Conv, x *hlo.Value) *hlo.Value {
	w := p.factor(c.Weight)
	if len(w.Shape) == 2 {
		p.Note(fmt.Sprintf("%s: %d to %d", c.Name, c.In, c.Out))
		z := x.Dot(w, 1, 1)
		if c.Bias < 0 {
			return z
		}
		return z.As(p.acc).Add(p.vector(c.Bias).Spread(z.Shape, 1)).As(p.act)
	}
	p.Note(fmt.Sprintf("%s: %d×%d, stride %d, %d to %d channels", c.Name, c.Kernel, c.Kernel, c.Stride, c.In, c.Out))
	behind := c.Pad
	if p.Padding == same {
		behind = max(high(c), 0)
	}
	return x.Convolve(w, hlo.Window{Stride: c.Stride, Low: c.Pad, High: behind})
}

// apply is x̂·gamma + beta, of z's shape and the type of sums.
func (p *pass) apply(c engine.Conv, z *hlo.Value, m moments) *hlo.Value {
	n := p.Norms[c.Norm]
	p.Note(n.Name + ": normalise")
	x := p.normal(z, m)
	y := x.Mul(p.vector(n.Gamma).Spread(x.Shape, 2)).Add(p.vector(n.Beta).Spread(x.Shape, 2))
	return y.Reshape(z.Shape...)
}
