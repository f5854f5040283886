package devicetest

import (
	"fmt"
	"math"
	"slices"
)

func lossChecks() []check {
	return []check{
		{"regression", regression},
		{"normalized sums", normalizedSums},
		{"cross entropy", crossEntropy},
	}
}

func vectors() []matrix {
	return []matrix{{1, 1}, {5, 3}, {4, 8}, {7, 16}, {33, 24}, {6, 130}, {16, 256}}
}

// normalize returns the rows of x̂ and the inverse lengths.
func normalize(x []float64, n, d int) (hat, inverse []float64) {
	hat, inverse = make([]float64, n*d), make([]float64, n)
	for i := range n {
		square := 0.0
		for _, v := range x[i*d : (i+1)*d] {
			square += v * v
		}
		inverse[i] = 1 / math.Sqrt(max(square, 1e-12))
		for j := range d {
			hat[i*d+j] = x[i*d+j] * inverse[i]
		}
	}
	return hat, inverse
}

// An element of p̂ has the relative error ε = (d/2+4)u: half that of a sum of d squares, then root, division and
// product. With e = p̂−ẑ and lengths of at most 1, the loss of a row (Σe² or 2−2·p̂·ẑ, at most 4) is off by at
// most 8ε + 8u + 4γ(d) = (8d+40)u, and the sum of n rows by 4n·nu more.
//
// The gradient 2r·(e_j − p̂_j·t), t = p̂·e, is off by ε(|p̂_j|+|ẑ_j|) in e_j, 2ε|p̂_j| in p̂_j·t, (4ε+2u+2γ(d))|p̂_j|
// in t, and (ε+6u)(|ẑ_j|+3|p̂_j|) in r and the products: at most 2r·(7d+60)u·(|p̂_j|+|ẑ_j|). add rounds once more.
//
// The first row of p is zero, the second shorter than 1e-6, where the length is a constant; the third equals z.
func regression(b *bench) error {
	return cases(vectors(), func(m matrix) error {
		b.begin(m.Rows, m.C)
		n, d := m.Rows, m.C
		const scale = 0.125
		ps, zs := b.normals(n*d), b.normals(n*d)
		if n > 3 {
			clear(ps[:d])
			for j := range d {
				ps[d+j] = 1e-8 * float64(j+1) / float64(d)
			}
			copy(ps[2*d:3*d], zs[2*d:3*d])
		}
		p, z := b.input("p", ps), b.input("z", zs)
		dp, added, one := b.output("dp", n*d), b.inout("dp with add", b.normals(n*d)), b.output("dp of the last row", d)
		loss := b.dev.Regression(p.dev, z.dev, dp.dev, n, d, scale, false)
		lossAgain := b.dev.Regression(b.moved(p).dev, b.moved(z).dev, added.dev, n, d, scale, true)
		last := (n - 1) * d
		b.dev.Regression(p.dev.Slice(last, d), z.dev.Slice(last, d), one.dev, 1, d, scale, false)
		want := b.ref.Regression(p.ref, z.ref, dp.ref, n, d, scale, false)
		b.ref.Regression(p.ref, z.ref, added.ref, n, d, scale, true)
		hat, r := normalize(p.values, n, d)
		hatZ, _ := normalize(z.values, n, d)
		bound, more := make([]float64, n*d), make([]float64, n*d)
		for i, v := range b.want(dp) {
			bound[i] = 2*r[i/d]*scale*b.gamma(7*d+60)*(math.Abs(hat[i])+math.Abs(hatZ[i])) + 0x1p-126
			more[i] = bound[i] + b.gamma(1)*(math.Abs(added.values[i])+math.Abs(v))
		}
		tolerance := float64(n) * b.gamma(8*d+40+4*n)
		return first(
			within("loss", []float64{loss}, []float64{want}, []float64{tolerance}),
			same("loss elsewhere", []float64{lossAgain}, []float64{loss}),
			b.within(dp, bound), b.within(added, more),
			same("dp of the last row", b.got(one), b.got(dp)[last:]), b.intact(),
		)
	})
}

// With ε as above: γ(n)+ε of Σ|x̂_j|, and γ(n)+2ε+u of Σx̂_j². A zero row adds nothing.
func normalizedSums(b *bench) error {
	return cases(vectors(), func(m matrix) error {
		b.begin(m.Rows, m.C)
		n, d := m.Rows, m.C
		values := b.normals(n * d)
		if n > 1 {
			clear(values[:d])
		}
		x := b.input("x", values)
		got, again, want, bound := unset(2*d), unset(2*d), unset(2*d), make([]float64, 2*d)
		b.dev.NormalizedSums(x.dev, n, d, got)
		b.dev.NormalizedSums(b.moved(x).dev, n, d, again)
		b.ref.NormalizedSums(x.ref, n, d, want)
		hat, _ := normalize(x.values, n, d)
		for i, v := range hat {
			bound[i%d] += b.gamma(n+d/2+4) * math.Abs(v)
			bound[d+i%d] += b.gamma(n+d+9) * v * v
		}
		return first(within("sums", got, want, bound), same("sums elsewhere", again, got), b.intact())
	})
}

// With R the range of a row's logits: a term exp(x−max) has the relative error (R+4)u, R for the difference and 4 for
// exp itself; their sum classes·u more, which is the absolute error of its logarithm; log's own rounding and the
// last additions at most (2R+28)u: (classes+3R+32)u a row. A probability is off by (classes+2R+10)u of itself, and 1
// is subtracted from that of the label.
func crossEntropy(b *bench) error {
	return cases([]matrix{{1, 1}, {3, 2}, {8, 5}, {33, 10}, {7, 100}, {4, 1000}}, func(m matrix) error {
		b.begin(m.Rows, m.C)
		n, classes := m.Rows, m.C
		const scale = 0.25
		xs, labels := make([]float64, n*classes), make([]int32, n)
		for i := range xs {
			xs[i] = 5 * b.rng.NormFloat64()
		}
		for i := range labels {
			labels[i] = int32(b.rng.IntN(classes))
			if row := xs[i*classes : (i+1)*classes]; i%3 == 0 {
				labels[i] = int32(slices.Index(row, slices.Max(row)))
			}
			if i%5 == 4 {
				labels[i] = -1
			}
		}
		x, dx := b.input("x", xs), b.output("dx", n*classes)
		loss, correct := b.dev.CrossEntropy(x.dev, labels, dx.dev, n, classes, scale)
		elsewhere := b.output("dx elsewhere", n*classes)
		lossAgain, _ := b.dev.CrossEntropy(b.moved(x).dev, labels, elsewhere.dev, n, classes, scale)
		want, wantCorrect := b.ref.CrossEntropy(x.ref, labels, dx.ref, n, classes, scale)
		if correct != wantCorrect {
			return fmt.Errorf("correct: got %d, want %d", correct, wantCorrect)
		}
		tolerance, bound := 0.0, make([]float64, n*classes)
		for i, g := range b.want(dx) {
			row := x.values[i/classes*classes : (i/classes+1)*classes]
			spread := int(math.Ceil(slices.Max(row) - slices.Min(row)))
			share := math.Abs(g)
			if i%classes == int(labels[i/classes]) {
				share = 2 * scale
			}
			bound[i] = b.gamma(classes+2*spread+10)*share + 0x1p-120
			if i%classes == 0 {
				tolerance += b.gamma(classes + 3*spread + 32 + n)
			}
		}
		return first(
			within("loss", []float64{loss}, []float64{want}, []float64{tolerance}),
			same("loss elsewhere", []float64{lossAgain}, []float64{loss}), b.within(dx, bound), b.intact(),
		)
	})
}
