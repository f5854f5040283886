package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The kernels of batch norm run over a block of rows. Sums of 1, 2 or 4 registers of columns stay there; those of wider
// rows stay in the first-level cache, because the prefetchers lose their way when rows are visited in strips. Each
// column is one chain of additions in row order, whatever the kernel.

// sums holds the accumulators of two sums of count registers of columns, from memory to memory.
type sums struct {
	first, second reg.Register
	a, b          []reg.VecVirtual
}

func loadSums(count int, first, second string) sums {
	s := sums{arg(first), arg(second), vectors(count), vectors(count)}
	for i := range s.a {
		VMOVUPS(Mem{Base: s.first, Disp: simd().bytes * i}, s.a[i])
		VMOVUPS(Mem{Base: s.second, Disp: simd().bytes * i}, s.b[i])
	}
	return s
}

func (s sums) store() {
	for i := range s.a {
		VMOVUPS(s.a[i], Mem{Base: s.first, Disp: simd().bytes * i})
		VMOVUPS(s.b[i], Mem{Base: s.second, Disp: simd().bytes * i})
	}
}

func colSums(count int) {
	name := kernel(fmt.Sprintf("colSums%d", count), "func(rows, stride int, x, sum, square *float32)")
	Doc(fmt.Sprintf("%s adds to sum and square Σ x and Σ x² over rows of %d columns; rows is positive.", name,
		count*lanes()))
	n, stride, x := arg("rows"), bytes("stride"), arg("x")
	acc := loadSums(count, "sum", "square")
	Label("row")
	for i := range acc.a {
		v := vector()
		VMOVUPS(Mem{Base: x, Disp: simd().bytes * i}, v)
		VADDPS(v, acc.a[i], acc.a[i])
		VFMADD231PS(v, v, acc.b[i])
	}
	ADDQ(stride, x)
	DECQ(n)
	JNZ(LabelRef("row"))
	acc.store()
	leave()
}

// gate says where a gradient passes the ReLU behind a batch norm.
type gate int

const (
	open   gate = iota // everywhere
	masked             // where y > 0
	gated              // where (x−mean)·scale + shift > 0, computed as normalize does
)

// gates are all of them.
var gates = []gate{open, masked, gated}

// gateArguments are those of a kernel with any gate.
const gateArguments = "dy, x, y, scale, shift"

// suffix is part of a kernel's name, formula of its comment.
func (g gate) suffix() string { return [...]string{"", "Masked", "Gated"}[g] }
func (g gate) formula() string {
	return [...]string{"g = dy", "g = dy where y > 0, else 0", "g = dy where (x−mean)·scale + shift > 0, else 0"}[g]
}

// gradient holds the operands that every backward kernel reads.
type gradient struct {
	gate
	dy, x, y, mean, scale, shift reg.Register
	zero                         reg.VecVirtual
}

func loadGradient(g gate) gradient {
	o := gradient{gate: g, dy: arg("dy"), x: arg("x"), mean: arg("mean")}
	switch g {
	case masked:
		o.y = arg("y")
	case gated:
		o.scale, o.shift = arg("scale"), arg("shift")
	}
	if g != open {
		o.zero = zeros()
	}
	return o
}

// rows are the pointers that step from row to row.
func (o gradient) rows() []reg.Register {
	if o.gate == masked {
		return []reg.Register{o.dy, o.x, o.y}
	}
	return []reg.Register{o.dy, o.x}
}

// load returns g and x−mean of a vector: row finds it behind the pointers with rows, column behind the others.
func (o gradient) load(row, column place) (g, d reg.VecVirtual) {
	g, d = vector(), vector()
	VMOVUPS(row(o.x), d)
	VSUBPS(column(o.mean), d, d)
	VMOVUPS(row(o.dy), g)
	switch o.gate {
	case masked:
		keepPositive(row(o.y), o.zero, g)
	case gated:
		t := vector()
		VMOVUPS(column(o.scale), t)
		VFMADD213PS(column(o.shift), d, t)
		keepPositive(t, o.zero, g)
	}
	return g, d
}

