package allreduce

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

func TestAddEqualsPlainGo(t *testing.T) {
	special := []float32{0, float32(math.Copysign(0, -1)), 1, -1, math.MaxFloat32, -math.MaxFloat32,
		math.SmallestNonzeroFloat32, 1e-40, -1e-40, float32(math.Inf(1)), float32(math.Inf(-1))}
	for n := range 100 {
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
			want, got := make([]float32, n), make([]float32, n)
			add2Go(want, a, b)
			add2(got, a, b)
			inA, inB := slices.Clone(a), slices.Clone(b)
			add2(inA, inA, b)
			add2(inB, a, inB)
			for name, x := range map[string][]float32{"apart": got, "onto a": inA, "onto b": inB} {
				if at := differ(x, want); at >= 0 {
					t.Fatalf("n %d offset %d %s: element %d: got %v, want %v", n, off, name, at, x[at], want[at])
				}
			}
		}
	}
}

func TestSumShardsIsLeftToRight(t *testing.T) {
	const n, off = 2*sumBlock + 77, 5
	for shards := 1; shards <= 5; shards++ {
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
	}
}

func BenchmarkAdd(b *testing.B) {
	for _, n := range []int{4 << 10, 64 << 10, 8 << 20} {
		v := testShards(1, 2, n)
		for name, add := range map[string]func(dst, a, b []float32){"kernel": add2, "go": add2Go} {
			b.Run(fmt.Sprintf("%s/%d", name, n*4), func(b *testing.B) {
				b.SetBytes(int64(4 * n))
				for b.Loop() {
					add(v[0], v[0], v[1])
				}
			})
		}
	}
}
