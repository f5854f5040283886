package allreduce

import (
	"errors"
	"fmt"
	"time"

	"byol/allreduce/link"
	"byol/allreduce/shm"
	"byol/internal/vector"
)

// The shape of the memory that ranks of one host share. A window of 16 MiB still fits the cache that cores have in
// common, and spares ranks that take turns on few cores most of their switches (docs/bench/allreduce.md).
const (
	cellBytes   = 256 << 10
	boardBytes  = 256 << 10
	leastCells  = 64
	sharedRanks = 64 // more than this many ranks of one host stay on TCP
)

// leftCheck is how often a rank that waits in shared memory looks whether the other has said goodbye.
const leftCheck = 40 * time.Millisecond

// abortLimit is how long a rank that finds the memory aborted waits to hear why: who aborts it has said so before on
// the mesh, or ended its link.
const abortLimit = time.Second

// shared is a group's memory when all its ranks are on one host.
type shared struct {
	segment *shm.Segment
	arena   *shm.Arena
	totals  *shm.Board // guarded by Group.small
	smalls  *shm.Board // guarded by Group.bulk
	window  *shm.Window
	cell    uint64 // guarded by Group.bulk: the next cell of all time
	steps   uint32 // guarded by Group.bulk: turns this rank has done
	cells   int
	homes   *homes // guarded by Group.bulk: nil where vectors are copied
}

func geometry(ranks int) shm.Geometry {
	cells := leastCells
	for cells < 2*ranks {
		cells *= 2
	}
	return shm.Geometry{Ranks: ranks, Boards: 2, BoardBytes: boardBytes, Cells: cells, CellBytes: cellBytes}
}

func newShared(segment *shm.Segment, rank, ranks int) (*shared, error) {
	arena, err := shm.NewArena(segment.Bytes(), geometry(ranks), rank)
	if err != nil {
		return nil, err
	}
	return &shared{
		segment: segment, arena: arena, totals: arena.Board(0), smalls: arena.Board(1), window: arena.Window(),
		cells: geometry(ranks).Cells,
	}, nil
}

// memory is shared, for goroutines that may run before the group is formed.
func (g *Group) memory() *shared {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.shared
}

// close returns the memory. No operation runs any more.
func (s *shared) close() {
	if s.homes != nil {
		s.homes.close()
	}
	_ = s.segment.Close()
}

// head is the head of a cell or message of op, as bytes.
func (op *operation) head(kind link.Kind, chunk, length int) (b [shm.HeadBytes]byte) {
	h := op.header(kind, uint32(chunk))
	h.Length = uint32(length)
	h.Encode(b[:])
	return b
}

// same breaks the group unless got, written by rank, is want.
func (op *operation) same(rank int, got, want [shm.HeadBytes]byte) bool {
	if got == want {
		return true
	}
	h, err := link.Decode(got[:])
	if err != nil {
		op.g.fail(op.g.observed(rank, err))
		return false
	}
	w, _ := link.Decode(want[:])
	return op.expect(rank, h, w)
}

// awaitShared waits with await, in slices, until it returns nil. late says who is waited for.
func (op *operation) awaitShared(await func(limit time.Duration) error, late func() int) bool {
	g := op.g
	who := late()
	op.waiting.begin(op, who)
	defer op.waiting.end()
	for {
		err := await(leftCheck)
		switch {
		case err == nil:
			return true
		case errors.Is(err, shm.ErrAborted):
			g.hearOrBlame(abortLimit, g.observed(late(), fmt.Errorf("%w: %w", ErrLost, err)))
			return false
		}
		if now := late(); now != who {
			who = now
			op.waiting.begin(op, who)
		}
		if p := g.mesh[max(who, 0)]; p != nil {
			select {
			case <-p.left:
				if await(0) == nil {
					return true
				}
				g.fail(g.observed(p.rank, ErrClosed))
				return false
			default:
			}
		}
	}
}

// round runs one round of a board: put fills this rank's message, use gets that of every rank. head is the head of
// rank r's message, with its length.
func (op *operation) round(
	b *shm.Board, head func(r int) [shm.HeadBytes]byte, put func([]byte), use func(int, []byte),
) bool {
	g := op.g
	mine := head(g.Rank())
	h, _ := link.Decode(mine[:])
	put(b.Message(int(h.Length)))
	b.Put(mine)
	if !b.Full() && !op.awaitShared(b.Await, b.Late) {
		return false
	}
	for r := range g.Size() {
		got, data := b.Read(r)
		if !op.same(r, got, head(r)) {
			return false
		}
		use(r, data)
	}
	b.Next()
	return true
}

// totalBoard is Total in shared memory, in as many rounds of a board as the longest part needs.
func (g *Group) totalBoard(op *operation, local, sum []float64) error {
	n, o, t := len(sum), &g.order.nodes, &g.totals
	t.begin(n * o.all())
	own := part(o, t.memory, g.Rank(), n)
	g.foldOwn(local, own)
	longest := 8 * n * o.most()
	for k, lo := 0, 0; lo < longest; k, lo = k+1, lo+boardBytes {
		piece := func(r int) []byte {
			all := vector.Bytes(part(o, t.memory, r, n))
			return all[min(lo, len(all)):min(lo+boardBytes, len(all))]
		}
		head := func(r int) [shm.HeadBytes]byte { return op.head(link.Node, k, len(piece(r))) }
		ok := op.round(g.shared.totals, head, func(msg []byte) { copy(msg, piece(g.Rank())) }, func(r int, data []byte) {
			copy(piece(r), data)
		})
		if !ok {
			return op.result()
		}
	}
	return g.foldAll(sum)
}

// sumBoard is AllReduce for a short vector in shared memory: everybody sums all parcels where they lie.
func (g *Group) sumBoard(op *operation, shards [][]float32, out []float32) (taken bool, err error) {
	if !g.short(len(out)) {
		return false, nil
	}
	n, w, o := len(out), g.cfg.Wire, &g.order
	scratch := g.bufs.floats(max(o.joined.scratch(0), o.pack.scratch(o.parcels.count(g.Rank()))))
	table := make([]*float32, 0, o.parcels.all())
	head := func(r int) [shm.HeadBytes]byte { return op.head(link.Small, 0, 4*n*o.parcels.count(r)) }
	ok := op.round(g.shared.smalls, head, func(msg []byte) {
		if w == BF16 {
			for i, s := range shards {
				copy(msg[4*n*i:], vector.Bytes(s))
			}
			return
		}
		w.foldInto(starts(g.bufs.rows(vector.Floats(msg), n), 0), o.pack, starts(shards, 0), n, scratch)
	}, func(_ int, data []byte) {
		table = append(table, starts(g.bufs.rows(vector.Floats(data), n), 0)...)
		if len(table) == o.parcels.all() {
			w.sumInto(outputs{[]*float32{&out[0]}, 1}, o.joined, table, n, scratch)
		}
	})
	if !ok {
		return true, op.result()
	}
	return true, nil
}