func gradSums(count int, gate gate) {
	name := kernel(fmt.Sprintf("gradSums%s%d", gate.suffix(), count),
		"func(rows, stride int, "+gateArguments+", mean, sum, dot *float32)")
	Doc(fmt.Sprintf("%s adds to sum and dot Σ g and Σ g·(x−mean) over rows of %d columns,", name, count*lanes()),
		fmt.Sprintf("%s; rows is positive.", gate.formula()))
	n, stride, o := arg("rows"), bytes("stride"), loadGradient(gate)
	acc := loadSums(count, "sum", "dot")
	Label("row")
	for i := range acc.a {
		here := func(base reg.Register) Mem { return Mem{Base: base, Disp: simd().bytes * i} }
		g, d := o.load(here, here)
		VADDPS(g, acc.a[i], acc.a[i])
		VFMADD231PS(g, d, acc.b[i])
	}
	for _, p := range o.rows() {
		ADDQ(stride, p)
	}
	DECQ(n)
	JNZ(LabelRef("row"))
	acc.store()
	leave()
}

// colSumsWide and gradSumsWide are the same sums for any width. With quads they take four rows at a time, which
// reads and writes the sums once for four rows, but is slower for rows so long that the prefetchers lose their way.
func colSumsWide(quads bool) {
	name, count := wideName("colSums", quads)
	name = kernel(name, "func("+count+", cols, stride int, x, sum, square *float32)")
	Doc(name+" adds to sum and square Σ x and Σ x² over rows of cols columns; "+count+" and cols are positive,",
		"cols is a multiple of the lanes.")
	x, sum, square := arg("x"), arg("sum"), arg("square")
	eachOf(quads, []reg.Register{x}, func(i reg.Register, rows []place) {
		a, b := vector(), vector()
		VMOVUPS(at(sum, i), a)
		VMOVUPS(at(square, i), b)
		for _, row := range rows {
			v := vector()
			VMOVUPS(row(x), v)
			VADDPS(v, a, a)
			VFMADD231PS(v, v, b)
		}
		VMOVUPS(a, at(sum, i))
		VMOVUPS(b, at(square, i))
	})
	leave()
}

func gradSumsWide(gate gate, quads bool) {
	name, count := wideName("gradSums"+gate.suffix(), quads)
	name = kernel(name, "func("+count+", cols, stride int, "+gateArguments+", mean, sum, dot *float32)")
	Doc(name+" adds to sum and dot Σ g and Σ g·(x−mean) over rows of cols columns,",
		gate.formula()+"; "+count+" and cols are positive, cols is a multiple of the lanes.")
	o, sum, dot := loadGradient(gate), arg("sum"), arg("dot")
	eachOf(quads, o.rows(), func(i reg.Register, rows []place) {
		a, b := vector(), vector()
		VMOVUPS(at(sum, i), a)
		VMOVUPS(at(dot, i), b)
		for _, row := range rows {
			g, d := o.load(row, func(base reg.Register) Mem { return at(base, i) })
			VADDPS(g, a, a)
			VFMADD231PS(g, d, b)
		}
		VMOVUPS(a, at(sum, i))
		VMOVUPS(b, at(dot, i))
	})
	leave()
}

// wideName is the name of a kernel for wide rows, and of the parameter that counts rows or groups of four.
func wideName(base string, quads bool) (name, count string) {
	if quads {
		return base + "Quads", "quads"
	}
	return base + "Wide", "rows"
}

// eachOf runs body over rows or groups of four rows, and tells it where their vectors are.
func eachOf(quads bool, pointers []reg.Register, body func(i reg.Register, rows []place)) {
	if quads {
		eachQuad(pointers, body)
		return
	}
	eachRow(pointers, func(i reg.Register) {
		body(i, []place{func(base reg.Register) Mem { return at(base, i) }})
	})
}

// place finds a vector behind a pointer.
type place func(base reg.Register) Mem

// eachQuad runs body over groups of four rows, a register of columns at a time. body gets the byte offset in the row,
// for operands with columns alone, and where the vectors of the four rows are, behind one of the pointers.
func eachQuad(pointers []reg.Register, body func(i reg.Register, rows []place)) {
	n, cols, stride, i, three := arg("quads"), bytes("cols"), bytes("stride"), GP64(), GP64()
	LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, three)
	Label("quad")
	XORQ(i, i)
	Label("column")
	body(i, []place{
		func(base reg.Register) Mem { return Mem{Base: base} },
		func(base reg.Register) Mem { return Mem{Base: base, Index: stride, Scale: 1} },
		func(base reg.Register) Mem { return Mem{Base: base, Index: stride, Scale: 2} },
		func(base reg.Register) Mem { return Mem{Base: base, Index: three, Scale: 1} },
	})
	for _, p := range pointers {
		ADDQ(Imm(uint64(simd().bytes)), p)
	}
	ADDQ(Imm(uint64(simd().bytes)), i)
	CMPQ(i, cols)
	JLT(LabelRef("column"))
	for _, p := range pointers {
		SUBQ(cols, p)
		LEAQ(Mem{Base: p, Index: stride, Scale: 4}, p)
	}
	DECQ(n)
	JNZ(LabelRef("quad"))
}

