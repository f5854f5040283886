package cpu

import (
	"unsafe"

	syscpu "golang.org/x/sys/cpu"
)

//go:generate go run ./asm -dir . -isa avx2
//go:generate go run ./asm -dir . -isa avx512

// sets are the kernel sets that this processor runs, the fastest first. Those of assembly compute every element by the
// same chain of operations, so they share a name.
func sets() []*kernels {
	list := []*kernels{generic()}
	x := &syscpu.X86
	if !x.HasAVX2 || !x.HasFMA {
		return list
	}
	list = append([]*kernels{avx2(list[0])}, list...)
	if !x.HasAVX512F || !x.HasAVX512DQ || !x.HasAVX512BW || !x.HasAVX512VL {
		return list
	}
	return append([]*kernels{avx512(list[0])}, list...)
}

// avx2 computes what does not fill registers of 8 lanes by rest.
func avx2(rest *kernels) *kernels {
	v := &vectors{
		lanes: 8, rest: rest,
		colSums: [3]sumKernel{colSums4, colSums2, colSums1}, colSumsRows: [2]sumRowsKernel{colSumsWide, colSumsQuads},
		gradSums: [gates][3]gradKernel{
			{gradSums4, gradSums2, gradSums1}, {gradSumsMasked4, gradSumsMasked2, gradSumsMasked1},
			{gradSumsGated4, gradSumsGated2, gradSumsGated1},
		},
		gradSumsRows: [gates][2]gradRowsKernel{
			{gradSumsWide, gradSumsQuads}, {gradSumsMaskedWide, gradSumsMaskedQuads},
			{gradSumsGatedWide, gradSumsGatedQuads},
		},
		normalize: [2][2][2]normalizeKernel{
			{{normalize, normalizePast}, {normalizeReLU, normalizeReLUPast}},
			{{normalizeAdd, normalizeAddPast}, {normalizeAddReLU, normalizeAddReLUPast}},
		},
		gradApply: [gates][2]applyKernel{
			{gradApply, gradApplyPast}, {gradApplyMasked, gradApplyMaskedPast}, {gradApplyGated, gradApplyGatedPast},
		},
		addRows: addRowsFull, maxPool: maxPoolFull, maxPoolGrad: maxPoolGradFull,
		add: addFull, mask: maskFull, addMask: addMaskFull,
		ema: emaFull, larsNorms: larsNormsFull, larsUpdate: larsUpdateFull, fold: foldFull,
	}
	k := v.kernels()
	k.isa, k.name = AVX2, "avx2+fma"
	k.gemm, k.outer = avx2Gemm, avx2Outer
	k.gatherRows, k.packRows, k.spread, k.transpose = gatherRowsFull, packRowsFull, avx2Spread, avx2Transpose
	k.winoInput = func(channels int, in **float32, ldin int, out *float32, outStride, panel int) {
		winoInput(channels/8, in, ldin, out, outStride, panel)
	}
	k.winoGrad = func(channels int, in **float32, ldin int, out *float32, outStride, panel int) {
		winoGrad(channels/8, in, ldin, out, outStride, panel)
	}
	k.winoOutput = func(channels int, in *float32, inStride int, out **float32, ldout int) {
		winoOutput(channels/8, in, inStride, out, ldout)
	}
	k.winoFilter = func(channels int, in *float32, inStride int, out *float32, outStride int) {
		winoFilter(channels/8, in, inStride, out, outStride)
	}
	k.winoFilterGrad = func(channels int, in *float32, inStride int, out *float32, outStride int) {
		winoFilterGrad(channels/8, in, inStride, out, outStride)
	}
	k.pause = pause
	return k
}

// avx512 computes what does not fill registers of 16 lanes by rest. Addresses, transposes and the moving
// average are those of AVX2, which are as fast or faster.
func avx512(rest *kernels) *kernels {
	v := &vectors{
		lanes: 16, rest: rest,
		colSums: [3]sumKernel{colSums4Z, colSums2Z, colSums1Z}, colSumsRows: [2]sumRowsKernel{colSumsWideZ, colSumsQuadsZ},
		gradSums: [gates][3]gradKernel{
			{gradSums4Z, gradSums2Z, gradSums1Z}, {gradSumsMasked4Z, gradSumsMasked2Z, gradSumsMasked1Z},
			{gradSumsGated4Z, gradSumsGated2Z, gradSumsGated1Z},
		},
		gradSumsRows: [gates][2]gradRowsKernel{
			{gradSumsWideZ, gradSumsQuadsZ}, {gradSumsMaskedWideZ, gradSumsMaskedQuadsZ},
			{gradSumsGatedWideZ, gradSumsGatedQuadsZ},
		},
		normalize: [2][2][2]normalizeKernel{
			{{normalizeZ, normalizePastZ}, {normalizeReLUZ, normalizeReLUPastZ}},
			{{normalizeAddZ, normalizeAddPastZ}, {normalizeAddReLUZ, normalizeAddReLUPastZ}},
		},
		gradApply: [gates][2]applyKernel{
			{gradApplyZ, gradApplyPastZ}, {gradApplyMaskedZ, gradApplyMaskedPastZ}, {gradApplyGatedZ, gradApplyGatedPastZ},
		},
		addRows: addRowsFullZ, maxPool: maxPoolFullZ, maxPoolGrad: maxPoolGradFullZ,
		add: addFullZ, mask: maskFullZ, addMask: addMaskFullZ,
		larsNorms: larsNormsFullZ, larsUpdate: larsUpdateFullZ, fold: foldFullZ,
	}
	k := v.kernels()
	k.isa, k.name = AVX512, rest.name
	k.gemm, k.outer, k.ema = avx512Gemm, avx512Outer, rest.ema
	k.gatherRows, k.packRows, k.spread, k.transpose = gatherRowsFullZ, packRowsFullZ, rest.spread, rest.transpose
	k.winoInput = func(channels int, in **float32, ldin int, out *float32, outStride, panel int) {
		winoInputZ(channels/16, in, ldin, out, outStride, panel)
	}
	k.winoGrad = func(channels int, in **float32, ldin int, out *float32, outStride, panel int) {
		winoGradZ(channels/16, in, ldin, out, outStride, panel)
	}
	k.winoOutput = func(channels int, in *float32, inStride int, out **float32, ldout int) {
		winoOutputZ(channels/16, in, inStride, out, ldout)
	}
	k.winoFilter = func(channels int, in *float32, inStride int, out *float32, outStride int) {
		winoFilterZ(channels/16, in, inStride, out, outStride)
	}
	k.winoFilterGrad = func(channels int, in *float32, inStride int, out *float32, outStride int) {
		winoFilterGradZ(channels/16, in, inStride, out, outStride)
	}
	k.pause = rest.pause
	return k
}

