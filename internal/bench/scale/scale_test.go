package main

import (
	"math"
	"testing"

	"byol/internal/network/memory"
)

// TestTheModelSaysWhatItIsKnownFor: the shares that led to the order of sums, and what they are with it.
func TestTheModelSaysWhatItIsKnownFor(t *testing.T) {
	gbit := func(x float64) float64 { return x / 8 * 1e9 * 0.94 }
	for _, c := range []struct {
		w           worker
		n           int
		bandwidth   float64
		before, now float64 // percent: from, and at least
	}{
		{workers[0], 64, gbit(100), 95, 97}, {workers[0], 512, gbit(100), 22, 60}, {workers[2], 8, gbit(25), 68, 68},
	} {
		was, is := 100*before(c.n, c.bandwidth, c.w).efficiency(), 100*now(c.n, c.bandwidth, c.w).efficiency()
		if math.Abs(was-c.before) > 1 || is < c.now || is > 100 {
			t.Errorf("%s, %d workers: %.1f %% and %.1f %%, want %g and at least %g", c.w.name, c.n, was, is, c.before, c.now)
		}
	}
}

// TestTheTreeIsNeverSlower, by the model.
func TestTheTreeIsNeverSlower(t *testing.T) {
	for _, w := range workers {
		for n := 2; n <= 1024; n *= 2 {
			for _, bandwidth := range []float64{1e8, 1e9, 1e10} {
				a, b := before(n, bandwidth, w), now(n, bandwidth, w)
				if further(n, bandwidth, w).step() > b.step() {
					t.Errorf("%s, %d workers, %g bytes a second: running further ahead costs time", w.name, n, bandwidth)
				}
				if b.norms > a.norms || b.sums > a.sums || b.efficiency() < a.efficiency() {
					t.Errorf("%s, %d workers, %g bytes a second: %+v, then %+v", w.name, n, bandwidth, a, b)
				}
			}
		}
	}
}

// TestGroupsSendWhatTheModelSays, to the byte.
func TestGroupsSendWhatTheModelSays(t *testing.T) {
	const width, n = 1000, 100_000
	for _, size := range []int{2, 4, 8} {
		for _, shards := range []int{1, 2} {
			m, err := measure(t.Context(), memory.New().Host("127.0.0.1"), size, shards, work{width, n})
			if err != nil {
				t.Fatal(err)
			}
			others := float64(size - 1)
			toAll, rounds, sum := 8*width*others, 8*width*math.Log2(float64(size)), 2*4*n*others/float64(size)
			if m.total != toAll && m.total != rounds || m.sum != sum {
				t.Errorf("%d ranks of %d shards: sent %.0f and %.0f bytes, want %.0f or %.0f, and %.0f", size, shards, m.total,
					m.sum, toAll, rounds, sum)
			}
		}
	}
}
