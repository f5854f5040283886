package cpu

import (
	"fmt"
	"math"

	"byol/model/device"
)

// The losses work in float64 row by row; rows are added in order.

// tiny keeps a row of zeros from dividing by zero.
const tiny = 1e-12

// inverseNorm is 1/‖x‖, bounded.
func inverseNorm(x []float32) float64 {
	s := 0.0
	for _, v := range x {
		s += float64(v) * float64(v)
	}
	return 1 / math.Sqrt(max(s, tiny))
}

// Regression is BYOL's loss: Σ_n ‖p̂−ẑ‖².
func (d *Device) Regression(p, z, dp device.Buffer, n, dim int, scale float64, add bool) float64 {
	const op = "regression"
	matrix(op, n, dim)
	t := imagewise{op: regression, c: dim, scale: scale, add: add, loss: d.rowNumbers(n)}
	t.x, t.dy, t.y = d.need(op, p, n*dim), d.need(op, z, n*dim), d.need(op, dp, n*dim)
	d.runImages(t, n)
	loss := 0.0
	for _, v := range t.loss {
		loss += v
	}
	return loss
}

// regression: with p̂ = p·ip and e = p̂−ẑ the gradient is 2·ip·(e − p̂·(p̂·e)); where the norm is bounded p̂ is
// linear in p and the second term is absent.
func regression(t *imagewise, _ *scratch, i int) {
	p, z, dp := t.x[i*t.c:][:t.c], t.dy[i*t.c:][:t.c], t.y[i*t.c:][:t.c]
	ip, iz := inverseNorm(p), inverseNorm(z)
	loss, along := 0.0, 0.0
	for j, v := range p {
		a := float64(v) * ip
		e := a - float64(z[j])*iz
		loss += e * e
		along += a * e
	}
	if ip >= 1/math.Sqrt(tiny) {
		along = 0
	}
	for j, v := range p {
		a := float64(v) * ip
		g := float32(t.scale * 2 * ip * (a - float64(z[j])*iz - a*along))
		if t.add {
			g += dp[j]
		}
		dp[j] = g
	}
	t.loss[i] = loss
}

// NormalizedSums: the column sums of x̂ and of x̂².
func (d *Device) NormalizedSums(x device.Buffer, n, dim int, out []float64) {
	const op = "normalized sums"
	matrix(op, n, dim)
	in := d.need(op, x, n*dim)
	out = vector(op, out, 2*dim)
	clear(out)
	for i := range n {
		v := in[i*dim:][:dim]
		inv := inverseNorm(v)
		for j, e := range v {
			u := float64(e) * inv
			out[j] += u
			out[dim+j] += u * u
		}
	}
}

// CrossEntropy is −log softmax(x)[label] summed over the rows with a label.
func (d *Device) CrossEntropy(x device.Buffer, labels []int32, dx device.Buffer, n, classes int,
	scale float64) (loss float64, correct int) {
	const op = "cross entropy"
	matrix(op, n, classes)
	if len(labels) < n {
		panic(fmt.Sprintf("cpu: %s: %d labels for %d rows", op, len(labels), n))
	}
	for i, l := range labels[:n] {
		if int(l) >= classes {
			panic(fmt.Sprintf("cpu: %s: row %d has label %d of %d classes", op, i, l, classes))
		}
	}
	numbers := d.rowNumbers(2 * n)
	t := imagewise{op: crossEntropy, c: classes, scale: scale, labels: labels, loss: numbers[:n], hits: numbers[n:]}
	t.x, t.y = d.need(op, x, n*classes), d.need(op, dx, n*classes)
	d.runImages(t, n)
	for i, v := range t.loss {
		loss += v
		correct += int(t.hits[i])
	}
	return loss, correct
}

// crossEntropy: dx = scale·(softmax(x) − [j = label]). The exponentials wait in dx.
func crossEntropy(t *imagewise, _ *scratch, i int) {
	x, dx, label := t.x[i*t.c:][:t.c], t.y[i*t.c:][:t.c], int(t.labels[i])
	t.loss[i], t.hits[i] = 0, 0
	if label < 0 {
		clear(dx)
		return
	}
	best := 0
	for j, v := range x {
		if v > x[best] {
			best = j
		}
	}
	top, own, sum := float64(x[best]), float64(x[label]), 0.0
	for j, v := range x {
		e := math.Exp(float64(v) - top)
		sum += e
		dx[j] = float32(e)
	}
	for j, e := range dx {
		dx[j] = float32(t.scale * float64(e) / sum)
	}
	dx[label] = float32(t.scale * (math.Exp(own-top)/sum - 1))
	t.loss[i] = math.Log(sum) + top - own
	if best == label {
		t.hits[i] = 1
	}
}
