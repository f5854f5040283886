package reference_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"byol/model/device"
	"byol/model/device/reference"
)

// upload returns a buffer that holds the values.
func upload(t *testing.T, dev device.Device, values []float64) device.Buffer {
	t.Helper()
	b, err := dev.Alloc(len(values))
	if err != nil {
		t.Fatal(err)
	}
	dev.Upload64(b, values)
	return b
}

func download(dev device.Device, b device.Buffer) []float64 {
	out := make([]float64, b.Len)
	dev.Download64(out, b)
	return out
}

func normals(rng *rand.Rand, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = rng.NormFloat64()
	}
	return out
}

// shapes has every feature of a convolution once: a linear layer, a pointwise one, strides, large windows,
// symmetric and asymmetric padding, a plan larger than the call (which has 2 images).
var shapes = []device.ConvShape{
	{N: 2, H: 1, W: 1, C: 5, OH: 1, OW: 1, K: 4, KH: 1, KW: 1, Stride: 1},
	{N: 2, H: 3, W: 4, C: 3, OH: 3, OW: 4, K: 2, KH: 1, KW: 1, Stride: 1},
	{N: 3, H: 5, W: 5, C: 2, OH: 3, OW: 3, K: 3, KH: 1, KW: 1, Stride: 2},
	{N: 2, H: 4, W: 5, C: 2, OH: 4, OW: 5, K: 3, KH: 3, KW: 3, Stride: 1, PadTop: 1, PadLeft: 1},
	{N: 2, H: 4, W: 4, C: 2, OH: 2, OW: 2, K: 3, KH: 3, KW: 3, Stride: 2},
	{N: 2, H: 4, W: 4, C: 2, OH: 2, OW: 2, K: 3, KH: 3, KW: 3, Stride: 2, PadTop: 1, PadLeft: 1},
	{N: 5, H: 8, W: 8, C: 1, OH: 4, OW: 4, K: 2, KH: 7, KW: 7, Stride: 2, PadTop: 2, PadLeft: 3},
	{N: 2, H: 4, W: 3, C: 2, OH: 3, OW: 3, K: 2, KH: 2, KW: 1, Stride: 1},
}

// The definition, loop by loop: out[i,oy,ox,k] = Σ x[i,oy·s+ky−pad,ox·s+kx−pad,c]·w[k,ky,kx,c].
// It calls visit with the offsets of each product in x, w and y.
func definition(s device.ConvShape, n int, visit func(x, w, y int)) {
	for i := range n * s.OH * s.OW * s.K * s.KH * s.KW * s.C {
		c, r := i%s.C, i/s.C
		kx, r := r%s.KW, r/s.KW
		ky, r := r%s.KH, r/s.KH
		k, r := r%s.K, r/s.K
		ox, r := r%s.OW, r/s.OW
		oy, image := r%s.OH, r/s.OH
		py, px := oy*s.Stride+ky-s.PadTop, ox*s.Stride+kx-s.PadLeft
		if py >= 0 && py < s.H && px >= 0 && px < s.W {
			visit(((image*s.H+py)*s.W+px)*s.C+c, ((k*s.KH+ky)*s.KW+kx)*s.C+c, ((image*s.OH+oy)*s.OW+ox)*s.K+k)
		}
	}
}

func TestConvolutionIsItsDefinition(t *testing.T) {
	dev := reference.New(64)
	for _, s := range shapes {
		rng := rand.New(rand.NewPCG(1, 2))
		const n = 2
		x, w := normals(rng, n*s.H*s.W*s.C), normals(rng, s.K*s.KH*s.KW*s.C)
		dy := normals(rng, n*s.OH*s.OW*s.K)
		y, dx, dw := make([]float64, len(dy)), make([]float64, len(x)), make([]float64, len(w))
		definition(s, n, func(xi, wi, yi int) {
			y[yi] += x[xi] * w[wi]
			dx[xi] += dy[yi] * w[wi]
			dw[wi] += dy[yi] * x[xi]
		})
		conv, err := dev.Conv(s)
		if err != nil {
			t.Fatal(err)
		}
		bx, bw, bdy := upload(t, dev, x), upload(t, dev, w), upload(t, dev, dy)
		by, bdx, bdw := upload(t, dev, dy), upload(t, dev, x), upload(t, dev, w)
		conv.Pack(bw)
		conv.Forward(bx, by, n)
		conv.BackwardData(bdy, bdx, n)
		conv.BackwardWeights(bx, bdy, bdw, n, false)
		for _, c := range []struct {
			name      string
			got, want []float64
		}{
			{"forward", download(dev, by), y},
			{"backward data", download(dev, bdx), dx},
			{"backward weights", download(dev, bdw), dw},
		} {
			for i, want := range c.want {
				if math.Abs(c.got[i]-want) > 1e-12 {
					t.Errorf("%s of %+v, element %d: got %g, want %g", c.name, s, i, c.got[i], want)
					break
				}
			}
		}
	}
}

