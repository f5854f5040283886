package train

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	pb "byol/proto"
)

// said is a trace in words: name, step, begin and length in milliseconds.
func said(m *pb.Trace, step int64) []string {
	var out []string
	for _, s := range m.GetSpans() {
		out = append(out, fmt.Sprintf("%s %d %d+%d", m.GetNames()[s.GetName()], step+s.GetAhead(), s.GetBeginMicros()/1000,
			s.GetMicros()/1000))
	}
	return out
}

// TestTrace tells what was done when, for which step, and each moment once.
func TestTrace(t *testing.T) {
	now := time.Unix(100, 0)
	tr := NewTrace(func() time.Time { return now })
	later := func() { now = now.Add(10 * time.Millisecond) }
	tr.Phase("waiting for the plan")
	later()
	tr.of(3)
	for _, phase := range []string{"data", "forward", "sync", "forward"} {
		tr.Phase(phase)
		later()
	}
	began := now
	later()
	tr.Did(doesBucket, 3, began, now)
	tr.Phase("update")
	later()
	m := tr.take(3)
	want := []string{"waiting for the plan 0 0+10", "data 3 10+10", "forward 3 20+10", "sync 3 30+10", "bucket 3 50+10",
		"forward 3 40+20", "update 3 60+10"}
	if d := cmp.Diff(want, said(m, 3)); d != "" || m.BeginUnixNanos != time.Unix(100, 0).UnixNano() || m.Lost != 0 {
		t.Errorf("begins at %d, (-want +got):\n%s", m.BeginUnixNanos, d)
	}
	later() // goes on with the update
	tr.of(4)
	tr.Phase("data")
	later()
	tr.of(3)
	tr.Phase("commit")
	later()
	tr.Phase("idle")
	later()
	tr.Phase("data") // for no time: it is not told
	want = []string{"update 3 0+10", "data 4 10+10", "commit 3 20+10"}
	if d := cmp.Diff(want, said(tr.take(4), 4)); d != "" {
		t.Errorf("the next (-want +got):\n%s", d)
	}
	if m := tr.take(5); len(m.Spans) != 0 {
		t.Errorf("what was told is told again: %v", m)
	}
}

// TestTraceIsBounded: what nobody takes is counted, and none is no trouble.
func TestTraceIsBounded(t *testing.T) {
	now := time.Unix(100, 0)
	tr := NewTrace(func() time.Time { now = now.Add(time.Millisecond); return now })
	for range spansKept + 10 {
		tr.Phase("data")
	}
	if m := tr.take(0); len(m.Spans) != spansKept || m.Lost != 10 {
		t.Errorf("%d spans, %d lost", len(m.Spans), m.Lost)
	}
	if m := tr.take(0); m.Lost != 0 {
		t.Errorf("they are lost again: %v", m)
	}
	var none *Trace
	none.Phase("data")
	none.of(1)
	none.Did("x", 1, now, now)
	if none.take(1) != nil {
		t.Error("nothing tells of something")
	}
}

// TestResultsTellATrace of the device's owner and of what goes on beside it.
func TestResultsTellATrace(t *testing.T) {
	tm := newTeam(t, 2, false)
	tm.form(4)
	tm.steps(3)
	names := map[string]bool{}
	m := tm.coord.results[2].GetTrace()
	for _, s := range m.GetSpans() {
		names[m.GetNames()[s.GetName()]] = true
	}
	for _, name := range []string{"forward", "backward", "update", doesBucket, doesCommit} {
		if !names[name] {
			t.Errorf("no %s in %v", name, names)
		}
	}
}

// BenchmarkTrace is what one span costs, from the look at the clock to the result that tells it: docs/tracing.md.
func BenchmarkTrace(b *testing.B) {
	const spans = 300 // a step of ResNet-18 with synchronised batch norm has about as many
	var ahead time.Duration
	trace := NewTrace(func() time.Time { // ahead of the clock by 2 µs more at each look: no span is too short to tell
		ahead += 2 * time.Microsecond
		return time.Now().Add(ahead)
	})
	names := []string{"forward", "sync"}
	for b.Loop() {
		for i := range spans {
			trace.Phase(names[i%2])
		}
		if got := trace.take(1); len(got.GetSpans()) < spans-1 {
			b.Fatalf("%d spans, want %d", len(got.GetSpans()), spans-1)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*spans), "ns/span")
}
