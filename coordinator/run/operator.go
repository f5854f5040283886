package run

import (
	"cmp"
	"fmt"
	"slices"
)

// What operators ask for, checkpoints and evaluations, how a run ends, and how it is taken up again. What concerns
// members and steps is in command.go, with all commands.

// remember notes an operator's request; false means that it was carried out before.
func (s *State) remember(id, kind string) (bool, error) {
	if id == "" {
		return true, nil
	}
	if err := bounded(MaxName, id); err != nil {
		return false, err
	}
	if r, ok := s.Request(id); ok {
		if r.Kind != kind {
			return false, fmt.Errorf("%w: request %s was a %s", ErrInvalid, id, r.Kind)
		}
		return false, nil
	}
	s.Requests = append(s.Requests, Request{ID: id, Kind: kind, Step: -1})
	if n := len(s.Requests); n > MaxRequests {
		s.Requests = slices.Delete(s.Requests, 0, n-MaxRequests)
	}
	return true, nil
}

// operator guards a command that an operator may repeat: repeats succeed even after the run has ended.
func (s *State) operator(id, kind string) (fresh bool, err error) {
	if err := s.live(); err != nil {
		if r, ok := s.Request(id); ok && r.Kind == kind {
			return false, nil
		}
		return false, err
	}
	return s.remember(id, kind)
}

func (c Pause) apply(s *State) error {
	fresh, err := s.operator(c.Request, kindPause)
	if err != nil || !fresh {
		return err
	}
	s.PauseWanted = true
	return nil
}

func (c Resume) apply(s *State) error {
	fresh, err := s.operator(c.Request, kindResume)
	if err != nil || !fresh {
		return err
	}
	s.PauseWanted = false
	if !s.StopWanted {
		s.StopReason = ""
	}
	if s.Phase == Paused {
		s.Reason = ""
	}
	s.boundary()
	return nil
}

func (c RequestSave) apply(s *State) error {
	fresh, err := s.operator(c.Request, kindSave)
	if err != nil || !fresh {
		return err
	}
	if s.Started && !s.Busy() {
		s.saveNow()
		return nil
	}
	s.SaveWanted = true
	return nil
}

func (c Stop) apply(s *State) error {
	if err := bounded(MaxText, c.Reason); err != nil {
		return err
	}
	fresh, err := s.operator(c.Request, kindStop)
	if err != nil || !fresh {
		return err
	}
	if s.FailCode == 0 {
		s.FailCode, s.StopReason = c.Code, c.Reason
	}
	kept := s.Step == 0 || s.stored(s.Step)
	if c.Now || len(s.Members) == 0 || !s.Started && kept {
		s.stop(c.Reason)
		return nil
	}
	s.StopWanted, s.SaveTries = true, 0
	switch {
	case s.Phase == Waiting:
		s.regroup("") // whoever is there may hold the state
	case s.InFlight:
		s.Phase = Stopping
	}
	s.boundary()
	return nil
}

func (c Saved) apply(s *State) error {
	if err := s.live(); err != nil {
		return err
	}
	k := c.Checkpoint
	if err := bounded(MaxText, k.Path, k.SHA256, c.Error); err != nil {
		return err
	}
	i := slices.Index(s.Saving, k.Step)
	if i < 0 && s.stored(k.Step) {
		return nil
	}
	// What was ordered before the group broke may come late.
	if i < 0 && (c.Error != "" || k.Step < 1 || k.Step > s.Step || k.Path == "") {
		return fmt.Errorf("%w: no checkpoint of step %d was ordered", ErrInvalid, k.Step)
	}
	// An order that came while its step was computed already was missed: the one after it answers for it.
	for len(s.Saving) > 0 && s.Saving[0] <= k.Step {
		s.answerSaves(s.Saving[0], c.Error)
		s.Saving = s.Saving[1:]
	}
	if c.Error == "" {
		s.LastSaveError, s.LastSaveStep, s.LastSaveNano, s.SaveTries = "", 0, 0, 0
		s.store(k)
	} else {
		s.LastSaveError, s.LastSaveStep, s.LastSaveNano = c.Error, k.Step, k.UnixNano
		s.SaveTries++
		s.answerSaves(k.Step, c.Error)
	}
	s.boundary()
	return nil
}

// store adds a checkpoint to the catalogue and answers who asked for it.
func (s *State) store(k Checkpoint) {
	at, _ := slices.BinarySearchFunc(s.Checkpoints, k.Step, func(o Checkpoint, step int64) int {
		return cmp.Compare(o.Step, step)
	})
	s.Checkpoints = slices.Insert(s.Checkpoints, at, k)
	if n := len(s.Checkpoints); n > MaxCheckpoints {
		s.Checkpoints = slices.Delete(s.Checkpoints, 0, n-MaxCheckpoints)
	}
	s.answerSaves(k.Step, "")
}

func (c EvalDone) apply(s *State) error {
	if err := s.live(); err != nil {
		return err
	}
	e := c.Evaluation.clone()
	if n := len(s.Evaluations); n > 0 && s.Evaluations[n-1].equal(e) {
		return nil
	}
	if err := s.current(c.Generation, e.Step); err != nil {
		return err
	}
	if s.Phase != Evaluating {
		return fmt.Errorf("%w: %s", ErrPhase, s.Phase)
	}
	if err := e.check(); err != nil {
		return err
	}
	s.Evaluations = append(s.Evaluations, e)
	if n := len(s.Evaluations); n > MaxEvaluations {
		s.Evaluations = slices.Delete(s.Evaluations, 1, 2)
	}
	s.Phase = Running
	s.boundary()
	return nil
}

