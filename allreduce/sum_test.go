package allreduce

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// pointers are the first elements of vectors.
func pointers(vectors ...[]float32) []*float32 {
	var list []*float32
	for _, v := range vectors {
		list = append(list, &v[0])
	}
	return list
}

func TestSumEqualsPlainGo(t *testing.T) {
	special := []float32{0, float32(math.Copysign(0, -1)), 1, -1, math.MaxFloat32, -math.MaxFloat32,
		math.SmallestNonzeroFloat32, 1e-40, -1e-40, float32(math.Inf(1)), float32(math.Inf(-1))}
	for n := 1; n < 150; n++ {
		v := testShards(uint64(n), 2, n+3)
		for i := range v[0] {
			if i%3 == 0 {
				v[0][i], v[1][i] = special[i%len(special)], special[(i/3)%len(special)]
			}
			if math.IsNaN(float64(v[0][i] + v[1][i])) {
				v[1][i] = 1 // which NaN comes out of ∞ − ∞ is not promised
			}
		}
		for off := range 3 { // any alignment
			a, b := v[0][off:off+n], v[1][off:off+n]
			want, got, far := make([]float32, n), make([]float32, n), make([]float32, n)
			skew := make([]float32, n+1)[1:]
			sumGo(pointers(want), pointers(a, b), 0, n)
			sumOnce(outputs{pointers(got, far), 1}, pointers(a, b), n)
			inA, inB := slices.Clone(a), slices.Clone(b)
			sumOnce(outputs{pointers(inA, far), 1}, pointers(inA, b), n)
			sumOnce(outputs{pointers(inB, far, skew), 1}, pointers(a, inB), n)
			for name, x := range map[string][]float32{
				"near": got, "far": far, "skew": skew, "onto a": inA, "onto b": inB,
			} {
				if at := differ(x, want); at >= 0 {
					t.Fatalf("n %d offset %d %s: element %d: got %v, want %v", n, off, name, at, x[at], want[at])
				}
			}
		}
	}
}

// TestTreeKernelsEqualPlainGo: four and eight vectors at once, at any alignment, onto themselves and past the caches.
func TestTreeKernelsEqualPlainGo(t *testing.T) {
	for n := 1; n < 150; n++ {
		for _, count := range []int{4, 8} {
			v := testShards(uint64(n), count, n+3)
			for off := range 3 {
				var srcs [][]float32
				for i := range v {
					srcs = append(srcs, v[i][off:off+n])
				}
				want, goes, near, far := plain(srcs), make([]float32, n), make([]float32, n), make([]float32, n)
				sumTreeGo(pointers(goes), pointers(srcs...), 0, n)
				onto := slices.Clone(srcs[count-1])
				inputs := append(slices.Clone(srcs[:count-1]), onto)
				sumTreeOnce(outputs{pointers(near, onto, far), 2}, pointers(inputs...), n)
				for name, x := range map[string][]float32{"plain Go": goes, "near": near, "far": far, "onto the last": onto} {
					if at := differ(x, want); at >= 0 {
						t.Fatalf("%d vectors of %d at %d, %s: element %d: got %v, want %v", count, n, off, name, at, x[at], want[at])
					}
				}
			}
		}
	}
}

func BenchmarkSum(b *testing.B) {
	for _, n := range []int{4 << 10, 64 << 10, 8 << 20} {
		v := testShards(1, 2, n)
		for name, add := range map[string]func(){
			"kernel": func() { sumOnce(outputs{pointers(v[0]), 1}, pointers(v...), n) },
			"go":     func() { sumGo(pointers(v[0]), pointers(v...), 0, n) },
		} {
			b.Run(fmt.Sprintf("%s/%d", name, n*4), func(b *testing.B) {
				b.SetBytes(int64(4 * n))
				for b.Loop() {
					add()
				}
			})
		}
	}
}
