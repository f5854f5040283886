package knn

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func randoms(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// naive is the definition: all cosines sorted.
func naive(queries, bank []float32, labels []int32, dim int, cfg Config) []int32 {
	var out []int32
	for i := range len(queries) / dim {
		type pair struct {
			score float32
			index int
		}
		var all []pair
		for j := range len(bank) / dim {
			sum := float32(0)
			for k := range dim {
				sum += float32(queries[i*dim+k] * bank[j*dim+k])
			}
			all = append(all, pair{sum, j})
		}
		sort.SliceStable(all, func(a, b int) bool { return all[a].score > all[b].score })
		sums := make([]float64, cfg.Classes)
		for _, p := range all[:min(cfg.K, len(all))] {
			if labels[p.index] >= 0 {
				sums[labels[p.index]] += math.Exp(float64(p.score) / cfg.Temperature)
			}
		}
		best := int32(-1)
		for c, s := range sums {
			if s > 0 && (best < 0 || s > sums[best]) {
				best = int32(c)
			}
		}
		out = append(out, best)
	}
	return out
}

// sizes are the blocks in which bank and queries come.
type sizes struct{ block, chunk int }

func score(queries, bank []float32, labels []int32, cfg Config, by sizes) []int32 {
	const dim = testDim
	block, chunk := by.block, by.chunk
	s := NewScorer(cfg, len(queries)/dim)
	for b := 0; b < len(bank)/dim; b += block {
		part := bank[b*dim : min(len(bank), (b+block)*dim)]
		for q := 0; q < len(queries)/dim; q += chunk {
			x := queries[q*dim : min(len(queries), (q+chunk)*dim)]
			out := make([]float32, len(x)/dim*(len(part)/dim))
			Dot(x, part, out, dim)
			s.Add(out, q, len(part)/dim, b)
		}
	}
	return s.Vote(labels)
}

const testDim = 5

func TestAgainstDefinition(t *testing.T) {
	const dim, nq, nb, classes = testDim, 37, 101, 4
	queries, bank := randoms(1, nq*dim), randoms(2, nb*dim)
	copy(bank[50*dim:], bank[:20*dim]) // equal cosines
	Normalize(queries, dim)
	Normalize(bank, dim)
	labels := make([]int32, nb)
	for i := range labels {
		labels[i] = int32(i*7%(classes+1)) - 1
	}
	for _, k := range []int{1, 2, 7, 100, 200} {
		cfg := Config{K: k, Temperature: 0.1, Classes: classes}
		want := naive(queries, bank, labels, dim, cfg)
		for _, by := range []sizes{{101, 37}, {1, 1}, {8, 5}, {33, 36}} {
			got := score(queries, bank, labels, cfg, by)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("k=%d, blocks %+v (-want +got):\n%s", k, by, d)
			}
		}
	}
}

func TestVote(t *testing.T) {
	nan := float32(math.NaN())
	cases := []struct {
		name    string
		cosines []float32
		labels  []int32
		cfg     Config
		want    int32
	}{
		{"nearest", []float32{0.9, 0.1, 0.2}, []int32{2, 1, 1}, Config{1, 0.1, 3}, 2},
		{"weights beat numbers", []float32{0.9, 0.1, 0.2}, []int32{2, 1, 1}, Config{3, 0.1, 3}, 2},
		{"numbers beat weights when warm", []float32{0.9, 0.8, 0.8}, []int32{2, 1, 1}, Config{3, 1, 3}, 1},
		{"equal cosines take the lower index", []float32{0.5, 0.5, 0.5}, []int32{2, 1, 0}, Config{1, 0.1, 3}, 2},
		{"equal sums take the lower class", []float32{0.5, 0.5}, []int32{2, 1}, Config{2, 0.1, 3}, 1},
		{"unlabelled do not vote", []float32{0.9, 0.1}, []int32{-1, 1}, Config{2, 0.1, 3}, 1},
		{"nobody votes", []float32{0.9}, []int32{-1}, Config{2, 0.1, 3}, -1},
		{"nan is far away", []float32{nan, nan, 0.1}, []int32{0, 0, 1}, Config{1, 0.1, 3}, 1},
	}
	for _, c := range cases {
		s := NewScorer(c.cfg, 1)
		s.Add(c.cosines, 0, len(c.cosines), 0)
		if got := s.Vote(c.labels); got[0] != c.want {
			t.Errorf("%s: cosines %v labels %v %+v: got %d, want %d", c.name, c.cosines, c.labels, c.cfg, got[0], c.want)
		}
	}
}

func TestNormalize(t *testing.T) {
	x := []float32{3, 4, 0, 0, 0, 2}
	Normalize(x, 2)
	if want := []float32{0.6, 0.8, 0, 0, 0, 1}; !slices.Equal(x, want) {
		t.Errorf("got %v, want %v", x, want)
	}
}

func TestDotDoesNotDependOnBlocks(t *testing.T) {
	const dim = 33
	q, b := randoms(3, 3*dim), randoms(4, 9*dim)
	whole := make([]float32, 27)
	Dot(q, b, whole, dim)
	for i := range 3 {
		for j := range 9 {
			var one [1]float32
			Dot(q[i*dim:][:dim], b[j*dim:][:dim], one[:], dim)
			if one[0] != whole[i*9+j] {
				t.Errorf("query %d, bank %d: %v alone, %v among others", i, j, one[0], whole[i*9+j])
			}
		}
	}
}

func TestSubset(t *testing.T) {
	cases := []struct {
		n, limit int
		want     []int
	}{
		{3, 5, []int{0, 1, 2}},
		{5, 5, []int{0, 1, 2, 3, 4}},
		{10, 4, []int{0, 2, 5, 7}},
		{0, 4, []int{}},
	}
	for _, c := range cases {
		if d := cmp.Diff(c.want, Subset(c.n, c.limit)); d != "" {
			t.Errorf("Subset(%d, %d) (-want +got):\n%s", c.n, c.limit, d)
		}
	}
}

func TestShrink(t *testing.T) {
	img := []float32{1, 2, 3, 4, 5, 6, 7, 8, 9}
	out := make([]float32, 9)
	if side := Shrink(img, 3, 4, 1, out); side != 3 || !slices.Equal(out, img) {
		t.Errorf("a small image: side %d, %v", side, out)
	}
	if side := Shrink(img, 3, 2, 1, out); side != 2 || !slices.Equal(out[:4], []float32{1, 2.5, 5.5, 7}) {
		t.Errorf("3 to 2: side %d, %v", side, out[:4])
	}
	two := []float32{1, 10, 3, 30, 5, 50, 7, 70}
	if Shrink(two, 2, 1, 2, out); !slices.Equal(out[:2], []float32{4, 40}) {
		t.Errorf("two channels: %v", out[:2])
	}
}

func BenchmarkDot(b *testing.B) {
	const dim, nq, nb = 64, 256, 1024
	q, bank, out := randoms(1, nq*dim), randoms(2, nb*dim), make([]float32, nq*nb)
	for b.Loop() {
		Dot(q, bank, out, dim)
	}
	b.ReportMetric(float64(nq*nb*dim)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
}

func BenchmarkAdd(b *testing.B) {
	const nq, nb = 100, 50000
	cosines := randoms(1, nq*nb)
	for b.Loop() {
		NewScorer(Config{K: 200, Temperature: 0.1, Classes: 10}, nq).Add(cosines, 0, nb, 0)
	}
	b.ReportMetric(float64(nq*nb)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mscores/s")
}
