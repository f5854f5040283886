// Package cpu is the compute device made of the host's processor cores: our own kernels, assembly for AVX2 with FMA
// and for AVX-512 written by the generator in asm, with a twin of each in plain Go for processors that lack them. Both
// sets of assembly give the same bits, so that processors of either kind train together.
//
// A Device owns its memory, which lies outside the Go heap, and a fixed pool of worker threads. A scope of it is the
// same threads and scratch memory with buffers and plans of its own, which it unmaps when it is closed; scratch memory
// is as large as the largest plan so far has needed. Operations run when they are called and have ended when the call
// returns; Sync never waits. Work is split by blocks of the output. Where the summed dimension itself must be split
// (weight gradients, column sums) the blocks follow from the shape and are added in fixed order. So the bits depend on
// the kernel set that Fingerprint names, and never on threads, addresses, or the other images of a call.
//
// When it fails: Alloc and Conv return an error when memory runs out or a shape makes no sense. An operand that
// is too short, or lies on another device, is a bug of the caller and panics before the first write. After Close
// the memory is gone: any slice that Host returned must not be touched again.
package cpu

import (
	"errors"
	"fmt"
	"runtime"
	"slices"

	"byol/model/device"
)

var (
	_ device.Device     = (*Device)(nil)
	_ device.HostMemory = (*Device)(nil)
	_ device.PeerMemory = (*Device)(nil)
	_ device.Scoper     = (*Device)(nil)
)

// Options selects how a Device runs.
type Options struct {
	// Threads is how many threads compute, the caller's included; 0 means one per available processor.
	Threads int
	// ISA names the instructions that kernels may use: "" or Auto, AVX512, AVX2, Generic.
	ISA string
	// Direct computes all convolutions by their definition. Otherwise those that gain by it go by Winograd's
	// tiles, which round differently.
	Direct bool
}

// Device computes on the host's processor cores, in memory of its own. It is used by one goroutine, its scopes
// included.
type Device struct {
	*machine
	mem    arena     // of Alloc and of plans
	taken  []*memory // by Alloc and AllocPeer
	closed bool
}

// machine is what a device has in common with its scopes.
type machine struct {
	k       *kernels
	direct  bool
	pool    *pool
	peer    device.PeerAllocator // of memory that other processes reach; nil without
	spare   arena                // what follows lies in it
	scratch []scratch            // per thread
	partial []float32            // partial sums of weight gradients, shared by all of them
	packed  packing              // the weights of the pass that ran last
	ops     operations
	open    []*Device // the device itself, and its scopes
}

// New starts the threads and returns a Device; Close ends them.
func New(opts Options) (*Device, error) {
	const most = 1024
	threads := opts.Threads
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	if threads < 0 || threads > most {
		return nil, fmt.Errorf("start cpu device: %d threads asked for, try 1 to %d, or 0 for all processors", threads, most)
	}
	k, err := kernelsFor(opts.ISA)
	if err != nil {
		return nil, fmt.Errorf("start cpu device: %w", err)
	}
	m := &machine{k: k, direct: opts.Direct, scratch: make([]scratch, threads), spare: arena{apart: true}}
	m.pool = newPool(threads, m.k.pause)
	d := &Device{machine: m}
	m.open = []*Device{d}
	return d, nil
}

// Name is "cpu".
func (d *Device) Name() string { return "cpu" }

// ISA says which of the ISAs the kernels use.
func (d *Device) ISA() string { return d.k.isa }

// Fingerprint names what the bits depend on: what the kernels of AVX2 and AVX-512 have in common or those in plain Go,
// the convolution algorithms, and their version.
func (d *Device) Fingerprint() string {
	if d.direct {
		return "cpu " + d.k.name + " direct v2"
	}
	return "cpu " + d.k.name + " winograd v4"
}

// ConvolutionGrowth bounds the error of convolutions, see device.FastConvolution. The absolute values of a line of
// Winograd's transforms multiply to at most 48 in one dimension, Σ_t |Aᵀ_it|·Σ|G_t|·Σ|Bᵀ_t|, so to 48² in two, where
// the definition has 9 products of a filter. For gradients of weights they are 53² to the 16 products of a tile.
func (d *Device) ConvolutionGrowth() float64 {
	if d.direct {
		return 1
	}
	return 48. * 48 / filterTaps
}

// Threads is the number of threads that compute.
func (d *Device) Threads() int { return d.pool.threads() }

// Sync returns the first error since the last Sync; it never waits. Only memory for partial sums can run out.
func (d *Device) Sync() error {
	err := d.ops.err
	d.ops.err = nil
	return err
}

// Close gives back the memory of the device or scope. The device, not a scope, ends the threads and closes its scopes.
func (d *Device) Close() error {
	i := slices.Index(d.open, d)
	if i > 0 {
		d.open = slices.Delete(d.open, i, i+1)
		return d.giveBack()
	}
	if i < 0 { // closed before
		return nil
	}
	d.pool.close()
	err := d.spare.close()
	for _, s := range d.open {
		err = errors.Join(err, s.giveBack())
	}
	d.open = nil
	return err
}
