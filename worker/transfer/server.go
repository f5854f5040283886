package transfer

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"byol/internal/vector"
)

const (
	// mostFetches is how many peers are served at a time; others are told to ask somebody else.
	mostFetches = 4
	// strokeBytes is what is written or read at once. Some of it must get through within the silence that is allowed.
	strokeBytes = 64 << 10
)

// Server gives the state that a worker offers to those who ask. All methods may be called from any goroutine.
type Server struct {
	run     string
	silence time.Duration
	fetches chan struct{} // a token for each peer that is served

	mu     sync.RWMutex // held for reading while a piece of state is copied
	held   int64        // the step of what is offered, −1 where nothing is
	state  State
	serial int // of offers
}

// NewServer is a server for one run that offers nothing yet. It gives a peer up that takes nothing for as long as
// silence.
func NewServer(run string, silence time.Duration) *Server {
	return &Server{run: run, silence: silence, fetches: make(chan struct{}, mostFetches), held: -1}
}

// Offer has peers given the committed state of step, in place of what was offered before. The vectors must not change
// until Withdraw, or another Offer, has returned.
func (s *Server) Offer(step int64, state State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held, s.state = step, state
	s.serial++
}

// Withdraw takes back what was offered: when it returns nothing of it is read any more. Who is in the middle of it is
// told that it is gone. It waits at most for the copy of a piece.
func (s *Server) Withdraw() { s.Offer(-1, State{}) }

// offer is what was on offer at one time.
func (s *Server) offer() (held int64, lengths [vectors]int, serial int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for i, x := range s.state.list() {
		lengths[i] = len(x)
	}
	return s.held, lengths, s.serial
}

// read has f read the vectors of an offer, unless it is gone.
func (s *Server) read(serial int, f func([vectors][]float32)) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.serial != serial {
		return false
	}
	f(s.state.list())
	return true
}

// Serve answers one connection, whose Magic has been read. It returns when the peer has all, has gone or is too slow,
// or ctx has ended.
func (s *Server) Serve(ctx context.Context, conn net.Conn) {
	detach := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer detach()
	_ = conn.SetDeadline(time.Now().Add(s.silence))
	q, err := receiveRequest(conn)
	if err != nil {
		return
	}
	held, lengths, serial := s.offer()
	a := answer{verdict: granted, held: held}
	switch {
	case q.run != s.run:
		a = answer{verdict: otherRun, held: -1}
	case q.step != held || held < 0:
		a.verdict = otherStep
	default:
		select {
		case s.fetches <- struct{}{}:
			defer func() { <-s.fetches }()
			a.lengths = lengths
		default:
			a.verdict = busy
		}
	}
	if err := a.send(conn); err != nil || a.verdict != granted {
		return
	}
	out := sender{s: s, conn: conn, serial: serial, lengths: lengths}
	if q.blocks && !out.blocks() {
		return
	}
	out.pieces(q.vector, q.block)
}

// sender sends one offer to one peer. Its methods report whether there is any point in going on.
type sender struct {
	s       *Server
	conn    net.Conn
	serial  int
	lengths [vectors]int
	buffer  []byte
}

// frame is a buffer with a head in it, and room behind for what follows.
func (o *sender) frame(h head) []byte {
	if cap(o.buffer) < headBytes+h.bytes {
		o.buffer = make([]byte, headBytes+h.bytes)
	}
	b := o.buffer[:headBytes+h.bytes]
	h.encode(b)
	return b
}

// blocks sends the digests of all blocks.
func (o *sender) blocks() bool {
	var digests []uint64
	for v, n := range o.lengths {
		b := o.frame(head{kind: kindBlocks, vector: v, bytes: 8 * vector.Blocks(n)})
		for at := 0; at < vector.Blocks(n); at += pieceBlocks {
			digests = digests[:0]
			if !o.s.read(o.serial, func(x [vectors][]float32) {
				digests = vector.AppendBlocks(digests, piece(x[v], at))
			}) {
				return o.gone()
			}
			for i, d := range digests {
				binary.LittleEndian.PutUint64(b[headBytes+8*(at+i):], d)
			}
		}
		if !o.write(b) {
			return false
		}
	}
	return true
}

// pieces sends everything from one piece on.
func (o *sender) pieces(first, block int) bool {
	for v := first; v < vectors; v++ {
		for ; block < vector.Blocks(o.lengths[v]); block += pieceBlocks {
			n := min(PieceBytes, 4*(o.lengths[v]-block*vector.Block))
			b := o.frame(head{kind: kindPiece, vector: v, block: int64(block), bytes: n})
			if !o.s.read(o.serial, func(x [vectors][]float32) {
				copy(b[headBytes:], vector.Bytes(piece(x[v], block)))
			}) {
				return o.gone()
			}
			if !o.write(b) {
				return false
			}
		}
		block = 0
	}
	return true
}

// gone says that the state has changed.
func (o *sender) gone() bool {
	held, _, _ := o.s.offer()
	o.write(o.frame(head{kind: kindGone, block: held}))
	return false
}

// write sends b as long as the peer goes on taking some of it.
func (o *sender) write(b []byte) bool {
	for len(b) > 0 {
		_ = o.conn.SetDeadline(time.Now().Add(o.s.silence))
		n, err := o.conn.Write(b[:min(len(b), strokeBytes)])
		if err != nil && (n == 0 || !errors.Is(err, os.ErrDeadlineExceeded)) {
			return false
		}
		b = b[n:]
	}
	return true
}
