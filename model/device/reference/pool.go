package reference

import (
	"fmt"

	"byol/model/device"
)

// peaks visits, for each output element of one image in order, the offset of the first maximum of its window
// in row-major order. A NaN counts as the maximum, so that it is seen and not pooled away.
func peaks[T real](s device.PoolShape, x []T, visit func(out, in int)) {
	for out := range s.OH * s.OW * s.C {
		p, c := out/s.C, out%s.C
		oy, ox := p/s.OW*s.Stride-s.Pad, p%s.OW*s.Stride-s.Pad
		at := -1
		for y := max(oy, 0); y < min(oy+s.Window, s.H); y++ {
			for px := max(ox, 0); px < min(ox+s.Window, s.W); px++ {
				i := (y*s.W+px)*s.C + c
				if at < 0 || x[i] > x[at] || x[i] != x[i] {
					at = i
				}
			}
		}
		visit(out, at)
	}
}

func checkPool(s device.PoolShape) {
	sizes := min(s.H, s.W, s.C, s.OH, s.OW, s.Window, s.Stride)
	last := max((s.OH-1)*s.Stride-s.Pad-s.H, (s.OW-1)*s.Stride-s.Pad-s.W)
	if sizes < 1 || s.Pad < 0 || s.Pad >= s.Window || last >= 0 {
		panic(fmt.Sprintf("reference: max pool with a window of padding alone: %+v", s))
	}
}

// MaxPool writes the maximum of each window.
func (d *engine[T]) MaxPool(s device.PoolShape, x, y device.Buffer, n int) {
	checkPool(s)
	in, out := s.H*s.W*s.C, s.OH*s.OW*s.C
	xs, ys := d.elems(x, n*in, "max pool x"), d.elems(y, n*out, "max pool y")
	for i := range n {
		image := xs[i*in : (i+1)*in]
		peaks(s, image, func(o, at int) { ys[i*out+o] = image[at] })
	}
}

// MaxPoolGrad overwrites dx: each window's gradient goes to its first maximum.
func (d *engine[T]) MaxPoolGrad(s device.PoolShape, x, dy, dx device.Buffer, n int) {
	checkPool(s)
	in, out := s.H*s.W*s.C, s.OH*s.OW*s.C
	xs, dys := d.elems(x, n*in, "max pool x"), d.elems(dy, n*out, "max pool dy")
	dxs := d.elems(dx, n*in, "max pool dx")
	clear(dxs)
	for i := range n {
		peaks(s, xs[i*in:(i+1)*in], func(o, at int) { dxs[i*in+at] += dys[i*out+o] })
	}
}

// AvgPool: y[n][c] = mean over hw positions of x[n][hw][c].
func (d *engine[T]) AvgPool(x, y device.Buffer, n, hw, c int) {
	xs, ys := d.elems(x, n*hw*c, "average pool x"), d.elems(y, n*c, "average pool y")
	sums := make([]float64, c)
	for i := range n {
		clear(sums)
		for k, v := range xs[i*hw*c : (i+1)*hw*c] {
			sums[k%c] += float64(v)
		}
		for j, v := range sums {
			ys[i*c+j] = T(v / float64(hw))
		}
	}
}

// AvgPoolGrad: dx[n][hw][c] = dy[n][c]/hw.
func (d *engine[T]) AvgPoolGrad(dy, dx device.Buffer, n, hw, c int) {
	dys, dxs := d.elems(dy, n*c, "average pool dy"), d.elems(dx, n*hw*c, "average pool dx")
	for i := range dxs {
		dxs[i] = T(float64(dys[i/(hw*c)*c+i%c]) / float64(hw))
	}
}
