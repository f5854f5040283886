// Package reference is the oracle among the devices: every operation of the compute seam in plain Go on host
// slices, with gorgonia.org/tensor (and gonum below it) for the matrix products. It exists twice, in float64 to
// say what is right and in float32 to say what float32 can do. It is kept simple and is never tuned.
//
// A device owns the memory it allocates; the garbage collector takes it back when the buffers are gone, or the scope
// that they are from is closed. It is used by one goroutine, and every operation has ended when its call returns. Only
// the matrix products use several threads, split by output blocks.
//
// Equal bits: each element of a product is one sum from left to right over the summed index (gonum's form for
// two untransposed operands adds scaled rows, so its vector width and the alignment of the operands do not
// matter), and everything else is a loop in the order of the formula. Element-wise formulas are evaluated in
// float64 and rounded once; a product that is added is rounded first, so no compiler may fuse the two.
//
// When it fails: it does not fail at run time, so Sync reports nothing. Wrong shapes and foreign buffers are
// bugs of the caller and panic before the first write. Conv returns an error for a shape that is no convolution.
package reference

import (
	"fmt"
	"hash/fnv"
	"math"
	"runtime"
	"unsafe"

	"byol/model/device"
)

// New returns the device whose elements have the given number of bits: 32 ("reference", which is also a
// device.HostMemory) or 64 ("reference64").
func New(bits int) device.Device {
	switch bits {
	case 32:
		return host{newEngine[float32]("reference")}
	case 64:
		return newEngine[float64]("reference64")
	}
	panic(fmt.Sprintf("reference: no element type of %d bits, only 32 and 64", bits))
}

// real is an element type.
type real interface{ float32 | float64 }

// engine is the device over elements of type T, or a scope of it.
type engine[T real] struct {
	name string
	*spare[T]
	scope  bool
	taken  []*memory[T]      // by a scope
	plans  []*convolution[T] // of a scope
	closed bool
}

// spare is what a device has in common with its scopes.
type spare[T real] struct {
	// Scratch of the convolutions, grown to the largest plan and shared by all: one goroutine uses it.
	cols, turned, sum []T
	elements          int // that the device and its open scopes have handed out, and the copies of weights in plans
}

func newEngine[T real](name string) *engine[T] { return &engine[T]{name: name, spare: &spare[T]{}} }

// host is the 32-bit device with its memory open to the host.
type host struct{ *engine[float32] }

// Host returns the elements of b themselves.
func (h host) Host(b device.Buffer) []float32 { return h.elems(b, b.Len, "host view") }

// Scope returns the same device with memory of its own.
func (h host) Scope() device.Device { return host{h.engine.newScope()} }

// memory is one allocation.
type memory[T real] struct{ data []T }

// Elements is the number of elements in the allocation.
func (m *memory[T]) Elements() int { return len(m.data) }

// Name is "reference" or "reference64".
func (d *engine[T]) Name() string { return d.name }

// Fingerprint names what decides over the bits: the element type, the architecture, the Go release, and a digest
// of what this build computes on this processor.
func (d *engine[T]) Fingerprint() string {
	var zero T
	return fmt.Sprintf("%s/%T/%s/%s/%08x", d.name, zero, runtime.GOARCH, runtime.Version(), probe[T]())
}

// probe digests results of the few operations that are not fixed by IEEE 754 or by an explicit rounding of ours:
// exp and log, which may ask the processor for fused multiply-adds, and the products of the BLAS.
func probe[T real]() uint32 {
	const n = 32
	values, out := make([]T, n*n), make([]T, n*n)
	for i := range values {
		values[i] = T(math.Exp(-float64(i)/37) + math.Log(float64(i+2)))
	}
	product(out, values, values, n, n, n)
	sum := fnv.New32a()
	for _, v := range append(values, out...) {
		fmt.Fprintf(sum, "%x ", math.Float64bits(float64(v)))
	}
	return sum.Sum32()
}

