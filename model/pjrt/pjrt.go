// Package pjrt is the engine for accelerators: the programs that package emit writes, compiled by a PJRT plugin and run
// on one of its devices (package capi). One Engine is one device.
//
// Plan compiles every program of a step, equal ones once, several at a time, and keeps them in a folder for the next
// process if it is given one. Given an Exchange, it takes programs from machines that have them, and compiles only
// those whose turn is its own (package share). Launches return at once; the device runs them in order. A stage's sums
// and the gradients of parameters are copied to the host as soon as they are computed, behind whatever is launched
// next.
//
// Equal bits. A program depends on the network and on the images of one shard, and runs once for each local shard.
// What devices of one kind compute with one version of a plugin is the same, so both are in the fingerprint, and so is
// a digest of all programs.
//
// Ownership. New takes the client over; Close gives everything back and closes it. Only arrivals, which Wait of a
// transfer waits for, are touched by more than one goroutine.
//
// When it fails: see package engine. A plan whose program does not compile, or whose memory is not there, is an error
// of Plan; out of memory later is one that says how much was planned, and which batch would fit.
package pjrt

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"sync"

	"byol/internal/failure"
	"byol/model/engine"
	"byol/model/pjrt/capi"
	"byol/model/pjrt/emit"
	"byol/model/pjrt/share"
)

// Options are how an engine computes.
type Options struct {
	Precision emit.Precision
	Cache     string                // folder of compiled programs, which processes share; empty: none
	CacheSize int64                 // bytes that it may have; 0: any number
	Note      func(string)          // is told what is worth a line, such as a folder that is full; optional
	Threads   int                   // that compile at once; 0 counts as 1
	Progress  func(done, total int) // is told how many are to be compiled, and of each that is; optional
	XLA       map[string]any        // options of compilations, besides those that equal bits need
	Exchange  share.Exchange        // reaches machines that compile the same programs; optional
}

// Counts is what an engine has done so far.
type Counts struct{ Launches, Waits, Up, Down int64 }

// Engine is one device of a plugin.
type Engine struct {
	client   *capi.Client
	device   *capi.Device
	o        Options
	name     string
	about    string // platform, version and kind of the device, and options
	programs *programs
	plan     *plan
	vectors  []*vector
	wait     context.Context // of the plan, without its end: for waits that nobody gives up
	copies   []*arrival      // of vectors, that may be under way

	mu      sync.Mutex // guards the rest
	broken  error      // the first fault
	counted Counts
}

var _ engine.Engine = (*Engine)(nil)

// New opens the engine of a device of client.
func New(client *capi.Client, device *capi.Device, o Options) (*Engine, error) {
	if o.Precision != emit.FP32 && o.Precision != emit.BF16 {
		return nil, errors.New("open device: it computes in fp32 or bf16")
	}
	platform, version, err := client.Platform()
	if err != nil {
		return nil, fmt.Errorf("open device: %w", err)
	}
	xla := emit.XLA(platform, o.Precision)
	maps.Copy(xla, o.XLA)
	e := &Engine{client: client, device: device, o: o, name: "pjrt:" + platform}
	library, err := client.Plugin().Digest()
	if err != nil {
		return nil, fmt.Errorf("open device: %w", err)
	}
	e.about = fmt.Sprintf("%s %s, plugin %x of API %v, %s, %v, precision %s", e.name, version, library[:8],
		client.Plugin().Version(), device.Kind, xla, precisionNames[o.Precision])
	note := o.Note
	if note == nil {
		note = func(string) {}
	}
	e.programs = &programs{exchange: o.Exchange, client: client, options: capi.CompileOptions{XLA: xla}, about: e.about,
		store:   store{dir: o.Cache, limit: o.CacheSize, note: note},
		threads: max(o.Threads, 1), progress: o.Progress, known: map[digest]*capi.Executable{}}
	if o.Exchange != nil {
		e.programs.shelf = newShelf(&e.programs.store, e.about)
		o.Exchange.Offer(e.programs.shelf)
	}
	return e, nil
}

var precisionNames = [...]string{emit.FP32: "fp32", emit.BF16: "bf16"}

// digest identifies a program by what it computes.
type digest = [sha256.Size]byte

// Name is "pjrt:" and the platform.
func (e *Engine) Name() string { return e.name }

// Fingerprint names the platform with its version, the plugin's library by its digest, the kind of device, the options,
// the precision, and the programs of the plan: where one differs, so may bits.
func (e *Engine) Fingerprint() string {
	if e.plan == nil {
		return e.about
	}
	return fmt.Sprintf("%s, programs %x", e.about, e.plan.digest[:8])
}

// Needs is 0: the device has memory of its own.
func (e *Engine) Needs(engine.Network, engine.Cut) (int64, error) { return 0, nil }

// Holds is 0, likewise.
func (e *Engine) Holds() int64 { return 0 }

// Counts says what was done so far.
func (e *Engine) Counts() Counts {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.counted
}

func (e *Engine) count(c Counts) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.counted.Launches += c.Launches
	e.counted.Waits += c.Waits
	e.counted.Up += c.Up
	e.counted.Down += c.Down
}

// fault is the first fault, if there was one.
func (e *Engine) fault() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.broken
}

// fail keeps the first fault, and returns it.
func (e *Engine) fail(doing string, err error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.broken == nil {
		e.broken = e.describe(doing, err)
	}
	return e.broken
}

func (e *Engine) describe(doing string, err error) error {
	if !errors.Is(err, capi.ErrOutOfMemory) || e.plan == nil {
		return engine.Broken(e.name, doing, err)
	}
	return &failure.Failure{What: "device " + e.name + " has no memory left",
		Why: fmt.Sprintf("it could not %s; a step of %d shards of %d images was planned at %d MiB: %v", doing,
			e.plan.cut.Local, e.plan.cut.Images, e.plan.peak>>20, err),
		Try: e.plan.smaller(e.limit()), Code: failure.Usage, Err: err}
}

// Fits is about how many images of a worker fit into the device's memory, by the plan at hand; 0 where the device does
// not say how much it has.
func (e *Engine) Fits() int { return e.plan.fitting(e.limit()) }

// limit is the device's memory, 0 where it does not say.
func (e *Engine) limit() int64 {
	memory, err := e.device.Memory()
	if err != nil {
		return 0
	}
	return memory.Limit
}

// Sync sends what was stored, and waits for all copies: those of a pass end behind what was launched before.
func (e *Engine) Sync() error {
	for _, v := range e.vectors {
		if len(v.stored) == 0 || e.fault() != nil {
			continue
		}
		if _, err := v.current(); err != nil {
			_ = e.fail("take parameters", err) // returned below
		}
	}
	if e.plan != nil {
		e.plan.settle()
	}
	for _, a := range e.copies {
		_ = a.wait() // kept as the fault
	}
	e.copies = nil
	return e.fault()
}

// Close gives everything back and closes the client.
func (e *Engine) Close() error {
	_ = e.Sync() // its fault was told to whoever waited
	if e.o.Exchange != nil {
		e.o.Exchange.Offer(nil)
	}
	e.drop()
	e.programs.keep(nil)
	e.programs.store.close()
	for _, v := range e.vectors {
		v.free()
	}
	e.vectors = nil
	return e.client.Close()
}

// drop gives the plan's memory back.
func (e *Engine) drop() {
	if e.plan != nil {
		e.plan.free()
		e.plan = nil
	}
}
