package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"byol/model/device"
)

// same is a convolution with PyTorch's padding.
func same(n, c, size, k, kernel, stride int) device.ConvShape {
	pad := kernel / 2
	out := (size+2*pad-kernel)/stride + 1
	return device.ConvShape{
		N: n, H: size, W: size, C: c, OH: out, OW: out, K: k, KH: kernel, KW: kernel, Stride: stride,
		PadTop: pad, PadLeft: pad,
	}
}

// bitShapes are large enough that one call has many jobs: several blocks of pixels, chunks of channels, parts of
// weight gradients, and classes of positions.
var bitShapes = []device.ConvShape{
	same(9, 3, 32, 16, 3, 1),
	same(9, 16, 32, 16, 3, 1),
	same(9, 16, 32, 32, 3, 2),
	same(5, 64, 16, 64, 3, 1),
	same(5, 64, 16, 128, 1, 2),
	same(4, 128, 8, 40, 3, 1),
	same(2, 3, 33, 24, 7, 2),
	same(70, 512, 1, 160, 1, 1),
}

// random allocates n numbers that follow from the seed.
func random(t testing.TB, d *Device, n int, seed uint64) device.Buffer {
	t.Helper()
	b, err := d.Alloc(n)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	for i := range d.Host(b) {
		d.Host(b)[i] = float32(rng.NormFloat64())
	}
	return b
}

// layer is a convolution with operands.
type layer struct {
	device.Conv
	s               device.ConvShape
	x, y, dy, dx    device.Buffer
	w, dw           device.Buffer
	inSize, outSize int
}

func newLayer(t testing.TB, d *Device, s device.ConvShape) *layer {
	t.Helper()
	c, err := d.Conv(s)
	if err != nil {
		t.Fatal(err)
	}
	l := &layer{Conv: c, s: s, inSize: s.H * s.W * s.C, outSize: s.OH * s.OW * s.K}
	weights := s.K * s.KH * s.KW * s.C
	l.x, l.dx = random(t, d, s.N*l.inSize, 1), random(t, d, s.N*l.inSize, 2)
	l.y, l.dy = random(t, d, s.N*l.outSize, 3), random(t, d, s.N*l.outSize, 4)
	l.w, l.dw = random(t, d, weights, 5), random(t, d, weights, 6)
	return l
}

// passes runs everything a step asks of a convolution.
func (l *layer) passes(n int) {
	l.Pack(l.w)
	l.Forward(l.x, l.y, n)
	l.BackwardData(l.dy, l.dx, n)
	l.BackwardWeights(l.x, l.dy, l.dw, n, false)
	l.BackwardWeights(l.x, l.dy, l.dw, n, true)
}

// 1, 2 and 3 threads give the same bits, for all kernel sets.
func TestThreadsDoNotChangeBits(t *testing.T) {
	for _, isa := range ISAs() {
		for _, s := range append(bitShapes, winoShapes...) {
			if isa == Generic {
				s.N = min(s.N, 2) // slow
			}
			t.Run(fmt.Sprintf("%s/%+v", isa, s), func(t *testing.T) {
				one := newLayer(t, open(t, Options{Threads: 1, ISA: isa}), s)
				one.passes(s.N)
				for _, threads := range []int{2, 3} {
					many := newLayer(t, open(t, Options{Threads: threads, ISA: isa}), s)
					many.passes(s.N)
					for _, r := range []struct {
						name      string
						got, want device.Buffer
					}{{"y", many.y, one.y}, {"dx", many.dx, one.dx}, {"dw", many.dw, one.dw}} {
						equalBits(t, fmt.Sprintf("%s with %d threads", r.name, threads), r.got, r.want)
					}
				}
			})
		}
	}
}

func equalBits(t testing.TB, what string, got, want device.Buffer) {
	t.Helper()
	a, b := got.Mem.(*memory).owner.open[0].Host(got), want.Mem.(*memory).owner.open[0].Host(want)
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			t.Errorf("%s: element %d of %d is %g, want %g", what, i, len(a), a[i], b[i])
			return
		}
	}
}

// An image alone gives the same bits as the same image among others, at any position.
func TestImagesDoNotMeet(t *testing.T) {
	for _, s := range append(bitShapes, winoShapes...) {
		d := open(t, Options{Threads: 2})
		l := newLayer(t, d, s)
		l.passes(s.N)
		y, dx := slices.Clone(d.Host(l.y)), slices.Clone(d.Host(l.dx))
		i := s.N - 1
		in, out := l.inSize, l.outSize
		l.Forward(l.x.Slice(i*in, in), l.y.Slice(0, out), 1)
		l.BackwardData(l.dy.Slice(i*out, out), l.dx.Slice(0, in), 1)
		if got := d.Host(l.y)[:out]; !slices.Equal(got, y[i*out:]) {
			t.Errorf("%+v: forward of image %d alone differs", s, i)
		}
		if got := d.Host(l.dx)[:in]; !slices.Equal(got, dx[i*in:]) {
			t.Errorf("%+v: backward-data of image %d alone differs", s, i)
		}
	}
}

