package cpu

import (
	"runtime"
	"unsafe"
)

// generic is the kernel set in plain Go. Some compilers fuse a product and a sum, so its name has the
// architecture in it.
func generic() *kernels {
	return &kernels{
		isa:        Generic,
		name:       "go-" + runtime.GOARCH,
		gemm:       genericGemm,
		outer:      genericOuter,
		gatherRows: genericGatherRows,
		packRows:   genericPackRows,
		spread:     genericSpread,
		transpose:  genericTranspose,
		winoInput:  genericWinoInput, winoGrad: genericWinoGrad, winoOutput: genericWinoOutput,
		winoFilter: genericWinoFilter, winoFilterGrad: genericWinoFilterGrad,
		colSums:     genericColSums,
		gradSums:    genericGradSums,
		normalize:   genericNormalize,
		gradApply:   genericGradApply,
		addRows:     genericAddRows,
		maxPool:     genericMaxPool,
		maxPoolGrad: genericMaxPoolGrad,
		addMasked:   genericAddMasked,
		ema:         genericEMA,
		larsNorms:   genericLARSNorms,
		larsUpdate:  genericLARSUpdate,
		fold:        genericFold,
		pause:       genericPause,
	}
}

// row views n elements at p+off; nil stays nil.
func row(p *float32, off, n int) []float32 {
	if p == nil {
		return nil
	}
	return unsafe.Slice(at(p, off), n)
}

// entry is p[i] of a table of addresses.
func entry(p **float32, i int) *float32 {
	return *(**float32)(unsafe.Add(unsafe.Pointer(p), i*int(unsafe.Sizeof(*p))))
}

func genericGemm(
	taps, kc int, a **float32, lda, aoff int, b *float32, ldb int, c **float32, coff, tiles, cols int, add bool,
) {
	for ; cols > 0; cols -= tileCols {
		genericGemmPanel(taps, kc, a, lda, aoff, b, c, coff, tiles, min(cols, tileCols), add)
		b, coff = at(b, ldb), coff+tileCols
	}
}

func genericGemmPanel(
	taps, kc int, a **float32, lda, aoff int, b *float32, c **float32, coff, tiles, cols int, add bool,
) {
	panel := row(b, 0, taps*kc*tileCols)
	for r := range tiles * tileRows {
		var acc [tileCols]float32
		for t := range taps {
			for k, v := range row(entry(a, t*lda+r), aoff, kc) {
				fma16(&acc, v, panel[(t*kc+k)*tileCols:])
			}
		}
		dst := row(entry(c, r), coff, cols)
		for j := range dst {
			if add {
				acc[j] += dst[j]
			}
			dst[j] = acc[j]
		}
	}
}

// fma16 is acc += v·b.
func fma16(acc *[tileCols]float32, v float32, b []float32) {
	row := (*[tileCols]float32)(b)
	for j := range acc {
		acc[j] += v * row[j]
	}
}

func genericOuter(px int, a *float32, lda int, b *float32, ldb int, c *float32, ldc, quads, panels int, add bool) {
	for q := range panels {
		genericOuterPanel(px, a, lda, at(b, q*ldb), at(c, q*ldc), quads, add)
	}
}

func genericOuterPanel(px int, a *float32, lda int, b, c *float32, quads int, add bool) {
	panel := row(b, 0, px*tileCols)
	for i := range quads * quadRows {
		var acc [tileCols]float32
		for p := range px {
			fma16(&acc, *at(a, i/tileCols*lda+p*tileCols+i%tileCols), panel[p*tileCols:])
		}
		dst := row(c, i*tileCols, tileCols)
		for j, v := range acc {
			if add {
				v += dst[j]
			}
			dst[j] = v
		}
	}
}

func genericGatherRows(rows, panels int, a **float32, aoff int, dst *float32, ldp int) {
	for r := range rows {
		for p := range panels {
			copy(row(dst, p*ldp+r*tileCols, tileCols), row(entry(a, r), aoff+p*tileCols, tileCols))
		}
	}
}

func genericPackRows(rows, panels int, src *float32, stride int, dst *float32, ldp int) {
	for r := range rows {
		for p := range panels {
			copy(row(dst, p*ldp+r*tileCols, tileCols), row(src, r*stride+p*tileCols, tileCols))
		}
	}
}

func genericSpread(n int, table **float32, first *float32, stride int) {
	for i, t := 0, unsafe.Slice(table, n); i < n; i++ {
		t[i] = at(first, i*stride)
	}
}

func genericTranspose(rows, cols int, src *float32, lds int, dst *float32, ldd int, add bool) {
	for i := range rows {
		for j, v := range row(src, i*lds, cols) {
			to := at(dst, j*ldd+i)
			if add {
				v += *to
			}
			*to = v
		}
	}
}

func genericColSums(rows, cols, stride int, x, sum, square *float32) {
	s, q := row(sum, 0, cols), row(square, 0, cols)
	for r := range rows {
		for j, v := range row(x, r*stride, cols) {
			s[j] += v
			q[j] += v * v
		}
	}
}

// affine is what normalize and a gate compute.
func affine(v, mean, scale, shift float32) float32 { return (v-mean)*scale + shift }

