package secure

import (
	"container/list"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"sync"
	"time"
)

// mostHandshakes is how many strangers may be in the middle of theirs.
const mostHandshakes = 256

// listener takes connections in the background, so that a stranger that says nothing holds up nobody.
type listener struct {
	net.Listener
	n     *Network
	ready chan arrival
	done  chan struct{} // closed by Close
	once  sync.Once
	life  context.Context // of handshakes
	end   context.CancelFunc
	tasks sync.WaitGroup

	mu        sync.Mutex // guards what follows
	pending   list.List  // of net.Conn, oldest first
	strangers strangers
}

// arrival is what Accept returns.
type arrival struct {
	conn net.Conn
	err  error
}

// Listen implements network.Network.
func (n *Network) Listen(ctx context.Context, address string) (net.Listener, error) {
	if _, err := n.Source.Current(); err != nil {
		return nil, err
	}
	inner, err := n.Inner.Listen(ctx, address)
	if err != nil {
		return nil, err
	}
	l := &listener{Listener: inner, n: n, ready: make(chan arrival), done: make(chan struct{}),
		strangers: strangers{}}
	l.life, l.end = context.WithCancel(context.WithoutCancel(ctx))
	l.tasks.Go(l.take)
	return l, nil
}

// take accepts connections until the listener is closed.
func (l *listener) take() {
	for {
		raw, err := l.Listener.Accept()
		if err == nil {
			if place := l.admit(raw); place != nil {
				l.tasks.Go(func() { l.receive(raw, place) })
			} else {
				l.turnAway(raw)
			}
			continue
		}
		if errors.Is(err, net.ErrClosed) || !l.offer(arrival{err: err}) { // out of descriptors, say: whoever accepts may wait
			return
		}
	}
}

// admit notes a handshake, and ends the oldest where there are too many. It is nil for an address of which too many
// strangers came.
func (l *listener) admit(raw net.Conn) *list.Element {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.strangers.came(origin(raw.RemoteAddr()), time.Now()) {
		return nil
	}
	if l.pending.Len() == mostHandshakes {
		_ = l.pending.Remove(l.pending.Front()).(net.Conn).Close()
	}
	return l.pending.PushBack(raw)
}

// turnAway closes a connection unheard, and leaves nothing of it in the kernel.
func (l *listener) turnAway(raw net.Conn) {
	if tcp, ok := raw.(interface{ SetLinger(int) error }); ok {
		_ = tcp.SetLinger(0)
	}
	_ = raw.Close()
	if l.n.Refused != nil {
		l.n.Refused(raw.RemoteAddr(), errTooMany)
	}
}

var errTooMany = &Error{Why: "too many came from its address without saying who they are"}

// receive finds out who has come, and hands on who is welcome.
func (l *listener) receive(raw net.Conn, place *list.Element) {
	c, err := l.handshake(raw)
	l.mu.Lock()
	l.pending.Remove(place) // it does nothing when admit has removed it
	if err == nil {
		l.strangers.known(origin(raw.RemoteAddr()), time.Now())
	}
	l.mu.Unlock()
	if err != nil {
		_ = raw.Close()
		if l.n.Refused != nil && l.life.Err() == nil {
			l.n.Refused(raw.RemoteAddr(), explain(err))
		}
		return
	}
	if !l.offer(arrival{conn: c}) {
		_ = c.Close()
	}
}

func (l *listener) handshake(raw net.Conn) (*Conn, error) {
	m, err := l.n.Source.Current()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(l.life, handshakeLimit, &Error{Why: "it did not say who it is in time"})
	defer cancel()
	var peer Identity
	verify := func(s tls.ConnectionState) (err error) {
		peer, err = m.verify(s, x509.ExtKeyUsageClientAuth, l.n.Accept)
		return err
	}
	w := &wire{Conn: raw}
	c := tls.Server(w, &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{m.cert},
		NextProtos: []string{ownProtocol, webProtocol}, ClientAuth: tls.RequireAnyClientCert, // verified here
		SessionTicketsDisabled: true, DynamicRecordSizingDisabled: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			if s.NegotiatedProtocol == ownProtocol {
				return nil // it is told in words, below
			}
			return verify(s)
		}})
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(context.Cause(ctx), err)
	}
	if c.ConnectionState().NegotiatedProtocol == ownProtocol {
		_ = raw.SetWriteDeadline(time.Now().Add(handshakeLimit))
		why := ""
		if err = verify(c.ConnectionState()); err != nil {
			why = err.Error()
		}
		if err = errors.Join(err, writeAnswer(c, why)); err != nil {
			_ = c.Close()
			return nil, err
		}
		_ = raw.SetWriteDeadline(time.Time{})
	}
	return newConn(c, w, peer), nil
}

// offer holds an arrival out to Accept until the listener is closed, and reports whether it was taken.
func (l *listener) offer(a arrival) bool {
	select {
	case l.ready <- a:
		return true
	case <-l.done:
		return false
	}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	closed := &net.OpError{Op: "accept", Net: "tls", Addr: l.Addr(), Err: net.ErrClosed}
	select {
	case <-l.done:
		return nil, closed
	default:
	}
	select {
	case a := <-l.ready:
		return a.conn, a.err
	case <-l.done:
		return nil, closed
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	err := l.Listener.Close()
	l.once.Do(func() {
		close(l.done)
		l.end()
	})
	l.tasks.Wait()
	return err
}
