// Package tcplink is a link over one stream connection: TCP between hosts, or any net.Conn.
//
// A Link owns its connection. Header and payload leave in one writev straight from the caller's memory, and
// payloads are read straight into it; nothing is buffered here.
//
// When it fails: errors are those of package link, with the cause from the connection behind them.
package tcplink

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"byol/allreduce/link"
)

// Link is a link.Link over a connection.
type Link struct {
	conn    net.Conn
	opts    link.Options
	closed  atomic.Bool // this side closed; waiting calls return ErrClosed
	closing atomic.Bool // CloseWith has cut the send deadline short

	rhead [link.HeaderBytes]byte // used by the one receiver

	// writing holds a token while a frame is written, and guards what follows. It is no mutex, because a write may wait
	// for the peer: in a testing/synctest bubble, who waits for a mutex would keep the time from going on.
	writing chan struct{}

	whead [link.HeaderBytes]byte
	parts [2][]byte
	torn  error // why a frame was cut short: nothing may follow it
}

// New makes a link of conn and takes it over.
func New(conn net.Conn, opts link.Options) *Link {
	tune(conn)
	return &Link{conn: conn, opts: opts, writing: make(chan struct{}, 1)}
}

// Send implements link.Link.
func (l *Link) Send(h link.Header, payload []byte) error {
	l.writing <- struct{}{}
	defer func() { <-l.writing }()
	if l.opts.SendTimeout > 0 {
		_ = l.conn.SetWriteDeadline(time.Now().Add(l.opts.SendTimeout))
		if l.closing.Load() {
			_ = l.conn.SetWriteDeadline(time.Now().Add(link.Grace))
		}
	}
	return l.write(h, payload)
}

// write sends a frame; the caller holds the token.
func (l *Link) write(h link.Header, payload []byte) error {
	if l.torn == nil {
		h.Encode(l.whead[:])
		l.torn = l.writeParts(payload)
	}
	if l.torn != nil { // who sends next may be the first to tell of it, and must not take it for a close of this side
		return l.explain("send", l.torn, false)
	}
	return nil
}

// writeParts sends the header and what follows it at once, as the connection does it.
func (l *Link) writeParts(payload []byte) error {
	if own, ok := l.conn.(interface {
		WriteParts(parts ...[]byte) (int64, error)
	}); ok {
		_, err := own.WriteParts(l.whead[:], payload)
		return err
	}
	l.parts = [2][]byte{l.whead[:], payload}
	vec := net.Buffers(l.parts[:])
	if len(payload) == 0 {
		vec = vec[:1]
	}
	_, err := vec.WriteTo(l.conn)
	l.parts[1] = nil
	return err
}

// RecvHeader implements link.Link.
func (l *Link) RecvHeader() (link.Header, error) {
	if err := l.read(l.rhead[:], false); err != nil {
		return link.Header{}, err
	}
	return link.Decode(l.rhead[:])
}

// RecvPayload implements link.Link.
func (l *Link) RecvPayload(p []byte) error { return l.read(p, true) }

// read fills p; inside says that the bytes before p were of the same frame.
func (l *Link) read(p []byte, inside bool) error {
	if len(p) == 0 {
		return nil
	}
	if l.opts.RecvTimeout > 0 {
		_ = l.conn.SetReadDeadline(time.Now().Add(l.opts.RecvTimeout))
	}
	n, err := io.ReadFull(l.conn, p)
	if err != nil {
		return l.explain("receive", err, inside || n > 0)
	}
	return nil
}

// CloseWith implements link.Link.
func (l *Link) CloseWith(h link.Header, payload []byte) error {
	l.closing.Store(true)
	_ = l.conn.SetWriteDeadline(time.Now().Add(link.Grace))
	l.writing <- struct{}{}
	_ = l.conn.SetWriteDeadline(time.Now().Add(link.Grace))
	err := l.write(h, payload)
	<-l.writing
	return errors.Join(err, l.Close())
}

// Close implements link.Link.
func (l *Link) Close() error {
	if l.closed.Swap(true) {
		return nil
	}
	return l.conn.Close()
}

func (l *Link) explain(verb string, err error, inside bool) error {
	switch {
	case l.closed.Load():
		return link.ErrClosed
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%s: %w", verb, link.ErrTimeout)
	case inside && gone(err):
		return fmt.Errorf("%s: %w: %w", verb, link.ErrTruncated, err)
	case gone(err):
		return fmt.Errorf("%s: %w: %w", verb, link.ErrEnded, err)
	}
	return fmt.Errorf("%s: %w", verb, err)
}

// gone says that err means that the peer's end is no more.
func gone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// tune sets what a freshly made connection may lack. All of it is advice: a connection works without.
func tune(conn net.Conn) {
	if c, ok := conn.(*net.TCPConn); ok {
		_ = c.SetNoDelay(true)
	}
}
