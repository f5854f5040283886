package allreduce

import (
	"fmt"

	"byol/internal/vector"
)

// way is how the ranks of a group reach each other. It is chosen once, when the group forms, and is the same on all
// ranks; arguments have been checked by then.
type way struct {
	name string // what Transport says
	// sums and shares are asked in order, and the first that takes the vector does all of the work. Whether one does
	// follows from what all ranks know, so that all take the same; one that does not has sent nothing that a later one
	// would miss, and written nothing. The last takes everything.
	sums   []summer
	shares []sharer
	total  func(op *operation, local, sum []float64) error
}

type (
	// summer is AllReduce for a vector that is not empty; taken is false where it is not for this vector.
	summer func(op *operation, shards [][]float32, out []float32) (taken bool, err error)
	// sharer is Share; taken is false where it is not for this buffer.
	sharer func(op *operation, buf []float32, spans []vector.Span) (taken bool, err error)
)

// chooseWay is where all that a group found out while it formed becomes a way.
//
//	                  sums, in the order they are asked         shares               totals
//	one rank          alone                                     nothing to do        alone
//	network           short: everybody to everybody | direct    round the ring       everybody to everybody | rounds
//	shared memory     short: on a board | window                window               on a board
//	shared, in place  short: on a board | in place | window     in place | window    on a board
//
// In place takes vectors that lie in the Memory of every rank; where one does not, all use the window.
func (g *Group) chooseWay(reason string) way {
	s := g.shared
	switch {
	case g.Size() == 1:
		return way{name: "alone", sums: []summer{g.sumAlone},
			shares: []sharer{func(*operation, []float32, []vector.Span) (bool, error) { return true, nil }},
			total:  g.totalAlone}
	case s == nil:
		return way{name: "tcp (no shared memory: " + reason + ")", sums: []summer{g.sumShort, g.sumDirect},
			shares: []sharer{g.shareRing}, total: g.totalMesh}
	case s.homes == nil:
		return way{name: "shared memory (copied; " + reason + ")", sums: []summer{g.sumBoard, g.sumWindow},
			shares: []sharer{g.shareWindow}, total: g.totalBoard}
	}
	return way{name: "shared memory, in place", sums: []summer{g.sumBoard, g.sumInPlace, g.sumWindow},
		shares: []sharer{g.shareInPlace, g.shareWindow}, total: g.totalBoard}
}

// sum is AllReduce.
func (w way) sum(op *operation, shards [][]float32, out []float32) error {
	if len(out) == 0 {
		return nil
	}
	for _, sum := range w.sums {
		if taken, err := sum(op, shards, out); taken || err != nil {
			return err
		}
	}
	panic(fmt.Sprintf("allreduce: %s has no sum for %d elements", w.name, len(out)))
}

// share is Share.
func (w way) share(op *operation, buf []float32, spans []vector.Span) error {
	for _, share := range w.shares {
		if taken, err := share(op, buf, spans); taken || err != nil {
			return err
		}
	}
	panic(fmt.Sprintf("allreduce: %s has no share for %d elements", w.name, len(buf)))
}

// sumAlone is the sum of a group of one rank.
func (g *Group) sumAlone(_ *operation, shards [][]float32, out []float32) (taken bool, err error) {
	scratch := g.bufs.floats(g.order.leaves.scratch(0))
	g.cfg.Wire.sumInto(outputs{[]*float32{&out[0]}, 1}, g.order.leaves, starts(shards, 0), len(out), scratch)
	return true, nil
}

// short says whether a vector of n elements goes from everybody to everybody in one hop.
func (g *Group) short(n int) bool { return 4*n*g.order.parcels.most() <= g.tuning.SmallBytes }
