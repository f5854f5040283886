package raftnode

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/raft"

	"byol/internal/fault"
)

// stall is how long a write to the log may take before the disk is called stalled.
const stall = 10 * time.Second

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errSum says that what was read is not what was written.
var errSum = errors.New("its checksum is another one")

// What is wrong with the disk, in a DiskError.
var (
	ErrFull    = errors.New("the disk is full")
	ErrStalled = fmt.Errorf("a write takes longer than %v: the disk is stalled", stall)
)

// DiskError says that the log cannot be written: this node is of no use any more.
type DiskError struct{ Err error }

// Error says what is wrong.
func (e *DiskError) Error() string { return "the raft log cannot be written: " + e.Err.Error() }

// Unwrap is ErrFull, ErrStalled or what the system said.
func (e *DiskError) Unwrap() error { return e.Err }

// inner is the store below: a raftboltdb.BoltStore.
type inner interface {
	raft.LogStore
	raft.StableStore
}

// store puts a checksum to everything that raft keeps, and finds out when the disk below is full, broken or stalled.
// After its first failure it is closed to writing: raft's way to go on, which is to be elected again, would only fail
// again.
type store struct {
	inner
	points fault.Points
	leads  atomic.Bool   // only a leader is told to go for a stalled disk: nobody waits for a follower
	closed chan struct{} // closes with the node
	failed chan struct{} // closes with the first failure
	once   sync.Once
	err    error // written before failed closes
}

func newStore(below inner, closed chan struct{}) *store {
	return &store{inner: below, closed: closed, failed: make(chan struct{})}
}

// fail takes note of the first failure.
func (s *store) fail(err error) error {
	s.once.Do(func() {
		s.err = &DiskError{Err: err}
		close(s.failed)
	})
	return s.err
}

// broken is the failure, nil while there is none.
func (s *store) broken() error {
	select {
	case <-s.failed:
		return s.err
	default:
		return nil
	}
}

// write lets f write while the clock runs.
func (s *store) write(f func() error) error {
	if err := s.broken(); err != nil {
		return err
	}
	watch := time.AfterFunc(stall, func() {
		if s.leads.Load() {
			_ = s.fail(ErrStalled)
		}
	})
	err := f()
	watch.Stop()
	switch {
	case err == nil:
		return s.broken()
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) ||
		strings.Contains(err.Error(), syscall.ENOSPC.Error()): // bbolt puts one of them into words
		return s.fail(fmt.Errorf("%w (%w)", ErrFull, err))
	}
	return s.fail(err)
}

// sum is the checksum of an entry: nothing of it may change, and it may not stand in for another.
func sum(l *raft.Log, data []byte) []byte {
	head := binary.LittleEndian.AppendUint64(nil, l.Index)
	head = append(binary.LittleEndian.AppendUint64(head, l.Term), byte(l.Type))
	c := crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, data)
	return binary.LittleEndian.AppendUint32(nil, c)
}

// StoreLog implements raft.LogStore.
func (s *store) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }

// StoreLogs implements raft.LogStore.
func (s *store) StoreLogs(logs []*raft.Log) error {
	sealed := make([]*raft.Log, len(logs))
	for i, l := range logs {
		c := *l
		c.Data = append(l.Data[:len(l.Data):len(l.Data)], sum(l, l.Data)...)
		sealed[i] = &c
	}
	return s.write(func() error {
		err := s.points.Reach(fault.LogWrite)
		if err == nil {
			err = s.inner.StoreLogs(sealed)
			s.points.Pass(fault.LogWritten)
		}
		return err
	})
}

// GetLog implements raft.LogStore.
func (s *store) GetLog(index uint64, l *raft.Log) error {
	if err := s.inner.GetLog(index, l); err != nil {
		return err
	}
	n := len(l.Data) - 4
	if n < 0 || l.Index != index || string(l.Data[n:]) != string(sum(l, l.Data[:n])) {
		return fmt.Errorf("entry %d: %w", index, errSum)
	}
	l.Data = l.Data[:n:n]
	return nil
}

// DeleteRange implements raft.LogStore.
func (s *store) DeleteRange(from, to uint64) error {
	return s.write(func() error { return s.inner.DeleteRange(from, to) })
}

// Set implements raft.StableStore.
func (s *store) Set(key, value []byte) error {
	return s.write(func() error { return s.inner.Set(key, seal(key, value)) })
}

// Get implements raft.StableStore.
func (s *store) Get(key []byte) ([]byte, error) {
	sealed, err := s.inner.Get(key)
	if err != nil {
		return nil, err
	}
	n := len(sealed) - 4
	if n < 0 || string(seal(key, sealed[:n])) != string(sealed) {
		return nil, fmt.Errorf("%s: %w", key, errSum)
	}
	return sealed[:n:n], nil
}

func seal(key, value []byte) []byte {
	c := crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
	return binary.LittleEndian.AppendUint32(value[:len(value):len(value)], c)
}

// SetUint64 implements raft.StableStore. Raft panics when it cannot store its term. Where the disk fails it waits here
// until the node is closed, its transport with it: what it believes then reaches nobody.
func (s *store) SetUint64(key []byte, value uint64) error {
	if s.Set(key, binary.BigEndian.AppendUint64(nil, value)) != nil {
		<-s.closed
	}
	return nil
}

// GetUint64 implements raft.StableStore.
func (s *store) GetUint64(key []byte) (uint64, error) {
	value, err := s.Get(key)
	if err != nil {
		return 0, err
	}
	if len(value) != 8 {
		return 0, fmt.Errorf("%s: %w", key, errSum)
	}
	return binary.BigEndian.Uint64(value), nil
}
