package knn

import (
	compare "cmp"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func randoms(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// cosines are [nq][nb], each a sum in the order of dim.
func cosines(queries, bank []float32, dim int) []float32 {
	var out []float32
	for q := queries; len(q) > 0; q = q[dim:] {
		for b := bank; len(b) > 0; b = b[dim:] {
			sum := float32(0)
			for k, v := range q[:dim] {
				sum += float32(v * b[k])
			}
			out = append(out, sum)
		}
	}
	return out
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
		for j, c := range cosines(queries[i*dim:][:dim], bank, dim) {
			all = append(all, pair{c, j})
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
			s.Add(cosines(x, part, dim), q, len(part)/dim, b)
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

// TestBlocksDoNotMatter: any bank in any blocks, with equal cosines, NaN and images without a label, gives the vote of
// all cosines sorted.
func TestBlocksDoNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nq, nb := rapid.IntRange(1, 5).Draw(t, "queries"), rapid.IntRange(1, 40).Draw(t, "bank")
		cfg := Config{K: rapid.IntRange(0, 45).Draw(t, "k"), Temperature: 0.1, Classes: 3}
		all := rapid.SliceOfN(rapid.SampledFrom([]float32{-1, -0.5, 0, 0.25, 0.5, 1, float32(math.NaN())}), nq*nb,
			nq*nb).
			Draw(t, "cosines")
		labels := rapid.SliceOfN(rapid.Int32Range(-1, 3), nb, nb).Draw(t, "labels")
		s := NewScorer(cfg, nq)
		for at := 0; at < nb; {
			n := rapid.IntRange(1, nb-at).Draw(t, "block")
			for q := range nq {
				s.Add(all[q*nb+at:][:n], q, n, at)
			}
			at += n
		}
		got := s.Vote(labels)
		for q := range nq {
			order := make([]int, nb)
			for i := range order {
				order[i] = i
			}
			score := func(i int) float64 {
				if c := float64(all[q*nb+i]); c == c {
					return c
				}
				return math.Inf(-1)
			}
			slices.SortStableFunc(order, func(a, b int) int { return -compare.Compare(score(a), score(b)) })
			var sums [3]float64
			for _, i := range order[:min(cfg.K, nb)] {
				if l := labels[i]; l >= 0 && l < 3 {
					sums[l] += math.Exp(score(i) / cfg.Temperature)
				}
			}
			want, best := int32(-1), 0.0
			for class, sum := range sums {
				if sum > best {
					want, best = int32(class), sum
				}
			}
			if got[q] != want {
				t.Fatalf("query %d: class %d, want %d of sums %v", q, got[q], want, sums)
			}
		}
	})
}

// TestAddPanics: cosines that do not fit are a bug; of an empty block there are none.
func TestAddPanics(t *testing.T) {
	s := NewScorer(Config{K: 2, Temperature: 1, Classes: 1}, 3)
	s.Add(nil, 0, 0, 0)
	for _, c := range []struct {
		cosines   int
		first, nb int
	}{{5, 0, 2}, {8, 0, 2}, {4, 2, 2}} {
		func() {
			defer func() {
				if got := recover(); got != "knn: cosines do not fit the queries" {
					t.Errorf("%+v: %v", c, got)
				}
			}()
			s.Add(make([]float32, c.cosines), c.first, c.nb, 0)
		}()
	}
}

// TestSubsetIsEven: as many as asked for, each once, in order, and no gap much larger than another.
func TestSubsetIsEven(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, limit := rapid.IntRange(1, 1<<40).Draw(t, "n"), rapid.IntRange(1, 300).Draw(t, "limit")
		got := Subset(n, limit)
		if len(got) != min(n, limit) || got[0] != 0 {
			t.Fatalf("%d of them, from %d on", len(got), got[0])
		}
		stride := n / len(got)
		for i := range got[1:] {
			if gap := got[i+1] - got[i]; gap < stride || gap > stride+1 {
				t.Fatalf("a gap of %d, the stride is %d", gap, stride)
			}
		}
	})
}

// TestShrinkKeepsTheMean where boxes are equal, and never leaves the range of the values.
func TestShrinkKeepsTheMean(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		to, times, channels := rapid.IntRange(1, 6).Draw(t, "to"), rapid.IntRange(1, 4).Draw(t, "times"),
			rapid.IntRange(1, 3).Draw(t, "channels")
		size := to * times
		img := rapid.SliceOfN(rapid.Float32Range(-3, 3), size*size*channels, size*size*channels).Draw(t, "image")
		out := make([]float32, to*to*channels)
		if side := Shrink(img, size, to, channels, out); side != to {
			t.Fatalf("side %d, want %d", side, to)
		}
		for c := range channels {
			var before, after float64
			for i := c; i < len(img); i += channels {
				before += float64(img[i]) / float64(size*size)
			}
			for i := c; i < len(out); i += channels {
				after += float64(out[i]) / float64(to*to)
			}
			if math.Abs(before-after) > 1e-5 || slices.Max(out) > slices.Max(img) || slices.Min(out) < slices.Min(img) {
				t.Fatalf("channel %d: mean %g became %g, range [%g, %g]", c, before, after, slices.Min(out), slices.Max(out))
			}
		}
	})
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

func BenchmarkAdd(b *testing.B) {
	const nq, nb = 100, 50000
	cosines := randoms(1, nq*nb)
	for b.Loop() {
		NewScorer(Config{K: 200, Temperature: 0.1, Classes: 10}, nq).Add(cosines, 0, nb, 0)
	}
	b.ReportMetric(float64(nq*nb)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mscores/s")
}
