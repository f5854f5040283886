// Package report keeps what a person or a tool reads about a run, as files of the run directory:
//
//	metrics.jsonl                 a JSON object per committed step, ascending
//	evaluations.jsonl             a JSON object per evaluation
//	events.jsonl                  what happened, with ids that rise over restarts
//	events.out.tfevents.*         TensorBoard's event files, one per start of the coordinator
//	*.superseded.jsonl            lines of steps that were run again, see Open
//	incidents/                    a folder for each step that was dropped
//
// A Report owns its files and is safe for concurrent use; it starts no goroutine. Lines are handed to the operating
// system at once, and are synced only by Close: after a crash of the machine the last ones may be missing.
//
// # When it fails
//
// Methods return the error of the file; training doesn't depend on any of them. A half-written last line, as a crash
// leaves it, is set aside by the next Open.
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

// Step is the line of a committed step.
type Step struct {
	// Step is the index of the step, from 0; Epoch is how often the data were seen after it.
	Step      int64   `json:"step"`
	Epoch     float64 `json:"epoch"`
	Loss      float64 `json:"loss"`
	ProbeLoss float64 `json:"probe_loss"`
	ProbeTop1 float64 `json:"probe_top1"`
	// Std is the embedding's standard deviation times sqrt(dimensions).
	Std             float64 `json:"std"`
	LR              float64 `json:"lr"`
	Tau             float64 `json:"tau"`
	GradientNorm    float64 `json:"gradient_norm"`
	Seconds         float64 `json:"seconds"`
	ImagesPerSecond float64 `json:"images_per_second"`
	// Phases are seconds, mean over workers, in which a worker did nothing else. Latency is how long commit and broadcast
	// took in all, hidden behind the next step's other phases or not.
	Phases  map[string]float64 `json:"phases"`
	Latency map[string]float64 `json:"latency,omitempty"`
	Digest  string             `json:"digest"` // of the target after the step
}

// Agreed is the line of a committed step that another coordinator led: what the log that all of them have says of it.
type Agreed struct {
	Step    int64   `json:"step"`
	Epoch   float64 `json:"epoch"`
	Loss    float64 `json:"loss"`
	LR      float64 `json:"lr"`
	Tau     float64 `json:"tau"`
	Digest  string  `json:"digest"`
	FromLog bool    `json:"from_log"`
}

// Evaluation is the line of an evaluation of the state after Step steps: {"step", "queries", a number per measure,
// "error"}. queries is how many the first measure is of.
type Evaluation struct {
	Step     int64
	Measures []Measure
	Error    string
}

// Measure is one of its figures.
type Measure struct {
	Name  string
	Ratio float64 // 0 to 1
	Of    int64
}

// MarshalJSON keeps the measures in their order.
func (e Evaluation) MarshalJSON() ([]byte, error) {
	line := fmt.Appendf(nil, `{"step":%d`, e.Step)
	if len(e.Measures) > 0 {
		line = fmt.Appendf(line, `,"queries":%d`, e.Measures[0].Of)
	}
	for _, m := range e.Measures {
		name, err := json.Marshal(m.Name)
		if err != nil {
			return nil, err
		}
		ratio, err := json.Marshal(m.Ratio)
		if err != nil {
			return nil, err
		}
		line = fmt.Appendf(line, ",%s:%s", name, ratio)
	}
	if e.Error != "" {
		text, err := json.Marshal(e.Error)
		if err != nil {
			return nil, err
		}
		line = fmt.Appendf(line, `,"error":%s`, text)
	}
	return append(line, '}'), nil
}

// Event is something that happened.
type Event struct {
	ID     int64     `json:"id"`
	Time   time.Time `json:"time"`
	Type   string    `json:"type"`
	Worker string    `json:"worker,omitempty"`
	Text   string    `json:"text"`
}

// Report writes the files.
type Report struct {
	now func() time.Time
	dir string

	mu                           sync.Mutex // held while files are written; guards what follows
	metrics, evaluations, events *os.File
	tensorboard                  *eventFile
	next                         int64 // step after the last line of metrics

	memory sync.Mutex // never held while files are; guards what follows
	recent []Event
	lastID int64
}

