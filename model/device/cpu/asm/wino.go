package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The transforms of Winograd's F(4×4, 3×3) (Lavin and Gray 2016, section 4.2; interpolation points 0, ±1, ±2, ∞). A
// two-dimensional transform is the one-dimensional one over the columns, then over the rows of what that gave; each
// lane is a channel.

// transform is one of them: side in × side in elements become side out × side out.
type transform struct {
	name, doc string
	in, out   int
	// fromTable and toTable: element (r, c) is where table[r·ld+c] points; otherwise it is at position r·side+c, so
	// many elements after the first.
	fromTable, toTable bool
	factors            []float32 // of the line, in all lanes of a register each
	line               func(k, v []reg.VecVirtual) []reg.VecVirtual
}

// filterFactors are those of G.
var filterFactors = []float32{1. / 4, 1. / 6, 1. / 12, 1. / 24}

func winograd() {
	for _, t := range []transform{
		{name: "winoInput", in: 6, out: 6, fromTable: true, factors: []float32{4, 2}, line: inputLine,
			doc: "Bᵀ·d·B of 6×6 elements d of the input"},
		{name: "winoOutput", in: 6, out: 4, toTable: true, factors: []float32{2, 4, 8}, line: outputLine,
			doc: "Aᵀ·m·A, 4×4 elements of the output"},
		{name: "winoGrad", in: 4, out: 6, fromTable: true, factors: []float32{4, 2}, line: gradLine,
			doc: "A·dy·Aᵀ of 4×4 elements dy of the output's gradient"},
		{name: "winoFilter", in: 3, out: 6, factors: filterFactors, line: filterLine, doc: "G·g·Gᵀ of a filter g"},
		{name: "winoFilterGrad", in: 6, out: 3, factors: filterFactors, line: filterGradLine,
			doc: "Gᵀ·u·G, the gradient of a filter"},
	} {
		t.emit()
	}
}

// emit writes the kernel. Off counts the bytes of the channels that are done.
func (t transform) emit() {
	input, output := "in *float32, inStride", "out *float32, outStride"
	if t.fromTable {
		input = "in **float32, ldin"
	}
	if t.toTable {
		output = "out **float32, ldout"
	}
	if t.fromTable {
		output += ", panel"
	}
	t.name += simd().suffix
	TEXT(t.name, 0, "func(steps int, "+input+" int, "+output+" int)") // its frame is too large for NOSPLIT
	Pragma("noescape")
	t.document()
	frame, base := AllocLocal(simd().bytes*(t.out*t.in+1)), GP64()
	LEAQ(frame.Offset(simd().bytes-1), base)
	ANDQ(I32(int32(-simd().bytes)), base) // so that no vector crosses a cache line
	tmp := Mem{Base: base}
	k := vectors(len(t.factors))
	for i, f := range t.factors {
		bits := U32(math.Float32bits(f)) // avo would write 4 and not 4.0
		VBROADCASTSS(ConstData(fmt.Sprintf("%sFactor%d", t.name, i), bits), k[i])
	}
	n, off := arg("steps"), GP64()
	XORQ(off, off)
	Label("step")
	for c := 0; c < t.in; c++ {
		column := t.load(c, off)
		for i, v := range t.line(k, column) {
			VMOVUPS(v, tmp.Offset(simd().bytes*(i*t.in+c)))
		}
	}
	t.rows(k, tmp, off)
	ADDQ(Imm(uint64(simd().bytes)), off)
	if t.fromTable {
		t.nextPanel(off)
	}
	DECQ(n)
	JNZ(LabelRef("step"))
	leave()
}

func (t transform) document() {
	where := "from positions inStride apart"
	if t.fromTable {
		where = "from in[r·ldin+c]"
	}
	to := "to positions outStride apart"
	if t.toTable {
		to = "to out[r·ldout+c]"
	}
	lines := []string{fmt.Sprintf("%s writes %s, for %d·steps channels,", t.name, t.doc, lanes()), where + " " + to + "."}
	if t.fromTable {
		lines = append(lines, "After each 16 channels the output goes on panel elements after where these began.")
	}
	Doc(lines...)
}

// load reads column c of the operand.
func (t transform) load(c int, off reg.Register) []reg.VecVirtual {
	v := vectors(t.in)
	if t.fromTable {
		table, ld, at := arg("in"), arg("ldin"), GP64()
		for r := range v {
			MOVQ(Mem{Base: table, Disp: 8 * c}, at)
			VMOVUPS(Mem{Base: at, Index: off, Scale: 1}, v[r])
			if r+1 < t.in {
				LEAQ(Mem{Base: table, Index: ld, Scale: 8}, table)
			}
		}
		return v
	}
	at, stride := arg("in"), bytes("inStride")
	ADDQ(off, at)
	for range c {
		ADDQ(stride, at)
	}
	if t.in == 6 {
		LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, stride)
		ADDQ(stride, stride)
	} else {
		LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, stride)
	}
	for r := range v {
		VMOVUPS(Mem{Base: at}, v[r])
		if r+1 < t.in {
			ADDQ(stride, at)
		}
	}
	return v
}

