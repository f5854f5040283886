// Package raftnode makes one run.State identical on all coordinators, by a raft log on disk. It is the only importer of
// hashicorp/raft. One voter alone needs no network: its log makes a committed step durable. Several are reached over an
// internal/network, and go on while most of them are there.
//
// Open returns at once; who leads is found out afterwards, and may change. Leadership tells, and a leader that has
// passed a Barrier has applied everything that was ever committed.
//
// A Node owns raft's goroutines and its own; Close ends them and returns when they have ended. States that View hands
// out are shared and must not be written.
//
// The transport has MaxRPCsInFlight 1: raft's pipelining can leave a replication goroutine stuck for ever.
//
// # When it fails
//
// Propose answers with the refusal of the state itself, with ErrNotDone when the command surely has no effect, or with
// ErrUnknown when it may have: commands are conditional and idempotent, so that proposing it again is right. An entry
// or snapshot that can't be understood stops everything loudly instead of being skipped: a VersionError says that
// another version wrote it. Open looks through what is on the disk, and refuses with a DamagedError what is not what
// was written. A disk that is full, broken or stalled makes a node useless: Failed tells, with a DiskError.
package raftnode

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"go.uber.org/zap"

	"byol/coordinator/run"
	"byol/internal/fault"
	"byol/internal/network"
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
	closeLimit     = 10 * time.Second
	trailingLogs   = 8192 // more than snapshotsKept·snapshotEvery, so that one bad snapshot can be stepped over
)

// Options say which node this is.
type Options struct {
	// Dir holds the log and its snapshots; it is made when missing.
	Dir string
	// Run names the run. Coordinators of another are refused.
	Run string
	// ID names this node among the voters, for good.
	ID string
	// ElectionTimeout is how long nothing is heard of a leader before there is an election. A single voter has nobody
	// to be patient with: 50 ms.
	ElectionTimeout time.Duration
	// Network is how other coordinators are reached, and Listen where they reach this one: host:port. Without Listen
	// there are no others.
	Network network.Network
	Listen  string
	// Advertise is the name by which others dial this node, host or host:port; default: what it listens on.
	Advertise string
	// Address is where this coordinator answers workers and operators: the others are told.
	Address string
	// Peers are the coordinators that begin a log together, by ID where they listen; all of them must have the same.
	// Without any, a node begins alone. One that is not among them waits until it is let in.
	Peers map[string]string
	// Log receives what raft has to say.
	Log *zap.Logger
	// Points are told what this node comes by, for tests.
	Points fault.Points

	inFlight int // for a test that shows why it is 1 (the default)
}

// Node is a member of the raft cluster.
type Node struct {
	o         Options
	who       identity
	raft      *raft.Raft
	running   atomic.Pointer[raft.Raft] // raft, for those that come before it has begun
	files     *files
	transport raft.Transport
	witness   *witness // the transport, nil where there are no others
	layer     *layer   // nil without others
	machine   *machine
	opened    uint64          // the last entry that was there before
	life      context.Context // ends with closing
	end       context.CancelFunc
	closing   chan struct{}
	pending   sync.WaitGroup // proposals, the watcher of leadership, who begins the log
	changing  sync.Mutex     // held while members are changed
	office    office
}

// office says which term this node leads, 0 for none.
type office struct {
	mu      sync.Mutex // guards what follows
	term    uint64
	changed chan struct{}
	waits   string // what the node waits for before there is a log
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
	Applied     uint64 // the newest entry that this node has applied
	// Waits says why there is no log yet, "" when there is.
	Waits string
	// Absent are members, by ID and address, that could not be reached when they were dialled last.
	Absent []string
	// Heard is when this node heard of the leader last; zero for never.
	Heard time.Time
}

// Open opens or creates the log. What it holds is applied as soon as there is a leader.
func Open(ctx context.Context, o Options) (*Node, error) {
	if o.Listen == "" && !o.alone() {
		return nil, fmt.Errorf("open raft log: %w: there are others, and nowhere to listen for them", ErrMember)
	}
	n := &Node{o: o, machine: newMachine(o.Log, o.Points), closing: make(chan struct{})}
	n.life, n.end = context.WithCancel(context.WithoutCancel(ctx))
	n.office.changed = make(chan struct{})
	logger := newLogger(o.Log)
	var err error
	if n.files, err = openFiles(&n.o, n.closing, logger); err != nil {
		n.end()
		return nil, fmt.Errorf("open raft log: %w", err)
	}
	n.who = n.files.who
	if err := n.start(ctx, logger); err != nil {
		return nil, errors.Join(fmt.Errorf("start raft: %w", err), n.Close())
	}
	return n, nil
}

func (n *Node) start(ctx context.Context, logger hclog.Logger) error {
	if err := n.connect(ctx, logger); err != nil {
		return err
	}
	notify := make(chan bool, 16)
	c := n.settings(logger)
	c.NotifyCh = notify
	f := n.files
	err := guard(func() (err error) {
		n.raft, err = raft.NewRaft(c, n.machine, f.store, f.store, f.snapshots, n.transport)
		return err
	})
	if err != nil {
		if broken := n.machine.refused(); broken != nil {
			err = broken // raft says only that no snapshot could be restored
		}
		return err
	}
	n.opened = n.raft.LastIndex()
	n.running.Store(n.raft)
	n.pending.Go(func() { n.watch(notify) })
	if servers := n.configuration().Servers; n.layer == nil && len(servers) > 1 {
		return fmt.Errorf("%w: the log has %d members, and this one listens for no others", ErrMember, len(servers))
	}
	if !f.begun {
		n.pending.Go(n.form)
	}
	return nil
}

