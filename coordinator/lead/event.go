package lead

import (
	"time"

	"byol/coordinator/run"
)

// Stream names a worker's stream; the shell never uses a name again.
type Stream int64

// Event is something that happened; the types of this file are all there are.
type Event interface{ happen(*Lead) }

// answer is an Event that answers a question.
type answer interface{ answers() }

// Answered is what became of the proposed Command: Err is the refusal of the state, nil when it was carried out. A
// proposal whose outcome is unknown has no answer: the term is over.
type Answered struct {
	Command run.Command
	Err     error
	State   run.State
}

// Weighed tells digests of the spans that came, in rank order, of all of them together, and of the target that was
// made of them.
type Weighed struct {
	Slices        []uint64
	Whole, Target uint64
}

func (Answered) answers() {}
func (Weighed) answers()  {}

// Changed says that the state is another one: an operator asked for something.
type Changed struct{ State run.State }

// Tick has the leader look at the clock. Heard has the streams of which something was heard that is no event.
type Tick struct{ Heard map[Stream]time.Time }

// Joining is a worker that asks to be let in.
type Joining struct {
	Stream Stream
	Join   Join
}

// Said is a message of a worker that was let in.
type Said struct {
	Stream  Stream
	Message Message
}

// Whole says that a worker's span of what Open named is complete.
type Whole struct {
	Stream           Stream
	Generation, Step int64
}

// Misplaced is a slice that was not taken: one of another generation or step, or for Why one that does not continue the
// span.
type Misplaced struct {
	Stream           Stream
	Generation, Step int64
	Why              string
}

// Gone says that a stream has ended.
type Gone struct {
	Stream Stream
	Why    string
}

// Sought is what Seek found: nil and a reason where no checkpoint verifies.
type Sought struct {
	Checkpoint *run.Checkpoint
	Why        string
}

// Exited says how a process ended that the shell started as worker Index. Restarting says that it is started again
// After that time; otherwise it never is.
type Exited struct {
	Index, Code int
	Restarting  bool
	After       time.Duration
	Signalled   bool
	Status      string // in words
	Log, Tail   string // the log's path, and the last lines of it that say what is wrong
}

// Signal asks to stop at the next boundary, after a checkpoint; Abort at once and without one.
type (
	Signal struct{}
	Abort  struct{}
)

// Message is what a worker says once it was let in.
type Message interface{ heard(*Lead, *member) }

// Join presents a worker.
type Join struct {
	ID                   string
	Index                int // the rank it asks for, −1 for any
	Address, Host, Build string
	Incarnation          string
	PID                  int
	Workers              int   // of the run's, that it stands for, 0 for one
	Held                 int64 // committed steps in the state that it holds, −1 for none
	// SeenVersion and SeenGeneration are of the newest plan that it has, 0 for none.
	SeenVersion, SeenGeneration int64
}

// Beat is a heartbeat: what the worker does. Device is "" until it has opened all it needs.
type Beat struct {
	Step              int64
	Phase, WaitingFor string
	Device            string
	Resident, Peak    uint64
	// Evaluated is the share of its part of an evaluation that is done, 0 outside of one; it evaluates for Evaluating.
	Evaluated  float64
	Evaluating time.Duration
}

// Digests are of the state that a worker holds or would commit. Slice is of the span that it sends.
type Digests struct{ Online, Momentum, Statistics, Target, Slice uint64 }

// Ready says that the worker has formed the group and restored its state.
type Ready struct {
	Generation, Step      int64
	Digests               Digests
	Fingerprint, Manifest string
	Parameters            int64
	// Mark is what the worker finds in the directory of checkpoints.
	Mark    string
	Lacks   bool   // it could not get the state from anybody; nothing else is set then
	Problem string // why
}

// Result is what a worker would commit.
type Result struct {
	Generation, Step int64
	Digests          Digests
	Shards           []Shard
	Phases           []Phase
	Std, Norm        float64
}

// Shard are the sums of one shard.
type Shard struct {
	Shard                     int
	Loss, ProbeLoss           float64
	Correct, Labelled, Images int64
	Samples                   uint64 // digest of which images these are
	Gradient                  uint64 // digest of its gradient, in a step that is verified
}

// Phase is a part of a step: the time in which nothing else was done, and what it took in all where that is another.
type Phase struct {
	Name             string
	Seconds, Latency float64
}

// Measured is a worker's part of an evaluation.
type Measured struct {
	Generation, Step int64
	Counts           []run.Count
	Error            string
}

// Saved reports a checkpoint, or in Error why there is none.
type Saved struct {
	Step         int64
	Path, SHA256 string
	Bytes        uint64
	Error        string
	Seconds      float64
	// Order is the one that it carries out, 0 if that is not known.
	Order int64
}

// Leave is a worker's last message.
type Leave struct {
	Reason, Hint string
	Failed       bool
	Code         int
}

// Complaint says that a worker's group broke; it has dropped the step, and waits for another generation. Suspect is the
// rank that broke it, −1 when it does not know, and Address where it was tried. NotFinite says that the group is whole,
// and the sum of all gradients is no number; a Code that this worker cannot do its part of the step, and would end with
// that: it still holds the state.
type Complaint struct {
	Generation, Step int64
	Phase            string
	Suspect          int
	Address, Reason  string
	Waiting          time.Duration
	Stacks           string
	NotFinite        bool
	Code             int
	Hint             string
}

// Leaving says that a worker was asked to go; it works on until it may.
type Leaving struct{ Reason string }

// TooLarge says that a worker can hold no more than MaxShards shards.
type TooLarge struct {
	Generation int64
	MaxShards  int
	Reason     string
}

// Stacks are those of a worker's goroutines.
type Stacks struct{ Text string }

// Unreadable reports an image that cannot be read.
type Unreadable struct {
	Index       int64
	Name, Error string
	Evaluation  bool // it is of the evaluation's images
}

// Strange is a message that a member may not send.
type Strange struct{ Type string }
