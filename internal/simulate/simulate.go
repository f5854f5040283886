// Package simulate runs the control plane against its own failures: three coordinators and four workers on one queue of
// events with a clock of its own. The coordinators are the real run.State and the real lead.Lead; their log, their
// shells, the lines and the workers are models, small enough that one seed decides everything that happens, and a run
// of a minute takes milliseconds.
//
// The numbers that workers compute are a chain of hashes, which knows at once when anything was added twice, in another
// order or from another state. So the state after each step is known beforehand, and everything that anybody commits,
// adopts or stores is compared with it, when it happens.
//
// Nothing here starts a goroutine, reads a clock or depends on the order of a map. A World belongs to its caller.
//
// # When it fails
//
// Run reports in Outcome.Problem the first promise that was broken, and in Outcome.Tail what happened before. The same
// seed does the same again.
package simulate

import (
	"fmt"
	"math/rand/v2"
	"time"

	"byol/coordinator/run"
)

// Options say which run it is.
type Options struct {
	Seed uint64
	// Calm leaves out all faults.
	Calm bool
	// Unverified leaves steps unverified in which gradients are wrong.
	Unverified bool
	// Trace keeps all lines of what happened, not only the last ones.
	Trace bool
}

// Outcome is how a run ended.
type Outcome struct {
	// Problem is the first promise that was broken, "" when all held.
	Problem string
	// End says how the run ended.
	End string
	// Took is from the beginning to the end, Steps how many are committed.
	Took  time.Duration
	Steps int64
	// Final is the digest of the state of the last committed step.
	Final uint64
	// Faults are those that were carried out, Breaks counts groups that broke, Terms those that led, Rewinds goings back.
	Faults                 []string
	Breaks, Terms, Rewinds int64
	Tail                   []string
	Events                 int
}

// The set-up that all runs share.
const (
	coordinators   = 3
	slots          = 4 // for workers
	failureTimeout = 5 * time.Second
	joinTimeout    = 60 * time.Second
	grace          = 20 * time.Second
	awayTimeout    = 60 * time.Second // after which a worker gives up to look for a coordinator
	tickPeriod     = 250 * time.Millisecond
	healAt         = 14 * time.Second // from then on nothing goes wrong
	progressBound  = 45 * time.Second // for ten more committed steps after that
	giveUpAt       = 20 * time.Minute
	tailKept       = 120
)

// World is one run.
type World struct {
	o      Options
	rng    *rand.Rand
	now    time.Duration
	queue  queue
	model  model
	raft   raft
	hosts  [coordinators + slots]machineRef
	cuts   [coordinators + slots][coordinators + slots]bool
	coords []*coordinator
	slots  [slots]*process
	disk   disk
	faults faults
	proof  proof

	streams  int64
	settings run.Settings
	indexed  bool // workers ask for ranks
	lies     bool // gradients are wrong
	over     bool
	out      Outcome
}

// machineRef is whatever lives on a host now.
type machineRef interface{ is() *machine }

// Run runs one seed to its end.
func Run(o Options) Outcome {
	w := newWorld(o)
	for !w.over && len(w.queue) > 0 {
		e := w.queue.pop()
		w.now = e.at
		w.out.Events++
		e.do()
		if w.now > giveUpAt {
			w.problem("no end after %v: %s", w.now, w.situation())
		}
	}
	w.finish()
	return w.out
}

func newWorld(o Options) *World {
	w := &World{o: o, rng: rand.New(rand.NewPCG(o.Seed, 41))}
	w.indexed = w.chance(50)
	end := int64(24 + w.rng.IntN(17))
	least := []int{1, 1, 2, 3}[w.rng.IntN(4)]
	w.settings = run.Settings{RunID: "r", Workers: slots, MinWorkers: least, Shards: 8, TotalSteps: end, EndStep: end,
		SaveEvery: int64(2 + w.rng.IntN(6)), Evaluates: w.chance(50), EvalEvery: int64(5 + w.rng.IntN(10)),
		VerifyEvery: []int64{0, 0, 1, 5}[w.rng.IntN(4)]}
	w.lies = w.settings.VerifyEvery == 1 // only where all steps are verified is every wrong gradient found
	if o.Unverified {
		w.settings.VerifyEvery = 0
	}
	w.model = newModel(w)
	w.disk.files = map[string]file{}
	w.proof = newProof()
	for i := range coordinators {
		c := &coordinator{w: w, id: i}
		c.machine = machine{w: w, host: i, alive: true}
		w.coords, w.hosts[i] = append(w.coords, c), c
	}
	for slot := range slots {
		w.start(slot)
	}
	w.raft = raft{w: w, leader: -1, since: -2 * time.Second}
	w.plan()
	w.every(100*time.Millisecond, w.raft.look)
	w.after(healAt, w.heal)
	return w
}

// finish checks what must hold at the end.
func (w *World) finish() {
	last := w.lastState()
	w.out.Took, w.out.Steps, w.out.Breaks, w.out.Terms = w.now, last.Step, last.Restarts, w.raft.term
	if last.Step > 0 || last.TargetKnown {
		w.out.Final = last.Target
	}
	w.checkCopies()
	if !w.over && w.out.Problem == "" {
		w.problem("nothing happens any more: %s", w.situation())
	}
}

// problem notes the first promise that was broken, and ends the run.
func (w *World) problem(format string, args ...any) {
	if w.out.Problem == "" {
		w.out.Problem = fmt.Sprintf("at %v: ", w.now) + fmt.Sprintf(format, args...)
	}
	w.over = true
}

// note keeps a line of what happened.
func (w *World) note(format string, args ...any) {
	line := fmt.Sprintf("%9.3f ", w.now.Seconds()) + fmt.Sprintf(format, args...)
	w.out.Tail = append(w.out.Tail, line)
	if n := len(w.out.Tail); !w.o.Trace && n > 2*tailKept {
		w.out.Tail = append(w.out.Tail[:0], w.out.Tail[n-tailKept:]...)
	}
}

// chance is true in so many of a hundred cases.
func (w *World) chance(percent int) bool { return w.rng.IntN(100) < percent }

// between draws a time.
func (w *World) between(a, b time.Duration) time.Duration {
	return a + time.Duration(w.rng.Int64N(int64(b-a)+1))
}

// clock is the time as those see it that are simulated.
func (w *World) clock() time.Time { return epoch.Add(w.now) }

var epoch = time.Unix(1700000000, 0)

// situation says where the run stands.
func (w *World) situation() string {
	s := w.lastState()
	text := fmt.Sprintf("%s step %d of %d generation %d (%q), led by %d in term %d; members", s.Phase, s.Step,
		s.Settings.EndStep, s.Generation, s.Reason, w.raft.leader, w.raft.term)
	for _, m := range s.Members {
		text += fmt.Sprintf(" %s:%d", m.ID, m.Rank)
	}
	for _, p := range w.slots {
		text += "; " + p.situation()
	}
	return text
}
