package cpu

import "byol/model/device"

// BatchNormSums computes the column sums of x and of x².
func (d *Device) BatchNormSums(x device.Buffer, rows, c int, out []float64) {
	const op = "batch norm sums"
	matrix(op, rows, c)
	out = vector(op, out, 2*c)
	d.sumColumns(columnSums{rows: rows, c: c, x: d.operand(op, x, rows*c)}, out[:c], out[c:])
}

// BatchNormApply normalises in one pass. x−mean comes first: it is nearly exact, and what rounding the mean to
// float32 loses goes into the shift.
func (d *Device) BatchNormApply(a device.BatchNorm) {
	const op = "batch norm apply"
	matrix(op, a.Rows, a.C)
	n, c := a.Rows*a.C, a.C
	x, y, residual := d.operand(op, a.X, n), d.operand(op, a.Y, n), d.optional(op, a.Residual, n)
	gamma, beta := d.need(op, a.Gamma, c), d.need(op, a.Beta, c)
	mean, invStd := vector(op, a.Mean, c), vector(op, a.InvStd, c)
	v := d.channelVectors(3, c)
	m, scale, shift := v[:c], v[c:2*c], v[2*c:]
	affineOf(m, scale, shift, gamma, beta, mean, invStd)
	d.runRows(rowwise{
		op: applyNorm, rows: a.Rows, c: c, relu: a.ReLU, past: y != residual && goesPast(n),
		in: [3]*float32{x, residual}, out: y, coef: [4]*float32{first(m), first(scale), first(shift)},
	})
}

// affineOf sets what turns x into (x−m)·scale + shift.
func affineOf(m, scale, shift, gamma, beta []float32, mean, invStd []float64) {
	for j := range m {
		m[j] = float32(mean[j])
		s := float64(gamma[j]) * invStd[j]
		scale[j] = float32(s)
		shift[j] = float32(float64(beta[j]) + float64((float64(m[j])-mean[j])*s))
	}
}

func applyNorm(t *rowwise, lo, rows int) {
	o := lo * t.c
	t.k.normalize(rows, t.c, t.c, at(t.in[0], o), at(t.in[1], o), at(t.out, o),
		t.coef[0], t.coef[1], t.coef[2], t.relu, t.past)
}

// gateOf is where the gradient of a passes; m gets the mean in float32. v has room for the vectors of a gate.
func (d *Device) gateOf(op string, a *device.BatchNormGrad, m, v []float32) gate {
	c := a.C
	mean, invStd := vector(op, a.Mean, c), vector(op, a.InvStd, c)
	for j := range m {
		m[j] = float32(mean[j])
	}
	if !a.Y.IsNil() || a.Beta.IsNil() {
		return gate{y: d.optional(op, a.Y, a.Rows*c)}
	}
	affineOf(m, v[:c], v[c:], d.need(op, a.Gamma, c), d.need(op, a.Beta, c), mean, invStd)
	return gate{scale: first(v), shift: first(v[c:])}
}

// BatchNormGradSums computes Σ g and Σ g·x̂. The kernel sums g·(x−m) with m the mean in float32; the rest of the
// mean and the division by the deviation follow in float64.
func (d *Device) BatchNormGradSums(a device.BatchNormGrad, out []float64) {
	const op = "batch norm gradient sums"
	matrix(op, a.Rows, a.C)
	n, c := a.Rows*a.C, a.C
	out = vector(op, out, 2*c)
	v := d.channelVectors(3, c)
	t := columnSums{rows: a.Rows, c: c, dy: d.operand(op, a.DY, n), x: d.operand(op, a.X, n), mean: first(v)}
	t.gate = d.gateOf(op, &a, v[:c], v[c:])
	if d.sumColumns(t, out[:c], out[c:]) {
		gradSumsOf(out, v[:c], a.Mean, a.InvStd)
	}
}

// gradSumsOf turns Σ g·(x−m) into Σ g·x̂, where out is [Σ g, Σ g·(x−m)].
func gradSumsOf(out []float64, m []float32, mean, invStd []float64) {
	c := len(m)
	for j := range m {
		out[c+j] = (out[c+j] + float64((float64(m[j])-mean[j])*out[j])) * invStd[j]
	}
}

// BatchNormGradApply: dx = ka·g + kb·(x−m) + kd with ka = gamma·invstd, kb = −ka·invstd·Σg·x̂/count and
// kd = −ka·Σg/count, plus kb times what rounding the mean lost.
func (d *Device) BatchNormGradApply(a device.BatchNormGrad, sums []float64, count float64) {
	const op = "batch norm gradient apply"
	matrix(op, a.Rows, a.C)
	n, c := a.Rows*a.C, a.C
	dy, x, dx := d.operand(op, a.DY, n), d.operand(op, a.X, n), d.operand(op, a.DX, n)
	gamma := d.need(op, a.Gamma, c)
	mean, invStd := vector(op, a.Mean, c), vector(op, a.InvStd, c)
	sums = vector(op, sums, 2*c)
	v := d.channelVectors(6, c)
	m, ka, kb, kd := v[:c], v[c:2*c], v[2*c:3*c], v[3*c:4*c]
	g := d.gateOf(op, &a, m, v[4*c:])
	for j := range m {
		k := float64(gamma[j]) * invStd[j]
		slope := -k * invStd[j] * sums[c+j] / count
		ka[j], kb[j] = float32(k), float32(slope)
		kd[j] = float32(-k*sums[j]/count + float64((float64(m[j])-mean[j])*slope))
	}
	d.runRows(rowwise{
		op: applyGrad, rows: a.Rows, c: c, in: [3]*float32{dy, x}, gate: g,
		out: dx, past: dx != dy && dx != x && goesPast(n),
		coef: [4]*float32{first(m), first(ka), first(kb), first(kd)},
	})
}

func applyGrad(t *rowwise, lo, rows int) {
	o := lo * t.c
	c := coefficients{mean: t.coef[0], ka: t.coef[1], kb: t.coef[2], kd: t.coef[3]}
	t.k.gradApply(rows, t.c, t.c, at(t.in[0], o), at(t.in[1], o), t.gate.row(o), at(t.out, o), c, t.past)
}

// pastElements is the size from which on a result leaves the last-level cache before the next operation reads it.
const pastElements = 4 << 20

func goesPast(n int) bool { return n >= pastElements }
