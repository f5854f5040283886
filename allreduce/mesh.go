package allreduce

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"byol/allreduce/link"
)

// maxMessage bounds one rank's part of a short operation, and so the memory a peer can make us take.
const maxMessage = 64 << 20

// ahead is how many messages of one kind a peer can have sent before we take the first: it finishes an operation
// only with our part of it, so it is at most one operation ahead.
const ahead = 2

// message is a frame of a short operation.
type message struct {
	head link.Header
	data []byte
}

// peer is another rank, seen over the mesh. The goroutine in listen fills its queues.
type peer struct {
	rank   int
	link   link.Link
	queues map[link.Kind]chan message // complete from the start
	spare  chan []byte                // buffers for reuse
	left   chan struct{}              // closed when the peer said goodbye; its queues are complete then
}

func newPeer(rank int, l link.Link) *peer {
	p := &peer{rank: rank, link: l, left: make(chan struct{}), spare: make(chan []byte, 3*ahead)}
	p.queues = map[link.Kind]chan message{
		link.Gather: make(chan message, ahead),
		link.Small:  make(chan message, ahead),
		link.Setup:  make(chan message, ahead),
		link.Answer: make(chan message, ahead),
		link.Part:   make(chan message, ahead),
		link.Total:  make(chan message, ahead),
	}
	return p
}

// buffer returns n bytes that no one else uses.
func (p *peer) buffer(n int) []byte {
	for range cap(p.spare) { // long and short ones may wait side by side
		select {
		case b := <-p.spare:
			if cap(b) >= n {
				return b[:n]
			}
			p.recycle(b)
		default:
			return make([]byte, n)
		}
	}
	return make([]byte, n)
}

func (p *peer) recycle(b []byte) {
	select {
	case p.spare <- b:
	default:
	}
}

// listen takes everything p sends on the mesh until the link ends, and so notices its death at once, whatever else
// this rank waits for.
func (g *Group) listen(p *peer) {
	for {
		h, err := p.link.RecvHeader()
		if err != nil {
			g.meshFailed(p, err)
			return
		}
		queue := p.queues[h.Kind]
		known := queue != nil || h.Kind == link.Abort || h.Kind == link.Bye || h.Kind == link.Probe
		if !known || h.Generation != uint32(g.cfg.Generation) || h.Length > maxMessage {
			g.counters.stale.Add(1)
			g.fail(blame{p.rank, fmt.Errorf("%w: unexpected frame %v in generation %d", ErrStale, h, g.cfg.Generation)})
			return
		}
		data := p.buffer(int(h.Length))
		if err := p.link.RecvPayload(data); err != nil {
			g.meshFailed(p, err)
			return
		}
		if link.Checksum(data) != h.Sum {
			g.corrupt(p.rank, h)
			return
		}
		switch h.Kind {
		case link.Abort:
			g.fail(decodeAbort(p.rank, data))
			return
		case link.Bye:
			close(p.left)
			return
		case link.Probe:
			g.answer(p, h)
			continue
		}
		select {
		case queue <- message{h, data}:
		default:
			if h.Kind == link.Answer { // to questions of long ago
				continue
			}
			g.counters.stale.Add(1)
			g.fail(blame{p.rank, fmt.Errorf("%w: frame %v is ahead of its turn", ErrStale, h)})
			return
		}
	}
}

// meshFailed breaks the group for the end of the mesh link to p. No third rank can be the reason: this is the link
// on which p would have said so.
func (g *Group) meshFailed(p *peer, err error) {
	if isFrame(err) {
		g.counters.corrupt.Add(1)
	}
	g.fail(blame{p.rank, classify(err)})
}

// take waits for p's message of the given kind. It returns false when the group broke.
func (op *operation) take(p *peer, kind link.Kind) (message, bool) {
	queue := p.queues[kind]
	select {
	case m := <-queue:
		return m, true
	default:
	}
	op.waiting.begin(op, p.rank)
	defer op.waiting.end()
	if op.timer == nil {
		op.timer = time.NewTimer(op.g.cfg.Timeout)
	} else {
		op.timer.Reset(op.g.cfg.Timeout)
	}
	select {
	case m := <-queue:
		return m, true
	case <-p.left:
		select {
		case m := <-queue:
			return m, true
		default:
			op.g.fail(blame{p.rank, ErrClosed})
		}
	case <-op.timer.C:
		rank := p.rank
		if kind == link.Part || kind == link.Total { // it may itself wait for a third
			rank = op.g.culprit(rank)
		}
		op.g.fail(blame{rank, ErrTimeout})
	case <-op.g.done:
	}
	return message{}, false
}

// exchange sends payload to every peer and hands what each of them sent, in rank order, to use. size is the
// length of rank r's part.
func (op *operation) exchange(
	kind link.Kind, payload []byte, size func(r int) int, use func(r int, data []byte),
) error {
	g := op.g
	head := op.header(kind, 0)
	head.Length, head.Sum = uint32(len(payload)), link.Checksum(payload)
	for i := 1; i < g.Size(); i++ {
		p := g.mesh[(g.Rank()+i)%g.Size()]
		if err := p.link.Send(head, payload); err != nil {
			g.linkFailed(p.rank, err)
			return op.result()
		}
	}
	for r, p := range g.mesh {
		if p == nil {
			continue
		}
		m, ok := op.take(p, kind)
		if !ok {
			return op.result()
		}
		want := op.header(kind, 0)
		want.Length = uint32(size(r))
		if !op.expect(r, m.head, want) {
			return op.result()
		}
		use(r, m.data)
		p.recycle(m.data)
	}
	return nil
}

