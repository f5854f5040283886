package raftnode

import (
	"sync"

	"github.com/hashicorp/raft"
)

// witness is raft's transport, and notes what others have of the log. Raft itself does not tell, and asks a member that
// was away again after up to ten seconds only: until then it may know who leads, by heartbeats, and not the newest
// entries.
type witness struct {
	*raft.NetworkTransport

	mu    sync.Mutex // guards known
	known map[raft.ServerID]uint64
}

// AppendEntries implements raft.Transport.
func (w *witness) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest,
	resp *raft.AppendEntriesResponse) error {
	err := w.NetworkTransport.AppendEntries(id, target, args, resp)
	if err == nil && resp.Success { // a heartbeat is of entry 0
		has := args.PrevLogEntry + uint64(len(args.Entries))
		w.mu.Lock()
		w.known[id] = max(w.known[id], min(has, args.LeaderCommitIndex))
		w.mu.Unlock()
	}
	return err
}

// has reports whether a member has an entry, and knows that it is committed.
func (w *witness) has(id raft.ServerID, entry uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.known[id] >= entry
}

// Told reports whether all members that can be reached know what is committed up to now. It is for whoever leads.
func (n *Node) Told() bool {
	if n.witness == nil {
		return true
	}
	entry := n.raft.CommitIndex()
	for _, s := range n.configuration().Servers {
		if at, _ := parts(s.Address); s.ID != raft.ServerID(n.o.ID) && !n.layer.isAbsent(at) && !n.witness.has(s.ID, entry) {
			return false
		}
	}
	return true
}
