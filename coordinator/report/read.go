package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// History is what the files of a run directory tell of the run.
type History struct {
	Steps       []Past // ascending, one for each step that is known
	Evaluations []Evaluation
	Events      []Event
	// Missing counts steps of which nothing is known, FromLog those of which only the common log was.
	Missing, FromLog int64
	// Unreadable counts lines that say nothing that can be understood, as a crash leaves one.
	Unreadable int
}

// Past is a step as it is read back. FromLog says that only epoch, loss, rate, tau and digest are known.
type Past struct {
	Step
	FromLog bool `json:"from_log"`
	Missing int64
}

// Read reads the files in dir, whatever state they are in. Files that are not there are empty. An error says which
// could not be read at all; what the others say is returned beside it.
func Read(dir string) (History, error) {
	var h History
	var errs []error
	for _, f := range []struct {
		name string
		take func(line []byte) bool
	}{
		{MetricsFile, h.step},
		{EvaluationsFile, func(line []byte) bool {
			var e Evaluation
			ok := json.Unmarshal(line, &e) == nil
			if ok {
				h.Evaluations = append(h.Evaluations, e)
			}
			return ok
		}},
		{EventsFile, func(line []byte) bool {
			var e Event
			ok := json.Unmarshal(line, &e) == nil && e.ID > 0
			if ok {
				h.Events = append(h.Events, e)
			}
			return ok
		}},
	} {
		if err := eachLine(filepath.Join(dir, f.name), func(line []byte) {
			if !f.take(line) {
				h.Unreadable++
			}
		}); err != nil {
			errs = append(errs, err)
		}
	}
	return h, errors.Join(errs...)
}

// pastStep reads a line of metrics.
func pastStep(line []byte) (p Past, ok bool) {
	err := json.Unmarshal(modern(line), &p)
	return p, err == nil && p.Step.Step >= 1
}

// step takes a line of metrics. One that does not ascend takes the place of what it comes again for.
func (h *History) step(line []byte) bool {
	p, ok := pastStep(line)
	if !ok {
		return false
	}
	for n := len(h.Steps); n > 0 && h.Steps[n-1].Step.Step >= p.Step.Step; n-- {
		h.Steps = h.Steps[:n-1]
	}
	if p.Missing > 0 {
		h.Missing += p.Missing
		return true
	}
	if p.FromLog {
		h.FromLog++
	}
	h.Steps = append(h.Steps, p)
	return true
}

// Pace is how many steps have a time of their own, and how much that is in all.
func (h *History) Pace() (steps int64, seconds float64) {
	for i := range h.Steps {
		if s := h.Steps[i].Seconds; s > 0 {
			steps, seconds = steps+1, seconds+s
		}
	}
	return steps, seconds
}

// Each calls step for each step that the metrics in dir tell of, in the order of their lines, and evaluated for each
// evaluation. A step that does not ascend takes the place of all from it on. It keeps nothing of them.
func Each(dir string, step func(*Past), evaluated func(*Evaluation)) error {
	err := eachLine(filepath.Join(dir, MetricsFile), func(line []byte) {
		if p, ok := pastStep(line); ok && p.Missing == 0 {
			step(&p)
		}
	})
	return errors.Join(err, eachLine(filepath.Join(dir, EvaluationsFile), func(line []byte) {
		var e Evaluation
		if json.Unmarshal(line, &e) == nil {
			evaluated(&e)
		}
	}))
}

// eachLine calls f for each line of a file that is not empty, whole or not.
func eachLine(path string, f func(line []byte)) error {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read report: %w", err)
	}
	defer file.Close()
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadBytes('\n')
		if line = bytes.TrimSpace(line); len(line) > 0 {
			f(line)
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("read report: %w", err)
		}
	}
}
