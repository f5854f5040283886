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
	coef := d.coefficients(3, c)
	m, scale, shift := coef[:c], coef[c:2*c], coef[2*c:]
	for j := range m {
		m[j] = float32(mean[j])
		s := float64(gamma[j]) * invStd[j]
		scale[j] = float32(s)
		shift[j] = float32(float64(beta[j]) + (float64(m[j])-mean[j])*s)
	}
	d.runRows(rowwise{
		op: applyNorm, rows: a.Rows, c: c, relu: a.ReLU,
		in: [3]*float32{x, residual}, out: y, coef: [4]*float32{first(m), first(scale), first(shift)},
	})
}

func applyNorm(t *rowwise, lo, rows int) {
	o := lo * t.c
	t.k.normalize(rows, t.c, t.c, at(t.in[0], o), at(t.in[1], o), at(t.out, o),
		t.coef[0], t.coef[1], t.coef[2], t.relu)
}

// BatchNormGradSums computes Σ g and Σ g·x̂. The kernel sums g·(x−m) with m the mean in float32; the rest of the
// mean and the division by the deviation follow in float64.
func (d *Device) BatchNormGradSums(a device.BatchNormGrad, out []float64) {
	const op = "batch norm gradient sums"
	matrix(op, a.Rows, a.C)
	n, c := a.Rows*a.C, a.C
	dy, x, y := d.operand(op, a.DY, n), d.operand(op, a.X, n), d.optional(op, a.Y, n)
	mean, invStd := vector(op, a.Mean, c), vector(op, a.InvStd, c)
	out = vector(op, out, 2*c)
	m := d.coefficients(1, c)
	for j := range m {
		m[j] = float32(mean[j])
	}
	t := columnSums{rows: a.Rows, c: c, dy: dy, x: x, y: y, mean: first(m)}
	if !d.sumColumns(t, out[:c], out[c:]) {
		return
	}
	for j := range m {
		out[c+j] = (out[c+j] + (float64(m[j])-mean[j])*out[j]) * invStd[j]
	}
}

// BatchNormGradApply: dx = ka·g + kb·(x−m) + kd with ka = gamma·invstd, kb = −ka·invstd·Σg·x̂/count and
// kd = −ka·Σg/count, plus kb times what rounding the mean lost.
func (d *Device) BatchNormGradApply(a device.BatchNormGrad, sums []float64, count float64) {
	const op = "batch norm gradient apply"
	matrix(op, a.Rows, a.C)
	n, c := a.Rows*a.C, a.C
	dy, x, y, dx := d.operand(op, a.DY, n), d.operand(op, a.X, n), d.optional(op, a.Y, n), d.operand(op, a.DX, n)
	gamma := d.need(op, a.Gamma, c)
	mean, invStd := vector(op, a.Mean, c), vector(op, a.InvStd, c)
	sums = vector(op, sums, 2*c)
	coef := d.coefficients(4, c)
	m, ka, kb, kd := coef[:c], coef[c:2*c], coef[2*c:3*c], coef[3*c:]
	for j := range m {
		m[j] = float32(mean[j])
		k := float64(gamma[j]) * invStd[j]
		slope := -k * invStd[j] * sums[c+j] / count
		ka[j], kb[j] = float32(k), float32(slope)
		kd[j] = float32(-k*sums[j]/count + (float64(m[j])-mean[j])*slope)
	}
	d.runRows(rowwise{
		op: applyGrad, rows: a.Rows, c: c, in: [3]*float32{dy, x, y}, out: dx,
		coef: [4]*float32{first(m), first(ka), first(kb), first(kd)},
	})
}

func applyGrad(t *rowwise, lo, rows int) {
	o := lo * t.c
	t.k.gradApply(rows, t.c, t.c, at(t.in[0], o), at(t.in[1], o), at(t.in[2], o), at(t.out, o),
		t.coef[0], t.coef[1], t.coef[2], t.coef[3])
}
