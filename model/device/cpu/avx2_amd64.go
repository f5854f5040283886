package cpu

import (
	"unsafe"

	syscpu "golang.org/x/sys/cpu"
)

//go:generate go run ./asm -dir .

// best is the fastest kernel set that this processor runs.
func best() *kernels {
	if !syscpu.X86.HasAVX2 || !syscpu.X86.HasFMA {
		return generic()
	}
	return &kernels{
		name:       "avx2+fma",
		gemm:       avxGemm,
		outer:      outerFull,
		gatherRows: gatherRowsFull,
		packRows:   packRowsFull,
		spread:     avxSpread,
		transpose:  avxTranspose,
		winoInput:  winoInput, winoGrad: winoGrad, winoOutput: winoOutput,
		winoFilter: winoFilter, winoFilterGrad: winoFilterGrad,
		colSums:     avxColSums,
		gradSums:    avxGradSums,
		normalize:   avxNormalize,
		gradApply:   avxGradApply,
		addRows:     avxAddRows,
		maxPool:     avxMaxPool,
		maxPoolGrad: avxMaxPoolGrad,
		addMasked:   avxAddMasked,
		ema:         avxEMA,
		larsNorms:   avxLARSNorms,
		larsUpdate:  avxLARSUpdate,
		fold:        avxFold,
		pause:       pause,
	}
}

const on = 1 << 31

// columnMask[16−c:] selects the first c of 16 columns.
var columnMask = [2 * tileCols]uint32{on, on, on, on, on, on, on, on, on, on, on, on, on, on, on, on}

func avxGemm(taps, kc int, a **float32, lda, aoff int, b *float32, c **float32, coff, tiles, cols int, add bool) {
	if cols == tileCols {
		gemmFull(taps, kc, a, lda, aoff, b, c, coff, tiles, add)
		return
	}
	mask := (*float32)(unsafe.Pointer(&columnMask[tileCols-cols]))
	gemmMasked(taps, kc, a, lda, aoff, b, c, coff, tiles, add, mask)
}

func avxSpread(n int, table **float32, first *float32, stride int) {
	whole := n &^ 3
	if whole > 0 {
		spreadFull(whole, table, first, stride)
	}
	for t := unsafe.Slice(table, n); whole < n; whole++ {
		t[whole] = at(first, whole*stride)
	}
}

// avxTranspose does the ragged rows and columns in plain Go.
func avxTranspose(rows, cols int, src *float32, lds int, dst *float32, ldd int, add bool) {
	kernel := transposeFull
	if add {
		kernel = transposeAddFull
	}
	whole, i := cols&^(lanes-1), 0
	for ; i+lanes <= rows && whole > 0; i += lanes {
		kernel(whole/lanes, at(src, i*lds), lds, at(dst, i), ldd)
	}
	if whole < cols && i > 0 {
		genericTranspose(i, cols-whole, at(src, whole), lds, at(dst, whole*ldd), ldd, add)
	}
	if i < rows {
		genericTranspose(rows-i, cols, at(src, i*lds), lds, at(dst, i), ldd, add)
	}
}

// Sums of wideCols columns and more are kept in memory. Up to quadStride elements from row to row four rows are
// read at once.
const (
	wideCols   = 64
	quadStride = 128
)

// wide divides rows of cols columns: quads and then single rows for whole vectors of columns, which there are j of.
func wide(rows, cols, stride int) (quads, single, j int) {
	if cols < wideCols {
		return 0, 0, 0
	}
	if stride <= quadStride {
		quads = rows / 4
	}
	return quads, rows - 4*quads, cols &^ (lanes - 1)
}

func avxColSums(rows, cols, stride int, x, sum, square *float32) {
	quads, single, j := wide(rows, cols, stride)
	if quads > 0 {
		colSumsQuads(quads, j, stride, x, sum, square)
	}
	if single > 0 {
		colSumsWide(single, j, stride, at(x, 4*quads*stride), sum, square)
	}
	for ; j+32 <= cols; j += 32 {
		colSums32(rows, stride, at(x, j), at(sum, j), at(square, j))
	}
	for ; j+16 <= cols; j += 16 {
		colSums16(rows, stride, at(x, j), at(sum, j), at(square, j))
	}
	for ; j+lanes <= cols; j += lanes {
		colSums8(rows, stride, at(x, j), at(sum, j), at(square, j))
	}
	if j < cols {
		genericColSums(rows, cols-j, stride, at(x, j), at(sum, j), at(square, j))
	}
}

