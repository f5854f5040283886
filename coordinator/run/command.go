package run

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Refusals that callers tell apart. An error of Apply wraps at most one of them.
var (
	ErrExists     = errors.New("run: already created with other settings")
	ErrNoRun      = errors.New("run: not created")
	ErrEnded      = errors.New("run: has ended")
	ErrFull       = errors.New("run: has all its workers")
	ErrDuplicate  = errors.New("run: worker is already a member")
	ErrIndexTaken = errors.New("run: index is taken")
	ErrNotMember  = errors.New("run: worker is not a member")
	ErrConflict   = errors.New("run: differs from what was committed")
	ErrPhase      = errors.New("run: not possible in this phase")
	ErrInvalid    = errors.New("run: invalid command")
)

// StaleError refuses a command that was meant for another generation or step.
type StaleError struct {
	HaveGeneration, HaveStep int64
	Generation, Step         int64
}

// Error says what was wanted and what the state has.
func (e *StaleError) Error() string {
	return fmt.Sprintf("run: stale: got generation %d step %d, have generation %d step %d",
		e.Generation, e.Step, e.HaveGeneration, e.HaveStep)
}

// Command is a change of a State; the commands of this file are all there are.
type Command interface{ apply(*State) error }

// Create makes the zero State a run.
type Create struct{ Settings Settings }

// Join adds a worker. With the last one the generation's ranks are given and the run leaves Waiting.
type Join struct{ Member Member }

// Leave removes a worker; the others wait for a replacement at the committed step.
type Leave struct {
	Worker WorkerID
	Reason string
}

// Started says that all members of the generation hold the same state of Step, whose target has this digest.
type Started struct {
	Generation, Step int64
	Target           uint64
	Fingerprint      string
}

// Commit makes Record.Step a committed step, if it is the next one and the generation is the current one.
type Commit struct{ Record Record }

// Pause stops at the next boundary.
type Pause struct{ Request string }

// Resume goes on after Pause.
type Resume struct{ Request string }

// RequestSave orders a checkpoint at the next boundary.
type RequestSave struct{ Request string }

// Saved reports an ordered checkpoint, or why it could not be written. A failed last checkpoint fails the run
// with FailCode.
type Saved struct {
	Checkpoint Checkpoint
	Error      string
	FailCode   int
}

// EvalDone reports the evaluation of Step.
type EvalDone struct {
	Generation int64
	Evaluation Evaluation
}

// Stop ends the run at the next boundary after a checkpoint, or at once and without one.
type Stop struct {
	Request, Reason string
	Now             bool
}

// Fail ends the run.
type Fail struct {
	Reason string
	Code   int
}

// Rewind begins a new membership from a stored state, or from the seed (nil): what a coordinator does when it starts
// on an existing run. Committed steps from there on will be run again.
type Rewind struct {
	Settings   Settings
	Checkpoint *Checkpoint
}

// Names under which operators' requests are remembered.
const (
	kindPause  = "pause"
	kindResume = "resume"
	kindSave   = "save"
	kindStop   = "stop"
)

// Check names the first setting that makes no run.
func (t Settings) Check() error {
	switch {
	case t.RunID == "":
		return fmt.Errorf("%w: no run id", ErrInvalid)
	case t.Workers < 1 || t.Shards < t.Workers:
		return fmt.Errorf("%w: %d workers for %d shards", ErrInvalid, t.Workers, t.Shards)
	case t.EndStep < 0 || t.TotalSteps < t.EndStep:
		return fmt.Errorf("%w: end step %d of %d", ErrInvalid, t.EndStep, t.TotalSteps)
	case t.SaveEvery < 0 || t.EvalEvery < 0:
		return fmt.Errorf("%w: negative interval", ErrInvalid)
	case len(t.Config) > MaxConfig:
		return fmt.Errorf("%w: a configuration of %d bytes, at most %d", ErrInvalid, len(t.Config), MaxConfig)
	}
	return bounded(MaxName, t.RunID)
}

// bounded refuses the first text that is longer than limit.
func bounded(limit int, texts ...string) error {
	for _, t := range texts {
		if len(t) > limit {
			return fmt.Errorf("%w: a text of %d bytes, at most %d", ErrInvalid, len(t), limit)
		}
	}
	return nil
}

