// Package memlink is a link between two ends in one process, for tests and groups without sockets.
//
// Each end belongs to whoever holds it. Payloads are copied when they are sent, so the ends share no memory.
//
// When it fails: as any link; a frame whose payload is shorter than its header says is a truncated frame.
package memlink

import (
	"bytes"
	"sync"
	"time"

	"byol/allreduce/link"
)

// depth is how many frames may be on their way in one direction before Send waits.
const depth = 4

type frame struct {
	head [link.HeaderBytes]byte
	body []byte
}

// pipe is one direction.
type pipe chan frame

// end is one end of a link.
type end struct {
	out, in     pipe
	here, there chan struct{} // closed when this end, and the other, is
	once        *sync.Once    // guards closing here
	opts        link.Options
	body        []byte // what is left of the frame whose header was received
}

// Pair returns the two ends of a link.
func Pair(opts link.Options) (a, b link.Link) {
	ab, ba := make(pipe, depth), make(pipe, depth)
	aDone, bDone := make(chan struct{}), make(chan struct{})
	return &end{out: ab, in: ba, here: aDone, there: bDone, once: &sync.Once{}, opts: opts},
		&end{out: ba, in: ab, here: bDone, there: aDone, once: &sync.Once{}, opts: opts}
}

// Send implements link.Link.
func (e *end) Send(h link.Header, payload []byte) error {
	return e.send(h, payload, e.opts.SendTimeout)
}

func (e *end) send(h link.Header, payload []byte, limit time.Duration) error {
	f := frame{body: bytes.Clone(payload)}
	h.Encode(f.head[:])
	timer, stop := after(limit)
	defer stop()
	select {
	case <-e.here:
		return link.ErrClosed
	case <-e.there:
		return link.ErrEnded
	default:
	}
	select {
	case e.out <- f:
		return nil
	case <-e.here:
		return link.ErrClosed
	case <-e.there:
		return link.ErrEnded
	case <-timer:
		return link.ErrTimeout
	}
}

// RecvHeader implements link.Link.
func (e *end) RecvHeader() (link.Header, error) {
	select {
	case <-e.here:
		return link.Header{}, link.ErrClosed
	default:
	}
	timer, stop := after(e.opts.RecvTimeout)
	defer stop()
	var f frame
	select {
	case f = <-e.in:
	case <-e.here:
		return link.Header{}, link.ErrClosed
	case <-timer:
		return link.Header{}, link.ErrTimeout
	case <-e.there:
		select { // what was sent before the end still counts
		case f = <-e.in:
		default:
			return link.Header{}, link.ErrEnded
		}
	}
	e.body = f.body
	return link.Decode(f.head[:])
}

// RecvPayload implements link.Link.
func (e *end) RecvPayload(p []byte) error {
	n := copy(p, e.body)
	e.body = e.body[n:]
	if n < len(p) {
		return link.ErrTruncated
	}
	return nil
}

// CloseWith implements link.Link.
func (e *end) CloseWith(h link.Header, payload []byte) error {
	err := e.send(h, payload, link.Grace)
	if closed := e.Close(); err == nil {
		err = closed
	}
	return err
}

// Close implements link.Link.
func (e *end) Close() error {
	e.once.Do(func() { close(e.here) })
	return nil
}

// after is a channel that delivers when limit is over, or never if it is 0.
func after(limit time.Duration) (<-chan time.Time, func() bool) {
	if limit <= 0 {
		return nil, func() bool { return true }
	}
	t := time.NewTimer(limit)
	return t.C, t.Stop
}
