package trace

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	pb "byol/proto"
)

// Mark is something that happened at a moment: a commit, a generation, a loss, a checkpoint.
type Mark struct {
	Time time.Time
	Name string // in a word
	Text string // what more there is to say
}

// Range are steps from First to Last, both of them included.
type Range struct{ First, Last int64 }

// event is one of the Trace Event format: a complete span (X), a moment (i) or a name (M). Times are microseconds.
type event struct {
	Name  string         `json:"name"`
	Kind  string         `json:"ph"`
	At    *int64         `json:"ts,omitempty"`
	Long  *int64         `json:"dur,omitempty"`
	PID   int            `json:"pid"`
	TID   int            `json:"tid"`
	Cat   string         `json:"cat,omitempty"`
	Scope string         `json:"s,omitempty"`
	Args  map[string]any `json:"args,omitempty"`
}

// processes are numbered from here: 1 is the coordinator, on whose line marks are.
const firstWorker = 2

// machine is a worker, as it was seen last.
type machine struct {
	worker, host string
	rank         int
	offset       time.Duration
	uncertain    time.Duration
}

// Shown is what Write wrote.
type Shown struct {
	Workers, Spans, Marks int
	// Lost counts spans that workers had no room for.
	Lost int64
	// Offset is by how much the clock differs that differs most from the coordinator's, Uncertain how far off the least
	// certain may be.
	Offset, Uncertain time.Duration
}

// Write writes what workers did in steps as JSON in the Trace Event format, which Perfetto and chrome://tracing read:
// workers are processes, what they did is threads, and marks that fall into the time of these steps are moments. Times
// count from the first span.
func Write(to io.Writer, records []*pb.TraceRecord, steps Range, marks []Mark) (Shown, error) {
	spans := slices.DeleteFunc(distinct(records), func(s Span) bool { return s.Step < steps.First || s.Step > steps.Last })
	if len(spans) == 0 {
		return Shown{}, nil
	}
	from, until := spans[0].Begin, spans[0].Begin
	for _, s := range spans {
		if end := s.Begin.Add(s.Length); end.After(until) {
			until = end
		}
	}
	marks = slices.DeleteFunc(slices.Clone(marks), func(m Mark) bool {
		return m.Time.Before(from) || m.Time.After(until.Add(time.Millisecond)) // times of files have milliseconds
	})
	machines, shown := seen(records, spans)
	shown.Spans, shown.Marks = len(spans), len(marks)
	w := &writer{out: bufio.NewWriter(to), began: from}
	w.text(`{"displayTimeUnit":"ms","otherData":{"first_step":"%d","last_step":"%d","begin":"%s"},"traceEvents":[`,
		steps.First, steps.Last, from.UTC().Format(time.RFC3339Nano))
	w.names(machines, spans)
	number := map[string]int{}
	for i, m := range machines {
		number[m.worker] = firstWorker + i
	}
	for _, s := range spans {
		args := map[string]any{"step": s.Step, "generation": s.Generation}
		w.event(event{Name: title(s.Name), Kind: "X", At: w.at(s.Begin), Long: micros(s.Length), PID: number[s.Worker],
			TID: kindOf(s.Name) + 1, Cat: s.Name, Args: args})
	}
	for _, m := range marks {
		w.event(event{Name: m.Name, Kind: "i", At: w.at(m.Time), PID: 1, TID: 1, Scope: "g", Cat: "mark",
			Args: map[string]any{"text": m.Text}})
	}
	w.text("\n]}\n")
	if w.err == nil {
		w.err = w.out.Flush()
	}
	if w.err != nil {
		return Shown{}, fmt.Errorf("write trace: %w", w.err)
	}
	return shown, nil
}

// seen are the workers that have spans, by rank, and what is known of their clocks.
func seen(records []*pb.TraceRecord, spans []Span) (all []machine, shown Shown) {
	there := map[string]bool{}
	for _, s := range spans {
		there[s.Worker] = true
	}
	newest := map[string]machine{}
	for _, r := range records {
		if there[r.GetWorker()] {
			newest[r.GetWorker()] = machine{r.GetWorker(), r.GetHost(), int(r.GetRank()), time.Duration(r.GetOffsetNanos()),
				time.Duration(r.GetUncertainNanos())}
			shown.Lost += r.GetTrace().GetLost()
		}
	}
	for _, m := range newest {
		all = append(all, m)
		if m.offset.Abs() > shown.Offset {
			shown.Offset = m.offset.Abs()
		}
		shown.Uncertain = max(shown.Uncertain, m.uncertain)
	}
	slices.SortFunc(all, func(a, b machine) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.worker, b.worker))
	})
	shown.Workers = len(all)
	return all, shown
}

// writer writes events. The first error stays.
type writer struct {
	out   *bufio.Writer
	began time.Time
	some  bool // an event was written
	err   error
}

func (w *writer) text(format string, args ...any) {
	if w.err == nil {
		_, w.err = fmt.Fprintf(w.out, format, args...)
	}
}

func (w *writer) event(e event) {
	line, err := json.Marshal(e)
	if w.err == nil {
		w.err = err
	}
	if w.some {
		w.text(",")
	}
	w.some = true
	w.text("\n%s", line)
}

func micros(d time.Duration) *int64 { n := d.Microseconds(); return &n }

func (w *writer) at(t time.Time) *int64 { return micros(t.Sub(w.began)) }

// names says what processes and threads are called, and in which order they stand.
func (w *writer) names(machines []machine, spans []Span) {
	name := func(what string, pid, tid int, args map[string]any) {
		w.event(event{Name: what, Kind: "M", PID: pid, TID: tid, Args: args})
	}
	name("process_name", 1, 0, map[string]any{"name": "run"})
	name("process_sort_index", 1, 0, map[string]any{"sort_index": 0})
	name("thread_name", 1, 1, map[string]any{"name": "events"})
	for i, m := range machines {
		pid := firstWorker + i
		name("process_name", pid, 0, map[string]any{"name": fmt.Sprintf("%s (rank %d) on %s", m.worker, m.rank, m.host)})
		name("process_sort_index", pid, 0, map[string]any{"sort_index": i + 1})
		threads := map[int]bool{}
		for _, s := range spans {
			threads[kindOf(s.Name)] = threads[kindOf(s.Name)] || s.Worker == m.worker
		}
		for k := range other + 1 {
			if !threads[k] {
				continue
			}
			called := "other"
			if k < other {
				called = kinds[k].title
			}
			name("thread_name", pid, k+1, map[string]any{"name": called})
			name("thread_sort_index", pid, k+1, map[string]any{"sort_index": k + 1})
		}
	}
}