// rows transforms the rows of tmp and stores them.
func (t transform) rows(k []reg.VecVirtual, tmp Mem, off reg.Register) {
	out, step := arg("out"), GP64()
	if t.toTable {
		Load(Param("ldout"), step)
	} else {
		Load(Param("outStride"), step)
		SHLQ(Imm(2), step)
		ADDQ(off, out)
	}
	for r := 0; r < t.out; r++ {
		v := vectors(t.in)
		for i := range v {
			VMOVUPS(tmp.Offset(simd().bytes*(r*t.in+i)), v[i])
		}
		for c, x := range t.line(k, v) {
			if t.toTable {
				at := GP64()
				MOVQ(Mem{Base: out, Disp: 8 * c}, at)
				VMOVUPS(x, Mem{Base: at, Index: off, Scale: 1})
				continue
			}
			VMOVUPS(x, Mem{Base: out})
			ADDQ(step, out)
		}
		if t.toTable {
			LEAQ(Mem{Base: out, Index: step, Scale: 8}, out)
		}
	}
}

// nextPanel moves the output on when 16 channels are done. Off goes on by 64 bytes with them, so the output only
// has to make up for the rest of the panel.
func (t transform) nextPanel(off reg.Register) {
	if simd().bytes == 32 {
		TESTQ(U32(32), off)
		JNZ(LabelRef("samepanel"))
	}
	out, skip := arg("out"), bytes("panel")
	LEAQ(Mem{Base: out, Index: skip, Scale: 1, Disp: -64}, out)
	Store(out, Param("out"))
	Label("samepanel")
}

// difference and sum return a−b and a+b.
func difference(a, b reg.VecVirtual) reg.VecVirtual {
	v := vector()
	VSUBPS(b, a, v)
	return v
}

func sum(a, b reg.VecVirtual) reg.VecVirtual {
	v := vector()
	VADDPS(a, b, v)
	return v
}

// plus returns a + k·b, minus a − k·b, in one rounding.
func plus(a, k, b reg.VecVirtual) reg.VecVirtual {
	v := vector()
	VMOVAPS(a, v)
	VFMADD231PS(k, b, v)
	return v
}

func minus(a, k, b reg.VecVirtual) reg.VecVirtual {
	v := vector()
	VMOVAPS(a, v)
	VFNMADD231PS(k, b, v)
	return v
}

func scaled(k, a reg.VecVirtual) reg.VecVirtual {
	v := vector()
	VMULPS(k, a, v)
	return v
}

// inputLine is Bᵀ.
func inputLine(k, d []reg.VecVirtual) []reg.VecVirtual {
	four, two := k[0], k[1]
	a, b := minus(d[4], four, d[2]), minus(d[3], four, d[1])
	e, g := difference(d[4], d[2]), difference(d[3], d[1])
	first, last := difference(d[0], d[2]), difference(d[5], d[3])
	return []reg.VecVirtual{plus(e, four, first), sum(a, b), difference(a, b), plus(e, two, g), minus(e, two, g),
		minus(last, four, g)}
}

// outputLine is Aᵀ.
func outputLine(k, m []reg.VecVirtual) []reg.VecVirtual {
	two, four, eight := k[0], k[1], k[2]
	s, d := sum(m[1], m[2]), difference(m[1], m[2])
	t, e := sum(m[3], m[4]), difference(m[3], m[4])
	return []reg.VecVirtual{sum(sum(m[0], s), t), plus(d, two, e), plus(s, four, t), plus(sum(d, m[5]), eight, e)}
}

// gradLine is A.
func gradLine(k, y []reg.VecVirtual) []reg.VecVirtual {
	four, two := k[0], k[1]
	a, b := sum(y[0], y[2]), sum(y[1], y[3])
	e, g := plus(y[0], four, y[2]), scaled(two, plus(y[1], four, y[3]))
	return []reg.VecVirtual{y[0], sum(a, b), difference(a, b), sum(e, g), difference(e, g), y[3]}
}

// filterLine is G.
func filterLine(k, g []reg.VecVirtual) []reg.VecVirtual {
	quarter, sixth, twelfth, twentyFourth := k[0], k[1], k[2], k[3]
	zero := zeros()
	a, b := minus(zero, sixth, sum(g[0], g[2])), scaled(sixth, g[1])
	c, d := plus(scaled(twentyFourth, g[0]), sixth, g[2]), scaled(twelfth, g[1])
	return []reg.VecVirtual{scaled(quarter, g[0]), difference(a, b), sum(a, b), sum(c, d), difference(c, d), g[2]}
}

// filterGradLine is Gᵀ.
func filterGradLine(k, u []reg.VecVirtual) []reg.VecVirtual {
	quarter, sixth, twelfth, twentyFourth := k[0], k[1], k[2], k[3]
	s, t := sum(u[1], u[2]), sum(u[3], u[4])
	first := plus(minus(scaled(quarter, u[0]), sixth, s), twentyFourth, t)
	middle := plus(scaled(sixth, difference(u[2], u[1])), twelfth, difference(u[3], u[4]))
	return []reg.VecVirtual{first, middle, plus(u[5], sixth, difference(t, s))}
}
