// Package fault turns texts into faults, for tests that must see a run survive them or name them. A plan is a
// list of faults separated by semicolons, such as
//
//	flip theta rank=1 step=3; flip gradient shard=2 step=4 attempt=1 bit=30; kill rank=0 step=5
//	cut a<->b step=2 for=10s; delay *->b by=20ms; limit a->b rate=100000; flip b->a after=4000 bit=7
//
// and prints as it parses, so that a failing test's plan can be given to another run. A fault is of a worker's
// process (kill, kill-proposed) or state (flip), or of a line between two hosts (cut, delay, limit, break, heal,
// flip). A Plan is a value; who asks it carries the faults out: a worker its own, internal/network/faulty those of
// lines. It is only consulted where a test or BYOL_FAULTS put it.
//
// Points are places in a program's work of which a test is told, so that it can have something happen just there.
//
// When it fails: Parse names the word it does not understand. A fault that never matches does nothing.
package fault

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is one thing that goes wrong. Rank, Shard and Step are −1 where any will do, or where they mean nothing.
type Fault struct {
	// Action is what happens: kill or kill-proposed of a process; flip of a bit; cut, delay, limit, break or heal of
	// a line.
	Action  string
	Target  string // of a flip in a worker: theta, momentum, statistics, target, gradient, sums (of batch norm)
	Line    Line   // of a flip on the way, and of what else happens to lines
	Rank    int
	Shard   int   // of a gradient
	Step    int64 // for lines −1 is at once
	Element int   // which element, modulo the length
	Bit     int   // which bit of it, 0…31; of a byte on the way 0…7
	Attempt int   // of a flip in a worker: the how manieth time that it computes the step, from 1; 0: any

	After int64         // bytes that pass the line before a cut or flip
	By    time.Duration // how long a delay is
	Rate  int64         // bytes in a second that a limit lets pass
	For   time.Duration // how long a cut, delay or limit lasts; 0 until it heals
}

// Line is the way from one host to another. A * is any host.
type Line struct {
	From, To string
	Both     bool // and the way back
}

// Plan is a list of faults; the zero value holds none.
type Plan []Fault

var targets = []string{"theta", "momentum", "statistics", "target", "gradient", "sums"}

// what an action is of.
const (
	ofProcess = "process"
	ofTarget  = "target"
	ofLine    = "line"
)

// keys are what can be said of an action, by what it is of.
var keys = map[string]map[string][]string{
	ofProcess: {"kill": {"rank", "step"}, "kill-proposed": {"rank", "step"}},
	ofTarget:  {"flip": {"rank", "shard", "step", "attempt", "element", "bit"}},
	ofLine: {"flip": {"step", "after", "bit"}, "cut": {"step", "after", "for"}, "delay": {"step", "by", "for"},
		"limit": {"step", "rate", "for"}, "break": {"step"}, "heal": {"step"}},
}

// needed is what an action is nothing without.
var needed = map[string]string{"delay": "by", "limit": "rate"}

// Parse reads a plan; the empty text is the empty plan.
func Parse(text string) (Plan, error) {
	var p Plan
	for part := range strings.SplitSeq(text, ";") {
		words := strings.Fields(part)
		if len(words) == 0 {
			continue
		}
		f, err := parseFault(words)
		if err != nil {
			return nil, fmt.Errorf("fault %q: %w", strings.TrimSpace(part), err)
		}
		p = append(p, f)
	}
	return p, nil
}

func parseFault(words []string) (Fault, error) {
	f := Fault{Action: words[0], Rank: -1, Shard: -1, Step: -1}
	words, err := f.object(words[1:])
	if err != nil {
		return f, err
	}
	said := map[string]bool{}
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		if !slices.Contains(keys[f.of()][f.Action], key) || key == "shard" && f.Target != "gradient" {
			return f, fmt.Errorf("%q does not go with %s", w, f.head())
		}
		if said[key] {
			return f, fmt.Errorf("%q comes after another %s", w, key)
		}
		said[key] = true
		if err := f.set(key, value); err != nil {
			return f, fmt.Errorf("%q: %w", w, err)
		}
	}
	if f.of() != ofLine && !said["step"] {
		return f, fmt.Errorf("step=N is missing")
	}
	if key := needed[f.Action]; key != "" && !said[key] {
		return f, fmt.Errorf("%s= is missing", key)
	}
	return f, nil
}

// object reads what the action is of, and returns the words after it.
func (f *Fault) object(words []string) ([]string, error) {
	if keys[ofProcess][f.Action] != nil {
		return words, nil
	}
	if keys[ofLine][f.Action] == nil {
		return nil, fmt.Errorf("action %q is none of flip, kill, kill-proposed, cut, delay, limit, break, heal", f.Action)
	}
	if len(words) > 0 {
		if line, ok := parseLine(words[0]); ok {
			f.Line = line
			return words[1:], nil
		}
		if keys[ofTarget][f.Action] != nil && slices.Contains(targets, words[0]) {
			f.Target = words[0]
			return words[1:], nil
		}
	}
	if keys[ofTarget][f.Action] != nil {
		return nil, fmt.Errorf("%s what? %s, or a line such as a->b", f.Action, strings.Join(targets, ", "))
	}
	return nil, fmt.Errorf("%s which line? a->b, a<->b, and * for any host", f.Action)
}

