package allreduce

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"byol/internal/network"
)

// Listener is this process's place in a network: the other ranks of its groups connect to it, and it connects to them
// by the same network. It serves one Form at a time; between them, connections wait.
//
// One goroutine accepts from Listen to Close. It keeps at most one connection in hand until a Form takes it; those
// behind wait in the network's queue.
type Listener struct {
	network  network.Network
	ln       net.Listener
	turn     chan struct{} // holds one token while no Form accepts
	accepted chan accepted
	closed   chan struct{}
	once     sync.Once // guards closing closed
	wg       sync.WaitGroup
}

// accepted is a connection, or why there is none.
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
	l := &Listener{
		network: n, ln: ln, turn: make(chan struct{}, 1), accepted: make(chan accepted), closed: make(chan struct{}),
	}
	l.turn <- struct{}{}
	l.wg.Go(l.accept)
	return l, nil
}

// Addr is the address it listens on, with the port it got.
func (l *Listener) Addr() string { return l.ln.Addr().String() }

// Close stops listening and turns away who waits. Groups already formed live on; a Form that runs ends with an error.
func (l *Listener) Close() error {
	var err error
	l.once.Do(func() {
		close(l.closed)
		err = l.ln.Close()
	})
	l.wg.Wait()
	return err
}

// accept hands over connections, one at a time, until the listener is closed.
func (l *Listener) accept() {
	for {
		conn, err := l.ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			select {
			case l.accepted <- accepted{conn: conn}:
			case <-l.closed:
				_ = conn.Close()
				return
			}
			continue
		}
		// The process has too many files open, say. A Form that runs is told; the next one finds out for itself.
		pause := time.NewTimer(redial)
		select {
		case l.accepted <- accepted{err: err}:
		case <-pause.C:
		case <-l.closed:
		}
		pause.Stop()
	}
}

// next is the next connection, or an error once ctx or the listener has ended.
func (l *Listener) next(ctx context.Context) (net.Conn, error) {
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-l.closed:
		return nil, net.ErrClosed
	case a := <-l.accepted:
		return a.conn, a.err
	}
}
