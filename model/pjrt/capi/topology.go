package capi

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"unsafe"
)

// Topology describes devices that need not be there, to compile for them.
type Topology struct {
	p      *Plugin
	handle atomic.Uintptr
}

// NewTopology makes one. The CUDA plugin takes target_config, the text of a GpuTargetConfigProto, and topology, "1x1x1"
// for one device.
func (p *Plugin) NewTopology(o Values) (*Topology, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	var a struct {
		head
		name     unsafe.Pointer
		nameN    uintptr
		options  unsafe.Pointer
		n        uintptr
		topology uintptr
		tail
	}
	a.name = pinned(&pin, []byte{0}) // it must be a string, which may be empty
	var err error
	if a.options, a.n, err = o.pack(&pin); err != nil {
		return nil, fmt.Errorf("describe devices: %w", err)
	}
	if err := call(p, topologyCreate, &a); err != nil {
		return nil, fmt.Errorf("describe devices: %w", err)
	}
	t := &Topology{p: p}
	t.handle.Store(a.topology)
	return t, nil
}

// Close ends the description.
func (t *Topology) Close() error {
	h := t.handle.Swap(0)
	if h == 0 {
		return nil
	}
	return t.p.destroy(topologyDestroy, h)
}

// Compile compiles a StableHLO module for one of the devices, and gives the program's bytes, for Load where there is
// such a device, and what it needs there.
func (t *Topology) Compile(module []byte, o CompileOptions) (code []byte, m ProgramMemory, err error) {
	h := t.handle.Load()
	if h == 0 {
		return nil, m, fmt.Errorf("compile program ahead: %w", ErrDestroyed)
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	program, options, err := newProgram(module, o, &pin)
	if err != nil {
		return nil, m, fmt.Errorf("compile program ahead: %w", err)
	}
	var a struct {
		head
		topology           uintptr
		program, options   unsafe.Pointer
		n                  uintptr
		client, executable uintptr
		tail
	}
	a.topology, a.program = h, program
	a.options, a.n = pinned(&pin, options), uintptr(len(options))
	if err := call(t.p, compileAhead, &a); err != nil {
		return nil, m, fmt.Errorf("compile program ahead: %w", err)
	}
	defer func() {
		if d := t.p.destroy(executableDestroy, a.executable); err == nil {
			err = d
		}
	}()
	if code, err = t.p.serialize(a.executable); err != nil {
		return nil, m, err
	}
	m, err = t.p.memory(a.executable)
	return code, m, err
}
