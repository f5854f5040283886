package cpu

import (
	"fmt"
	"math"
	"testing"

	"byol/model/device"
)

// winoShapes go by tiles; heights, widths and paddings leave tiles that stick out on every side, channels make
// several chunks, images several blocks and groups.
var winoShapes = []device.ConvShape{
	same(1, 64, 32, 64, 3, 1),
	same(30, 16, 32, 16, 3, 1),
	same(3, 16, 7, 48, 3, 1),
	same(9, 48, 4, 16, 3, 1),
	same(2, 16, 1, 16, 3, 1),
	same(20, 400, 4, 32, 3, 1),
	{N: 3, H: 9, W: 14, C: 32, OH: 7, OW: 12, K: 16, KH: 3, KW: 3, Stride: 1},
	{N: 3, H: 6, W: 11, C: 16, OH: 6, OW: 11, K: 32, KH: 3, KW: 3, Stride: 1, PadTop: 2, PadLeft: 0},
}

// An element computed by tiles differs from its exact value by at most γ(n)·M: n counts the roundings on the longest
// way through transforms and sum, M is what the tile's formula gives with the absolute values of everything in it
// (Higham, Accuracy and Stability of Numerical Algorithms, section 3.5). 40 is more than three transforms round.
func TestWinogradIsWithinItsBound(t *testing.T) {
	const transforms = 40
	for _, isa := range ISAs() {
		for _, s := range winoShapes {
			if isa == Generic {
				s.N = min(s.N, 2) // slow
			}
			t.Run(fmt.Sprintf("%s/%+v", isa, s), func(t *testing.T) {
				d := open(t, Options{Threads: 2, ISA: isa})
				l := newLayer(t, d, s)
				l.Pack(l.w)
				l.Forward(l.x, l.y, s.N)
				l.BackwardData(l.dy, l.dx, s.N)
				l.BackwardWeights(l.x, l.dy, l.dw, s.N, false)
				y, dx, dw := oracle(t, d, l, s.N, false)
				forward, backward := magnitudes(s), magnitudes(turned(s))
				x, dy, w := d.Host(l.x), d.Host(l.dy), d.Host(l.w)
				tiles := s.N * forward.th * forward.tw
				within(t, "y", d.Host(l.y), y, forward.pass(x, filters(w, s)), gamma(s.C+transforms))
				within(t, "dx", d.Host(l.dx), dx, backward.pass(dy, turnedFilters(w, s)), gamma(s.K+transforms))
				within(t, "dw", d.Host(l.dw), dw, forward.weights(x, dy), gamma(tiles+transforms))
			})
		}
	}
}

// turned is the convolution that backward-data is.
func turned(s device.ConvShape) device.ConvShape {
	return device.ConvShape{N: s.N, H: s.OH, W: s.OW, C: s.K, OH: s.H, OW: s.W, K: s.C,
		PadTop: filterSide - 1 - s.PadTop, PadLeft: filterSide - 1 - s.PadLeft}
}

// filters are the weights as a function of output channel, tap and input channel.
func filters(w []float32, s device.ConvShape) func(k, tap, c int) float32 {
	return func(k, tap, c int) float32 { return w[(k*filterTaps+tap)*s.C+c] }
}

func turnedFilters(w []float32, s device.ConvShape) func(k, tap, c int) float32 {
	return func(k, tap, c int) float32 { return w[(c*filterTaps+filterTaps-1-tap)*s.C+k] }
}

// absolute computes the formula of a tile with absolute values, in float64.
type absolute struct {
	s      device.ConvShape
	th, tw int
}

func magnitudes(s device.ConvShape) absolute {
	return absolute{s: s, th: (s.OH + 3) / 4, tw: (s.OW + 3) / 4}
}

// both is |m|·x·|m|ᵀ; x is side×side.
func (absolute) both(m [][]float32, side int, x func(r, c int) float32) []float64 {
	out := make([]float64, len(m)*len(m))
	for i := range m {
		for j := range m {
			for r := range side {
				for c := range side {
					f := math.Abs(float64(m[i][r])) * math.Abs(float64(m[j][c]))
					out[i*len(m)+j] += f * math.Abs(float64(x(r, c)))
				}
			}
		}
	}
	return out
}

// input is the transformed input of a tile, output the gradient's.
func (a absolute) input(x []float32, n, ty, tx, c int) []float64 {
	return a.both(winoB, winoIn, func(i, j int) float32 {
		y, x0 := ty*4-a.s.PadTop+i, tx*4-a.s.PadLeft+j
		if y < 0 || y >= a.s.H || x0 < 0 || x0 >= a.s.W {
			return 0
		}
		return x[((n*a.s.H+y)*a.s.W+x0)*a.s.C+c]
	})
}

