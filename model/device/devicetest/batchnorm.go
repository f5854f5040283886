package devicetest

import (
	"errors"
	"math"

	"byol/model/device"
)

func batchNormChecks() []check {
	return []check{
		{"batch norm sums", batchNormSums},
		{"batch norm apply", batchNormApply},
		{"batch norm gradient sums", batchNormGradSums},
		{"batch norm gradient apply", batchNormGradApply},
		{"batch norm gradient passes where the output is positive", batchNormGate},
	}
}

// matrix is the size of one view: rows (images times positions) and channels.
type matrix struct{ Rows, C int }

func matrices() []matrix {
	return []matrix{
		{1, 1}, {2, 3}, {7, 5}, {64, 8}, {98, 16}, {5, 24}, {33, 40}, {320, 48}, {25, 64}, {10, 130}, {1, 257},
		{1000, 7},
	}
}

// statistics draws what a batch norm divides by, with means of up to three standard deviations.
func (b *bench) statistics(c int) (mean, invstd []float64) {
	mean, invstd = make([]float64, c), make([]float64, c)
	for j := range c {
		mean[j], invstd[j] = 3*b.rng.NormFloat64(), 0.1+2*b.rng.Float64()
	}
	return mean, invstd
}

// Two sums of rows elements each; the squares are products, so γ counts them already.
func batchNormSums(b *bench) error {
	return cases(matrices(), func(m matrix) error {
		b.begin(m.Rows, m.C)
		x := b.input("x", b.normals(m.Rows*m.C))
		got, again := unset(2*m.C), unset(2*m.C)
		want, sums := unset(2*m.C), unset(2*m.C)
		b.dev.BatchNormSums(x.dev, m.Rows, m.C, got)
		b.dev.BatchNormSums(b.moved(x).dev, m.Rows, m.C, again)
		b.ref.BatchNormSums(x.ref, m.Rows, m.C, want)
		b.ref.BatchNormSums(b.oracle(absolute(x.values)), m.Rows, m.C, sums)
		return first(within("sums", got, want, scaled(b.gamma(m.Rows), sums)), same("sums elsewhere", again, got), b.intact())
	})
}

// variant is a matrix with the optional parts of an operation.
type variant struct {
	matrix
	A, B bool
}

func variants() []variant {
	var out []variant
	for _, m := range matrices() {
		for _, a := range []bool{false, true} {
			out = append(out, variant{m, a, false}, variant{m, a, true})
		}
	}
	return out
}

// A is the residual, B the ReLU. Roundings: mean and invstd to the element type, the difference, two products, two
// additions, and one for a folded form of scale and shift: 8u·((|x|+|mean|)·|invstd·gamma| + |beta| + |residual|).
func batchNormApply(b *bench) error {
	return cases(variants(), func(v variant) error {
		b.begin(v.Rows, v.C)
		n := v.Rows * v.C
		mean, invstd := b.statistics(v.C)
		x, gamma, beta := b.input("x", b.normals(n)), b.input("gamma", b.normals(v.C)), b.input("beta", b.normals(v.C))
		y, parts := b.output("y", n), b.output("y in two parts", n)
		a := device.BatchNorm{
			Rows: v.Rows, C: v.C, X: x.dev, Y: y.dev, Gamma: gamma.dev, Beta: beta.dev, Mean: mean, InvStd: invstd, ReLU: v.B,
		}
		r := a
		r.X, r.Y, r.Gamma, r.Beta = x.ref, y.ref, gamma.ref, beta.ref
		residual := make([]float64, n)
		if v.A {
			o := b.input("residual", b.normals(n))
			residual, a.Residual, r.Residual = o.values, o.dev, o.ref
		}
		b.dev.BatchNormApply(a)
		b.ref.BatchNormApply(r)
		bound := make([]float64, n)
		for i := range bound {
			j := i % v.C
			size := (math.Abs(x.values[i]) + math.Abs(mean[j])) * math.Abs(invstd[j]*gamma.values[j])
			bound[i] = b.gamma(8) * (size + math.Abs(beta.values[j]) + math.Abs(residual[i]))
		}
		head := v.Rows / 2
		for _, part := range [][2]int{{0, head}, {head, v.Rows - head}} {
			b.dev.BatchNormApply(rowsOf(a, parts.dev, part[0], part[1]))
		}
		if v.A {
			o := b.inout("residual in place of y", residual)
			a.Residual, a.Y = o.dev, o.dev
			b.dev.BatchNormApply(a)
			if err := same(o.name, b.got(o), b.got(y)); err != nil {
				return err
			}
		}
		return first(b.within(y, bound), same("y in two parts", b.got(parts), b.got(y)), b.intact())
	})
}

