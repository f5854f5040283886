// Package run is a training run as a value: who takes part, which step is committed, what is to happen next.
//
// State changes by Apply alone, and a Plan for each worker follows from it. Everything here is a pure function of the
// commands: no clock, no randomness, no I/O, no goroutine, no log, so that every coordinator that applies the same
// commands holds the same state. The caller owns a State and serialises access to it; nothing here is shared.
//
// A run is a sequence of steps. At a boundary (no step in flight) the state decides, in this order: stop, evaluate,
// end, let workers go, let new ones in, pause, or go on with the next step. What operators ask for waits for a
// boundary.
//
// A member stands for one of the workers that are wished for, or for several. Members that work on a step together
// are a group: one generation's, which never changes. Whatever breaks a group (a
// worker is lost, its ring broke, another coordinator leads) ends in a new generation: a step in flight is dropped, the
// shards are dealt out again to those who are left, and the same step is run again. Members that come while a group
// works, or that have not opened all they need, stand by until a boundary. Below Settings.MinWorkers the run waits, and
// does not end.
//
// # When it fails
//
// Apply refuses a command that does not fit and returns an error that says what the state has; then only Version has
// moved, and the error is the same everywhere. Commands are conditional on generation and step, and repeating one that
// took effect is harmless. Check names the first broken invariant; a broken one is a bug of this package.
package run

import (
	"fmt"
	"slices"
)

// Phase is what the run is doing.
type Phase string

// The phases of a run; the last three are final.
const (
	Waiting    Phase = "waiting"    // for workers to join
	Running    Phase = "running"    // a step is in flight, or workers prepare for the first
	Evaluating Phase = "evaluating" // workers evaluate the state of Step
	Paused     Phase = "paused"     // at a boundary, until Resume
	Stopping   Phase = "stopping"   // a step in flight or a last checkpoint is waited for
	Draining   Phase = "draining"   // a checkpoint is waited for, before workers go that nobody replaces
	Completed  Phase = "completed"
	Stopped    Phase = "stopped"
	Failed     Phase = "failed"
)

// Final reports whether the run has ended.
func (p Phase) Final() bool { return p == Completed || p == Stopped || p == Failed }

// Bounds of what a State remembers. Texts come from outside, so their lengths are bounded as well, in bytes: a command
// with a longer one is invalid, and so whatever is agreed on fits an entry of the log and a snapshot.
const (
	MaxName        = 256      // ids, addresses, hosts, names of measures
	MaxText        = 4 << 10  // reasons, errors, paths
	MaxConfig      = 32 << 10 // the encoded configuration
	MaxCounts      = 64       // measures of an evaluation
	MaxRecords     = 1024     // committed steps
	MaxCheckpoints = 64
	MaxEvaluations = 64
	MaxRequests    = 256
	MaxSaving      = 4 // checkpoints ordered and not yet reported
	MaxQuarantine  = 64
)

// WorkerID names a worker, uniquely in its run.
type WorkerID string

// Settings are fixed when the run is created; a Rewind may change those that don't decide the numbers.
type Settings struct {
	RunID string
	// Workers is how many are wished for, MinWorkers how many the run goes on with.
	Workers, MinWorkers int
	// Shards is V, the number of virtual shards of each batch.
	Shards int
	// TotalSteps is K of the schedules, EndStep ≤ TotalSteps where this run ends.
	TotalSteps, EndStep int64
	// SaveEvery orders a checkpoint each so many steps; 0: only at the end.
	SaveEvery int64
	// Evaluates says that there are data to evaluate on: before the first step, at the end, and each EvalEvery.
	Evaluates bool
	EvalEvery int64
	// VerifyEvery has one of so many steps verified: workers tell digests of what they compute; 0: none.
	VerifyEvery int64
	// Config is the whole configuration as its owner encodes it; opaque here.
	Config []byte
}

// Member is a process that takes part, as one worker or as several.
type Member struct {
	ID WorkerID
	// Wished is the rank asked for, −1 for any; Rank is that in the present group, −1 for a member that stands by.
	Wished, Rank int
	// Address is where its peers reach it; Host tells which of them share its machine.
	Address, Host string
	// Incarnation differs between two processes that use the same ID.
	Incarnation string
	// Prepared says that it has opened all it needs to work.
	Prepared bool
	// Leaving says that it goes at the next boundary.
	Leaving bool
	// Workers is how many of the run's workers it stands for, 0 for one: a process computes the shards of them all.
	Workers int
	// MaxShards is how many it can hold, 0 while that is not known.
	MaxShards int
	// Speed is how many shards it works on in 1,000 s, 0 while that is not known.
	Speed int64
	// ShardBegin and ShardEnd are its shards in the present group.
	ShardBegin, ShardEnd int
}