func parseLine(word string) (Line, bool) {
	from, to, ok := strings.Cut(word, "->")
	if !ok {
		return Line{}, false
	}
	from, both := strings.CutSuffix(from, "<")
	bad := func(name string) bool { return name == "" || strings.ContainsAny(name, "<>=") }
	return Line{From: from, To: to, Both: both}, !bad(from) && !bad(to)
}

func (f *Fault) set(key, value string) error {
	switch key {
	case "by", "for":
		d, err := time.ParseDuration(value)
		if err != nil || d <= 0 {
			return fmt.Errorf("not KEY=DURATION, such as 20ms")
		}
		if key == "by" {
			f.By = d
		} else {
			f.For = d
		}
		return nil
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 {
		return fmt.Errorf("not KEY=NUMBER")
	}
	most, least := int64(math.MaxInt64), int64(0)
	switch key {
	case "step":
		f.Step = n
	case "after":
		f.After = n
	case "rate":
		f.Rate, least = n, 1
	case "rank":
		f.Rank, most = int(n), math.MaxInt32
	case "shard":
		f.Shard, most = int(n), math.MaxInt32
	case "attempt":
		f.Attempt, most, least = int(n), math.MaxInt32, 1
	case "element":
		f.Element, most = int(n), math.MaxInt32
	case "bit":
		if f.Bit, most = int(n), 31; f.of() == ofLine {
			most = 7
		}
	}
	if n < least || n > most {
		return fmt.Errorf("it is %d to %d", least, most)
	}
	return nil
}

// of is what the fault is of.
func (f *Fault) of() string {
	switch {
	case f.Line != Line{}:
		return ofLine
	case f.Target != "":
		return ofTarget
	}
	return ofProcess
}

// head is the fault without its figures.
func (f *Fault) head() string {
	return strings.TrimSpace(f.Action + " " + f.Target + f.Line.String())
}

// String prints the plan as Parse reads it.
func (p Plan) String() string {
	parts := make([]string, len(p))
	for i, f := range p {
		parts[i] = f.String()
	}
	return strings.Join(parts, "; ")
}

// String prints the line as Parse reads it.
func (l Line) String() string {
	switch {
	case l == Line{}:
		return ""
	case l.Both:
		return l.From + "<->" + l.To
	}
	return l.From + "->" + l.To
}

// String prints the fault as Parse reads it.
func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(f.head())
	for _, figure := range []struct {
		key   string
		value int64
		shown bool
	}{
		{"rank", int64(f.Rank), f.Rank >= 0},
		{"shard", int64(f.Shard), f.Shard >= 0},
		{"step", f.Step, f.Step >= 0},
		{"attempt", int64(f.Attempt), f.Attempt > 0},
		{"element", int64(f.Element), f.Element > 0},
		{"after", f.After, f.After > 0},
		{"bit", int64(f.Bit), f.Bit > 0},
		{"rate", f.Rate, f.Rate > 0},
	} {
		if figure.shown {
			fmt.Fprintf(&b, " %s=%d", figure.key, figure.value)
		}
	}
	if f.By > 0 {
		fmt.Fprintf(&b, " by=%v", f.By)
	}
	if f.For > 0 {
		fmt.Fprintf(&b, " for=%v", f.For)
	}
	return b.String()
}

// Lines are the faults of lines, in order.
func (p Plan) Lines() Plan {
	return slices.DeleteFunc(slices.Clone(p), func(f Fault) bool { return f.of() != ofLine })
}

// Covers reports whether the way from one host to another is part of the line.
func (l Line) Covers(from, to string) bool {
	is := func(name, host string) bool { return name == "*" || name == host }
	return is(l.From, from) && is(l.To, to) || l.Both && is(l.From, to) && is(l.To, from)
}

// Kill reports whether the process of rank is to die at the beginning of step.
func (p Plan) Kill(rank int, step int64) bool { return p.kill("kill", rank, step) }

// KillProposed reports whether it is to die in step when the coordinator has been told all, and may commit.
func (p Plan) KillProposed(rank int, step int64) bool { return p.kill("kill-proposed", rank, step) }

func (p Plan) kill(action string, rank int, step int64) bool {
	for _, f := range p {
		if f.Action == action && f.Step == step && (f.Rank < 0 || f.Rank == rank) {
			return true
		}
	}
	return false
}

// Spot is what a worker holds at some time: where a Flip may strike.
type Spot struct {
	Target  string
	Rank    int
	Shard   int // that a gradient belongs to, −1 for anything else
	Step    int64
	Attempt int // counts from 1 how often this process has begun the step
}

// Flip damages x, which is what lies at a spot, where the plan says so, and reports whether it did.
func (p Plan) Flip(at Spot, x []float32) bool {
	flipped := false
	for _, f := range p {
		if f.of() != ofTarget || f.Target != at.Target || f.Step != at.Step || len(x) == 0 {
			continue
		}
		if f.Rank >= 0 && f.Rank != at.Rank || f.Shard >= 0 && f.Shard != at.Shard ||
			f.Attempt > 0 && f.Attempt != at.Attempt {
			continue
		}
		i := f.Element % len(x)
		x[i] = math.Float32frombits(math.Float32bits(x[i]) ^ 1<<f.Bit)
		flipped = true
	}
	return flipped
}