// passes reports whether a gradient passes at element o of the rows, in column j, where x is v.
func (g gate) passes(o, j int, v, mean float32) bool {
	switch {
	case g.scale != nil:
		return affine(v, mean, *at(g.scale, j), *at(g.shift, j)) > 0
	case g.y != nil:
		return *at(g.y, o) > 0
	}
	return true
}

func genericGradSums(rows, cols, stride int, dy, x *float32, g gate, mean, sum, dot *float32) {
	s, q, m := row(sum, 0, cols), row(dot, 0, cols), row(mean, 0, cols)
	for r := range rows {
		from, v := row(dy, r*stride, cols), row(x, r*stride, cols)
		for j, d := range from {
			if g.passes(r*stride+j, j, v[j], m[j]) {
				s[j] += d
				q[j] += d * (v[j] - m[j])
			}
		}
	}
}

func genericFold(n int, v *float32, sum *float64) {
	s, from := unsafe.Slice(sum, n), row(v, 0, n)
	for j, x := range from {
		s[j] += float64(x)
	}
	clear(from)
}

func genericPause(n int) {
	for range 64 * n {
		continue
	}
}

func genericNormalize(rows, cols, stride int, x, residual, y, mean, scale, shift *float32, relu, _ bool) {
	m, sc, sh := row(mean, 0, cols), row(scale, 0, cols), row(shift, 0, cols)
	for r := range rows {
		from, res, to := row(x, r*stride, cols), row(residual, r*stride, cols), row(y, r*stride, cols)
		for j, v := range from {
			v = affine(v, m[j], sc[j], sh[j])
			if res != nil {
				v += res[j]
			}
			if relu && v < 0 {
				v = 0
			}
			to[j] = v
		}
	}
}

func genericGradApply(rows, cols, stride int, dy, x *float32, g gate, dx *float32, c coefficients, _ bool) {
	m, a, b, d := row(c.mean, 0, cols), row(c.ka, 0, cols), row(c.kb, 0, cols), row(c.kd, 0, cols)
	for r := range rows {
		from, v, to := row(dy, r*stride, cols), row(x, r*stride, cols), row(dx, r*stride, cols)
		for j, d0 := range from {
			if !g.passes(r*stride+j, j, v[j], m[j]) {
				d0 = 0
			}
			to[j] = a[j]*d0 + (b[j]*(v[j]-m[j]) + d[j])
		}
	}
}

func genericAddRows(rows, cols, stride int, y, bias *float32) {
	b := row(bias, 0, cols)
	for r := range rows {
		dst := row(y, r*stride, cols)
		for j, v := range b {
			dst[j] += v
		}
	}
}

// peak is the first tap with the maximum of column j.
func peak(taps, j int, x **float32) int {
	best := 0
	for t := range taps {
		v := *at(entry(x, t), j)
		if v > *at(entry(x, best), j) || v != v {
			best = t
		}
	}
	return best
}

func genericMaxPool(taps, cols int, x **float32, y *float32) { genericMaxPoolFrom(taps, 0, cols, x, y) }

// genericMaxPoolFrom does the columns from first on.
func genericMaxPoolFrom(taps, first, cols int, x **float32, y *float32) {
	for j := first; j < cols; j++ {
		*at(y, j) = *at(entry(x, peak(taps, j, x)), j)
	}
}

func genericMaxPoolGrad(taps, cols int, x **float32, dy *float32, dx **float32) {
	genericMaxPoolGradFrom(taps, 0, cols, x, dy, dx)
}

func genericMaxPoolGradFrom(taps, first, cols int, x **float32, dy *float32, dx **float32) {
	for j := first; j < cols; j++ {
		*at(entry(dx, peak(taps, j, x)), j) += *at(dy, j)
	}
}

func genericAddMasked(n int, a, b, y, out *float32) {
	va, vb, vy, to := row(a, 0, n), row(b, 0, n), row(y, 0, n), row(out, 0, n)
	for i, v := range va {
		if vb != nil {
			v += vb[i]
		}
		if vy != nil && !(vy[i] > 0) {
			v = 0
		}
		to[i] = v
	}
}

func genericEMA(n int, xi, theta, out *float32, rate float32) {
	from, to, dst := row(xi, 0, n), row(theta, 0, n), row(out, 0, n)
	for i, x := range from {
		d := to[i] - x
		p := float32(rate * d)
		dst[i] = x + p
	}
}

func genericLARSNorms(n int, w, g *float32, decay float32, sums *float64) {
	s := unsafe.Slice(sums, 2*normLanes)
	clear(s)
	grad := row(g, 0, n)
	for i, a := range row(w, 0, n) {
		u := grad[i] + float32(decay*a)
		s[i%normLanes] += float64(a) * float64(a)
		s[normLanes+i%normLanes] += float64(u) * float64(u)
	}
}

func genericLARSUpdate(n int, w, g, m, w2, m2 *float32, rate, momentum, decay, trust float32) {
	grad, old, toW, toM := row(g, 0, n), row(m, 0, n), row(w2, 0, n), row(m2, 0, n)
	for i, a := range row(w, 0, n) {
		u := grad[i] + float32(decay*a)
		v := float32(momentum*old[i]) + float32(trust*u)
		toM[i] = v
		toW[i] = a - float32(rate*v)
	}
}
