package eval

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"byol/internal/vector"
	"byol/model/device/cpu"
	"byol/model/engine/ops"
	"byol/worker/knn"
)

const side = 4 // of the images here

// album is a set of images in memory.
type album struct {
	pixels [][]float32
	labels []int
	broken map[int]bool  // cannot be decoded
	fail   map[int]error // cannot be read at all
}

// newAlbum draws n images of classes, each class around a point of its own. Every tenth carries no label.
func newAlbum(seed uint64, n, classes int) *album {
	r, a := rand.New(rand.NewPCG(seed, 9)), &album{broken: map[int]bool{}, fail: map[int]error{}}
	for i := range n {
		label := r.IntN(classes)
		x := make([]float32, side*side*3)
		for j := range x {
			x[j] = float32(r.NormFloat64()) + float32((label+j)%classes)/2
		}
		if i%10 == 7 {
			label = -1
		}
		a.pixels, a.labels = append(a.pixels, x), append(a.labels, label)
	}
	return a
}

func (a *album) Len() int        { return len(a.pixels) }
func (a *album) Label(i int) int { return a.labels[i] }

func (a *album) Read(_ context.Context, indices []int, out []float32, readable []bool) error {
	for k, i := range indices {
		if err := a.fail[i]; err != nil {
			return err
		}
		readable[k] = !a.broken[i]
		x := out[k*side*side*3:][:side*side*3]
		clear(x)
		if readable[k] {
			copy(x, a.pixels[i])
		}
	}
	return nil
}

// projection is an encoder: a fixed random matrix.
type projection struct{ dim int }

func (p projection) FeatureDim() int { return p.dim }

func (p projection) Encode(_ context.Context, x []float32, n int, out []float32) error {
	in := side * side * 3
	r := rand.New(rand.NewPCG(3, 4))
	w := make([]float64, in*p.dim)
	for i := range w {
		w[i] = r.NormFloat64()
	}
	for i := range n {
		for d := range p.dim {
			sum := 0.0
			for j := range in {
				sum += float64(x[i*in+j]) * w[d*in+j]
			}
			out[i*p.dim+d] = float32(sum)
		}
	}
	return nil
}

// table is a group of ranks in memory: what they share lies on it until all have taken it.
type table struct {
	size int

	mu     sync.Mutex // guards what follows
	came   *sync.Cond
	round  int
	put    int
	shared []float32
	err    error
}

func newTable(size int) *table {
	t := &table{size: size}
	t.came = sync.NewCond(&t.mu)
	return t
}

type seat struct {
	*table
	rank int
}

func (s seat) Rank() int { return s.rank }
func (s seat) Size() int { return s.size }

func (s seat) Share(_ context.Context, x []float32, spans []vector.Span) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.put == 0 {
		s.shared = make([]float32, len(x))
	}
	if s.err != nil {
		return s.err
	}
	own := spans[s.rank]
	copy(own.Of(s.shared), own.Of(x))
	round, shared := s.round, s.shared
	if s.put++; s.put == s.size {
		s.put, s.round = 0, s.round+1
		s.came.Broadcast()
	}
	for s.round == round && s.err == nil {
		s.came.Wait()
	}
	if s.round == round {
		return s.err
	}
	copy(x, shared)
	return nil
}

func (t *table) overturn(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = err
	t.came.Broadcast()
}

func newProducts(t testing.TB) Products {
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	return ops.New(dev, nil)
}

// evaluate runs one evaluation on a number of ranks and returns what each gave.
func evaluate(t *testing.T, size int, bank, queries Images, o Neighbours,
	problem func(rank int) error) ([]Outcome, []error) {
	t.Helper()
	table, outcomes, errs := newTable(size), make([]Outcome, size), make([]error, size)
	var wg sync.WaitGroup
	for rank := range size {
		s := Setup{Encoder: projection{6}, Bank: bank, Queries: queries, Ranks: seat{table, rank},
			Products: newProducts(t), Side: side}
		var cannot error
		if problem != nil {
			cannot = problem(rank)
		}
		wg.Go(func() {
			outcomes[rank], errs[rank] = Run(t.Context(), s, cannot, o.Measure)
			if errs[rank] != nil {
				table.overturn(errs[rank]) // as a worker that leaves its group
			}
		})
	}
	wg.Wait()
	return outcomes, errs
}