// connect makes the transport.
func (n *Node) connect(ctx context.Context, logger hclog.Logger) error {
	if n.o.Listen == "" {
		_, n.transport = raft.NewInmemTransport(address(n.o.ID, n.who.Key))
		return nil
	}
	var err error
	if n.layer, err = listen(ctx, n.life, &n.o, n.who, n.about); err != nil {
		return err
	}
	n.witness = &witness{known: map[raft.ServerID]uint64{},
		NetworkTransport: raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{Stream: n.layer, MaxPool: 3,
			MaxRPCsInFlight: max(1, n.o.inFlight), Timeout: rpcTimeout, Logger: logger})}
	n.transport = n.witness
	return nil
}

// settings are raft's.
func (n *Node) settings(logger hclog.Logger) *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID, c.Logger, c.NoLegacyTelemetry = raft.ServerID(n.o.ID), logger, true
	c.HeartbeatTimeout, c.ElectionTimeout = n.o.ElectionTimeout, n.o.ElectionTimeout
	c.LeaderLeaseTimeout = n.o.ElectionTimeout
	if n.layer != nil {
		c.LeaderLeaseTimeout = n.o.ElectionTimeout / 2
	}
	c.CommitTimeout = 50 * time.Millisecond
	c.SnapshotThreshold, c.SnapshotInterval, c.TrailingLogs = snapshotEvery, 30*time.Second, trailingLogs
	return c
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
			n.files.store.leads.Store(leads)
			n.office.take(term)
			if leads && n.layer != nil {
				n.pending.Go(n.announce)
			}
		case <-n.files.store.failed:
			n.fail()
			return
		case <-n.closing:
			return
		}
	}
}

// fail has the others elect another leader at once.
func (n *Node) fail() {
	n.o.Log.Error("the raft log cannot be written", zap.Error(n.files.store.broken()))
	n.office.take(0)
	n.disconnect()
}

// disconnect ends all exchange with other nodes.
func (n *Node) disconnect() {
	if c, ok := n.transport.(raft.WithClose); ok {
		_ = c.Close() // it never fails
	}
}

// Failed returns a channel that closes when the log cannot be written any more, and then why.
func (n *Node) Failed() (<-chan struct{}, error) { return n.files.store.failed, n.files.store.broken() }

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
	done := make(chan error, 1)
	n.pending.Go(func() { done <- n.agree(entry) })
	select {
	case err := <-done:
		return err
	case <-n.files.store.failed:
		return fmt.Errorf("%w: %w", ErrUnknown, n.files.store.broken())
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnknown, context.Cause(ctx))
	}
}

// agree has the log take an entry. While this node hands over, raft takes none: it is offered again until another
// leads, or nobody took over in time. Raft answers that this node leads no more before it notifies of that: whoever
// hears the answer finds Leadership changed.
func (n *Node) agree(entry []byte) error {
	term, changed := n.Leadership()
	again := time.NewTicker(handingOver)
	defer again.Stop()
	for {
		err := outcome(n.raft.Apply(entry, enqueueTimeout))
		switch {
		case errors.Is(err, raft.ErrLeadershipTransferInProgress):
			select {
			case <-again.C:
			case <-n.closing:
				return err
			}
		case term > 0 && (errors.Is(err, raft.ErrNotLeader) || errors.Is(err, raft.ErrLeadershipLost)):
			select {
			case <-changed:
			case <-n.closing:
			}
			return err
		default:
			return err
		}
	}
}

// handingOver is how long a proposal waits while leadership is transferred before it is offered again.
const handingOver = 5 * time.Millisecond

func outcome(future raft.ApplyFuture) error {
	switch err := future.Error(); {
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrEnqueueTimeout),
		errors.Is(err, raft.ErrLeadershipTransferInProgress):
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

// Ended reports whether the run has come to its end since this node was opened. A run that had ended before may go on.
func (n *Node) Ended() bool {
	n.machine.mu.Lock()
	defer n.machine.mu.Unlock()
	return n.machine.state.Phase.Final() && n.machine.since > n.opened
}

// Info returns raft's own figures.
func (n *Node) Info() Info {
	_, leader := n.raft.LeaderWithID()
	n.office.mu.Lock()
	waits := n.office.waits
	n.office.mu.Unlock()
	return Info{LeaderID: string(leader), Term: n.raft.CurrentTerm(), CommitIndex: n.raft.CommitIndex(),
		Applied: n.raft.AppliedIndex(), Waits: waits,
		Absent: n.absent(), Heard: n.raft.LastContact()}
}

// Close ends raft and closes its files. Proposals under way answer with ErrUnknown. A leader hands over to another.
// Where a write never ends it returns without waiting for it any longer, and leaves the files open.
func (n *Node) Close() error {
	var errs []error
	ended := true
	defer n.end()
	if n.raft != nil {
		if term, _ := n.Leadership(); term > 0 && n.layer != nil && len(n.configuration().Servers) > 1 {
			_ = n.raft.LeadershipTransfer().Error() // the others elect one without
		}
		shutdown := n.raft.Shutdown()
		n.disconnect()
		n.end()
		close(n.closing)
		ended = within(closeLimit, func() {
			errs = append(errs, shutdown.Error())
			n.pending.Wait()
		})
	} else {
		if n.transport != nil {
			n.disconnect()
		}
		close(n.closing)
		n.pending.Wait()
	}
	if !ended {
		return fmt.Errorf("end raft: a write has not ended in %v", closeLimit)
	}
	return errors.Join(append(errs, n.files.close())...)
}

// within reports whether f ended in time.
func within(limit time.Duration, f func()) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}
