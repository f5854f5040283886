package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The kernels of batch norm run over a block of rows. The sums take a strip of 8, 16 or 32 columns and keep
// them in registers; each column is one chain of additions in row order, whatever the width of the strip.

// storeSums writes two sets of accumulators.
func storeSums(first, second string, a, b []reg.VecVirtual) {
	s, q := arg(first), arg(second)
	for i := range a {
		VMOVUPS(a[i], Mem{Base: s, Disp: 32 * i})
		VMOVUPS(b[i], Mem{Base: q, Disp: 32 * i})
	}
}

func colSums(width int) {
	name := fmt.Sprintf("colSums%d", width)
	kernel(name, "func(rows, stride int, x, sum, square *float32)")
	Doc(fmt.Sprintf("%s writes Σ x and Σ x² over rows of %d columns; rows is positive.", name, width))
	n, stride, x := arg("rows"), bytes("stride"), arg("x")
	a, b := vectors(width/8), vectors(width/8)
	clearAll(a)
	clearAll(b)
	Label("row")
	for i := range a {
		v := YMM()
		VMOVUPS(Mem{Base: x, Disp: 32 * i}, v)
		VADDPS(v, a[i], a[i])
		VFMADD231PS(v, v, b[i])
	}
	ADDQ(stride, x)
	DECQ(n)
	JNZ(LabelRef("row"))
	storeSums("sum", "square", a, b)
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
	Doc(fmt.Sprintf("%s writes Σ g and Σ g·(x−mean) over rows of %d columns, %s; rows is positive.",
		name, width, formula))
	n, stride, dy, x, mean := arg("rows"), bytes("stride"), arg("dy"), arg("x"), arg("mean")
	var y reg.Register
	var zero reg.VecVirtual
	if masked {
		y, zero = arg("y"), zeros()
	}
	a, b := vectors(width/8), vectors(width/8)
	clearAll(a)
	clearAll(b)
	Label("row")
	for i := range a {
		g, d := YMM(), YMM()
		VMOVUPS(Mem{Base: dy, Disp: 32 * i}, g)
		if masked {
			maskPositive(Mem{Base: y, Disp: 32 * i}, zero, g)
		}
		VMOVUPS(Mem{Base: x, Disp: 32 * i}, d)
		VSUBPS(Mem{Base: mean, Disp: 32 * i}, d, d)
		VADDPS(g, a[i], a[i])
		VFMADD231PS(g, d, b[i])
	}
	ADDQ(stride, dy)
	ADDQ(stride, x)
	if masked {
		ADDQ(stride, y)
	}
	DECQ(n)
	JNZ(LabelRef("row"))
	storeSums("sum", "dot", a, b)
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