// plainVote is the figure that the definition gives, with everything in memory and float64: of each labelled query
// that can be decoded the k nearest labelled bank images that can.
func plainVote(bank, queries *album, encode func(a *album) [][]float64, k int,
	temperature float64) (correct, total int64) {
	b, q := encode(bank), encode(queries)
	classes := slices.Max(bank.labels) + 1
	for i, x := range q {
		if queries.broken[i] || queries.labels[i] < 0 {
			continue
		}
		total++
		type neighbour struct {
			cosine float64
			label  int
			index  int
		}
		var all []neighbour
		for j, y := range b {
			if bank.broken[j] || bank.labels[j] < 0 {
				continue
			}
			dot := 0.0
			for d := range x {
				dot += x[d] * y[d]
			}
			all = append(all, neighbour{dot, bank.labels[j], j})
		}
		slices.SortFunc(all, func(a, b neighbour) int {
			return cmp.Or(cmp.Compare(b.cosine, a.cosine), cmp.Compare(a.index, b.index))
		})
		sums := make([]float64, classes)
		for _, n := range all[:min(k, len(all))] {
			sums[n.label] += math.Exp(n.cosine / temperature)
		}
		best := 0
		for class, sum := range sums {
			if sum > sums[best] {
				best = class
			}
		}
		if sums[best] > 0 && best == queries.labels[i] {
			correct++
		}
	}
	return correct, total
}

// unit gives rows of length 1 in float64.
func unit(rows [][]float32) [][]float64 {
	out := make([][]float64, len(rows))
	for i, x := range rows {
		sum := 0.0
		for _, v := range x {
			sum += float64(v) * float64(v)
		}
		out[i] = make([]float64, len(x))
		for d, v := range x {
			out[i][d] = float64(v) / math.Sqrt(sum)
		}
	}
	return out
}

func encoded(a *album) [][]float64 {
	rows := make([][]float32, a.Len())
	for i, x := range a.pixels {
		rows[i] = make([]float32, 6)
		_ = projection{6}.Encode(context.Background(), x, 1, rows[i])
	}
	return unit(rows)
}

func raw(a *album) [][]float64 { return unit(a.pixels) }