func (t Settings) equal(o Settings) bool {
	a, b := t, o
	a.Config, b.Config = nil, nil
	return slices.Equal(t.Config, o.Config) && fmt.Sprintf("%+v", a) == fmt.Sprintf("%+v", b)
}

func (c Create) apply(s *State) error {
	if err := c.Settings.Check(); err != nil {
		return err
	}
	if s.Phase != "" {
		if s.Settings.equal(c.Settings) {
			return nil
		}
		return ErrExists
	}
	s.Settings, s.Phase, s.SaveAt = c.Settings, Waiting, -1
	s.Settings.Config = slices.Clone(c.Settings.Config)
	return nil
}

// live refuses commands for no run or an ended one.
func (s *State) live() error {
	switch {
	case s.Phase == "":
		return ErrNoRun
	case s.Phase.Final():
		return fmt.Errorf("%w: %s", ErrEnded, s.Phase)
	}
	return nil
}

func (c Join) apply(s *State) error {
	if err := s.live(); err != nil {
		return err
	}
	m := c.Member
	if err := bounded(MaxName, string(m.ID), m.Address, m.Host, m.Incarnation); err != nil {
		return err
	}
	for _, o := range s.Members {
		switch {
		case o.ID == m.ID && o.Incarnation == m.Incarnation:
			return nil
		case o.ID == m.ID:
			return fmt.Errorf("%w: %s", ErrDuplicate, m.ID)
		case m.Wished >= 0 && o.Wished == m.Wished:
			return fmt.Errorf("%w: %d by %s", ErrIndexTaken, m.Wished, o.ID)
		}
	}
	n := s.Settings.Workers
	switch {
	case m.ID == "" || m.Wished < -1:
		return fmt.Errorf("%w: member %q with index %d", ErrInvalid, m.ID, m.Wished)
	case m.Wished >= n:
		return fmt.Errorf("%w: index %d of %d workers", ErrInvalid, m.Wished, n)
	case s.Phase != Waiting || len(s.Members) >= n:
		return fmt.Errorf("%w: %d", ErrFull, n)
	}
	m.Rank = -1
	s.Members = append(s.Members, m)
	s.Generation++
	if len(s.Members) == n {
		s.assignRanks()
		s.Phase, s.Reason = Running, ""
	}
	return nil
}

// assignRanks gives wished ranks first and the free ones in join order.
func (s *State) assignRanks() {
	taken := make([]bool, len(s.Members))
	for i, m := range s.Members {
		if m.Wished >= 0 {
			s.Members[i].Rank, taken[m.Wished] = m.Wished, true
		}
	}
	for i, m := range s.Members {
		if m.Wished < 0 {
			r := slices.Index(taken, false)
			s.Members[i].Rank, taken[r] = r, true
		}
	}
	slices.SortFunc(s.Members, func(a, b Member) int { return a.Rank - b.Rank })
}

func (c Leave) apply(s *State) error {
	if err := s.live(); err != nil {
		return err
	}
	i := slices.IndexFunc(s.Members, func(m Member) bool { return m.ID == c.Worker })
	if i < 0 {
		return fmt.Errorf("%w: %s", ErrNotMember, c.Worker)
	}
	if err := bounded(MaxText, c.Reason); err != nil {
		return err
	}
	s.Members = slices.Delete(s.Members, i, i+1)
	for j := range s.Members {
		s.Members[j].Rank = -1
	}
	s.regroup()
	s.Reason = c.Reason
	if s.StopWanted {
		s.finish(Stopped, s.StopReason)
	}
	return nil
}

// regroup returns to Waiting in a new generation. What was in flight is dropped.
func (s *State) regroup() {
	s.Generation++
	s.Phase, s.Reason = Waiting, ""
	s.Started, s.InFlight = false, false
	s.Saving, s.SaveAt = nil, -1
	s.failRequests("the worker group changed before the checkpoint was written")
	s.SaveWanted = false
}

func (s *State) current(generation, step int64) error {
	if generation == s.Generation && step == s.Step {
		return nil
	}
	return &StaleError{HaveGeneration: s.Generation, HaveStep: s.Step, Generation: generation, Step: step}
}

