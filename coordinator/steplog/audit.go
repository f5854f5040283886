package steplog

import (
	"fmt"
	"math"
	"strings"

	"byol/coordinator/run"
	"byol/internal/vector"
)

// Rules are what a run promises about its images.
type Rules struct {
	Images int64 // in the data: an epoch
	Batch  int64
	Shards int
	// Order is which images shard v of a step has, by their index in the data: a pure function, the workers' own.
	Order func(step int64, v int) []int
}

// Wrong is a promise that was not kept. Line and Step are −1 where none is to blame.
type Wrong struct {
	Line int
	Step int64
	What string
}

func (w *Wrong) Error() string { return w.What }

// Findings are what an audit has looked at.
type Findings struct {
	// First and Next: every step from First to Next−1 was committed. The run began with First, from a checkpoint of
	// another directory if that is not 0.
	First   int64 `json:"first_step"`
	Next    int64 `json:"next_step"`
	Again   int64 `json:"run_again"` // lines of steps that were run again after a rewind, with the same bits
	Skipped int64 `json:"skipped"`
	// Pending are steps that were committed before a rewind and were not run again so far.
	Pending int64 `json:"to_be_run_again"`
	// Restarts are how often a coordinator went on.
	Restarts int  `json:"restarts"`
	Torn     bool `json:"torn_last_line"`
	// Whole are the epochs in which each image was used exactly once, FirstWhole the first of them. Of the last one,
	// which goes on, Partial images were used, each once.
	FirstWhole int64 `json:"first_whole_epoch"`
	Whole      int64 `json:"whole_epochs"`
	Partial    int64 `json:"images_of_unfinished_epoch"`
	Used       int64 `json:"images_used"`
}

// Audit proves from a log that the steps of a run have neither gaps nor doubles, that each was made of the images that
// the order gives it, and so that every epoch used each image exactly once. only is the epoch to look at, −1 for all;
// the sequence of steps is always looked at as a whole. The error is a *Wrong, of the first step that breaks a promise.
func Audit(c Content, rules Rules, only int64) (Findings, error) {
	f, steps, err := sequence(c)
	if err != nil {
		return f, err
	}
	a := auditor{rules: rules, only: only, findings: &f, epoch: -1, used: make([]bool, rules.Images)}
	for i, r := range steps {
		if err := a.step(f.First+int64(i), r); err != nil {
			return f, err
		}
	}
	return f, a.end()
}

// sequence checks that steps come one after another, and returns for each the line that counts.
func sequence(c Content) (Findings, []run.Record, error) {
	f := Findings{Torn: c.Torn, FirstWhole: -1}
	if len(c.Lines) == 0 {
		return f, nil, &Wrong{Line: -1, Step: -1, What: "the log is empty"}
	}
	s := walk{f: &f, seen: map[int64]run.Record{}}
	for i, l := range c.Lines {
		var err error
		switch {
		case l.Problem != nil:
			err = &Wrong{Line: l.Number, Step: f.Next,
				What: fmt.Sprintf("line %d, where step %d should be, is damaged: %v", l.Number, f.Next, l.Problem)}
		case (l.Kind == Begin) != (i == 0):
			err = &Wrong{Line: l.Number, Step: -1, What: fmt.Sprintf("line %d is not where the log begins", l.Number)}
		case l.Kind == Begin:
			f.First, f.Next = l.First, l.First
		case l.Kind == Restart:
			s.restarted = true
			f.Restarts++
		default:
			err = s.step(l)
		}
		if err != nil {
			return f, nil, err
		}
	}
	for step := range s.seen {
		f.Pending = max(f.Pending, step+1-f.Next)
	}
	return f, s.steps, nil
}

// walk goes along the lines of steps.
type walk struct {
	f         *Findings
	steps     []run.Record         // those that count, from the first on
	seen      map[int64]run.Record // of every step that ever was committed, the last line so far
	last      run.Record
	restarted bool // since the last step
}

func (w *walk) step(l Line) error {
	r, f := l.Record, w.f
	wrong := func(step int64, format string, args ...any) error {
		return &Wrong{Line: l.Number, Step: step, What: fmt.Sprintf(format, args...)}
	}
	began := len(w.seen) > 0
	switch {
	case r.Step > f.Next:
		return wrong(f.Next, "step %d is missing: line %d has step %d", f.Next, l.Number, r.Step)
	case r.Step < f.First:
		return wrong(r.Step, "line %d has step %d, the log begins with step %d", l.Number, r.Step, f.First)
	case began && !w.restarted && r.Generation < w.last.Generation:
		return wrong(r.Step, "step %d was committed by generation %d after one of generation %d", r.Step, r.Generation,
			w.last.Generation)
	case r.Step < f.Next && !w.restarted && r.Generation == w.last.Generation:
		return wrong(r.Step, "step %d was committed twice: line %d has it again", r.Step, l.Number)
	}
	if before, ok := w.seen[r.Step]; ok {
		if parts := Differences(before, r); len(parts) > 0 {
			return wrong(r.Step, "step %d was run again and came out otherwise: %s", r.Step, strings.Join(parts, "; "))
		}
		f.Again++
	}
	w.seen[r.Step], w.last, w.restarted = r, r, false
	w.steps = append(w.steps[:r.Step-f.First], r)
	f.Next = r.Step + 1
	return nil
}

