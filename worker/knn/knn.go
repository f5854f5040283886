// Package knn is the weighted k-nearest-neighbour vote by which features are judged without training
// anything (Wu et al. 2018, InstDisc): features are L2-normalised, the k bank images with the largest cosine
// to a query vote for their class with weight exp(cosine/T), and the class with the largest sum wins.
//
// The bank comes block by block, so that it never has to be in memory as a whole. The answer does not depend
// on the size of the blocks: equal cosines are ordered by bank index, equal sums by class. Everything here is
// a pure function of its arguments, and a Scorer is used by one goroutine.
//
// When it fails: only our own bugs can make it; wrong lengths panic.
package knn

import (
	"cmp"
	"math"
	"slices"
)

// Config holds the constants of the vote.
type Config struct {
	K           int
	Temperature float64
	Classes     int
}

// Normalize scales each row of x [n][dim] to length 1; a row of zeros stays.
func Normalize(x []float32, dim int) {
	for ; len(x) >= dim && dim > 0; x = x[dim:] {
		row := x[:dim]
		sum := 0.0
		for _, v := range row {
			sum += float64(v) * float64(v)
		}
		if sum == 0 {
			continue
		}
		scale := 1 / math.Sqrt(sum)
		for i, v := range row {
			row[i] = float32(float64(v) * scale)
		}
	}
}

// Neighbour is a bank image that is near a query.
type Neighbour struct {
	Cosine float32
	Index  int32 // in the bank
}

// worse orders neighbours: smaller cosine first, then larger index.
func worse(a, b Neighbour) bool {
	return a.Cosine < b.Cosine || (a.Cosine == b.Cosine && a.Index > b.Index)
}

// Scorer keeps the k best neighbours of each query while the bank passes by.
type Scorer struct {
	cfg   Config
	heaps [][]Neighbour // per query, the worst on top
}

// NewScorer returns a Scorer for a number of queries.
func NewScorer(cfg Config, queries int) *Scorer {
	s := &Scorer{cfg: cfg, heaps: make([][]Neighbour, queries)}
	backing := make([]Neighbour, queries*cfg.K)
	for i := range s.heaps {
		s.heaps[i] = backing[i*cfg.K:][:0:cfg.K]
	}
	return s
}

// Add takes the cosines [nq][nb] of queries first… with bank images base…. A NaN counts as −∞.
func (s *Scorer) Add(cosines []float32, first, nb, base int) {
	if nb == 0 {
		return
	}
	if len(cosines)%nb != 0 || first+len(cosines)/nb > len(s.heaps) {
		panic("knn: cosines do not fit the queries")
	}
	for i := range len(cosines) / nb {
		h := s.heaps[first+i]
		for j, c := range cosines[i*nb:][:nb] {
			if len(h) == cap(h) && len(h) > 0 && c < h[0].Cosine {
				continue
			}
			if c != c {
				c = float32(math.Inf(-1))
			}
			h = offer(h, Neighbour{c, int32(base + j)})
		}
		s.heaps[first+i] = h
	}
}

// offer puts n into the heap h of at most cap(h) elements.
func offer(h []Neighbour, n Neighbour) []Neighbour {
	if len(h) < cap(h) {
		h = append(h, n)
		for i := len(h) - 1; i > 0 && worse(h[i], h[(i-1)/2]); i = (i - 1) / 2 {
			h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
		}
		return h
	}
	if len(h) == 0 || worse(n, h[0]) {
		return h
	}
	h[0] = n
	for i := 0; ; {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(h); c++ {
			if worse(h[c], h[least]) {
				least = c
			}
		}
		if least == i {
			return h
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}

// nearer orders neighbours: larger cosine first, then smaller index.
func nearer(a, b Neighbour) int {
	return cmp.Or(cmp.Compare(b.Cosine, a.Cosine), cmp.Compare(a.Index, b.Index))
}

// Nearest returns the neighbours that a query has seen, the nearest first. It ends what can be added for the query.
func (s *Scorer) Nearest(query int) []Neighbour {
	h := s.heaps[query]
	slices.SortFunc(h, nearer)
	return h
}

// Vote returns the class of each query, given the labels of the bank; −1 for a query whose neighbours carry
// no label at all. A Scorer votes once.
func (s *Scorer) Vote(labels []int32) []int32 {
	out := make([]int32, len(s.heaps))
	ballot := NewBallot(s.cfg)
	for i := range s.heaps {
		out[i] = -1
		if best := ballot.Rank(s.Nearest(i), labels, 1); len(best) > 0 {
			out[i] = best[0]
		}
	}
	return out
}

// Merge returns the k nearest of both lists, which are sorted as Nearest gives them and have no index in common.
func Merge(a, b []Neighbour, k int) []Neighbour {
	out := make([]Neighbour, 0, min(k, len(a)+len(b)))
	for len(out) < cap(out) {
		if len(b) == 0 || len(a) > 0 && nearer(a[0], b[0]) < 0 {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return out
}

// Ballot counts votes, one query after the other.
type Ballot struct {
	cfg  Config
	sums []float64 // by class
	best []int32
}

// NewBallot returns a Ballot.
func NewBallot(cfg Config) *Ballot { return &Ballot{cfg: cfg, sums: make([]float64, cfg.Classes)} }

// Rank returns at most top classes with the largest sums of the K nearest neighbours' votes, the largest first; none
// where these carry no label at all. The result is valid until the next call.
func (b *Ballot) Rank(near []Neighbour, labels []int32, top int) []int32 {
	clear(b.sums)
	for _, n := range near[:min(b.cfg.K, len(near))] {
		if class := labels[n.Index]; class >= 0 && int(class) < len(b.sums) {
			b.sums[class] += math.Exp(float64(n.Cosine) / b.cfg.Temperature)
		}
	}
	b.best = b.best[:0]
	for range top {
		best := int32(-1)
		for class, sum := range b.sums {
			if sum > 0 && (best < 0 || sum > b.sums[best]) {
				best = int32(class)
			}
		}
		if best < 0 {
			break
		}
		b.best = append(b.best, best)
		b.sums[best] = 0
	}
	return b.best
}

// Subset returns the bank indices to use of n images: all of them, or limit ones at an even stride.
func Subset(n, limit int) []int {
	m := min(n, limit)
	out := make([]int, m)
	for i := range out {
		out[i] = int(int64(i) * int64(n) / int64(m))
	}
	return out
}

// Shrink averages an image [size][size][channels] down to [to][to][channels] over boxes whose borders are
// i·size/to; an image that is not larger is copied. It returns the side of the result.
func Shrink(img []float32, size, to, channels int, out []float32) int {
	if size <= to {
		copy(out, img[:size*size*channels])
		return size
	}
	for i := range to * to {
		y, x := i/to, i%to
		y0, y1 := y*size/to, (y+1)*size/to
		x0, x1 := x*size/to, (x+1)*size/to
		for c := range channels {
			sum := float32(0)
			for r := y0; r < y1; r++ {
				for k := x0; k < x1; k++ {
					sum += img[(r*size+k)*channels+c]
				}
			}
			out[i*channels+c] = sum / float32((y1-y0)*(x1-x0))
		}
	}
	return to
}
