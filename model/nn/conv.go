package nn

import (
	"fmt"

	"byol/model/device"
	"byol/model/engine"
)

// Conv is a convolution without bias: x [n][H][W][C], y [n][OH][OW][K], w [K][KH][KW][C]. A linear layer is the case
// of one position, H=W=KH=KW=1.
type Conv struct {
	pair   *Pair
	weight int // of the layout's parameters
	bias   int // of a linear layer; −1: none
	shape  device.ConvShape
	plans  [networks]device.Conv
	nets   int        // networks that run it: the online one, or both
	norm   *BatchNorm // behind it, which gets the sums of y as y is computed; optional
}

func newConv(l *Pair, g engine.Conv) *Conv {
	c := &Conv{pair: l, weight: g.Weight, bias: g.Bias, nets: runners(g.OnlineOnly), shape: device.ConvShape{
		N: l.opt.Cut.Batch(), H: g.Size, W: g.Size, C: g.In, OH: g.Next, OW: g.Next, K: g.Out,
		KH: g.Kernel, KW: g.Kernel, Stride: g.Stride, PadTop: g.Pad, PadLeft: g.Pad, NoBackwardData: g.First,
	}}
	if !g.First {
		l.need(c.in())
	}
	l.need(c.out())
	for network := range c.nets {
		s := c.shape
		s.NoBackward = network == Target
		c.plans[network] = l.planConv(g.Name, s)
	}
	l.convs = append(l.convs, c)
	return c
}

func (l *Pair) planConv(name string, s device.ConvShape) device.Conv {
	if l.err != nil {
		return nil
	}
	plan, err := l.dev.Conv(s)
	if err != nil {
		l.fail(fmt.Errorf("plan %s: %w", name, err))
	}
	return plan
}

// in and out are the elements of one image: H·W·C and OH·OW·K.
func (c *Conv) in() int  { return c.shape.H * c.shape.W * c.shape.C }
func (c *Conv) out() int { return c.shape.OH * c.shape.OW * c.shape.K }

func (c *Conv) pack(network int) {
	if network < c.nets {
		c.plans[network].Pack(c.pair.param(network, c.weight))
	}
}

// forward sets y [n][OH][OW][K] = x [n][H][W][C] * w [+ bias] in the streams of the pass.
func (c *Conv) forward(p pass, x, y *Streams) {
	from, to := p.streams(c.nets)
	for s := from; s < to; s++ {
		plan := c.plans[networkOf(s)]
		summing, ok := plan.(device.SummingConv)
		if c.norm == nil || c.bias >= 0 || !ok || p.evaluates() {
			plan.Forward(x[s], y[s], p.images)
			continue
		}
		summing.ForwardSums(x[s], y[s], p.images, c.pair.opt.Cut.Local, c.norm.forwardSums[s])
		c.norm.hasForwardSums[s] = true
	}
	if c.bias < 0 {
		return
	}
	for s := from; s < to; s++ {
		c.pair.dev.AddBias(y[s], c.pair.param(networkOf(s), c.bias), p.images, c.shape.K)
	}
}

// backwardData sets dx [n][H][W][C] from dy [n][OH][OW][K].
func (c *Conv) backwardData(dy, dx *Views) {
	for v := range views {
		c.plans[Online].BackwardData(dy[v], dx[v], c.pair.opt.Cut.Batch())
	}
}

// backwardDataFor is backwardData from dy [n][OH][OW][K] into norm.dy [n][H][W][C], where norm is the batch norm
// before this convolution. Its own backward pass begins with sums over norm.dy; a device that can sum a gradient while
// it computes it does so here.
func (c *Conv) backwardDataFor(norm normGrad, dy *Views) {
	b, cut := norm.u.bn, c.pair.opt.Cut
	summing, ok := c.plans[Online].(device.SummingConv)
	if !ok || b.groups(Online1) > 1 {
		c.backwardData(dy, &norm.dy)
		return
	}
	for v := range views {
		summing.BackwardDataSums(dy[v], norm.dy[v], cut.Batch(), cut.Local, norm.of(v, -1), b.gradSums[v])
	}
	b.hasGradSums = true
}

// backwardWeights sets dw [K][KH][KW][C] from x [n][H][W][C] and dy [n][OH][OW][K] of the first n views, shard by
// shard: view 1, then view 2.
func (c *Conv) backwardWeights(x *Streams, dy *Views, n int) {
	cut := c.pair.opt.Cut
	for i := range cut.Local {
		dw := c.pair.grad(i, c.weight)
		for v := range n {
			c.plans[Online].BackwardWeights(c.pair.part(x[v], i, c.in()), c.pair.part(dy[v], i, c.out()), dw, cut.Images,
				v > 0)
		}
	}
}

// backwardBias sets the gradient of the bias [c] from dy [images][c] of the first n views, shard by shard.
func (c *Conv) backwardBias(dy *Views, n int) {
	l, k := c.pair, c.shape.K
	for i := range l.opt.Cut.Local {
		db := l.grad(i, c.bias)
		l.dev.BiasGrad(l.part(dy[0], i, k), db, l.opt.Cut.Images, k)
		for v := 1; v < n; v++ {
			l.dev.BiasGrad(l.part(dy[v], i, k), l.bias, l.opt.Cut.Images, k)
			l.dev.AddMasked(db, l.bias, device.Buffer{}, db, k)
		}
	}
}
