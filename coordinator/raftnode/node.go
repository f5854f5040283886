// Package raftnode makes one run.State identical on all coordinators, by a raft log on disk. It is the only importer of
// hashicorp/raft. This version has a single voter, which needs no network: its log makes a committed step durable.
//
// A Node owns raft's goroutines and its own; Close ends them and returns when they have ended. States that View hands
// out are shared and must not be written.
//
// Whoever adds voters gives them a raft.NetworkTransport with MaxRPCsInFlight 1: the default pipelining can leave a
// replication goroutine stuck for ever.
//
// # When it fails
//
// Propose answers with the refusal of the state itself, with ErrNotDone when the command surely has no effect, or with
// ErrUnknown when it may have: commands are conditional and idempotent, so that proposing it again is right. An entry
// or snapshot that can't be understood stops everything loudly instead of being skipped.
package raftnode

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
	"go.uber.org/zap"

	"byol/coordinator/run"
)

// What became of a proposal that the state did not answer.
var (
	ErrNotDone = errors.New("raftnode: proposal was not made")
	ErrUnknown = errors.New("raftnode: outcome of the proposal is unknown")
	ErrLocked  = errors.New("raftnode: the log is in use by another process")
)

// Timing of a single voter: there is nobody to be patient with.
const (
	electionTimeout = 50 * time.Millisecond
	enqueueTimeout  = 5 * time.Second
	lockTimeout     = time.Second
	snapshotEvery   = 1024
	snapshotsKept   = 3
	trailingLogs    = 8192 // more than snapshotsKept·snapshotEvery, so that one bad snapshot can be stepped over
)

// Log is a run.State that changes by agreed commands.
type Log interface {
	// Propose returns after the majority applied c, with the State's error.
	Propose(ctx context.Context, c run.Command) error
	// View returns the State and a channel that closes when there is a newer one.
	View() (run.State, <-chan struct{})
	// IsLeader reports whether this node could propose a moment ago.
	IsLeader() bool
}

// Node is a member of the raft cluster.
type Node struct {
	raft      *raft.Raft
	store     *raftboltdb.BoltStore
	transport *raft.InmemTransport
	machine   *machine
	id        string
	leader    atomic.Bool
	closing   chan struct{}
	pending   sync.WaitGroup // proposals and the watcher of leadership
}

// Info is what status shows of raft.
type Info struct {
	LeaderID    string
	Term        uint64
	CommitIndex uint64
}

// Open opens or creates the log in dir and returns when everything in it has been applied.
func Open(ctx context.Context, dir, id string, log *zap.Logger) (*Node, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("open raft log: %w", err)
	}
	store, err := raftboltdb.New(raftboltdb.Options{Path: filepath.Join(dir, "raft.db"),
		BoltOptions: &bbolt.Options{Timeout: lockTimeout}})
	if err != nil {
		if errors.Is(err, bbolterrors.ErrTimeout) {
			err = ErrLocked
		}
		return nil, fmt.Errorf("open raft log: %w", err)
	}
	n := &Node{store: store, machine: newMachine(log), id: id, closing: make(chan struct{})}
	if err := n.start(ctx, dir, log); err != nil {
		return nil, errors.Join(fmt.Errorf("start raft: %w", err), n.Close())
	}
	return n, nil
}

func (n *Node) start(ctx context.Context, dir string, log *zap.Logger) error {
	logger := newLogger(log)
	snapshots, err := raft.NewFileSnapshotStoreWithLogger(dir, snapshotsKept, logger)
	if err != nil {
		return err
	}
	address, transport := raft.NewInmemTransport(raft.ServerAddress(n.id))
	n.transport = transport
	notify := make(chan bool, 16)
	c := raft.DefaultConfig()
	c.LocalID, c.Logger, c.NotifyCh, c.NoLegacyTelemetry = raft.ServerID(n.id), logger, notify, true
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = electionTimeout, electionTimeout, electionTimeout
	c.SnapshotThreshold, c.SnapshotInterval, c.TrailingLogs = snapshotEvery, 30*time.Second, trailingLogs
	known, err := raft.HasExistingState(n.store, n.store, snapshots)
	if err != nil {
		return err
	}
	if !known {
		only := raft.Configuration{Servers: []raft.Server{{ID: c.LocalID, Address: address}}}
		if err := raft.BootstrapCluster(c, n.store, n.store, snapshots, transport, only); err != nil {
			return err
		}
	}
	if n.raft, err = raft.NewRaft(c, n.machine, n.store, n.store, snapshots, transport); err != nil {
		return err
	}
	elected := make(chan struct{})
	n.pending.Go(func() { n.watch(notify, elected) })
	select {
	case <-elected:
	case <-ctx.Done():
		return fmt.Errorf("wait for leadership: %w", context.Cause(ctx))
	}
	return n.barrier()
}

// watch follows raft's notifications, which must always be taken.
func (n *Node) watch(notify <-chan bool, elected chan<- struct{}) {
	for {
		select {
		case leads := <-notify:
			n.leader.Store(leads)
			if leads && elected != nil {
				close(elected)
				elected = nil
			}
		case <-n.closing:
			return
		}
	}
}

// barrier returns when all entries of earlier terms are applied.
func (n *Node) barrier() error {
	if err := n.raft.Barrier(enqueueTimeout).Error(); err != nil {
		return fmt.Errorf("apply the log: %w", err)
	}
	_, _, err := n.machine.view()
	return err
}

// Propose implements Log.
func (n *Node) Propose(ctx context.Context, c run.Command) error {
	entry, err := encode(c)
	if err != nil {
		return err
	}
	if _, _, err := n.machine.view(); err != nil {
		return err
	}
	future := n.raft.Apply(entry, enqueueTimeout)
	done := make(chan error, 1)
	n.pending.Go(func() { done <- outcome(future) })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnknown, context.Cause(ctx))
	}
}

func outcome(future raft.ApplyFuture) error {
	switch err := future.Error(); {
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrEnqueueTimeout):
		return fmt.Errorf("%w: %w", ErrNotDone, err)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	if refused, ok := future.Response().(error); ok {
		return refused
	}
	return nil
}

// View implements Log.
func (n *Node) View() (run.State, <-chan struct{}) {
	s, changed, _ := n.machine.view()
	return s, changed
}

// IsLeader implements Log.
func (n *Node) IsLeader() bool { return n.leader.Load() }

// Info returns raft's own figures.
func (n *Node) Info() Info {
	_, leader := n.raft.LeaderWithID()
	return Info{LeaderID: string(leader), Term: n.raft.CurrentTerm(), CommitIndex: n.raft.CommitIndex()}
}

// Close ends raft and closes its files. Proposals under way answer with ErrUnknown.
func (n *Node) Close() error {
	var errs []error
	if n.raft != nil {
		shutdown := n.raft.Shutdown()
		errs = append(errs, n.transport.Close(), shutdown.Error())
	}
	close(n.closing)
	n.pending.Wait()
	return errors.Join(append(errs, n.store.Close())...)
}
