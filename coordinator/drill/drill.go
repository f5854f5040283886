// Package drill is what a drill does and what it finds, as values: which faults in which order, when each was noticed
// and recovered from, and the report that says so with a picture. Whoever carries the faults out is a layer above.
//
// Everything is a function of its operands: the plan of a seed, the outcome of a fault by the events and the committed
// steps of the run.
//
// When it fails: it does not. A fault that nobody noticed, or that the run did not recover from, is an Outcome that
// says so, and Verdict counts it.
package drill

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Kind is a kind of fault.
type Kind string

// The kinds of faults.
const (
	KillWorker      Kind = "kill-worker"      // SIGKILL
	KillLeader      Kind = "kill-leader"      // SIGKILL to the coordinator that leads
	Stop            Kind = "stop"             // SIGSTOP to a worker for longer than the failure timeout
	StopLeader      Kind = "stop-leader"      // the same to the coordinator that leads
	Partition       Kind = "partition"        // a worker is cut off from the coordinators, for as long
	PartitionLeader Kind = "partition-leader" // the one that leads is cut off from coordinators and workers, for as long
	Slow            Kind = "slow"             // a worker gets an eighth of its time or less
	Corrupt         Kind = "corrupt"          // a bit flips between a worker and the coordinator
	FlipGradient    Kind = "flip-gradient"    // a bit flips in a worker's gradient, before the sum
)

// Kinds are all kinds, in the order in which reports list them.
var Kinds = []Kind{KillWorker, KillLeader, Stop, StopLeader, Partition, PartitionLeader, Slow, Corrupt, FlipGradient}

// OfLeader reports whether a fault hits the coordinator that leads.
func (k Kind) OfLeader() bool { return k == KillLeader || k == StopLeader || k == PartitionLeader }

// Fault is one that is to be injected.
type Fault struct {
	Kind Kind
	// Victim draws whom it hits: of n, number Victim modulo n.
	Victim int
	// Pause is how long the run goes on undisturbed before it, so that it hits any moment of a step.
	Pause time.Duration
}

// Plan lists the faults wished for in an order that the seed draws.
func Plan(seed uint64, wishes map[Kind]int) []Fault {
	draw := rand.New(rand.NewPCG(seed, 0x6472696c6c)) // "drill"
	var plan []Fault
	for _, kind := range Kinds {
		for range wishes[kind] {
			plan = append(plan, Fault{Kind: kind, Victim: draw.IntN(1 << 20),
				Pause: time.Duration(draw.IntN(int(maxPause)))})
		}
	}
	draw.Shuffle(len(plan), func(i, j int) { plan[i], plan[j] = plan[j], plan[i] })
	slices.SortStableFunc(plan, func(a, b Fault) int { return a.Kind.place() - b.Kind.place() })
	return plan
}

// place is 0 for what is planned before a run begins, for a step that is known by then, and 1 for what comes after it.
func (k Kind) place() int {
	if k == FlipGradient {
		return 0
	}
	return 1
}

// maxPause is longer than a step of what is drilled usually takes.
const maxPause = 300 * time.Millisecond

// Event is one of the run, by its kind in the words of its log.
type Event struct {
	At           time.Time
	Kind         string
	Worker, Text string
}

// Commit is a committed step.
type Commit struct {
	At               time.Time
	Step, Generation int64
}

// Injected is a fault that was carried out.
type Injected struct {
	Fault
	At     time.Time
	Lasted time.Duration // until it was taken back, 0 for one that needs no taking back
	Who    string        // a worker's name, or a coordinator's
	Step   int64         // committed last before it
	// Generation is that of the last step before it.
	Generation int64
	Rerun      int64 // steps that were in flight and dropped until the run had recovered
}

// noticing are the events by which a kind of fault is noticed.
var noticing = map[Kind][]string{
	KillWorker:      {"worker-exited", "worker-lost", "worker-left", "group-broken", "fewer-workers"},
	KillLeader:      {"leader-elected", "coordinator-started"},
	Stop:            {"worker-lost", "worker-left", "group-broken", "fewer-workers", "worker-exited"},
	StopLeader:      {"leader-elected"},
	Partition:       {"worker-lost", "worker-left", "group-broken", "fewer-workers"},
	PartitionLeader: {"leader-elected"},
	Slow:            {"straggler"},
	Corrupt: {"step-repeated", "message-refused", "worker-lost", "worker-left", "group-broken", "fewer-workers",
		"worker-quarantined"},
	FlipGradient: {"worker-quarantined", "step-settled"},
}

// Outcome is what became of a fault.
type Outcome struct {
	Injected
	Noticed   bool
	By        string        // the event
	After     time.Duration // from the fault to the event
	Recovered bool
	Next      time.Duration // from the event, or from the fault if there was none, to the next committed step
	Out       time.Duration // from the fault to that step
	Led       string        // the coordinator that leads since then
}

