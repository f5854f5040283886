package allreduce

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"byol/internal/network"
)

const (
	// helloLimit is how long one connection may take over its hello: a silent one must not hold up the rest.
	helloLimit = 5 * time.Second
	// queueLimit is how long a connection waits for a Form, and waitPeriod how often it is told that there is none yet.
	// Who still wants one then connects again.
	queueLimit = 30 * time.Second
	waitPeriod = 50 * time.Millisecond
	// mostHeld is how many connections are held that no Form has taken yet, mostServed how many are served at a time
	// that are not a group's. Others are closed.
	mostHeld   = 1024
	mostServed = 16
)

// Listener is this process's place in a network: the other ranks of its groups connect to it, and it connects to them
// by the same network. It serves one Form at a time; between them, connections wait. What else peers ask of each other
// comes by the same port: Handle says who answers.
//
// One goroutine accepts from Listen to Close, and each connection has one that reads its first four bytes, which say
// what it is for, and holds it until a Form takes it, or serves it. Close ends them all and waits.
type Listener struct {
	network  network.Network
	ln       net.Listener
	turn     chan struct{} // holds one token while no Form accepts
	accepted chan accepted
	alive    context.Context
	end      context.CancelFunc
	held     chan struct{} // a token for each connection that is held
	served   chan struct{} // a token for each that is served
	once     sync.Once     // guards the end
	wg       sync.WaitGroup

	mu       sync.Mutex                                       // guards handlers
	handlers map[uint32]func(ctx context.Context, c net.Conn) // by magic
}

// accepted is a connection behind whose magic a hello follows, or why there is none.
type accepted struct {
	conn net.Conn
	err  error
}

// Listen listens on an address of the network. Port 0 takes a free one. ctx bounds the listening's start, not its life.
func Listen(ctx context.Context, n network.Network, addr string) (*Listener, error) {
	ln, err := n.Listen(ctx, addr)
	if err != nil {
		return nil, fmt.Errorf("listen for peers: %w", err)
	}
	l := &Listener{network: n, ln: ln, turn: make(chan struct{}, 1), accepted: make(chan accepted),
		held: make(chan struct{}, mostHeld), served: make(chan struct{}, mostServed),
		handlers: map[uint32]func(context.Context, net.Conn){}}
	l.alive, l.end = context.WithCancel(context.WithoutCancel(ctx))
	l.turn <- struct{}{}
	l.wg.Go(l.accept)
	return l, nil
}

// Handle has serve answer the connections that begin with magic, little-endian, which is read already: at most
// mostServed at a time, each in a goroutine of its own. The connection is closed when serve returns, and when the
// Listener is; ctx ends then, too.
func (l *Listener) Handle(magic uint32, serve func(ctx context.Context, c net.Conn)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handlers[magic] = serve
}

// Addr is the address it listens on, with the port it got.
func (l *Listener) Addr() string { return l.ln.Addr().String() }

// Close stops listening and turns away who waits or is served. Groups already formed live on; a Form that runs ends
// with an error.
func (l *Listener) Close() error {
	var err error
	l.once.Do(func() {
		l.end()
		err = l.ln.Close()
	})
	l.wg.Wait()
	return err
}

// accept takes connections until the listener is closed.
func (l *Listener) accept() {
	for {
		conn, err := l.ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			select {
			case l.held <- struct{}{}:
				l.wg.Go(func() { l.sort(conn) })
			default:
				_ = conn.Close()
			}
			continue
		}
		// The process has too many files open, say. A Form that runs is told; the next one finds out for itself.
		l.offer(accepted{err: err}, redial)
	}
}

// offer holds a out to a Form for so long, and reports whether one took it.
func (l *Listener) offer(a accepted, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case l.accepted <- a:
		return true
	case <-timer.C:
	case <-l.alive.Done():
	}
	return false
}

// sort gives a connection to whom its first bytes ask for.
func (l *Listener) sort(conn net.Conn) {
	detach := context.AfterFunc(l.alive, func() { _ = conn.Close() })
	defer detach()
	var first [4]byte
	_ = conn.SetReadDeadline(time.Now().Add(helloLimit))
	_, err := io.ReadFull(conn, first[:])
	magic := binary.LittleEndian.Uint32(first[:])
	l.mu.Lock()
	serve := l.handlers[magic]
	l.mu.Unlock()
	switch {
	case err != nil:
		_ = conn.Close()
	case magic == helloMagic:
		if !detach() || !l.wait(conn) {
			_ = conn.Close()
		}
	case serve != nil:
		<-l.held
		l.serve(conn, serve)
		return
	default:
		_ = conn.Close()
	}
	<-l.held
}

// wait holds a connection out to the next Form, and tells its peer all the while that this process lives.
func (l *Listener) wait(conn net.Conn) bool {
	for end := time.Now().Add(queueLimit); time.Now().Before(end); {
		if l.offer(accepted{conn: conn}, waitPeriod) {
			return true
		}
		_ = conn.SetWriteDeadline(time.Now().Add(waitPeriod))
		if l.alive.Err() != nil || answer(conn, notYet, 0) != nil {
			return false
		}
	}
	return false
}

// serve has a connection served, unless too many are.
func (l *Listener) serve(conn net.Conn, serve func(ctx context.Context, c net.Conn)) {
	defer conn.Close()
	select {
	case l.served <- struct{}{}:
	default:
		return
	}
	defer func() { <-l.served }()
	_ = conn.SetReadDeadline(time.Time{})
	serve(l.alive, conn)
}

// next is the next connection, or an error once ctx or the listener has ended.
func (l *Listener) next(ctx context.Context) (net.Conn, error) {
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-l.alive.Done():
		return nil, net.ErrClosed
	case a := <-l.accepted:
		return a.conn, a.err
	}
}
