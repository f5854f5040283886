package nn

import "byol/model/engine"

// unit is a convolution or linear layer and the batch norm behind it: z = conv(x), y = bn(z), maybe with ReLU.
type unit struct {
	conv *Conv
	bn   *BatchNorm
	z, y Streams // [n][oh][ow][c] both
}

func newUnit(l *Pair, g engine.Conv) *unit {
	u := &unit{conv: newConv(l, g), bn: newBatchNorm(l, g.Norm)}
	u.conv.norm = u.bn
	return u
}

// plan places the outputs: the online streams' are kept for the backward pass, the others go to slots z and y
// of the arena.
func (u *unit) plan(z, y int) {
	u.z = u.conv.pair.activations(u.conv.out(), z)
	u.y = u.conv.pair.activations(u.conv.out(), y)
}

// planAgain is plan for a unit inside a block, whose online outputs are not kept: the backward pass computes them once
// more from z, the same bits for the price of reading z.
func (u *unit) planAgain(z, y int) {
	l := u.conv.pair
	u.z = l.activations(u.conv.out(), z)
	u.y = Streams{l.again[0], l.again[1], l.arena[0][y], l.arena[1][y], l.arena[0][y]}
}

// planAside is plan for a shortcut. Its batch norm's output is only added to that of the main branch, so it is put
// where that sum will be.
func (u *unit) planAside(z, y int, last *unit) {
	u.z = u.conv.pair.activations(u.conv.out(), z)
	arena := &u.conv.pair.arena
	u.y = Streams{last.y[Online1], last.y[Online2], arena[0][y], arena[1][y], arena[0][y]}
}

// forward is z = conv(x), without the batch norm.
func (u *unit) forward(f *Forward, x *Streams) {
	f.do(func(p pass) { u.conv.forward(p, x, &u.z) })
}

// apply is y = bn(z [+ residual]), with ReLU or not.
func (u *unit) apply(f *Forward, o output) {
	f.do(func(p pass) {
		u.bn.forward(p, &u.z, &u.y, o)
		if o.relu {
			u.bn.trace(p, &u.y)
		}
	})
}

// again computes the online network's y = bn(z) once more, with ReLU.
func (u *unit) again() {
	u.bn.forward(u.conv.pair.train(Online), &u.z, &u.y, output{relu: true})
}

// weights is the gradient of the convolution's weights, from its input and dz.
func (u *unit) weights(x *Streams) func() {
	dz := u.dz()
	return func() { u.conv.backwardWeights(x, &dz, views) }
}

// dz [n][oh][ow][c] is where the backward pass leaves the gradient of z: in z's own memory, which nothing reads any
// more when the gradient is known.
func (u *unit) dz() Views { return Views{u.z[Online1], u.z[Online2]} }
