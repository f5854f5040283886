package ops

import (
	"byol/model/device"
	"byol/model/engine"
)

// Needs implements engine.Engine. What the device needs beside the vectors, for convolutions, is not in it before
// there is a plan; then it is.
func (e *Engine) Needs(n engine.Network, c engine.Cut) (int64, error) {
	if _, ok := e.dev.(device.HostMemory); !ok {
		return 0, nil
	}
	need, err := count(n, c)
	if err != nil || e.plan == nil {
		return need, err
	}
	have, err := count(e.plan.network, e.plan.cut)
	return need + max(e.Holds()-have, 0), err
}

// Holds implements engine.Engine.
func (e *Engine) Holds() int64 {
	_, direct := e.dev.(device.HostMemory)
	if s, ok := e.dev.(device.Scoper); ok && direct {
		return int64(s.Allocated())
	}
	return 0
}

// stateVectors are θ, m and ξ of two states.
const stateVectors = 6

// count is how many bytes a plan and two states take on a device of float32.
func count(n engine.Network, c engine.Cut) (int64, error) {
	t := &tally{}
	p, err := build(t, n, c)
	if err != nil {
		return 0, err
	}
	return 4 * (t.elements + stateVectors*int64(p.layout.Size)), nil
}

// tally is a device that only counts what is asked of it. It computes nothing.
type tally struct {
	device.Device
	elements int64
}

// Name implements device.Device.
func (*tally) Name() string { return "tally" }

// Alloc implements device.Device.
func (c *tally) Alloc(n int) (device.Buffer, error) {
	c.elements += int64(n)
	return device.Buffer{Mem: counted(n), Len: n}, nil
}

// Conv implements device.Device.
func (c *tally) Conv(device.ConvShape) (device.Conv, error) { return nil, nil }

// counted is memory that is not there.
type counted int

// Elements implements device.Memory.
func (n counted) Elements() int { return int(n) }
