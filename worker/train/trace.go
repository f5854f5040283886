package train

import (
	"slices"
	"sync"
	"time"

	pb "byol/proto"
)

// spansKept bounds what is remembered between two results: a step of a deep network has some hundreds, most of them
// around the sums of batch norm.
const spansKept = 4096

// What a worker does beside the goroutine that owns its device, as a Trace calls it.
const (
	doesBucket = "bucket"     // a bucket of gradients is summed
	doesCommit = "committing" // from the update to this rank's span of ξ'
	doesShare  = "sharing"    // ξ' goes round the ring
)

// Trace is what a worker does when, until a result tells it. It is the worker's and outlives generations. It may be
// used from any goroutine; a nil one remembers nothing.
type Trace struct {
	now func() time.Time

	mu    sync.Mutex // guards what follows
	phase string     // at hand, "" for none
	since time.Time
	step  int64 // that the phase is of
	spans []span
	lost  int64
}

// span is a time in which one thing was done.
type span struct {
	name       string
	step       int64
	begin, end time.Time
}

// NewTrace returns an empty one.
func NewTrace(now func() time.Time) *Trace { return &Trace{now: now} }

// Phase says that the owner of the device does something else from now on; "" and "idle" are nothing.
func (t *Trace) Phase(name string) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.turnLocked(name, t.step)
}

// of says that what the owner of the device does from now on is of that step.
func (t *Trace) of(step int64) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if step != t.step {
		t.turnLocked(t.phase, step)
	}
}

func (t *Trace) turnLocked(name string, step int64) {
	now := t.now()
	t.addLocked(span{t.phase, t.step, t.since, now})
	t.phase, t.step, t.since = name, step, now
}

// Did says that something was done beside.
func (t *Trace) Did(name string, step int64, begin, end time.Time) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.addLocked(span{name, step, begin, end})
}

func (t *Trace) addLocked(s span) {
	switch {
	case s.name == "" || s.name == "idle" || s.end.Sub(s.begin) < time.Microsecond:
	case len(t.spans) == spansKept:
		t.lost++
	default:
		t.spans = append(t.spans, s)
	}
}

// take returns what was done up to now, for the result of a step, and forgets it.
func (t *Trace) take(step int64) *pb.Trace {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.turnLocked(t.phase, t.step)
	m := &pb.Trace{Lost: t.lost}
	if len(t.spans) > 0 {
		first := slices.MinFunc(t.spans, func(a, b span) int { return a.begin.Compare(b.begin) }).begin
		m.BeginUnixNanos = first.UnixNano()
		for _, s := range t.spans {
			i := slices.Index(m.Names, s.name)
			if i < 0 {
				i, m.Names = len(m.Names), append(m.Names, s.name)
			}
			m.Spans = append(m.Spans, &pb.Span{Name: uint32(i), BeginMicros: s.begin.Sub(first).Microseconds(),
				Micros: s.end.Sub(s.begin).Microseconds(), Ahead: s.step - step})
		}
	}
	t.spans, t.lost = t.spans[:0], 0
	return m
}
