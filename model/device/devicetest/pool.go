package devicetest

import (
	"byol/model/device"
)

func poolChecks() []check {
	return []check{
		{"max pool", maxPool},
		{"max pool gradient", maxPoolGrad},
		{"average pool", avgPool},
		{"average pool gradient", avgPoolGrad},
	}
}

func poolShapes() []device.PoolShape {
	var out []device.PoolShape
	for i, c := range []int{1, 3, 5, 8, 16, 24, 40, 48, 64} {
		size := []int{1, 2, 5, 7, 8}[i%5]
		low, o := symmetric(size, 3, 2)
		out = append(out, device.PoolShape{H: size, W: size, C: c, OH: o, OW: o, Window: 3, Stride: 2, Pad: low})
		low, o = tfSame(size, 3, 2)
		out = append(out, device.PoolShape{H: size, W: size, C: c, OH: o, OW: o, Window: 3, Stride: 2, Pad: low})
	}
	return append(out,
		device.PoolShape{H: 8, W: 6, C: 5, OH: 4, OW: 3, Window: 2, Stride: 2},
		device.PoolShape{H: 7, W: 9, C: 16, OH: 7, OW: 9, Window: 3, Stride: 1, Pad: 1},
		device.PoolShape{H: 16, W: 16, C: 64, OH: 8, OW: 8, Window: 3, Stride: 2, Pad: 1},
		device.PoolShape{H: 16, W: 16, C: 3, OH: 8, OW: 8, Window: 3, Stride: 2},
		device.PoolShape{H: 5, W: 5, C: 8, OH: 3, OW: 3, Window: 1, Stride: 2},
	)
}

// poolInputs draws images whose values are few, so that maxima are tied, and negative, so that padding by zero
// instead of −∞ would be seen; the last one is constant.
func (b *bench) poolInputs(n int) []float64 {
	x := b.integers(images*n, 3)
	for i := range x {
		x[i] -= 3
		if i >= (images-1)*n {
			x[i] = -2
		}
	}
	return x
}

// A maximum is one of the inputs: bits are compared.
func maxPool(b *bench) error {
	return cases(poolShapes(), func(s device.PoolShape) error {
		b.begin(s.H, s.C, s.Pad, s.Window)
		in, out := s.H*s.W*s.C, s.OH*s.OW*s.C
		x, y, one := b.input("x", b.poolInputs(in)), b.output("y", images*out), b.output("y of image 3", out)
		b.dev.MaxPool(s, x.dev, y.dev, images)
		b.dev.MaxPool(s, x.dev.Slice(3*in, in), one.dev, 1)
		b.ref.MaxPool(s, x.ref, y.ref, images)
		return first(same("y", b.got(y), b.want(y)), same("y of image 3", b.got(one), b.got(y)[3*out:4*out]), b.intact())
	})
}

// Gradients are small integers here, so their sums are exact in any order: bits are compared.
func maxPoolGrad(b *bench) error {
	return cases(poolShapes(), func(s device.PoolShape) error {
		b.begin(s.H, s.C, s.Pad, s.Window)
		in, out := s.H*s.W*s.C, s.OH*s.OW*s.C
		x, dy := b.input("x", b.poolInputs(in)), b.input("dy", b.integers(images*out, 9))
		dx, one := b.output("dx", images*in), b.output("dx of image 3", in)
		b.dev.MaxPoolGrad(s, x.dev, dy.dev, dx.dev, images)
		b.dev.MaxPoolGrad(s, x.dev.Slice(3*in, in), dy.dev.Slice(3*out, out), one.dev, 1)
		b.ref.MaxPoolGrad(s, x.ref, dy.ref, dx.ref, images)
		zero := make([]float64, images*in)
		return first(b.within(dx, zero), same("dx of image 3", b.got(one), b.got(dx)[3*in:4*in]), b.intact())
	})
}

func averages() []matrix {
	return []matrix{{1, 1}, {1, 64}, {4, 3}, {25, 5}, {49, 16}, {64, 24}, {16, 130}, {3, 8}, {49, 40}}
}

// Rows are the positions. A mean is a sum of hw numbers and a division (or a product with 1/hw, itself rounded):
// γ(hw+2)·Σ|x|/hw.
func avgPool(b *bench) error {
	return cases(averages(), func(m matrix) error {
		b.begin(m.Rows, m.C)
		x := b.input("x", b.normals(images*m.Rows*m.C))
		y, one := b.output("y", images*m.C), b.output("y of image 3", m.C)
		b.dev.AvgPool(x.dev, y.dev, images, m.Rows, m.C)
		b.dev.AvgPool(x.dev.Slice(3*m.Rows*m.C, m.Rows*m.C), one.dev, 1, m.Rows, m.C)
		b.ref.AvgPool(x.ref, y.ref, images, m.Rows, m.C)
		means := b.oracle(make([]float64, images*m.C))
		b.ref.AvgPool(b.oracle(absolute(x.values)), means, images, m.Rows, m.C)
		bound := scaled(b.gamma(m.Rows+2), read(b.ref, means))
		return first(b.within(y, bound), same("y of image 3", b.got(one), b.got(y)[3*m.C:4*m.C]), b.intact())
	})
}

// One division, or a product with 1/hw, itself rounded: 2u·|dy|/hw.
func avgPoolGrad(b *bench) error {
	return cases(averages(), func(m matrix) error {
		b.begin(m.Rows, m.C)
		dy, dx := b.input("dy", b.normals(images*m.C)), b.output("dx", images*m.Rows*m.C)
		b.dev.AvgPoolGrad(dy.dev, dx.dev, images, m.Rows, m.C)
		b.ref.AvgPoolGrad(dy.ref, dx.ref, images, m.Rows, m.C)
		return first(b.within(dx, scaled(b.gamma(2), b.want(dx))), b.intact())
	})
}
