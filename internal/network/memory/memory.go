// Package memory is a network of several hosts in one process, for tests: it has the semantics of TCP and no sockets.
// Everything in it waits on mutexes, conditions and timers, so that it works inside a testing/synctest bubble, where
// hours of idling take milliseconds.
//
// A host has the name that it was asked for by, and a loopback of its own. It listens on its name, on loopback
// (127.0.0.1, ::1, localhost), or on everything ("", 0.0.0.0, ::); others reach it by name, itself by either.
// A port of a host has one listener at a time. Ports are given out in order, so that each run of a test sees the same.
//
// Ownership. A Network starts no goroutine and holds on to nothing but open listeners.
//
// When it fails: errors are *net.OpError with the system's reasons inside (ECONNREFUSED, EADDRINUSE, EPIPE,
// ECONNRESET, net.ErrClosed, os.ErrDeadlineExceeded). Unlike TCP, bytes that one end has written are there for the
// other to read after a Close with bytes unread; only Break loses them.
package memory

import (
	"context"
	"net"
	"strconv"
	"sync"
	"syscall"

	"byol/internal/network"
)

// firstPort is the first of the ports that are given out.
const firstPort = 40000

// kind is what addresses of this network answer to Network.
const kind = "memory"

// Network is what several hosts share.
type Network struct {
	mu        sync.Mutex // guards what follows
	listeners map[place]*listener
	used      map[string]int // by host: how many ports were given out
}

// place is a port of a host.
type place struct {
	host string
	port int
}

// New makes a network without listeners.
func New() *Network {
	return &Network{listeners: map[place]*listener{}, used: map[string]int{}}
}

// Host is the network as the host of that name uses it.
func (n *Network) Host(name string) network.Network { return host{n: n, name: name} }

// host implements network.Network.
type host struct {
	n    *Network
	name string
}

// address is a net.Addr of the form host:port.
type address string

func (address) Network() string  { return kind }
func (a address) String() string { return string(a) }

func join(host string, port int) address { return address(net.JoinHostPort(host, strconv.Itoa(port))) }

// scope says from where a listener is reached.
type scope int

const (
	everywhere scope = iota // by name and on loopback
	loopback                // by its own host alone
	named                   // by name alone
)

func scopeOf(host string) scope {
	ip := net.ParseIP(host)
	switch {
	case host == "" || ip != nil && ip.IsUnspecified():
		return everywhere
	case host == "localhost" || ip != nil && ip.IsLoopback():
		return loopback
	}
	return named
}

func split(addr string) (string, int, error) {
	name, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, &net.AddrError{Err: "not a port", Addr: addr}
	}
	return name, int(port), nil
}

// Listen implements network.Network.
func (h host) Listen(ctx context.Context, addr string) (net.Listener, error) {
	l, err := h.listen(ctx, addr)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: kind, Addr: address(addr), Err: err}
	}
	return l, nil
}

func (h host) listen(ctx context.Context, addr string) (*listener, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	name, port, err := split(addr)
	if err != nil {
		return nil, err
	}
	reach := scopeOf(name)
	if reach == named && name != h.name {
		return nil, syscall.EADDRNOTAVAIL
	}
	if name == "" {
		name = "::"
	}
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	if port == 0 {
		port = h.n.freePortLocked(h.name)
	}
	at := place{h.name, port}
	if h.n.listeners[at] != nil {
		return nil, syscall.EADDRINUSE
	}
	l := &listener{n: h.n, at: at, reach: reach, addr: join(name, port)}
	l.wake.L = &l.mu
	h.n.listeners[at] = l
	return l, nil
}

// freePortLocked gives out a port.
func (n *Network) freePortLocked(host string) int {
	for {
		port := firstPort + n.used[host]%(1<<16-firstPort)
		n.used[host]++
		if n.listeners[place{host, port}] == nil {
			return port
		}
	}
}

// Dial implements network.Network.
func (h host) Dial(ctx context.Context, addr string) (net.Conn, error) {
	c, err := h.dial(ctx, addr)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: kind, Addr: address(addr), Err: err}
	}
	return c, nil
}

func (h host) dial(ctx context.Context, addr string) (*Conn, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	name, port, err := split(addr)
	if err != nil {
		return nil, err
	}
	from, to, inside := h.name, place{name, port}, scopeOf(name) != named
	if inside {
		if scopeOf(name) == everywhere {
			name = "127.0.0.1"
		}
		from, to.host = name, h.name
	}
	h.n.mu.Lock()
	l := h.n.listeners[to]
	here := join(from, h.n.freePortLocked(h.name))
	h.n.mu.Unlock()
	if l == nil || inside && l.reach == named || !inside && l.reach == loopback {
		return nil, syscall.ECONNREFUSED
	}
	near, far := Pipe(here, join(name, port))
	if !l.offer(far) {
		return nil, syscall.ECONNREFUSED
	}
	return near, nil
}

// listener queues connections until they are accepted.
type listener struct {
	n     *Network
	at    place
	reach scope
	addr  address

	mu      sync.Mutex // guards what follows
	wake    sync.Cond  // any of it changed
	waiting []*Conn
	closed  bool
}

// offer queues c, unless the listener is closed.
func (l *listener) offer(c *Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.waiting = append(l.waiting, c)
	l.wake.Broadcast()
	return true
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch {
		case l.closed:
			return nil, l.failure("accept", net.ErrClosed)
		case len(l.waiting) > 0:
			c := l.waiting[0]
			l.waiting = l.waiting[1:]
			return c, nil
		}
		l.wake.Wait()
	}
}

// Close implements net.Listener. Connections that nobody has accepted are reset.
func (l *listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return l.failure("close", net.ErrClosed)
	}
	l.n.mu.Lock()
	delete(l.n.listeners, l.at)
	l.n.mu.Unlock()
	l.closed = true
	for _, c := range l.waiting {
		c.Break()
	}
	l.waiting = nil
	l.wake.Broadcast()
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return l.addr }

func (l *listener) failure(op string, err error) error {
	return &net.OpError{Op: op, Net: kind, Addr: l.addr, Err: err}
}
