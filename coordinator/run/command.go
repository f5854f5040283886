package run

import (
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
	ErrBanned     = errors.New("run: worker is in quarantine")
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

// Join adds a worker: to those that are waited for, or to those that stand by while a group works.
type Join struct{ Member Member }

// Leave removes a worker that was lost. The others make a new group at the committed step, or wait where they are too
// few. Quarantine keeps it out for good.
type Leave struct {
	Worker     WorkerID
	Reason     string
	Quarantine bool
}

// Prepare says that a worker has opened all it needs: only such workers make a group.
type Prepare struct{ Worker WorkerID }

// Depart has a worker leave in good order, at the next boundary.
type Depart struct {
	Worker WorkerID
	Reason string
}

// Form has the members make a group though more are wished for, or lets those that stand by enter at the next
// boundary.
type Form struct{ Generation int64 }

// Surpass raises Version and Generation above those of a plan that a worker has. Only a log that was lost and begun
// anew is behind a worker: it says other things under numbers that were used before, and workers rightly take them
// for old.
type Surpass struct{ Version, Generation int64 }

// Balance says how fast members are, and has the shards dealt out by it at the next boundary.
type Balance struct {
	Generation int64
	Speeds     []Speed
}

// Speed is how many shards a worker works on in 1,000 s.
type Speed struct {
	Worker WorkerID
	Speed  int64
}

// Regroup begins a new generation with the same members, because their group broke.
//
// Turn deals the shards out to other members than before.
type Regroup struct {
	Generation int64
	Reason     string
	Turn       bool
}

// Limit says how many shards a worker can hold at most.
type Limit struct {
	Worker    WorkerID
	MaxShards int
	Reason    string
}

// Started says that all members of the generation hold the same state of Step, whose target has this digest.
type Started struct {
	Generation, Step int64
	Target           uint64
	Fingerprint      string
}

// Commit makes Record.Step a committed step, if it is the next one and the generation is the current one. After a step
// that was skipped there is a new generation: the workers hold more than was committed.
type Commit struct{ Record Record }

// Pause stops at the next boundary.
type Pause struct{ Request string }

// Resume goes on after Pause.
type Resume struct{ Request string }

// RequestSave orders a checkpoint at the next boundary.
type RequestSave struct{ Request string }

// Saved reports an ordered checkpoint, or why it could not be written: then the next member is asked, until all were.
type Saved struct {
	Checkpoint Checkpoint
	Error      string
}

// EvalDone reports the evaluation of Step.
type EvalDone struct {
	Generation int64
	Evaluation Evaluation
}

// Stop ends the run at the next boundary after a checkpoint, or at once and without one. With a Code, which is its exit
// code, the run has failed.
type Stop struct {
	Request, Reason string
	Now             bool
	Code            int
}

// Fail ends the run.
type Fail struct {
	Reason string
	Code   int
}

// TakeUp is how a coordinator begins on an existing run whose committed state workers may still hold: nobody takes
// part yet, and what is committed stays.
type TakeUp struct{ Settings Settings }

// Rewind goes back to a stored state, or to the seed (nil). Committed steps from there on will be run again. Where Keep
// is set the members stay and make a new group, otherwise nobody takes part yet.
type Rewind struct {
	Settings   Settings
	Checkpoint *Checkpoint
	Keep       bool
	Reason     string
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
	case t.MinWorkers < 1 || t.MinWorkers > t.Workers:
		return fmt.Errorf("%w: at least %d of %d workers", ErrInvalid, t.MinWorkers, t.Workers)
	case t.EndStep < 0 || t.TotalSteps < t.EndStep:
		return fmt.Errorf("%w: end step %d of %d", ErrInvalid, t.EndStep, t.TotalSteps)
	case t.SaveEvery < 0 || t.EvalEvery < 0 || t.VerifyEvery < 0:
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
	for _, b := range s.Quarantine {
		if b.Worker == m.ID {
			return fmt.Errorf("%w: %s: %s", ErrBanned, m.ID, b.Reason)
		}
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
	case m.ID == "" || m.Wished < -1 || m.MaxShards < 0 || m.Workers < 0:
		return fmt.Errorf("%w: member %q with index %d stands for %d workers", ErrInvalid, m.ID, m.Wished, m.Workers)
	case m.Wished >= n:
		return fmt.Errorf("%w: index %d of %d workers", ErrInvalid, m.Wished, n)
	case Together(s.Members)+m.StandsFor() > n:
		return fmt.Errorf("%w: %d", ErrFull, n)
	}
	if m.Workers == 1 {
		m.Workers = 0 // which says the same
	}
	m.Rank, m.Leaving, m.Speed, m.ShardBegin, m.ShardEnd = -1, false, 0, 0, 0 // Prepared and MaxShards it may have said
	s.Members = append(s.Members, m)
	s.awake()
	return nil
}

// awake forms a group of members that are waited for, once they are enough.
func (s *State) awake() {
	if s.Phase != Waiting {
		return
	}
	lack := s.lack()
	if lack == "" {
		s.regroup("")
	} else if s.Formed {
		s.Reason = lack
	}
}

// at is the place of a member.
func (s *State) at(id WorkerID) (int, error) {
	if err := s.live(); err != nil {
		return 0, err
	}
	i := slices.IndexFunc(s.Members, func(m Member) bool { return m.ID == id })
	if i < 0 {
		return 0, fmt.Errorf("%w: %s", ErrNotMember, id)
	}
	return i, nil
}

func (c Leave) apply(s *State) error {
	i, err := s.at(c.Worker)
	if err != nil {
		return err
	}
	if err := bounded(MaxText, c.Reason); err != nil {
		return err
	}
	m := s.Members[i]
	s.Members = slices.Delete(s.Members, i, i+1)
	if c.Quarantine {
		s.Quarantine = append(s.Quarantine, Ban{Worker: m.ID, Host: m.Host, Reason: c.Reason})
		if n := len(s.Quarantine); n > MaxQuarantine {
			s.Quarantine = slices.Delete(s.Quarantine, 0, n-MaxQuarantine)
		}
	}
	s.without(m, c.Reason)
	return nil
}

// without goes on after m is no member any more.
func (s *State) without(m Member, reason string) {
	if m.Rank < 0 && s.Phase != Waiting {
		return // it stood by
	}
	if s.StopWanted && len(s.Members) == 0 {
		s.stop(s.StopReason)
		return
	}
	s.regroup(reason)
}

func (c Depart) apply(s *State) error {
	i, err := s.at(c.Worker)
	if err != nil {
		return err
	}
	if err := bounded(MaxText, c.Reason); err != nil {
		return err
	}
	if m := s.Members[i]; m.Rank < 0 {
		s.Members = slices.Delete(s.Members, i, i+1)
		s.without(m, c.Reason)
		return nil
	}
	s.Members[i].Leaving = true
	s.boundary()
	return nil
}

func (c Form) apply(s *State) error {
	if err := s.live(); err != nil {
		return err
	}
	if err := s.current(c.Generation, s.Step); err != nil {
		return err
	}
	if s.Phase != Waiting {
		s.GrowWanted = len(s.prepared()) > len(s.Group())
		s.boundary()
		return nil
	}
	formed := s.Formed
	s.Formed = true
	if lack := s.lack(); lack != "" {
		s.Formed = formed
		return fmt.Errorf("%w: %s", ErrPhase, lack)
	}
	s.regroup("")
	return nil
}

func (c Balance) apply(s *State) error {
	if err := s.live(); err != nil {
		return err
	}
	if err := s.current(c.Generation, s.Step); err != nil {
		return err
	}
	for _, v := range c.Speeds {
		if v.Speed < 0 || v.Speed > maxSpeed {
			return fmt.Errorf("%w: speed %d of %s", ErrInvalid, v.Speed, v.Worker)
		}
		for i := range s.Members {
			if s.Members[i].ID == v.Worker {
				s.Members[i].Speed = v.Speed
			}
		}
	}
	s.DealWanted = len(s.Group()) > 1
	s.boundary()
	return nil
}

// maxSpeed keeps products of a speed and a number of shards within 64 bits.
const maxSpeed = 1 << 40

func (c Regroup) apply(s *State) error {
	if err := s.live(); err != nil {
		return err
	}
	if err := s.current(c.Generation, s.Step); err != nil {
		return err
	}
	if err := bounded(MaxText, c.Reason); err != nil {
		return err
	}
	if s.Phase == Waiting {
		return fmt.Errorf("%w: %s", ErrPhase, s.Phase)
	}
	if c.Turn {
		s.Turn++
	}
	s.regroup(c.Reason)
	return nil
}

func (c Prepare) apply(s *State) error {
	i, err := s.at(c.Worker)
	if err != nil {
		return err
	}
	s.Members[i].Prepared = true
	s.awake()
	return nil
}

func (c Limit) apply(s *State) error {
	i, err := s.at(c.Worker)
	if err != nil {
		return err
	}
	if err := bounded(MaxText, c.Reason); err != nil {
		return err
	}
	if c.MaxShards < 1 {
		return fmt.Errorf("%w: a limit of %d shards", ErrInvalid, c.MaxShards)
	}
	s.Members[i].MaxShards = c.MaxShards
	if s.Phase == Waiting || s.Members[i].Rank >= 0 {
		s.regroup(c.Reason)
	}
	return nil
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
	s.Reason = ""
	s.Started, s.Target, s.TargetKnown, s.Fingerprint = true, c.Target, true, c.Fingerprint
	alone := len(s.Group()) == 1 && Together(s.Group()) < s.Settings.Workers // nobody holds the state with it who was to
	if s.SaveWanted || alone && s.Step > 0 {
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
	if last, ok := s.Record(r.Step - 1); r.Skipped && (r.Target != s.Target || ok && len(last.Differences(r)) > 0) {
		return fmt.Errorf("%w: step %d was skipped, and changes the state", ErrInvalid, r.Step)
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
	if s.SaveTries >= len(s.Group()) {
		s.SaveTries = 0 // a new state, a new round
	}
	every := s.Settings.SaveEvery
	due := every > 0 && s.Step%every == 0 && len(s.Saving) < MaxSaving
	if due || s.SaveWanted || s.Step >= s.Settings.EndStep {
		s.saveNow()
	}
	if r.Skipped {
		s.regroup(fmt.Sprintf("step %d was skipped", r.Step))
		return nil
	}
	s.boundary()
	return nil
}
