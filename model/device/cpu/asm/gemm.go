package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const (
	tileRows = 6  // rows of a tile: 12 accumulators, 2 vectors of b and 1 broadcast fill the 16 registers
	unroll   = 4  // steps of k per iteration
	panel    = 16 // columns of a tile: two vectors
)

// step does one step of k: acc[i] += a[i] · b for the six rows.
func step(row func(i int) Mem, b reg.Register, u int, acc []reg.VecVirtual) {
	b0, b1, x := YMM(), YMM(), YMM()
	VMOVUPS(Mem{Base: b, Disp: u * 4 * panel}, b0)
	VMOVUPS(Mem{Base: b, Disp: u*4*panel + 32}, b1)
	for i := 0; i < tileRows; i++ {
		VBROADCASTSS(row(i), x)
		VFMADD231PS(x, b0, acc[2*i])
		VFMADD231PS(x, b1, acc[2*i+1])
	}
}

func gemm() {
	for _, masked := range []bool{false, true} {
		name := "gemmFull"
		if masked {
			name = "gemmMasked"
		}
		gemmKernel(name, masked)
	}
}

// gemmKernel: the address of a row of A and of C comes from a table, so that convolutions need no copy of
// their input. The sum over k is one chain of FMAs per element: its order is taps, then k.
func gemmKernel(name string, masked bool) {
	signature := "func(taps, kc int, a **float32, lda, aoff int, b *float32, c **float32, coff, tiles int, add bool"
	if masked {
		signature += ", mask *float32"
	}
	kernel(name, signature+")")
	Doc(name+" runs tiles of 6 rows by 16 columns. Row r of the tiles reads kc elements at a[t*lda+r]+aoff for",
		"each tap t and writes 16 columns at c[r]+coff, adding to what is there with add. b is [taps][kc][16].")
	if masked {
		Doc(name+" is gemmFull for the columns whose mask has the sign bit set; the others are not touched.",
			"mask has 16 elements.")
	}
	ap, cp, tiles := arg("a"), arg("c"), arg("tiles")
	acc, rows := vectors(2*tileRows), pointers(tileRows)
	b, taps, k, tap := GP64(), GP64(), GP64(), GP64()
	row := func(u int) func(i int) Mem {
		return func(i int) Mem { return Mem{Base: rows[i], Disp: 4 * u} }
	}
	advance := func(n int) {
		for i := range rows {
			ADDQ(Imm(uint64(4*n)), rows[i])
		}
		ADDQ(U32(uint32(4*panel*n)), b)
	}

	Label("tile")
	clearAll(acc)
	Load(Param("b"), b)
	Load(Param("taps"), taps)
	MOVQ(ap, tap)
	Label("tap")
	Load(Param("aoff"), k)
	for i := range rows {
		MOVQ(Mem{Base: tap, Disp: 8 * i}, rows[i])
		LEAQ(Mem{Base: rows[i], Index: k, Scale: 4}, rows[i])
	}
	Load(Param("lda"), k)
	LEAQ(Mem{Base: tap, Index: k, Scale: 8}, tap)
	Load(Param("kc"), k)
	SHRQ(Imm(2), k)
	JZ(LabelRef("rest"))
	Label("k4")
	for u := 0; u < unroll; u++ {
		step(row(u), b, u, acc)
	}
	advance(unroll)
	DECQ(k)
	JNZ(LabelRef("k4"))
	Label("rest")
	Load(Param("kc"), k)
	ANDQ(Imm(unroll-1), k)
	JZ(LabelRef("tapend"))
	Label("k1")
	step(row(0), b, 0, acc)
	advance(1)
	DECQ(k)
	JNZ(LabelRef("k1"))
	Label("tapend")
	DECQ(taps)
	JNZ(LabelRef("tap"))

	storeTile(acc, rows, cp, masked)
	ADDQ(Imm(8*tileRows), ap)
	ADDQ(Imm(8*tileRows), cp)
	DECQ(tiles)
	JNZ(LabelRef("tile"))
	leave()
}

// pointers returns n fresh registers.
func pointers(n int) []reg.GPVirtual {
	p := make([]reg.GPVirtual, n)
	for i := range p {
		p[i] = GP64()
	}
	return p
}

