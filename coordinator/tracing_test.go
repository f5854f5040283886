package coordinator

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"byol/coordinator/trace"
	pb "byol/proto"
)

// TestTraceIsKept has a run in which workers tell what they do: it is written down with their names and ranks, and
// nonsense is not.
func TestTraceIsKept(t *testing.T) {
	t.Parallel()
	opts := options(t, 2)
	w := begin(t, opts)
	for i := range 2 {
		w.worker(i, deed{step: -1})
	}
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	w.workers.Wait()
	if all, err := trace.Read(opts.RunDir); err != nil || len(all) != 0 {
		t.Fatalf("of workers that tell nothing: %v, %v", all, err)
	}
	opts = options(t, 2)
	w = begin(t, opts)
	w.worker(0, deed{step: -1, trace: func(int64) *pb.Trace {
		return &pb.Trace{BeginUnixNanos: 1e18, Names: []string{"forward\x1b[2J"}, Spans: []*pb.Span{{Micros: 5}}}
	}})
	w.worker(1, deed{step: -1, trace: func(step int64) *pb.Trace {
		return &pb.Trace{Names: []string{"x"}, Spans: []*pb.Span{{Name: uint32(step % 2)}}}
	}})
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	w.workers.Wait()
	all, err := trace.Read(opts.RunDir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range all {
		got = append(got, fmt.Sprintf("%d %s %d %s", r.Step, r.Worker, r.Rank, r.Trace.Names))
	}
	var want []string
	for step := range 20 {
		want = append(want, fmt.Sprintf("%d worker-0 0 [forward\\x1b[2J]", step))
		if step%2 == 0 {
			want = append(want, fmt.Sprintf("%d worker-1 1 [x]", step))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("kept %q, want %q", got, want)
	}
}

// TestClocks: an offset is known once both sides have heard each other, and only as far as the way is short.
func TestClocks(t *testing.T) {
	var k clocks
	now := time.Unix(1e6, 0)
	beat := func(behind, way, theirs time.Duration) {
		k.beat(&pb.Heartbeat{SentUnixNanos: now.Add(-way - behind).UnixNano(), AliveLagNanos: theirs.Nanoseconds()}, now)
	}
	k.beat(&pb.Heartbeat{}, now) // of a worker that does not say
	if d, u := k.offset(); d != 0 || u != 0 {
		t.Errorf("of nothing: %v ± %v", d, u)
	}
	beat(time.Hour, 2*time.Millisecond, 0)
	if d, _ := k.offset(); d != 0 {
		t.Errorf("of one side: %v", d)
	}
	beat(time.Hour, 2*time.Millisecond, 2*time.Millisecond-time.Hour)
	if d, u := k.offset(); d != time.Hour || u != 2*time.Millisecond {
		t.Errorf("an hour behind: %v ± %v", d, u)
	}
	k = clocks{}
	beat(0, 5*time.Millisecond, time.Millisecond)
	if d, u := k.offset(); d != 0 || u != 3*time.Millisecond {
		t.Errorf("the same clock: %v ± %v", d, u)
	}
}
