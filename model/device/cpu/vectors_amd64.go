package cpu

import "unsafe"

// The functions that take the width of registers as it comes.
type (
	sumKernel       func(rows, stride int, x, sum, square *float32)
	sumRowsKernel   func(n, cols, stride int, x, sum, square *float32)
	gradKernel      func(rows, stride int, dy, x, y, scale, shift, mean, sum, dot *float32)
	gradRowsKernel  func(n, cols, stride int, dy, x, y, scale, shift, mean, sum, dot *float32)
	normalizeKernel func(rows, cols, stride int, x, residual, y, mean, scale, shift *float32)
	applyKernel     func(rows, cols, stride int, dy, x, y, scale, shift, dx, mean, ka, kb, kd *float32)
)

// gates is how many kinds of gate there are: open, by y, and by scale and shift.
const gates = 3

func (g gate) kind() int {
	switch {
	case g.scale != nil:
		return 2
	case g.y != nil:
		return 1
	}
	return 0
}

// vectors are the kernels in assembly of one width of registers that go along rows and vectors; they take whole
// registers of columns or elements. Its methods make kernels of them for any number, of which rest computes what is
// left over.
type vectors struct {
	lanes int
	rest  *kernels

	colSums      [3]sumKernel     // of 4, 2 and 1 registers of columns
	colSumsRows  [2]sumRowsKernel // row by row, by four rows
	gradSums     [gates][3]gradKernel
	gradSumsRows [gates][2]gradRowsKernel
	normalize    [2][2][2]normalizeKernel // with residual, with ReLU, past the caches
	gradApply    [gates][2]applyKernel    // past the caches
	addRows      func(rows, cols, stride int, y, bias *float32)

	maxPool     func(taps, cols int, x **float32, y *float32)
	maxPoolGrad func(taps, cols int, x **float32, dy *float32, dx **float32)

	add, mask, addMask func(n int, a, b, y, out *float32)
	ema                func(n int, xi, theta, out *float32, rate float32)
	larsNorms          func(n int, w, g *float32, decay float32, sums *float64)
	larsUpdate         func(n int, w, g, m, w2, m2 *float32, rate, momentum, decay, trust float32)
	fold               func(n int, v *float32, sum *float64)
}

// kernels are the part of a set that v makes.
func (v *vectors) kernels() *kernels {
	return &kernels{
		colSums: v.sums, gradSums: v.gradientSums, normalize: v.normalized, gradApply: v.gradient, addRows: v.biased,
		maxPool: v.pool, maxPoolGrad: v.poolGradient, addMasked: v.addMasked,
		ema: v.average, larsNorms: v.norms, larsUpdate: v.update, fold: v.folded,
	}
}

// whole is the part of n that fills registers.
func (v *vectors) whole(n int) int { return n &^ (v.lanes - 1) }

// Sums of wideCols columns and more are kept in memory. Up to quadStride elements from row to row four rows are
// read at once.
const (
	wideCols   = 64
	quadStride = 128
)

// wide divides rows of cols columns: quads and then single rows for whole registers of columns, which there are j of.
func (v *vectors) wide(rows, cols, stride int) (quads, single, j int) {
	if cols < wideCols {
		return 0, 0, 0
	}
	if stride <= quadStride {
		quads = rows / 4
	}
	return quads, rows - 4*quads, v.whole(cols)
}

func (v *vectors) sums(rows, cols, stride int, x, sum, square *float32) {
	quads, single, j := v.wide(rows, cols, stride)
	if quads > 0 {
		v.colSumsRows[1](quads, j, stride, x, sum, square)
	}
	if single > 0 {
		v.colSumsRows[0](single, j, stride, at(x, 4*quads*stride), sum, square)
	}
	for i, kernel := range v.colSums {
		width := 4 >> i * v.lanes
		for ; j+width <= cols; j += width {
			kernel(rows, stride, at(x, j), at(sum, j), at(square, j))
		}
	}
	if j < cols {
		v.rest.colSums(rows, cols-j, stride, at(x, j), at(sum, j), at(square, j))
	}
}

func (v *vectors) gradientSums(rows, cols, stride int, dy, x *float32, g gate, mean, sum, dot *float32) {
	kind := g.kind()
	quads, single, j := v.wide(rows, cols, stride)
	if quads > 0 {
		v.gradSumsRows[kind][1](quads, j, stride, dy, x, g.y, g.scale, g.shift, mean, sum, dot)
	}
	if single > 0 {
		o := 4 * quads * stride
		v.gradSumsRows[kind][0](single, j, stride, at(dy, o), at(x, o), at(g.y, o), g.scale, g.shift, mean, sum, dot)
	}
	for i, kernel := range v.gradSums[kind] {
		width := 4 >> i * v.lanes
		for ; j+width <= cols; j += width {
			h := g.at(j)
			kernel(rows, stride, at(dy, j), at(x, j), h.y, h.scale, h.shift, at(mean, j), at(sum, j), at(dot, j))
		}
	}
	if j < cols {
		v.rest.gradSums(rows, cols-j, stride, at(dy, j), at(x, j), g.at(j), at(mean, j), at(sum, j), at(dot, j))
	}
}

