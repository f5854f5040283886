package allreduce

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"byol/allreduce/link"
	"byol/allreduce/shm"
)

const (
	// inPlaceBlock is how many elements of a vector a rank sums before it looks whether the group is still whole.
	inPlaceBlock = 256 << 10
	// noteBytes is the longest note of setting up.
	noteBytes = 512
)

// homes are the memories of all ranks, mapped by each of them.
type homes struct {
	of   [][]byte // by rank
	maps []*shm.Segment
	rest []float32
	// Of the operation that runs: where each rank says its vectors lie, 0 for elsewhere.
	places [][]int
}

// mapHomes agrees with all ranks on mapping each other's memories. It returns why they aren't, where they aren't.
func (g *Group) mapHomes(op *operation) (reason string, err error) {
	offer := refusal + "it has no memory for it"
	if m := g.cfg.Memory; m != nil {
		var why error
		if offer, why = m.offer(); why != nil {
			offer = refusal + why.Error()
		}
	}
	offers, ok := op.notes(offer)
	if !ok {
		return "", op.result()
	}
	if reason = refused(offers); reason != "" {
		return reason, nil
	}
	h := &homes{of: make([][]byte, g.Size())}
	answer := "yes"
	for r, offer := range offers {
		if r == g.Rank() {
			h.of[r] = g.cfg.Memory.bytes()
			continue
		}
		s, why := shm.Open(offer)
		if why != nil {
			answer = refusal + why.Error()
			break
		}
		h.maps, h.of[r] = append(h.maps, s), s.Bytes()
	}
	answers, ok := op.notes(answer)
	if reason = refused(answers); !ok || reason != "" {
		h.close()
		return reason, op.result()
	}
	g.mu.Lock()
	g.shared.homes = h
	g.mu.Unlock()
	return "", nil
}

// refused is the first refusal, with the rank it comes from; "" without one.
func refused(notes []string) string {
	for r, n := range notes {
		if len(n) >= len(refusal) && n[:len(refusal)] == refusal {
			return fmt.Sprintf("rank %d: %s", r, n[len(refusal):])
		}
	}
	return ""
}

func (h *homes) close() {
	for _, s := range h.maps {
		_ = s.Close()
	}
	h.of, h.maps = nil, nil
}

// notes brings a short text of every rank to every rank.
func (op *operation) notes(text string) ([]string, bool) {
	list := make([]string, op.g.Size())
	head := func(int) [shm.HeadBytes]byte { return op.head(link.Setup, 0, noteBytes) }
	ok := op.board(op.g.shared.smalls, head, func(msg []byte) {
		clear(msg[copy(msg, text):])
	}, func(r int, data []byte) {
		n := 0
		for n < len(data) && data[n] != 0 {
			n++
		}
		list[r] = string(data[:n])
	})
	return list, ok
}

// meet tells all ranks where this rank's vectors of n elements lie, and learns where theirs do: count(r) of rank r.
// It returns when all are there. all says that every vector lies in its rank's memory.
func (op *operation) meet(n int, vectors [][]float32, count func(r int) int) (all, ok bool) {
	g, h := op.g, op.g.shared.homes
	head := func(r int) [shm.HeadBytes]byte { return op.head(link.Place, n, 8*count(r)) }
	h.places = h.places[:0]
	all = true
	ok = op.board(g.shared.smalls, head, func(msg []byte) {
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

// part waits until every rank has done its part of the operation.
func (op *operation) part() bool {
	head := func(int) [shm.HeadBytes]byte { return op.head(link.Done, 0, 0) }
	return op.board(op.g.shared.smalls, head, func([]byte) {}, func(int, []byte) {})
}

// astray breaks the group for a place of rank that isn't in its memory.
func (op *operation) astray(rank int) bool {
	op.g.counters.corrupt.Add(1)
	op.g.fail(blame{rank, fmt.Errorf("%w: a vector outside the memory it is said to be in", ErrCorrupt)})
	return false
}

// reduceInPlace is AllReduce where the vectors of all ranks lie in memory that all have mapped. done is false where
// they don't. Each rank sums its slice of the vector over all shards and writes it to all ranks. The slices are always
// the same, because the first touch of a page by a process costs as much as summing it.
func (g *Group) reduceInPlace(op *operation, shards [][]float32, out []float32) (done bool, err error) {
	h := g.shared.homes
	vectors := append([][]float32{out}, shards...)
	all, ok := op.meet(len(out), vectors, func(r int) int { return 1 + g.first(r+1) - g.first(r) })
	if !ok || !all {
		return !ok, op.result()
	}
	job := inPlaceSum{n: len(out), wire: g.cfg.Wire}
	if r, ok := job.find(h); !ok {
		op.astray(r)
		return true, op.result()
	}
	if len(job.srcs) > sumWays && h.rest == nil {
		h.rest = make([]float32, sumBlock)
	}
	lo, end := sliceOf(len(out), g.Rank(), g.Size()), sliceOf(len(out), g.Rank()+1, g.Size())
	for ; lo < end && !g.shared.arena.Aborted(); lo += inPlaceBlock {
		job.block(lo, min(inPlaceBlock, end-lo), h.rest)
	}
	op.part()
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
	wire Wire
	srcs []*float32 // of all shards
	to   target     // of all ranks, first those that are summands
	// moved and from are the same from some element on.
	moved target
	from  []*float32
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
			s.to.outs = append(s.to.outs, out)
		} else {
			far = append(far, out)
		}
	}
	s.to.near = len(s.to.outs)
	s.to.outs = append(s.to.outs, far...)
	s.moved = target{make([]*float32, len(s.to.outs)), s.to.near}
	s.from = make([]*float32, len(s.srcs))
	return 0, true
}

// block sums n elements from lo on.
func (s *inPlaceSum) block(lo, n int, rest []float32) {
	for i, p := range s.to.outs {
		s.moved.outs[i] = at(p, lo)
	}
	for i, p := range s.srcs {
		s.from[i] = at(p, lo)
	}
	if s.wire == BF16 {
		sumRounded(s.moved, s.from, n, rounding{})
		return
	}
	sumMany(s.moved, s.from, n, rest)
}

// shareInPlace is Share where the buffers of all ranks lie in memory that all have mapped: each copies the others'
// spans from where they are. done is false where they don't.
func (g *Group) shareInPlace(op *operation, buf []float32, spans []Span) (done bool, err error) {
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
	op.part()
	return true, op.result()
}
