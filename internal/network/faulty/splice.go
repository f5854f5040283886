package faulty

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"byol/internal/network/memory"
)

// What is under way on a line: at most so many pieces of so many bytes wait for their turn, in each way of a
// connection.
const (
	pieceBytes = 16 << 10
	queued     = 64
)

// conn is the end of a connection that its dialler holds.
type conn struct {
	*memory.Conn
	silence atomic.Int64 // nanoseconds
}

// LimitSilence breaks the connection when nothing acknowledges for limit what was sent, as it, or its acknowledgement
// on the way back, is held up by a cut; see network.LimitSilence. The other end learns of it when the line out is
// whole.
func (c *conn) LimitSilence(limit time.Duration) error {
	c.silence.Store(int64(limit))
	return nil
}

// splice carries what goes over one connection: near = mid, the line out or back, and far, a connection of the network
// below.
type splice struct {
	near      *conn
	mid       *memory.Conn
	far       net.Conn
	out, back *line
	once      sync.Once
	done      chan struct{} // closed when nothing more is carried
	arrived   chan piece    // out, where somebody waits for the acknowledgement
}

// piece is what one read gave.
type piece struct {
	bytes    []byte
	came     time.Time
	patience time.Time // when the sender gives up waiting; zero: never
	err      error     // what comes after it: io.EOF where the sender has closed
}

// run carries both ways until one end is closed and the other has been told.
func (s *splice) run() {
	var all sync.WaitGroup
	out, back := make(chan piece, queued), make(chan piece, queued)
	all.Go(func() { s.take(s.mid, out) })
	all.Go(func() { s.take(s.far, back) })
	all.Go(func() { s.bring(out, s.out, s.far) })
	all.Go(func() { s.bring(back, s.back, s.mid) })
	all.Go(s.acknowledge)
	all.Wait()
}

// acknowledge has what was brought to far acknowledged over the line back.
func (s *splice) acknowledge() {
	for {
		select {
		case p := <-s.arrived:
			if _, err := s.back.admit(piece{came: time.Now(), patience: p.patience}, s.done); err != nil {
				s.give(err)
				return
			}
		case <-s.done:
			return
		}
	}
}

// give ends the connection as err asks for: at both ends at once, or, when the sender has lost its patience, at its
// end, and at the other as soon as word of it can get there.
func (s *splice) give(err error) {
	if errors.Is(err, syscall.ETIMEDOUT) {
		s.mid.BreakWith(err)
		_, _ = s.out.admit(piece{came: time.Now()}, s.done)
	}
	s.sever(syscall.ECONNRESET)
}

// take reads pieces until there are no more.
func (s *splice) take(from io.Reader, to chan<- piece) {
	defer close(to)
	for {
		p := piece{bytes: make([]byte, pieceBytes)}
		n, err := from.Read(p.bytes)
		p.bytes, p.err, p.came = p.bytes[:n], err, time.Now()
		if limit := s.near.silence.Load(); limit > 0 && from == io.Reader(s.mid) {
			p.patience = p.came.Add(time.Duration(limit))
		}
		select {
		case to <- p:
		case <-s.done:
			return
		}
		if err != nil {
			return
		}
	}
}

// bring writes pieces when the line admits them, and passes their end on. When nobody reads any more, it stops, so
// that the sender must wait as without acknowledgements; the end that the other way brings is what tells it.
func (s *splice) bring(from <-chan piece, l *line, to io.Writer) {
	for p := range from {
		held, err := s.carry(p, l, to)
		switch {
		case held != nil:
			s.give(held)
			return
		case err != nil:
			return
		case p.err == nil:
		case closed(p.err):
			s.finish()
		default:
			s.sever(syscall.ECONNRESET)
		}
	}
}

// carry brings one piece, and the end that comes after it, over the line: held is why it did not get through, err why
// it was not taken.
func (s *splice) carry(p piece, l *line, to io.Writer) (held, err error) {
	for len(p.bytes) > 0 {
		n, held := l.admit(p, s.done)
		if held != nil {
			return held, nil
		}
		if _, err := to.Write(p.bytes[:n]); err != nil {
			return nil, err
		}
		p.bytes = p.bytes[n:]
	}
	if !p.patience.IsZero() {
		select {
		case s.arrived <- p:
		default: // one that came before is not acknowledged yet, and its patience ends earlier
		}
	}
	if p.err != nil {
		_, held = l.admit(p, s.done)
	}
	return held, nil
}

func closed(err error) bool { return err == io.EOF || errors.Is(err, net.ErrClosed) }

// finish closes both ends: who still reads gets what has arrived, and then the end.
func (s *splice) finish() {
	s.once.Do(func() {
		close(s.done)
		_ = s.mid.Close()
		_ = s.far.Close()
	})
}

// sever ends both ends for a reason.
func (s *splice) sever(reason error) {
	s.once.Do(func() {
		close(s.done)
		s.mid.BreakWith(reason)
		switch c := s.far.(type) {
		case interface{ Break() }:
			c.Break()
		case *net.TCPConn:
			_ = c.SetLinger(0)
		}
		_ = s.far.Close()
	})
}