const on = 1 << 31

// columnMask[16−c:] selects the first c of 16 columns.
var columnMask = [2 * tileCols]uint32{on, on, on, on, on, on, on, on, on, on, on, on, on, on, on, on}

// firstColumns is the mask of the first c columns of a panel.
func firstColumns(c int) *float32 { return (*float32)(unsafe.Pointer(&columnMask[tileCols-c])) }

func avx2Gemm(
	taps, kc int, a **float32, lda, aoff int, b *float32, ldb int, c **float32, coff, tiles, cols int, add bool,
) {
	for ; cols >= tileCols; cols -= tileCols {
		gemm1(taps, kc, a, lda, aoff, b, ldb, c, coff, tiles, add)
		b, coff = at(b, ldb), coff+tileCols
	}
	if cols > 0 {
		gemmMasked(taps, kc, a, lda, aoff, b, ldb, c, coff, tiles, add, firstColumns(cols))
	}
}

// avx512Gemm takes four panels at a time, and three of the last five: two or one alone leave the units waiting.
func avx512Gemm(
	taps, kc int, a **float32, lda, aoff int, b *float32, ldb int, c **float32, coff, tiles, cols int, add bool,
) {
	for panels := cols / tileCols; panels > 0; {
		kernel, n := gemm4Z, 4
		switch {
		case panels == 1:
			kernel, n = gemm1Z, 1
		case panels == 2:
			kernel, n = gemm2Z, 2
		case panels == 3 || panels == 5:
			kernel, n = gemm3Z, 3
		}
		kernel(taps, kc, a, lda, aoff, b, ldb, c, coff, tiles, add)
		b, coff, panels = at(b, n*ldb), coff+n*tileCols, panels-n
	}
	if cols %= tileCols; cols > 0 {
		gemmMaskedZ(taps, kc, a, lda, aoff, b, ldb, c, coff, tiles, add, firstColumns(cols))
	}
}

func avx2Outer(px int, a *float32, lda int, b *float32, ldb int, c *float32, ldc, quads, panels int, add bool) {
	for ; panels > 0; panels-- {
		outer1(px, a, lda, b, ldb, c, ldc, quads, add)
		b, c = at(b, ldb), at(c, ldc)
	}
}

// avx512Outer takes two quads and up to three panels at a time; of an odd number of quads the last is AVX2's.
func avx512Outer(px int, a *float32, lda int, b *float32, ldb int, c *float32, ldc, quads, panels int, add bool) {
	const quad, perPanel = quadRows * tileCols, tileCols / quadRows
	if last := quads - 1; quads%2 == 1 {
		avx2Outer(px, at(a, last/perPanel*lda+last%perPanel*quadRows), lda, b, ldb, at(c, last*quad), ldc, 1, panels, add)
		quads = last
	}
	for quads > 0 && panels > 0 {
		kernel, n := outer3Z, 3
		switch {
		case panels == 1:
			kernel, n = outer1Z, 1
		case panels == 2 || panels == 4:
			kernel, n = outer2Z, 2
		}
		kernel(px, a, lda, b, ldb, c, ldc, quads, add)
		b, c, panels = at(b, n*ldb), at(c, n*ldc), panels-n
	}
}

func avx2Spread(n int, table **float32, first *float32, stride int) {
	whole := n &^ 3
	if whole > 0 {
		spreadFull(whole, table, first, stride)
	}
	for t := unsafe.Slice(table, n); whole < n; whole++ {
		t[whole] = at(first, whole*stride)
	}
}

// avx2Transpose does the ragged rows and columns in plain Go.
func avx2Transpose(rows, cols int, src *float32, lds int, dst *float32, ldd int, add bool) {
	const side = 8
	kernel := transposeFull
	if add {
		kernel = transposeAddFull
	}
	whole, i := cols&^(side-1), 0
	for ; i+side <= rows && whole > 0; i += side {
		kernel(whole/side, at(src, i*lds), lds, at(dst, i), ldd)
	}
	if whole < cols && i > 0 {
		genericTranspose(i, cols-whole, at(src, whole), lds, at(dst, whole*ldd), ldd, add)
	}
	if i < rows {
		genericTranspose(rows-i, cols, at(src, i*lds), lds, at(dst, i), ldd, add)
	}
}
