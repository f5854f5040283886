// Package fault turns texts into faults, for tests that must see a run survive them or name them. A plan is a
// list of faults separated by semicolons, such as
//
//	flip theta rank=1 step=3; flip gradient shard=2 step=4 element=10 bit=30; kill rank=0 step=5
//
// and prints as it parses, so that a failing test's plan can be given to another run. A Plan is a value; who
// asks it carries the faults out. It is only consulted where a test or BYOL_FAULTS put it.
//
// When it fails: Parse names the word it does not understand. A fault that never matches does nothing.
package fault

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Fault is one thing that goes wrong. Rank and Shard are −1 where any will do.
type Fault struct {
	Action  string // "flip" a bit, or "kill" the process, or "kill-proposed"
	Target  string // of a flip: theta, momentum, statistics, target, gradient
	Rank    int
	Shard   int // of a gradient
	Step    int64
	Element int // which element, modulo the length
	Bit     int // which bit of it, 0…31
}

// Plan is a list of faults; the zero value holds none.
type Plan []Fault

var targets = map[string]bool{"theta": true, "momentum": true, "statistics": true, "target": true, "gradient": true}

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
	words = words[1:]
	switch f.Action {
	case "kill", "kill-proposed":
	case "flip":
		if len(words) == 0 || !targets[words[0]] {
			return f, fmt.Errorf("flip what? theta, momentum, statistics, target or gradient")
		}
		f.Target, words = words[0], words[1:]
	default:
		return f, fmt.Errorf("action %q is none of flip, kill, kill-proposed", f.Action)
	}
	for _, w := range words {
		if err := f.set(w); err != nil {
			return f, err
		}
	}
	if f.Step < 0 {
		return f, fmt.Errorf("step=N is missing")
	}
	return f, nil
}

func (f *Fault) set(word string) error {
	key, value, _ := strings.Cut(word, "=")
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 {
		return fmt.Errorf("%q is not KEY=NUMBER", word)
	}
	switch {
	case key == "step":
		f.Step = n
	case key == "rank" && n <= math.MaxInt32:
		f.Rank = int(n)
	case key == "shard" && f.Target == "gradient" && n <= math.MaxInt32:
		f.Shard = int(n)
	case key == "element" && f.Action == "flip" && n <= math.MaxInt32:
		f.Element = int(n)
	case key == "bit" && f.Action == "flip" && n < 32:
		f.Bit = int(n)
	default:
		return fmt.Errorf("%q does not go with %s", word, strings.TrimSpace(f.Action+" "+f.Target))
	}
	return nil
}

// String prints the plan as Parse reads it.
func (p Plan) String() string {
	parts := make([]string, len(p))
	for i, f := range p {
		parts[i] = f.String()
	}
	return strings.Join(parts, "; ")
}

// String prints the fault as Parse reads it.
func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(f.Action)
	if f.Target != "" {
		b.WriteString(" " + f.Target)
	}
	if f.Rank >= 0 {
		fmt.Fprintf(&b, " rank=%d", f.Rank)
	}
	if f.Shard >= 0 {
		fmt.Fprintf(&b, " shard=%d", f.Shard)
	}
	fmt.Fprintf(&b, " step=%d", f.Step)
	if f.Element > 0 {
		fmt.Fprintf(&b, " element=%d", f.Element)
	}
	if f.Bit > 0 {
		fmt.Fprintf(&b, " bit=%d", f.Bit)
	}
	return b.String()
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

// Flip damages x, which is target of rank in step, where the plan says so, and reports whether it did. shard
// is the shard that a gradient belongs to, −1 for anything else.
func (p Plan) Flip(target string, rank, shard int, step int64, x []float32) bool {
	flipped := false
	for _, f := range p {
		if f.Action != "flip" || f.Target != target || f.Step != step || len(x) == 0 {
			continue
		}
		if (f.Rank >= 0 && f.Rank != rank) || (f.Shard >= 0 && f.Shard != shard) {
			continue
		}
		i := f.Element % len(x)
		x[i] = math.Float32frombits(math.Float32bits(x[i]) ^ 1<<f.Bit)
		flipped = true
	}
	return flipped
}
