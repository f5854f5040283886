package raftnode

import (
	"fmt"
	"io"
	"sync"

	"github.com/hashicorp/raft"
	"go.uber.org/zap"

	"byol/coordinator/run"
	"byol/internal/fault"
)

// machine applies committed entries to the State, on raft's goroutine, and shows it to everybody else.
type machine struct {
	log    *zap.Logger
	points fault.Points

	mu      sync.Mutex // guards what follows
	state   run.State  // never changed in place: readers hold its slices
	changed chan struct{}
	since   uint64 // the entry that led to the phase; 0 when it came with a snapshot
	broken  error  // an entry could not be understood; nothing is applied any more
	unread  error  // the last snapshot that was tried could not be restored
}

func newMachine(log *zap.Logger, points fault.Points) *machine {
	return &machine{log: log, points: points, changed: make(chan struct{})}
}

func (m *machine) view() (run.State, <-chan struct{}, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state, m.changed, m.broken
}

func (m *machine) publishLocked(s run.State) {
	m.state = s
	close(m.changed)
	m.changed = make(chan struct{})
}

// Apply answers with the error of the command, or nil.
func (m *machine) Apply(entry *raft.Log) any {
	m.points.Pass(fault.Apply)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return m.broken
	}
	c, err := decode(entry.Data)
	if err != nil {
		m.broken = fmt.Errorf("apply entry %d: %w", entry.Index, err)
		m.log.Error("the raft log cannot be applied any further", zap.Uint64("index", entry.Index), zap.Error(err))
		return m.broken
	}
	next := m.state.Clone()
	err = next.Apply(c)
	if next.Phase != m.state.Phase {
		m.since = entry.Index
	}
	m.publishLocked(next)
	return err
}

// Snapshot takes the State as it is; it is never changed in place, so that Persist may run later.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	s, _, err := m.view()
	if err != nil {
		return nil, err
	}
	return snapshot{s}, nil
}

// Restore replaces the State by a snapshot's, all or nothing.
func (m *machine) Restore(r io.ReadCloser) error {
	s, err := readSnapshot(r)
	if closeErr := r.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("read snapshot: %w", closeErr)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		m.log.Error("a snapshot cannot be restored", zap.Error(err))
		m.unread = err
		return err
	}
	m.unread, m.since = nil, 0 // an older one was good
	m.publishLocked(s)
	return nil
}

// refused is why no snapshot could be restored, nil if one was or there is none.
func (m *machine) refused() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.unread
}

type snapshot struct{ state run.State }

func (s snapshot) Persist(sink raft.SnapshotSink) error {
	if err := writeSnapshot(sink, &s.state); err != nil {
		_ = sink.Cancel() // the write's error says more
		return err
	}
	return sink.Close()
}

func (s snapshot) Release() {}