// rowsOf is the same operation on some of the rows, written to the same rows of y.
func rowsOf(a device.BatchNorm, y device.Buffer, row, rows int) device.BatchNorm {
	at, n := row*a.C, rows*a.C
	a.Rows, a.X, a.Y = rows, a.X.Slice(at, n), y.Slice(at, n)
	if !a.Residual.IsNil() {
		a.Residual = a.Residual.Slice(at, n)
	}
	return a
}

// masks are the ways in which a gradient passes a ReLU: everywhere, where y is positive, where the normalised x is.
const (
	noMask = iota
	maskByY
	maskByX
)

// grads is a matrix with a mask, and the form that overwrites dy.
type grads struct {
	matrix
	Mask    int
	InPlace bool
}

func gradVariants() []grads {
	var out []grads
	for _, m := range matrices() {
		for _, mask := range []int{noMask, maskByY, maskByX} {
			out = append(out, grads{m, mask, false}, grads{m, mask, true})
		}
	}
	return out
}

// backward holds the operands of a backward pass on both devices. size is a bound of |g|, doubt of what is in doubt
// of it: where the normalised x is within rounding of 0, the gradient may pass or not. normed is a bound of |x̂|.
type backward struct {
	dev, ref            device.BatchNormGrad
	x, dy, gamma, y     *operand
	normed, size, doubt []float64
}

func (b *bench) backward(v grads) backward {
	b.begin(v.Rows, v.C)
	n := v.Rows * v.C
	mean, invstd := b.statistics(v.C)
	p := backward{normed: make([]float64, n), size: make([]float64, n), doubt: make([]float64, n)}
	p.x, p.gamma, p.dy = b.input("x", b.normals(n)), b.input("gamma", b.normals(v.C)), b.inout("dy", b.normals(n))
	p.dev = device.BatchNormGrad{
		Rows: v.Rows, C: v.C, DY: p.dy.dev, X: p.x.dev, Gamma: p.gamma.dev, Mean: mean, InvStd: invstd,
	}
	p.ref = p.dev
	p.ref.DY, p.ref.X, p.ref.Gamma = p.dy.ref, p.x.ref, p.gamma.ref
	beta := make([]float64, v.C)
	switch v.Mask {
	case maskByY:
		p.y = b.input("y", b.normals(n))
		p.dev.Y, p.ref.Y = p.y.dev, p.y.ref
	case maskByX:
		o := b.input("beta", b.normals(v.C))
		beta, p.dev.Beta, p.ref.Beta = o.values, o.dev, o.ref
	}
	for i, dy := range p.dy.values {
		j := i % v.C
		p.normed[i], p.size[i] = (math.Abs(p.x.values[i])+math.Abs(mean[j]))*invstd[j], math.Abs(dy)
		scale := invstd[j] * p.gamma.values[j]
		out, size := (p.x.values[i]-mean[j])*scale+beta[j], p.normed[i]*math.Abs(p.gamma.values[j])+math.Abs(beta[j])
		if v.Mask == maskByX && math.Abs(out) <= b.gamma(8)*size {
			p.doubt[i] = p.size[i]
		}
	}
	return p
}

