package cpu

import (
	"fmt"
	"unsafe"

	"byol/model/device"
)

const (
	alignment = 64 // bytes; a cache line
	// slack bytes after each allocation may be read, never written: kernels read whole vectors and panels.
	slack     = 256
	slabBytes = 2 << 20 // small allocations share slabs of one huge page
)

// arena hands out aligned memory outside the Go heap and gives it back as a whole.
type arena struct {
	mapped [][]byte
	slab   []byte // unused rest of the newest slab
}

// memory is one allocation.
type memory struct {
	owner *Device
	elems []float32
}

// Elements is the number of elements in the allocation.
func (m *memory) Elements() int { return len(m.elems) }

// floats returns n zero elements.
func (a *arena) floats(n int) ([]float32, error) {
	const limit = 1 << 40
	if n < 0 || n > limit {
		return nil, fmt.Errorf("allocate %d elements: out of range", n)
	}
	size := (4*n + slack + alignment - 1) &^ (alignment - 1)
	if size <= len(a.slab) {
		b := a.slab[:size]
		a.slab = a.slab[size:]
		return asFloats(b, n), nil
	}
	b, err := mapMemory(max(size, slabBytes))
	if err != nil {
		return nil, fmt.Errorf("allocate %d elements: %w", n, err)
	}
	a.mapped = append(a.mapped, b)
	if size < slabBytes/2 {
		a.slab = b[size:]
	}
	return asFloats(b, n), nil
}

// grow returns old, or n new zero elements if old is shorter. It is for scratch memory: the contents are lost,
// and the old memory stays with the arena.
func (a *arena) grow(old []float32, n int) ([]float32, error) {
	if n <= len(old) {
		return old, nil
	}
	return a.floats(n)
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

// Allocated is how many bytes the device has taken from the system.
func (d *Device) Allocated() int {
	n := 0
	for _, b := range d.mem.mapped {
		n += len(b)
	}
	return n
}

// Alloc returns n zero elements.
func (d *Device) Alloc(n int) (device.Buffer, error) {
	f, err := d.mem.floats(n)
	if err != nil {
		return device.Buffer{}, err
	}
	return device.Buffer{Mem: &memory{owner: d, elems: f}, Len: n}, nil
}

// UsePeerMemory has AllocPeer take its memory from alloc. It must outlive the device.
func (d *Device) UsePeerMemory(alloc func(n int) ([]float32, error)) { d.peer = alloc }

// AllocPeer is Alloc in memory that other processes of the host reach, if there is such memory.
func (d *Device) AllocPeer(n int) (device.Buffer, error) {
	if d.peer != nil {
		if f, err := d.peer(n); err == nil {
			return device.Buffer{Mem: &memory{owner: d, elems: f}, Len: n}, nil
		}
	}
	return d.Alloc(n)
}

// Host returns the elements of b themselves.
func (d *Device) Host(b device.Buffer) []float32 { return d.need("host", b, b.Len) }

// need returns the first n elements of an operand, or panics: a wrong operand is a bug of the caller.
func (d *Device) need(op string, b device.Buffer, n int) []float32 {
	m, ok := b.Mem.(*memory)
	if !ok || m.owner != d {
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
