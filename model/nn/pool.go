package nn

import (
	"byol/model/device"
	"byol/model/engine"
)

// maxPool is the 3×3 max pooling with stride 2 of the ImageNet stem: x [n][h][w][c], y [n][oh][ow][c].
type maxPool struct {
	pair  *Pair
	shape device.PoolShape
	y     Streams
}

func newMaxPool(l *Pair, g engine.Pool, channels int) *maxPool {
	l.need(g.Next * g.Next * channels)
	return &maxPool{pair: l, shape: device.PoolShape{
		H: g.Size, W: g.Size, C: channels, OH: g.Next, OW: g.Next, Window: 3, Stride: 2, Pad: g.Pad,
	}}
}

func (m *maxPool) plan(slot int) {
	m.y = m.pair.activations(m.shape.OH*m.shape.OW*m.shape.C, slot)
}

func (m *maxPool) forward(p pass, x *Streams) {
	from, to := p.streams(networks)
	for s := from; s < to; s++ {
		m.pair.dev.MaxPool(m.shape, x[s], m.y[s], p.images)
	}
}

func (m *maxPool) backward(x *Streams, dy, dx *Views) {
	for v := range views {
		m.pair.dev.MaxPoolGrad(m.shape, x[v], dy[v], dx[v], m.pair.opt.Cut.Batch())
	}
}

// avgPool is the mean over all positions that ends an encoder: x [n][h][w][c], y [n][c].
type avgPool struct {
	pair  *Pair
	hw, c int
	y     Streams
}

func (a *avgPool) forward(p pass, x *Streams) {
	from, to := p.streams(networks)
	for s := from; s < to; s++ {
		a.pair.dev.AvgPool(x[s], a.y[s], p.images, a.hw, a.c)
	}
}

func (a *avgPool) backward(dy, dx *Views) {
	for v := range views {
		a.pair.dev.AvgPoolGrad(dy[v], dx[v], a.pair.opt.Cut.Batch(), a.hw, a.c)
	}
}
