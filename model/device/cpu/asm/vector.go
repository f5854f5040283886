package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// These kernels round each product before it is added and use no FMA on float32, so that plain Go code gives
// the same bits: the coordinator computes the moving average too.

// eachVector runs body over n elements, a register at a time; n is a positive multiple of the lanes.
func eachVector(body func(i reg.Register)) {
	n, i := bytes("n"), GP64()
	XORQ(i, i)
	Label("vector")
	body(i)
	ADDQ(Imm(uint64(simd().bytes)), i)
	CMPQ(i, n)
	JLT(LabelRef("vector"))
}

func addMasked(add, masked bool) {
	if !add && !masked {
		return // a copy
	}
	name, formula := "mask", "a"
	if add {
		name, formula = "add", "a + b"
	}
	if masked {
		formula += " where y > 0, else 0"
	}
	if add && masked {
		name = "addMask"
	}
	name = kernel(name+"Full", "func(n int, a, b, y, out *float32)")
	Doc(name + " writes out = " + formula + "; n is a positive multiple of the lanes. out may be a or b.")
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
		v := vector()
		VMOVUPS(at(a, i), v)
		if add {
			VADDPS(at(b, i), v, v)
		}
		if masked {
			keepPositive(at(y, i), zero, v)
		}
		VMOVUPS(v, at(out, i))
	})
	leave()
}

func ema() {
	name := kernel("emaFull", "func(n int, xi, theta, out *float32, rate float32)")
	Doc(name + " writes out = xi + rate·(theta−xi); n is a positive multiple of the lanes. out may be xi.")
	xi, theta, out, rate := arg("xi"), arg("theta"), arg("out"), scalar("rate")
	eachVector(func(i reg.Register) {
		x, d := vector(), vector()
		VMOVUPS(at(xi, i), x)
		VMOVUPS(at(theta, i), d)
		VSUBPS(x, d, d)
		VMULPS(rate, d, d)
		VADDPS(d, x, x)
		VMOVUPS(x, at(out, i))
	})
	leave()
}

// larsNorms sums in float64: eight chains for each norm, so that lane l takes the elements ≡ l mod 8.
func larsNorms() {
	name := kernel("larsNormsFull", "func(n int, w, grad *float32, decay float32, sums *float64)")
	Doc(name+" writes sums[l] = Σ w² and sums[8+l] = Σ (grad + decay·w)² over the elements l, l+8, l+16 …;",
		"n is a positive multiple of the lanes.")
	w, g, decay := arg("w"), arg("grad"), scalar("decay")
	acc := vectors(256 / simd().bytes / 2) // the chains of w², then those of the other
	clearAll(acc)
	eachVector(func(i reg.Register) {
		a, u := vector(), vector()
		VMOVUPS(at(w, i), a)
		VMULPS(decay, a, u)
		VADDPS(at(g, i), u, u)
		for s, v := range []reg.VecVirtual{a, u} {
			lo, hi := vector(), vector()
			if simd().bytes == 64 { // 16 elements are two links of eight chains
				high := YMM()
				VCVTPS2PD(v.AsY(), lo)
				VEXTRACTF32X8(Imm(1), v, high)
				VCVTPS2PD(high, hi)
				VFMADD231PD(lo, lo, acc[s])
				VFMADD231PD(hi, hi, acc[s])
				continue
			}
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
		VMOVUPD(acc[i], Mem{Base: sums, Disp: simd().bytes * i})
	}
	leave()
}

func larsUpdate() {
	name := kernel("larsUpdateFull",
		"func(n int, w, grad, m, w2, m2 *float32, rate, momentum, decay, trust float32)")
	Doc(name+" writes m2 = momentum·m + trust·(grad + decay·w) and w2 = w − rate·m2; n is a positive",
		"multiple of the lanes.")
	w, g, m, w2, m2 := arg("w"), arg("grad"), arg("m"), arg("w2"), arg("m2")
	rate, momentum, decay, trust := scalar("rate"), scalar("momentum"), scalar("decay"), scalar("trust")
	eachVector(func(i reg.Register) {
		a, u, v := vector(), vector(), vector()
		VMOVUPS(at(w, i), a)
		VMULPS(decay, a, u)
		VADDPS(at(g, i), u, u)
		VMULPS(trust, u, u)
		VMULPS(at(m, i), momentum, v)
		VADDPS(u, v, v)
		VMOVUPS(v, at(m2, i))
		VMULPS(rate, v, v)
		VSUBPS(v, a, a)
		VMOVUPS(a, at(w2, i))
	})
	leave()
}

// fold converts before it adds: the sums are in float64.
func fold() {
	name := kernel("foldFull", "func(n int, v *float32, sum *float64)")
	Doc(name + " adds v to sum and clears v; n is a positive multiple of the lanes.")
	v, sum, zero := arg("v"), arg("sum"), zeros()
	eachVector(func(i reg.Register) {
		lo, hi := vector(), vector()
		half := func(k int) Mem { return Mem{Base: v, Index: i, Scale: 1, Disp: simd().bytes / 2 * k} }
		double := func(k int) Mem { return Mem{Base: sum, Index: i, Scale: 2, Disp: simd().bytes * k} }
		VCVTPS2PD(half(0), lo)
		VCVTPS2PD(half(1), hi)
		VADDPD(double(0), lo, lo)
		VADDPD(double(1), hi, hi)
		VMOVUPD(lo, double(0))
		VMOVUPD(hi, double(1))
		VMOVUPS(zero, at(v, i))
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
