package allreduce

import (
	"byol/allreduce/link"
	"byol/internal/vector"
)

// move is one frame of a schedule: elements [Off, Off+Len) of the vector.
type move struct {
	Kind  link.Kind // Share, Part or Total
	Chunk uint32    // number of the frame's chunk within its kind
	Off   int
	Len   int
	// After is how many receives must be complete before a send: those up to the one that brings its elements.
	After int
}

// schedule is what one rank does in one operation: it receives Recv from the previous rank and sends Send to the next,
// each in order, both at the same time.
type schedule struct{ Recv, Send []move }

// spreadOf is the exchange of spans: spans[r] starts at rank r and goes round the ring until all have it, in chunks of
// at most chunk elements.
//
// Cost: link r → r+1 carries all spans but that of rank r+1; size−1 hops, the chunks of a span one behind another.
func spreadOf(rank int, spans []vector.Span, chunk int) schedule {
	size := len(spans)
	if size < 2 {
		return schedule{}
	}
	p := schedule{
		Recv: spreadSends((rank+size-1)%size, spans, chunk),
		Send: spreadSends(rank, spans, chunk),
	}
	arrived := map[uint32]int{}
	for i, m := range p.Recv {
		arrived[m.Chunk] = i + 1
	}
	for i, m := range p.Send {
		p.Send[i].After = arrived[m.Chunk] // 0 for its own span
	}
	return p
}

// spreadSends lists what rank sends: its own span, then those that came from behind, nearest first. Chunk numbers
// count through all spans in rank order, so that a number means the same on every rank.
func spreadSends(rank int, spans []vector.Span, chunk int) []move {
	size := len(spans)
	base := make([]int, size)
	for r := 1; r < size; r++ {
		base[r] = base[r-1] + (spans[r-1].Len+chunk-1)/chunk
	}
	var moves []move
	for t := range size - 1 {
		s := (rank - t + size) % size
		for off, k := 0, base[s]; off < spans[s].Len; off, k = off+chunk, k+1 {
			moves = append(moves, move{
				Kind:  link.Share,
				Chunk: uint32(k),
				Off:   spans[s].Off + off,
				Len:   min(chunk, spans[s].Len-off),
			})
		}
	}
	return moves
}

// deal is one frame of a schedule in which every rank deals with every other: it goes to Peer, or comes from it.
type deal struct {
	move
	Peer int
	Send bool
}

// dealsOf is the sum of n elements over size ranks, in chunks of about equal length, at most chunk elements. Chunk k
// belongs to rank k modulo size: the others send it their Part of it, and it sends the Total to all. A rank does its
// deals in order; a Total it sends needs the Parts before it.
//
// Ranks send the parts of one round of chunks ahead of the totals of the round before, so that nobody waits for one
// hop only. Nobody is further ahead: a rank comes to round k+1 with the totals of round k, which need everybody's
// parts of round k, which were sent when the totals of round k−2 had been taken. So of each kind at most two frames of
// a rank wait to be taken by another, and sends need not wait for receives.
//
// Cost: a rank sends and receives (size−1)/size of n elements for each row of a parcel (its own, and the others' of its
// chunks), and as much for totals: the least there can be, where each rank's shards are one node. Two hops.
func dealsOf(rank, size, n, chunk int) []deal {
	if size < 2 || n == 0 {
		return nil
	}
	rounds := (n + size*chunk - 1) / (size * chunk)
	chunk = (n + rounds*size - 1) / (rounds * size)
	var deals []deal
	// each adds the deals about the chunks of a round that pick chooses, with the ranks that they are for.
	each := func(round int, kind link.Kind, send, own bool) {
		for i := range size { // everybody begins with another rank
			owner := (rank + i) % size
			off := (round*size + owner) * chunk
			if round < 0 || off >= n || (owner == rank) != own {
				continue
			}
			m := move{Kind: kind, Chunk: uint32(round*size + owner), Off: off, Len: min(chunk, n-off)}
			if !own {
				deals = append(deals, deal{m, owner, send})
				continue
			}
			for k := 1; k < size; k++ {
				deals = append(deals, deal{m, (rank + k) % size, send})
			}
		}
	}
	for round := -1; round < rounds; round++ {
		each(round+1, link.Part, true, false)
		each(round, link.Part, false, true)
		each(round, link.Total, true, true)
		each(round, link.Total, false, false)
	}
	return deals
}

// turn is one thing a rank does with a cell of memory that all ranks share: write it in its turn, or read it.
type turn struct {
	Chunk int
	Read  bool
}

// turnsOf leads chunks through a window of cells: a rank writes a block of chunks, then reads the block
// before. There are at least two cells. Blocks of a quarter of the window let ranks that take turns on few cores do
// more than one chunk at a time, and leave room for the ranks ahead.
//
// No rank waits for ever: writing chunk k needs chunk k−cells read by all, reading chunk k needs it written by all;
// and every rank has done both before it comes to a later chunk of the same kind a window further.
func turnsOf(chunks, cells int) []turn {
	block := max(1, cells/4)
	turns := make([]turn, 0, 2*chunks)
	for lo := 0; lo < chunks+block; lo += block {
		for k := lo; k < min(lo+block, chunks); k++ {
			turns = append(turns, turn{Chunk: k})
		}
		for k := max(lo-block, 0); k < min(lo, chunks); k++ {
			turns = append(turns, turn{Chunk: k, Read: true})
		}
	}
	return turns
}

// round is one step of the exchange of nodes: ranks [Begin, Middle) and [Middle, End) give each other theirs.
type round struct {
	Level              int // blocks before it have 2^Level ranks
	Begin, Middle, End int
	To                 []int // whom this rank sends to
	From               int   // whose nodes come to it
}

// roundsOf is the exchange of nodes as one of size ranks sees it. Blocks of 1, 2, 4, … ranks, the last of which may be
// cut short, meet the block beside them; a block without one waits for the next round. Where the right one has fewer
// ranks, each of them sends to several of the left. Two ranks meet in one round only, so of what a rank sends to
// another at most two messages wait to be taken: this operation's, and the next one's.
//
// Cost: a rank receives ⌈log₂ size⌉ times the nodes of a block: one, where shares are equal and sizes powers of two.
func roundsOf(rank, size int) []round {
	var list []round
	for level, width := 0, 1; width < size; level, width = level+1, 2*width {
		begin := rank / (2 * width) * 2 * width
		r := round{Level: level, Begin: begin, Middle: begin + width, End: min(begin+2*width, size)}
		if r.Middle >= r.End {
			continue
		}
		right := r.End - r.Middle
		if i := rank - r.Begin; i < width {
			r.From = r.Middle + i%right
			if i < right {
				r.To = []int{r.Middle + i}
			}
		} else {
			j := rank - r.Middle
			r.From = r.Begin + j
			for i := j; i < width; i += right {
				r.To = append(r.To, r.Begin+i)
			}
		}
		list = append(list, r)
	}
	return list
}