func (v *vectors) folded(n int, x *float32, sum *float64) {
	whole := v.whole(n)
	if whole > 0 {
		v.fold(whole, x, sum)
	}
	if whole < n {
		v.rest.fold(n-whole, at(x, whole), (*float64)(unsafe.Add(unsafe.Pointer(sum), 8*whole)))
	}
}

// flag is 1 for true.
func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// streams is 1 where the rows of out are to be stored past the caches and can be.
func (v *vectors) streams(past bool, stride int, out *float32) int {
	return flag(past && stride%v.lanes == 0 && uintptr(unsafe.Pointer(out))%uintptr(4*v.lanes) == 0)
}

func (v *vectors) normalized(rows, cols, stride int, x, residual, y, mean, scale, shift *float32, relu, past bool) {
	j := v.whole(cols)
	if j > 0 {
		kernel := v.normalize[flag(residual != nil)][flag(relu)][v.streams(past, stride, y)]
		kernel(rows, j, stride, x, residual, y, mean, scale, shift)
	}
	if j < cols {
		v.rest.normalize(rows, cols-j, stride, at(x, j), at(residual, j), at(y, j), at(mean, j), at(scale, j), at(shift, j),
			relu, past)
	}
}

func (v *vectors) gradient(rows, cols, stride int, dy, x *float32, g gate, dx *float32, c coefficients, past bool) {
	j := v.whole(cols)
	if j > 0 {
		kernel := v.gradApply[g.kind()][v.streams(past, stride, dx)]
		kernel(rows, j, stride, dy, x, g.y, g.scale, g.shift, dx, c.mean, c.ka, c.kb, c.kd)
	}
	if j < cols {
		v.rest.gradApply(rows, cols-j, stride, at(dy, j), at(x, j), g.at(j), at(dx, j), c.at(j), past)
	}
}

func (v *vectors) biased(rows, cols, stride int, y, bias *float32) {
	j := v.whole(cols)
	if j > 0 {
		v.addRows(rows, j, stride, y, bias)
	}
	if j < cols {
		v.rest.addRows(rows, cols-j, stride, at(y, j), at(bias, j))
	}
}

// pool goes over the last columns one by one.
func (v *vectors) pool(taps, cols int, x **float32, y *float32) {
	whole := v.whole(cols)
	if whole > 0 {
		v.maxPool(taps, whole, x, y)
	}
	genericMaxPoolFrom(taps, whole, cols, x, y)
}

func (v *vectors) poolGradient(taps, cols int, x **float32, dy *float32, dx **float32) {
	whole := v.whole(cols)
	if whole > 0 {
		v.maxPoolGrad(taps, whole, x, dy, dx)
	}
	genericMaxPoolGradFrom(taps, whole, cols, x, dy, dx)
}

func (v *vectors) addMasked(n int, a, b, y, out *float32) {
	kernel := v.addMask
	switch {
	case y == nil:
		kernel = v.add
	case b == nil:
		kernel = v.mask
	}
	i := v.whole(n)
	if i > 0 {
		kernel(i, a, b, y, out)
	}
	if i < n {
		v.rest.addMasked(n-i, at(a, i), at(b, i), at(y, i), at(out, i))
	}
}

func (v *vectors) average(n int, xi, theta, out *float32, rate float32) {
	i := v.whole(n)
	if i > 0 {
		v.ema(i, xi, theta, out, rate)
	}
	if i < n {
		v.rest.ema(n-i, at(xi, i), at(theta, i), at(out, i), rate)
	}
}

// norms adds the elements after the last whole register to the chains they belong to.
func (v *vectors) norms(n int, w, g *float32, decay float32, sums *float64) {
	whole := v.whole(n)
	if whole == 0 {
		v.rest.larsNorms(n, w, g, decay, sums)
		return
	}
	v.larsNorms(whole, w, g, decay, sums)
	s, grad := unsafe.Slice(sums, 2*normLanes), row(g, whole, n-whole)
	for i, a := range row(w, whole, n-whole) {
		u := grad[i] + float32(decay*a)
		s[i%normLanes] += float64(a) * float64(a)
		s[normLanes+i%normLanes] += float64(u) * float64(u)
	}
}

func (v *vectors) update(n int, w, g, m, w2, m2 *float32, rate, momentum, decay, trust float32) {
	i := v.whole(n)
	if i > 0 {
		v.larsUpdate(i, w, g, m, w2, m2, rate, momentum, decay, trust)
	}
	if i < n {
		v.rest.larsUpdate(n-i, at(w, i), at(g, i), at(m, i), at(w2, i), at(m2, i), rate, momentum, decay, trust)
	}
}
