package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"byol/model/device"
)

// everyISA is opts with each of the kernel sets that this processor runs.
func everyISA(opts Options) []Options {
	var all []Options
	for _, isa := range ISAs() {
		opts.ISA = isa
		all = append(all, opts)
	}
	return all
}

// openTwins opens a device of each set of assembly, or skips the test where there is but one.
func openTwins(t testing.TB, opts Options) (wide, narrow *Device) {
	t.Helper()
	if !slices.Contains(ISAs(), AVX512) {
		t.Skipf("this processor runs %v", ISAs())
	}
	opts.ISA = AVX512
	wide = open(t, opts)
	opts.ISA = AVX2
	return wide, open(t, opts)
}

// AVX-512 gives AVX2's bits in all passes of all convolutions of our networks, by tiles and directly, edges included:
// the last tiles of 7² and 28² reach over them.
func TestLayersHaveOneSetOfBits(t *testing.T) {
	for _, c := range benchShapes() {
		s := c.s
		s.N = min(s.N, 1+112/(s.OH*s.OW)) // of 4² eight, so that weights go by tiles
		for _, direct := range []bool{false, true} {
			if direct && (!winograd(s) || testing.Short()) {
				continue
			}
			t.Run(fmt.Sprintf("%s/%dx%dx%d-%d-k%ds%d/direct=%t", c.net, s.H, s.W, s.C, s.K, s.KH, s.Stride, direct),
				func(t *testing.T) {
					wide, narrow := openTwins(t, Options{Threads: 2, Direct: direct})
					equalLayers(t, newLayer(t, wide, s), newLayer(t, narrow, s), s.N)
				})
		}
	}
}

// equalLayers runs everything a step asks of two layers and compares the bits.
func equalLayers(t testing.TB, a, b *layer, n int) {
	t.Helper()
	a.passes(n)
	b.passes(n)
	equalBits(t, "y", a.y, b.y)
	equalBits(t, "dx", a.dx, b.dx)
	equalBits(t, "dw", a.dw, b.dw)
}

// So it does for any shape: channels that fill no panel, images that fill no tile, odd strides and paddings.
func TestAnyConvolutionHasOneSetOfBits(t *testing.T) {
	wide, narrow := openTwins(t, Options{Threads: 2})
	wideDirect, narrowDirect := openTwins(t, Options{Threads: 1, Direct: true})
	rapid.Check(t, func(r *rapid.T) {
		draw := func(what string, low, high int) int { return rapid.IntRange(low, high).Draw(r, what) }
		s := device.ConvShape{
			N: draw("images", 1, 3), H: draw("height", 1, 14), W: draw("width", 1, 14), C: draw("channels in", 1, 90),
			K: draw("channels out", 1, 120), KH: draw("kernel height", 1, 4), KW: draw("kernel width", 1, 4),
			Stride: draw("stride", 1, 3),
		}
		if rapid.Bool().Draw(r, "panels") {
			s.C, s.K, s.KH, s.KW, s.Stride = (s.C+15)&^15, (s.K+15)&^15, 3, 3, 1
		}
		s.PadTop, s.PadLeft = draw("padding above", 0, s.KH-1), draw("padding to the left", 0, s.KW-1)
		s.OH, s.OW = (s.H+s.PadTop-1)/s.Stride+1, (s.W+s.PadLeft-1)/s.Stride+1
		equalLayers(t, newLayer(t, wide, s), newLayer(t, narrow, s), s.N)
		equalLayers(t, newLayer(t, wideDirect, s), newLayer(t, narrowDirect, s), s.N)
		if t.Failed() {
			r.Fatalf("the bits differ for %+v", s)
		}
	})
}

// numbers draws n of them, of every kind: NaN is left out, for which one of two comes out of a sum is not promised.
func numbers(t testing.TB, d *Device, n int, seed uint64) device.Buffer {
	b := random(t, d, n, seed)
	rng := rand.New(rand.NewPCG(seed, 2))
	special := []float32{0, float32(math.Copysign(0, -1)), 1e-42, -1e-42, math.MaxFloat32 / 4, float32(math.Inf(1))}
	for i, v := range d.Host(b) {
		if rng.IntN(20) == 0 {
			v = special[rng.IntN(len(special))]
		}
		d.Host(b)[i] = v
	}
	return b
}