func avxGradSums(rows, cols, stride int, dy, x *float32, g gate, mean, sum, dot *float32) {
	quads, single, j := wide(rows, cols, stride)
	if quads > 0 {
		avxGradSumsQuads(quads, j, stride, dy, x, g, mean, sum, dot)
	}
	if single > 0 {
		o := 4 * quads * stride
		avxGradSumsWide(single, j, stride, at(dy, o), at(x, o), g.row(o), mean, sum, dot)
	}
	for width := 32; width >= lanes; width /= 2 {
		for ; j+width <= cols; j += width {
			avxGradSumsStrip(width, rows, stride, at(dy, j), at(x, j), g.at(j), at(mean, j), at(sum, j), at(dot, j))
		}
	}
	if j < cols {
		genericGradSums(rows, cols-j, stride, at(dy, j), at(x, j), g.at(j), at(mean, j), at(sum, j), at(dot, j))
	}
}

func avxGradSumsQuads(quads, cols, stride int, dy, x *float32, g gate, mean, sum, dot *float32) {
	switch {
	case g.scale != nil:
		gradSumsGatedQuads(quads, cols, stride, dy, x, g.scale, g.shift, mean, sum, dot)
	case g.y != nil:
		gradSumsMaskedQuads(quads, cols, stride, dy, x, g.y, mean, sum, dot)
	default:
		gradSumsQuads(quads, cols, stride, dy, x, mean, sum, dot)
	}
}

func avxGradSumsWide(rows, cols, stride int, dy, x *float32, g gate, mean, sum, dot *float32) {
	switch {
	case g.scale != nil:
		gradSumsGatedWide(rows, cols, stride, dy, x, g.scale, g.shift, mean, sum, dot)
	case g.y != nil:
		gradSumsMaskedWide(rows, cols, stride, dy, x, g.y, mean, sum, dot)
	default:
		gradSumsWide(rows, cols, stride, dy, x, mean, sum, dot)
	}
}

// avxGradSumsStrip runs the kernel for 8, 16 or 32 columns.
func avxGradSumsStrip(width, rows, stride int, dy, x *float32, g gate, mean, sum, dot *float32) {
	switch {
	case g.scale != nil && width == 32:
		gradSumsGated32(rows, stride, dy, x, g.scale, g.shift, mean, sum, dot)
	case g.scale != nil && width == 16:
		gradSumsGated16(rows, stride, dy, x, g.scale, g.shift, mean, sum, dot)
	case g.scale != nil:
		gradSumsGated8(rows, stride, dy, x, g.scale, g.shift, mean, sum, dot)
	case g.y != nil && width == 32:
		gradSumsMasked32(rows, stride, dy, x, g.y, mean, sum, dot)
	case g.y != nil && width == 16:
		gradSumsMasked16(rows, stride, dy, x, g.y, mean, sum, dot)
	case g.y != nil:
		gradSumsMasked8(rows, stride, dy, x, g.y, mean, sum, dot)
	case width == 32:
		gradSums32(rows, stride, dy, x, mean, sum, dot)
	case width == 16:
		gradSums16(rows, stride, dy, x, mean, sum, dot)
	default:
		gradSums8(rows, stride, dy, x, mean, sum, dot)
	}
}

func avxFold(n int, v *float32, sum *float64) {
	whole := n &^ (lanes - 1)
	if whole > 0 {
		foldFull(whole, v, sum)
	}
	if whole < n {
		genericFold(n-whole, at(v, whole), (*float64)(unsafe.Add(unsafe.Pointer(sum), 8*whole)))
	}
}

// streams reports whether the rows of out can be stored past the caches.
func streams(past bool, stride int, out *float32) bool {
	const bytes = 4 * lanes
	return past && stride%lanes == 0 && uintptr(unsafe.Pointer(out))%bytes == 0
}

func avxNormalize(rows, cols, stride int, x, residual, y, mean, scale, shift *float32, relu, past bool) {
	if j := cols &^ (lanes - 1); j < cols {
		genericNormalize(rows, cols-j, stride, at(x, j), at(residual, j), at(y, j),
			at(mean, j), at(scale, j), at(shift, j), relu, past)
		if cols = j; cols == 0 {
			return
		}
	}
	if residual != nil {
		kernel := normalizeAdd
		switch past = streams(past, stride, y); {
		case relu && past:
			kernel = normalizeAddReLUPast
		case relu:
			kernel = normalizeAddReLU
		case past:
			kernel = normalizeAddPast
		}
		kernel(rows, cols, stride, x, residual, y, mean, scale, shift)
		return
	}
	kernel := normalize
	switch past = streams(past, stride, y); {
	case relu && past:
		kernel = normalizeReLUPast
	case relu:
		kernel = normalizeReLU
	case past:
		kernel = normalizePast
	}
	kernel(rows, cols, stride, x, y, mean, scale, shift)
}

