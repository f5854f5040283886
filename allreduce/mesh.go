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
	heard  atomic.Uint64              // changes with what comes from it
	begun  atomic.Uint64              // frames that it says it has begun on the ring
}

func newPeer(rank int, l link.Link) *peer {
	p := &peer{rank: rank, link: l, left: make(chan struct{}), spare: make(chan []byte, 3*ahead)}
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
		data := p.buffer(int(h.Length))
		if err := p.receive(data); err != nil {
			g.lineEnded(p.rank, err)
			return
		}
		if sum := link.Checksum(data); sum != h.Sum {
			g.corrupt(p.rank, h, sum)
			return
		}
		switch h.Kind {
		case link.Abort:
			g.fail(decodeAbort(p.rank, g.Size(), data))
			return
		case link.Bye:
			close(p.left)
			return
		case link.Pulse:
			p.begun.Store(h.Step)
			continue
		}
		select {
		case queue <- message{h, data}:
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

// receive fills data, and counts its pieces as signs of life.
func (p *peer) receive(data []byte) error {
	for {
		n := min(len(data), 4*pieceElements)
		if err := p.link.RecvPayload(data[:n]); err != nil {
			return err
		}
		p.heard.Add(1)
		if data = data[n:]; len(data) == 0 {
			return nil
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
