package eval

import (
	"math/rand/v2"
	"sync"
	"testing"
)

const classes, dim = 7, 6

// TestProbe: the probe's count is the one that its logits give by the definition, for any number of ranks, and each
// rank tells how far it is until it has done all of its images.
func TestProbe(t *testing.T) {
	bank, queries := newAlbum(1, 400, classes), newAlbum(2, 530, classes)
	queries.broken[11], queries.broken[300] = true, true
	r := rand.New(rand.NewPCG(5, 6))
	probe := Probe{Weight: make([]float32, classes*dim), Bias: make([]float32, classes)}
	for i := range probe.Weight {
		probe.Weight[i] = float32(r.NormFloat64())
	}
	for i := range probe.Bias {
		probe.Bias[i] = float32(10 * r.NormFloat64())
	}
	want := plainProbe(t, queries, probe)
	for _, size := range []int{1, 3} {
		if got := probed(t, size, bank, queries, probe); got != want {
			t.Errorf("%d ranks: %d of %d, want %d of %d", size, got.Correct, got.Total, want.Correct, want.Total)
		}
	}
}

// plainProbe is the count by the definition.
func plainProbe(t *testing.T, queries *album, probe Probe) Count {
	c := Count{Name: ProbeTop1}
	for i, x := range queries.pixels {
		if queries.broken[i] || queries.labels[i] < 0 {
			continue
		}
		features := make([]float32, dim)
		if err := (projection{dim}).Encode(t.Context(), x, 1, features); err != nil {
			t.Fatal(err)
		}
		best, class := 0.0, -1
		for c := range classes {
			logit := float64(probe.Bias[c])
			for d, v := range features {
				logit += float64(v) * float64(probe.Weight[c*dim+d])
			}
			if class < 0 || logit > best {
				best, class = logit, c
			}
		}
		c.Total++
		if class == queries.labels[i] {
			c.Correct++
		}
	}
	return c
}

// probed is the count that so many ranks find.
func probed(t *testing.T, size int, bank, queries *album, probe Probe) Count {
	table, sum := newTable(size), Count{Name: ProbeTop1}
	var mu sync.Mutex // guards sum
	var wg sync.WaitGroup
	for rank := range size {
		last, of := 0, 0
		s := Setup{Encoder: projection{dim}, Bank: bank, Queries: queries, Ranks: seat{table, rank},
			Products: newProducts(t), Side: side, Probe: probe, Progress: func(done, all int) {
				if done <= last || done > all || of != 0 && all != of {
					t.Errorf("rank %d: %d of %d after %d of %d", rank, done, all, last, of)
				}
				last, of = done, all
			}}
		wg.Go(func() {
			o, err := Run(t.Context(), s, nil, Neighbours{}.Measure)
			if err != nil {
				t.Error(err)
			}
			if last != of || of == 0 {
				t.Errorf("rank %d ended at %d of %d images", rank, last, of)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, c := range o.Counts {
				if c.Name == ProbeTop1 {
					sum.Correct, sum.Total = sum.Correct+c.Correct, sum.Total+c.Total
				}
			}
		})
	}
	wg.Wait()
	return sum
}
