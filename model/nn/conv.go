package nn

import (
	"fmt"

	"byol/model/device"
)

// Conv is a convolution without bias: x [n][H][W][C], y [n][OH][OW][K], w [K][KH][KW][C]. A linear layer is the case of
// one position, H=W=KH=KW=1.
type Conv struct {
	l      *Lockstep
	weight *Param
	shape  device.ConvShape
	plans  [networks]device.Conv
	nets   int        // networks that run it: the online one, or both
	norm   *BatchNorm // behind it, which gets the sums of y as y is computed; optional
}

// geometry is the square shape of a convolution.
type geometry struct {
	size, in, out  int // input height and width, channels
	kernel, stride int
	padding        string // symmetric | same
	first          bool   // nothing before it has parameters, so no gradient of its input is computed
	onlineOnly     bool
}

// outSize is the height and width of the output, and the padding above and to the left of the input.
//
// symmetric (PyTorch): p = (k−1)/2 on every side, (n+2p−k)/s+1 outputs.
// same (the reference): ceil(n/s) outputs; the padding they need in all, the smaller half first.
func (g geometry) outSize() (size, pad int) {
	if g.padding == "same" {
		size = (g.size + g.stride - 1) / g.stride
		return size, max((size-1)*g.stride+g.kernel-g.size, 0) / 2
	}
	pad = (g.kernel - 1) / 2
	return (g.size+2*pad-g.kernel)/g.stride + 1, pad
}

func newConv(l *Lockstep, name string, g geometry) *Conv {
	out, pad := g.outSize()
	c := &Conv{l: l, nets: runners(g.onlineOnly), shape: device.ConvShape{
		N: l.opt.Cut.Batch(), H: g.size, W: g.size, C: g.in, OH: out, OW: out, K: g.out,
		KH: g.kernel, KW: g.kernel, Stride: g.stride, PadTop: pad, PadLeft: pad, NoBackwardData: g.first,
	}}
	if g.size < 1 || out < 1 {
		l.fail(fmt.Errorf("%s: no output for an input of %d positions: the images are too small", name, g.size))
	}
	if g.padding == "linear" {
		c.weight = l.declare(name+".weight", Weight, g.out, g.in)
	} else {
		c.weight = l.declare(name+".weight", Weight, g.out, g.in, g.kernel, g.kernel)
	}
	if !g.first {
		l.need(c.in())
	}
	l.need(c.out())
	for network := range c.nets {
		s := c.shape
		s.NoBackward = network == target
		c.plans[network] = l.planConv(name, s)
	}
	l.convs = append(l.convs, c)
	return c
}

// newLinear is the convolution of one position.
func newLinear(l *Lockstep, name string, in, out int, onlineOnly bool) *Conv {
	return newConv(l, name, geometry{size: 1, in: in, out: out, kernel: 1, stride: 1, padding: "linear",
		onlineOnly: onlineOnly})
}

func (l *Lockstep) planConv(name string, s device.ConvShape) device.Conv {
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
		c.plans[network].Pack(c.l.param(network, c.weight))
	}
}

// forward sets y [n][OH][OW][K] = x [n][H][W][C] * w in the streams of the pass.
func (c *Conv) forward(p pass, x, y *Streams) {
	from, to := p.streams(c.nets)
	for s := from; s < to; s++ {
		plan := c.plans[networkOf(s)]
		summing, ok := plan.(device.SummingConv)
		if c.norm == nil || !ok || p.evaluates() {
			plan.Forward(x[s], y[s], p.images)
			continue
		}
		summing.ForwardSums(x[s], y[s], p.images, c.l.opt.Cut.Local, c.norm.forwardSums[s])
		c.norm.hasForwardSums[s] = true
	}
}

// backwardData sets dx [n][H][W][C] from dy [n][OH][OW][K].
func (c *Conv) backwardData(dy, dx *Views) {
	for v := range views {
		c.plans[online].BackwardData(dy[v], dx[v], c.l.opt.Cut.Batch())
	}
}

// backwardDataFor is backwardData from dy [n][OH][OW][K] into norm.dy [n][H][W][C], where norm is the batch norm before
// this convolution. Its own backward pass begins with sums over norm.dy; a device that can sum a gradient while it
// computes it does so here.
func (c *Conv) backwardDataFor(norm normGrad, dy *Views) {
	summing, ok := c.plans[online].(device.SummingConv)
	if !ok || c.l.opt.LocalBatchNorm {
		c.backwardData(dy, &norm.dy)
		return
	}
	b, cut := norm.u.bn, c.l.opt.Cut
	for v := range views {
		summing.BackwardDataSums(dy[v], norm.dy[v], cut.Batch(), cut.Local, norm.of(v, -1), b.gradSums[v])
	}
	b.hasGradSums = true
}

// backwardWeights sets dw [K][KH][KW][C] from x [n][H][W][C] and dy [n][OH][OW][K], shard by shard: view 1, then
// view 2.
func (c *Conv) backwardWeights(x *Streams, dy *Views) error {
	cut := c.l.opt.Cut
	for i := range cut.Local {
		dw := c.l.grads[i].Slice(c.weight.Off, c.weight.Len)
		for v := range views {
			c.plans[online].BackwardWeights(c.l.part(x[v], i, c.in()), c.l.part(dy[v], i, c.out()), dw, cut.Images, v > 0)
		}
	}
	return c.l.buckets.ready(c.weight)
}
