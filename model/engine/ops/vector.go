package ops

import (
	"fmt"

	"byol/model/device"
	"byol/model/engine"
)

// vector is a flat vector of the device.
type vector struct {
	e     *Engine
	b     device.Buffer
	peers bool
	host  []float32 // nil until it is asked for
	is    hosted
	stale bool // the device has written to it since the host's side held all of it
}

// hosted says what the host's side of a vector is.
type hosted int

const (
	direct hosted = iota // its elements themselves
	copied               // room for them
	shared               // room for them, in peer memory
)

func (e *Engine) vector(b device.Buffer, peers bool) *vector {
	return &vector{e: e, b: b, peers: peers}
}

// buffer is where a vector of this package lies.
func buffer(v engine.Vector) device.Buffer { return v.(*vector).b }

// NewVector implements engine.Engine.
func (e *Engine) NewVector(peers bool) (engine.Vector, error) {
	if e.plan == nil {
		panic("ops: a vector without a plan")
	}
	n, how := e.plan.layout.Size, device.Device.Alloc
	if peers {
		how = device.AllocPeer
	}
	b, err := how(e.store, n)
	if err != nil {
		return nil, fmt.Errorf("allocate a vector of %d elements on %s: %w", n, e.dev.Name(), err)
	}
	return e.vector(b, peers), nil
}

// Gradient implements engine.Engine.
func (e *Engine) Gradient(shard int) engine.Vector { return e.plan.gradients[shard] }

// Host implements engine.Vector.
func (v *vector) Host() []float32 {
	if v.host == nil {
		v.host, v.is = v.e.show(v.b, v.peers)
	}
	return v.host
}

// show is the host's side of a buffer.
func (e *Engine) show(b device.Buffer, peers bool) ([]float32, hosted) {
	if d, ok := e.dev.(device.HostMemory); ok {
		return d.Host(b), direct
	}
	if peers && e.memory != nil {
		if x, err := e.memory.Floats(b.Len); err == nil { // its error only costs time
			return x, shared
		}
	}
	return make([]float32, b.Len), copied
}

// hide gives back what the host's side takes.
func (v *vector) hide() {
	if v.is == shared {
		v.e.memory.Free(v.host)
	}
	v.host, v.is = nil, direct
}

// Fetch implements engine.Vector. It is complete when it returns.
func (v *vector) Fetch(s engine.Span) engine.Transfer {
	if err := v.e.sync("copy to the host"); err != nil {
		return fetched{err}
	}
	if host := v.Host(); v.is != direct && v.stale {
		v.e.dev.Download(host[s.Off:s.End()], v.b.Slice(s.Off, s.Len))
		v.stale = s.Len < v.b.Len
	}
	return fetched{}
}

// fetched is a transfer that has ended.
type fetched struct{ err error }

// Wait implements engine.Transfer.
func (f fetched) Wait() error { return f.err }

// Store implements engine.Vector.
func (v *vector) Store(s engine.Span) {
	if host := v.Host(); v.is != direct && v.e.broken == nil {
		v.e.dev.Upload(v.b.Slice(s.Off, s.Len), host[s.Off:s.End()])
		v.stale = v.stale && s.Len < v.b.Len
	}
}
