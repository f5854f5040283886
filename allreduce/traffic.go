package allreduce

import (
	"sync/atomic"

	"byol/allreduce/link"
)

// Traffic counts the bytes of payloads that groups send and receive over links. It outlives groups, and may be read
// from any goroutine.
type Traffic struct{ sent, received atomic.Int64 }

// Sent is how many bytes were given to links.
func (t *Traffic) Sent() int64 { return t.sent.Load() }

// Received is how many came.
func (t *Traffic) Received() int64 { return t.received.Load() }

// over is l, with what it carries counted; nil counts nothing.
func (t *Traffic) over(l link.Link) link.Link {
	if t == nil || l == nil {
		return l
	}
	return metered{l, t}
}

// metered is a link whose payloads are counted.
type metered struct {
	link.Link
	traffic *Traffic
}

// Send implements link.Link.
func (c metered) Send(h link.Header, payload []byte) error {
	err := c.Link.Send(h, payload)
	if err == nil {
		c.traffic.sent.Add(int64(len(payload)))
	}
	return err
}

// RecvPayload implements link.Link.
func (c metered) RecvPayload(p []byte) error {
	err := c.Link.RecvPayload(p)
	if err == nil {
		c.traffic.received.Add(int64(len(p)))
	}
	return err
}
