package allreduce

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"byol/allreduce/link"
)

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
	for _, m := range []gate{g.bulk, g.small} {
		if !m.tryLock() {
			return true
		}
		m.unlock()
	}
	return false
}

// Close leaves the group and ends its goroutines. Calls that wait return ErrClosed, here and, if they need this
// rank, on its peers. It is always nil, and may be called again.
func (g *Group) Close() error {
	if b := g.observed(g.Rank(), ErrClosed); g.finish(b) {
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
		g.bulk.lock()
		defer g.bulk.unlock()
		g.small.lock()
		defer g.small.unlock()
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

// encodeAbort is what goes to all peers: "I leave because of rank r", whoever has seen that.
func encodeAbort(b blame) []byte {
	number := 0
	for i, c := range causes {
		if c != nil && errors.Is(b.err, c) {
			number = i
		}
	}
	p := binary.LittleEndian.AppendUint32(nil, uint32(b.rank))
	p = binary.LittleEndian.AppendUint32(p, uint32(b.witness))
	p = append(p, byte(number))
	text := b.text
	if text == "" {
		text = b.err.Error()
	}
	return append(p, text[:min(len(text), 1000)]...)
}

// decodeAbort reads what rank from has sent, in a group of size ranks.
func decodeAbort(from, size int, p []byte) blame {
	if len(p) < 9 || int(p[8]) >= len(causes) {
		return blame{rank: from, witness: from, err: errors.New("aborted without a reason")}
	}
	rank, witness := int(int32(binary.LittleEndian.Uint32(p))), int(int32(binary.LittleEndian.Uint32(p[4:])))
	if rank < 0 || rank >= size {
		rank = from
	}
	if witness < 0 || witness >= size {
		witness = from
	}
	b := blame{rank: rank, witness: witness, text: string(p[9:])}
	if c := causes[p[8]]; c != nil {
		b.err = fmt.Errorf("%w (rank %d says: %s)", c, witness, b.text)
	} else {
		b.err = fmt.Errorf("rank %d says: %s", witness, b.text)
	}
	return b
}
