package cpu

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// The sets of transforms agree with that in plain Go to a few roundings of the largest intermediate value, and write
// nothing else.
func TestWinogradTransforms(t *testing.T) {
	const channels, pad, panel, sentinel = 48, 24, 100, 12345
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name    string
		in, out int // sides
		growth  float64
		run     func(k *kernels, in, out *float32, tin, tout **float32)
	}{
		{name: "input", in: 6, out: 6, growth: 100, run: func(k *kernels, _, out *float32, tin, _ **float32) {
			k.winoInput(channels, tin, 6, out, 400, panel)
		}},
		{name: "gradient", in: 4, out: 6, growth: 225, run: func(k *kernels, _, out *float32, tin, _ **float32) {
			k.winoGrad(channels, tin, 6, out, 400, panel)
		}},
		{name: "output", in: 6, out: 4, growth: 361, run: func(k *kernels, in, _ *float32, _, tout **float32) {
			k.winoOutput(channels, in, 56, tout, 6)
		}},
		{name: "filter", in: 3, out: 6, growth: 1, run: func(k *kernels, in, out *float32, _, _ **float32) {
			k.winoFilter(channels, in, 56, out, 400)
		}},
		{name: "filter gradient", in: 6, out: 3, growth: 4, run: func(k *kernels, in, out *float32, _, _ **float32) {
			k.winoFilterGrad(channels, in, 56, out, 400)
		}},
	} {
		in := make([]float32, 36*56+pad)
		for i := range in {
			in[i] = float32(rng.Float64()*2 - 1)
		}
		all := sets()
		out := make([][]float32, len(all))
		for i, k := range all {
			out[i] = make([]float32, 36*400+3*panel)
			for j := range out[i] {
				out[i][j] = sentinel
			}
			tin, tout := make([]*float32, 36), make([]*float32, 36)
			for j := range tin {
				// Positions lie in no order.
				tin[j], tout[j] = &in[(j*29%36)*56], &out[i][(j*23%36)*400]
			}
			c.run(k, &in[0], &out[i][0], unsafe.SliceData(tin), unsafe.SliceData(tout))
		}
		written := 0
		for j, want := range out[len(all)-1] {
			if want != sentinel {
				written++
			}
			for i, k := range all {
				if e := math.Abs(float64(out[i][j] - want)); e > 20*unit*c.growth {
					t.Fatalf("%s by %s: element %d is %g, in plain Go %g", c.name, k.isa, j, out[i][j], want)
				}
			}
		}
		if want := c.out * c.out * channels; written != want {
			t.Errorf("%s: %d elements written, want %d", c.name, written, want)
		}
	}
}
