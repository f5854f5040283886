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

// outer is the kernel of backward-weights: the summed dimension is the pixels.
func outer() {
	kernel("outerFull", "func(px int, a **float32, aoff int, b, c *float32, tiles int, add bool)")
	Doc("outerFull runs tiles of 6 by 16: c[tile][i][j] = Σ_p a[p][aoff+6·tile+i] · b[p][j], adding to what is there",
		"with add. a is a table of px rows, b is [px][16], c is [tiles][6][16]; px is a positive multiple of 4.")
	off, c, tiles := bytes("aoff"), arg("c"), arg("tiles")
	acc := vectors(2 * tileRows)
	tab, b, n := GP64(), GP64(), GP64()
	Label("tile")
	clearAll(acc)
	Load(Param("a"), tab)
	Load(Param("b"), b)
	Load(Param("px"), n)
	Label("px4")
	for u := 0; u < unroll; u++ {
		r := GP64()
		MOVQ(Mem{Base: tab, Disp: 8 * u}, r)
		step(func(i int) Mem { return Mem{Base: r, Index: off, Scale: 1, Disp: 4 * i} }, b, u, acc)
	}
	ADDQ(Imm(8*unroll), tab)
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
	ADDQ(U32(4*tileRows*panel), c)
	ADDQ(Imm(4*tileRows), off)
	DECQ(tiles)
	JNZ(LabelRef("tile"))
	leave()
}