func TestStepAllocatesNothing(t *testing.T) {
	for _, threads := range []int{1, 2} {
		d := open(t, Options{Threads: threads})
		l := newLayer(t, d, same(9, 16, 32, 32, 3, 1))
		rows, c := 9*32*32, 32
		mean, inv, sums := make([]float64, c), make([]float64, c), make([]float64, 2*c)
		gamma, labels := random(t, d, c, 7), make([]int32, 100)
		grad := device.BatchNormGrad{
			Rows: rows, C: c, DY: l.dy, X: l.y, Y: l.y, DX: l.dy, Gamma: gamma, Mean: mean, InvStd: inv,
		}
		pool := device.PoolShape{H: 32, W: 32, C: c, OH: 16, OW: 16, Window: 3, Stride: 2, Pad: 1}
		w2, m, m2 := random(t, d, l.w.Len, 8), random(t, d, l.w.Len, 9), random(t, d, l.w.Len, 10)
		step := func() {
			l.passes(9)
			d.BatchNormSums(l.y, rows, c, sums)
			d.BatchNormApply(device.BatchNorm{
				Rows: rows, C: c, X: l.y, Y: l.y, Residual: l.dy, ReLU: true, Gamma: gamma, Beta: gamma, Mean: mean, InvStd: inv,
			})
			d.BatchNormGradSums(grad, sums)
			d.BatchNormGradApply(grad, sums, float64(rows))
			d.AddMasked(l.y, l.dy, l.y, l.y, l.y.Len)
			d.AddBias(l.y, gamma, rows, c)
			d.BiasGrad(l.y, gamma, rows, c)
			d.MaxPool(pool, l.y, l.dx, 9)
			d.AvgPool(l.y, l.dx, 9, 32*32, c)
			d.Regression(l.x, l.y, l.dx, 100, 64, 1, true)
			d.CrossEntropy(l.x, labels, l.dx, 100, 64, 1)
			d.NormalizedSums(l.x, 100, c, sums)
			d.LARS(device.LARS{W: l.w, G: l.dw, M: m, W2: w2, M2: m2, LR: 1, Momentum: 0.9, Decay: 1e-6, Eta: 1e-3, Adapt: true})
			d.EMA(l.w, w2, l.w, 0.01)
			d.Fill(l.dw, 0)
		}
		if n := testing.AllocsPerRun(3, step); n != 0 {
			t.Errorf("a step with %d threads allocates %g times, want 0", threads, n)
		}
	}
}

func TestCloseEndsThreads(t *testing.T) {
	before := runtime.NumGoroutine()
	d, err := New(Options{Threads: 5})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := runtime.NumGoroutine(), before+4; got != want {
		t.Errorf("%d goroutines with 5 threads, want %d", got, want)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	// Close waits for the last statement of each goroutine; the runtime counts it a moment longer.
	for i := 0; i < 1000 && runtime.NumGoroutine() > before; i++ {
		time.Sleep(time.Millisecond)
	}
	if got := runtime.NumGoroutine(); got > before {
		t.Errorf("%d goroutines after Close, want %d", got, before)
	}
	one, err := New(Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	if got := runtime.NumGoroutine(); got > before {
		t.Errorf("%d goroutines with 1 thread, want %d", got, before)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, threads := range []int{-1, 1 << 20} {
		if d, err := New(Options{Threads: threads}); err == nil {
			d.Close()
			t.Errorf("New with %d threads: no error", threads)
		}
	}
}

// A wrong operand panics.
func TestWrongOperandsPanic(t *testing.T) {
	d, other := open(t, Options{Threads: 1}), open(t, Options{Threads: 1})
	short, long, foreign := random(t, d, 10, 1), random(t, d, 100, 2), random(t, other, 100, 3)
	for _, c := range []struct {
		name string
		call func()
	}{
		{"short bias", func() { d.AddBias(long, short, 5, 20) }},
		{"foreign bias", func() { d.AddBias(long, foreign, 5, 20) }},
		{"no columns", func() { d.AddBias(long, short, 5, 0) }},
		{"short upload", func() { d.Upload(short, make([]float32, 11)) }},
		{"label too large", func() { d.CrossEntropy(long, []int32{10}, long, 1, 10, 1) }},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", c.name)
				}
			}()
			c.call()
		}()
	}
}
