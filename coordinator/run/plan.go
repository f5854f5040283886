package run

import "slices"

// Peer is a member as the others see it: where it is, and which shards it owns.
type Peer struct {
	ID                   WorkerID
	Address, Host        string
	ShardBegin, ShardEnd int
}

// Plan is the whole truth for one worker, never a difference.
//
// For one generation a worker sees first a Running plan, which asks it to form the group and restore, and no other
// plan until all members are ready. The next one, with the same Step, is the go signal. From then on it sees one plan
// at each boundary, and between boundaries none, unless the run ends.
type Plan struct {
	Version, Generation int64
	// Phase is what the worker is to do: Waiting, Running (run step Step, or evaluate it when Evaluate is set),
	// Paused (wait at the boundary), or leave in one of the final phases.
	Phase   Phase
	Rank    int
	Peers   []Peer
	Step    int64
	Restore Restore
	// Save asks rank 0 for a checkpoint of Step. It may be repeated for the same step.
	Save     bool
	Evaluate bool
	Reason   string
	// Target is the digest of the target network at Step; 0 while none is known.
	Target uint64
}

// Same reports whether two plans say the same, whatever their versions.
func (p Plan) Same(o Plan) bool {
	return p.Generation == o.Generation && p.Phase == o.Phase && p.Rank == o.Rank && p.Step == o.Step &&
		p.Restore == o.Restore && p.Save == o.Save && p.Evaluate == o.Evaluate && p.Reason == o.Reason &&
		p.Target == o.Target && slices.Equal(p.Peers, o.Peers)
}

// Plan returns the plan of worker id; false if it is not a member.
func (s *State) Plan(id WorkerID) (Plan, bool) {
	i := slices.IndexFunc(s.Members, func(m Member) bool { return m.ID == id })
	if i < 0 {
		return Plan{}, false
	}
	p := Plan{Version: s.Version, Generation: s.Generation, Rank: s.Members[i].Rank, Step: s.Step,
		Restore: s.Restore, Phase: s.workerPhase()}
	if p.Phase != Waiting {
		p.Peers = s.Peers()
	}
	if p.Phase.Final() {
		p.Reason = s.Reason
	}
	if s.Started {
		p.Target = s.Target
		p.Save = s.SaveAt == s.Step
		p.Evaluate = s.Phase == Evaluating
	}
	return p, true
}

// workerPhase maps the run's phase to what workers distinguish.
func (s *State) workerPhase() Phase {
	switch {
	case s.Phase.Final() || s.Phase == Waiting:
		return s.Phase
	case !s.Started || s.Busy():
		return Running
	}
	return Paused
}

// Peers returns the members in rank order with their shards; nil while not all have joined.
func (s *State) Peers() []Peer {
	n := len(s.Members)
	if n != s.Settings.Workers || n > 0 && s.Members[0].Rank < 0 {
		return nil
	}
	peers := make([]Peer, n)
	for r, m := range s.Members {
		begin, end := share(int64(s.Settings.Shards), r, n)
		peers[r] = Peer{ID: m.ID, Address: m.Address, Host: m.Host, ShardBegin: int(begin), ShardEnd: int(end)}
	}
	return peers
}

// share returns the range [begin, end) of total things that rank of n owns.
func share(total int64, rank, n int) (begin, end int64) {
	return total * int64(rank) / int64(n), total * int64(rank+1) / int64(n)
}
