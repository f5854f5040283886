package cpu

import (
	"fmt"
	"slices"
	"testing"

	"byol/model/device"
)

// The sums that come with a convolution have the bits of those that are asked for later, for calls of many jobs,
// with every number of threads and division into shards, and for both kernel sets.
func TestSumsOnTheWay(t *testing.T) {
	for _, s := range []device.ConvShape{
		same(6, 16, 32, 16, 3, 1), same(6, 3, 33, 24, 7, 2), same(4, 64, 16, 300, 1, 1), same(4, 128, 8, 40, 3, 1),
		same(6, 16, 30, 48, 3, 1),
	} {
		for _, opts := range []Options{{Threads: 1}, {Threads: 2}, {Threads: 3}, {Threads: 2, ISA: Generic}} {
			if opts.ISA == Generic {
				s.N = 2 // slow
			}
			t.Run(fmt.Sprintf("%+v/%+v", opts, s), func(t *testing.T) {
				d := open(t, opts)
				l := newLayer(t, d, s)
				l.Pack(l.w)
				for _, shards := range []int{1, 2, s.N} {
					got, want := make([]float64, shards*2*s.K), make([]float64, shards*2*s.K)
					clear(d.Host(l.y))
					l.Conv.(device.SummingConv).ForwardSums(l.x, l.y, s.N, shards, got)
					n := l.y.Len / shards
					for i := range shards {
						d.BatchNormSums(l.y.Slice(i*n, n), n/s.K, s.K, want[i*2*s.K:])
					}
					if !slices.Equal(got, want) {
						t.Errorf("%d shards: the sums differ from those of the output", shards)
					}
					gradSumsOnTheWay(t, d, l, shards)
				}
			})
		}
	}
}

// gradSumsOnTheWay compares the sums that come with backward-data.
func gradSumsOnTheWay(t *testing.T, d *Device, l *layer, shards int) {
	t.Helper()
	c, n := l.s.C, l.dx.Len/shards
	a := device.BatchNormGrad{Rows: n / c, C: c, X: l.x, Gamma: random(t, d, c, 7), Beta: random(t, d, c, 8)}
	a.Mean, a.InvStd = make([]float64, c), make([]float64, c)
	for j := range c {
		a.Mean[j], a.InvStd[j] = 0.3, 1.7
	}
	got, want := make([]float64, shards*2*c), make([]float64, shards*2*c)
	clear(d.Host(l.dx))
	l.Conv.(device.SummingConv).BackwardDataSums(l.dy, l.dx, l.s.N, shards, a, got)
	for i := range shards {
		a.X, a.DY = l.x.Slice(i*n, n), l.dx.Slice(i*n, n)
		d.BatchNormGradSums(a, want[i*2*c:])
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d shards: the sums differ from those of the gradient", shards)
	}
}
