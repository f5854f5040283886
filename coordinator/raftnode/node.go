// Package raftnode makes one run.State identical on all coordinators, by a raft log on disk. It is the only importer of
// hashicorp/raft. This version has a single voter, which needs no network: its log makes a committed step durable.
//
// Open returns at once; who leads is found out afterwards, and may change. Leadership tells, and a leader that has
// passed a Barrier has applied everything that was ever committed.
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
// or snapshot that can't be understood stops everything loudly instead of being skipped: a VersionError says that
// another version wrote it.
package raftnode

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
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

const (
	enqueueTimeout = 5 * time.Second
	lockTimeout    = time.Second
	snapshotEvery  = 1024
	snapshotsKept  = 3
	trailingLogs   = 8192 // more than snapshotsKept·snapshotEvery, so that one bad snapshot can be stepped over
)

// Options say which node this is.
type Options struct {
	// Dir holds the log and its snapshots; it is made when missing.
	Dir string
	// ID names this node among the voters, for good.
	ID string
	// Bootstrap lets a node whose log is empty begin a cluster of which it is the only voter.
	Bootstrap bool
	// ElectionTimeout is how long nothing is heard of a leader before there is an election. A single voter has nobody
	// to be patient with: 50 ms.
	ElectionTimeout time.Duration
	// Log receives what raft has to say.
	Log *zap.Logger
}

// Node is a member of the raft cluster.
type Node struct {
	raft      *raft.Raft
	store     *raftboltdb.BoltStore
	transport *raft.InmemTransport
	machine   *machine
	closing   chan struct{}
	pending   sync.WaitGroup // proposals and the watcher of leadership
	office    office
}

// office says which term this node leads, 0 for none.
type office struct {
	mu      sync.Mutex // guards what follows
	term    uint64
	changed chan struct{}
}

func (o *office) take(term uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.term = term
	close(o.changed)
	o.changed = make(chan struct{})
}

// Info is what status shows of raft.
type Info struct {
	LeaderID    string
	Term        uint64
	CommitIndex uint64
}

// Open opens or creates the log. What it holds is applied as soon as there is a leader.
func Open(o Options) (*Node, error) {
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("open raft log: %w", err)
	}
	store, err := raftboltdb.New(raftboltdb.Options{Path: filepath.Join(o.Dir, "raft.db"),
		BoltOptions: &bbolt.Options{Timeout: lockTimeout}})
	if err != nil {
		if errors.Is(err, bbolterrors.ErrTimeout) {
			err = ErrLocked
		}
		return nil, fmt.Errorf("open raft log: %w", err)
	}
	n := &Node{store: store, machine: newMachine(o.Log), closing: make(chan struct{})}
	n.office.changed = make(chan struct{})
	if err := n.start(o); err != nil {
		return nil, errors.Join(fmt.Errorf("start raft: %w", err), n.Close())
	}
	return n, nil
}

func (n *Node) start(o Options) error {
	logger := newLogger(o.Log)
	snapshots, err := raft.NewFileSnapshotStoreWithLogger(o.Dir, snapshotsKept, logger)
	if err != nil {
		return err
	}
	address, transport := raft.NewInmemTransport(raft.ServerAddress(o.ID))
	n.transport = transport
	notify := make(chan bool, 16)
	c := raft.DefaultConfig()
	c.LocalID, c.Logger, c.NotifyCh, c.NoLegacyTelemetry = raft.ServerID(o.ID), logger, notify, true
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = o.ElectionTimeout, o.ElectionTimeout, o.ElectionTimeout
	c.SnapshotThreshold, c.SnapshotInterval, c.TrailingLogs = snapshotEvery, 30*time.Second, trailingLogs
	known, err := raft.HasExistingState(n.store, n.store, snapshots)
	if err != nil {
		return err
	}
	if !known && o.Bootstrap {
		only := raft.Configuration{Servers: []raft.Server{{ID: c.LocalID, Address: address}}}
		if err := raft.BootstrapCluster(c, n.store, n.store, snapshots, transport, only); err != nil {
			return err
		}
	}
	if n.raft, err = raft.NewRaft(c, n.machine, n.store, n.store, snapshots, transport); err != nil {
		if broken := n.machine.refused(); broken != nil {
			err = broken // raft says only that no snapshot could be restored
		}
		return err
	}
	n.pending.Go(func() { n.watch(notify) })
	return nil
}

// watch follows raft's notifications, which must always be taken.
func (n *Node) watch(notify <-chan bool) {
	for {
		select {
		case leads := <-notify:
			term := uint64(0)
			if leads {
				term = n.raft.CurrentTerm()
			}
			n.office.take(term)
		case <-n.closing:
			return
		}
	}
}

// Leadership returns the term that this node leads, 0 for none, and a channel that closes when that changes.
func (n *Node) Leadership() (term uint64, changed <-chan struct{}) {
	n.office.mu.Lock()
	defer n.office.mu.Unlock()
	return n.office.term, n.office.changed
}

// Barrier returns when all entries of earlier terms are applied. Only a leader can ask for it.
func (n *Node) Barrier() error {
	if err := n.raft.Barrier(enqueueTimeout).Error(); err != nil {
		return fmt.Errorf("apply the log: %w", err)
	}
	_, _, err := n.machine.view()
	return err
}

// Propose returns after the majority applied c, with the State's error.
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

// View returns the State and a channel that closes when there is a newer one.
func (n *Node) View() (run.State, <-chan struct{}) {
	s, changed, _ := n.machine.view()
	return s, changed
}

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
