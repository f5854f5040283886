package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const (
	tileRows = 6  // rows of a tile of AVX2: 12 accumulators, 2 vectors of b and 1 broadcast fill the 16 registers
	unroll   = 4  // steps of the sum per iteration
	panel    = 16 // columns of a panel
)

// perPanel is the number of registers of a row of a panel.
func perPanel() int { return panel / lanes() }

// rowOf are the registers of one row of panels of b, ld bytes apart: up to three with ld alone, a fourth with ld3.
func rowOf(panels int, b, ld, ld3 reg.Register, disp int) []Mem {
	var row []Mem
	for p := 0; p < panels; p++ {
		m := Mem{Base: b, Disp: disp}
		switch p {
		case 1, 2:
			m.Index, m.Scale = ld, uint8(p)
		case 3:
			m.Index, m.Scale = ld3, 1
		}
		for h := 0; h < perPanel(); h++ {
			row = append(row, m.Offset(simd().bytes*h))
		}
	}
	return row
}

// step is one step of the sum: acc[i][j] += a[i]·b[j].
func step(a, b []Mem, acc []reg.VecVirtual) {
	row := vectors(len(b))
	for j, m := range b {
		VMOVUPS(m, row[j])
	}
	for i, m := range a {
		if len(b) == 1 && simd().bytes == 64 {
			VFMADD231PS_BCST(m, row[0], acc[i])
			continue
		}
		x := vector()
		VBROADCASTSS(m, x)
		for j, v := range row {
			VFMADD231PS(x, v, acc[i*len(b)+j])
		}
	}
}

// gemm: the address of a row of A and of C comes from a table, so that convolutions need no copy of their input. The
// sum is one chain of FMAs per element: its order is taps, then k.
func gemm(panels int, masked bool) {
	name := fmt.Sprintf("gemm%d", panels)
	if masked {
		name = "gemmMasked"
	}
	signature := "func(taps, kc int, a **float32, lda, aoff int, b *float32, ldb int, c **float32, coff, tiles int" +
		", add bool"
	if masked {
		signature += ", mask *float32"
	}
	name = kernel(name, signature+")")
	Doc(fmt.Sprintf("%s runs tiles of 6 rows by %d·16 columns. Row r of the tiles reads kc elements at", name, panels),
		"a[t·lda+r]+aoff for each tap t and writes at c[r]+coff, adding to what is there with add. A panel of b is",
		"[taps][kc][16], and they are ldb apart.")
	if masked {
		Doc(name+" is gemm1 for the columns whose mask has the sign bit set; the others are not touched.",
			"mask has 16 elements.")
	}
	ap, cp, tiles := arg("a"), arg("c"), arg("tiles")
	t := newTile(panels)
	taps, tap := GP64(), GP64()
	Label("tile")
	clearAll(t.acc)
	Load(Param("b"), t.b)
	Load(Param("taps"), taps)
	MOVQ(ap, tap)
	Label("tap")
	t.sum(tap)
	DECQ(taps)
	JNZ(LabelRef("tap"))

	storeTile(t.acc, t.rows, cp, masked)
	ADDQ(Imm(8*tileRows), ap)
	ADDQ(Imm(8*tileRows), cp)
	DECQ(tiles)
	JNZ(LabelRef("tile"))
	leave()
}

// tile is what the sum of one holds in registers.
type tile struct {
	panels       int
	acc          []reg.VecVirtual
	rows         []reg.GPVirtual // where the rows of a are
	b, ldb, ldb3 reg.Register
	k            reg.GPVirtual
}

func newTile(panels int) tile {
	t := tile{panels: panels, acc: vectors(tileRows * panels * perPanel()), rows: pointers(tileRows), b: GP64(), k: GP64()}
	if panels > 1 {
		t.ldb = bytes("ldb")
	}
	if panels > 3 {
		t.ldb3 = GP64()
		LEAQ(Mem{Base: t.ldb, Index: t.ldb, Scale: 2}, t.ldb3)
	}
	return t
}

