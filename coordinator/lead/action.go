package lead

import (
	"byol/coordinator/run"
	"byol/internal/failure"
)

// Action is something for the shell to do; the types of this file are all there are.
type Action interface{ action() }

// Propose has the log agree on Command. A question: Answered is its answer.
type Propose struct{ Command run.Command }

// Weigh ends what Open began, when all spans have come: no slice is taken any more, and Weighed tells the digests of
// what came. A question.
type Weigh struct{}

// Send gives a worker a message: a Welcome, a Refused or a run.Plan.
type Send struct {
	Stream  Stream
	Message any
}

// Welcome lets a worker in.
type Welcome struct {
	ID    run.WorkerID
	RunID string
}

// Refused says why a worker is not let in, and what to try. Its stream ends after it. Temporary says that asking again
// later may be answered otherwise.
type Refused struct {
	Reason, Hint string
	Temporary    bool
}

// Open takes the slices of one step: of ξ itself when workers have restored their state, of θ' otherwise. Slices of
// any other generation or step are reported as Misplaced, a complete span as Whole, one without elements at once.
type Open struct {
	Generation, Step int64
	// Restore has the slices taken as ξ, in a new vector of so many Parameters.
	Restore    bool
	Parameters int64
	// Rate is 1−τ of the moving average, when it is not Restore.
	Rate float32
	// Ranks are the streams in rank order.
	Ranks []Stream
}

// Shut drops what Open began: no slice is taken any more.
type Shut struct{}

// Adopt makes the restored ξ the current one.
type Adopt struct{}

// Release makes the new ξ' the current one, and sends each rank its span of it.
type Release struct{ Generation, Step int64 }

// Resume gives a worker that attached again on Stream the place that it had on Was: of what Open began its span comes
// again from the start if it was not complete, and what Release sent last is sent again.
type Resume struct{ Was, Stream Stream }

// Drop hangs up on a stream, which is no member any more.
type Drop struct {
	Stream Stream
	Why    string
}

// Tell writes down that something happened. Seconds is how long a checkpoint took that was saved.
type Tell struct {
	Kind, Worker, Text string
	Seconds            float64
}

// Note is for the log alone.
type Note struct{ Text string }

// Committed tells the figures of a step that was committed, and of the recovery that ended with it.
type Committed struct {
	Figures  Figures
	Recovery Recovery
}

// Evaluated tells an evaluation that was agreed on.
type Evaluated struct{ Evaluation run.Evaluation }

// Prune removes all but the newest Keep checkpoints.
type Prune struct{ Keep int }

// Seek looks for the newest checkpoint that verifies. Sought tells what was found.
type Seek struct{}

// End is the last action: the run is over, and this is what became of it; nil when all went well.
type End struct{ Failure *failure.Failure }

func (Propose) action()   {}
func (Weigh) action()     {}
func (Send) action()      {}
func (Open) action()      {}
func (Shut) action()      {}
func (Adopt) action()     {}
func (Release) action()   {}
func (Resume) action()    {}
func (Drop) action()      {}
func (Tell) action()      {}
func (Note) action()      {}
func (Committed) action() {}
func (Evaluated) action() {}
func (Prune) action()     {}
func (Seek) action()      {}
func (End) action()       {}

// Figures are those of a committed step. Sums are added in shard order, means are over workers.
type Figures struct {
	Record                     run.Record
	Loss, ProbeLoss, ProbeTop1 float64
	Std, Norm                  float64
	Images                     int64
	samples                    uint64 // digest of which images were used
	LR, Tau                    float64
	Seconds, ImagesPerSecond   float64 // of this step, and at the pace of the last ones
	Phases                     []Phase // in the order in which workers report them
}
