package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// These kernels round each product before it is added and use no FMA on float32, so that plain Go code gives
// the same bits: the coordinator computes the moving average too.

// eachVector runs body over n elements, eight at a time; n is a positive multiple of 8.
func eachVector(body func(i reg.Register)) {
	n, i := bytes("n"), GP64()
	XORQ(i, i)
	Label("vector")
	body(i)
	ADDQ(Imm(32), i)
	CMPQ(i, n)
	JLT(LabelRef("vector"))
}

func addMasked(add, masked bool) {
	if !add && !masked {
		return // a copy
	}
	name, signature, formula := "mask", "func(n int, a, ", "a"
	if add {
		name, signature, formula = "add", signature+"b, ", "a + b"
	}
	if masked {
		signature, formula = signature+"y, ", formula+" where y > 0, else 0"
	}
	if add && masked {
		name = "addMask"
	}
	name += "Full"
	kernel(name, signature+"out *float32)")
	Doc(name + " writes out = " + formula + "; n is a positive multiple of 8. out may be a or b.")
	a, out := arg("a"), arg("out")
	var b, y reg.Register
	var zero reg.VecVirtual
	if add {
		b = arg("b")
	}
	if masked {
		y, zero = arg("y"), zeros()
	}
	eachVector(func(i reg.Register) {
		v := YMM()
		VMOVUPS(at(a, i, 0), v)
		if add {
			VADDPS(at(b, i, 0), v, v)
		}
		if masked {
			keepPositive(at(y, i, 0), zero, v)
		}
		VMOVUPS(v, at(out, i, 0))
	})
	leave()
}

func ema() {
	kernel("emaFull", "func(n int, xi, theta, out *float32, rate float32)")
	Doc("emaFull writes out = xi + rate·(theta−xi); n is a positive multiple of 8. out may be xi.")
	xi, theta, out, rate := arg("xi"), arg("theta"), arg("out"), scalar("rate")
	eachVector(func(i reg.Register) {
		x, d := YMM(), YMM()
		VMOVUPS(at(xi, i, 0), x)
		VMOVUPS(at(theta, i, 0), d)
		VSUBPS(x, d, d)
		VMULPS(rate, d, d)
		VADDPS(d, x, x)
		VMOVUPS(x, at(out, i, 0))
	})
	leave()
}

// larsNorms sums in float64: eight chains for each norm, so that lane l takes the elements ≡ l mod 8.
func larsNorms() {
	kernel("larsNormsFull", "func(n int, w, grad *float32, decay float32, sums *float64)")
	Doc("larsNormsFull writes sums[l] = Σ w² and sums[8+l] = Σ (grad + decay·w)² over the elements l, l+8, l+16 …;",
		"n is a positive multiple of 8.")
	w, g, decay := arg("w"), arg("grad"), scalar("decay")
	acc := vectors(4)
	clearAll(acc)
	eachVector(func(i reg.Register) {
		a, u := YMM(), YMM()
		VMOVUPS(at(w, i, 0), a)
		VMULPS(decay, a, u)
		VADDPS(at(g, i, 0), u, u)
		for s, v := range []reg.VecVirtual{a, u} {
			lo, hi := YMM(), YMM()
			high := XMM()
			VCVTPS2PD(v.AsX(), lo)
			VEXTRACTF128(Imm(1), v, high)
			VCVTPS2PD(high, hi)
			VFMADD231PD(lo, lo, acc[2*s])
			VFMADD231PD(hi, hi, acc[2*s+1])
		}
	})
	sums := arg("sums")
	for i := range acc {
		VMOVUPD(acc[i], Mem{Base: sums, Disp: 32 * i})
	}
	leave()
}

func larsUpdate() {
	kernel("larsUpdateFull",
		"func(n int, w, grad, m, w2, m2 *float32, rate, momentum, decay, trust float32)")
	Doc("larsUpdateFull writes m2 = momentum·m + trust·(grad + decay·w) and w2 = w − rate·m2; n is a positive",
		"multiple of 8.")
	w, g, m, w2, m2 := arg("w"), arg("grad"), arg("m"), arg("w2"), arg("m2")
	rate, momentum, decay, trust := scalar("rate"), scalar("momentum"), scalar("decay"), scalar("trust")
	eachVector(func(i reg.Register) {
		a, u, v := YMM(), YMM(), YMM()
		VMOVUPS(at(w, i, 0), a)
		VMULPS(decay, a, u)
		VADDPS(at(g, i, 0), u, u)
		VMULPS(trust, u, u)
		VMULPS(at(m, i, 0), momentum, v)
		VADDPS(u, v, v)
		VMOVUPS(v, at(m2, i, 0))
		VMULPS(rate, v, v)
		VSUBPS(v, a, a)
		VMOVUPS(a, at(w2, i, 0))
	})
	leave()
}

// fold converts before it adds: the sums are in float64.
func fold() {
	kernel("foldFull", "func(n int, v *float32, sum *float64)")
	Doc("foldFull adds v to sum and clears v; n is a positive multiple of 8.")
	v, sum, zero := arg("v"), arg("sum"), zeros()
	eachVector(func(i reg.Register) {
		lo, hi := YMM(), YMM()
		half := func(k int) Mem { return Mem{Base: v, Index: i, Scale: 1, Disp: 16 * k} }
		double := func(k int) Mem { return Mem{Base: sum, Index: i, Scale: 2, Disp: 32 * k} }
		VCVTPS2PD(half(0), lo)
		VCVTPS2PD(half(1), hi)
		VADDPD(double(0), lo, lo)
		VADDPD(double(1), hi, hi)
		VMOVUPD(lo, double(0))
		VMOVUPD(hi, double(1))
		VMOVUPS(zero, at(v, i, 0))
	})
	leave()
}

// pause is no vector code; it stands here for want of company.
func pause() {
	kernel("pause", "func(n int)")
	Doc("pause executes n PAUSE instructions, 40 to 140 cycles each; n is positive.")
	n := arg("n")
	Label("again")
	PAUSE()
	DECQ(n)
	JNZ(LabelRef("again"))
	RET()
}
