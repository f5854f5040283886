package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The kernels of batch norm run over a block of rows. Sums of 8, 16 or 32 columns stay in registers; those of wider
// rows stay in the first-level cache, because the prefetchers lose their way when rows are visited in strips. Each
// column is one chain of additions in row order, whatever the kernel.

// sums holds the accumulators of two sums of width columns, from memory to memory.
type sums struct {
	first, second reg.Register
	a, b          []reg.VecVirtual
}

func loadSums(width int, first, second string) sums {
	s := sums{arg(first), arg(second), vectors(width / 8), vectors(width / 8)}
	for i := range s.a {
		VMOVUPS(Mem{Base: s.first, Disp: 32 * i}, s.a[i])
		VMOVUPS(Mem{Base: s.second, Disp: 32 * i}, s.b[i])
	}
	return s
}

func (s sums) store() {
	for i := range s.a {
		VMOVUPS(s.a[i], Mem{Base: s.first, Disp: 32 * i})
		VMOVUPS(s.b[i], Mem{Base: s.second, Disp: 32 * i})
	}
}

func colSums(width int) {
	name := fmt.Sprintf("colSums%d", width)
	kernel(name, "func(rows, stride int, x, sum, square *float32)")
	Doc(fmt.Sprintf("%s adds to sum and square Σ x and Σ x² over rows of %d columns; rows is positive.", name, width))
	n, stride, x := arg("rows"), bytes("stride"), arg("x")
	acc := loadSums(width, "sum", "square")
	Label("row")
	for i := range acc.a {
		v := YMM()
		VMOVUPS(Mem{Base: x, Disp: 32 * i}, v)
		VADDPS(v, acc.a[i], acc.a[i])
		VFMADD231PS(v, v, acc.b[i])
	}
	ADDQ(stride, x)
	DECQ(n)
	JNZ(LabelRef("row"))
	acc.store()
	leave()
}

func gradSums(width int, masked bool) {
	name, signature := fmt.Sprintf("gradSums%d", width), "func(rows, stride int, dy, x"
	formula := "g = dy"
	if masked {
		name, signature = fmt.Sprintf("gradSumsMasked%d", width), signature+", y"
		formula = "g = dy where y > 0, else 0"
	}
	kernel(name, signature+", mean, sum, dot *float32)")
	Doc(fmt.Sprintf("%s adds to sum and dot Σ g and Σ g·(x−mean) over rows of %d columns,", name, width),
		fmt.Sprintf("%s; rows is positive.", formula))
	n, stride, dy, x, mean := arg("rows"), bytes("stride"), arg("dy"), arg("x"), arg("mean")
	var y reg.Register
	var zero reg.VecVirtual
	if masked {
		y, zero = arg("y"), zeros()
	}
	acc := loadSums(width, "sum", "dot")
	Label("row")
	for i := range acc.a {
		g, d := YMM(), YMM()
		VMOVUPS(Mem{Base: dy, Disp: 32 * i}, g)
		if masked {
			maskPositive(Mem{Base: y, Disp: 32 * i}, zero, g)
		}
		VMOVUPS(Mem{Base: x, Disp: 32 * i}, d)
		VSUBPS(Mem{Base: mean, Disp: 32 * i}, d, d)
		VADDPS(g, acc.a[i], acc.a[i])
		VFMADD231PS(g, d, acc.b[i])
	}
	ADDQ(stride, dy)
	ADDQ(stride, x)
	if masked {
		ADDQ(stride, y)
	}
	DECQ(n)
	JNZ(LabelRef("row"))
	acc.store()
	leave()
}

// colSumsWide and gradSumsWide are the same sums for any width.
func colSumsWide() {
	kernel("colSumsWide", "func(rows, cols, stride int, x, sum, square *float32)")
	Doc("colSumsWide adds to sum and square Σ x and Σ x² over rows of cols columns; rows and cols are positive,",
		"cols is a multiple of 8.")
	x, sum, square := arg("x"), arg("sum"), arg("square")
	eachRow([]reg.Register{x}, func(i reg.Register) {
		v, a, b := YMM(), YMM(), YMM()
		VMOVUPS(at(x, i, 0), v)
		VADDPS(at(sum, i, 0), v, a)
		VMOVUPS(at(square, i, 0), b)
		VFMADD231PS(v, v, b)
		VMOVUPS(a, at(sum, i, 0))
		VMOVUPS(b, at(square, i, 0))
	})
	leave()
}

