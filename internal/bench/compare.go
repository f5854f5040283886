package main

import (
	"context"
	"strings"
)

// outcome is a comparison after it has run.
type outcome struct {
	comparison
	sides   []sideOutcome
	failure string // what ended it early
}

// sideOutcome is what one side did. Index i of runs is pair i.
type sideOutcome struct {
	side
	skipped string // why it took no part
	variant []string
	tried   []string // variants and what they reached
	runs    []*reading
}

// values are the runs' values of one figure, in its unit.
func (s *sideOutcome) values(f figure) []float64 {
	var out []float64
	for _, r := range s.runs {
		if v, ok := r.figures[f.key]; ok {
			out = append(out, v*f.scale)
		}
	}
	return out
}

func (s *sideOutcome) label() string {
	if len(s.variant) == 0 {
		return s.name
	}
	return s.name + " (" + strings.TrimPrefix(strings.Join(s.variant, " "), "--") + ")"
}

// compare runs all pairs of one comparison.
func (e *environment) compare(ctx context.Context, c comparison) outcome {
	out := outcome{comparison: c}
	for i := range c.sides {
		s := sideOutcome{side: c.sides[i]}
		if w := e.options.without; w != nil && w.MatchString(s.name) {
			s.skipped = "left out by -without"
			e.say("%s: %s is left out", c.name, s.name)
			out.sides = append(out.sides, s)
			continue
		}
		for _, need := range s.needs {
			if s.skipped = e.missing(ctx, need); s.skipped != "" {
				e.say("%s: %s is skipped: %s", c.name, s.name, s.skipped)
				break
			}
		}
		out.sides = append(out.sides, s)
	}
	if !out.worthwhile() {
		e.say("%s is skipped: nothing to compare", c.name)
		return out
	}
	for i := range out.sides {
		if err := e.chooseVariant(ctx, c, &out.sides[i]); err != nil {
			return e.failed(out, &out.sides[i], err)
		}
	}
	for pair := range e.options.pairs {
		for i := range out.sides {
			s := &out.sides[i]
			if s.skipped != "" {
				continue
			}
			r, err := e.measure(ctx, &s.side, s.variant, e.options.quick)
			if err != nil {
				return e.failed(out, s, err)
			}
			s.runs = append(s.runs, r)
			e.say("%s, pair %d of %d, %s: %s", c.name, pair+1, e.options.pairs, s.label(), tell(c, r))
		}
	}
	return out
}

// worthwhile reports whether a side of ours is there, and a peer unless the comparison has none.
func (o *outcome) worthwhile() bool {
	ours, peers, absent := 0, 0, 0
	for _, s := range o.sides {
		switch {
		case s.peer && s.skipped != "":
			absent++
		case s.skipped != "":
		case s.peer:
			peers++
		default:
			ours++
		}
	}
	return ours > 0 && (peers > 0 || absent == 0)
}

func (e *environment) failed(o outcome, s *sideOutcome, err error) outcome {
	o.failure = s.name + ": " + err.Error()
	e.say("%s failed: %s", o.name, o.failure)
	return o
}

// chooseVariant runs each variant of a side once, short, and keeps the best by the first figure. A quick try takes
// the first.
func (e *environment) chooseVariant(ctx context.Context, c comparison, s *sideOutcome) error {
	if len(s.variants) == 0 || s.skipped != "" {
		return nil
	}
	s.variant = s.variants[0]
	if e.options.quick {
		return nil
	}
	best := 0.0
	for _, v := range s.variants {
		r, err := e.measure(ctx, &s.side, v, true)
		if err != nil {
			return err
		}
		s.tried = append(s.tried, strings.Join(v, " ")+" "+tell(c, r))
		x := r.figures[c.figures[0].key]
		if c.figures[0].less {
			x = 1 / x
		}
		if x > best {
			best, s.variant = x, v
		}
	}
	return nil
}

// tell says a reading's figures on one line.
func tell(c comparison, r *reading) string {
	var words []string
	for _, f := range c.figures {
		words = append(words, f.title+" "+significant(r.figures[f.key]*f.scale)+" "+f.unit)
	}
	return strings.Join(words, ", ")
}
