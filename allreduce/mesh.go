package allreduce

import (
	"errors"
	"fmt"
	"sync/atomic"

	"byol/allreduce/link"
)

// maxMessage bounds one rank's part of a short operation, and so the memory a peer can make us take.
const maxMessage = 64 << 20

// ahead is how many messages of one kind a peer can have sent before we take the first: it finishes an operation
// only with our part of it, so it is at most one operation ahead.
const ahead = 2

// message is a frame of an operation on the mesh.
type message struct {
	head   link.Header
	data   []byte
	landed bool // data is a place that was expected for it, not a buffer
}

// peer is another rank, seen over the mesh. The goroutine in listen fills its queues.
type peer struct {
	rank   int
	link   link.Link
	queues map[link.Kind]chan message // complete from the start
	spare  chan []byte                // buffers for reuse
	due    landing                    // where its totals go
	left   chan struct{}              // closed when the peer said goodbye; its queues are complete then
	heard  atomic.Uint64              // changes with what comes from it
	begun  atomic.Uint64              // frames that it says it has begun on the ring
}

func newPeer(rank int, l link.Link) *peer {
	p := &peer{rank: rank, link: l, left: make(chan struct{}), spare: make(chan []byte, 3*ahead),
		due: landing{taken: newGate()}}
	p.queues = map[link.Kind]chan message{
		link.Node:  make(chan message, ahead),
		link.Small: make(chan message, ahead),
		link.Setup: make(chan message, ahead),
		link.Part:  make(chan message, ahead),
		link.Total: make(chan message, ahead),
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
			g.lineEnded(p.rank, err)
			return
		}
		queue := p.queues[h.Kind]
		p.heard.Add(1)
		known := queue != nil || h.Kind == link.Abort || h.Kind == link.Bye || h.Kind == link.Pulse
		if !known || h.Generation != uint32(g.cfg.Generation) || h.Length > maxMessage {
			g.fail(g.observed(p.rank, fmt.Errorf("%w: got frame %v, want one of generation %d", ErrStale, h,
				uint32(g.cfg.Generation))))
			return
		}
		m, sum, err := p.receive(h)
		if err != nil {
			g.lineEnded(p.rank, err)
			return
		}
		if sum != h.Sum {
			g.corrupt(p.rank, h, sum)
			return
		}
		switch h.Kind {
		case link.Abort:
			g.fail(decodeAbort(p.rank, g.Size(), m.data))
			return
		case link.Bye:
			close(p.left)
			return
		case link.Pulse:
			p.begun.Store(h.Step)
			continue
		}
		select {
		case queue <- m:
		default:
			g.fail(g.observed(p.rank, fmt.Errorf("%w: got frame %v, want the one before to be taken first", ErrStale, h)))
			return
		}
	}
}

// lineEnded breaks the group for an error of rank's line of the mesh. Where it ended between two frames no third rank
// is the reason: rank would have said so before. Inside a frame it could not.
func (g *Group) lineEnded(rank int, err error) {
	if errors.Is(err, link.ErrTruncated) {
		g.linkFailed(rank, err)
		return
	}
	g.fail(g.observed(rank, classify(err)))
}

// receive takes what follows the head h, and returns its checksum, which is made while a piece is in cache.
func (p *peer) receive(h link.Header) (m message, sum uint32, err error) {
	m = message{head: h, data: p.due.take(h)}
	if m.landed = m.data != nil; m.landed {
		defer p.due.leave()
	} else {
		m.data = p.buffer(int(h.Length))
	}
	var came link.Sum
	for rest := m.data; ; { // and once where there is nothing
		n := min(len(rest), 4*pieceElements)
		if err := p.link.RecvPayload(rest[:n]); err != nil {
			return m, 0, err
		}
		came.Add(rest[:n])
		p.heard.Add(1)
		if rest = rest[n:]; len(rest) == 0 {
			return m, came.Value(), nil
		}
	}
}

// hasLeft says whether the peer has said goodbye.
func (p *peer) hasLeft() bool {
	select {
	case <-p.left:
		return true
	default:
		return false
	}
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
	select {
	case m := <-queue:
		return m, true
	case <-p.left:
		select {
		case m := <-queue:
			return m, true
		default:
			op.g.fail(op.g.observed(p.rank, ErrClosed))
		}
	case <-op.g.done:
	}
	return message{}, false
}