// Goroutines of the matrix products share the work by output blocks, so their number leaves no trace.
func TestBitsDoNotDependOnThreads(t *testing.T) {
	dev := reference.New(32)
	s := device.ConvShape{
		N: 2, H: 16, W: 16, C: 40, OH: 16, OW: 16, K: 130, KH: 3, KW: 3, Stride: 1, PadTop: 1, PadLeft: 1,
	}
	rng := rand.New(rand.NewPCG(3, 4))
	x, w := upload(t, dev, normals(rng, 2*s.H*s.W*s.C)), upload(t, dev, normals(rng, s.K*9*s.C))
	dy := upload(t, dev, normals(rng, 2*s.OH*s.OW*s.K))
	conv, err := dev.Conv(s)
	if err != nil {
		t.Fatal(err)
	}
	conv.Pack(w)
	results := func() []float64 {
		zero := func(n int) device.Buffer { return upload(t, dev, make([]float64, n)) }
		y, dx, dw := zero(dy.Len), zero(x.Len), zero(w.Len)
		conv.Forward(x, y, 2)
		conv.BackwardData(dy, dx, 2)
		conv.BackwardWeights(x, dy, dw, 2, false)
		return slices.Concat(download(dev, y), download(dev, dx), download(dev, dw))
	}
	want := results()
	for _, threads := range []int{1, 3, 8} {
		old := runtime.GOMAXPROCS(threads)
		got := results()
		runtime.GOMAXPROCS(old)
		for i := range want {
			if math.Float64bits(got[i]) != math.Float64bits(want[i]) {
				t.Fatalf("%d threads, element %d: got %.17g, want the bits of %.17g", threads, i, got[i], want[i])
			}
		}
	}
}

// A caller's mistake panics before anything is written.
func TestMistakesPanic(t *testing.T) {
	dev, other := reference.New(32), reference.New(64)
	four, two := upload(t, dev, []float64{1, 2, 3, 4}), upload(t, dev, []float64{5, 6})
	foreign := upload(t, other, []float64{1, 2, 3, 4})
	linear := device.ConvShape{N: 2, H: 1, W: 1, C: 2, OH: 1, OW: 1, K: 2, KH: 1, KW: 1, Stride: 1, NoBackward: true}
	conv, err := dev.Conv(linear)
	if err != nil {
		t.Fatal(err)
	}
	fresh, _ := dev.Conv(linear)
	conv.Pack(four)
	tests := []struct {
		name    string
		mistake func()
		want    string
	}{
		{"short output", func() { conv.Forward(four, two, 2) }, "convolution output: have 2 elements, want 4"},
		{"more images than planned", func() { conv.Forward(four, four, 3) }, "convolution of 3 images, planned for 2"},
		{"not packed", func() { fresh.Forward(four, four, 2) }, "before Pack"},
		{"a pass that was excluded", func() { conv.BackwardData(four, two, 1) }, "without it"},
		{"foreign buffer", func() { dev.AddBias(two, foreign, 1, 2) }, "buffer of another device"},
		{"absent buffer", func() { dev.AddBias(two, device.Buffer{}, 1, 2) }, "buffer of another device or none"},
		{"short statistics", func() { dev.BatchNormSums(four, 2, 2, make([]float64, 3)) }, "have 3 elements, want 4"},
		{"upload of another length", func() { dev.Upload(two, make([]float32, 1)) }, "device has 2 elements, host 1"},
		{"a label too large", func() { dev.CrossEntropy(two, []int32{2}, two, 1, 2, 1) }, "label 2 of 2 classes"},
		{"a pool of padding", func() {
			dev.MaxPool(device.PoolShape{H: 1, W: 1, C: 1, OH: 2, OW: 1, Window: 1, Stride: 1}, four, two, 1)
		}, "padding alone"},
		{"an element type that is none", func() { reference.New(16) }, "no element type of 16 bits"},
	}
	for _, tt := range tests {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, tt.want) || !strings.HasPrefix(got, "reference: ") {
					t.Errorf("%s: got panic %q, want \"reference: …%s\"", tt.name, got, tt.want)
				}
			}()
			tt.mistake()
		}()
	}
	if got := download(dev, two); got[0] != 5 || got[1] != 6 {
		t.Errorf("after the panics: got %v, want [5 6]", got)
	}
}

func TestHostMemory(t *testing.T) {
	if _, ok := reference.New(64).(device.HostMemory); ok {
		t.Error("the 64-bit device claims that its memory is float32")
	}
	dev := reference.New(32)
	b := upload(t, dev, []float64{1, 2, 3})
	dev.(device.HostMemory).Host(b.Slice(1, 2))[0] = 7
	if got := download(dev, b); got[0] != 1 || got[1] != 7 || got[2] != 3 {
		t.Errorf("written through the host view: got %v, want [1 7 3]", got)
	}
}
