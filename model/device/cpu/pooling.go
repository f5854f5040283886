package cpu

import (
	"fmt"
	"math"

	"byol/model/device"
)

// imagewise runs an operation image by image, or row by row: each is a job.
type imagewise struct {
	op     func(t *imagewise, i int)
	pool   device.PoolShape
	x, y   []float32
	dy     []float32
	hw, c  int
	scale  float64
	add    bool
	labels []int32
	loss   []float64 // per row
	hits   []float64 // per row
}

func (t *imagewise) do(_, job int) { t.op(t, job) }

func (d *Device) runImages(t imagewise, n int) {
	d.ops.images = t
	d.pool.run(&d.ops.images, n)
}

func checkPool(op string, s device.PoolShape, n int) {
	if n < 0 || min(s.H, s.W, s.C, s.OH, s.OW, s.Window, s.Stride) <= 0 || s.Pad < 0 {
		panic(fmt.Sprintf("cpu: %s: %d images, shape %+v", op, n, s))
	}
}

// MaxPool: a NaN in a window wins.
func (d *Device) MaxPool(s device.PoolShape, x, y device.Buffer, n int) {
	const op = "max pool"
	checkPool(op, s, n)
	in, out := d.need(op, x, n*s.H*s.W*s.C), d.need(op, y, n*s.OH*s.OW*s.C)
	d.runImages(imagewise{op: maxPool, pool: s, x: in, y: out}, n)
}

// window is the part of window (oy, ox) that lies inside the image: rows [y0, y1), columns [x0, x1).
func window(s *device.PoolShape, oy, ox int) (y0, y1, x0, x1 int) {
	y, x := oy*s.Stride-s.Pad, ox*s.Stride-s.Pad
	return max(y, 0), min(y+s.Window, s.H), max(x, 0), min(x+s.Window, s.W)
}

func maxPool(t *imagewise, i int) {
	s := &t.pool
	in, out := t.x[i*s.H*s.W*s.C:][:s.H*s.W*s.C], t.y[i*s.OH*s.OW*s.C:][:s.OH*s.OW*s.C]
	for o := range s.OH * s.OW {
		dst := out[o*s.C:][:s.C]
		for c := range dst {
			dst[c] = float32(math.Inf(-1))
		}
		y0, y1, x0, x1 := window(s, o/s.OW, o%s.OW)
		for y := y0; y < y1; y++ {
			for x := x0; x < x1; x++ {
				for c, v := range in[(y*s.W+x)*s.C:][:len(dst)] {
					if v > dst[c] || v != v {
						dst[c] = v
					}
				}
			}
		}
	}
}

// MaxPoolGrad looks for the maxima again: they are cheap to find and dear to keep.
func (d *Device) MaxPoolGrad(s device.PoolShape, x, dy, dx device.Buffer, n int) {
	const op = "max pool gradient"
	checkPool(op, s, n)
	in, grad := d.need(op, x, n*s.H*s.W*s.C), d.need(op, dy, n*s.OH*s.OW*s.C)
	out := d.need(op, dx, n*s.H*s.W*s.C)
	d.runImages(imagewise{op: maxPoolGrad, pool: s, x: in, dy: grad, y: out}, n)
}

func maxPoolGrad(t *imagewise, i int) {
	s := &t.pool
	in, out := t.x[i*s.H*s.W*s.C:][:s.H*s.W*s.C], t.y[i*s.H*s.W*s.C:][:s.H*s.W*s.C]
	grad := t.dy[i*s.OH*s.OW*s.C:][:s.OH*s.OW*s.C]
	clear(out)
	for o := range s.OH * s.OW {
		y0, y1, x0, x1 := window(s, o/s.OW, o%s.OW)
		for c, g := range grad[o*s.C:][:s.C] {
			best, where := float32(math.Inf(-1)), -1
			for y := y0; y < y1; y++ {
				for x := x0; x < x1; x++ {
					p := (y*s.W+x)*s.C + c
					if v := in[p]; v > best || v != v || where < 0 {
						best, where = v, p
					}
				}
			}
			if where >= 0 {
				out[where] += g
			}
		}
	}
}

// AvgPool averages the hw positions of each image.
func (d *Device) AvgPool(x, y device.Buffer, n, hw, c int) {
	const op = "average pool"
	matrix(op, n*hw, c)
	in, out := d.need(op, x, n*hw*c), d.need(op, y, n*c)
	d.runImages(imagewise{op: avgPool, x: in, y: out, hw: hw, c: c}, n)
}

func avgPool(t *imagewise, i int) {
	out := t.y[i*t.c:][:t.c]
	clear(out)
	for p := range t.hw {
		for c, v := range t.x[(i*t.hw+p)*t.c:][:len(out)] {
			out[c] += v
		}
	}
	scale := 1 / float32(t.hw)
	for c := range out {
		out[c] *= scale
	}
}

// AvgPoolGrad deals the gradient out evenly.
func (d *Device) AvgPoolGrad(dy, dx device.Buffer, n, hw, c int) {
	const op = "average pool gradient"
	matrix(op, n*hw, c)
	grad, out := d.need(op, dy, n*c), d.need(op, dx, n*hw*c)
	d.runImages(imagewise{op: avgPoolGrad, dy: grad, y: out, hw: hw, c: c}, n)
}

func avgPoolGrad(t *imagewise, i int) {
	grad := t.dy[i*t.c:][:t.c]
	scale := 1 / float32(t.hw)
	for p := range t.hw {
		out := t.y[(i*t.hw+p)*t.c:][:len(grad)]
		for c, g := range grad {
			out[c] = g * scale
		}
	}
}