// Differences names in what two records of one step differ, but for when and by whom it was committed.
func Differences(a, b run.Record) []string {
	parts := a.Differences(b)
	if math.Float64bits(a.Loss) != math.Float64bits(b.Loss) {
		parts = append(parts, fmt.Sprintf("loss %v (%016x) and %v (%016x)", a.Loss, math.Float64bits(a.Loss), b.Loss,
			math.Float64bits(b.Loss)))
	}
	if a.Samples != b.Samples {
		parts = append(parts, fmt.Sprintf("images %016x and %016x", a.Samples, b.Samples))
	}
	if a.Images != b.Images {
		parts = append(parts, fmt.Sprintf("%d and %d images", a.Images, b.Images))
	}
	if a.Skipped != b.Skipped {
		parts = append(parts, "one was skipped")
	}
	return parts
}

// auditor follows the images of one step after another.
type auditor struct {
	rules    Rules
	only     int64
	findings *Findings
	epoch    int64 // that used is of, −1 before the first
	used     []bool
	count    int64
}

// wants reports whether any image of a step is of the epoch that is looked at.
func (a *auditor) wants(step int64) bool {
	first, last := step*a.rules.Batch/a.rules.Images, ((step+1)*a.rules.Batch-1)/a.rules.Images
	return a.only < 0 || first <= a.only && a.only <= last
}

// step looks at the images of a step.
func (a *auditor) step(step int64, r run.Record) error {
	if r.Skipped {
		a.findings.Skipped++
	}
	if !a.wants(step) {
		return nil
	}
	if r.Images != a.rules.Batch {
		return &Wrong{Line: -1, Step: step, What: fmt.Sprintf("step %d was made of %d images, a batch has %d", step, r.Images,
			a.rules.Batch)}
	}
	shards := make([]uint64, a.rules.Shards)
	position := step * a.rules.Batch
	for v := range shards {
		images := a.rules.Order(step, v)
		shards[v] = vector.FoldIndices(images)
		for _, image := range images {
			if err := a.use(step, position, int64(image)); err != nil {
				return err
			}
			position++
		}
	}
	if want := vector.Fold(shards); r.Samples != want {
		return &Wrong{Line: -1, Step: step, What: fmt.Sprintf("step %d did not use the images that are its own: the log has "+
			"their digest as %016x, the order gives %016x", step, r.Samples, want)}
	}
	return nil
}

// use notes that the image at a position of the endless stream was used.
func (a *auditor) use(step, position, image int64) error {
	epoch := position / a.rules.Images
	if a.only >= 0 && epoch != a.only {
		return nil
	}
	if epoch != a.epoch {
		if err := a.turn(epoch); err != nil {
			return err
		}
	}
	switch {
	case image < 0 || image >= a.rules.Images:
		return &Wrong{Line: -1, Step: step, What: fmt.Sprintf("step %d used image %d, and there are %d", step, image,
			a.rules.Images)}
	case a.used[image]:
		return &Wrong{Line: -1, Step: step, What: fmt.Sprintf("image %d was used twice in epoch %d, again at step %d", image,
			epoch, step)}
	}
	a.used[image] = true
	a.count++
	a.findings.Used++
	return nil
}

// turn closes the epoch that was looked at, and begins another.
func (a *auditor) turn(epoch int64) error {
	err := a.end()
	clear(a.used)
	a.epoch, a.count, a.findings.Partial = epoch, 0, 0
	return err
}

// end closes an epoch: one that the log has from its first image to its last must have used them all.
func (a *auditor) end() error {
	first, next := a.findings.First*a.rules.Batch, a.findings.Next*a.rules.Batch
	begins, ends := a.epoch*a.rules.Images, (a.epoch+1)*a.rules.Images
	switch {
	case a.epoch < 0 || a.count == 0:
		return nil
	case begins < first || ends > next:
		a.findings.Partial = a.count
		return nil
	}
	for image, used := range a.used {
		if !used {
			return &Wrong{Line: -1, Step: -1, What: fmt.Sprintf("image %d was not used in epoch %d", image, a.epoch)}
		}
	}
	if a.findings.Whole == 0 {
		a.findings.FirstWhole = a.epoch
	}
	a.findings.Whole++
	return nil
}