// StandsFor is how many of the run's workers the member is.
func (m *Member) StandsFor() int { return max(1, m.Workers) }

// Together is how many workers members stand for.
func Together(members []Member) int {
	n := 0
	for i := range members {
		n += members[i].StandsFor()
	}
	return n
}

// Named is a member's name for people, with how many workers it stands for where that is more than one.
func Named(id string, workers int) string {
	if workers <= 1 {
		return id
	}
	return fmt.Sprintf("%s (%d workers)", id, workers)
}

// Ban keeps a worker out.
type Ban struct {
	Worker WorkerID
	Host   string
	Reason string
}

// Restore says what a worker without state begins from: the seed when Path is empty, else the checkpoint.
type Restore struct {
	Path   string
	Step   int64
	SHA256 string
}

// Record is what is remembered of a committed step: digests of the state after it, by which any worker's state can be
// checked, and its loss.
type Record struct {
	Step, Generation int64
	// Digests of θ, the momentum, the running statistics and ξ, which do not depend on the number of workers.
	Online, Momentum, Statistics, Target uint64
	// Samples is a digest of which images were used, in the order of the shards.
	Samples  uint64
	Loss     float64
	Images   int64
	UnixNano int64
	// Skipped says that the step changed nothing: its gradient was not finite.
	Skipped bool
}

// Differences names the parts of the state in which r and o differ, whenever and by whomever they were computed.
func (r Record) Differences(o Record) []string {
	var parts []string
	for _, p := range []struct {
		name string
		a, b uint64
	}{
		{"online network", r.Online, o.Online}, {"momentum", r.Momentum, o.Momentum},
		{"running statistics", r.Statistics, o.Statistics}, {"target network", r.Target, o.Target},
	} {
		if p.a != p.b {
			parts = append(parts, fmt.Sprintf("%s %016x and %016x", p.name, p.a, p.b))
		}
	}
	return parts
}

// same reports whether r and o are of one step and hold the same state.
func (r Record) same(o Record) bool { return r.Step == o.Step && len(r.Differences(o)) == 0 }

// Checkpoint is a stored state: that of Step committed steps.
type Checkpoint struct {
	Step     int64
	Path     string
	Bytes    uint64
	SHA256   string
	UnixNano int64
}

// Evaluation is what was measured of the online encoder after Step steps.
type Evaluation struct {
	Step int64
	// Counts are in the order in which workers report them, each name once.
	Counts []Count
	// Error says why there are no figures.
	Error string
}

// Count is a measure by name: Correct of Total.
type Count struct {
	Name           string
	Correct, Total int64
}

// Count returns the measure of that name.
func (e Evaluation) Count(name string) (Count, bool) {
	for _, c := range e.Counts {
		if c.Name == name {
			return c, true
		}
	}
	return Count{}, false
}

// Ratio is Correct of Total in 0..1, 0 for nothing.
func (c Count) Ratio() float64 { return float64(c.Correct) / float64(max(1, c.Total)) }

func (e Evaluation) equal(o Evaluation) bool {
	return e.Step == o.Step && e.Error == o.Error && slices.Equal(e.Counts, o.Counts)
}

func (e Evaluation) clone() Evaluation {
	e.Counts = slices.Clone(e.Counts)
	return e
}

// Request is an operator's command that was carried out, by the id its sender chose.
type Request struct {
	ID, Kind string
	// Step is the step whose checkpoint answers a save request, −1 until it is known. Done says that the request is
	// answered: the checkpoint is stored, or Error says why not.
	Step  int64
	Done  bool
	Error string
}

