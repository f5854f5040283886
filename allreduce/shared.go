package allreduce

import (
	"errors"
	"fmt"
	"slices"
	"time"
	"unsafe"

	"byol/allreduce/link"
	"byol/allreduce/shm"
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

// shared is a group's memory when all its ranks are on one host.
type shared struct {
	segment *shm.Segment
	arena   *shm.Arena
	gathers *shm.Board // guarded by Group.small
	smalls  *shm.Board // guarded by Group.bulk
	window  *shm.Window
	cell    uint64 // guarded by Group.bulk: the next cell of all time
	steps   uint32 // guarded by Group.bulk: turns this rank has done
	cells   int
	homes   *homes // guarded by Group.bulk: nil where vectors are copied
	copied  string // why they are
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
		segment: segment, arena: arena, gathers: arena.Board(0), smalls: arena.Board(1), window: arena.Window(),
		cells: geometry(ranks).Cells,
	}, nil
}

// setUpShared agrees with all ranks on memory to share. Rank 0 makes it and offers it, the others try to map it and
// say so, and rank 0 decides. An error is the group's; a reason why there is no such memory is none.
func (g *Group) setUpShared(op *operation) error {
	if !g.oneHost() {
		g.reason = "the ranks are on several hosts"
		return nil
	}
	s, err := g.openShared(op)
	if err != nil {
		g.reason = err.Error()
	}
	g.mu.Lock()
	g.shared = s // and Close returns it, should the group have broken meanwhile
	g.mu.Unlock()
	if s == nil || op.result() != nil {
		return op.result()
	}
	s.copied, err = g.mapHomes(op)
	return err
}

// oneHost says whether all ranks are on one host.
func (g *Group) oneHost() bool {
	host := g.cfg.Peers[0].Host
	return host != "" && !slices.ContainsFunc(g.cfg.Peers, func(p Peer) bool { return p.Host != host })
}

// memory is shared, for goroutines that may run before the group is formed.
func (g *Group) memory() *shared {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.shared
}

// refusal begins what a rank says when it cannot share memory; the rest is the reason.
const refusal = "no: "

// openShared returns an error that is the same for all ranks, or that broke the group.
func (g *Group) openShared(op *operation) (*shared, error) {
	if g.Rank() == 0 {
		return g.offerShared(op)
	}
	offer, ok := op.hear(g.mesh[0])
	if !ok {
		return nil, op.result()
	}
	answer := "yes"
	segment, err := g.tryOpen(offer)
	if err != nil {
		answer = refusal + err.Error()
	}
	op.tell(g.mesh[0], answer)
	verdict, ok := op.hear(g.mesh[0])
	switch {
	case !ok:
		err = op.result()
	case verdict != "yes":
		err = errors.New(verdict[min(len(refusal), len(verdict)):])
	}
	if err == nil {
		var s *shared
		if s, err = newShared(segment, g.Rank(), g.Size()); err == nil {
			return s, nil
		}
	}
	if segment != nil {
		_ = segment.Close()
	}
	return nil, err
}

func (g *Group) tryOpen(offer string) (*shm.Segment, error) {
	if g.cfg.NoSharedMemory {
		return nil, errNoShared
	}
	if len(offer) >= len(refusal) && offer[:len(refusal)] == refusal {
		return nil, errors.New(offer[len(refusal):])
	}
	return shm.Open(offer)
}

var errNoShared = errors.New("it is switched off")

// offerShared is rank 0's part of openShared.
func (g *Group) offerShared(op *operation) (*shared, error) {
	var segment *shm.Segment
	err := errNoShared
	if g.Size() > sharedRanks {
		err = fmt.Errorf("%d ranks are too many for it", g.Size())
	} else if !g.cfg.NoSharedMemory {
		segment, err = shm.Create(geometry(g.Size()).Size())
	}
	offer := ""
	if err != nil {
		offer = refusal + err.Error()
	} else {
		offer = segment.Offer()
	}
	for _, p := range g.mesh[1:] {
		op.tell(p, offer)
	}
	verdict := "yes"
	for _, p := range g.mesh[1:] {
		answer, ok := op.hear(p)
		if ok && answer != "yes" && verdict == "yes" {
			verdict = answer
			err = errors.New(answer[min(len(refusal), len(answer)):])
		}
	}
	for _, p := range g.mesh[1:] {
		op.tell(p, verdict)
	}
	if segment == nil {
		return nil, err
	}
	segment.Drop()
	if err == nil {
		var s *shared
		if s, err = newShared(segment, 0, g.Size()); err == nil {
			return s, nil
		}
	}
	_ = segment.Close()
	return nil, err
}

