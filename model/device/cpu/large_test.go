package cpu

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"byol/model/device"
	"byol/model/device/reference"
)

// The exam's shapes are small. Here a call has many blocks, parts and jobs, and the oracle says what is right.

// unit is the rounding unit of float32; gamma(n) bounds the relative error of a sum of n products.
const unit = 0x1p-24

func gamma(n int) float64 { return float64(n) * unit / (1 - float64(n)*unit) }

// oracle computes a convolution of the magnitudes or the values of l's operands in float64.
func oracle(t *testing.T, d *Device, l *layer, n int, magnitudes bool) (y, dx, dw []float64) {
	t.Helper()
	ref := reference.New(64)
	place := func(b device.Buffer) device.Buffer {
		values := slices.Clone(d.Host(b))
		if magnitudes {
			for i, v := range values {
				values[i] = float32(math.Abs(float64(v)))
			}
		}
		out, err := ref.Alloc(b.Len)
		if err != nil {
			t.Fatal(err)
		}
		ref.Upload(out, values)
		return out
	}
	c, err := ref.Conv(l.s)
	if err != nil {
		t.Fatal(err)
	}
	x, dy, outY, outDX, outDW := place(l.x), place(l.dy), place(l.y), place(l.dx), place(l.dw)
	c.Pack(place(l.w))
	c.Forward(x, outY, n)
	c.BackwardData(dy, outDX, n)
	c.BackwardWeights(x, dy, outDW, n, false)
	read := func(b device.Buffer) []float64 {
		v := make([]float64, b.Len)
		ref.Download64(v, b)
		return v
	}
	return read(outY), read(outDX), read(outDW)
}

func TestLargeConvolutions(t *testing.T) {
	for _, s := range bitShapes {
		t.Run(fmt.Sprintf("%+v", s), func(t *testing.T) {
			d := open(t, Options{Threads: 2, Direct: true})
			l := newLayer(t, d, s)
			l.Pack(l.w)
			l.Forward(l.x, l.y, s.N)
			l.BackwardData(l.dy, l.dx, s.N)
			l.BackwardWeights(l.x, l.dy, l.dw, s.N, false)
			y, dx, dw := oracle(t, d, l, s.N, false)
			sizeY, sizeDX, sizeDW := oracle(t, d, l, s.N, true)
			within(t, "y", d.Host(l.y), y, sizeY, gamma(s.KH*s.KW*s.C))
			within(t, "dx", d.Host(l.dx), dx, sizeDX, gamma(s.KH*s.KW*s.K))
			within(t, "dw", d.Host(l.dw), dw, sizeDW, gamma(s.N*s.OH*s.OW))
		})
	}
}

// within checks |got−want| ≤ gamma·size element by element.
func within(t *testing.T, what string, got []float32, want, size []float64, gamma float64) {
	t.Helper()
	for i, w := range want {
		if e := math.Abs(float64(got[i]) - w); !(e <= gamma*size[i]) {
			t.Errorf("%s[%d] = %g, want %g ± %g", what, i, got[i], w, gamma*size[i])
			return
		}
	}
}

// columnsOf runs the sums and the applications of batch norm and the bias gradient, and returns all results.
func columnsOf(t *testing.T, dev device.Device, rows, c int) [][]float64 {
	t.Helper()
	host := open(t, Options{Threads: 1}) // draws the same numbers for every device
	place := func(n int, seed uint64) device.Buffer {
		b, err := dev.Alloc(n)
		if err != nil {
			t.Fatal(err)
		}
		dev.Upload(b, host.Host(random(t, host, n, seed)))
		return b
	}
	x, y, dy, dx := place(rows*c, 1), place(rows*c, 2), place(rows*c, 3), place(rows*c, 4)
	gamma, db := place(c, 5), place(c, 6)
	sums, grads := make([]float64, 2*c), make([]float64, 2*c)
	dev.BatchNormSums(x, rows, c, sums)
	mean, inv := make([]float64, c), make([]float64, c)
	for j := range c {
		mean[j], inv[j] = 0.3, 1.7
	}
	dev.BatchNormApply(device.BatchNorm{
		Rows: rows, C: c, X: x, Y: y, Residual: dy, ReLU: true, Gamma: gamma, Beta: gamma, Mean: mean, InvStd: inv,
	})
	g := device.BatchNormGrad{Rows: rows, C: c, DY: dy, X: x, Y: y, DX: dx, Gamma: gamma, Mean: mean, InvStd: inv}
	dev.BatchNormGradSums(g, grads)
	dev.BatchNormGradApply(g, grads, float64(rows))
	dev.BiasGrad(dy, db, rows, c)
	read := func(b device.Buffer) []float64 {
		v := make([]float64, b.Len)
		dev.Download64(v, b)
		return v
	}
	return [][]float64{sums, read(y), grads, read(dx), read(db)}
}

// Column sums of many blocks and strips are right, and the same with every number of threads. The tolerance is
// γ(rows)·rows for terms of size about 1, squared where the terms are products of three normal numbers.
func TestLargeColumns(t *testing.T) {
	for _, m := range [][2]int{{5000, 16}, {3000, 64}, {700, 300}, {1000, 37}} {
		rows, c := m[0], m[1]
		want := columnsOf(t, reference.New(64), rows, c)
		one := columnsOf(t, open(t, Options{Threads: 1}), rows, c)
		two := columnsOf(t, open(t, Options{Threads: 2}), rows, c)
		plain := columnsOf(t, open(t, Options{Threads: 2, ISA: Generic}), rows, c)
		for i, name := range []string{"sums", "y", "gradient sums", "dx", "db"} {
			if !slices.Equal(one[i], two[i]) {
				t.Errorf("%d rows of %d: %s differ between 1 and 2 threads", rows, c, name)
			}
			for j, w := range want[i] {
				for _, got := range []float64{one[i][j], plain[i][j]} {
					if math.Abs(got-w) > 4*gamma(rows)*float64(rows) {
						t.Fatalf("%d rows of %d: %s[%d] = %g, want %g", rows, c, name, j, got, w)
					}
				}
			}
		}
	}
}

// The updates have the same bits on every kernel set and number of threads, and the moving average those of
// three lines of Go, which is what the coordinator runs.
func TestUpdatesHaveTheBitsOfPlainGo(t *testing.T) {
	const n, rate = 3*vectorBlock + 13, 0.0123
	var want []float32
	for _, opts := range []Options{{Threads: 1}, {Threads: 2}, {Threads: 2, ISA: Generic}} {
		d := open(t, opts)
		w, g, m := random(t, d, n, 1), random(t, d, n, 2), random(t, d, n, 3)
		w2, m2, xi := random(t, d, n, 4), random(t, d, n, 5), random(t, d, n, 6)
		d.LARS(device.LARS{W: w, G: g, M: m, W2: w2, M2: m2, LR: 0.7, Momentum: 0.9, Decay: 1.5e-6, Eta: 1e-3, Adapt: true})
		d.EMA(xi, w2, m, rate)
		for i, x := range d.Host(xi) {
			diff := d.Host(w2)[i] - x
			p := float32(float32(rate) * diff)
			if got := d.Host(m)[i]; got != x+p {
				t.Fatalf("%+v: moving average [%d] = %g, want %g", opts, i, got, x+p)
			}
		}
		got := slices.Concat(d.Host(w2), d.Host(m2), d.Host(m))
		if want == nil {
			want = got
		}
		if !slices.Equal(got, want) {
			t.Errorf("%+v: the update differs from that of %+v", opts, Options{Threads: 1})
		}
	}
}