// The other operations have one set of bits for any number of rows, columns and elements.
func TestAnyOperationHasOneSetOfBits(t *testing.T) {
	wide, narrow := openTwins(t, Options{Threads: 2})
	rapid.Check(t, func(r *rapid.T) {
		rows, c := rapid.IntRange(1, 230).Draw(r, "rows"), rapid.IntRange(1, 300).Draw(r, "columns")
		seed := rapid.Uint64().Draw(r, "seed")
		got, want := operations512(t, wide, rows, c, seed), operations512(t, narrow, rows, c, seed)
		for i := range want {
			for j, w := range want[i] {
				if g := got[i][j]; math.Float64bits(g) != math.Float64bits(w) && (g == g || w == w) {
					r.Fatalf("result %d[%d] of %d rows of %d: %g with AVX-512, %g with AVX2", i, j, rows, c, g, w)
				}
			}
		}
	})
}

// operations512 runs every operation that has kernels of two widths, and returns what they compute.
func operations512(t *testing.T, dev *Device, rows, c int, seed uint64) (results [][]float64) {
	d := dev.Scope().(*Device)
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	n := rows * c
	keep := func(b device.Buffer) {
		v := make([]float64, b.Len)
		d.Download64(v, b)
		results = append(results, v)
	}
	x, dy, residual := numbers(t, d, n, seed), random(t, d, n, seed+1), numbers(t, d, n, seed+2)
	y, dx, bias := random(t, d, n, seed+3), random(t, d, n, seed+4), random(t, d, c, seed+5)
	gamma, beta := random(t, d, c, seed+6), random(t, d, c, seed+7)
	mean, inv := make([]float64, c), make([]float64, c)
	for j := range c {
		mean[j], inv[j] = 0.1*float64(j%7), 1+0.01*float64(j)
	}
	sums, grads := make([]float64, 2*c), make([]float64, 2*c)
	d.BatchNormSums(x, rows, c, sums)
	results = append(results, slices.Clone(sums))
	for _, a := range []device.BatchNorm{{}, {ReLU: true}, {Residual: residual}, {Residual: residual, ReLU: true}} {
		a.Rows, a.C, a.X, a.Y, a.Gamma, a.Beta, a.Mean, a.InvStd = rows, c, x, y, gamma, beta, mean, inv
		d.BatchNormApply(a)
		keep(y)
	}
	for _, g := range []device.BatchNormGrad{{}, {Y: y}, {Beta: beta}} {
		g.Rows, g.C, g.DY, g.X, g.DX, g.Gamma, g.Mean, g.InvStd = rows, c, dy, x, dx, gamma, mean, inv
		d.BatchNormGradSums(g, grads)
		results = append(results, slices.Clone(grads))
		d.BatchNormGradApply(g, grads, float64(rows))
		keep(dx)
	}
	d.AddMasked(dy, residual, device.Buffer{}, dx, n)
	keep(dx)
	d.AddMasked(dy, device.Buffer{}, y, dx, n)
	keep(dx)
	d.AddMasked(dy, residual, y, dx, n)
	keep(dx)
	d.AddBias(dx, bias, rows, c)
	keep(dx)
	d.BiasGrad(dy, bias, rows, c)
	keep(bias)
	pool := device.PoolShape{H: rows, W: 1, C: c, OH: (rows + 1) / 2, OW: 1, Window: 3, Stride: 2, Pad: 1}
	d.MaxPool(pool, x, y, 1)
	keep(y)
	d.MaxPoolGrad(pool, x, dy, dx, 1)
	keep(dx)
	d.EMA(residual, dy, y, 0.0123)
	keep(y)
	d.LARS(device.LARS{W: y, G: dy, M: dx, W2: residual, M2: x, LR: 0.7, Momentum: 0.9, Decay: 1.5e-6, Eta: 1e-3,
		Adapt: true})
	keep(residual)
	keep(x)
	return results
}

func TestISAIsChosenByName(t *testing.T) {
	for _, isa := range append(ISAs(), "", Auto) {
		d := open(t, Options{Threads: 1, ISA: isa})
		want := isa
		if want == "" || want == Auto {
			want = ISAs()[0]
		}
		if d.ISA() != want {
			t.Errorf("asked for %q, got %s", isa, d.ISA())
		}
	}
	if d, err := New(Options{ISA: "mmx"}); err == nil {
		t.Errorf("mmx is %s", d.ISA())
	}
	if slices.Contains(ISAs(), AVX512) {
		wide, narrow := openTwins(t, Options{Threads: 1})
		plain := open(t, Options{Threads: 1, ISA: Generic})
		if wide.Fingerprint() != narrow.Fingerprint() || wide.Fingerprint() == plain.Fingerprint() {
			t.Errorf("fingerprints %q, %q and %q: want the first two alike, the third apart", wide.Fingerprint(),
				narrow.Fingerprint(), plain.Fingerprint())
		}
	}
}
