package linear

import (
	"math/rand/v2"
	"slices"
)

// The streams of random numbers of a seed.
const (
	holding  = 0x686f6c64 // which rows are held out
	ordering = 0x6f72646572
)

// HoldOut draws n rows, stratified: from each class in proportion to its rows, and never its last one, so that every
// class is trained. It is a pure function of its arguments. Both lists are ascending; rows without a label are in
// neither.
func HoldOut(labels []int32, n int, seed uint64) (train, held []int) {
	byClass := map[int32][]int{}
	var classes []int32
	total := 0
	for i, l := range labels {
		if l < 0 {
			continue
		}
		if byClass[l] == nil {
			classes = append(classes, l)
		}
		byClass[l] = append(byClass[l], i)
		total++
	}
	slices.Sort(classes)
	r := rand.New(rand.NewPCG(seed, holding))
	seen, taken := 0, 0
	for _, c := range classes {
		rows := byClass[c]
		r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		// The classes so far have had their share, rounded down: what one lost by that or by keeping its last row, the next
		// ones get.
		seen += len(rows)
		k := min(n*seen/total-taken, len(rows)-1)
		taken += k
		held, train = append(held, rows[:k]...), append(train, rows[k:]...)
	}
	slices.Sort(train)
	slices.Sort(held)
	return train, held
}

// order is in which order rows are trained on: every row once in an epoch, in a permutation of its own, cut evenly into
// batches.
type order struct {
	rows  []int
	most  int // of a batch
	seed  uint64
	epoch int   // whose permutation it is
	perm  []int // of rows
}

func newOrder(rows []int, batch int, seed uint64) order {
	return order{rows: rows, most: batch, seed: seed, epoch: -1, perm: make([]int, len(rows))}
}

// steps is how many an epoch has.
func (o *order) steps() int { return (len(o.rows) + o.most - 1) / o.most }

// batch returns the rows of a step and its epoch. They are valid until the next call.
func (o *order) batch(step int) (epoch int, rows []int) {
	n, k := o.steps(), step%o.steps()
	if epoch = step / n; epoch != o.epoch {
		o.epoch = epoch
		copy(o.perm, o.rows)
		r := rand.New(rand.NewPCG(o.seed^uint64(epoch)*0x9e3779b97f4a7c15, ordering))
		r.Shuffle(len(o.perm), func(i, j int) { o.perm[i], o.perm[j] = o.perm[j], o.perm[i] })
	}
	return epoch, o.perm[k*len(o.rows)/n : (k+1)*len(o.rows)/n]
}