// storeTile writes the accumulators to the six rows of c, adding with add.
func storeTile(acc []reg.VecVirtual, rows []reg.GPVirtual, cp reg.Register, masked bool) {
	off := GP64()
	Load(Param("coff"), off)
	for i := range rows {
		MOVQ(Mem{Base: cp, Disp: 8 * i}, rows[i])
		LEAQ(Mem{Base: rows[i], Index: off, Scale: 4}, rows[i])
	}
	var mask [2]reg.VecVirtual
	if masked {
		m := arg("mask")
		for h := range mask {
			mask[h] = YMM()
			VMOVUPS(Mem{Base: m, Disp: 32 * h}, mask[h])
		}
	}
	add := GP8()
	Load(Param("add"), add)
	TESTB(add, add)
	JZ(LabelRef("store"))
	for i := range rows {
		for h := 0; h < 2; h++ {
			m := Mem{Base: rows[i], Disp: 32 * h}
			if masked {
				v := YMM()
				VMASKMOVPS(m, mask[h], v)
				VADDPS(v, acc[2*i+h], acc[2*i+h])
			} else {
				VADDPS(m, acc[2*i+h], acc[2*i+h])
			}
		}
	}
	Label("store")
	for i := range rows {
		for h := 0; h < 2; h++ {
			m := Mem{Base: rows[i], Disp: 32 * h}
			if masked {
				VMASKMOVPS(acc[2*i+h], mask[h], m)
			} else {
				VMOVUPS(acc[2*i+h], m)
			}
		}
	}
}

// outer is the kernel of backward-weights: the summed dimension is the pixels. Four rows of 16 need eight
// accumulators, just enough to keep two units of four cycles busy, and panels of 16 rows divide by four.
func outer() {
	const rows = 4
	kernel("outerFull", "func(px int, a *float32, lda int, b, c *float32, quads int, add bool)")
	Doc("outerFull multiplies panels: c[i][j] = Σ_p a[i/16·lda+16·p+i%16] · b[p][j], adding to what is there with add.",
		"b is [px][16], c is [quads][4][16]; px is a positive multiple of 4.")
	c, lda, first, quads := arg("c"), bytes("lda"), arg("a"), arg("quads")
	acc := vectors(2 * rows)
	a, b, n, left := GP64(), GP64(), GP64(), GP64()
	Label("panel")
	MOVQ(U64(panel/rows), left)
	Label("quad")
	clearAll(acc)
	MOVQ(first, a)
	Load(Param("b"), b)
	Load(Param("px"), n)
	Label("px4")
	for u := 0; u < unroll; u++ {
		b0, b1, x := YMM(), YMM(), YMM()
		VMOVUPS(Mem{Base: b, Disp: 4 * panel * u}, b0)
		VMOVUPS(Mem{Base: b, Disp: 4*panel*u + 32}, b1)
		for i := 0; i < rows; i++ {
			VBROADCASTSS(Mem{Base: a, Disp: 4 * (panel*u + i)}, x)
			VFMADD231PS(x, b0, acc[2*i])
			VFMADD231PS(x, b1, acc[2*i+1])
		}
	}
	ADDQ(U32(4*panel*unroll), a)
	ADDQ(U32(4*panel*unroll), b)
	SUBQ(Imm(unroll), n)
	JNZ(LabelRef("px4"))
	add := GP8()
	Load(Param("add"), add)
	TESTB(add, add)
	JZ(LabelRef("store"))
	for i := range acc {
		VADDPS(Mem{Base: c, Disp: 32 * i}, acc[i], acc[i])
	}
	Label("store")
	for i := range acc {
		VMOVUPS(acc[i], Mem{Base: c, Disp: 32 * i})
	}
	ADDQ(U32(4*rows*panel), c)
	ADDQ(Imm(4*rows), first)
	DECQ(quads)
	JZ(LabelRef("done"))
	DECQ(left)
	JNZ(LabelRef("quad"))
	LEAQ(Mem{Base: first, Index: lda, Scale: 1, Disp: -4 * panel}, first)
	JMP(LabelRef("panel"))
	Label("done")
	leave()
}

// gatherRows packs the other operand of outer.
func gatherRows() {
	kernel("gatherRowsFull", "func(rows, panels int, a **float32, aoff int, dst *float32, ldp int)")
	Doc("gatherRowsFull copies 16 elements of each row to each panel: dst[p·ldp+16·r:][0:16] = a[r][aoff+16·p:][0:16];",
		"rows and panels are positive.")
	n, table, off, dst, ldp := arg("rows"), arg("a"), bytes("aoff"), arg("dst"), bytes("ldp")
	from, to, p := GP64(), GP64(), GP64()
	v := vectors(2)
	Label("row")
	MOVQ(Mem{Base: table}, from)
	ADDQ(off, from)
	MOVQ(dst, to)
	Load(Param("panels"), p)
	Label("panel")
	VMOVUPS(Mem{Base: from}, v[0])
	VMOVUPS(Mem{Base: from, Disp: 32}, v[1])
	VMOVUPS(v[0], Mem{Base: to})
	VMOVUPS(v[1], Mem{Base: to, Disp: 32})
	ADDQ(Imm(4*panel), from)
	ADDQ(ldp, to)
	DECQ(p)
	JNZ(LabelRef("panel"))
	ADDQ(Imm(8), table)
	ADDQ(Imm(4*panel), dst)
	DECQ(n)
	JNZ(LabelRef("row"))
	leave()
}
