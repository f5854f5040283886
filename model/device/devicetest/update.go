package devicetest

import (
	"math"

	"byol/model/device"
)

func updateChecks() []check {
	return []check{
		{"lars", lars},
		{"ema", ema},
	}
}

// update is a form of LARS: its size, and which norms are zero.
type update struct {
	N            int
	Adapt        bool
	ZeroW, ZeroU bool
}

func updates() []update {
	var out []update
	for _, n := range []int{1, 5, 64, 1000, 4321} {
		out = append(out, update{N: n}, update{N: n, Adapt: true}, update{N: n, Adapt: true, ZeroW: true},
			update{N: n, Adapt: true, ZeroW: true, ZeroU: true})
	}
	return out
}

// With κ = ‖|g|+decay·|w|‖/‖u‖, trust has the relative error (n+8+2κ)u: each norm half that of n squares and two
// roundings, 2κu for the rounded terms of u, and the division. m2 adds the roundings of momentum, decay and the
// three operations: γ(3)·|momentum·m| + γ(n+14+2κ)·trust·(|g|+decay·|w|). w2 = w − lr·m2 has lr times that, and
// γ(3)·(|w|+lr·|m2|).
func lars(b *bench) error {
	return cases(updates(), func(v update) error {
		b.begin(v.N)
		ws, gs := b.normals(v.N), b.normals(v.N)
		ws[0], gs[0] = 1, 0.5
		if v.ZeroW {
			clear(ws)
		}
		if v.ZeroU {
			clear(gs)
		}
		w, g, m := b.input("w", ws), b.input("g", gs), b.input("m", b.normals(v.N))
		w2, m2, w3 := b.output("w2", v.N), b.output("m2", v.N), b.output("w2 elsewhere", v.N)
		op := device.LARS{
			W: w.dev, G: g.dev, M: m.dev, W2: w2.dev, M2: m2.dev,
			LR: 0.3, Momentum: 0.9, Decay: 1e-2, Eta: 0.05, Adapt: v.Adapt,
		}
		ref := op
		ref.W, ref.G, ref.M, ref.W2, ref.M2 = w.ref, g.ref, m.ref, w2.ref, m2.ref
		b.dev.LARS(op)
		op.W, op.G, op.M = b.moved(w).dev, b.moved(g).dev, b.moved(m).dev
		op.W2, op.M2 = w3.dev, b.output("m2 elsewhere", v.N).dev
		b.dev.LARS(op)
		b.ref.LARS(ref)
		boundW, boundM := larsBounds(b, op, w.values, g.values, m.values)
		return first(b.within(m2, boundM), b.within(w2, boundW), same("w2 elsewhere", b.got(w3), b.got(w2)), b.intact())
	})
}

func larsBounds(b *bench, a device.LARS, w, g, m []float64) (boundW, boundM []float64) {
	trust, kappa, sum := 1.0, 1.0, 0
	decay := 0.0
	if a.Adapt {
		decay, sum = a.Decay, len(w)
		normW, normU, size := 0.0, 0.0, 0.0
		for i := range w {
			normW += w[i] * w[i]
			normU += (g[i] + decay*w[i]) * (g[i] + decay*w[i])
			size += math.Pow(math.Abs(g[i])+decay*math.Abs(w[i]), 2)
		}
		if normW > 0 && normU > 0 {
			trust, kappa = a.Eta*math.Sqrt(normW/normU), math.Sqrt(size/normU)
		}
	}
	boundW, boundM = make([]float64, len(w)), make([]float64, len(w))
	for i := range w {
		old, step := a.Momentum*math.Abs(m[i]), trust*(math.Abs(g[i])+decay*math.Abs(w[i]))
		boundM[i] = b.gamma(3)*old + b.gamma(sum+14+2*int(math.Ceil(kappa)))*step
		boundW[i] = a.LR*boundM[i] + b.gamma(3)*(math.Abs(w[i])+a.LR*(old+step))
	}
	return boundW, boundM
}

// The coordinator computes the same average on the host and digests are compared, so bits are prescribed: rate, the
// difference, the product and the sum are each rounded to the element type.
func ema(b *bench) error {
	return cases([]int{1, 7, 8, 33, 1000}, func(n int) error {
		b.begin(n)
		const rate = 0.0042
		xi, theta, out := b.input("xi", b.normals(n)), b.input("theta", b.normals(n)), b.output("out", n)
		b.dev.EMA(xi.dev, theta.dev, out.dev, rate)
		want := make([]float64, n)
		for i := range want {
			x := xi.values[i]
			product := b.round(b.round(rate) * b.round(theta.values[i]-x))
			want[i] = b.round(x + product)
		}
		return first(same("out", b.got(out), want), b.intact())
	})
}
