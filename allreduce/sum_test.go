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

func TestSumsAreLeftToRight(t *testing.T) {
	const n, off = 2*sumBlock + 77, 5
	rest := make([]float32, sumBlock)
	const w = sweep
	for _, shards := range []int{1, 2, 3, 4, 5, w - 1, w, w + 1, 2*w - 1, 2 * w, 3*w + 5} {
		all := testShards(9, shards+1, n+off)
		init := all[shards][:n]
		table := all[:shards]
		plain := sequential(table)[off:]
		onto := append([][]float32{init}, make([][]float32, shards)...)
		for i := range table {
			onto[i+1] = table[i][off:]
		}
		got, with := make([]float32, n), slices.Clone(init)
		sumShards(got, nil, table, off)
		sumShards(with, with, table, off)
		if at := differ(got, plain); at >= 0 {
			t.Errorf("%d shards: element %d: got %v, want %v", shards, at, got[at], plain[at])
		}
		if want := sequential(onto); differ(with, want) >= 0 {
			t.Errorf("%d shards onto a partial sum: element %d differs", shards, differ(with, want))
		}
		var own [][]float32 // all of them are overwritten
		for _, v := range table {
			own = append(own, slices.Clone(v[off:]))
		}
		far := make([]float32, n)
		sumMany(outputs{pointers(append(slices.Clone(own), far)...), shards}, pointers(own...), n, rest)
		for i, x := range append(own, far) {
			if at := differ(x, plain); at >= 0 {
				t.Errorf("%d shards, vector %d in place: element %d: got %v, want %v", shards, i, at, x[at], plain[at])
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
