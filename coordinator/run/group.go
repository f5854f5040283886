package run

import (
	"fmt"
	"math"
	"slices"
)

// regroup begins a new generation. What was in flight is dropped, what was asked for stays asked for, members that
// leave are gone, and the others make the next group, if they are enough.
func (s *State) regroup(reason string) {
	if s.Started && reason != "" {
		s.Restarts++
	}
	if s.InFlight {
		s.Rerun++
	}
	s.Generation++
	if len(s.Saving) > 0 {
		s.SaveWanted = true
	}
	s.Started, s.InFlight, s.GrowWanted, s.DealWanted = false, false, false, false
	s.Saving, s.SaveAt = nil, -1
	s.reopenSaves()
	s.Members = slices.DeleteFunc(s.Members, func(m Member) bool { return m.Leaving })
	s.disband()
	if lack := s.lack(); lack != "" {
		s.Phase, s.Reason = Waiting, lack
		if reason != "" {
			s.Reason = reason + "; " + lack
		}
		return
	}
	s.assignRanks()
	s.Formed, s.Phase, s.Reason = true, Running, reason
}

// reopenSaves has requests whose checkpoint was dropped wait for the next one.
func (s *State) reopenSaves() {
	for i, r := range s.Requests {
		if r.Kind == kindSave && !r.Done {
			s.Requests[i].Step = -1
			s.SaveWanted = true
		}
	}
}

// disband takes the ranks of all members.
func (s *State) disband() {
	for i := range s.Members {
		m := &s.Members[i]
		m.Rank, m.ShardBegin, m.ShardEnd = -1, 0, 0
	}
}

// lack says why the members cannot make a group, "" if they can. A run that is to stop needs only somebody who holds
// its state.
func (s *State) lack() string {
	ready := s.prepared()
	n, least := Together(ready), s.Settings.MinWorkers
	switch {
	case s.StopWanted:
		least = 1
	case !s.Formed:
		least = s.Settings.Workers
	}
	if n < least {
		return fmt.Sprintf("waiting for %s (%d of %s%d)", workers(least-n, " more"), n,
			map[bool]string{true: "at least "}[least < s.Settings.Workers], least)
	}
	if _, room := deal(s.Settings.Shards, ready); room < s.Settings.Shards {
		return fmt.Sprintf("the workers have memory for %d of %d shards; waiting for more workers", room, s.Settings.Shards)
	}
	return ""
}

func workers(n int, more string) string {
	if n == 1 {
		return fmt.Sprintf("1%s worker", more)
	}
	return fmt.Sprintf("%d%s workers", n, more)
}

// prepared are the members that can work.
func (s *State) prepared() []Member {
	var ready []Member
	for _, m := range s.Members {
		if m.Prepared {
			ready = append(ready, m)
		}
	}
	return ready
}

// assignRanks makes the prepared members a group: it gives wished ranks first and the free ones in join order, turns
// them, and deals out the shards.
func (s *State) assignRanks() {
	n := len(s.prepared())
	taken := make([]bool, n)
	for i, m := range s.Members {
		if m.Prepared && m.Wished >= 0 && m.Wished < n {
			s.Members[i].Rank, taken[m.Wished] = m.Wished, true
		}
	}
	for i, m := range s.Members {
		if m.Prepared && m.Rank < 0 {
			r := slices.Index(taken, false)
			s.Members[i].Rank, taken[r] = r, true
		}
	}
	for i, m := range s.Members {
		if m.Rank >= 0 {
			s.Members[i].Rank = int((int64(m.Rank) + s.Turn) % int64(n))
		}
	}
	slices.SortStableFunc(s.Members, func(a, b Member) int { return place(a) - place(b) })
	counts, _ := deal(s.Settings.Shards, s.Members[:n])
	at := 0
	for i, count := range counts {
		s.Members[i].ShardBegin, s.Members[i].ShardEnd = at, at+count
		at += count
	}
}

// place is where a member is in the list: those that stand by are last.
func place(m Member) int {
	if m.Rank < 0 {
		return math.MaxInt
	}
	return m.Rank
}

// deal shares out so many shards, by speed where all members' is known and otherwise by the workers that they stand
// for, as far as members can hold them, and says for how many there is room. Everybody gets one at least.
func deal(shards int, members []Member) (counts []int, room int) {
	if len(members) == 0 {
		return nil, 0
	}
	left := 0
	for r, count := range portions(shards, members) {
		if m := members[r]; m.MaxShards > 0 && count > m.MaxShards {
			left += count - m.MaxShards
			count = m.MaxShards
		}
		counts = append(counts, count)
		room += count
	}
	for ; left > 0; left-- {
		best := -1
		for r, m := range members {
			free := m.MaxShards == 0 || counts[r] < m.MaxShards
			if free && (best < 0 || counts[r]*members[best].StandsFor() < counts[best]*m.StandsFor()) {
				best = r
			}
		}
		if best < 0 {
			break
		}
		counts[best]++
		room++
	}
	return counts, room
}

// portions are the shards of each member without regard to what it can hold.
func portions(shards int, members []Member) []int {
	n := len(members)
	counts := make([]int, n)
	if slices.ContainsFunc(members, func(m Member) bool { return m.Speed <= 0 }) {
		all, before := Together(members), 0
		for r, m := range members {
			after := before + m.StandsFor()
			counts[r] = shards*after/all - shards*before/all
			before = after
		}
		return counts
	}
	for r := range counts {
		counts[r] = 1
	}
	for range shards - n { // each shard to whom it takes least time with it
		best := 0
		for r, m := range members {
			if int64(counts[r]+1)*members[best].Speed < int64(counts[best]+1)*m.Speed {
				best = r
			}
		}
		counts[best]++
	}
	return counts
}

// Slowest is how long the slowest of the members would take for its shards, if they were dealt out now, in the unit of
// Speed: 0 while not all speeds are known.
func Slowest(shards int, members []Member) float64 {
	counts, _ := deal(shards, members)
	worst := 0.0
	for r, m := range members {
		if m.Speed <= 0 {
			return 0
		}
		worst = max(worst, float64(counts[r])/float64(m.Speed))
	}
	return worst
}

// departing reports whether a member wants to go.
func (s *State) departing() bool {
	return slices.ContainsFunc(s.Members, func(m Member) bool { return m.Leaving })
}

// letGo has members leave, at a boundary. Where those who stay are too few to go on, the state is stored first.
func (s *State) letGo() {
	staying := 0
	for _, m := range s.Members {
		if !m.Leaving {
			staying += m.StandsFor()
		}
	}
	if staying < s.Settings.MinWorkers && s.storing() {
		s.Phase, s.Reason = Draining, "waiting for a checkpoint, before workers leave that nobody replaces"
		return
	}
	s.regroup("")
}