// Judge finds out what became of a fault: events and commits are those of the run in order of time, until the next
// fault. A fault is over with the first step of a newer generation than that of the last step before it was noticed; a
// slow worker or a damaged message breaks no group, so that any step is a recovery from it.
func Judge(f Injected, events []Event, commits []Commit) Outcome {
	o := Outcome{Injected: f}
	since := f.At
	for _, e := range events {
		if !e.At.Before(f.At) && slices.Contains(noticing[f.Kind], e.Kind) && !e.ofAnother(f.Who) {
			o.Noticed, o.By, o.After, since = true, e.Kind, e.At.Sub(f.At), e.At
			break
		}
	}
	broken := f.Generation
	for _, c := range commits {
		if !c.At.After(since) {
			broken = max(broken, c.Generation)
		} else if c.Generation > broken || !f.Kind.breaks() {
			o.Recovered, o.Next, o.Out = true, c.At.Sub(since), c.At.Sub(f.At)
			break
		}
	}
	return o
}

// ofAnother reports whether an event is about a worker that is not who: a late one of an earlier fault. Any member may
// complain of a broken group.
func (e Event) ofAnother(who string) bool {
	return e.Worker != "" && e.Worker != who && slices.Contains([]string{"worker-lost", "worker-exited", "worker-left",
		"worker-quarantined", "straggler"}, e.Kind)
}

// breaks reports whether a fault of this kind surely breaks the group.
func (k Kind) breaks() bool { return k.OfLeader() || k == KillWorker || k == Stop || k == Partition }

// Bounds are what is promised of a kind: how long until it is noticed, until the next step after that, and both.
type Bounds struct{ Notice, Next, Out time.Duration }

// Promised are the bounds with a failure timeout; 0 promises nothing.
func Promised(k Kind, timeout time.Duration) Bounds {
	switch k {
	case KillWorker:
		return Bounds{Notice: time.Second, Next: 5 * time.Second}
	case Stop, Partition:
		return Bounds{Notice: timeout + time.Second, Next: 5 * time.Second}
	case KillLeader, StopLeader, PartitionLeader:
		return Bounds{Out: 8 * time.Second}
	}
	return Bounds{}
}

// Findings are all that a drill came to.
type Findings struct {
	Title    string
	Facts    []string // about the machine, the run and what was asked for: a line each
	Timeout  time.Duration
	Outcomes []Outcome
	Commits  []Commit
	Dir      string    // of the run, with the log of its steps
	Loads    []float64 // the machine's load average at each fault
	// Steps were committed; Again were committed a second time after a rewind, and Lost never again.
	Steps, Again, Lost int64
	Audit              string // what the audit says; "" if it passed
	// Compared says that the same run was made without faults, and Differs in what it ended otherwise.
	Compared bool
	Differs  string
	SHA256   string
}

// Problems are the promises that were not kept, a line each; none is a drill that passed.
func (f *Findings) Problems() []string {
	var all []string
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if n := int64(minSteps); f.Steps < n {
		say("only %d steps were committed: a drill of fewer than %d shows nothing", f.Steps, n)
	}
	for i, o := range f.Outcomes {
		name := fmt.Sprintf("fault %d, %s of %s at step %d", i+1, o.Kind, o.Who, o.Step)
		switch {
		case !o.Recovered:
			say("%s: no step was committed after it", name)
		case !o.Noticed:
			say("%s: nobody noticed", name)
		}
	}
	for _, row := range f.Table() {
		p := Promised(row.Kind, f.Timeout)
		for _, b := range []struct {
			what  string
			most  time.Duration
			found Spread
		}{{"noticed after", p.Notice, row.After}, {"the next step after that", p.Next, row.Next},
			{"back after", p.Out, row.Out}} {
			if b.most > 0 && row.Count > 0 && b.found.P99 > b.most {
				say("%s: %s %s at the 99th percentile, promised are %s", row.Kind, b.what, short(b.found.P99), short(b.most))
			}
		}
	}
	if f.Lost > 0 {
		say("%d committed steps are lost", f.Lost)
	}
	if f.Audit != "" {
		say("the audit failed: %s", f.Audit)
	}
	if f.Differs != "" {
		say("the run without faults ended otherwise: %s", f.Differs)
	}
	return all
}

// minSteps is how many steps a drill must see to show anything.
const minSteps = 30

// Spread is a distribution of times.
type Spread struct{ P50, P99, Most time.Duration }

func spread(all []time.Duration) Spread {
	if len(all) == 0 {
		return Spread{}
	}
	slices.Sort(all)
	return Spread{P50: all[(len(all)-1)/2], P99: all[(len(all)*99+99)/100-1], Most: all[len(all)-1]}
}

// Row sums up the faults of a kind.
type Row struct {
	Kind             Kind
	Count            int
	Noticed          int
	Recovered        int
	After, Next, Out Spread
	Rerun            int64
}

// Table has a row for each kind that was injected.
func (f *Findings) Table() []Row {
	var rows []Row
	for _, kind := range Kinds {
		row := Row{Kind: kind}
		var after, next, out []time.Duration
		for _, o := range f.Outcomes {
			if o.Kind != kind {
				continue
			}
			row.Count++
			row.Rerun += o.Rerun
			if o.Noticed {
				row.Noticed++
				after = append(after, o.After)
			}
			if o.Recovered {
				row.Recovered++
				next, out = append(next, o.Next), append(out, o.Out)
			}
		}
		if row.Count > 0 {
			row.After, row.Next, row.Out = spread(after), spread(next), spread(out)
			rows = append(rows, row)
		}
	}
	return rows
}

// short is a time with as many digits as mean something.
func short(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= time.Millisecond:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return strings.Replace(d.Round(10*time.Microsecond).String(), "µs", " µs", 1)
}