// TestNeighboursAgainstTheDefinition compares 1, 2 and 3 ranks, on a bank of two blocks with images that cannot be
// decoded in bank and queries, with the definition.
func TestNeighboursAgainstTheDefinition(t *testing.T) {
	bank, queries := newAlbum(1, bankBlock+400, 5), newAlbum(2, 150, 5)
	for _, i := range []int{0, 3, bankBlock - 1, bankBlock, bankBlock + 399} {
		bank.broken[i] = true
	}
	for _, i := range []int{0, 74, 75, 149} {
		queries.broken[i] = true
	}
	o := Neighbours{K: 20, Temperature: 0.2, Pixels: true}
	wantKNN, total := plainVote(bank, queries, encoded, o.K, o.Temperature)
	wantPixels, _ := plainVote(bank, queries, raw, o.K, o.Temperature)
	if wantKNN == 0 || wantKNN == total || wantPixels == 0 {
		t.Fatalf("the definition gives %d and %d of %d: nothing to compare", wantKNN, wantPixels, total)
	}
	want := []Count{{KNNTop1, wantKNN, total}, {PixelsTop1, wantPixels, total}}
	for size := 1; size <= 3; size++ {
		outcomes, errs := evaluate(t, size, bank, queries, o, nil)
		got := make([]Count, 2)
		for rank, out := range outcomes {
			if errs[rank] != nil || out.Problem != "" || len(out.Counts) != 2 {
				t.Fatalf("%d ranks, rank %d: %+v, %v", size, rank, out, errs[rank])
			}
			for k, c := range out.Counts {
				got[k].Name = c.Name
				got[k].Correct += c.Correct
				got[k].Total += c.Total
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d ranks: %v, want %v", size, got, want)
		}
	}
}

// TestDefaults leaves the constants out: K and temperature are those of the documentation, and there are no pixels.
func TestDefaults(t *testing.T) {
	bank, queries := newAlbum(1, 300, 3), newAlbum(2, 40, 3)
	correct, total := plainVote(bank, queries, encoded, defaultK, defaultTemperature)
	out, errs := evaluate(t, 1, bank, queries, Neighbours{}, nil)
	if errs[0] != nil || !slices.Equal(out[0].Counts, []Count{{KNNTop1, correct, total}}) {
		t.Errorf("got %v, %v, want %d of %d", out[0], errs[0], correct, total)
	}
}

// TestFewQueries has more ranks than queries: some have nothing to count, and take part all the same.
func TestFewQueries(t *testing.T) {
	out, errs := evaluate(t, 3, newAlbum(1, 50, 2), newAlbum(2, 2, 2), Neighbours{K: 3}, nil)
	total := int64(0)
	for rank := range out {
		if errs[rank] != nil || len(out[rank].Counts) != 1 {
			t.Fatalf("rank %d: %v, %v", rank, out[rank], errs[rank])
		}
		total += out[rank].Counts[0].Total
	}
	if total != 2 {
		t.Errorf("%d queries were counted, want 2", total)
	}
}

// TestProblems: what keeps an evaluation from being made is the answer of all ranks, and no error.
func TestProblems(t *testing.T) {
	unlabelled, undecodable := newAlbum(1, 30, 2), newAlbum(1, 30, 2)
	for i := range unlabelled.labels {
		unlabelled.labels[i], undecodable.broken[i] = -1, true
	}
	good := newAlbum(1, 30, 2)
	second := func(rank int) error {
		if rank == 1 {
			return errors.New("no --eval-data was given")
		}
		return nil
	}
	for _, c := range []struct {
		name    string
		bank    *album
		problem func(int) error
		want    []string // by rank
	}{
		{"a rank cannot", good, second, []string{"another worker", "no --eval-data", "another worker"}},
		{"no labels", unlabelled, nil, []string{"no labels", "no labels", "no labels"}},
		{"no bank", undecodable, nil, []string{"can be decoded", "can be decoded", "can be decoded"}},
	} {
		out, errs := evaluate(t, 3, c.bank, newAlbum(2, 9, 2), Neighbours{K: 3}, c.problem)
		for rank, o := range out {
			if errs[rank] != nil || o.Counts != nil || !strings.Contains(o.Problem, c.want[rank]) {
				t.Errorf("%s, rank %d: %+v, %v, want %q", c.name, rank, o, errs[rank], c.want[rank])
			}
		}
	}
}

// TestBreaks lets a rank fail in the middle: it says why, and nobody waits for it.
func TestBreaks(t *testing.T) {
	torn := errors.New("read: the disk is gone")
	for _, where := range []string{"bank", "queries"} {
		bank, queries := newAlbum(1, 60, 2), newAlbum(2, 30, 2)
		if where == "bank" {
			bank.fail[59] = torn
		} else {
			queries.fail[29] = torn
		}
		_, errs := evaluate(t, 3, bank, queries, Neighbours{K: 3}, nil)
		for rank, err := range errs {
			if !errors.Is(err, torn) || !strings.HasPrefix(err.Error(), "evaluate: ") {
				t.Errorf("%s breaks on rank 2, rank %d returns %v", where, rank, err)
			}
		}
	}
}

// BenchmarkProducts measures the products of an evaluation: 2,048 queries with 4,096 bank images.
func BenchmarkProducts(b *testing.B) {
	for _, dim := range []int{64, 512, 3072} {
		b.Run(fmt.Sprint(dim), func(b *testing.B) {
			const nq, nb = 2048, 4096
			p := newProducts(b)
			queries, bank := make([]float32, nq*dim), make([]float32, nb*dim)
			for i := range queries {
				queries[i] = float32(i%7) - 3
			}
			for i := range bank {
				bank[i] = float32(i%11) - 5
			}
			for b.Loop() {
				s := knn.NewScorer(knn.Config{K: 200, Temperature: 0.1, Classes: 10}, nq)
				if err := p.Products(b.Context(), queries, bank, dim, func(x []float32, query, row, width int) {
					s.Add(x, query, width, row)
				}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(nq*nb*dim)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
		})
	}
}