func (a absolute) grad(dy []float32, n, ty, tx, k int) []float64 {
	return a.both(winoA.transposed(), winoOut, func(i, j int) float32 {
		y, x0 := ty*4+i, tx*4+j
		if y >= a.s.OH || x0 >= a.s.OW {
			return 0
		}
		return dy[((n*a.s.OH+y)*a.s.OW+x0)*a.s.K+k]
	})
}

// each calls f for all tiles.
func (a absolute) each(f func(n, ty, tx int)) {
	for i := range a.s.N * a.th * a.tw {
		f(i/(a.th*a.tw), i/a.tw%a.th, i%a.tw)
	}
}

func (a absolute) pass(x []float32, w func(k, tap, c int) float32) []float64 {
	u := make([][]float64, a.s.K*a.s.C)
	for i := range u {
		u[i] = a.both(winoG, filterSide, func(r, c int) float32 { return w(i/a.s.C, r*filterSide+c, i%a.s.C) })
	}
	out := make([]float64, a.s.N*a.s.OH*a.s.OW*a.s.K)
	a.each(func(n, ty, tx int) {
		v := make([][]float64, a.s.C)
		for c := range v {
			v[c] = a.input(x, n, ty, tx, c)
		}
		for k := range a.s.K {
			var m [winoPositions]float64
			for c := range v {
				for p, f := range u[k*a.s.C+c] {
					m[p] += f * v[c][p]
				}
			}
			tile := a.both(winoA, winoIn, func(r, c int) float32 { return float32(m[r*winoIn+c]) })
			for i, e := range tile {
				if y, x0 := ty*4+i/4, tx*4+i%4; y < a.s.OH && x0 < a.s.OW {
					out[((n*a.s.OH+y)*a.s.OW+x0)*a.s.K+k] = e
				}
			}
		}
	})
	return out
}

func (a absolute) weights(x, dy []float32) []float64 {
	sums := make([][winoPositions]float64, a.s.K*a.s.C)
	a.each(func(n, ty, tx int) {
		g := make([][]float64, a.s.K)
		for k := range g {
			g[k] = a.grad(dy, n, ty, tx, k)
		}
		for c := range a.s.C {
			v := a.input(x, n, ty, tx, c)
			for k := range g {
				for p := range v {
					sums[k*a.s.C+c][p] += v[p] * g[k][p]
				}
			}
		}
	})
	out := make([]float64, a.s.K*filterTaps*a.s.C)
	for i, u := range sums {
		taps := a.both(winoG.transposed(), winoIn, func(r, c int) float32 { return float32(u[r*winoIn+c]) })
		for tap, e := range taps {
			out[(i/a.s.C*filterTaps+tap)*a.s.C+i%a.s.C] = e
		}
	}
	return out
}

// The error of whole layers, for docs/bench: of tiles and of the definition, against float64.
func TestWinogradErrorIsKnown(t *testing.T) {
	for _, s := range []device.ConvShape{
		same(4, 64, 32, 64, 3, 1), same(4, 128, 16, 128, 3, 1), same(8, 512, 4, 512, 3, 1),
	} {
		var worst [2][3]float64
		for i, direct := range []bool{false, true} {
			d := open(t, Options{Threads: 2, Direct: direct})
			l := newLayer(t, d, s)
			l.passes(s.N)
			l.BackwardWeights(l.x, l.dy, l.dw, s.N, false)
			y, dx, dw := oracle(t, d, l, s.N, false)
			worst[i] = [3]float64{relative(d.Host(l.y), y), relative(d.Host(l.dx), dx), relative(d.Host(l.dw), dw)}
		}
		t.Logf("%d to %d channels at %d²: relative L2 error of y, dx, dw by tiles %.1e, direct %.1e",
			s.C, s.K, s.H, worst[0], worst[1])
		for i, name := range []string{"y", "dx", "dw"} {
			if most := 2e-5; worst[0][i] > most {
				t.Errorf("%d channels at %d²: relative L2 error of %s is %g, more than %g", s.C, s.H, name, worst[0][i], most)
			}
		}
	}
}

func relative(got []float32, want []float64) float64 {
	e, n := 0.0, 0.0
	for i, w := range want {
		d := float64(got[i]) - w
		e, n = e+d*d, n+w*w
	}
	return math.Sqrt(e / n)
}