// tell sends a text while the group forms.
func (op *operation) tell(p *peer, text string) {
	h := op.header(link.Setup, 0)
	h.Length, h.Sum = uint32(len(text)), link.Checksum([]byte(text))
	if err := p.link.Send(h, []byte(text)); err != nil {
		op.g.linkFailed(p.rank, err)
	}
}

// hear waits for a text while the group forms.
func (op *operation) hear(p *peer) (string, bool) {
	m, ok := op.take(p, link.Setup)
	return string(m.data), ok
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
		op.g.counters.corrupt.Add(1)
		op.g.fail(blame{rank, err})
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
	for end := time.Now().Add(g.cfg.Timeout); ; {
		err := await(leftCheck)
		switch {
		case err == nil:
			return true
		case errors.Is(err, shm.ErrAborted):
			g.linkFailed(late(), fmt.Errorf("%w: %w", link.ErrEnded, err))
			return false
		case time.Now().After(end):
			g.fail(blame{late(), ErrTimeout})
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
				g.fail(blame{p.rank, ErrClosed})
				return false
			default:
			}
		}
	}
}

// board runs one round: put fills this rank's message of size bytes, use gets that of every rank.
func (op *operation) board(
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

// gatherShared is Gather in shared memory, in as many rounds as the longest part needs.
func (g *Group) gatherShared(op *operation, local, all []float64, width int) error {
	dst, src := bytesOf(all), bytesOf(local)
	longest := 8 * width * g.mostShards()
	for k, lo := 0, 0; lo < longest; k, lo = k+1, lo+boardBytes {
		piece := func(r int) (from, to int) { // of rank r's part
			size := 8 * width * (g.first(r+1) - g.first(r))
			return min(lo, size), min(lo+boardBytes, size)
		}
		head := func(r int) [shm.HeadBytes]byte {
			from, to := piece(r)
			return op.head(link.Gather, k, to-from)
		}
		ok := op.board(g.shared.gathers, head, func(msg []byte) {
			from, to := piece(g.Rank())
			copy(msg, src[from:to])
		}, func(r int, data []byte) {
			from, _ := piece(r)
			copy(dst[8*width*g.first(r)+from:], data)
		})
		if !ok {
			return op.result()
		}
	}
	return nil
}

// reduceSmallShared is AllReduce for a short vector in shared memory: everybody sums all shards where they lie.
func (g *Group) reduceSmallShared(op *operation, shards [][]float32, out []float32) error {
	n := len(out)
	table := g.bufs.table[:0]
	head := func(r int) [shm.HeadBytes]byte {
		return op.head(link.Small, 0, 4*n*(g.first(r+1)-g.first(r)))
	}
	ok := op.board(g.shared.smalls, head, func(msg []byte) {
		for i, s := range shards {
			copy(msg[4*n*i:], bytesOf(s))
		}
	}, func(_ int, data []byte) {
		for v := floatsOf(data); len(v) > 0; v = v[n:] {
			table = append(table, v[:n])
		}
		if len(table) == g.shards {
			g.cfg.Wire.sum(out, nil, table, 0, false)
		}
	})
	g.bufs.table = table
	if !ok {
		return op.result()
	}
	return nil
}

// pass leads chunks through the window. writes says how many turns of a chunk this rank takes, beginning with which:
// ranks that write none only read. work is called with the cell's data in this rank's turn.
type pass struct {
	op     *operation
	moves  []Move // the chunks
	writer func(k int) (turn, turns int)
	write  func(m Move, cell []float32)
	read   func(k int, cell []float32)
}

func (p *pass) run() error {
	op, g := p.op, p.op.g
	s := g.shared
	for _, t := range Turns(len(p.moves), s.cells) {
		m, number := p.moves[t.Chunk], s.cell+uint64(t.Chunk)
		turn, turns := p.writer(t.Chunk)
		if t.Read {
			turn = g.Size()
		}
		if t.Read || turns > 0 {
			if !p.await(number, turn) || !p.head(number, m, turn, t.Read) {
				return op.result()
			}
			cell := floatsOf(s.window.Data(number))[:m.Len]
			if t.Read {
				p.read(t.Chunk, cell)
				s.window.WasRead(number)
			} else {
				p.write(m, cell)
				s.window.Written(number, turn, turns)
			}
		}
		s.steps++
		s.window.Publish(s.steps)
	}
	s.cell += uint64(len(p.moves))
	return nil
}

// await waits until count turns and reads of a cell are done.
func (p *pass) await(number uint64, count int) bool {
	w := p.op.g.shared.window
	if w.Ready(number, count) {
		return true
	}
	return p.op.awaitShared(func(limit time.Duration) error { return w.Await(number, count, limit) }, w.Behind)
}

// head sets the cell's head in its first turn, and compares it later.
func (p *pass) head(number uint64, m Move, turn int, read bool) bool {
	got, want := p.op.g.shared.window.Head(number), p.op.head(m.Kind, int(m.Chunk), 4*m.Len)
	if turn == 0 && !read {
		*got = want
		return true
	}
	return p.op.same(p.op.g.shared.window.Behind(), *got, want)
}

// reduceShared is AllReduce for a long vector in shared memory: a chunk's cell goes from rank to rank, each adds its
// shards to it, and all copy the sum.
func (g *Group) reduceShared(op *operation, shards [][]float32, out []float32) error {
	p := pass{op: op, moves: cut(link.Reduce, Span{0, len(out)}, 0, cellElements(len(out)))}
	p.writer = func(int) (turn, turns int) { return g.Rank(), 1 }
	p.write = func(m Move, cell []float32) {
		sum := cell
		if g.Rank() == 0 {
			sum = nil
		}
		g.cfg.Wire.sum(cell, sum, shards, m.Off, g.Rank() < g.Size()-1)
	}
	p.read = func(k int, cell []float32) { copy(out[p.moves[k].Off:], cell) }
	return p.run()
}

// shareShared is Share in shared memory. Chunks of all spans take turns, so that all ranks copy at the same time.
func (g *Group) shareShared(op *operation, buf []float32, spans []Span) error {
	var per [][]Move
	longest, first := 0, 0
	for _, s := range spans {
		moves := cut(link.Share, s, first, cellBytes/4)
		per, first, longest = append(per, moves), first+len(moves), max(longest, len(moves))
	}
	var owners []int
	p := pass{op: op}
	for k := range longest {
		for r, moves := range per {
			if k < len(moves) {
				p.moves, owners = append(p.moves, moves[k]), append(owners, r)
			}
		}
	}
	p.writer = func(k int) (turn, turns int) {
		if owners[k] == g.Rank() {
			return 0, g.Size()
		}
		return 0, 0
	}
	p.write = func(m Move, cell []float32) { copy(cell, buf[m.Off:]) }
	p.read = func(k int, cell []float32) {
		if owners[k] != g.Rank() {
			copy(buf[p.moves[k].Off:], cell)
		}
	}
	return p.run()
}

// cut divides span into chunks of at most chunk elements, numbered from first.
func cut(kind link.Kind, span Span, first, chunk int) []Move {
	var moves []Move
	for off := 0; off < span.Len; off += chunk {
		n := min(chunk, span.Len-off)
		moves = append(moves, Move{Kind: kind, Chunk: uint32(first + len(moves)), Off: span.Off + off, Len: n})
	}
	return moves
}

// cellElements is how many elements of n go into one cell: all that fit, but a vector of a few cells is spread.
func cellElements(n int) int {
	return max(min(n/8&^1023, cellBytes/4), 8<<10)
}

// floatsOf is the memory of b as elements.
func floatsOf(b []byte) []float32 {
	if len(b) < 4 {
		return nil
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
}
