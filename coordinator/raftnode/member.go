package raftnode

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"byol/internal/pause"
)

// A new member gets a vote when it is this close behind, and has been for so long.
const (
	nearEntries = 100
	nearFor     = 10 * time.Second
	nearPause   = 500 * time.Millisecond
	// knock is how long a coordinator that is to be let in may take to answer at first, mute for how long it may say
	// nothing while it takes over the log.
	knock = 2 * time.Second
	mute  = 10 * time.Second
)

// ErrMember is wrapped by refusals to change who takes part.
var ErrMember = errors.New("the members stay as they are")

// ErrLeads is wrapped by refusals to have another coordinator lead.
var ErrLeads = errors.New("this coordinator goes on leading")

// Member is one coordinator.
type Member struct {
	ID string
	// RaftAddress is where the other coordinators dial it; "" when there is no other.
	RaftAddress string
	// Address is where it answers workers and operators; "" when this node has not heard of it.
	Address string
	Voter   bool
	Leader  bool
}

// configuration is the newest that this node knows.
func (n *Node) configuration() raft.Configuration { return n.raft.GetConfiguration().Configuration() }

// Members lists the coordinators of the run.
func (n *Node) Members() []Member {
	var all []Member
	_, leader := n.raft.LeaderWithID()
	for _, s := range n.configuration().Servers {
		at, _ := parts(s.Address)
		if n.layer == nil {
			at = ""
		}
		all = append(all, Member{ID: string(s.ID), RaftAddress: at, Address: n.reach(string(s.ID)),
			Voter: s.Suffrage == raft.Voter, Leader: s.ID == leader})
	}
	return all
}

// reach is where a coordinator answers, "" when that is not known.
func (n *Node) reach(id string) string {
	if id == n.o.ID || n.layer == nil {
		return n.o.Address
	}
	return n.layer.reach(id)
}

// absent lists members that did not answer when they were dialled last.
func (n *Node) absent() []string {
	if n.layer == nil {
		return nil
	}
	var all []string
	for _, s := range n.configuration().Servers {
		if at, _ := parts(s.Address); n.layer.isAbsent(at) {
			all = append(all, fmt.Sprintf("%s (%s)", s.ID, at))
		}
	}
	return all
}

// Leader is who leads, as far as this node knows, and where it answers workers and operators.
func (n *Node) Leader() (id, at string) {
	_, leader := n.raft.LeaderWithID()
	if leader == "" {
		return "", ""
	}
	return string(leader), n.reach(string(leader))
}

// AddMember lets a coordinator in: it gets the log, and a vote when it has kept up for a while. A member that has
// moved is known by its new address from then on. Only a leader can.
func (n *Node) AddMember(ctx context.Context, id, at string) error {
	n.changing.Lock()
	defer n.changing.Unlock()
	if n.layer == nil {
		return fmt.Errorf("%w: this coordinator listens for no others (--raft-listen)", ErrMember)
	}
	if id == n.o.ID {
		return fmt.Errorf("%w: %s is this coordinator", ErrMember, id)
	}
	limited, cancel := context.WithTimeout(ctx, knock)
	a, err := n.layer.ask(limited, id, at)
	cancel()
	if err != nil {
		return fmt.Errorf("%w: ask %s at %s: %w", ErrMember, id, at, err)
	}
	to, voter := address(at, a.Key), false
	for _, s := range n.configuration().Servers {
		other, key := parts(s.Address)
		switch {
		case s.ID != raft.ServerID(id) && other == at:
			return fmt.Errorf("%w: %s is the address of %s", ErrMember, at, s.ID)
		case s.ID == raft.ServerID(id) && key != a.Key:
			return fmt.Errorf("%w: %s has lost the log that it had: remove it first", ErrMember, id)
		case s.ID == raft.ServerID(id):
			voter = s.Suffrage == raft.Voter
		}
	}
	if err := n.setAlone(false); err != nil {
		return err
	}
	if voter {
		return n.changed(n.raft.AddVoter(raft.ServerID(id), to, 0, enqueueTimeout))
	}
	if err := n.changed(n.raft.AddNonvoter(raft.ServerID(id), to, 0, enqueueTimeout)); err != nil {
		return err
	}
	if err := n.catchUp(ctx, id, at, a.Key); err != nil {
		return fmt.Errorf("%s has no vote yet: %w", id, err)
	}
	return n.changed(n.raft.AddVoter(raft.ServerID(id), to, 0, enqueueTimeout))
}

