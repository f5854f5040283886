package coordinator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"syscall"

	"byol/coordinator/raftnode"
	"byol/internal/failure"
	"byol/internal/network"
)

// several says that there are other coordinators, or may be.
func (o *Options) several() bool { return o.RaftListen != "" }

// raftDir is where the log is.
func (c *Coordinator) raftDir() string { return filepath.Join(c.runDir, RaftDir) }

// reach is where others reach this coordinator's server.
func (c *Coordinator) reach() string {
	at := network.Dialable(c.Addr())
	if _, port, err := net.SplitHostPort(at); err == nil && c.opts.Advertise != "" {
		at = net.JoinHostPort(c.opts.Advertise, port)
	}
	return at
}

// openLog opens the log. One that is damaged, and that nobody else has, is moved aside when there is a checkpoint to go
// on from.
func (c *Coordinator) openLog(ctx context.Context) (*raftnode.Node, error) {
	o := raftnode.Options{Dir: c.raftDir(), Run: runName(&c.opts), ID: c.opts.NodeID, ElectionTimeout: electionTimeout,
		Network: c.opts.RaftNetwork, Listen: c.opts.RaftListen, Advertise: c.opts.Advertise, Address: c.reach(),
		Peers: c.opts.Peers, Log: c.opts.Log, Points: c.opts.Points}
	if at, listed := o.Peers[o.ID]; listed {
		o.Advertise = at
	}
	if !c.opts.several() {
		o.ElectionTimeout = electionTimeoutAlone
	}
	node, err := raftnode.Open(ctx, o)
	var damaged *raftnode.DamagedError
	if !errors.As(err, &damaged) || !damaged.Alone {
		return node, err
	}
	from, _, err := choose(&c.opts)
	if err != nil {
		return nil, err
	}
	if from == nil && !c.opts.FromScratch {
		return nil, damaged
	}
	to, err := raftnode.MoveAside(c.raftDir())
	if err != nil {
		return nil, err
	}
	c.moved = fmt.Sprintf("%v; it was moved to %s", damaged, to)
	return raftnode.Open(ctx, o)
}

// openFailure says in words why the log cannot be opened.
func (c *Coordinator) openFailure(err error) error {
	var known *failure.Failure
	if errors.As(err, &known) {
		return known
	}
	if f := c.diskFailure(err); f != nil {
		return f
	}
	f := &failure.Failure{What: "the run's log cannot be opened", Why: err.Error(), Try: "another --run-dir",
		Code: failure.Usage, Err: err}
	var version *raftnode.VersionError
	var damaged *raftnode.DamagedError
	var who *raftnode.IdentityError
	var listen *raftnode.ListenError
	dir := filepath.Join(c.opts.RunDir, RaftDir)
	switch {
	case errors.As(err, &version):
		f.What = fmt.Sprintf("the log of %s was written by another version", c.opts.RunDir)
		f.Why = version.Error()
		f.Try = fmt.Sprintf("the binary that wrote it, or move %s away: the run goes on from its newest checkpoint", dir)
	case errors.Is(err, raftnode.ErrLocked):
		f.What = fmt.Sprintf("another coordinator uses %s", c.opts.RunDir)
		f.Try = "coordinator stop --run-dir " + c.opts.RunDir + ", or another --run-dir"
		if card, err := ReadCard(c.runDir); err == nil {
			f.Why = fmt.Sprintf("process %d serves it at %s", card.PID, card.Address)
		}
	case errors.As(err, &damaged) && damaged.Alone:
		f.What, f.Why, f.Code = fmt.Sprintf("the raft log in %s is damaged", dir), damaged.Err.Error(), failure.Checkpoint
		f.Try = "there is no checkpoint to go on from: bring one back, --resume PATH, or --restart-from-scratch"
	case errors.As(err, &damaged):
		f.What, f.Why, f.Code = fmt.Sprintf("the raft log in %s is damaged", dir), damaged.Err.Error(), failure.Checkpoint
		f.Try = fmt.Sprintf("the other coordinators have it: coordinator member remove %[1]s, move %[2]s away, start this "+
			"one again, then coordinator member add %[1]s HOST:PORT", c.opts.NodeID, dir)
	case errors.As(err, &who):
		f.What = fmt.Sprintf("%s belongs to coordinator %s, not to %s", c.opts.RunDir, who.Have, who.Want)
		f.Why, f.Try = "each coordinator has a run directory of its own", "--node-id "+who.Have+", or another --run-dir"
	case errors.As(err, &listen):
		f.What, f.Why = "cannot listen on "+listen.Address+" for other coordinators", listen.Err.Error()
		f.Try = "--raft-listen with another port"
	case errors.Is(err, raftnode.ErrMember):
		f.What, f.Try = "this coordinator is one of several", "--raft-listen HOST:PORT, as before"
	}
	return f
}

// diskFailure says what is wrong with the disk, nil when nothing is.
func (c *Coordinator) diskFailure(err error) *failure.Failure {
	f := &failure.Failure{Why: err.Error(), Code: failure.Checkpoint, Err: err}
	var disk *raftnode.DiskError
	switch {
	case errors.Is(err, raftnode.ErrFull) || errors.Is(err, syscall.ENOSPC):
		f.What = fmt.Sprintf("the disk of %s is full", c.opts.RunDir)
		f.Try = "make room, then the same command again: the run goes on"
	case errors.Is(err, raftnode.ErrStalled):
		f.What = fmt.Sprintf("the disk of %s is stalled", c.opts.RunDir)
		f.Try = "look after the disk, then the same command again: the run goes on"
	case errors.As(err, &disk):
		f.What = fmt.Sprintf("the disk of %s cannot be written", c.opts.RunDir)
		f.Try = "look after the disk, then the same command again: the run goes on"
	default:
		return nil
	}
	return f
}
