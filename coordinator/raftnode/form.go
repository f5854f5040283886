package raftnode

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/raft"
	"go.uber.org/zap"

	"byol/internal/pause"
)

// askPause is how often those that a cluster begins with are asked whether they are there.
const askPause = 500 * time.Millisecond

// founders is whom a node begins with, as all of them must have it.
func (o *Options) founders() string {
	var list []string
	for _, id := range slices.Sorted(maps.Keys(o.Peers)) {
		list = append(list, id+"="+o.Peers[id])
	}
	return strings.Join(list, ",")
}

// alone says that the node begins by itself.
func (o *Options) alone() bool {
	_, listed := o.Peers[o.ID]
	return len(o.Peers) == 0 || listed && len(o.Peers) == 1
}

// form begins a cluster, if this node is to: when it is alone, or when all that are to begin have answered that they
// have no log either, and it has the first name of them. One node is enough, the others take the log from it. It ends
// when there is a configuration, or with the node.
func (n *Node) form() {
	id := raft.ServerID(n.o.ID)
	if n.o.alone() {
		n.bootstrap(raft.Configuration{Servers: []raft.Server{{ID: id, Address: n.transport.LocalAddr()}}})
		return
	}
	for n.life.Err() == nil && len(n.configuration().Servers) == 0 {
		all, why := n.askAll(n.life)
		if why == "" && n.o.ID == slices.Min(slices.Collect(maps.Keys(n.o.Peers))) {
			n.bootstrap(all)
			return
		}
		if why == "" {
			why = "all coordinators are there; the first of them begins"
		}
		n.wait(why)
		pause.For(n.life, askPause)
	}
	n.wait("")
}

func (n *Node) bootstrap(c raft.Configuration) {
	n.wait("")
	err := n.raft.BootstrapCluster(c).Error()
	if err != nil && !errors.Is(err, raft.ErrCantBootstrap) && !errors.Is(err, raft.ErrRaftShutdown) {
		n.o.Log.Error("the raft log cannot be begun", zap.Error(err))
	}
}

// askAll asks all that are to begin. why says why they cannot yet, or not with this node.
func (n *Node) askAll(ctx context.Context) (all raft.Configuration, why string) {
	var missing []string
	for _, id := range slices.Sorted(maps.Keys(n.o.Peers)) {
		at, a := n.o.Peers[id], n.about()
		if id != n.o.ID {
			var err error
			a, err = n.layer.ask(ctx, id, at)
			var refused *RefusedError
			if errors.As(err, &refused) {
				return all, refused.Error()
			}
			if err != nil {
				missing = append(missing, fmt.Sprintf("%s (%s)", id, at))
				continue
			}
		}
		switch {
		case a.Begun:
			return all, fmt.Sprintf("coordinator %s has a log and does not know this one: coordinator member add %s %s",
				id, n.o.ID, n.at())
		case a.Founders != n.o.founders():
			return all, fmt.Sprintf("coordinator %s begins with %s, this one with %s", id, a.Founders, n.o.founders())
		}
		all.Servers = append(all.Servers, raft.Server{ID: raft.ServerID(id), Address: address(at, a.Key)})
	}
	if _, listed := n.o.Peers[n.o.ID]; !listed {
		return all, fmt.Sprintf("waiting to be let in: coordinator member add %s %s", n.o.ID, n.at())
	}
	if len(missing) > 0 {
		return all, "waiting for coordinators " + strings.Join(missing, ", ")
	}
	return all, ""
}

// at is where others dial this node.
func (n *Node) at() string {
	at, _ := parts(n.transport.LocalAddr())
	return at
}

// about is what this node says of itself to others.
func (n *Node) about() answer {
	a := answer{ID: n.o.ID, Key: n.who.Key, Address: n.o.Address, Founders: n.o.founders(), Begun: true}
	if r := n.running.Load(); r != nil {
		a.Begun, a.Applied = len(r.GetConfiguration().Configuration().Servers) > 0 || r.LastIndex() > 0, r.AppliedIndex()
	}
	return a
}

// wait takes note of what this node waits for, "" for nothing.
func (n *Node) wait(why string) {
	n.office.mu.Lock()
	defer n.office.mu.Unlock()
	if n.office.waits != why && why != "" {
		n.o.Log.Info(why)
	}
	n.office.waits = why
}