// sum adds the products of one tap, whose row addresses are at tap, and moves tap to those of the next.
func (t tile) sum(tap reg.GPVirtual) {
	Load(Param("aoff"), t.k)
	for i, row := range t.rows {
		MOVQ(Mem{Base: tap, Disp: 8 * i}, row)
		LEAQ(Mem{Base: row, Index: t.k, Scale: 4}, row)
	}
	Load(Param("lda"), t.k)
	LEAQ(Mem{Base: tap, Index: t.k, Scale: 8}, tap)
	Load(Param("kc"), t.k)
	SHRQ(Imm(2), t.k)
	JZ(LabelRef("rest"))
	Label("k4")
	t.steps(unroll)
	DECQ(t.k)
	JNZ(LabelRef("k4"))
	Label("rest")
	Load(Param("kc"), t.k)
	ANDQ(Imm(unroll-1), t.k)
	JZ(LabelRef("tapend"))
	Label("k1")
	t.steps(1)
	DECQ(t.k)
	JNZ(LabelRef("k1"))
	Label("tapend")
}

// steps does n steps of k and moves the pointers on.
func (t tile) steps(n int) {
	for u := 0; u < n; u++ {
		a := make([]Mem, tileRows)
		for i, row := range t.rows {
			a[i] = Mem{Base: row, Disp: 4 * u}
		}
		step(a, rowOf(t.panels, t.b, t.ldb, t.ldb3, 4*panel*u), t.acc)
	}
	for _, row := range t.rows {
		ADDQ(Imm(uint64(4*n)), row)
	}
	ADDQ(U32(uint32(4*panel*n)), t.b)
}

// pointers returns n fresh registers.
func pointers(n int) []reg.GPVirtual {
	p := make([]reg.GPVirtual, n)
	for i := range p {
		p[i] = GP64()
	}
	return p
}

// storeTile writes the accumulators to the rows of c, adding with add.
func storeTile(acc []reg.VecVirtual, rows []reg.GPVirtual, cp reg.Register, masked bool) {
	off := GP64()
	Load(Param("coff"), off)
	for i := range rows {
		MOVQ(Mem{Base: cp, Disp: 8 * i}, rows[i])
		LEAQ(Mem{Base: rows[i], Index: off, Scale: 4}, rows[i])
	}
	var some *columns
	if masked {
		some = loadColumns()
	}
	n := len(acc) / len(rows)
	add := GP8()
	Load(Param("add"), add)
	TESTB(add, add)
	JZ(LabelRef("store"))
	for i, v := range acc {
		some.add(Mem{Base: rows[i/n], Disp: simd().bytes * (i % n)}, v, i%n)
	}
	Label("store")
	for i, v := range acc {
		some.store(v, Mem{Base: rows[i/n], Disp: simd().bytes * (i % n)}, i%n)
	}
}

// columns are those of a panel that are written; nil is all.
type columns struct {
	mask []reg.VecVirtual // with AVX2
	k    reg.OpmaskVirtual
}

func loadColumns() *columns {
	m := arg("mask")
	if simd().bytes == 64 {
		v, k := vector(), K()
		VMOVUPS(Mem{Base: m}, v)
		VPMOVD2M(v, k)
		return &columns{k: k}
	}
	c := &columns{mask: vectors(perPanel())}
	for h, v := range c.mask {
		VMOVUPS(Mem{Base: m, Disp: simd().bytes * h}, v)
	}
	return c
}

// add adds what is at m to register h of a row.
func (c *columns) add(m Mem, v reg.VecVirtual, h int) {
	switch {
	case c == nil:
		VADDPS(m, v, v)
	case simd().bytes == 64:
		VADDPS(m, v, c.k, v)
	default:
		x := vector()
		VMASKMOVPS(m, c.mask[h], x)
		VADDPS(x, v, v)
	}
}

func (c *columns) store(v reg.VecVirtual, m Mem, h int) {
	switch {
	case c == nil:
		VMOVUPS(v, m)
	case simd().bytes == 64:
		VMOVUPS(v, c.k, m)
	default:
		VMASKMOVPS(v, c.mask[h], m)
	}
}