// State is the whole run. The zero State is no run yet; Create makes it one. Slices are shared by value copies: a
// holder of a copy reads them, and Clone makes them independent.
type State struct {
	// Version rises with each command, carried out or refused.
	Version  int64
	Settings Settings
	// Generation rises with each change of membership.
	Generation int64
	Phase      Phase
	Reason     string
	// FailCode is the exit code of a failed run, or of one that fails once its state is stored.
	FailCode int
	// Members are the group in rank order, and then those that stand by, as they joined.
	Members []Member
	// Formed says that there has been a group since the run was created or taken up: from then on it goes on with fewer
	// members than are wished for.
	Formed bool
	// GrowWanted says that members that stand by enter at the next boundary.
	GrowWanted bool
	// DealWanted says that the shards are dealt out again at the next boundary.
	DealWanted bool
	// Quarantine keeps workers out whose results were wrong.
	Quarantine []Ban
	// Restarts counts groups that broke, Rerun steps that were in flight then.
	Restarts, Rerun int64
	// Turn is by how many places ranks are turned against those that members wish for.
	Turn int64
	// Started says that all members of the generation hold the same state of Step.
	Started bool
	// InFlight says that workers were told to run the step with index Step.
	InFlight                            bool
	PauseWanted, StopWanted, SaveWanted bool
	StopReason                          string
	// Step counts committed steps: the next has this index.
	Step int64
	// Target is the digest of the target network at Step, when TargetKnown.
	Target      uint64
	TargetKnown bool
	// Fingerprint is of the kernels that computed the last steps, "" before the first.
	Fingerprint string
	Restore     Restore
	// Records are the last committed steps, ascending without gaps up to Step−1.
	Records []Record
	// Checkpoints ascend by step.
	Checkpoints []Checkpoint
	// Saving are steps whose checkpoints were ordered and not yet reported, ascending. SaveAt is the step whose plan
	// carries the order, −1 for none.
	Saving []int64
	SaveAt int64
	// LastSaveError says why the last checkpoint was not saved, "" once one was: that of LastSaveStep, at LastSaveNano.
	LastSaveError              string
	LastSaveStep, LastSaveNano int64
	// SaveTries counts saves that failed since the last that did not; the rank that saves goes on with it.
	SaveTries int
	// SaveOrder is the Version at which the checkpoint of SaveAt was ordered: another order has another one.
	SaveOrder int64
	// Evaluations ascend by step; the first is kept, of the others the newest.
	Evaluations []Evaluation
	Requests    []Request
}

// Clone returns a State that shares nothing with s.
func (s *State) Clone() State {
	c := *s
	c.Settings.Config = slices.Clone(s.Settings.Config)
	c.Members = slices.Clone(s.Members)
	c.Records = slices.Clone(s.Records)
	c.Checkpoints = slices.Clone(s.Checkpoints)
	c.Saving = slices.Clone(s.Saving)
	c.Quarantine = slices.Clone(s.Quarantine)
	c.Evaluations = slices.Clone(s.Evaluations)
	for i, e := range c.Evaluations {
		c.Evaluations[i] = e.clone()
	}
	c.Requests = slices.Clone(s.Requests)
	return c
}

// Apply carries out c, or refuses it with an error that leaves all but Version as it was.
func (s *State) Apply(c Command) error {
	s.Version++
	return c.apply(s)
}

// Owed reports whether a checkpoint that somebody asked for is neither stored nor given up, or a member waits to be let
// go.
func (s *State) Owed() bool {
	open := func(r Request) bool { return r.Kind == kindSave && !r.Done && r.Error == "" }
	return slices.ContainsFunc(s.Requests, open) ||
		slices.ContainsFunc(s.Members, func(m Member) bool { return m.Leaving })
}

// Busy reports whether workers are between two boundaries.
func (s *State) Busy() bool { return s.InFlight || s.Phase == Evaluating }

// boundary decides what comes next, when nothing is in flight.
func (s *State) boundary() {
	if s.Phase.Final() || !s.Started || s.Busy() {
		return
	}
	if !slices.Contains(s.Saving, s.Step) {
		s.SaveAt = -1
	}
	switch {
	case s.StopWanted && s.FailCode != 0:
		s.end(Failed, s.StopReason)
	case s.StopWanted:
		s.end(Stopped, s.StopReason)
	case s.evaluationDue():
		s.Phase = Evaluating
	case s.Step >= s.Settings.EndStep:
		s.end(Completed, "")
	case s.departing():
		s.letGo()
	case s.GrowWanted && len(s.prepared()) > len(s.Group()):
		s.regroup("")
	case s.DealWanted:
		s.regroup("")
	case s.PauseWanted:
		s.Phase = Paused
	default:
		s.Phase, s.InFlight = Running, true
	}
}