func avxGradApply(rows, cols, stride int, dy, x *float32, g gate, dx *float32, c coefficients, past bool) {
	if j := cols &^ (lanes - 1); j < cols {
		genericGradApply(rows, cols-j, stride, at(dy, j), at(x, j), g.at(j), at(dx, j), c.at(j), past)
		if cols = j; cols == 0 {
			return
		}
	}
	past = streams(past, stride, dx)
	switch {
	case g.scale != nil && past:
		gradApplyGatedPast(rows, cols, stride, dy, x, g.scale, g.shift, dx, c.mean, c.ka, c.kb, c.kd)
	case g.scale != nil:
		gradApplyGated(rows, cols, stride, dy, x, g.scale, g.shift, dx, c.mean, c.ka, c.kb, c.kd)
	case g.y != nil && past:
		gradApplyMaskedPast(rows, cols, stride, dy, x, g.y, dx, c.mean, c.ka, c.kb, c.kd)
	case g.y != nil:
		gradApplyMasked(rows, cols, stride, dy, x, g.y, dx, c.mean, c.ka, c.kb, c.kd)
	case past:
		gradApplyPast(rows, cols, stride, dy, x, dx, c.mean, c.ka, c.kb, c.kd)
	default:
		gradApply(rows, cols, stride, dy, x, dx, c.mean, c.ka, c.kb, c.kd)
	}
}

func avxAddRows(rows, cols, stride int, y, bias *float32) {
	if j := cols &^ (lanes - 1); j < cols {
		genericAddRows(rows, cols-j, stride, at(y, j), at(bias, j))
		if cols = j; cols == 0 {
			return
		}
	}
	addRowsFull(rows, cols, stride, y, bias)
}

func avxMaxPool(taps, cols int, x **float32, y *float32) {
	whole := cols &^ (lanes - 1)
	if whole > 0 {
		maxPoolFull(taps, whole, x, y)
	}
	genericMaxPoolFrom(taps, whole, cols, x, y)
}

func avxMaxPoolGrad(taps, cols int, x **float32, dy *float32, dx **float32) {
	whole := cols &^ (lanes - 1)
	if whole > 0 {
		maxPoolGradFull(taps, whole, x, dy, dx)
	}
	genericMaxPoolGradFrom(taps, whole, cols, x, dy, dx)
}

func avxAddMasked(n int, a, b, y, out *float32) {
	if i := n &^ (lanes - 1); i < n {
		genericAddMasked(n-i, at(a, i), at(b, i), at(y, i), at(out, i))
		if n = i; n == 0 {
			return
		}
	}
	switch {
	case y == nil:
		addFull(n, a, b, out)
	case b == nil:
		maskFull(n, a, y, out)
	default:
		addMaskFull(n, a, b, y, out)
	}
}

func avxEMA(n int, xi, theta, out *float32, rate float32) {
	if i := n &^ (lanes - 1); i < n {
		genericEMA(n-i, at(xi, i), at(theta, i), at(out, i), rate)
		if n = i; n == 0 {
			return
		}
	}
	emaFull(n, xi, theta, out, rate)
}

// avxLARSNorms adds the elements after the last whole vector to the lanes they belong to.
func avxLARSNorms(n int, w, g *float32, decay float32, sums *float64) {
	whole := n &^ (lanes - 1)
	if whole == 0 {
		genericLARSNorms(n, w, g, decay, sums)
		return
	}
	larsNormsFull(whole, w, g, decay, sums)
	s, grad := unsafe.Slice(sums, 2*lanes), row(g, whole, n-whole)
	for i, a := range row(w, whole, n-whole) {
		u := grad[i] + float32(decay*a)
		s[i] += float64(a) * float64(a)
		s[lanes+i] += float64(u) * float64(u)
	}
}

func avxLARSUpdate(n int, w, g, m, w2, m2 *float32, rate, momentum, decay, trust float32) {
	if i := n &^ (lanes - 1); i < n {
		genericLARSUpdate(n-i, at(w, i), at(g, i), at(m, i), at(w2, i), at(m2, i), rate, momentum, decay, trust)
		if n = i; n == 0 {
			return
		}
	}
	larsUpdateFull(n, w, g, m, w2, m2, rate, momentum, decay, trust)
}
