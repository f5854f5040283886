package allreduce

import (
	"time"

	"byol/allreduce/link"
	"byol/internal/vector"
)

// relay leads chunks through the window: in its turns a rank writes a chunk's cell, later it reads it.
type relay struct {
	op    *operation
	moves []move // the chunks
	rows  int    // how many vectors of a chunk's length a cell has room for; 0: one
	// writer says how many turns of chunk k this rank takes, beginning with which; a rank that takes none only reads.
	writer func(k int) (turn, turns int)
	write  func(m move, cell []float32)
	read   func(k int, cell []float32)
}

func (l relay) run() error {
	op, g := l.op, l.op.g
	s := g.shared
	for _, t := range turnsOf(len(l.moves), s.cells) {
		m, number := l.moves[t.Chunk], s.cell+uint64(t.Chunk)
		turn, turns := l.writer(t.Chunk)
		if t.Read {
			turn = g.Size()
		}
		if t.Read || turns > 0 {
			if !l.await(number, turn) || !l.head(number, m, turn, t.Read) {
				return op.result()
			}
			cell := vector.Floats(s.window.Data(number))[:m.Len*max(1, l.rows)]
			if t.Read {
				l.read(t.Chunk, cell)
				s.window.WasRead(number)
			} else {
				l.write(m, cell)
				s.window.Written(number, turn, turns)
			}
		}
		s.steps++
		s.window.Publish(s.steps)
	}
	s.cell += uint64(len(l.moves))
	return nil
}

// await waits until count turns and reads of a cell are done.
func (l *relay) await(number uint64, count int) bool {
	w := l.op.g.shared.window
	if w.Ready(number, count) {
		return true
	}
	return l.op.awaitShared(func(limit time.Duration) error { return w.Await(number, count, limit) }, w.Behind)
}

// head sets the cell's head in its first turn, and compares it later.
func (l *relay) head(number uint64, m move, turn int, read bool) bool {
	got, want := l.op.g.shared.window.Head(number), l.op.head(m.Kind, int(m.Chunk), 4*m.Len)
	if turn == 0 && !read {
		*got = want
		return true
	}
	return l.op.same(l.op.g.shared.window.Behind(), *got, want)
}

// sumWindow is AllReduce for a long vector in shared memory: a chunk's cell goes from rank to rank with the nodes that
// the shards so far make up, each rank adds its own, and all copy the sum.
func (g *Group) sumWindow(op *operation, shards [][]float32, out []float32) (taken bool, err error) {
	f, most := g.order.relay, 1
	for r := range g.Size() {
		most = max(most, len(g.order.tree.Nodes(0, g.first(r))))
	}
	l := relay{op: op, rows: most, moves: cut(link.Reduce, vector.Span{Len: len(out)}, 0, cellElements(len(out))/most)}
	l.writer = func(int) (turn, turns int) { return g.Rank(), 1 }
	scratch := g.bufs.floats(f.scratch(0))
	l.write = func(m move, cell []float32) {
		kept := starts(g.bufs.rows(cell, m.Len), 0)[:max(f.have, f.left)]
		if g.Rank() < g.Size()-1 {
			g.cfg.Wire.foldInto(kept, f, starts(shards, m.Off), m.Len, scratch)
			return
		}
		run := folder{folding: f, wire: g.cfg.Wire, slots: kept, kept: len(kept), to: outputs{kept[:1:1], 1}}
		run.addSlots(scratch)
		run.run(starts(shards, m.Off), m.Len)
	}
	l.read = func(k int, cell []float32) { copy(out[l.moves[k].Off:], cell[:l.moves[k].Len]) }
	return true, l.run()
}

// shareWindow is Share in shared memory. Chunks of all spans take turns, so that all ranks copy at the same time.
func (g *Group) shareWindow(op *operation, buf []float32, spans []vector.Span) (taken bool, err error) {
	var per [][]move
	longest, first := 0, 0
	for _, s := range spans {
		moves := cut(link.Share, s, first, cellBytes/4)
		per, first, longest = append(per, moves), first+len(moves), max(longest, len(moves))
	}
	var owners []int
	l := relay{op: op}
	for k := range longest {
		for r, moves := range per {
			if k < len(moves) {
				l.moves, owners = append(l.moves, moves[k]), append(owners, r)
			}
		}
	}
	l.writer = func(k int) (turn, turns int) {
		if owners[k] == g.Rank() {
			return 0, g.Size()
		}
		return 0, 0
	}
	l.write = func(m move, cell []float32) { copy(cell, buf[m.Off:]) }
	l.read = func(k int, cell []float32) {
		if owners[k] != g.Rank() {
			copy(buf[l.moves[k].Off:], cell)
		}
	}
	return true, l.run()
}

// cut divides span into chunks of at most chunk elements, numbered from first.
func cut(kind link.Kind, span vector.Span, first, chunk int) []move {
	var moves []move
	for off := 0; off < span.Len; off += chunk {
		n := min(chunk, span.Len-off)
		moves = append(moves, move{Kind: kind, Chunk: uint32(first + len(moves)), Off: span.Off + off, Len: n})
	}
	return moves
}

// cellElements is how many elements of n go into one cell: all that fit, but a vector of a few cells is spread.
func cellElements(n int) int {
	return max(min(n/8&^1023, cellBytes/4), 8<<10)
}