// Σ g is a sum of rows numbers. A term of Σ g·x̂ has four roundings more: mean, invstd, difference, product; its
// size is bounded by |g|·(|x|+|mean|)·invstd.
func batchNormGradSums(b *bench) error {
	return cases(gradVariants(), func(v grads) error {
		p := b.backward(v)
		p.dy.written = false
		got, again, want, bound := unset(2*v.C), unset(2*v.C), unset(2*v.C), make([]float64, 2*v.C)
		b.dev.BatchNormGradSums(p.dev, got)
		elsewhere := p.dev
		elsewhere.X, elsewhere.DY = b.moved(p.x).dev, b.moved(p.dy).dev
		if v.Mask == maskByY {
			elsewhere.Y = b.moved(p.y).dev
		}
		b.dev.BatchNormGradSums(elsewhere, again)
		b.ref.BatchNormGradSums(p.ref, want)
		for i, dy := range p.size {
			j := i % v.C
			bound[j] += b.gamma(v.Rows)*dy + p.doubt[i]
			bound[v.C+j] += (b.gamma(v.Rows+4)*dy + p.doubt[i]) * p.normed[i]
		}
		return first(within("sums", got, want, bound), same("sums elsewhere", again, got), b.intact())
	})
}

// Each of the three terms is a product of at most five factors (gamma, invstd, invstd, x−mean, sum) with a
// division, rounded on their way from float64 (four), in the products (four) and the two additions:
// 12u·|gamma·invstd|·(|g| + |sums[j]/count| + |x̂·sums[c+j]/count|).
func batchNormGradApply(b *bench) error {
	return cases(gradVariants(), func(v grads) error {
		p := b.backward(v)
		n := v.Rows * v.C
		sums, count := b.normals(2*v.C), float64(4*v.Rows)
		for i := range sums {
			sums[i] *= count / 2
		}
		dx := p.dy
		if !v.InPlace {
			p.dy.written = false
			dx = b.output("dx", n)
		}
		p.dev.DX, p.ref.DX = dx.dev, dx.ref
		b.dev.BatchNormGradApply(p.dev, sums, count)
		b.ref.BatchNormGradApply(p.ref, sums, count)
		bound := make([]float64, n)
		for i, dy := range p.size {
			j := i % v.C
			size := dy + math.Abs(sums[j]/count) + math.Abs(p.normed[i]*sums[v.C+j]/count)
			bound[i] = (b.gamma(12)*size + p.doubt[i]) * math.Abs(p.gamma.values[j]*p.dev.InvStd[j])
		}
		err := first(b.within(dx, bound), b.intact())
		if err != nil || v.InPlace {
			return err
		}
		var errs []error
		for _, in := range []*operand{p.dy, p.x} {
			again, a := b.inout("dx in place of "+in.name, in.values), p.dev
			if a.DX = again.dev; in == p.x {
				a.X = again.dev
			} else {
				a.DY = again.dev
			}
			b.dev.BatchNormGradApply(a, sums, count)
			errs = append(errs, same(again.name, b.got(again), b.got(dx)))
		}
		return errors.Join(append(errs, b.intact())...)
	})
}

// The gradient that is masked by x is, in every bit, the one that is masked by the output of the forward pass.
func batchNormGate(b *bench) error {
	return cases(matrices(), func(m matrix) error {
		p := b.backward(grads{matrix: m, Mask: maskByX})
		p.dy.written = false
		n := m.Rows * m.C
		y, dx, dx2 := b.output("y", n), b.output("dx", n), b.output("dx by y", n)
		b.dev.BatchNormApply(device.BatchNorm{
			Rows: m.Rows, C: m.C, X: p.dev.X, Y: y.dev, ReLU: true, Gamma: p.dev.Gamma, Beta: p.dev.Beta, Mean: p.dev.Mean,
			InvStd: p.dev.InvStd,
		})
		byY := p.dev
		byY.Y, byY.Beta, byY.DX, p.dev.DX = y.dev, device.Buffer{}, dx2.dev, dx.dev
		sums, sums2, count := unset(2*m.C), unset(2*m.C), float64(m.Rows)
		b.dev.BatchNormGradSums(p.dev, sums)
		b.dev.BatchNormGradSums(byY, sums2)
		b.dev.BatchNormGradApply(p.dev, sums, count)
		b.dev.BatchNormGradApply(byY, sums, count)
		return first(same("sums", sums, sums2), same("dx", b.got(dx), b.got(dx2)), b.intact())
	})
}