// eachRow runs body over a block of rows, a register of columns at a time, and steps the pointers to the next row.
// body gets the byte offset within the row.
func eachRow(pointers []reg.Register, body func(i reg.Register)) {
	n, cols, stride, i := arg("rows"), bytes("cols"), bytes("stride"), GP64()
	Label("row")
	XORQ(i, i)
	Label("column")
	body(i)
	ADDQ(Imm(uint64(simd().bytes)), i)
	CMPQ(i, cols)
	JLT(LabelRef("column"))
	for _, p := range pointers {
		ADDQ(stride, p)
	}
	DECQ(n)
	JNZ(LabelRef("row"))
}

// stream says that a result goes past the caches: the next reader comes when it would have been evicted, and the
// memory need not be read before it is written.
type stream bool

func (s stream) suffix() string {
	if s {
		return "Past"
	}
	return ""
}

func (s stream) note() string {
	if s {
		return " Its stores bypass the caches; the result is aligned to a register, stride is a multiple of the lanes."
	}
	return ""
}

func (s stream) store(v reg.VecVirtual, m Mem) {
	if s {
		VMOVNTPS(v, m)
		return
	}
	VMOVUPS(v, m)
}

// end orders stores past the caches before what follows.
func (s stream) end() {
	if s {
		SFENCE()
	}
	leave()
}

func normalize(residual, relu bool, past stream) {
	name, formula := "normalize", "(x−mean)·scale + shift"
	if residual {
		name, formula = name+"Add", formula+" + residual"
	}
	if relu {
		name, formula = name+"ReLU", "max("+formula+", 0)"
	}
	name = kernel(name+past.suffix(), "func(rows, cols, stride int, x, residual, y, mean, scale, shift *float32)")
	Doc(name+" writes y = "+formula+"; rows and cols are positive, cols is a multiple of the lanes.",
		"mean, scale and shift have cols elements."+past.note())
	x, y, mean, scale, shift := arg("x"), arg("y"), arg("mean"), arg("scale"), arg("shift")
	pointers := []reg.Register{x, y}
	var res reg.Register
	if residual {
		res = arg("residual")
		pointers = append(pointers, res)
	}
	var zero reg.VecVirtual
	if relu {
		zero = zeros()
	}
	eachRow(pointers, func(i reg.Register) {
		v, s := vector(), vector()
		VMOVUPS(at(x, i), v)
		VSUBPS(at(mean, i), v, v)
		VMOVUPS(at(scale, i), s)
		VFMADD213PS(at(shift, i), s, v)
		if residual {
			VADDPS(at(res, i), v, v)
		}
		if relu {
			VMAXPS(v, zero, v) // in this order a NaN stays a NaN
		}
		past.store(v, at(y, i))
	})
	past.end()
}

func gradApply(gate gate, past stream) {
	name := kernel("gradApply"+gate.suffix()+past.suffix(),
		"func(rows, cols, stride int, "+gateArguments+", dx, mean, ka, kb, kd *float32)")
	Doc(name+" writes dx = ka·g + kb·(x−mean) + kd, "+gate.formula()+"; rows and cols are",
		"positive, cols is a multiple of the lanes. dx may be dy or x. mean, ka, kb and kd have cols elements."+past.note())
	o, dx, ka, kb, kd := loadGradient(gate), arg("dx"), arg("ka"), arg("kb"), arg("kd")
	eachRow(append(o.rows(), dx), func(i reg.Register) {
		here := func(base reg.Register) Mem { return at(base, i) }
		g, d := o.load(here, here)
		r := vector()
		VMOVUPS(at(kd, i), r)
		VFMADD231PS(at(kb, i), d, r)
		VFMADD231PS(at(ka, i), g, r)
		past.store(r, at(dx, i))
	})
	past.end()
}

func addRows() {
	name := kernel("addRowsFull", "func(rows, cols, stride int, y, bias *float32)")
	Doc(name + " adds bias to each row of y; rows and cols are positive, cols is a multiple of the lanes.")
	y, bias := arg("y"), arg("bias")
	eachRow([]reg.Register{y}, func(i reg.Register) {
		v := vector()
		VMOVUPS(at(y, i), v)
		VADDPS(at(bias, i), v, v)
		VMOVUPS(v, at(y, i))
	})
	leave()
}