// catchUp returns when the new member has been close behind for a while. One that is silent for longer stays without a
// vote.
func (n *Node) catchUp(ctx context.Context, id, at, key string) error {
	var since time.Time
	heard, waits := time.Now(), ""
	end, bounded := ctx.Deadline()
	for {
		a, err := n.layer.ask(ctx, id, at)
		if err == nil {
			heard = time.Now()
		}
		switch last := n.raft.LastIndex(); {
		case err == nil && a.Key != key:
			return fmt.Errorf("%s has lost its log again", id)
		case err == nil && a.Applied+nearEntries >= last:
			if since.IsZero() {
				since = time.Now()
			}
			if time.Since(since) >= nearFor {
				return nil
			}
			waits = fmt.Sprintf("it has not kept up for %v yet", nearFor)
		case err == nil:
			since, waits = time.Time{}, fmt.Sprintf("it has %d of %d entries of the log", a.Applied, last)
		case ctx.Err() != nil || bounded && !time.Now().Before(end): // it was not given the time to answer
		default:
			since, waits = time.Time{}, fmt.Sprintf("it does not answer at %s: %v", at, err)
			if time.Since(heard) >= mute {
				return fmt.Errorf("%w: %s; add it again when it does, or remove it", ErrMember, waits)
			}
		}
		if !pause.For(ctx, nearPause) {
			return fmt.Errorf("%w: %s", context.Cause(ctx), waits)
		}
		if term, _ := n.Leadership(); term == 0 || n.life.Err() != nil {
			return fmt.Errorf("%w: this node leads no more", ErrNotDone)
		}
	}
}

// RemoveMember takes a coordinator's part in the log away. Only a leader can; one that is to go hands over first.
func (n *Node) RemoveMember(id string) error {
	n.changing.Lock()
	defer n.changing.Unlock()
	voters, vote, found := 0, false, false
	for _, s := range n.configuration().Servers {
		if s.Suffrage == raft.Voter {
			voters++
		}
		if s.ID == raft.ServerID(id) {
			found, vote = true, s.Suffrage == raft.Voter
		}
	}
	switch {
	case !found:
		return fmt.Errorf("%w: %s is no member", ErrMember, id)
	case vote && voters == 1:
		return fmt.Errorf("%w: %s is the last that has a vote", ErrMember, id)
	case id == n.o.ID:
		if err := n.raft.LeadershipTransfer().Error(); err != nil {
			return fmt.Errorf("%w: %s leads and could not hand over: %w", ErrMember, id, err)
		}
		return fmt.Errorf("%w: %s led, and hands over to another: ask again", ErrNotDone, id)
	}
	if err := n.changed(n.raft.RemoveServer(raft.ServerID(id), 0, enqueueTimeout)); err != nil {
		return err
	}
	return n.setAlone(len(n.configuration().Servers) == 1)
}

// Transfer has another coordinator lead, the one that is named or whichever has most of the log. It returns when that
// one was told to ask for votes, which it gets where most are reached. Only a leader can.
func (n *Node) Transfer(id string) error {
	n.changing.Lock()
	defer n.changing.Unlock()
	var others int
	var to *raft.Server
	for _, s := range n.configuration().Servers {
		if s.Suffrage == raft.Voter && s.ID != raft.ServerID(n.o.ID) {
			others++
		}
		if s.ID == raft.ServerID(id) {
			to = &s
		}
	}
	var f raft.Future
	switch {
	case others == 0:
		return fmt.Errorf("%w: %s is the only one that has a vote", ErrLeads, n.o.ID)
	case id == n.o.ID:
		return fmt.Errorf("%w: %s leads already", ErrLeads, id)
	case id == "":
		f = n.raft.LeadershipTransfer()
	case to == nil:
		return fmt.Errorf("%w: %s is no member", ErrLeads, id)
	case to.Suffrage != raft.Voter:
		return fmt.Errorf("%w: %s has no vote yet", ErrLeads, id)
	default:
		f = n.raft.LeadershipTransferToServer(to.ID, to.Address)
	}
	switch err := f.Error(); {
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return fmt.Errorf("%w: %w", ErrNotDone, err)
	case err != nil:
		return fmt.Errorf("%w: %s could not hand over: %w", ErrLeads, n.o.ID, err)
	}
	return nil
}

// changed waits for a change of the configuration.
func (n *Node) changed(f raft.IndexFuture) error {
	switch err := f.Error(); {
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrEnqueueTimeout):
		return fmt.Errorf("%w: %w", ErrNotDone, err)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return nil
}

// setAlone writes down whether this node is the only one.
func (n *Node) setAlone(alone bool) error {
	if n.who.Alone == alone {
		return nil
	}
	n.who.Alone = alone
	return n.who.write(n.o.Dir)
}

// announce has a leader tell the others of its own address when that has changed.
func (n *Node) announce() {
	for _, s := range n.configuration().Servers {
		if own := n.transport.LocalAddr(); s.ID == raft.ServerID(n.o.ID) && s.Address != own {
			_ = n.changed(n.raft.AddVoter(s.ID, own, 0, enqueueTimeout)) // the next term tries again
		}
	}
}
