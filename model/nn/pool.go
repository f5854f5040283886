package nn

import "byol/model/device"

// maxPool is the 3×3 max pooling with stride 2 of the ImageNet stem: x [n][h][w][c], y [n][oh][ow][c].
type maxPool struct {
	l     *Lockstep
	shape device.PoolShape
	y     Streams
}

func newMaxPool(l *Lockstep, size, channels int, padding string) *maxPool {
	out, pad := geometry{size: size, kernel: 3, stride: 2, padding: padding}.outSize()
	l.need(out * out * channels)
	return &maxPool{l: l, shape: device.PoolShape{
		H: size, W: size, C: channels, OH: out, OW: out, Window: 3, Stride: 2, Pad: pad,
	}}
}

func (m *maxPool) plan(slot int) {
	m.y = m.l.activations(m.shape.OH*m.shape.OW*m.shape.C, slot)
}

func (m *maxPool) forward(p pass, x *Streams) {
	from, to := p.streams(networks)
	for s := from; s < to; s++ {
		m.l.dev.MaxPool(m.shape, x[s], m.y[s], p.images)
	}
}

func (m *maxPool) backward(x *Streams, dy, dx *Views) {
	for v := range views {
		m.l.dev.MaxPoolGrad(m.shape, x[v], dy[v], dx[v], m.l.opt.Cut.Batch())
	}
}

// avgPool is the mean over all positions that ends an encoder: x [n][h][w][c], y [n][c].
type avgPool struct {
	l     *Lockstep
	hw, c int
	y     Streams
}

func (a *avgPool) forward(p pass, x *Streams) {
	from, to := p.streams(networks)
	for s := from; s < to; s++ {
		a.l.dev.AvgPool(x[s], a.y[s], p.images, a.hw, a.c)
	}
}

func (a *avgPool) backward(dy, dx *Views) {
	for v := range views {
		a.l.dev.AvgPoolGrad(dy[v], dx[v], a.l.opt.Cut.Batch(), a.hw, a.c)
	}
}