// gather is Gather for more than one rank; this rank's own part is in all already.
func (g *Group) gather(op *operation, local, all []float64, width int) error {
	if g.shared != nil {
		return g.gatherShared(op, local, all, width)
	}
	dst := bytesOf(all)
	part := func(r int) (lo, hi int) { return g.first(r) * width * 8, g.first(r+1) * width * 8 }
	size := func(r int) int { lo, hi := part(r); return hi - lo }
	return op.exchange(link.Gather, bytesOf(local), size, func(r int, data []byte) {
		lo, hi := part(r)
		copy(dst[lo:hi], data)
	})
}

// reduceSmall is AllReduce for a short vector: everybody gets all shards and sums them.
func (g *Group) reduceSmall(op *operation, shards [][]float32, out []float32) error {
	n, w := len(out), g.cfg.Wire
	memory := g.bufs.floats(n*g.shards + (n*len(shards)+1)/2)
	all, scratch := memory[:n*g.shards], memory[n*g.shards:]
	table := g.bufs.rows(all, n)
	mine := g.first(g.Rank())
	for i, s := range shards {
		copy(table[mine+i], s)
	}
	payload := w.encode(scratch, all[mine*n:(mine+len(shards))*n])
	size := func(r int) int { return w.bytes() * n * (g.first(r+1) - g.first(r)) }
	err := op.exchange(link.Small, payload, size, func(r int, data []byte) {
		w.decode(all[g.first(r)*n:g.first(r+1)*n], data)
	})
	if err != nil {
		return err
	}
	w.sum(out, nil, table, 0, false)
	return nil
}

// fail breaks the group once: the first caller's blame is the group's.
func (g *Group) fail(b blame) {
	if g.finish(b) {
		told := b
		if told.rank == Nobody {
			told.rank = g.Rank()
		}
		g.shut(link.Abort, encodeAbort(told))
	}
}

// finish makes b the cause, unless there is one.
func (g *Group) finish(b blame) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cause.err != nil {
		return false
	}
	g.cause = b
	close(g.done)
	return true
}

func (g *Group) why() blame {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.cause
}

// shut ends all links. The last word on the mesh, to all peers at the same time, comes before any other end: a
// neighbour that saw the ring or the memory end first would take this rank for the culprit.
func (g *Group) shut(kind link.Kind, payload []byte) {
	defer close(g.shutDone)
	h := link.Header{
		Kind: kind, Generation: uint32(g.cfg.Generation), Length: uint32(len(payload)), Sum: link.Checksum(payload),
	}
	var all sync.WaitGroup
	for _, p := range g.mesh {
		if p != nil {
			all.Go(func() { _ = p.link.CloseWith(h, payload) })
		}
	}
	all.Wait() // at most link.Grace
	for _, l := range []link.Link{g.next, g.prev} {
		if l != nil {
			_ = l.Close()
		}
	}
	if s := g.memory(); s != nil && kind == link.Abort { // after a goodbye, others may still be reading the last results
		s.arena.Abort()
	}
}

// busy says whether an operation runs.
func (g *Group) busy() bool {
	for _, m := range []*sync.Mutex{&g.bulk, &g.small} {
		if !m.TryLock() {
			return true
		}
		m.Unlock()
	}
	return false
}

// Close leaves the group and ends its goroutines. Calls that wait return ErrClosed, here and, if they need this
// rank, on its peers. It is always nil, and may be called again.
func (g *Group) Close() error {
	if b := (blame{g.Rank(), ErrClosed}); g.finish(b) {
		if g.busy() {
			g.shut(link.Abort, encodeAbort(b))
		} else {
			g.orderly = true
			g.shut(link.Bye, nil)
		}
	}
	<-g.shutDone
	g.wg.Wait()
	if s := g.memory(); s != nil { // and until operations that woke up have let go of it
		g.bulk.Lock()
		defer g.bulk.Unlock()
		g.small.Lock()
		defer g.small.Unlock()
		g.unmap.Do(func() { g.leave(s) })
	}
	return nil
}

// leave gives up the memory shared with peers. A group that broke may have peers that still write into ours.
func (g *Group) leave(s *shared) {
	mapped := s.homes != nil
	s.close()
	if mapped && !g.orderly {
		g.cfg.Memory.renew()
	}
}

// causes are told by number in an abort, so that callers on other ranks can test for them.
var causes = [...]error{nil, ErrClosed, ErrStale, ErrCorrupt, ErrTimeout, ErrLost}

func encodeAbort(b blame) []byte {
	number := 0
	for i, c := range causes {
		if c != nil && errors.Is(b.err, c) {
			number = i
		}
	}
	p := binary.LittleEndian.AppendUint32(nil, uint32(b.rank))
	p = append(p, byte(number))
	text := b.err.Error()
	return append(p, text[:min(len(text), 1000)]...)
}

func decodeAbort(from int, p []byte) blame {
	if len(p) < 5 || int(p[4]) >= len(causes) {
		return blame{from, errors.New("aborted without a reason")}
	}
	rank, text := int(int32(binary.LittleEndian.Uint32(p))), string(p[5:])
	if c := causes[p[4]]; c != nil {
		return blame{rank, fmt.Errorf("%w (rank %d says: %s)", c, from, text)}
	}
	return blame{rank, fmt.Errorf("rank %d says: %s", from, text)}
}

func isLost(err error) bool  { return errors.Is(err, ErrLost) }
func isFrame(err error) bool { return errors.Is(err, link.ErrFrame) }