// check names the first thing that makes no evaluation.
func (e Evaluation) check() error {
	if len(e.Counts) > MaxCounts {
		return fmt.Errorf("%w: %d measures, at most %d", ErrInvalid, len(e.Counts), MaxCounts)
	}
	for i, c := range e.Counts {
		first := slices.IndexFunc(e.Counts, func(o Count) bool { return o.Name == c.Name })
		if c.Name == "" || first != i {
			return fmt.Errorf("%w: measure %q twice or without a name", ErrInvalid, c.Name)
		}
		if c.Correct < 0 || c.Correct > c.Total {
			return fmt.Errorf("%w: measure %s has %d correct of %d", ErrInvalid, c.Name, c.Correct, c.Total)
		}
		if err := bounded(MaxName, c.Name); err != nil {
			return err
		}
	}
	return bounded(MaxText, e.Error)
}

// farthest is the largest number that a worker may have seen: what counts up from there never ends.
const farthest = 1 << 62

func (c Surpass) apply(s *State) error {
	if err := s.live(); err != nil {
		return err
	}
	if c.Version < 0 || c.Generation < 0 || c.Version > farthest || c.Generation > farthest {
		return fmt.Errorf("%w: version %d, generation %d", ErrInvalid, c.Version, c.Generation)
	}
	s.Version = max(s.Version, c.Version+1)
	if c.Generation < s.Generation {
		return nil
	}
	s.Generation = c.Generation
	if len(s.Group()) == 0 {
		s.Generation++
		return nil
	}
	s.regroup(fmt.Sprintf("a worker was in generation %d of a log that is lost", c.Generation))
	return nil
}

func (c Fail) apply(s *State) error {
	if err := s.live(); err != nil {
		return err
	}
	if err := bounded(MaxText, c.Reason); err != nil {
		return err
	}
	s.FailCode = c.Code
	s.finish(Failed, c.Reason)
	return nil
}

// resumes checks that a run with other settings is still the same run.
func (s *State) resumes(t Settings) error {
	if s.Phase == "" {
		return ErrNoRun
	}
	if err := t.Check(); err != nil {
		return err
	}
	if b := s.Settings; t.RunID != b.RunID || t.Shards != b.Shards || t.TotalSteps != b.TotalSteps {
		return fmt.Errorf("%w: run %s with %d shards and %d steps", ErrExists, b.RunID, b.Shards, b.TotalSteps)
	}
	return nil
}

// take makes t the settings of a run that is taken up again.
func (s *State) take(t Settings) {
	s.Settings = t
	s.Settings.Config = slices.Clone(t.Config)
	s.FailCode, s.PauseWanted, s.StopWanted, s.StopReason, s.SaveTries = 0, false, false, "", 0
}

func (c TakeUp) apply(s *State) error {
	if err := s.resumes(c.Settings); err != nil {
		return err
	}
	if s.Step > c.Settings.EndStep {
		return fmt.Errorf("%w: %d steps are committed, the end is %d", ErrInvalid, s.Step, c.Settings.EndStep)
	}
	s.take(c.Settings)
	s.Members, s.Formed = nil, false
	s.regroup("")
	return nil
}

func (c Rewind) apply(s *State) error {
	if err := s.resumes(c.Settings); err != nil {
		return err
	}
	if err := bounded(MaxText, c.Reason); err != nil {
		return err
	}
	restore := Restore{}
	if k := c.Checkpoint; k != nil {
		if err := bounded(MaxText, k.Path, k.SHA256); err != nil {
			return err
		}
		restore = Restore{Path: k.Path, Step: k.Step, SHA256: k.SHA256}
	}
	if restore.Step < 0 || restore.Step > c.Settings.EndStep {
		return fmt.Errorf("%w: rewind to step %d of %d", ErrInvalid, restore.Step, c.Settings.EndStep)
	}
	if c.Keep {
		s.Settings = c.Settings
	} else {
		s.take(c.Settings)
		s.Members, s.Formed = nil, false
	}
	s.cutTo(restore)
	if k := c.Checkpoint; k != nil {
		s.Checkpoints = slices.DeleteFunc(s.Checkpoints, func(o Checkpoint) bool { return o.Step == k.Step })
		s.Checkpoints = append(s.Checkpoints, *k)
	}
	s.regroup(c.Reason)
	return nil
}

// cutTo forgets what came after the restored step.
func (s *State) cutTo(r Restore) {
	known := r.Step == s.Step && s.TargetKnown
	if !known {
		old, ok := s.Record(r.Step - 1)
		s.Target, s.TargetKnown = old.Target, ok
	}
	keep := r.Step - (s.Step - int64(len(s.Records)))
	if r.Step > s.Step || keep < 0 {
		keep = 0
	}
	s.Records = s.Records[:keep]
	s.Step, s.Restore = r.Step, r
	s.Checkpoints = slices.DeleteFunc(s.Checkpoints, func(k Checkpoint) bool { return k.Step > r.Step })
	s.Evaluations = slices.DeleteFunc(s.Evaluations, func(e Evaluation) bool { return e.Step > r.Step })
}
