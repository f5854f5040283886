package allreduce

import (
	"fmt"
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
			g.fail(blame{p.rank, classify(err)}) // no third rank can be the reason: p would have said so on this link
			return
		}
		queue := p.queues[h.Kind]
		known := queue != nil || h.Kind == link.Abort || h.Kind == link.Bye || h.Kind == link.Probe
		if !known || h.Generation != uint32(g.cfg.Generation) || h.Length > maxMessage {
			g.fail(blame{p.rank, fmt.Errorf("%w: unexpected frame %v in generation %d", ErrStale, h, g.cfg.Generation)})
			return
		}
		data := p.buffer(int(h.Length))
		if err := p.link.RecvPayload(data); err != nil {
			g.fail(blame{p.rank, classify(err)})
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
			g.fail(blame{p.rank, fmt.Errorf("%w: frame %v is ahead of its turn", ErrStale, h)})
			return
		}
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
