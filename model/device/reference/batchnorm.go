package reference

import "byol/model/device"

// BatchNormSums: out[j] = Σ_rows x[·][j], out[c+j] = Σ_rows x[·][j]².
func (d *engine[T]) BatchNormSums(x device.Buffer, rows, c int, out []float64) {
	xs := d.elems(x, rows*c, "batch norm x")
	need(len(out), 2*c, "batch norm sums")
	clear(out[:2*c])
	for i, v := range xs {
		j, v := i%c, float64(v)
		out[j] += v
		out[c+j] += float64(v * v)
	}
}

// BatchNormApply: y = relu?((x−mean)·invstd·gamma + beta [+ residual]).
func (d *engine[T]) BatchNormApply(a device.BatchNorm) {
	n := a.Rows * a.C
	xs, ys := d.elems(a.X, n, "batch norm x"), d.elems(a.Y, n, "batch norm y")
	gamma, beta := d.elems(a.Gamma, a.C, "batch norm gamma"), d.elems(a.Beta, a.C, "batch norm beta")
	residual := d.optional(a.Residual, n, "batch norm residual")
	need(len(a.Mean), a.C, "batch norm mean")
	need(len(a.InvStd), a.C, "batch norm invstd")
	for i, x := range xs {
		j := i % a.C
		v := normed(x, a.Mean[j], a.InvStd[j], gamma[j], beta[j])
		if residual != nil {
			v += float64(residual[i])
		}
		if a.ReLU && v < 0 {
			v = 0
		}
		ys[i] = T(v)
	}
}

// normed is (x−mean)·invstd·gamma + beta.
func normed[T real](x T, mean, invStd float64, gamma, beta T) float64 {
	return float64((float64(x)-mean)*invStd*float64(gamma)) + float64(beta)
}

// gradient returns the operands of a backward pass: g(i) is dy[i] where the mask lets it pass, else 0.
func (d *engine[T]) gradient(a device.BatchNormGrad) (xs []T, g func(i int) float64) {
	n := a.Rows * a.C
	xs, dy := d.elems(a.X, n, "batch norm x"), d.elems(a.DY, n, "batch norm dy")
	mask := d.optional(a.Y, n, "batch norm y")
	need(len(a.Mean), a.C, "batch norm mean")
	need(len(a.InvStd), a.C, "batch norm invstd")
	pass := func(int) bool { return true }
	switch {
	case mask != nil:
		pass = func(i int) bool { return mask[i] > 0 }
	case !a.Beta.IsNil():
		gamma, beta := d.elems(a.Gamma, a.C, "batch norm gamma"), d.elems(a.Beta, a.C, "batch norm beta")
		pass = func(i int) bool {
			j := i % a.C
			return T(normed(xs[i], a.Mean[j], a.InvStd[j], gamma[j], beta[j])) > 0
		}
	}
	return xs, func(i int) float64 {
		if !pass(i) {
			return 0
		}
		return float64(dy[i])
	}
}

// BatchNormGradSums: out[j] = Σ g, out[c+j] = Σ g·x̂.
func (d *engine[T]) BatchNormGradSums(a device.BatchNormGrad, out []float64) {
	xs, g := d.gradient(a)
	need(len(out), 2*a.C, "batch norm gradient sums")
	clear(out[:2*a.C])
	for i, x := range xs {
		j := i % a.C
		v, unit := g(i), (float64(x)-a.Mean[j])*a.InvStd[j]
		out[j] += v
		out[a.C+j] += float64(v * unit)
	}
}

// BatchNormGradApply: dx = gamma·invstd·(g − sums[j]/count − x̂·sums[c+j]/count).
func (d *engine[T]) BatchNormGradApply(a device.BatchNormGrad, sums []float64, count float64) {
	xs, g := d.gradient(a)
	dx := d.elems(a.DX, a.Rows*a.C, "batch norm dx")
	gamma := d.elems(a.Gamma, a.C, "batch norm gamma")
	need(len(sums), 2*a.C, "batch norm gradient sums")
	for i, x := range xs {
		j := i % a.C
		unit := (float64(x) - a.Mean[j]) * a.InvStd[j]
		v := g(i) - sums[j]/count - float64(unit*(sums[a.C+j]/count))
		dx[i] = T(float64(gamma[j]) * a.InvStd[j] * v)
	}
}