// end goes to the final phase p once the state of Step is stored. The untrained state needs no checkpoint: the seed
// gives it again. Where nobody could store it, an operator's stop becomes a pause, an end waits for another try, and a
// failure does not.
func (s *State) end(p Phase, reason string) {
	switch {
	case s.storing():
		s.Phase, s.Reason = Stopping, "waiting for the last checkpoint"
	case s.Step == 0 || s.stored(s.Step) || p == Failed:
		s.finish(p, reason)
	case p == Stopped:
		s.StopWanted, s.PauseWanted, s.Phase = false, true, Paused
		s.Reason = "not stopped yet, the last checkpoint could not be written: " + s.LastSaveError
		s.answerStops(s.LastSaveError)
	default:
		s.Phase, s.Reason = Stopping, "the last checkpoint could not be written: "+s.LastSaveError
	}
}

// storing orders a checkpoint of Step where there is none and not all members failed to write one, and reports whether
// any is waited for.
func (s *State) storing() bool {
	if s.Step > 0 && !s.stored(s.Step) && s.SaveTries < len(s.Group()) {
		s.orderSave()
	}
	return len(s.Saving) > 0
}

// stop finishes a run that is to stop; one that failed fails, for the reason that it had.
func (s *State) stop(reason string) {
	if s.FailCode != 0 {
		s.finish(Failed, s.StopReason)
		return
	}
	s.finish(Stopped, reason)
}

func (s *State) finish(p Phase, reason string) {
	s.Phase, s.Reason = p, reason
	s.InFlight, s.Saving, s.SaveAt = false, nil, -1
	s.PauseWanted, s.StopWanted, s.SaveWanted, s.GrowWanted = false, false, false, false
	s.failRequests("the run has ended")
}

// orderSave has the next plan ask for a checkpoint of Step, unless there is one or it was asked for.
func (s *State) orderSave() {
	if slices.Contains(s.Saving, s.Step) || s.stored(s.Step) {
		return
	}
	s.Saving = append(s.Saving, s.Step)
	s.SaveAt, s.SaveOrder = s.Step, s.Version
}

// saveNow orders a checkpoint at a boundary and ties waiting requests to it.
func (s *State) saveNow() {
	s.SaveWanted = false
	if s.SaveTries >= len(s.Group()) {
		s.SaveTries = 0
	}
	s.orderSave()
	for i, r := range s.Requests {
		if r.Kind == kindSave && r.Step < 0 && !r.Done {
			s.Requests[i].Step = s.Step
		}
	}
	if s.stored(s.Step) {
		s.answerSaves(s.Step, "")
	}
}

// answerSaves answers the requests that wait for the checkpoint of step.
func (s *State) answerSaves(step int64, problem string) {
	for i, r := range s.Requests {
		if r.Kind == kindSave && r.Step == step && !r.Done {
			s.Requests[i].Done, s.Requests[i].Error = true, problem
		}
	}
}

// answerStops tells who asked to stop why the run has not.
func (s *State) answerStops(problem string) {
	for i, r := range s.Requests {
		if r.Kind == kindStop && !r.Done {
			s.Requests[i].Done, s.Requests[i].Error = true, problem
		}
	}
}

func (s *State) stored(step int64) bool {
	_, ok := s.Stored(step)
	return ok
}

// Stored returns the checkpoint of step.
func (s *State) Stored(step int64) (Checkpoint, bool) {
	for _, c := range s.Checkpoints {
		if c.Step == step {
			return c, true
		}
	}
	return Checkpoint{}, false
}

func (s *State) evaluationDue() bool {
	if !s.Settings.Evaluates {
		return false
	}
	if n := len(s.Evaluations); n > 0 && s.Evaluations[n-1].Step == s.Step {
		return false
	}
	every := s.Settings.EvalEvery
	return s.Step == 0 || s.Step >= s.Settings.EndStep || every > 0 && s.Step%every == 0
}

// Record returns what was committed as step, if it is still remembered.
func (s *State) Record(step int64) (Record, bool) {
	first := s.Step - int64(len(s.Records))
	if step < first || step >= s.Step {
		return Record{}, false
	}
	return s.Records[step-first], true
}

// Request returns the remembered request with the id.
func (s *State) Request(id string) (Request, bool) {
	for _, r := range s.Requests {
		if r.ID == id {
			return r, true
		}
	}
	return Request{}, false
}

// failRequests answers the save requests that no checkpoint will answer any more.
func (s *State) failRequests(why string) {
	for i, r := range s.Requests {
		if r.Kind == kindSave && !r.Done {
			s.Requests[i].Done, s.Requests[i].Error = true, why
		}
	}
}
