package allreduce

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"byol/allreduce/link"
	"byol/allreduce/shm"
	"byol/internal/vector"
)

// inPlaceBlock is how many elements of a vector a rank sums before it looks whether the group is still whole.
const inPlaceBlock = 256 << 10

// homes are the memories of all ranks, mapped by each of them.
type homes struct {
	of   [][]byte // by rank
	maps []*shm.Segment
	// Of the operation that runs: where each rank says its vectors lie, 0 for elsewhere.
	places [][]int
}

func (h *homes) close() {
	for _, s := range h.maps {
		_ = s.Close()
	}
	h.of, h.maps = nil, nil
}

// meet tells all ranks where this rank's vectors of n elements lie, and learns where theirs do: count(r) of rank r.
// It returns when all are there. all says that every vector lies in its rank's memory.
func (op *operation) meet(n int, vectors [][]float32, count func(r int) int) (all, ok bool) {
	g, h := op.g, op.g.shared.homes
	head := func(r int) [shm.HeadBytes]byte { return op.head(link.Place, n, 8*count(r)) }
	h.places = h.places[:0]
	all = true
	ok = op.round(g.shared.smalls, head, func(msg []byte) {
		for i, v := range vectors {
			binary.LittleEndian.PutUint64(msg[8*i:], uint64(place(h.of[g.Rank()], v)))
		}
	}, func(_ int, data []byte) {
		var list []int
		for ; len(data) > 0; data = data[8:] {
			at := int(binary.LittleEndian.Uint64(data))
			list, all = append(list, at), all && at != 0
		}
		h.places = append(h.places, list)
	})
	return all, ok
}

// finish waits until every rank has done its part of the operation.
func (op *operation) finish() bool {
	head := func(int) [shm.HeadBytes]byte { return op.head(link.Done, 0, 0) }
	return op.round(op.g.shared.smalls, head, func([]byte) {}, func(int, []byte) {})
}

// astray breaks the group for a place of rank that isn't in its memory.
func (op *operation) astray(rank int) bool {
	op.g.fail(op.g.observed(rank, fmt.Errorf("%w: a vector outside the memory it is said to be in", ErrCorrupt)))
	return false
}

// sumInPlace is AllReduce where the vectors of all ranks lie in memory that all have mapped. Each rank sums its slice
// of the vector over all shards and writes it to all ranks. The slices are always the same, because the first touch of
// a page by a process costs as much as summing it.
func (g *Group) sumInPlace(op *operation, shards [][]float32, out []float32) (taken bool, err error) {
	h := g.shared.homes
	vectors := append([][]float32{out}, shards...)
	all, ok := op.meet(len(out), vectors, func(r int) int { return 1 + g.owned(r) })
	if !ok || !all {
		return !ok, op.result()
	}
	job := inPlaceSum{n: len(out), sum: folder{folding: g.order.leaves, wire: g.cfg.Wire}}
	if r, ok := job.find(h); !ok {
		op.astray(r)
		return true, op.result()
	}
	job.sum.addSlots(g.bufs.floats(g.order.leaves.scratch(0)))
	lo, end := sliceOf(len(out), g.Rank(), g.Size()), sliceOf(len(out), g.Rank()+1, g.Size())
	for ; lo < end && !g.shared.arena.Aborted(); lo += inPlaceBlock {
		job.block(lo, min(inPlaceBlock, end-lo))
	}
	op.finish()
	return true, op.result()
}

// sliceOf is where the slice of rank begins in n elements: at a multiple of a cache line, so that no two ranks write to
// one.
func sliceOf(n, rank, size int) int {
	if rank == size {
		return n
	}
	return int(int64(n)*int64(rank)/int64(size)) &^ 15
}

// inPlaceSum is a sum over memory that is mapped.
type inPlaceSum struct {
	n    int
	srcs []*float32 // of all shards
	to   outputs    // of all ranks, first those that are summands
	sum  folder     // into to, from some element on
	from []*float32 // srcs from there on
}

// find fills the tables from what the ranks have said. It returns the rank that says what cannot be.
func (s *inPlaceSum) find(h *homes) (rank int, ok bool) {
	var far []*float32
	for r, places := range h.places {
		out := inHome(h.of[r], places[0], s.n)
		if out == nil {
			return r, false
		}
		near := false
		for _, at := range places[1:] {
			p := inHome(h.of[r], at, s.n)
			if p == nil {
				return r, false
			}
			s.srcs, near = append(s.srcs, p), near || p == out
		}
		if near {
			s.to.all = append(s.to.all, out)
		} else {
			far = append(far, out)
		}
	}
	s.to.near = len(s.to.all)
	s.to.all = append(s.to.all, far...)
	s.sum.to = outputs{make([]*float32, len(s.to.all)), s.to.near}
	s.from = make([]*float32, len(s.srcs))
	return 0, true
}

// block sums n elements from lo on.
func (s *inPlaceSum) block(lo, n int) {
	for i, p := range s.to.all {
		s.sum.to.all[i] = at(p, lo)
	}
	for i, p := range s.srcs {
		s.from[i] = at(p, lo)
	}
	s.sum.run(s.from, n)
}

// shareInPlace is Share where the buffers of all ranks lie in memory that all have mapped: each copies the others'
// spans from where they are.
func (g *Group) shareInPlace(op *operation, buf []float32, spans []vector.Span) (taken bool, err error) {
	h := g.shared.homes
	all, ok := op.meet(len(buf), [][]float32{buf}, func(int) int { return 1 })
	if !ok || !all {
		return !ok, op.result()
	}
	for i := 1; i < g.Size(); i++ { // each begins with another rank's
		r := (g.Rank() + i) % g.Size()
		first := inHome(h.of[r], h.places[r][0], len(buf))
		if first == nil {
			op.astray(r)
			return true, op.result()
		}
		s := spans[r]
		copy(buf[s.Off:], unsafe.Slice(first, len(buf))[s.Off:s.Off+s.Len])
	}
	op.finish()
	return true, op.result()
}
