package vector

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// TestMark: the mark of a vector is that of its pieces in any order, and of no vector with a flipped bit, nor of one
// with two elements exchanged.
func TestMark(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 3*Block).Draw(t, "elements")
		x := random(n)
		whole := Mark(0, 0, x)
		cut := rapid.IntRange(0, n).Draw(t, "cut")
		if got := Mark(Mark(0, cut, x[cut:]), 0, x[:cut]); got != whole {
			t.Fatalf("cut at %d of %d: %016x, whole %016x", cut, n, got, whole)
		}
		i, bit := rapid.IntRange(0, n-1).Draw(t, "element"), rapid.IntRange(0, 31).Draw(t, "bit")
		old := x[i]
		x[i] = math.Float32frombits(math.Float32bits(x[i]) ^ 1<<bit)
		if Mark(0, 0, x) == whole {
			t.Fatalf("bit %d of element %d of %d is flipped, and the mark is the same", bit, i, n)
		}
		x[i] = old
		if j := rapid.IntRange(0, n-1).Draw(t, "other"); x[i] != x[j] {
			x[i], x[j] = x[j], x[i]
			if Mark(0, 0, x) == whole {
				t.Fatalf("elements %d and %d of %d are exchanged, and the mark is the same", i, j, n)
			}
		}
	})
	if Mark(0, 0, []float32{0}) == 0 || Mark(0, 0, make([]float32, 2)) == Mark(0, 0, make([]float32, 3)) {
		t.Error("a zero leaves no mark")
	}
}

func BenchmarkMark(b *testing.B) {
	x := random(1 << 20)
	b.SetBytes(4 << 20)
	for b.Loop() {
		Mark(0, 0, x)
	}
}
