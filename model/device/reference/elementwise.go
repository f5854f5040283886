package reference

import "byol/model/device"

// AddMasked: out = (a [+ b])·[y > 0 or no y].
func (d *engine[T]) AddMasked(a, b, y, out device.Buffer, n int) {
	as, outs := d.elems(a, n, "add a"), d.elems(out, n, "add out")
	bs, mask := d.optional(b, n, "add b"), d.optional(y, n, "add mask")
	for i, v := range as {
		if bs != nil {
			v += bs[i]
		}
		if mask != nil && !(mask[i] > 0) {
			v = 0
		}
		outs[i] = v
	}
}

// AddBias: y[r][j] += bias[j].
func (d *engine[T]) AddBias(y, bias device.Buffer, rows, c int) {
	ys, bs := d.elems(y, rows*c, "bias y"), d.elems(bias, c, "bias")
	for i := range ys {
		ys[i] += bs[i%c]
	}
}

// BiasGrad: db[j] = Σ_rows dy[·][j].
func (d *engine[T]) BiasGrad(dy, db device.Buffer, rows, c int) {
	dys, dbs := d.elems(dy, rows*c, "bias dy"), d.elems(db, c, "bias gradient")
	sums := make([]float64, c)
	for i, v := range dys {
		sums[i%c] += float64(v)
	}
	convert(dbs, sums)
}

// Fill sets dst.Len elements.
func (d *engine[T]) Fill(dst device.Buffer, v float32) {
	to := d.elems(dst, dst.Len, "fill")
	for i := range to {
		to[i] = T(v)
	}
}
