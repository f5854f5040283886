package capi

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"unsafe"
)

// Type is an element's type; the numbers are those of PJRT_Buffer_Type.
type Type int32

// The element types.
const (
	Bool Type = 1
	I8   Type = 2
	I16  Type = 3
	I32  Type = 4
	I64  Type = 5
	U8   Type = 6
	U16  Type = 7
	U32  Type = 8
	U64  Type = 9
	F16  Type = 10
	F32  Type = 11
	F64  Type = 12
	BF16 Type = 13
)

// types has the name that a type has in programs, and its bytes.
var types = map[Type]struct {
	name  string
	bytes int
}{
	Bool: {"i1", 1}, I8: {"i8", 1}, I16: {"i16", 2}, I32: {"i32", 4}, I64: {"i64", 8}, U8: {"ui8", 1}, U16: {"ui16", 2},
	U32: {"ui32", 4}, U64: {"ui64", 8}, F16: {"f16", 2}, F32: {"f32", 4}, F64: {"f64", 8}, BF16: {"bf16", 2},
}

// String is the type as programs spell it.
func (t Type) String() string {
	if x, ok := types[t]; ok {
		return x.name
	}
	return fmt.Sprintf("type %d", int32(t))
}

// Bytes is the size of an element on the host; 0 of a type that this package has no name for.
func (t Type) Bytes() int { return types[t].bytes }

// Shape is what a buffer holds: an array in row-major order.
type Shape struct {
	Type Type
	Dims []int64
}

// Elements is how many elements there are.
func (s Shape) Elements() int {
	n := int64(1)
	for _, d := range s.Dims {
		n *= d
	}
	return int(n)
}

// Bytes is the array's size on the host.
func (s Shape) Bytes() int { return s.Elements() * s.Type.Bytes() }

func (s Shape) String() string { return fmt.Sprintf("%v%v", s.Type, s.Dims) }

// Buffer is an array in a device's memory. Its content never changes.
type Buffer struct {
	c      *Client
	handle atomic.Uintptr
	shape  Shape
}

func (c *Client) buffer(handle uintptr, shape Shape) *Buffer {
	c.live.buffers.Add(1)
	b := &Buffer{c: c, shape: shape}
	b.handle.Store(handle)
	return b
}

// Shape is what the buffer holds.
func (b *Buffer) Shape() Shape { return b.shape }

// Destroy gives the buffer up; its memory is free when everything that was launched with it is done. A buffer that an
// execution took over (donation) is destroyed all the same.
func (b *Buffer) Destroy() error {
	h := b.handle.Swap(0)
	if h == 0 {
		return nil
	}
	b.c.live.buffers.Add(-1)
	return b.c.p.destroy(bufferDestroy, h)
}

// Semantics of PJRT_Client_BufferFromHostBuffer.
const (
	onlyDuringCall        = 0
	untilTransferComplete = 1
)