func gradSumsWide(masked bool) {
	name, signature, formula := "gradSumsWide", "func(rows, cols, stride int, dy, x, ", "g = dy"
	if masked {
		name, signature, formula = "gradSumsMaskedWide", signature+"y, ", "g = dy where y > 0, else 0"
	}
	kernel(name, signature+"mean, sum, dot *float32)")
	Doc(name+" adds to sum and dot Σ g and Σ g·(x−mean) over rows of cols columns,",
		formula+"; rows and cols are positive, cols is a multiple of 8.")
	dy, x, mean, sum, dot := arg("dy"), arg("x"), arg("mean"), arg("sum"), arg("dot")
	pointers := []reg.Register{dy, x}
	var y reg.Register
	var zero reg.VecVirtual
	if masked {
		y, zero = arg("y"), zeros()
		pointers = append(pointers, y)
	}
	eachRow(pointers, func(i reg.Register) {
		g, d, a, b := YMM(), YMM(), YMM(), YMM()
		VMOVUPS(at(dy, i, 0), g)
		if masked {
			maskPositive(at(y, i, 0), zero, g)
		}
		VMOVUPS(at(x, i, 0), d)
		VSUBPS(at(mean, i, 0), d, d)
		VADDPS(at(sum, i, 0), g, a)
		VMOVUPS(at(dot, i, 0), b)
		VFMADD231PS(g, d, b)
		VMOVUPS(a, at(sum, i, 0))
		VMOVUPS(b, at(dot, i, 0))
	})
	leave()
}

// eachRow runs body over a block of rows, eight columns at a time, and steps the pointers to the next row.
// body gets the byte offset within the row.
func eachRow(pointers []reg.Register, body func(i reg.Register)) {
	n, cols, stride, i := arg("rows"), bytes("cols"), bytes("stride"), GP64()
	Label("row")
	XORQ(i, i)
	Label("column")
	body(i)
	ADDQ(Imm(32), i)
	CMPQ(i, cols)
	JLT(LabelRef("column"))
	for _, p := range pointers {
		ADDQ(stride, p)
	}
	DECQ(n)
	JNZ(LabelRef("row"))
}

func normalize(residual, relu bool) {
	name, signature, formula := "normalize", "func(rows, cols, stride int, x, ", "(x−mean)·scale + shift"
	if residual {
		name, signature, formula = name+"Add", signature+"residual, ", formula+" + residual"
	}
	if relu {
		name, formula = name+"ReLU", "max("+formula+", 0)"
	}
	kernel(name, signature+"y, mean, scale, shift *float32)")
	Doc(name+" writes y = "+formula+"; rows and cols are positive, cols is a multiple of 8.",
		"mean, scale and shift have cols elements.")
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
		v, s := YMM(), YMM()
		VMOVUPS(at(x, i, 0), v)
		VSUBPS(at(mean, i, 0), v, v)
		VMOVUPS(at(scale, i, 0), s)
		VFMADD213PS(at(shift, i, 0), s, v)
		if residual {
			VADDPS(at(res, i, 0), v, v)
		}
		if relu {
			VMAXPS(v, zero, v) // in this order a NaN stays a NaN
		}
		VMOVUPS(v, at(y, i, 0))
	})
	leave()
}

func gradApply(masked bool) {
	name, signature, formula := "gradApply", "func(rows, cols, stride int, dy, x, ", "g = dy"
	if masked {
		name, signature, formula = name+"Masked", signature+"y, ", "g = dy where y > 0, else 0"
	}
	kernel(name, signature+"dx, mean, ka, kb, kd *float32)")
	Doc(name+" writes dx = ka·g + kb·(x−mean) + kd, "+formula+"; rows and cols are positive, cols is a",
		"multiple of 8. dx may be dy. mean, ka, kb and kd have cols elements.")
	dy, x, dx := arg("dy"), arg("x"), arg("dx")
	mean, ka, kb, kd := arg("mean"), arg("ka"), arg("kb"), arg("kd")
	pointers := []reg.Register{dy, x, dx}
	var y reg.Register
	var zero reg.VecVirtual
	if masked {
		y, zero = arg("y"), zeros()
		pointers = append(pointers, y)
	}
	eachRow(pointers, func(i reg.Register) {
		g, d, r := YMM(), YMM(), YMM()
		VMOVUPS(at(dy, i, 0), g)
		if masked {
			maskPositive(at(y, i, 0), zero, g)
		}
		VMOVUPS(at(x, i, 0), d)
		VSUBPS(at(mean, i, 0), d, d)
		VMOVUPS(at(kd, i, 0), r)
		VFMADD231PS(at(kb, i, 0), d, r)
		VFMADD231PS(at(ka, i, 0), g, r)
		VMOVUPS(r, at(dx, i, 0))
	})
	leave()
}

func addRows() {
	kernel("addRowsFull", "func(rows, cols, stride int, y, bias *float32)")
	Doc("addRowsFull adds bias to each row of y; rows and cols are positive, cols is a multiple of 8.")
	y, bias := arg("y"), arg("bias")
	eachRow([]reg.Register{y}, func(i reg.Register) {
		v := YMM()
		VMOVUPS(at(y, i, 0), v)
		VADDPS(at(bias, i, 0), v, v)
		VMOVUPS(v, at(y, i, 0))
	})
	leave()
}
