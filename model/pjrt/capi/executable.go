package capi

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"unsafe"

	"github.com/ebitengine/purego"
)

// program is PJRT_Program.
type program struct {
	head
	code    unsafe.Pointer
	codeN   uintptr
	format  unsafe.Pointer
	formatN uintptr
	_       tail
}

// errEmpty is of a program without bytes, which plugins do not survive.
var errEmpty = errors.New("it has no bytes")

// newProgram is a StableHLO module, as text or bytecode, for C, and its options.
func newProgram(module []byte, o CompileOptions, pin *runtime.Pinner) (at unsafe.Pointer, options []byte, err error) {
	if len(module) == 0 {
		return nil, nil, errEmpty
	}
	if options, err = o.encode(); err != nil {
		return nil, nil, err
	}
	format := []byte("mlir")
	list := []program{{code: pinned(pin, module), codeN: uintptr(len(module)), format: pinned(pin, format),
		formatN: uintptr(len(format))}}
	list[0].size = unsafe.Sizeof(list[0])
	return pinned(pin, list), options, nil
}

// Executable is a program that is compiled and loaded on a client's devices.
type Executable struct {
	c       *Client
	handle  atomic.Uintptr
	results []Shape
}

// Compile compiles a StableHLO module, as text or bytecode, for one device. It takes seconds, and cannot be given up.
func (c *Client) Compile(code []byte, o CompileOptions) (*Executable, error) {
	h := c.handle.Load()
	if h == 0 {
		return nil, fmt.Errorf("compile program: %w", ErrDestroyed)
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	module, options, err := newProgram(code, o, &pin)
	if err != nil {
		return nil, fmt.Errorf("compile program: %w", err)
	}
	var a struct {
		head
		client           uintptr
		program, options unsafe.Pointer
		n                uintptr
		loaded           uintptr
		tail
	}
	a.client, a.program = h, module
	a.options, a.n = pinned(&pin, options), uintptr(len(options))
	if err := call(c.p, clientCompile, &a); err != nil {
		return nil, fmt.Errorf("compile program: %w", err)
	}
	return c.executable(a.loaded)
}

// Load loads what Serialize or Topology.Compile gave, of the same plugin.
func (c *Client) Load(code []byte) (*Executable, error) {
	h := c.handle.Load()
	if h == 0 {
		return nil, fmt.Errorf("load program: %w", ErrDestroyed)
	}
	if len(code) == 0 {
		return nil, fmt.Errorf("load program: %w", errEmpty)
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	var a struct {
		head
		client   uintptr
		code     unsafe.Pointer
		n        uintptr
		loaded   uintptr
		options  uintptr
		optionsN uintptr
		tail
	}
	a.client, a.code, a.n = h, pinned(&pin, code), uintptr(len(code))
	if err := call(c.p, deserializeAndLoad, &a); err != nil {
		return nil, fmt.Errorf("load program: %w", err)
	}
	return c.executable(a.loaded)
}

func (c *Client) executable(handle uintptr) (*Executable, error) {
	x := &Executable{c: c}
	x.handle.Store(handle)
	c.live.executables.Add(1)
	err := x.with(func(h uintptr) (err error) {
		x.results, err = c.p.results(h)
		return err
	})
	if err != nil {
		_ = x.Destroy()
		return nil, fmt.Errorf("ask program for its results: %w", err)
	}
	return x, nil
}

// with calls f with the PJRT_Executable behind the loaded one.
func (x *Executable) with(f func(handle uintptr) error) error {
	h := x.handle.Load()
	if h == 0 {
		return ErrDestroyed
	}
	behind, err := x.c.p.get(loadedExecutable, h)
	if err != nil {
		return err
	}
	return errors.Join(f(behind), x.c.p.destroy(executableDestroy, behind))
}

// results are the shapes of what a program gives.
func (p *Plugin) results(handle uintptr) ([]Shape, error) {
	n, err := p.get(executableNumOutputs, handle)
	if err != nil || n == 0 {
		return nil, err
	}
	var t struct {
		head
		executable, types, n uintptr
		tail
	}
	t.executable = handle
	if err := call(p, outputTypes, &t); err != nil {
		return nil, err
	}
	var d struct {
		head
		executable, n, dims, sizes uintptr
		tail
	}
	d.executable, d.n = handle, n
	if err := call(p, outputDimensions, &d); err != nil {
		return nil, err
	}
	if t.n != n || d.n != n {
		return nil, fmt.Errorf("%d results, %d types and %d shapes", n, t.n, d.n)
	}
	shapes := make([]Shape, n)
	at := d.dims
	for i, size := range unsafe.Slice((*uintptr)(address(d.sizes)), n) {
		shapes[i].Type = unsafe.Slice((*Type)(address(t.types)), n)[i]
		if size > 0 {
			shapes[i].Dims = slices.Clone(unsafe.Slice((*int64)(address(at)), size))
		}
		at += size * unsafe.Sizeof(int64(0))
	}
	return shapes, nil
}

// Results are the shapes of what a run gives.
func (x *Executable) Results() []Shape { return x.results }

// Destroy gives the program up.
func (x *Executable) Destroy() error {
	h := x.handle.Swap(0)
	if h == 0 {
		return nil
	}
	x.c.live.executables.Add(-1)
	return x.c.p.destroy(loadedDestroy, h)
}

// ProgramMemory is what a program needs on its device, in bytes. Alias is how much of its results lies where arguments
// were that it takes over.
type ProgramMemory struct{ Code, Arguments, Results, Alias, Scratch int64 }

// Memory says what a run needs.
func (x *Executable) Memory() (m ProgramMemory, err error) {
	err = x.with(func(h uintptr) (err error) {
		m, err = x.c.p.memory(h)
		return err
	})
	return m, err
}

func (p *Plugin) memory(handle uintptr) (ProgramMemory, error) {
	var a struct {
		head
		executable uintptr
		device     ProgramMemory
		host       [5]int64
		tail
	}
	a.executable = handle
	if err := call(p, executableMemoryStats, &a); err != nil {
		return ProgramMemory{}, fmt.Errorf("ask program for its memory: %w", err)
	}
	return a.device, nil
}

// Fingerprint is the plugin's own digest of the program; of plugins that have none, an error of the code Unimplemented.
func (x *Executable) Fingerprint() (print string, err error) {
	err = x.with(func(h uintptr) (err error) {
		print, err = x.c.p.text(executableFingerprint, h)
		return err
	})
	return print, err
}

// Serialize gives the compiled program as bytes, which Load of the same version of the plugin takes on the same kind of
// device.
func (x *Executable) Serialize() (code []byte, err error) {
	err = x.with(func(h uintptr) (err error) {
		code, err = x.c.p.serialize(h)
		return err
	})
	return code, err
}

func (p *Plugin) serialize(handle uintptr) ([]byte, error) {
	var a struct {
		head
		executable              uintptr
		at, n, owner, destroyer uintptr
		tail
	}
	a.executable = handle
	if err := call(p, executableSerialize, &a); err != nil {
		return nil, fmt.Errorf("serialise program: %w", err)
	}
	code := slices.Clone(unsafe.Slice((*byte)(address(a.at)), a.n))
	if a.destroyer != 0 {
		purego.SyscallN(a.destroyer, a.owner)
	}
	return code, nil
}

// executeOptions is PJRT_ExecuteOptions.
type executeOptions struct {
	head
	_     [4]uintptr // callbacks and their numbers
	_     [2]int32   // launch, and nothing
	kept  unsafe.Pointer
	keptN uintptr
	_     [5]uintptr // context, location, tasks
	_     tail
}

// Run launches the program on a device and returns at once; the results are there when the work is done. Arguments that
// the program takes over (those that its text gives to a result) are used up, unless keep has their numbers: of the
// others, nothing changes. The device runs what is launched in order.
func (x *Executable) Run(on *Device, args []*Buffer, keep ...int64) ([]*Buffer, error) {
	h := x.handle.Load()
	if h == 0 {
		return nil, fmt.Errorf("run program: %w", ErrDestroyed)
	}
	if on.c != x.c {
		return nil, errors.New("run program: on another client's device")
	}
	handles := make([]uintptr, len(args))
	for i, b := range args {
		if b.c != x.c {
			return nil, fmt.Errorf("run program: argument %d is another client's", i)
		}
		if handles[i] = b.handle.Load(); handles[i] == 0 {
			return nil, fmt.Errorf("run program: argument %d: %w", i, ErrDestroyed)
		}
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	options := []executeOptions{{kept: pinned(&pin, keep), keptN: uintptr(len(keep))}}
	options[0].size = unsafe.Sizeof(options[0])
	results := make([]uintptr, len(x.results))
	var a struct {
		head
		loaded  uintptr
		options unsafe.Pointer
		args    unsafe.Pointer
		devices uintptr
		n       uintptr
		results unsafe.Pointer
		events  uintptr
		device  uintptr
		tail
	}
	a.loaded, a.options, a.devices, a.n, a.device = h, pinned(&pin, options), 1, uintptr(len(args)), on.handle
	a.args = pinned(&pin, []unsafe.Pointer{pinned(&pin, handles)})
	a.results = pinned(&pin, []unsafe.Pointer{pinned(&pin, results)})
	if err := call(x.c.p, loadedExecute, &a); err != nil {
		return nil, fmt.Errorf("run program: %w", err)
	}
	out := make([]*Buffer, len(results))
	for i, r := range results {
		out[i] = x.c.buffer(r, x.results[i])
	}
	return out, nil
}
