package nn

import "byol/model/device"

// unit is a convolution or linear layer and the batch norm behind it: z = conv(x), y = bn(z), maybe with ReLU.
type unit struct {
	conv *Conv
	bias *Param // of a linear layer, optional
	bn   *BatchNorm
	z, y Streams // [n][oh][ow][c] both
}

// newUnit declares both in torchvision's order.
func newUnit(l *Lockstep, conv, bn string, g geometry) *unit {
	u := &unit{conv: newConv(l, conv, g)}
	u.bn = newBatchNorm(l, bn, g.out, u.conv.shape.OH*u.conv.shape.OW, u.conv.nets)
	u.conv.norm = u.bn
	return u
}

// size is the height and width of the output.
func (u *unit) size() int { return u.conv.shape.OH }

// plan places the outputs: the online streams' are kept for the backward pass, the others go to slots z and y
// of the arena.
func (u *unit) plan(z, y int) {
	u.z = u.conv.l.activations(u.conv.out(), z)
	u.y = u.conv.l.activations(u.conv.out(), y)
}

// planAgain is plan for a unit inside a block, whose online outputs are not kept: the backward pass computes them once
// more from z, the same bits for the price of reading z.
func (u *unit) planAgain(z, y int) {
	l := u.conv.l
	u.z = l.activations(u.conv.out(), z)
	u.y = Streams{l.again[0], l.again[1], l.arena[0][y], l.arena[1][y], l.arena[0][y]}
}

// planAside is plan for a shortcut. Its batch norm's output is only added to that of the main branch, so it is put
// where that sum will be.
func (u *unit) planAside(z, y int, last *unit) {
	u.z = u.conv.l.activations(u.conv.out(), z)
	arena := &u.conv.l.arena
	u.y = Streams{last.y[Online1], last.y[Online2], arena[0][y], arena[1][y], arena[0][y]}
}

// dz [n][oh][ow][c] is where the backward pass leaves the gradient of z: in z's own memory, which nothing reads any
// more when the gradient is known.
func (u *unit) dz() Views { return Views{u.z[Online1], u.z[Online2]} }

// activations places an activation of n elements per image: own memory for the online streams, slot for the
// others.
func (l *Lockstep) activations(n, slot int) Streams {
	n *= l.opt.Cut.Batch()
	return Streams{l.alloc(n), l.alloc(n), l.arena[0][slot], l.arena[1][slot], l.arena[0][slot]}
}

// kept is an activation with memory of its own in every stream that nets networks run.
func (l *Lockstep) kept(n, nets int) Streams {
	n *= l.opt.Cut.Batch()
	var s Streams
	for i := range nets * views {
		s[i] = l.alloc(n)
	}
	s[Eval] = s[Online1]
	return s
}

// addBias adds the linear layer's bias [c] to z [n][c].
func (u *unit) addBias(p pass) { u.conv.addBias(p, u.bias, &u.z) }

func (c *Conv) addBias(p pass, bias *Param, y *Streams) {
	from, to := p.streams(c.nets)
	for s := from; s < to; s++ {
		c.l.dev.AddBias(y[s], c.l.param(networkOf(s), bias), p.images, c.shape.K)
	}
}

// biasGrad sets the gradient of bias [c] from dy [images][c] of the first n views, shard by shard.
func (c *Conv) biasGrad(bias *Param, dy *Views, n int) error {
	l, k := c.l, c.shape.K
	for i := range l.opt.Cut.Local {
		db := l.grads[i].Slice(bias.Off, bias.Len)
		l.dev.BiasGrad(l.part(dy[0], i, k), db, l.opt.Cut.Images, k)
		for v := 1; v < n; v++ {
			l.dev.BiasGrad(l.part(dy[v], i, k), l.bias, l.opt.Cut.Images, k)
			l.dev.AddMasked(db, l.bias, device.Buffer{}, db, bias.Len)
		}
	}
	return l.buckets.ready(bias)
}
