package coordinator

import (
	"container/list"
	"context"
	"net"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"byol/internal/network/secure"
	pb "byol/proto"
)

// mostCalls is how many calls of operators and observers may be open. Each holds a message at most.
const mostCalls = 64

// mostSilent is how many connections without certificates may have said nothing yet: all workers may come at once,
// twice. Each has buffers from its first moment on.
func mostSilent(workers int) int { return 64 + 2*workers }

// mostConnections is how many such connections there may be in all.
func mostConnections(workers int) int { return 192 + 2*workers }

// doorway bounds what those can have of whom nothing is known, where a network has no certificates. Of connections that
// have said nothing the oldest is ended when there are too many, as an honest one speaks at once; of those that have
// spoken the newest is not taken. Where there are certificates, the network has seen to it.
type doorway struct {
	net.Listener
	mostSilent, most int

	mu     sync.Mutex // guards what follows
	open   int
	silent list.List // of *visitor, oldest first
}

// Accept implements net.Listener.
func (d *doorway) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if _, known := c.(*secure.Conn); known {
			return c, nil
		}
		if v := d.admit(c); v != nil {
			return v, nil
		}
		_ = c.Close()
	}
}

// admit is nil where there is no place.
func (d *doorway) admit(c net.Conn) *visitor {
	d.mu.Lock()
	oldest := d.silent.Front()
	if d.silent.Len() < d.mostSilent {
		oldest = nil
	}
	full := d.open >= d.most && oldest == nil
	v := &visitor{Conn: c, d: d}
	if !full {
		d.open++
		v.place = d.silent.PushBack(v)
	}
	d.mu.Unlock()
	if oldest != nil {
		_ = oldest.Value.(*visitor).Close()
	}
	if full {
		return nil
	}
	return v
}

// visitor is a connection of somebody unknown.
type visitor struct {
	net.Conn
	d      *doorway
	spoken atomic.Bool
	closed atomic.Bool
	place  *list.Element // guarded by the doorway's lock; nil once it has spoken or ended
}

// Read implements net.Conn.
func (v *visitor) Read(p []byte) (int, error) {
	n, err := v.Conn.Read(p)
	if n > 0 && v.spoken.CompareAndSwap(false, true) {
		v.d.mu.Lock()
		v.leave()
		v.d.mu.Unlock()
	}
	return n, err
}

// leave takes it from those that have said nothing.
func (v *visitor) leave() {
	if v.place != nil {
		v.d.silent.Remove(v.place)
		v.place = nil
	}
}

// Close implements net.Conn.
func (v *visitor) Close() error {
	if v.closed.CompareAndSwap(false, true) {
		v.d.mu.Lock()
		v.leave()
		v.d.open--
		v.d.mu.Unlock()
	}
	return v.Conn.Close()
}

// calls bounds those that are open at a time, but for the workers' streams, which plane bounds.
type calls struct{ open atomic.Int64 }

// admit is a tap.ServerInHandle: ctx ends with the call.
func (c *calls) admit(ctx context.Context, info *tap.Info) (context.Context, error) {
	if info.FullMethodName == pb.WorkerPlane_Attach_FullMethodName {
		return ctx, nil
	}
	if c.open.Add(1) > mostCalls {
		c.open.Add(-1)
		return ctx, status.Error(codes.ResourceExhausted, "too many calls are open: try again")
	}
	context.AfterFunc(ctx, func() { c.open.Add(-1) })
	return ctx, nil
}