func (c Started) apply(s *State) error {
	if err := s.live(); err != nil {
		return err
	}
	if err := s.current(c.Generation, c.Step); err != nil {
		return err
	}
	if s.Started && s.Target == c.Target {
		return nil
	}
	if err := bounded(MaxText, c.Fingerprint); err != nil {
		return err
	}
	if s.TargetKnown && s.Target != c.Target {
		return fmt.Errorf("%w: target %016x at step %d, committed %016x", ErrConflict, c.Target, c.Step, s.Target)
	}
	if s.Phase != Running {
		return fmt.Errorf("%w: %s", ErrPhase, s.Phase)
	}
	s.Started, s.Target, s.TargetKnown, s.Fingerprint = true, c.Target, true, c.Fingerprint
	if s.SaveWanted {
		s.saveNow()
	}
	s.boundary()
	return nil
}

func (c Commit) apply(s *State) error {
	if err := s.live(); err != nil {
		return err
	}
	r := c.Record
	if r.Step == s.Step-1 {
		if old, ok := s.Record(r.Step); ok && old.same(r) {
			return nil
		} else if ok && r.Generation == s.Generation {
			return fmt.Errorf("%w: step %d", ErrConflict, r.Step)
		}
	}
	if err := s.current(r.Generation, r.Step); err != nil {
		return err
	}
	if math.IsNaN(r.Loss) || math.IsInf(r.Loss, 0) {
		return fmt.Errorf("%w: loss of step %d is not finite", ErrInvalid, r.Step)
	}
	if !s.InFlight {
		return fmt.Errorf("%w: no step is in flight while %s", ErrPhase, s.Phase)
	}
	s.Records = append(s.Records, r)
	if n := len(s.Records); n > MaxRecords {
		s.Records = slices.Delete(s.Records, 0, n-MaxRecords)
	}
	s.Step, s.Target, s.InFlight = s.Step+1, r.Target, false
	every := s.Settings.SaveEvery
	due := every > 0 && s.Step%every == 0 && len(s.Saving) < MaxSaving
	if due || s.SaveWanted || s.Step >= s.Settings.EndStep {
		s.saveNow()
	}
	s.boundary()
	return nil
}

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
	if c.Now || !s.Started {
		s.finish(Stopped, c.Reason)
		return nil
	}
	s.StopWanted, s.StopReason = true, c.Reason
	if s.InFlight {
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
	if i < 0 {
		if s.stored(k.Step) {
			return nil
		}
		return fmt.Errorf("%w: no checkpoint of step %d was ordered", ErrInvalid, k.Step)
	}
	s.Saving = slices.Delete(s.Saving, i, i+1)
	if c.Error == "" {
		s.LastSaveError = ""
		s.store(k)
	} else {
		s.LastSaveError = c.Error
		s.answerSaves(k.Step, c.Error)
		ending := s.Phase == Stopping && !s.InFlight || s.Step >= s.Settings.EndStep
		if ending && k.Step == s.Step {
			s.FailCode = c.FailCode
			s.finish(Failed, "the last checkpoint could not be written: "+c.Error)
			return nil
		}
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

func (c Rewind) apply(s *State) error {
	if s.Phase == "" {
		return ErrNoRun
	}
	if err := c.Settings.Check(); err != nil {
		return err
	}
	if a, b := c.Settings, s.Settings; a.RunID != b.RunID || a.Shards != b.Shards || a.TotalSteps != b.TotalSteps {
		return fmt.Errorf("%w: run %s with %d shards and %d steps", ErrExists, b.RunID, b.Shards, b.TotalSteps)
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
	s.Settings = c.Settings
	s.Settings.Config = slices.Clone(c.Settings.Config)
	s.Members = nil
	s.FailCode, s.PauseWanted, s.StopWanted, s.StopReason = 0, false, false, ""
	s.regroup()
	s.cutTo(restore)
	if k := c.Checkpoint; k != nil {
		s.Checkpoints = slices.DeleteFunc(s.Checkpoints, func(o Checkpoint) bool { return o.Step == k.Step })
		s.Checkpoints = append(s.Checkpoints, *k)
	}
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
