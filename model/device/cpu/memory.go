package cpu

import (
	"fmt"
	"slices"
	"unsafe"

	"byol/model/device"
)

const (
	alignment = 64 // bytes; a cache line
	// slack bytes after each allocation may be read, never written: kernels read whole vectors and panels.
	slack     = 256
	slabBytes = 2 << 20 // small allocations share slabs of one huge page
	pageBytes = 4096
)

// arena hands out aligned memory outside the Go heap and gives it back as a whole.
type arena struct {
	mapped [][]byte
	slab   []byte // unused rest of the newest slab
	apart  bool   // no slabs: what grow replaces can go back to the system
}

// floats returns n zero elements.
func (a *arena) floats(n int) ([]float32, error) {
	const limit = 1 << 40
	if n < 0 || n > limit {
		return nil, fmt.Errorf("allocate %d elements: out of range", n)
	}
	size := roundUp(4*n+slack, alignment)
	if size <= len(a.slab) {
		b := a.slab[:size]
		a.slab = a.slab[size:]
		return asFloats(b, n), nil
	}
	mapping := max(size, slabBytes)
	if a.apart {
		mapping = roundUp(size, pageBytes)
	}
	b, err := mapMemory(mapping)
	if err != nil {
		return nil, fmt.Errorf("allocate %d elements: %w", n, err)
	}
	a.mapped = append(a.mapped, b)
	if size < slabBytes/2 && !a.apart {
		a.slab = b[size:]
	}
	return asFloats(b, n), nil
}

// grow returns old, or n new zero elements if old is shorter. It is for the scratch memory of an arena without slabs:
// the contents are lost, and the old memory is given back.
func (a *arena) grow(old []float32, n int) ([]float32, error) {
	if n <= len(old) {
		return old, nil
	}
	fresh, err := a.floats(n)
	if err != nil || len(old) == 0 {
		return fresh, err
	}
	i := slices.IndexFunc(a.mapped, func(b []byte) bool {
		return unsafe.Pointer(unsafe.SliceData(b)) == unsafe.Pointer(unsafe.SliceData(old))
	})
	b := a.mapped[i]
	a.mapped = slices.Delete(a.mapped, i, i+1)
	if err := unmapMemory(b); err != nil {
		return nil, fmt.Errorf("free device memory: %w", err)
	}
	return fresh, nil
}

// bytes is how much the arena has taken from the system.
func (a *arena) bytes() int {
	n := 0
	for _, b := range a.mapped {
		n += len(b)
	}
	return n
}

func (a *arena) close() error {
	var first error
	for _, b := range a.mapped {
		if err := unmapMemory(b); err != nil && first == nil {
			first = fmt.Errorf("free device memory: %w", err)
		}
	}
	a.mapped, a.slab = nil, nil
	return first
}

// memory is one allocation.
type memory struct {
	owner *machine
	elems []float32            // nil once it was given back
	peer  device.PeerAllocator // that it came from; nil for the arena
}

// Elements is the number of elements in the allocation.
func (m *memory) Elements() int { return len(m.elems) }

// asFloats views the first n·4 bytes of b.
func asFloats(b []byte, n int) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b))), n)
}

// at is the address of the i-th element after p; nil stays nil, so that optional operands pass through.
func at(p *float32, i int) *float32 {
	if p == nil {
		return nil
	}
	return (*float32)(unsafe.Add(unsafe.Pointer(p), 4*i))
}

// Scope returns the same device with memory of its own.
func (d *Device) Scope() device.Device {
	s := &Device{machine: d.machine}
	d.open = append(d.open, s)
	return s
}

// Allocated is how many bytes the device holds with all its scopes, in peer memory too.
func (d *Device) Allocated() int {
	n := d.spare.bytes()
	for _, s := range d.open {
		n += s.mem.bytes()
		for _, m := range s.taken {
			if m.peer != nil {
				n += 4 * len(m.elems)
			}
		}
	}
	return n
}

// Alloc returns n zero elements.
func (d *Device) Alloc(n int) (device.Buffer, error) {
	f, err := d.mem.floats(n)
	if err != nil {
		return device.Buffer{}, err
	}
	return d.take(f, nil), nil
}

// UsePeerMemory has AllocPeer take its memory from m.
func (d *Device) UsePeerMemory(m device.PeerAllocator) { d.peer = m }

// AllocPeer is Alloc in memory that other processes of the host reach, if there is such memory.
func (d *Device) AllocPeer(n int) (device.Buffer, error) {
	if d.peer != nil {
		if f, err := d.peer.Floats(n); err == nil {
			return d.take(f, d.peer), nil
		}
	}
	return d.Alloc(n)
}

// take makes elements an allocation of this scope.
func (d *Device) take(elems []float32, from device.PeerAllocator) device.Buffer {
	m := &memory{owner: d.machine, elems: elems, peer: from}
	d.taken = append(d.taken, m)
	return device.Buffer{Mem: m, Len: len(elems)}
}

// giveBack ends a scope: its buffers are empty, its plans refuse to run, and its memory is returned.
func (d *Device) giveBack() error {
	for _, m := range d.taken {
		if m.peer != nil {
			m.peer.Free(m.elems)
		}
		m.elems = nil
	}
	d.taken, d.closed = nil, true
	return d.mem.close()
}

// Host returns the elements of b themselves.
func (d *Device) Host(b device.Buffer) []float32 { return d.need("host", b, b.Len) }

// need returns the first n elements of an operand, or panics: a wrong operand is a bug of the caller.
func (d *Device) need(op string, b device.Buffer, n int) []float32 {
	m, ok := b.Mem.(*memory)
	if !ok || m.owner != d.machine {
		panic(fmt.Sprintf("cpu: %s: operand is not memory of this device", op))
	}
	if n < 0 || n > b.Len || b.Off < 0 || b.Off+b.Len > len(m.elems) {
		panic(fmt.Sprintf("cpu: %s: %d elements needed, operand has %d", op, n, b.Len))
	}
	return m.elems[b.Off : b.Off+n]
}

// operand is the address of an operand of n elements.
func (d *Device) operand(op string, b device.Buffer, n int) *float32 {
	return unsafe.SliceData(d.need(op, b, n))
}

// optional is operand, or nil for the zero Buffer.
func (d *Device) optional(op string, b device.Buffer, n int) *float32 {
	if b.IsNil() {
		return nil
	}
	return d.operand(op, b, n)
}

// Upload copies src to the device.
func (d *Device) Upload(dst device.Buffer, src []float32) {
	copy(d.exactly("upload", dst, len(src)), src)
}

// Download copies src to the host.
func (d *Device) Download(dst []float32, src device.Buffer) {
	copy(dst, d.exactly("download", src, len(dst)))
}

// Upload64 copies src to the device, rounded to float32.
func (d *Device) Upload64(dst device.Buffer, src []float64) {
	to := d.exactly("upload64", dst, len(src))
	for i, v := range src {
		to[i] = float32(v)
	}
}

// Download64 copies src to the host.
func (d *Device) Download64(dst []float64, src device.Buffer) {
	for i, v := range d.exactly("download64", src, len(dst)) {
		dst[i] = float64(v)
	}
}

// exactly is need for copies, where both lengths are equal.
func (d *Device) exactly(op string, b device.Buffer, n int) []float32 {
	if b.Len != n {
		panic(fmt.Sprintf("cpu: %s: %d elements on the host, %d on the device", op, n, b.Len))
	}
	return d.need(op, b, n)
}
