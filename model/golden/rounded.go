package golden

import (
	"math"

	"byol/model/device"
)

// A step in bfloat16. Numbers of eight bits are off by up to 1/256 each time they are rounded, and as every layer
// rounds what the layers before have rounded otherwise, two right programs are soon some percent apart: a comparison of
// whole passes could not tell a wrong place of rounding from a right one. So a float64 oracle rounds where they do, and
// takes what the engine gave behind each ReLU of the online network in place of its own. Then every layer is
// compared by itself, behind equal inputs: it may differ where a sum of products lies within float32's rounding of the
// middle between two bfloat16 numbers, which are few. One rounding too many or too few is off by about 1/600 of
// everything. The target's projections are compared, too, and then replaced, so that the way back begins with equal
// losses.

// rounded is a device that rounds what package emit does: images, features and weights as operands of products,
// the results of products, and activations and their gradients. Everything else is float32 there, and here float64.
type rounded struct {
	device.Device
	classes int // of the probe, whose logits are not rounded again behind their bias
}

// bfloat16 is the nearest bfloat16, the even one of two.
func bfloat16(x float64) float64 {
	bits := math.Float32bits(float32(x))
	return float64(math.Float32frombits((bits + 0x7fff + bits>>16&1) &^ 0xffff))
}

// round rounds the first n elements of b.
func (d *rounded) round(b device.Buffer, n int) { d.put(b, b, n) }

// put rounds the first n elements of one buffer into another.
func (d *rounded) put(to, from device.Buffer, n int) {
	x := read(d.Device, from, n)
	for i, v := range x {
		x[i] = bfloat16(v)
	}
	d.Upload64(to.Slice(0, n), x)
}

func (d *rounded) BatchNormApply(a device.BatchNorm) {
	d.Device.BatchNormApply(a)
	if a.ReLU { // a shortcut is rounded when it has been added
		d.round(a.Y, a.Rows*a.C)
	}
}

func (d *rounded) BatchNormGradApply(a device.BatchNormGrad, sums []float64, count float64) {
	d.Device.BatchNormGradApply(a, sums, count)
	d.round(a.DX, a.Rows*a.C)
}

func (d *rounded) AddMasked(a, b, y, out device.Buffer, n int) {
	d.Device.AddMasked(a, b, y, out, n)
	d.round(out, n)
}

func (d *rounded) AddBias(y, bias device.Buffer, rows, c int) {
	d.Device.AddBias(y, bias, rows, c)
	if c != d.classes {
		d.round(y, rows*c)
	}
}

func (d *rounded) MaxPoolGrad(s device.PoolShape, x, dy, dx device.Buffer, n int) {
	d.Device.MaxPoolGrad(s, x, dy, dx, n)
	d.round(dx, n*s.H*s.W*s.C)
}

func (d *rounded) AvgPoolGrad(dy, dx device.Buffer, n, hw, c int) {
	d.Device.AvgPoolGrad(dy, dx, n, hw, c)
	d.round(dx, n*hw*c)
}

func (d *rounded) Regression(p, z, dp device.Buffer, n, dim int, scale float64, add bool) float64 {
	loss := d.Device.Regression(p, z, dp, n, dim, scale, add)
	d.round(dp, n*dim)
	return loss
}

// Conv is a convolution of rounded operands.
func (d *rounded) Conv(s device.ConvShape) (device.Conv, error) {
	inner, err := d.Device.Conv(s)
	if err != nil {
		return nil, err
	}
	c := &roundedConv{d: d, inner: inner, probe: s.K == d.classes, in: s.H * s.W * s.C, out: s.OH * s.OW * s.K,
		size: s.K * s.KH * s.KW * s.C}
	elements := []int{c.size, s.N * c.in, s.N * c.out}
	for i, b := range []*device.Buffer{&c.w, &c.x, &c.dy} {
		if *b, err = d.Alloc(elements[i]); err != nil {
			return nil, err
		}
	}
	return c, nil
}

type roundedConv struct {
	d             *rounded
	inner         device.Conv
	w, x, dy      device.Buffer // rounded
	in, out, size int           // elements of an image, and of the weights
	probe         bool          // which sees one view alone
}

func (c *roundedConv) Pack(w device.Buffer) {
	c.d.put(c.w, w, c.size)
	c.inner.Pack(c.w)
}

func (c *roundedConv) Forward(x, y device.Buffer, n int) {
	c.d.put(c.x, x, n*c.in)
	c.inner.Forward(c.x, y, n)
	c.d.round(y, n*c.out)
}

func (c *roundedConv) BackwardData(dy, dx device.Buffer, n int) {
	c.inner.BackwardData(dy, dx, n)
	c.d.round(dx, n*c.in)
}

func (c *roundedConv) BackwardWeights(x, dy, dw device.Buffer, n int, add bool) {
	c.d.put(c.x, x, n*c.in)
	c.d.put(c.dy, dy, n*c.out)
	c.inner.BackwardWeights(c.x, c.dy, dw, n, add)
	if add || c.probe { // the second view
		c.d.round(dw, c.size)
	}
}
