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
// A worker of rank −1 is not of the group. For one generation a worker sees first a Running plan, which asks it to form
// the group and restore, and no other plan until all members are ready. The next one, with the same Step, has Started
// set. From then on it sees one plan at each boundary, and between boundaries none, unless the run ends.
type Plan struct {
	Version, Generation int64
	// Phase is what the worker is to do: Waiting, Running (run step Step, or evaluate it when Evaluate is set),
	// Paused (wait at the boundary), or leave in one of the final phases.
	Phase   Phase
	Rank    int
	Peers   []Peer
	Step    int64
	Restore Restore
	// Started says that the whole group holds the state of Step: the go signal.
	Started bool
	// Save asks this worker for a checkpoint of Step; SaveOrder tells a repeated wish from another one.
	Save      bool
	SaveOrder int64
	Evaluate  bool
	// Verify asks for digests of the shards' gradients in the result of step Step.
	Verify bool
	Reason string
	// FailCode is the exit code of a failed run.
	FailCode int
	// Committed is what is known of the state of Step: digests of all its parts where Parts is set, of ξ at least where
	// Target is.
	Committed Committed
}

// Committed are digests of a committed state; 0 and false for what is not known.
type Committed struct {
	Parts                                bool
	Online, Momentum, Statistics, Target uint64
}

// Same reports whether two plans say the same, whatever their versions.
func (p Plan) Same(o Plan) bool {
	return p.Generation == o.Generation && p.Phase == o.Phase && p.Rank == o.Rank && p.Step == o.Step &&
		p.Restore == o.Restore && p.Started == o.Started && p.Save == o.Save && p.SaveOrder == o.SaveOrder &&
		p.Evaluate == o.Evaluate && p.Verify == o.Verify && p.Reason == o.Reason &&
		p.FailCode == o.FailCode && p.Committed == o.Committed && slices.Equal(p.Peers, o.Peers)
}

// Plan returns the plan of worker id; false if it is not a member.
func (s *State) Plan(id WorkerID) (Plan, bool) {
	i := slices.IndexFunc(s.Members, func(m Member) bool { return m.ID == id })
	if i < 0 {
		return Plan{}, false
	}
	p := Plan{Version: s.Version, Generation: s.Generation, Rank: s.Members[i].Rank, Step: s.Step,
		Restore: s.Restore, Phase: s.workerPhase(), Committed: s.committed()}
	if k, ok := s.Stored(s.Step); ok {
		p.Restore = Restore{Path: k.Path, Step: k.Step, SHA256: k.SHA256}
	}
	if p.Phase != Waiting {
		p.Peers = s.Peers()
	}
	if p.Phase.Final() {
		p.Reason, p.FailCode = s.Reason, s.FailCode
	}
	if s.Started && p.Rank >= 0 {
		p.Started = true
		if s.SaveAt == s.Step && p.Rank == s.saver() {
			p.Save, p.SaveOrder = true, s.SaveOrder
		}
		p.Evaluate = s.Phase == Evaluating
		p.Verify = s.Verifies()
	}
	return p, true
}

// Verifies reports whether the step with index Step is verified: the last of each VerifyEvery.
func (s *State) Verifies() bool {
	every := s.Settings.VerifyEvery
	return every > 0 && (s.Step+1)%every == 0
}

// committed is what is known of the state of Step.
func (s *State) committed() Committed {
	c := Committed{}
	if r, ok := s.Record(s.Step - 1); ok {
		c = Committed{Parts: true, Online: r.Online, Momentum: r.Momentum, Statistics: r.Statistics}
	}
	if s.TargetKnown {
		c.Target = s.Target
	}
	return c
}

// saver is the rank that is asked for checkpoints: the next one after each that failed.
func (s *State) saver() int { return s.SaveTries % max(1, len(s.Group())) }

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

// Group returns the members of the present group in rank order, none while there is no group.
func (s *State) Group() []Member { return s.Members[:len(s.Members)-s.standby()] }

// standby counts the members that are not of the group.
func (s *State) standby() int {
	n := 0
	for _, m := range s.Members {
		if m.Rank < 0 {
			n++
		}
	}
	return n
}

// Peers returns the group in rank order with its shards.
func (s *State) Peers() []Peer {
	var peers []Peer
	for _, m := range s.Group() {
		peers = append(peers, Peer{ID: m.ID, Address: m.Address, Host: m.Host, ShardBegin: m.ShardBegin,
			ShardEnd: m.ShardEnd})
	}
	return peers
}
