package memory

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// window is how many bytes are under way in one direction before a Write waits for the reader.
const window = 64 << 10

// errTimeout is what a passed deadline gives: a net.Error that says Timeout.
var errTimeout = os.ErrDeadlineExceeded

// Conn is one end of a connection. Its methods may be called from any goroutine.
type Conn struct {
	in, out       *stream
	local, remote net.Addr
}

// Pipe makes a connection between two addresses; near has local as its own.
func Pipe(local, remote net.Addr) (near, far *Conn) {
	a, b := newStream(), newStream()
	return &Conn{in: a, out: b, local: local, remote: remote}, &Conn{in: b, out: a, local: remote, remote: local}
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.in.read(p)
	return n, c.explain("read", err)
}

// Write implements net.Conn. It returns when all of p is under way, which the peer's reading has made room for.
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.out.write(p)
	return n, c.explain("write", err)
}

// Close implements net.Conn: the peer reads what was written, then io.EOF, and its writes fail.
func (c *Conn) Close() error {
	if !c.out.end() {
		return c.explain("close", net.ErrClosed)
	}
	c.in.leave()
	return nil
}

// Break ends both ends with ECONNRESET, as the death of a process with unread bytes does. What was under way is lost.
func (c *Conn) Break() { c.BreakWith(syscall.ECONNRESET) }

// BreakWith is Break with another reason.
func (c *Conn) BreakWith(reason error) {
	c.in.tear(reason)
	c.out.tear(reason)
}

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error {
	s := c.in
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left {
		return c.explain("set", net.ErrClosed)
	}
	s.readBy.setLocked(t, &s.mu, &s.wake)
	return nil
}

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	s := c.out
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return c.explain("set", net.ErrClosed)
	}
	s.writeBy.setLocked(t, &s.mu, &s.wake)
	return nil
}

func (c *Conn) explain(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: kind, Source: c.local, Addr: c.remote, Err: err}
}

// stream is one direction of a connection.
type stream struct {
	mu      sync.Mutex // guards what follows
	wake    sync.Cond  // any of it changed
	bytes   []byte     // written and not read
	writing bool       // one Write has its turn, so that the bytes of two do not mix
	ended   bool       // the writer has closed
	left    bool       // the reader has closed
	torn    error      // why both were cut off
	readBy  deadline
	writeBy deadline
}

func newStream() *stream {
	s := &stream{}
	s.wake.L = &s.mu
	return s
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.left:
			return 0, net.ErrClosed
		case len(p) == 0:
			return 0, nil
		case s.readBy.passed:
			return 0, errTimeout
		case s.torn != nil:
			return 0, s.torn
		case len(s.bytes) > 0:
			n := copy(p, s.bytes)
			if s.bytes = s.bytes[n:]; len(s.bytes) == 0 {
				s.bytes = nil
			}
			s.wake.Broadcast()
			return n, nil
		case s.ended:
			return 0, io.EOF
		}
		s.wake.Wait()
	}
}

// write waits on the condition alone, for its turn too: a goroutine that waits for a mutex would hold up the clock of a
// synctest bubble.
func (s *stream) write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.writing {
		if err := s.writeErrorLocked(); err != nil {
			return 0, err
		}
		s.wake.Wait()
	}
	s.writing = true
	defer func() {
		s.writing = false
		s.wake.Broadcast()
	}()
	for done := 0; ; {
		if err := s.writeErrorLocked(); err != nil {
			return done, err
		}
		n := min(len(p)-done, window-len(s.bytes))
		if n > 0 {
			s.bytes = append(s.bytes, p[done:done+n]...)
			done += n
			s.wake.Broadcast()
		}
		if done == len(p) {
			return done, nil
		}
		s.wake.Wait()
	}
}

func (s *stream) writeErrorLocked() error {
	switch {
	case s.ended:
		return net.ErrClosed
	case s.writeBy.passed:
		return errTimeout
	case s.torn != nil:
		return s.torn
	case s.left:
		return syscall.EPIPE
	}
	return nil
}

// end is the writer's Close; it reports whether it is the first.
func (s *stream) end() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := !s.ended
	s.ended = true
	s.writeBy.stopLocked()
	s.wake.Broadcast()
	return first
}

// leave is the reader's Close.
func (s *stream) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left, s.bytes = true, nil
	s.readBy.stopLocked()
	s.wake.Broadcast()
}

func (s *stream) tear(reason error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.torn == nil {
		s.torn = reason
	}
	s.bytes = nil
	s.wake.Broadcast()
}

// deadline is a time after which calls fail; the zero value is never.
type deadline struct {
	passed bool
	timer  *time.Timer
}

// setLocked replaces the deadline. mu guards it and is held; wake is told when it passes.
func (d *deadline) setLocked(t time.Time, mu *sync.Mutex, wake *sync.Cond) {
	d.stopLocked()
	d.passed = false
	if t.IsZero() {
		return
	}
	wait := time.Until(t)
	if wait <= 0 {
		d.passed = true
		wake.Broadcast()
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(wait, func() {
		mu.Lock()
		defer mu.Unlock()
		if d.timer == timer { // or else it was replaced while this waited for mu
			d.passed = true
			wake.Broadcast()
		}
	})
	d.timer = timer
}

func (d *deadline) stopLocked() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}
