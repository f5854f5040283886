package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Predicates of VCMPPS.
const (
	equalOrNaN = 0x08 // EQ_UQ
	greater    = 0x1e // GT_OQ
	notANumber = 0x03 // UNORD_Q
)

// eachTap runs body with the address of each entry of a table, plus the byte offset i.
func eachTap(label, table string, i reg.Register, body func(tap Mem, index reg.Register)) {
	tab, index, n, p := arg(table), GP64(), arg("taps"), GP64()
	XORQ(index, index)
	Label(label)
	MOVQ(Mem{Base: tab, Index: index, Scale: 8}, p)
	body(Mem{Base: p, Index: i, Scale: 1}, index)
	INCQ(index)
	CMPQ(index, n)
	JLT(LabelRef(label))
}

// maximum updates m with the elements at tap; a NaN is larger than all numbers and replaces an older one.
func maximum(tap Mem, m reg.VecVirtual) {
	v := vector()
	VMOVUPS(tap, v)
	if simd().bytes == 64 {
		take, nan := K(), K()
		VCMPPS(Imm(greater), m, v, take)
		VCMPPS(Imm(notANumber), v, v, nan)
		KORW(nan, take, take)
		VMOVAPS(v, take, m)
		return
	}
	take, nan := vector(), vector()
	VCMPPS(Imm(greater), m, v, take)
	VCMPPS(Imm(notANumber), v, v, nan)
	VORPS(nan, take, take)
	VBLENDVPS(take, v, m, m)
}

// firstOf starts m with the first entry of the table.
func firstOf(table string, i reg.Register, m reg.VecVirtual) {
	p := arg(table)
	MOVQ(Mem{Base: p}, p)
	VMOVUPS(Mem{Base: p, Index: i, Scale: 1}, m)
}

// eachColumn runs body with the byte offset of each vector of a row.
func eachColumn(body func(i reg.Register)) {
	i := GP64()
	XORQ(i, i)
	Label("column")
	body(i)
	ADDQ(Imm(uint64(simd().bytes)), i)
	cols := bytes("cols")
	CMPQ(i, cols)
	JLT(LabelRef("column"))
}

func maxPool() {
	name := kernel("maxPoolFull", "func(taps, cols int, x **float32, y *float32)")
	Doc(name+" writes y[j] = the maximum of x[t][j] over the taps; taps and cols are positive, cols is a",
		"multiple of the lanes.")
	y := arg("y")
	eachColumn(func(i reg.Register) {
		m := vector()
		firstOf("x", i, m)
		eachTap("tap", "x", i, func(tap Mem, _ reg.Register) { maximum(tap, m) })
		VMOVUPS(m, Mem{Base: y, Index: i, Scale: 1})
	})
	leave()
}

func maxPoolGrad() {
	name := kernel("maxPoolGradFull", "func(taps, cols int, x **float32, dy *float32, dx **float32)")
	Doc(name+" adds dy[j] to dx[t][j] for the first tap t where x[t][j] is the maximum, or for the first",
		"tap of all where one is no number; taps and cols are positive, cols is a multiple of the lanes.")
	dy, dx := arg("dy"), arg("dx")
	eachColumn(func(i reg.Register) {
		m, left := vector(), vector()
		firstOf("x", i, m)
		eachTap("tap", "x", i, func(tap Mem, _ reg.Register) { maximum(tap, m) })
		VMOVUPS(Mem{Base: dy, Index: i, Scale: 1}, left)
		eachTap("deal", "x", i, func(tap Mem, index reg.Register) {
			share, to := vector(), GP64()
			if simd().bytes == 64 {
				hit, miss := K(), K()
				VCMPPS(Imm(equalOrNaN), tap, m, hit)
				KNOTW(hit, miss)
				VMOVAPS_Z(left, hit, share)
				VMOVAPS_Z(left, miss, left)
			} else {
				hit := vector()
				VCMPPS(Imm(equalOrNaN), tap, m, hit)
				VANDPS(left, hit, share)
				VANDNPS(left, hit, left)
			}
			MOVQ(Mem{Base: dx, Index: index, Scale: 8}, to)
			VADDPS(Mem{Base: to, Index: i, Scale: 1}, share, share)
			VMOVUPS(share, Mem{Base: to, Index: i, Scale: 1})
		})
	})
	leave()
}