// outer is the kernel of backward-weights: the summed dimension is the pixels. Rows divide the 16 of a panel, and fill
// the registers: with AVX2 4 rows of one panel need eight accumulators, just enough to keep two units of four cycles
// busy; with AVX-512 8 rows of three panels need 24.
func outer(rows, panels int) {
	const quad = 4
	name := kernel(fmt.Sprintf("outer%d", panels),
		"func(px int, a *float32, lda int, b *float32, ldb int, c *float32, ldc, quads int, add bool)")
	Doc(name+" multiplies panels: c[i][j] = Σ_p a[i/16·lda+16·p+i%16]·b[p][j], adding to what is there with add,",
		fmt.Sprintf("for %d times a panel of b [px][16] and of c [quads][4][16], ldb and ldc apart. px is", panels),
		fmt.Sprintf("a positive multiple of 4, quads of %d.", rows/quad))
	c, lda, first, quads := arg("c"), bytes("lda"), arg("a"), arg("quads")
	var ldb, ldc reg.Register
	if panels > 1 {
		ldb, ldc = bytes("ldb"), bytes("ldc")
	}
	n := panels * perPanel()
	acc := vectors(rows * n)
	a, b, px, left := GP64(), GP64(), GP64(), GP64()
	Label("panel")
	MOVQ(U64(uint64(panel/rows)), left)
	Label("rows")
	clearAll(acc)
	MOVQ(first, a)
	Load(Param("b"), b)
	Load(Param("px"), px)
	Label("px4")
	for u := 0; u < unroll; u++ {
		row := make([]Mem, rows)
		for i := range row {
			row[i] = Mem{Base: a, Disp: 4 * (panel*u + i)}
		}
		step(row, rowOf(panels, b, ldb, nil, 4*panel*u), acc)
	}
	ADDQ(U32(4*panel*unroll), a)
	ADDQ(U32(4*panel*unroll), b)
	SUBQ(Imm(unroll), px)
	JNZ(LabelRef("px4"))
	add := GP8()
	Load(Param("add"), add)
	TESTB(add, add)
	JZ(LabelRef("store"))
	for i := 0; i < rows; i++ {
		for j, m := range rowOf(panels, c, ldc, nil, 4*panel*i) {
			VADDPS(m, acc[i*n+j], acc[i*n+j])
		}
	}
	Label("store")
	for i := 0; i < rows; i++ {
		for j, m := range rowOf(panels, c, ldc, nil, 4*panel*i) {
			VMOVUPS(acc[i*n+j], m)
		}
	}
	ADDQ(U32(uint32(4*rows*panel)), c)
	ADDQ(Imm(uint64(4*rows)), first)
	SUBQ(Imm(uint64(rows/quad)), quads)
	JZ(LabelRef("done"))
	DECQ(left)
	JNZ(LabelRef("rows"))
	LEAQ(Mem{Base: first, Index: lda, Scale: 1, Disp: -4 * panel}, first)
	JMP(LabelRef("panel"))
	Label("done")
	leave()
}

// gatherRows packs the other operand of outer.
func gatherRows() {
	name := kernel("gatherRowsFull", "func(rows, panels int, a **float32, aoff int, dst *float32, ldp int)")
	Doc(name+" copies 16 elements of each row to each panel: dst[p·ldp+16·r:][0:16] = a[r][aoff+16·p:][0:16];",
		"rows and panels are positive.")
	n, table, off, dst, ldp := arg("rows"), arg("a"), bytes("aoff"), arg("dst"), bytes("ldp")
	from, to, p := GP64(), GP64(), GP64()
	v := vectors(perPanel())
	Label("row")
	MOVQ(Mem{Base: table}, from)
	ADDQ(off, from)
	MOVQ(dst, to)
	Load(Param("panels"), p)
	Label("panel")
	copyVectors(v, from, to)
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
