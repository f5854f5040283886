package views

import (
	"math"
	"slices"
	"testing"

	"byol/worker/data/random"
)

// noise gives n values in [0, 1], some at the ends, from a seed.
func noise(n int, seed uint64) []float32 {
	out := make([]float32, n)
	for i := range out {
		switch x := random.Mix(seed<<32 + uint64(i)); x % 8 {
		case 0:
			out[i] = 0
		case 1:
			out[i] = 1
		case 2:
			out[i] = float32(x>>20%5) / 4
		default:
			out[i] = float32(x>>40) / (1 << 24)
		}
	}
	return out
}

func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

// TestKernelsGiveTheSameBits compares the fastest kernels with those in plain Go, at all lengths around whole
// vectors.
func TestKernelsGiveTheSameBits(t *testing.T) {
	fast, slow := best(), generic()
	if fast.name == slow.name {
		t.Skip("this processor runs the kernels in plain Go")
	}
	for n := 1; n < 90; n++ {
		for trial := range 8 {
			seed := uint64(100*n + trial)
			r, g, b := noise(n, seed), noise(n, seed+1e6), noise(n, seed+2e6)
			k := noise(1, seed+3e6)[0]
			for _, c := range []struct {
				name string
				do   func(k *kernels, p [3][]float32)
			}{
				{"brightness", func(set *kernels, p [3][]float32) { set.brightness(p[0], k-0.5) }},
				{"contrast", func(set *kernels, p [3][]float32) { set.contrast(p[0], 0.6+0.8*k, p[1][0]) }},
				{"saturation", func(set *kernels, p [3][]float32) { set.saturation(p[0], p[1], p[2], 2*k) }},
				{"hue", func(set *kernels, p [3][]float32) { set.hue(p[0], p[1], p[2], 6*(k-0.5)) }},
				{"no hue", func(set *kernels, p [3][]float32) { set.hue(p[0], p[1], p[2], 0) }},
				{"grayscale", func(set *kernels, p [3][]float32) { set.grayscale(p[0], p[1], p[2]) }},
				{"solarize", func(set *kernels, p [3][]float32) { set.solarize(p[0]) }},
				{"normalise", func(set *kernels, p [3][]float32) {
					out, x := make([]float32, 3*n), [3]float32{k, 0.5, 0.1}
					set.normalise(out, &p, &x, &x)
					copy(p[0], out)
					copy(p[1], out[n:])
					copy(p[2], out[2*n:])
				}},
				{"sum", func(set *kernels, p [3][]float32) {
					sums := [8]float64{1, 2, 3, 4, 5, 6, 7, float64(k)}
					set.sum(p[0], &sums)
					p[0] = p[0][:0]
					for i := range p[1] {
						p[1][i] = float32(sums[i%8])
					}
				}},
				{"convolve across", func(set *kernels, p [3][]float32) {
					set.convolve(p[0], slices.Repeat(p[1], 8)[:n+2*(trial%4)], 1, noise(1+trial%4, seed))
				}},
				{"convolve down", func(set *kernels, p [3][]float32) {
					set.convolve(p[0], slices.Concat(p[1], p[2], p[1]), n, []float32{k, 0.25})
				}},
			} {
				got := [3][]float32{slices.Clone(r), slices.Clone(g), slices.Clone(b)}
				want := [3][]float32{slices.Clone(r), slices.Clone(g), slices.Clone(b)}
				c.do(fast, got)
				c.do(slow, want)
				for i := range got {
					if !sameBits(got[i], want[i]) {
						t.Fatalf("%s of %v, %v, %v with %g: channel %d is\n%v, want\n%v", c.name, r, g, b, k, i,
							got[i], want[i])
					}
				}
			}
		}
	}
}

// TestBlendsGiveTheSameBits: the two passes of the resize, also where nothing may be read behind the row.
func TestBlendsGiveTheSameBits(t *testing.T) {
	fast, slow := best(), generic()
	if fast.name == slow.name {
		t.Skip("this processor runs the kernels in plain Go")
	}
	for width := 1; width < 60; width++ {
		var src [4][]byte
		for k := range src {
			for i := range 3 * width {
				src[k] = append(src[k], byte(random.Mix(uint64(1000*width+100*k+i))))
			}
		}
		w := makeTap(1, 7, 9+width, true).w
		got, want := make([]float32, 3*width), make([]float32, 3*width)
		fast.blendRows(got, &src, &w)
		slow.blendRows(want, &src, &w)
		if !sameBits(got, want) {
			t.Fatalf("blend rows of %d pixels:\n%v, want\n%v", width, got, want)
		}
		for size := 1; size < 40; size += 3 {
			taps := make([]tap, size)
			for i := range taps {
				taps[i] = makeTap(i, width, size, false)
				for k := range taps[i].at {
					taps[i].at[k] *= 3
				}
			}
			for _, room := range []int{0, 1} {
				row := append(make([]float32, 0, 3*width+room), want...)
				var a, b [3][]float32
				for c := range a {
					a[c], b[c] = make([]float32, size), make([]float32, size)
				}
				fast.blendColumns(a[0], a[1], a[2], row, taps)
				slow.blendColumns(b[0], b[1], b[2], row, taps)
				for c := range a {
					if !sameBits(a[c], b[c]) {
						t.Fatalf("blend %d pixels to %d, channel %d:\n%v, want\n%v", width, size, c, a[c], b[c])
					}
				}
			}
		}
	}
}
