package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// packRows gathers the panels of the gradient of the output. It goes along the rows, so that memory is read in
// order.
func packRows() {
	name := kernel("packRowsFull", "func(rows, panels int, src *float32, stride int, dst *float32, ldp int)")
	Doc(name+" copies 16 elements of each row to each panel:",
		"dst[p·ldp+16·r:][0:16] = src[r·stride+16·p:][0:16];",
		"rows and panels are positive.")
	n, src, stride, dst, ldp := arg("rows"), arg("src"), bytes("stride"), arg("dst"), bytes("ldp")
	from, to, p := GP64(), GP64(), GP64()
	v := vectors(perPanel())
	Label("row")
	MOVQ(src, from)
	MOVQ(dst, to)
	Load(Param("panels"), p)
	Label("panel")
	copyVectors(v, from, to)
	ADDQ(Imm(4*panel), from)
	ADDQ(ldp, to)
	DECQ(p)
	JNZ(LabelRef("panel"))
	ADDQ(stride, src)
	ADDQ(Imm(4*panel), dst)
	DECQ(n)
	JNZ(LabelRef("row"))
	leave()
}

// copyVectors copies adjacent registers from one place to another.
func copyVectors(v []reg.VecVirtual, from, to reg.Register) {
	for i, r := range v {
		VMOVUPS(Mem{Base: from, Disp: simd().bytes * i}, r)
	}
	for i, r := range v {
		VMOVUPS(r, Mem{Base: to, Disp: simd().bytes * i})
	}
}

// spread writes tables of addresses; four at a time it costs little beside the arithmetic on what they point to.
func spread() {
	kernel("spreadFull", "func(n int, table **float32, first *float32, stride int)")
	Doc("spreadFull writes table[i] = the address stride·i elements after first; n is a positive multiple of 4.")
	n, table, p, stride := arg("n"), arg("table"), arg("first"), bytes("stride")
	v, step := YMM(), YMM()
	lo, hi, twice := XMM(), XMM(), XMM()
	second := GP64()
	VMOVQ(p, lo)
	LEAQ(Mem{Base: p, Index: stride, Scale: 1}, second)
	VPINSRQ(Imm(1), second, lo, lo) // p, p+s
	ADDQ(stride, stride)            // 2s
	VMOVQ(stride, twice)
	VPBROADCASTQ(twice, twice)
	VPADDQ(twice, lo, hi)
	VINSERTI128(Imm(1), hi, lo.AsY(), v)
	VPSLLQ(Imm(1), twice, twice) // 4s
	VPBROADCASTQ(twice, step)
	Label("entries")
	VMOVDQU(v, Mem{Base: table})
	VPADDQ(step, v, v)
	ADDQ(Imm(32), table)
	SUBQ(Imm(4), n)
	JNZ(LabelRef("entries"))
	leave()
}

// transpose turns blocks of eight rows by eight columns around, step by step along the rows.
func transpose(add bool) {
	name, formula := "transposeFull", "="
	if add {
		name, formula = "transposeAddFull", "+="
	}
	kernel(name, "func(steps int, src *float32, lds int, dst *float32, ldd int)")
	Doc(name + " writes dst[j·ldd+i] " + formula + " src[i·lds+j] for i in [0,8), j in [0, 8·steps); steps is positive.")
	n, src, lds, dst, ldd := arg("steps"), arg("src"), bytes("lds"), arg("dst"), bytes("ldd")
	lds3, ldd3, half := GP64(), GP64(), GP64()
	LEAQ(Mem{Base: lds, Index: lds, Scale: 2}, lds3)
	LEAQ(Mem{Base: ldd, Index: ldd, Scale: 2}, ldd3)
	Label("step")
	r := vectors(8)
	LEAQ(Mem{Base: src, Index: lds, Scale: 4}, half)
	for i, m := range append(fourRows(src, lds, lds3), fourRows(half, lds, lds3)...) {
		VMOVUPS(m, r[i])
	}
	LEAQ(Mem{Base: dst, Index: ldd, Scale: 4}, half)
	to := append(fourRows(dst, ldd, ldd3), fourRows(half, ldd, ldd3)...)
	for j, v := range turn(r) {
		if add {
			VADDPS(to[j], v, v)
		}
		VMOVUPS(v, to[j])
	}
	ADDQ(Imm(32), src)
	LEAQ(Mem{Base: half, Index: ldd, Scale: 4}, dst)
	DECQ(n)
	JNZ(LabelRef("step"))
	leave()
}

// fourRows addresses rows 0 to 3 after base.
func fourRows(base, ld, ld3 reg.Register) []Mem {
	return []Mem{{Base: base}, {Base: base, Index: ld, Scale: 1}, {Base: base, Index: ld, Scale: 2},
		{Base: base, Index: ld3, Scale: 1}}
}

// turn returns the columns of an 8×8 block given its rows: pairs, then quadruples within the halves, then halves.
func turn(r []reg.VecVirtual) []reg.VecVirtual {
	pairs := vectors(8)
	for i := 0; i < 8; i += 2 {
		VUNPCKLPS(r[i+1], r[i], pairs[i])
		VUNPCKHPS(r[i+1], r[i], pairs[i+1])
	}
	const low, high = 0x44, 0xee // the low or the high pairs of both operands
	quads := vectors(8)          // column c and c+4 of rows 0–3, then of rows 4–7
	for h := 0; h < 8; h += 4 {
		for u := 0; u < 2; u++ {
			VSHUFPS(Imm(low), pairs[h+2+u], pairs[h+u], quads[h+2*u])
			VSHUFPS(Imm(high), pairs[h+2+u], pairs[h+u], quads[h+2*u+1])
		}
	}
	columns := vectors(8)
	for c := 0; c < 4; c++ {
		VPERM2F128(Imm(0x20), quads[4+c], quads[c], columns[c])
		VPERM2F128(Imm(0x31), quads[4+c], quads[c], columns[4+c])
	}
	return columns
}
