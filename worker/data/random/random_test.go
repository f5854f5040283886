package random

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// TestFixed: what a seed means must not change between versions. The first number is that of the published SplitMix64
// for seed 0: its state after one step is golden.
func TestFixed(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want uint64
	}{
		{"Mix(golden)", Mix(golden), 0xe220a8397b1dcdaf},
		{"Bits of slot 1 of stream 0", Stream(0).Bits(1), 0x6e789e6aa1b965f4},
		{"Bits of slot 2 of stream 0", Stream(0).Bits(2), 0x06c45d188009454f},
		{"Chain(1, 2)", Chain(1, 2), Mix(1 ^ Mix(0x9e3779b97f4a7c17))},
		{"Mix(0)", Mix(0), 0},
	} {
		if c.got != c.want {
			t.Errorf("%s is %#x, want %#x", c.name, c.got, c.want)
		}
	}
}

// TestMixCanBeUndone: it is a permutation of 64 bits, so different keys stay different.
func TestMixCanBeUndone(t *testing.T) {
	unshift := func(x uint64, n uint) uint64 { // inverse of x ^ x>>n
		y := x
		for range 64 / n {
			y = x ^ y>>n
		}
		return y
	}
	inverse := func(m uint64) uint64 { // of an odd number modulo 2^64
		var i big.Int
		i.ModInverse(new(big.Int).SetUint64(m), new(big.Int).Lsh(big.NewInt(1), 64))
		return i.Uint64()
	}
	a, b := inverse(0xbf58476d1ce4e5b9), inverse(0x94d049bb133111eb)
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Uint64().Draw(t, "x")
		y := unshift(Mix(x), 31) * b
		y = unshift(y, 27) * a
		if y = unshift(y, 30); y != x {
			t.Fatalf("Mix(%#x) comes from %#x", x, y)
		}
	})
}

// TestRanges: draws stay within their bounds, at the ends of 64 bits too.
func TestRanges(t *testing.T) {
	for _, x := range []uint64{0, 1, 1 << 63, math.MaxUint64} {
		for _, n := range []uint64{1, 2, 3, 1000, 1 << 40} {
			if got := Reduce(x, n); got >= n {
				t.Errorf("Reduce(%#x, %d) is %d", x, n, got)
			}
		}
		if Reduce(x, 1<<32) != x>>32 {
			t.Errorf("Reduce(%#x, 2^32) are not its high bits", x)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s, slot := Stream(rapid.Uint64().Draw(t, "stream")), rapid.IntRange(-3, 1<<20).Draw(t, "slot")
		n := rapid.IntRange(1, math.MaxInt32).Draw(t, "n")
		lo := rapid.Float64Range(-1e3, 1e3).Draw(t, "lo")
		hi := lo + rapid.Float64Range(0.001, 1e3).Draw(t, "width")
		if u := s.Uniform(slot); u < 0 || u >= 1 || u != float64(s.Bits(slot)>>11)/(1<<53) {
			t.Fatalf("Uniform is %v", u)
		}
		if b := s.Below(slot, n); b < 0 || b >= n {
			t.Fatalf("Below(%d) is %d", n, b)
		}
		if v := s.Between(slot, lo, hi); v < lo || v > hi {
			t.Fatalf("Between(%v, %v) is %v", lo, hi, v)
		}
	})
}

// TestSlotsAreIndependent: over many streams, a slot is uniform, and knows nothing of the slot and the stream beside
// it. The bound is five standard deviations.
func TestSlotsAreIndependent(t *testing.T) {
	const n = 40000
	var mean, slots, streams float64
	for i := range n {
		s, next := Stream(Chain(7, uint64(i))), Stream(Chain(7, uint64(i+1)))
		x := s.Uniform(3) - 0.5
		mean += x
		slots += x * (s.Uniform(4) - 0.5)
		streams += x * (next.Uniform(3) - 0.5)
	}
	deviation := math.Sqrt(1.0 / 12 / n)
	for name, c := range map[string][2]float64{"mean": {mean / n, deviation},
		"of slots": {slots / n, deviation / math.Sqrt(12)}, "of streams": {streams / n, deviation / math.Sqrt(12)}} {
		if math.Abs(c[0]) > 5*c[1] {
			t.Errorf("%s: %.6f, want 0 within %.6f", name, c[0], 5*c[1])
		}
	}
}

// TestChainKeepsPartsApart: the order and the number of parts count.
func TestChainKeepsPartsApart(t *testing.T) {
	seen := map[uint64]string{}
	add := func(name string, key uint64) {
		if other, taken := seen[key]; taken {
			t.Errorf("%s and %s have one key", name, other)
		}
		seen[key] = name
	}
	add("0", Chain(0, 0))
	add("0, 0", Chain(Chain(0, 0), 0))
	add("0, 1", Chain(Chain(0, 0), 1))
	add("1", Chain(0, 1))
	add("1, 0", Chain(Chain(0, 1), 0))
}
