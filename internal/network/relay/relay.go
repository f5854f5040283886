// Package relay stands between a program and the address that it dials, and can cut the way, damage what goes over it,
// or hang up: what a drill does to the lines of real processes. internal/network/faulty does the same, and more, to
// networks inside a test.
//
// A Relay owns the goroutines that carry its connections; Close ends them and waits. A cut loses nothing: what was sent
// is held, and goes on when the way is whole again, as TCP would send it again.
//
// When it fails: Listen returns the system's error. A connection whose other side cannot be reached is closed, as the
// other side's own machine would.
package relay

import (
	"context"
	"fmt"
	"net"
	"sync"
)

// Relay carries connections from its address to another.
type Relay struct {
	to       string
	who      func(first []byte) string
	listener net.Listener
	life     context.Context
	end      context.CancelFunc
	carriers sync.WaitGroup

	mu    sync.Mutex    // guards what follows
	whole chan struct{} // closed while the way is whole
	from  string        // who dialled what is cut, "" for everybody
	flips int           // bits to flip in what comes next from who dialled
	live  map[net.Conn]bool
}

// Listen begins to carry connections to an address, from one of its own. who tells by the first bytes on a connection
// who dialled; nil where that does not matter, and those who dial need not speak first.
func Listen(ctx context.Context, to string, who func(first []byte) string) (*Relay, error) {
	var c net.ListenConfig
	listener, err := c.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for a relay: %w", err)
	}
	r := &Relay{to: to, who: who, listener: listener, whole: make(chan struct{}), live: map[net.Conn]bool{}}
	close(r.whole)
	r.life, r.end = context.WithCancel(context.WithoutCancel(ctx))
	r.carriers.Go(r.accept)
	return r, nil
}

// Addr is where to dial it.
func (r *Relay) Addr() string { return r.listener.Addr().String() }

// Cut holds everything that is sent either way, until Mend. Connections are taken and lead nowhere meanwhile.
func (r *Relay) Cut() { r.CutFrom("") }

// CutFrom cuts the connections of one who dialled, "" for all of them.
func (r *Relay) CutFrom(who string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.from = who
	select {
	case <-r.whole:
		r.whole = make(chan struct{})
	default: // it is cut
	}
}

// Mend lets what was held go on.
func (r *Relay) Mend() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.whole:
	default:
		close(r.whole)
	}
}

// Corrupt flips a bit of the next bytes that who dialled sends.
func (r *Relay) Corrupt() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flips++
}

// Close hangs up all connections and takes no more.
func (r *Relay) Close() {
	r.end()
	_ = r.listener.Close()
	r.mu.Lock()
	for c := range r.live {
		_ = c.Close()
	}
	r.mu.Unlock()
	r.carriers.Wait()
}

func (r *Relay) accept() {
	for {
		near, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.carriers.Go(func() { r.carry(near) })
	}
}

// carry connects a connection with the other side, until either ends.
func (r *Relay) carry(near net.Conn) {
	defer r.keep(near)()
	var first []byte
	from := ""
	if r.who != nil {
		first = make([]byte, 64<<10)
		n, err := near.Read(first)
		if err != nil {
			return
		}
		first = first[:n]
		from = r.who(first)
	}
	if !r.wait(from) {
		return
	}
	var d net.Dialer
	far, err := d.DialContext(r.life, "tcp", r.to)
	if err != nil {
		return
	}
	defer r.keep(far)()
	if _, err := far.Write(first); err != nil {
		return
	}
	var ways sync.WaitGroup
	ways.Go(func() { r.copy(far, near, way{from, true}) })
	ways.Go(func() { r.copy(near, far, way{from, false}) })
	ways.Wait()
}

// keep has Close close a connection, until it is closed by what is returned.
func (r *Relay) keep(c net.Conn) (done func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live[c] = true
	return func() {
		_ = c.Close()
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.live, c)
	}
}

// wait returns when the way of who dialled is whole; false says that the relay has ended.
func (r *Relay) wait(from string) bool {
	r.mu.Lock()
	whole, spared := r.whole, r.from != "" && r.from != from
	r.mu.Unlock()
	if spared {
		return r.life.Err() == nil
	}
	select {
	case <-whole:
		return r.life.Err() == nil
	case <-r.life.Done():
		return false
	}
}

// way is one of the two of a connection: who dialled, and whether it goes out from there.
type way struct {
	from string
	out  bool
}

// copy carries one way; when it ends, so does the other.
func (r *Relay) copy(to, from net.Conn, w way) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if !r.wait(w.from) {
				return
			}
			if w.out {
				r.damage(buffer[:n])
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return // io.EOF, or whatever ended it
		}
	}
}

// damage flips a bit in the middle of b, if that was asked for.
func (r *Relay) damage(b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.flips > 0 && len(b) > minDamaged {
		r.flips--
		b[len(b)/2] ^= 1 << 4
	}
}

// minDamaged is the length from which on a piece is more than the framing of an empty message.
const minDamaged = 256
