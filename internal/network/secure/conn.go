package secure

import (
	"bufio"
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"byol/internal/network"
)

const (
	// flightBytes is what is encrypted before it is handed to the kernel at once: a few records.
	flightBytes = 64 << 10
	// readBytes is what is taken from the kernel at once.
	readBytes = 128 << 10
	// goodbye is how long the last record of a connection may take: whoever closes must not wait for a peer that stands
	// still.
	goodbye = 100 * time.Millisecond
)

// Conn is a connection whose other end is known. As with any, one goroutine may read while another writes.
type Conn struct {
	tls  *tls.Conn
	wire *wire
	peer Identity
	turn chan struct{} // holds a token while something is written; no mutex, as a write may wait for the peer
	torn error         // why nothing can be written any more; who has the turn owns it
}

func newConn(t *tls.Conn, w *wire, peer Identity) *Conn {
	w.in = bufio.NewReaderSize(w.Conn, readBytes)
	return &Conn{tls: t, wire: w, peer: peer, turn: make(chan struct{}, 1)}
}

// Peer is who is at the other end.
func (c *Conn) Peer() Identity { return c.peer }

// Calls reports whether the other end may call itself name.
func (c *Conn) Calls(name string) bool { return c.peer.Calls(name) }

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) { return c.tls.Read(p) }

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.WriteParts(p)
	return int(n), err
}

// WriteParts writes several pieces as if they were one.
func (c *Conn) WriteParts(parts ...[]byte) (int64, error) {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	if c.torn != nil {
		return 0, c.torn
	}
	var sent, held int64
	c.wire.hold(true)
	for i, p := range parts {
		for len(p) > 0 {
			m := min(len(p), flightBytes-int(held))
			if _, c.torn = c.tls.Write(p[:m]); c.torn != nil {
				return sent, c.torn
			}
			p, held = p[m:], held+int64(m)
			if held < flightBytes && (len(p) > 0 || i < len(parts)-1) {
				continue
			}
			if c.torn = c.wire.flush(); c.torn != nil {
				return sent, c.torn
			}
			sent, held = sent+held, 0
		}
	}
	c.torn = c.wire.flush()
	c.wire.hold(false)
	return sent + held, c.torn
}

// Close implements net.Conn. The other end is told, unless somebody is writing: whoever closes then wants to break it.
func (c *Conn) Close() error {
	c.wire.closing.Store(true)
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
		if c.torn == nil {
			c.wire.hold(false)
			return c.tls.Close()
		}
	default:
	}
	return c.wire.Conn.Close()
}

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.wire.LocalAddr() }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.wire.RemoteAddr() }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error { return c.wire.Conn.SetDeadline(t) }

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.wire.SetReadDeadline(t) }

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.wire.Conn.SetWriteDeadline(t) }

// LimitSilence is what network.LimitSilence asks of a connection.
func (c *Conn) LimitSilence(limit time.Duration) error {
	return network.LimitSilence(c.wire.Conn, limit)
}

// wire is the connection under the encryption. What is written can be held together, so that a header and what follows
// it, or several records, leave at once.
type wire struct {
	net.Conn
	in      *bufio.Reader // nil until the other end is known
	closing atomic.Bool

	mu      sync.Mutex // guards what follows; who waits for the peer with it is the only one that writes
	out     []byte
	holding bool
}

// Read implements net.Conn.
func (w *wire) Read(p []byte) (int, error) {
	if w.in == nil {
		return w.Conn.Read(p)
	}
	return w.in.Read(p)
}

// Write implements net.Conn.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.holding {
		return w.Conn.Write(p)
	}
	w.out = append(w.out, p...)
	return len(p), nil
}

// SetWriteDeadline implements net.Conn. It is the encryption's, which gives its goodbye seconds.
func (w *wire) SetWriteDeadline(t time.Time) error {
	if limit := time.Now().Add(goodbye); w.closing.Load() && t.After(limit) {
		t = limit
	}
	return w.Conn.SetWriteDeadline(t)
}

func (w *wire) hold(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.holding = on
}

// flush sends what is held.
func (w *wire) flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.out) == 0 {
		return nil
	}
	_, err := w.Conn.Write(w.out)
	w.out = w.out[:0]
	return err
}
