// Package faulty is a network whose lines a test can cut, slow, damage, break and heal while they are in use, for each
// pair of hosts and each way of its own. It stands before any other network.Network: one in memory, or sockets.
//
// What goes wrong is said in the language of internal/fault. Faults without a step begin when they are given, the
// others when Reach says that their step has come. A cut line loses nothing: what is sent waits, as TCP would send it
// again, and arrives when the line heals; dialling waits too. Data on their way over a line that gets slower keep to
// the new delay. A limit is shared by all connections over the line.
//
// Hosts are named by Host. An address belongs to the host of its host part, or, where many share one (as on loopback),
// to who listens there.
//
// Ownership. A Network owns the goroutines that carry what goes over its connections: they end when one end is closed
// and the other has been told. Close ends all connections and waits for them.
//
// When it fails: connections that are broken give ECONNRESET at both ends, those that were cut for longer than their
// LimitSilence allows ETIMEDOUT. Close breaks what is left; dialling gives net.ErrClosed then. Faults of anything but
// lines are passed over.
package faulty

import (
	"context"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"byol/internal/fault"
	"byol/internal/network"
	"byol/internal/network/memory"
)

// Network carries connections between hosts, and carries out faults.
type Network struct {
	pumps sync.WaitGroup // one for each connection

	mu     sync.Mutex        // guards what follows
	plan   fault.Plan        // what has not begun, as its step has not come
	begun  []begun           // in order
	owners map[string]string // the host that listens on an address
	hosts  map[string]bool
	lines  map[way]*line
	live   map[*splice]bool
	closed bool
}

// begun is a fault and when it began.
type begun struct {
	fault fault.Fault
	at    time.Time
}

// way is a line in one direction.
type way struct{ from, to string }

// New makes a network on which the faults of lines in p happen.
func New(p fault.Plan) *Network {
	n := &Network{owners: map[string]string{}, hosts: map[string]bool{}, lines: map[way]*line{}, live: map[*splice]bool{}}
	n.Begin(p)
	return n
}

// Begin lets the faults of lines in p happen: now, or at their step.
func (n *Network) Begin(p fault.Plan) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, f := range p.Lines() {
		if f.Step >= 0 {
			n.plan = append(n.plan, f)
		} else {
			n.beginLocked(f)
		}
	}
}

// Reach says that step has come: the faults of it, and of any step before it, begin.
func (n *Network) Reach(step int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.plan = slices.DeleteFunc(n.plan, func(f fault.Fault) bool {
		if f.Step > step {
			return false
		}
		n.beginLocked(f)
		return true
	})
}

func (n *Network) beginLocked(f fault.Fault) {
	if n.closed {
		return
	}
	now := time.Now()
	n.begun = append(n.begun, begun{f, now})
	for w, l := range n.lines {
		if f.Line.Covers(w.from, w.to) {
			l.begin(f, now)
		}
	}
	for s := range n.live {
		if f.Action == "break" && (s.out.in(f.Line) || s.back.in(f.Line)) {
			s.sever(syscall.ECONNRESET)
		}
	}
}

// lineLocked is the line from one host to another, with all that has happened to it.
func (n *Network) lineLocked(from, to string) *line {
	w := way{from, to}
	l := n.lines[w]
	if l == nil {
		l = newLine(w)
		for _, b := range n.begun {
			if b.fault.Line.Covers(from, to) {
				l.begin(b.fault, b.at)
			}
		}
		n.lines[w] = l
	}
	return l
}

// Close ends all connections, and returns when nothing of them is left. Dialling fails from now on.
func (n *Network) Close() {
	n.mu.Lock()
	n.closed = true
	for s := range n.live {
		s.sever(syscall.ECONNRESET)
	}
	for _, l := range n.lines {
		l.close()
	}
	n.mu.Unlock()
	n.pumps.Wait()
}

// Host is inner as the host of that name uses it.
func (n *Network) Host(name string, inner network.Network) network.Network {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts[name] = true
	return host{n: n, name: name, inner: inner}
}

// host implements network.Network.
type host struct {
	n     *Network
	name  string
	inner network.Network
}

// Listen implements network.Network. Faults happen at the end that dials.
func (h host) Listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := h.inner.Listen(ctx, address)
	if err != nil {
		return nil, err
	}
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	h.n.owners[l.Addr().String()] = h.name
	return l, nil
}

// Dial implements network.Network.
func (h host) Dial(ctx context.Context, address string) (net.Conn, error) {
	out, back, err := h.lines(address)
	if err == nil {
		err = out.cross(ctx)
	}
	var far net.Conn
	if err == nil {
		if far, err = h.inner.Dial(ctx, address); err != nil {
			return nil, err
		}
		if err = back.cross(ctx); err != nil {
			_ = far.Close()
		}
	}
	var s *splice
	if err == nil {
		s, err = h.n.join(far, out, back)
	}
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "faulty", Addr: name(address), Err: err}
	}
	return s.near, nil
}

// name is a net.Addr for messages.
type name string

func (name) Network() string  { return "faulty" }
func (n name) String() string { return string(n) }

// lines are those to address and back.
func (h host) lines(address string) (out, back *line, err error) {
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	if h.n.closed {
		return nil, nil, net.ErrClosed
	}
	to, _, err := net.SplitHostPort(address)
	if owner := h.n.owners[address]; err != nil || owner != "" && !h.n.hosts[to] {
		to = owner
	}
	return h.n.lineLocked(h.name, to), h.n.lineLocked(to, h.name), nil
}

// join puts the lines between far and a new connection, the near end of which it returns.
func (n *Network) join(far net.Conn, out, back *line) (*splice, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		_ = far.Close()
		return nil, net.ErrClosed
	}
	near, mid := memory.Pipe(far.LocalAddr(), far.RemoteAddr())
	s := &splice{near: &conn{Conn: near}, mid: mid, far: far, out: out, back: back, done: make(chan struct{}),
		arrived: make(chan piece, queued)}
	n.live[s] = true
	n.pumps.Go(func() {
		s.run()
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.live, s)
	})
	return s, nil
}
