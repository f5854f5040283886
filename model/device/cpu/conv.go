package cpu

import (
	"fmt"

	"byol/model/device"
)

// conv is a planned convolution. Each direction has an algorithm of its own, which follows from the shape of one
// image and, for the weights, from the number of images of a call.
type conv struct {
	d       *Device
	s       device.ConvShape
	forward direction
	data    direction    // nil with NoBackwardData or NoBackward
	weights *gemmWeights // nil with NoBackward
	fast    *winoWeights // for calls where it pays; nil where it never does
}

// direction is forward or backward-data.
type direction interface {
	// pack takes the weights, which run lays out unless they are.
	pack(w *float32)
	run(in, out *float32, n int)
	// parts and tell are for sums of the output, see outputSums.
	parts() int
	tell(s *outputSums)
}

// Conv plans a convolution.
func (d *Device) Conv(s device.ConvShape) (device.Conv, error) {
	if err := checkShape(s); err != nil {
		return nil, fmt.Errorf("plan convolution %dx%dx%d to %dx%dx%d, kernel %dx%d: %w",
			s.H, s.W, s.C, s.OH, s.OW, s.K, s.KH, s.KW, err)
	}
	c := &conv{d: d, s: s}
	var err error
	if c.forward, err = d.planDirection(s, false); err != nil {
		return nil, fmt.Errorf("plan forward convolution: %w", err)
	}
	if s.NoBackward {
		return c, nil
	}
	if !s.NoBackwardData {
		if c.data, err = d.planDirection(s, true); err != nil {
			return nil, fmt.Errorf("plan backward-data convolution: %w", err)
		}
	}
	if c.weights, err = newWeights(d, s); err == nil && d.winograd(s) {
		c.fast, err = newWinoWeights(d, s)
	}
	if err != nil {
		return nil, fmt.Errorf("plan backward-weights convolution: %w", err)
	}
	return c, nil
}

// winograd reports whether a convolution goes by tiles.
func (d *Device) winograd(s device.ConvShape) bool { return !d.direct && winograd(s) }

// planDirection plans one.
func (d *Device) planDirection(s device.ConvShape, backward bool) (direction, error) {
	switch {
	case d.winograd(s):
		return newWinoConv(d, s, backward)
	case backward:
		return newBackwardData(d, s)
	}
	return newForward(d, s)
}

func checkShape(s device.ConvShape) error {
	for _, v := range []int{s.N, s.H, s.W, s.C, s.OH, s.OW, s.K, s.KH, s.KW, s.Stride} {
		if v <= 0 {
			return fmt.Errorf("images, sizes, channels and stride must be positive, one is %d", v)
		}
	}
	if s.PadTop < 0 || s.PadLeft < 0 {
		return fmt.Errorf("padding %d, %d is negative", s.PadTop, s.PadLeft)
	}
	if s.PadTop >= s.KH || (s.OH-1)*s.Stride-s.PadTop >= s.H {
		return fmt.Errorf("a row of output sees padding alone: stride %d, padding %d above", s.Stride, s.PadTop)
	}
	if s.PadLeft >= s.KW || (s.OW-1)*s.Stride-s.PadLeft >= s.W {
		return fmt.Errorf("a column of output sees padding alone: stride %d, padding %d to the left", s.Stride, s.PadLeft)
	}
	return nil
}

// Pack lays the weights out for the passes of the plan.
func (c *conv) Pack(w device.Buffer) {
	s := &c.s
	c.alive("pack")
	p := c.d.operand("pack", w, s.K*s.KH*s.KW*s.C)
	c.forward.pack(p)
	if c.data != nil {
		c.data.pack(p)
	}
}

// alive panics once the memory of the plan was given back.
func (c *conv) alive(op string) {
	if c.d.closed {
		panic("cpu: " + op + ": the scope of the plan is closed")
	}
}

// images checks the number of images of a call and returns it.
func (c *conv) images(op string, n int) int {
	if n < 0 || n > c.s.N {
		panic(fmt.Sprintf("cpu: %s: %d images, planned for %d", op, n, c.s.N))
	}
	return n
}

// Forward computes y[n][OH][OW][K].
func (c *conv) Forward(x, y device.Buffer, n int) {
	const op = "convolution forward"
	in, out := c.operands(op, x, y, n)
	c.forward.run(in, out, c.images(op, n))
}

// BackwardData computes dx[n][H][W][C].
func (c *conv) BackwardData(dy, dx device.Buffer, n int) {
	const op = "convolution backward-data"
	if c.data == nil {
		panic("cpu: " + op + ": planned without")
	}
	to, from := c.operands(op, dx, dy, n)
	c.data.run(from, to, c.images(op, n))
}

// BackwardWeights computes dw[K][KH][KW][C].
func (c *conv) BackwardWeights(x, dy, dw device.Buffer, n int, add bool) {
	const op = "convolution backward-weights"
	if c.weights == nil {
		panic("cpu: " + op + ": planned without")
	}
	in, grad := c.operands(op, x, dy, n)
	s := &c.s
	out := c.d.need(op, dw, s.K*s.KH*s.KW*s.C)
	if c.fast != nil && c.fast.pays(n) {
		c.fast.run(in, grad, out, c.images(op, n), add)
		return
	}
	c.weights.run(in, grad, out, c.images(op, n), add)
}

// operands checks the two activations of n images.
func (c *conv) operands(op string, x, y device.Buffer, n int) (in, out *float32) {
	s := &c.s
	c.alive(op)
	in = c.d.operand(op, x, n*s.H*s.W*s.C)
	return in, c.d.operand(op, y, n*s.OH*s.OW*s.K)
}

// fuseBelow is the number of channels up to which the taps of a kernel row are one group: long runs of k for the
// price of copying the windows that cross the left or right edge.
const fuseBelow = 32

// forwardGroups are the taps of the forward pass, in the order of the weights.
func forwardGroups(s device.ConvShape) []tapGroup {
	var groups []tapGroup
	for ky := range s.KH {
		taps := make([]int, s.KW)
		for kx := range taps {
			taps[kx] = kx
		}
		width := 1
		if s.C <= fuseBelow {
			width = s.KW
		}
		for kx := 0; kx < s.KW; kx += width {
			groups = append(groups, tapGroup{
				dy: ky - s.PadTop, dx: kx - s.PadLeft, width: width, ky: ky, kx: taps[kx : kx+width],
			})
		}
	}
	return groups
}

// classGroups are the taps that reach the input positions ≡ (py, px) modulo the stride: position i·stride+py gets
// tap ky from output row i + (py+PadTop−ky)/stride where that divides. Columns ascend, so kx descends.
func classGroups(s device.ConvShape, py, px int) []tapGroup {
	var cols []int
	for kx := s.KW - 1; kx >= 0; kx-- {
		if (px+s.PadLeft-kx)%s.Stride == 0 {
			cols = append(cols, kx)
		}
	}
	width := 1
	if s.K <= fuseBelow {
		width = len(cols)
	}
	var groups []tapGroup
	for ky := range s.KH {
		if (py+s.PadTop-ky)%s.Stride != 0 {
			continue
		}
		for q := 0; q < len(cols); q += width {
			groups = append(groups, tapGroup{
				dy: (py + s.PadTop - ky) / s.Stride, dx: (px + s.PadLeft - cols[q]) / s.Stride,
				width: width, ky: ky, kx: cols[q : q+width],
			})
		}
	}
	return groups
}
