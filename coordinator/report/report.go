// Package report keeps what a person or a tool reads about a run, as files of the run directory:
//
//	metrics.jsonl                 a JSON object per committed step, ascending: see Step
//	evaluations.jsonl             a JSON object per evaluation
//	events.jsonl                  what happened, with ids that rise over restarts
//	events.out.tfevents.*         TensorBoard's event files, one per start of the coordinator
//	*.superseded.jsonl            lines of steps that were run again, see Open
//	incidents/                    a folder for each step that was dropped
//
// Everywhere in these files a step is counted as people do: "step" is how many steps were committed when the line was
// written, so the first line of metrics.jsonl is that of step 1, an evaluation of step 0 is of the untrained network,
// and the line of a step, the evaluation after it and the checkpoint of it have one number. (What names a single step
// inside the program, as steps.log and replay do, is its index, which is one less.) Times are UTC, with milliseconds.
//
// Read gives back what a directory holds, of a run that is over or goes on.
//
// A Report owns its files and is safe for concurrent use; it starts no goroutine. Lines are handed to the operating
// system at once, and are synced only by Close: after a crash of the machine the last ones may be missing.
//
// # When it fails
//
// Methods return the error of the file; training doesn't depend on any of them. A half-written last line, as a crash
// leaves it, is set aside by the next Open. Read passes over lines that it cannot read, and counts them.
package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"byol/internal/atomicfile"
)

// Names of the files.
const (
	MetricsFile     = "metrics.jsonl"
	EvaluationsFile = "evaluations.jsonl"
	EventsFile      = "events.jsonl"
	aside           = ".superseded"
	eventsKept      = 4096 // in memory, for Events
)

// Report writes the files.
type Report struct {
	now func() time.Time
	dir string

	mu                           sync.Mutex // held while files are written; guards what follows
	metrics, evaluations, events *os.File
	tensorboard                  *eventFile
	done                         int64 // steps that the lines of metrics speak of

	memory  sync.Mutex // never held while files are written; guards what follows
	recent  []Event
	lastID  int64
	led     int64 // steps with a time of their own
	seconds float64
}

// Open goes on with the files in dir for a run of which step steps are committed. Lines of later ones come from steps
// that will be run again: they are moved to *.superseded.jsonl, so that metrics.jsonl has one line per committed step.
// TensorBoard is told by a session-start record, which makes it drop the old points.
func Open(dir string, step int64, now func() time.Time) (*Report, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("open report: %w", err)
	}
	r := &Report{now: now, dir: dir}
	err := r.openLocked(step)
	if cutErr := cut(filepath.Join(dir, EventsFile), r.recall); cutErr != nil {
		err = errors.Join(err, cutErr)
	} else {
		var openErr error
		r.events, openErr = appendTo(filepath.Join(dir, EventsFile))
		err = errors.Join(err, openErr)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open report: %w", err), r.Close())
	}
	return r, nil
}

func appendTo(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
}

// openLocked goes on at step with the files that have a line per step.
func (r *Report) openLocked(step int64) error {
	var errs []error
	r.done = 0
	r.memory.Lock()
	r.led, r.seconds = 0, 0
	r.memory.Unlock()
	for _, f := range []struct {
		name string
		file **os.File
		keep func(line []byte) []byte
	}{
		{MetricsFile, &r.metrics, func(line []byte) []byte {
			var l measured
			line = modern(line)
			if !l.read(line) || l.Step > step {
				return nil
			}
			r.done = l.Step
			r.paced(l.Seconds)
			return line
		}},
		{EvaluationsFile, &r.evaluations, func(line []byte) []byte {
			var l measured
			if !l.read(line) || l.Step > step {
				return nil
			}
			return line
		}},
	} {
		if err := cut(filepath.Join(r.dir, f.name), f.keep); err != nil {
			errs = append(errs, err)
			continue
		}
		file, err := appendTo(filepath.Join(r.dir, f.name))
		*f.file = file
		errs = append(errs, err)
	}
	tensorboard, err := openEventFile(r.dir, step+1, r.now())
	r.tensorboard = tensorboard
	return errors.Join(append(errs, err)...)
}

// Rewind says that the steps after step are run again: their lines are set aside as Open does.
func (r *Report) Rewind(step int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := errors.Join(r.metrics.Close(), r.evaluations.Close(), r.tensorboard.close())
	if err = errors.Join(err, r.openLocked(step)); err != nil {
		return fmt.Errorf("rewind report: %w", err)
	}
	return nil
}

// recall takes up an event of an earlier start.
func (r *Report) recall(line []byte) []byte {
	var e Event
	if json.Unmarshal(line, &e) != nil || e.ID <= r.lastID {
		return nil
	}
	r.rememberLocked(e)
	return line
}

func (r *Report) rememberLocked(e Event) {
	r.lastID = e.ID
	r.recent = append(r.recent, e)
	if len(r.recent) >= 2*eventsKept {
		r.recent = append([]Event(nil), r.recent[len(r.recent)-eventsKept:]...)
	}
}