// upload begins a copy of data, n bytes, and returns the buffer and the handle of the event that ends it.
func (d *Device) upload(s Shape, data unsafe.Pointer, n int, semantics int32) (*Buffer, uintptr, error) {
	h := d.c.handle.Load()
	if h == 0 {
		return nil, 0, ErrDestroyed
	}
	if n != s.Bytes() || n == 0 {
		return nil, 0, fmt.Errorf("%d bytes for %v, which has %d", n, s, s.Bytes())
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	var a struct {
		head
		client                                uintptr
		data                                  unsafe.Pointer
		kind                                  Type
		_                                     int32
		dims                                  unsafe.Pointer
		dimsN                                 uintptr
		strides, stridesN                     uintptr
		semantics                             int32
		_                                     int32
		device, memory, layout, event, buffer uintptr
		tail
	}
	pin.Pin(data)
	a.client, a.data, a.kind, a.semantics, a.device = h, data, s.Type, semantics, d.handle
	a.dims, a.dimsN = pinned(&pin, slices.Clone(s.Dims)), uintptr(len(s.Dims))
	if err := call(d.c.p, clientFromHost, &a); err != nil {
		return nil, 0, err
	}
	return d.c.buffer(a.buffer, s), a.event, nil
}

// Upload copies data to the device. It returns when data may be used again; the copy may still be on its way.
func (d *Device) Upload(s Shape, data []byte) (*Buffer, error) {
	b, event, err := d.upload(s, unsafe.Pointer(unsafe.SliceData(data)), len(data), onlyDuringCall)
	if err != nil {
		return nil, fmt.Errorf("upload %v: %w", s, err)
	}
	if e := d.c.event(event, nil); !e.past {
		err = e.finish(event)
	}
	if err != nil {
		_ = b.Destroy()
		return nil, fmt.Errorf("upload %v: %w", s, err)
	}
	return b, nil
}

// UploadFrom begins a copy of the bytes of m from off on, which must not change until the event comes. The buffer can
// be used at once: what is launched with it waits for the copy.
func (d *Device) UploadFrom(s Shape, m *HostMemory, off int) (*Buffer, *Event, error) {
	part, err := m.part(off, s.Bytes())
	if err != nil {
		return nil, nil, fmt.Errorf("upload %v: %w", s, err)
	}
	b, event, err := d.upload(s, unsafe.Pointer(unsafe.SliceData(part)), len(part), untilTransferComplete)
	if err != nil {
		return nil, nil, fmt.Errorf("upload %v: %w", s, err)
	}
	return b, d.c.event(event, m), nil
}

// part is n bytes of the memory.
func (m *HostMemory) part(off, n int) ([]byte, error) {
	if m.bytes == nil {
		return nil, ErrDestroyed
	}
	if off < 0 || n < 0 || n > len(m.bytes)-off {
		return nil, fmt.Errorf("%d bytes from %d of a host memory of %d", n, off, len(m.bytes))
	}
	return m.bytes[off : off+n : off+n], nil
}

// layout is PJRT_Buffer_MemoryLayout, of the kind without strides.
type layout struct {
	head
	tiled    head           // of PJRT_Buffer_MemoryLayout_Tiled
	order    unsafe.Pointer // dimensions, the one that varies fastest first
	orderN   uintptr
	_        [3]uintptr // tiles, none
	ofStride int32      // 0: not this one
	_        int32
}

// rowMajor is the layout of arrays on the host, whatever it is on the device.
func rowMajor(dims int, pin *runtime.Pinner) unsafe.Pointer {
	order := make([]int64, dims)
	for i := range order {
		order[i] = int64(dims - 1 - i)
	}
	l := []layout{{order: pinned(pin, order), orderN: uintptr(dims)}}
	l[0].size = unsafe.Sizeof(l[0])
	l[0].tiled.size = unsafe.Offsetof(l[0].ofStride) - unsafe.Offsetof(l[0].tiled)
	return pinned(pin, l)
}

// DownloadTo begins a copy of the buffer to m from off on, which belongs to the device until the event comes.
func (b *Buffer) DownloadTo(m *HostMemory, off int) (*Event, error) {
	h := b.handle.Load()
	if h == 0 {
		return nil, fmt.Errorf("download %v: %w", b.shape, ErrDestroyed)
	}
	part, err := m.part(off, b.shape.Bytes())
	if err != nil {
		return nil, fmt.Errorf("download %v: %w", b.shape, err)
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	var a struct {
		head
		source     uintptr
		layout, to unsafe.Pointer
		n          uintptr
		event      uintptr
		tail
	}
	a.source, a.layout, a.to, a.n = h, rowMajor(len(b.shape.Dims), &pin), unsafe.Pointer(unsafe.SliceData(part)),
		uintptr(len(part))
	if err := call(b.c.p, bufferToHost, &a); err != nil {
		return nil, fmt.Errorf("download %v: %w", b.shape, err)
	}
	return b.c.event(a.event, m), nil
}

// Download copies the buffer to data and waits for that, through host memory of its own: for what is read rarely.
func (b *Buffer) Download(ctx context.Context, data []byte) error {
	if len(data) != b.shape.Bytes() {
		return fmt.Errorf("download %v: to %d bytes, and it has %d", b.shape, len(data), b.shape.Bytes())
	}
	m, err := b.c.NewHostMemory(len(data))
	if err != nil {
		return fmt.Errorf("download %v: %w", b.shape, err)
	}
	defer m.giveUp()
	e, err := b.DownloadTo(m, 0)
	if err != nil {
		return err
	}
	if err := e.Await(ctx); err != nil {
		return fmt.Errorf("download %v: %w", b.shape, err)
	}
	copy(data, m.bytes)
	return nil
}

// Ready gives the event of the buffer's content being there.
func (b *Buffer) Ready() (*Event, error) {
	h := b.handle.Load()
	if h == 0 {
		return nil, ErrDestroyed
	}
	event, err := b.c.p.get(bufferReadyEvent, h)
	if err != nil {
		return nil, err
	}
	return b.c.event(event, nil), nil
}
