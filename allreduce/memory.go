package allreduce

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"unsafe"

	"byol/allreduce/shm"
	"byol/internal/vector"
)

const (
	// memoryReach is how many bytes a Memory can hand out. It is a range of addresses, and costs nothing before.
	memoryReach = min(1<<36, math.MaxInt/2)
	memoryPage  = 4096
	// memorySlack bytes behind each vector may be read.
	memorySlack = 256
)

// Memory is memory of this process that the other ranks of its host map while they share a group: vectors in it are
// summed and shared where they lie. It belongs to the caller and outlives groups, one of them at a time.
type Memory struct {
	mu      sync.Mutex // guards what follows
	segment *shm.Segment
	used    int
	free    map[int][]int // by size: where vectors lay that were given back
	lost    error         // peers of a broken group may still write into it

	trials [][]float32 // for measurements; used by the one group that forms
}

// NewMemory returns memory, or says why this system has none.
func NewMemory() (*Memory, error) {
	s, err := shm.Create(memoryReach)
	if err != nil {
		return nil, fmt.Errorf("make memory to share with peers: %w", err)
	}
	return &Memory{segment: s, used: memoryPage}, nil
}

// Floats returns n zero elements, which begin at a page and have 256 readable bytes behind them. They live as long as
// the memory, or until Free takes them back.
func (m *Memory) Floats(n int) ([]float32, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.segment == nil {
		return nil, errors.New("take memory to share with peers: it is closed")
	}
	if n < 0 || n > (memoryReach-m.used-memorySlack-memoryPage)/4 {
		return nil, fmt.Errorf("take %d elements to share with peers: out of range", n)
	}
	size := memorySize(n)
	if list := m.free[size]; len(list) > 0 {
		x := m.floats(list[len(list)-1], n)
		m.free[size] = list[:len(list)-1]
		clear(x)
		return x, nil
	}
	if err := m.segment.Commit(m.used, size); err != nil {
		return nil, err
	}
	x := m.floats(m.used, n)
	m.used += size
	return x, nil
}

// Free takes back what Floats returned, between groups: peers must not sum it any more. Its pages stay with the memory,
// for the next vector that takes as many.
func (m *Memory) Free(x []float32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.segment == nil || len(x) == 0 {
		return
	}
	at := place(m.segment.Bytes(), x)
	if at < memoryPage || at >= m.used {
		panic("allreduce: memory to share with peers takes back what it did not hand out")
	}
	if m.free == nil {
		m.free = map[int][]int{}
	}
	size := memorySize(len(x))
	m.free[size] = append(m.free[size], at)
}

// memorySize is how many bytes a vector takes.
func memorySize(n int) int { return (4*n + memorySlack + memoryPage - 1) &^ (memoryPage - 1) }

// floats are n elements of the segment.
func (m *Memory) floats(at, n int) []float32 {
	return vector.Floats(m.segment.Bytes()[at : at+4*n : at+4*n])
}

// Close gives the memory back. Nothing in it may be touched any more, and its group must be closed.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.segment == nil {
		return nil
	}
	s := m.segment
	m.segment = nil
	return s.Close()
}

// trial is the i-th vector of n elements for a measurement. m may be nil.
func (m *Memory) trial(i, n int) ([]float32, error) {
	if m == nil {
		return nil, errors.New("no memory")
	}
	for len(m.trials) <= i {
		m.trials = append(m.trials, nil)
	}
	if len(m.trials[i]) < n {
		v, err := m.Floats(n)
		if err != nil {
			return nil, err
		}
		m.trials[i] = v
	}
	return m.trials[i][:n], nil
}

// offer is what a peer needs to map the memory.
func (m *Memory) offer() (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.segment == nil:
		return "", errors.New("its memory is closed")
	case m.lost != nil:
		return "", m.lost
	}
	return m.segment.Offer(), nil
}

// renew parts with the peers of a broken group: a rank that was held up may come back at any time, and go on with a
// sum of long ago. What it writes then goes to pages that this process has left.
func (m *Memory) renew() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.segment == nil {
		return
	}
	if err := m.segment.Renew(m.used); err != nil {
		m.lost = fmt.Errorf("its memory could not be taken back from a broken group: %w", err)
	}
}

// bytes is the memory as peers see it.
func (m *Memory) bytes() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.segment.Bytes()
}

// place is where in home v lies, in bytes; 0 where it lies elsewhere, for a home begins with a page of its own.
func place(home []byte, v []float32) int {
	if len(v) == 0 || len(home) == 0 {
		return 0
	}
	off := uintptr(unsafe.Pointer(&v[0])) - uintptr(unsafe.Pointer(&home[0]))
	if off >= uintptr(len(home)) {
		return 0
	}
	return int(off)
}

// inHome is the address of n elements at a place in home, or nil if they don't lie in it.
func inHome(home []byte, place, n int) *float32 {
	if place < memoryPage || place%4 != 0 || place > len(home)-4*n {
		return nil
	}
	return (*float32)(unsafe.Pointer(&home[place]))
}
