package capi

import (
	"fmt"
	"sync"
	"syscall"
	"unsafe"
)

// HostMemory is memory of this process outside the collector's reach, which a device may read and write while a copy is
// under way. Where the plugin offers it, it is pinned and known to the device, so that copies need no stop between.
type HostMemory struct {
	c      *Client
	bytes  []byte
	mapped bool // known to the device

	mu      sync.Mutex // guards the rest
	pending int        // copies under way
	freed   bool       // nobody waits for them any more: the last one frees it
}

// NewHostMemory allocates n bytes, all zero, at the start of a page.
func (c *Client) NewHostMemory(n int) (*HostMemory, error) {
	if n <= 0 {
		return nil, fmt.Errorf("allocate host memory of %d bytes", n)
	}
	h := c.handle.Load()
	if h == 0 {
		return nil, ErrDestroyed
	}
	b, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("allocate host memory of %d bytes: %w", n, err)
	}
	m := &HostMemory{c: c, bytes: b}
	var a struct {
		head
		client uintptr
		data   unsafe.Pointer
		n      uintptr
		tail
	}
	a.client, a.data, a.n = h, unsafe.Pointer(&b[0]), uintptr(n)
	m.mapped = call(c.p, clientDMAMap, &a) == nil // memory that is not pinned serves, too
	c.live.memories.Add(1)
	return m, nil
}

// Bytes is the memory. It must not be used once it is freed.
func (m *HostMemory) Bytes() []byte { return m.bytes }

// Pinned reports whether the device reads and writes it without a stop between.
func (m *HostMemory) Pinned() bool { return m.mapped }

// Free gives the memory back. Copies to or from it must have been awaited before: otherwise it stays, with an error.
func (m *HostMemory) Free() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pending > 0 {
		return fmt.Errorf("free host memory: %d copies are under way", m.pending)
	}
	return m.freeLocked()
}

// giveUp frees the memory now, or when the last copy is done.
func (m *HostMemory) giveUp() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.freed = true
	if m.pending == 0 {
		_ = m.freeLocked() // another error came first
	}
}

// begin notes a copy that is under way.
func (m *HostMemory) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pending++
}

// end notes that one is done.
func (m *HostMemory) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pending--; m.pending == 0 && m.freed {
		_ = m.freeLocked() // nobody is left to be told
	}
}

func (m *HostMemory) freeLocked() error {
	if m.bytes == nil {
		return nil
	}
	if m.mapped {
		var a struct {
			head
			client uintptr
			data   unsafe.Pointer
			tail
		}
		a.client, a.data = m.c.handle.Load(), unsafe.Pointer(&m.bytes[0])
		if err := call(m.c.p, clientDMAUnmap, &a); err != nil {
			return fmt.Errorf("free host memory: %w", err)
		}
	}
	b := m.bytes
	m.bytes = nil
	m.c.live.memories.Add(-1)
	if err := syscall.Munmap(b); err != nil {
		return fmt.Errorf("free host memory: %w", err)
	}
	return nil
}
