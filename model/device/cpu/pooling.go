package cpu

import (
	"fmt"

	"byol/model/device"
)

// imagewise runs an operation image by image, or row by row: each is a job.
type imagewise struct {
	d      *Device
	op     func(t *imagewise, s *scratch, i int)
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

func (t *imagewise) do(worker, job int) { t.op(t, &t.d.scratch[worker], job) }

func (d *Device) runImages(t imagewise, n int) {
	t.d = d
	d.ops.images = t
	d.pool.run(&d.ops.images, n)
}

// checkPool checks the shape and makes room for the addresses of a window. Each window has a pixel of the image.
func (d *Device) checkPool(op string, s device.PoolShape, n int) bool {
	last := max((s.OH-1)*s.Stride-s.Pad-s.H, (s.OW-1)*s.Stride-s.Pad-s.W)
	if n < 0 || min(s.H, s.W, s.C, s.OH, s.OW, s.Window, s.Stride) < 1 || s.Pad < 0 || s.Pad >= s.Window || last >= 0 {
		panic(fmt.Sprintf("cpu: %s: %d images, shape %+v", op, n, s))
	}
	err := d.reserve(demand{a: s.Window * s.Window, c: s.Window * s.Window})
	if err != nil {
		d.fail(fmt.Errorf("%s: %w", op, err))
	}
	return err == nil
}

// MaxPool: a NaN in a window wins.
func (d *Device) MaxPool(s device.PoolShape, x, y device.Buffer, n int) {
	const op = "max pool"
	if !d.checkPool(op, s, n) {
		return
	}
	in, out := d.need(op, x, n*s.H*s.W*s.C), d.need(op, y, n*s.OH*s.OW*s.C)
	d.runImages(imagewise{op: maxPoolImage, pool: s, x: in, y: out}, n)
}

// window writes the addresses in an image of the pixels of window o to table and returns how many there are.
func window(s *device.PoolShape, o int, image []float32, table []*float32) int {
	top, left := o/s.OW*s.Stride-s.Pad, o%s.OW*s.Stride-s.Pad
	n := 0
	for y := max(top, 0); y < min(top+s.Window, s.H); y++ {
		for x := max(left, 0); x < min(left+s.Window, s.W); x++ {
			table[n] = &image[(y*s.W+x)*s.C]
			n++
		}
	}
	return n
}

// image returns image i of a tensor with size elements to an image.
func image(x []float32, i, size int) []float32 { return x[i*size:][:size] }

func maxPoolImage(t *imagewise, w *scratch, i int) {
	s := &t.pool
	in, out := image(t.x, i, s.H*s.W*s.C), image(t.y, i, s.OH*s.OW*s.C)
	for o := range s.OH * s.OW {
		taps := window(s, o, in, w.a)
		t.d.k.maxPool(taps, s.C, &w.a[0], &out[o*s.C])
	}
}

// MaxPoolGrad looks for the maxima again: they are cheap to find and dear to keep.
func (d *Device) MaxPoolGrad(s device.PoolShape, x, dy, dx device.Buffer, n int) {
	const op = "max pool gradient"
	if !d.checkPool(op, s, n) {
		return
	}
	in, grad := d.need(op, x, n*s.H*s.W*s.C), d.need(op, dy, n*s.OH*s.OW*s.C)
	out := d.need(op, dx, n*s.H*s.W*s.C)
	d.runImages(imagewise{op: maxPoolGradImage, pool: s, x: in, dy: grad, y: out}, n)
}

func maxPoolGradImage(t *imagewise, w *scratch, i int) {
	s := &t.pool
	in, out := image(t.x, i, s.H*s.W*s.C), image(t.y, i, s.H*s.W*s.C)
	grad := image(t.dy, i, s.OH*s.OW*s.C)
	clear(out)
	for o := range s.OH * s.OW {
		taps := window(s, o, in, w.a)
		window(s, o, out, w.c)
		t.d.k.maxPoolGrad(taps, s.C, &w.a[0], &grad[o*s.C], &w.c[0])
	}
}

// AvgPool averages the hw positions of each image.
func (d *Device) AvgPool(x, y device.Buffer, n, hw, c int) {
	const op = "average pool"
	matrix(op, n*hw, c)
	in, out := d.need(op, x, n*hw*c), d.need(op, y, n*c)
	d.runImages(imagewise{op: avgPool, x: in, y: out, hw: hw, c: c}, n)
}

func avgPool(t *imagewise, _ *scratch, i int) {
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

func avgPoolGrad(t *imagewise, _ *scratch, i int) {
	grad := t.dy[i*t.c:][:t.c]
	scale := 1 / float32(t.hw)
	for p := range t.hw {
		out := t.y[(i*t.hw+p)*t.c:][:len(grad)]
		for c, g := range grad {
			out[c] = g * scale
		}
	}
}