// cut moves the lines of path that keep gives nothing for to path's superseded file. Of the others it writes what keep
// gives. The file is replaced atomically, if anything is to be changed.
func cut(path string, keep func(line []byte) []byte) error {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	var kept, dropped bytes.Buffer
	changed := false
	lines := bufio.NewReader(file)
	for end := false; !end; {
		line, err := lines.ReadBytes('\n') // of any length: what was written once must not end the next start
		if end = err == io.EOF; err != nil && !end {
			return fmt.Errorf("read %s: %w", path, err)
		}
		if len(line) == 0 {
			continue
		}
		line = bytes.TrimSuffix(line, []byte("\n"))
		into, text := &kept, keep(line)
		if text == nil {
			into, text = &dropped, line
		}
		changed = changed || !bytes.Equal(text, line) || end
		into.Write(text)
		into.WriteByte('\n')
	}
	if dropped.Len() == 0 && !changed {
		return nil
	}
	old, err := os.OpenFile(strings.TrimSuffix(path, ".jsonl")+aside+".jsonl", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := old.Write(dropped.Bytes()); err != nil {
		return errors.Join(err, old.Close())
	}
	if err := old.Close(); err != nil {
		return err
	}
	return atomicfile.Write(path, kept.Bytes())
}

func writeLine(f *os.File, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode line: %w", err)
	}
	_, err = f.Write(append(line, '\n'))
	return err
}

// Step writes a committed step.
func (r *Report) Step(s Step) error {
	for _, v := range []*float64{&s.Epoch, &s.Loss, &s.ProbeLoss, &s.ProbeTop1, &s.Std, &s.GradientNorm} {
		if math.IsNaN(*v) || math.IsInf(*v, 0) {
			*v = 0 // JSON has no such numbers
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.missLocked(s.Step - 1)
	r.done = s.Step
	r.paced(s.Seconds)
	return errors.Join(err, writeLine(r.metrics, s), r.tensorboard.scalars(s.Time.or(r.now()), s.Step, []scalar{
		{"train/loss", s.Loss}, {"train/probe_loss", s.ProbeLoss}, {"train/probe_top1", s.ProbeTop1},
		{"train/lr", s.LR}, {"train/tau", s.Tau},
		{"train/embedding_std", s.Std}, {"perf/images_per_second", s.ImagesPerSecond},
	}))
}

// paced counts a step that took so many seconds; 0: nobody knows.
func (r *Report) paced(seconds float64) {
	r.memory.Lock()
	defer r.memory.Unlock()
	if seconds > 0 {
		r.led, r.seconds = r.led+1, r.seconds+seconds
	}
}

// Pace is how many of the steps have a time of their own, and how much that is in all: the pace of the whole run. It
// does not wait for files.
func (r *Report) Pace() (steps int64, seconds float64) {
	r.memory.Lock()
	defer r.memory.Unlock()
	return r.led, r.seconds
}

// missLocked says of the steps up to step that have no line that nothing is known of them.
func (r *Report) missLocked(step int64) error {
	if r.done >= step {
		return nil
	}
	gap := Missing{Step: step, Missing: step - r.done}
	r.done = step
	return writeLine(r.metrics, gap)
}

// Fill writes the steps up to step that are missing since the last line, as far as known knows them, and says of the
// others that they are missing.
func (r *Report) Fill(step int64, known func(step int64) (Agreed, bool)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for at := r.done + 1; at <= step; at++ {
		a, ok := known(at)
		if !ok {
			continue
		}
		if math.IsNaN(a.Loss) || math.IsInf(a.Loss, 0) {
			a.Loss = 0 // JSON has no such numbers
		}
		a.FromLog = true
		err := r.missLocked(at - 1)
		r.done = at
		if err = errors.Join(err, writeLine(r.metrics, a), r.tensorboard.scalars(a.Time.or(r.now()), a.Step, []scalar{
			{"train/loss", a.Loss}, {"train/lr", a.LR}, {"train/tau", a.Tau}})); err != nil {
			return fmt.Errorf("fill report: %w", err)
		}
	}
	return r.missLocked(step)
}

// Complete reports whether there is a line for every step up to step.
func (r *Report) Complete(step int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.done >= step
}

// Evaluation writes an evaluation.
func (r *Report) Evaluation(e Evaluation) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.Time == nil {
		e.Time = At(r.now())
	}
	err := writeLine(r.evaluations, e)
	if e.Error != "" {
		return err
	}
	var all []scalar
	for _, m := range e.Measures {
		all = append(all, scalar{"eval/" + m.Name, m.Ratio})
	}
	return errors.Join(err, r.tensorboard.scalars(e.Time.or(r.now()), e.Step, all))
}

// Happened remembers that something happened, now. It does not wait for files; Event writes it.
func (r *Report) Happened(kind, worker, text string) Event {
	r.memory.Lock()
	defer r.memory.Unlock()
	e := Event{ID: r.lastID + 1, Time: r.now().UTC(), Type: kind, Worker: worker, Text: text}
	r.rememberLocked(e)
	return e
}

// Event writes what Happened remembers.
func (r *Report) Event(e Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return writeLine(r.events, e)
}

// Events returns the remembered events with ids above after, oldest first, at most limit of them.
func (r *Report) Events(after int64, limit int) []Event {
	r.memory.Lock()
	defer r.memory.Unlock()
	from := len(r.recent)
	for from > 0 && r.recent[from-1].ID > after {
		from--
	}
	found := r.recent[from:]
	return append([]Event(nil), found[:min(limit, len(found))]...)
}

// Close syncs and closes the files.
func (r *Report) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, f := range []*os.File{r.metrics, r.evaluations, r.events} {
		if f != nil {
			errs = append(errs, f.Sync(), f.Close())
		}
	}
	if r.tensorboard != nil {
		errs = append(errs, r.tensorboard.close())
	}
	return errors.Join(errs...)
}
