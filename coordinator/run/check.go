package run

import (
	"fmt"
	"slices"
)

// Check returns the first invariant that does not hold, and nil when all do.
func (s *State) Check() error {
	if s.Phase == "" {
		if s.Generation != 0 || s.Step != 0 || len(s.Members) != 0 {
			return fmt.Errorf("no run, but generation %d, step %d, %d members", s.Generation, s.Step, len(s.Members))
		}
		return nil
	}
	checks := []func() error{s.Settings.Check, s.checkMembers, s.checkPhase, s.checkRecords, s.checkSaves, s.checkMemory}
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (s *State) checkMembers() error {
	n, group := s.Settings.Workers, s.Group()
	if have := Together(s.Members); have > n {
		return fmt.Errorf("%d members stand for %d workers of %d", len(s.Members), have, n)
	}
	ids := map[WorkerID]bool{}
	next := 0
	for i, m := range s.Members {
		want := -1
		if i < len(group) {
			want = i
			if m.ShardBegin != next || m.ShardEnd <= m.ShardBegin || m.MaxShards > 0 && m.ShardEnd-m.ShardBegin > m.MaxShards {
				return fmt.Errorf("shards of %s are [%d,%d), want from %d", m.ID, m.ShardBegin, m.ShardEnd, next)
			}
			next = m.ShardEnd
		}
		if m.Rank != want || len(group) == n && m.Wished >= 0 && s.Turn == 0 && m.Wished != m.Rank {
			return fmt.Errorf("member %s at %d has rank %d, wished %d", m.ID, i, m.Rank, m.Wished)
		}
		if want >= 0 && !m.Prepared {
			return fmt.Errorf("member %s of rank %d is not prepared", m.ID, m.Rank)
		}
		if ids[m.ID] {
			return fmt.Errorf("member %s twice", m.ID)
		}
		ids[m.ID] = true
	}
	if !s.Phase.Final() && (len(group) > 0) == (s.Phase == Waiting) {
		return fmt.Errorf("%s with a group of %d", s.Phase, len(group))
	}
	if len(group) > 0 && next != s.Settings.Shards {
		return fmt.Errorf("shards end at %d of %d", next, s.Settings.Shards)
	}
	return nil
}

func (s *State) checkPhase() error {
	known := []Phase{Waiting, Running, Evaluating, Paused, Stopping, Draining, Completed, Stopped, Failed}
	switch {
	case !slices.Contains(known, s.Phase):
		return fmt.Errorf("unknown phase %q", s.Phase)
	case s.Phase == Waiting && (s.Started || s.InFlight):
		return fmt.Errorf("waiting, but started %v, in flight %v", s.Started, s.InFlight)
	case s.InFlight && (!s.Started || s.Phase != Running && s.Phase != Stopping):
		return fmt.Errorf("step in flight while %s, started %v", s.Phase, s.Started)
	case s.Started && s.Phase == Running && !s.InFlight:
		return fmt.Errorf("running without a step in flight")
	case s.Started && !s.TargetKnown:
		return fmt.Errorf("started without a known target")
	case slices.Contains([]Phase{Paused, Evaluating, Stopping, Draining}, s.Phase) && !s.Started:
		return fmt.Errorf("%s, but not started", s.Phase)
	case (s.Phase == Stopping || s.Phase == Draining) && !s.InFlight && len(s.Saving) == 0 && s.SaveTries == 0:
		return fmt.Errorf("%s, but nothing is waited for", s.Phase)
	case !s.Started && len(s.Group()) > 0 && s.Phase != Running && !s.Phase.Final():
		return fmt.Errorf("%s, but not started", s.Phase)
	case s.InFlight && s.Step >= s.Settings.EndStep:
		return fmt.Errorf("step %d in flight, the end is %d", s.Step, s.Settings.EndStep)
	case s.Phase == Completed && s.Step < s.Settings.EndStep:
		return fmt.Errorf("completed at step %d of %d", s.Step, s.Settings.EndStep)
	}
	return nil
}

func (s *State) checkRecords() error {
	if s.Step < 0 || s.Step > s.Settings.EndStep && !s.Phase.Final() {
		return fmt.Errorf("step %d of %d", s.Step, s.Settings.EndStep)
	}
	if int64(len(s.Records)) > s.Step || len(s.Records) > MaxRecords {
		return fmt.Errorf("%d records of %d steps", len(s.Records), s.Step)
	}
	generation := int64(0)
	for i, r := range s.Records {
		if want := s.Step - int64(len(s.Records)-i); r.Step != want || r.Generation < generation {
			return fmt.Errorf("record %d is of step %d generation %d, want step %d", i, r.Step, r.Generation, want)
		}
		generation = r.Generation
	}
	if n := len(s.Records); n > 0 && (!s.TargetKnown || s.Records[n-1].Target != s.Target) {
		return fmt.Errorf("target %016x, committed %016x", s.Target, s.Records[n-1].Target)
	}
	if generation > s.Generation {
		return fmt.Errorf("record of generation %d, now %d", generation, s.Generation)
	}
	return nil
}

func (s *State) checkSaves() error {
	last := int64(-1)
	for _, k := range s.Checkpoints {
		if k.Step <= last || k.Step > s.Step {
			return fmt.Errorf("checkpoint of step %d after %d, committed %d", k.Step, last, s.Step)
		}
		last = k.Step
	}
	last = -1
	for _, step := range s.Saving {
		if step <= last || step > s.Step || s.stored(step) {
			return fmt.Errorf("saving step %d after %d, committed %d", step, last, s.Step)
		}
		last = step
	}
	if len(s.Saving) > 0 && !s.Started {
		return fmt.Errorf("saving %d checkpoints, but not started", len(s.Saving))
	}
	if s.Phase.Final() && (len(s.Saving) > 0 || s.InFlight || s.StopWanted || s.SaveWanted) {
		return fmt.Errorf("%s, but work is left", s.Phase)
	}
	if s.Restore.Step > s.Step || s.Restore.Path == "" && s.Restore.Step != 0 {
		return fmt.Errorf("restore %q of step %d at step %d", s.Restore.Path, s.Restore.Step, s.Step)
	}
	return nil
}

func (s *State) checkMemory() error {
	last := int64(-1)
	for _, e := range s.Evaluations {
		if e.Step <= last || e.Step > s.Step {
			return fmt.Errorf("evaluation of step %d after %d, committed %d", e.Step, last, s.Step)
		}
		last = e.Step
		if err := e.check(); err != nil {
			return err
		}
	}
	ids := map[string]bool{}
	for _, r := range s.Requests {
		if r.ID == "" || ids[r.ID] {
			return fmt.Errorf("request %q twice or empty", r.ID)
		}
		ids[r.ID] = true
		if s.Phase.Final() && r.Kind == kindSave && !r.Done {
			return fmt.Errorf("request %q was never answered", r.ID)
		}
	}
	if len(s.Quarantine) > MaxQuarantine {
		return fmt.Errorf("%d workers in quarantine", len(s.Quarantine))
	}
	if len(s.Requests) > MaxRequests || len(s.Checkpoints) > MaxCheckpoints || len(s.Evaluations) > MaxEvaluations {
		return fmt.Errorf("remembers %d requests, %d checkpoints, %d evaluations",
			len(s.Requests), len(s.Checkpoints), len(s.Evaluations))
	}
	return nil
}