// Alloc returns n elements, all zero.
func (d *engine[T]) Alloc(n int) (device.Buffer, error) {
	if n < 0 {
		panic(fmt.Sprintf("reference: allocation of %d elements", n))
	}
	if d.closed {
		panic("reference: allocation in a closed scope")
	}
	m := &memory[T]{make([]T, n)}
	d.elements += n
	if d.scope {
		d.taken = append(d.taken, m)
	}
	return device.Buffer{Mem: m, Len: n}, nil
}

// Scope returns the same device with memory of its own.
func (d *engine[T]) Scope() device.Device { return d.newScope() }

func (d *engine[T]) newScope() *engine[T] {
	return &engine[T]{name: d.name, spare: d.spare, scope: true}
}

// Allocated counts what was handed out and not given back by closing a scope, in bytes, and the scratch memory.
func (d *engine[T]) Allocated() int {
	var zero T
	return int(unsafe.Sizeof(zero)) * (d.elements + cap(d.cols) + cap(d.turned) + cap(d.sum))
}

// Upload copies src to dst.
func (d *engine[T]) Upload(dst device.Buffer, src []float32) {
	convert(d.exact(dst, len(src), "upload"), src)
}

// Download copies src to dst, rounded to float32.
func (d *engine[T]) Download(dst []float32, src device.Buffer) {
	convert(dst, d.exact(src, len(dst), "download"))
}

// Upload64 copies src to dst, rounded to the element type.
func (d *engine[T]) Upload64(dst device.Buffer, src []float64) {
	convert(d.exact(dst, len(src), "upload"), src)
}

// Download64 copies src to dst.
func (d *engine[T]) Download64(dst []float64, src device.Buffer) {
	convert(dst, d.exact(src, len(dst), "download"))
}

// Sync has nothing to wait for.
func (d *engine[T]) Sync() error { return nil }

// Close voids the buffers and plans of a scope. A device has nothing to release.
func (d *engine[T]) Close() error {
	for _, m := range d.taken {
		d.elements -= len(m.data)
		m.data = nil
	}
	for _, c := range d.plans {
		d.elements -= c.copies()
		c.w, c.t = nil, nil
	}
	d.taken, d.plans, d.closed = nil, nil, d.scope
	return nil
}

func convert[A, B real](dst []A, src []B) {
	for i, v := range src {
		dst[i] = A(v)
	}
}

// elems returns the first n elements of b. It panics where b is not a buffer of this device or is too short.
func (d *engine[T]) elems(b device.Buffer, n int, what string) []T {
	m, ok := b.Mem.(*memory[T])
	if !ok {
		panic(fmt.Sprintf("reference: %s: buffer of another device or none (%T)", what, b.Mem))
	}
	if n < 0 || n > b.Len {
		panic(fmt.Sprintf("reference: %s: have %d elements, want %d", what, b.Len, n))
	}
	if m.data == nil {
		panic(fmt.Sprintf("reference: %s: buffer of a closed scope", what))
	}
	return m.data[b.Off : b.Off+n : b.Off+n]
}

// exact is elems for copies, whose two sides have one length.
func (d *engine[T]) exact(b device.Buffer, n int, what string) []T {
	if b.Len != n {
		panic(fmt.Sprintf("reference: %s: device has %d elements, host %d", what, b.Len, n))
	}
	return d.elems(b, n, what)
}

// optional is elems for an operand that may be absent: nil then.
func (d *engine[T]) optional(b device.Buffer, n int, what string) []T {
	if b.IsNil() {
		return nil
	}
	return d.elems(b, n, what)
}

// need panics unless a host vector has at least n elements.
func need(have, n int, what string) {
	if have < n {
		panic(fmt.Sprintf("reference: %s: have %d elements, want %d", what, have, n))
	}
}

// grown returns a slice of n elements, s itself where it is long enough.
func grown[T real](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
