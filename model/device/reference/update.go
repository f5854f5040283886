package reference

import (
	"math"

	"byol/model/device"
)

// LARS: u = g + decay·w, trust = eta·‖w‖/‖u‖ where both norms are positive, else 1; not adapted: u = g,
// trust = 1. m2 = momentum·m + trust·u; w2 = w − lr·m2, with m2 as it is stored.
func (d *engine[T]) LARS(a device.LARS) {
	n := a.W.Len
	w, g, m := d.elems(a.W, n, "lars w"), d.elems(a.G, n, "lars g"), d.elems(a.M, n, "lars m")
	w2, m2 := d.elems(a.W2, n, "lars w2"), d.elems(a.M2, n, "lars m2")
	decay, trust := 0.0, 1.0
	if a.Adapt {
		decay = a.Decay
		square := 0.0
		for i := range g {
			u := float64(g[i]) + float64(decay*float64(w[i]))
			square += float64(u * u)
		}
		if norm := math.Sqrt(sumSquares(w)); norm > 0 && square > 0 {
			trust = a.Eta * norm / math.Sqrt(square)
		}
	}
	for i := range g {
		u := float64(g[i]) + float64(decay*float64(w[i]))
		m2[i] = T(float64(a.Momentum*float64(m[i])) + float64(trust*u))
		w2[i] = T(float64(w[i]) - float64(a.LR*float64(m2[i])))
	}
}

// EMA: out = xi + rate·(theta − xi). Difference, product and sum are each rounded to the element type: the
// coordinator computes the same three roundings on the host.
func (d *engine[T]) EMA(xi, theta, out device.Buffer, rate float64) {
	n := out.Len
	xs, ts, outs := d.elems(xi, n, "ema xi"), d.elems(theta, n, "ema theta"), d.elems(out, n, "ema out")
	r := T(rate)
	for i, x := range xs {
		outs[i] = x + T(r*(ts[i]-x))
	}
}