// Open goes on with the files in dir for a run whose next step is step. Lines of that step and later ones come from
// steps that will be run again: they are moved to *.superseded.jsonl, so that metrics.jsonl has one line per
// committed step. TensorBoard is told by a session-start record at step, which makes it drop the old points.
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
	r.next = 0
	for _, f := range []struct {
		name string
		file **os.File
		keep func(line []byte) bool
	}{
		{MetricsFile, &r.metrics, func(line []byte) bool {
			at, ok := stepOf(line)
			if ok = ok && at < step; ok {
				r.next = at + 1
			}
			return ok
		}},
		{EvaluationsFile, &r.evaluations, func(line []byte) bool { at, ok := stepOf(line); return ok && at <= step }},
	} {
		if err := cut(filepath.Join(r.dir, f.name), f.keep); err != nil {
			errs = append(errs, err)
			continue
		}
		file, err := appendTo(filepath.Join(r.dir, f.name))
		*f.file = file
		errs = append(errs, err)
	}
	tensorboard, err := openEventFile(r.dir, step, r.now())
	r.tensorboard = tensorboard
	return errors.Join(append(errs, err)...)
}

// Rewind says that step and later ones are run again: their lines are set aside as Open does.
func (r *Report) Rewind(step int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := errors.Join(r.metrics.Close(), r.evaluations.Close(), r.tensorboard.close())
	if err = errors.Join(err, r.openLocked(step)); err != nil {
		return fmt.Errorf("rewind report: %w", err)
	}
	return nil
}

func stepOf(line []byte) (int64, bool) {
	var v struct {
		Step *int64 `json:"step"`
	}
	if json.Unmarshal(line, &v) != nil || v.Step == nil {
		return 0, false
	}
	return *v.Step, true
}

// recall takes up an event of an earlier start.
func (r *Report) recall(line []byte) bool {
	var e Event
	if json.Unmarshal(line, &e) != nil || e.ID <= r.lastID {
		return false
	}
	r.rememberLocked(e)
	return true
}

func (r *Report) rememberLocked(e Event) {
	r.lastID = e.ID
	r.recent = append(r.recent, e)
	if len(r.recent) >= 2*eventsKept {
		r.recent = append([]Event(nil), r.recent[len(r.recent)-eventsKept:]...)
	}
}

// cut moves the lines of path that keep does not want to path's superseded file. The file is replaced atomically.
func cut(path string, keep func(line []byte) bool) error {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	var kept, dropped bytes.Buffer
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
		into := &dropped
		if keep(line) {
			into = &kept
		}
		into.Write(line)
		into.WriteByte('\n')
	}
	info, err := file.Stat()
	if err != nil || dropped.Len() == 0 && int64(kept.Len()) == info.Size() {
		return err
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
	r.next = s.Step + 1
	err := writeLine(r.metrics, s)
	return errors.Join(err, r.tensorboard.scalars(r.now(), s.Step, []scalar{
		{"train/loss", s.Loss}, {"train/probe_loss", s.ProbeLoss}, {"train/lr", s.LR}, {"train/tau", s.Tau},
		{"train/embedding_std", s.Std}, {"perf/images_per_second", s.ImagesPerSecond},
	}))
}

// Fill writes the steps before step that are missing since the last line, as far as known knows them.
func (r *Report) Fill(step int64, known func(step int64) (Agreed, bool)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for ; r.next < step; r.next++ {
		a, ok := known(r.next)
		if !ok {
			continue
		}
		if math.IsNaN(a.Loss) || math.IsInf(a.Loss, 0) {
			a.Loss = 0 // JSON has no such numbers
		}
		a.FromLog = true
		err := writeLine(r.metrics, a)
		if err = errors.Join(err, r.tensorboard.scalars(r.now(), a.Step, []scalar{
			{"train/loss", a.Loss}, {"train/lr", a.LR}, {"train/tau", a.Tau}})); err != nil {
			return fmt.Errorf("fill report: %w", err)
		}
	}
	return nil
}

// Complete reports whether no line before step is missing behind the last one.
func (r *Report) Complete(step int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.next >= step
}

// Evaluation writes an evaluation.
func (r *Report) Evaluation(e Evaluation) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := writeLine(r.evaluations, e)
	if e.Error != "" {
		return err
	}
	var all []scalar
	for _, m := range e.Measures {
		all = append(all, scalar{"eval/" + m.Name, m.Ratio})
	}
	return errors.Join(err, r.tensorboard.scalars(r.now(), e.Step, all))
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
