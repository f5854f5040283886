package cpu

import (
	"math"
	"unsafe"

	"byol/model/device"
)

// elementwise runs a kernel over blocks of a vector.
type elementwise struct {
	k    *kernels
	op   func(t *elementwise, lo, n int)
	n    int
	in   [3]*float32
	out  [2]*float32
	coef [4]float32
	sums []float64 // 16 per block
}

const vectorBlock = 16384 // a multiple of 8, so that only the last block has a ragged end

func (t *elementwise) do(_, job int) {
	lo := job * vectorBlock
	t.op(t, lo, min(vectorBlock, t.n-lo))
}

func (d *Device) runVector(t elementwise) {
	t.k = d.k
	d.ops.vector = t
	d.pool.run(&d.ops.vector, (t.n+vectorBlock-1)/vectorBlock)
}

// AddMasked: out = (a [+ b])·[y > 0 or no y].
func (d *Device) AddMasked(a, b, y, out device.Buffer, n int) {
	const op = "add masked"
	t := elementwise{op: addMaskedBlock, n: n}
	t.in = [3]*float32{d.operand(op, a, n), d.optional(op, b, n), d.optional(op, y, n)}
	t.out[0] = d.operand(op, out, n)
	if t.in[1] == nil && t.in[2] == nil {
		t.op = copyBlock
	}
	d.runVector(t)
}

func addMaskedBlock(t *elementwise, lo, n int) {
	t.k.addMasked(n, at(t.in[0], lo), at(t.in[1], lo), at(t.in[2], lo), at(t.out[0], lo))
}

func copyBlock(t *elementwise, lo, n int) { copy(row(t.out[0], lo, n), row(t.in[0], lo, n)) }

// Fill sets dst.Len elements.
func (d *Device) Fill(dst device.Buffer, v float32) {
	t := elementwise{op: fillBlock, n: dst.Len, coef: [4]float32{v}}
	t.out[0] = d.operand("fill", dst, dst.Len)
	d.runVector(t)
}

func fillBlock(t *elementwise, lo, n int) {
	dst, v := row(t.out[0], lo, n), t.coef[0]
	for i := range dst {
		dst[i] = v
	}
}

// EMA: out = xi + rate·(theta−xi) with the rate in float32; plain Go gives the same bits.
func (d *Device) EMA(xi, theta, out device.Buffer, rate float64) {
	const op = "moving average"
	n := out.Len
	t := elementwise{op: emaBlock, n: n, coef: [4]float32{float32(rate)}}
	t.in = [3]*float32{d.operand(op, xi, n), d.operand(op, theta, n)}
	t.out[0] = d.operand(op, out, n)
	d.runVector(t)
}

func emaBlock(t *elementwise, lo, n int) {
	t.k.ema(n, at(t.in[0], lo), at(t.in[1], lo), at(t.out[0], lo), t.coef[0])
}

// LARS updates one tensor. The norms are summed in float64, eight lanes to a block of 16,384 elements, blocks
// first to last and lanes 0 to 7; the update rounds each product to float32.
func (d *Device) LARS(a device.LARS) {
	const op = "lars"
	n := a.W.Len
	t := elementwise{n: n}
	t.in = [3]*float32{d.operand(op, a.W, n), d.operand(op, a.G, n), d.operand(op, a.M, n)}
	t.out = [2]*float32{d.operand(op, a.W2, n), d.operand(op, a.M2, n)}
	t.coef = [4]float32{float32(a.LR), float32(a.Momentum), 0, 1}
	if a.Adapt {
		t.coef[2] = float32(a.Decay)
		t.coef[3] = d.trust(t, a.Eta)
	}
	t.op = larsBlock
	d.runVector(t)
}

// trust is eta·‖w‖/‖u‖, or 1 where a norm is zero.
func (d *Device) trust(t elementwise, eta float64) float32 {
	blocks := (t.n + vectorBlock - 1) / vectorBlock
	t.op, t.sums = normBlock, d.rowNumbers(blocks*2*normLanes)
	d.runVector(t)
	var w, u float64
	for b := range blocks {
		part := t.sums[b*2*normLanes:][:2*normLanes]
		for l := range normLanes {
			w += part[l]
			u += part[normLanes+l]
		}
	}
	if !(w > 0 && u > 0) {
		return 1
	}
	return float32(eta * math.Sqrt(w) / math.Sqrt(u))
}

const normLanes = 8

func normBlock(t *elementwise, lo, n int) {
	sums := unsafe.SliceData(t.sums[lo/vectorBlock*2*normLanes:])
	t.k.larsNorms(n, at(t.in[0], lo), at(t.in[1], lo), t.coef[2], sums)
}

func larsBlock(t *elementwise, lo, n int) {
	t.k.larsUpdate(n, at(t.in[0], lo), at(t.in[1], lo), at(t.in[2], lo), at(t.out[0], lo), at(t.out[1], lo),
		t.coef[0], t.coef[1], t.coef[2], t.coef[3])
}
