package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"byol/coordinator/report"
	pb "byol/proto"
)

// trains is a run that goes on at a step with some of four workers.
func trains(step int64, ids ...string) *pb.Status {
	return with(at(step), func(st *pb.Status) {
		st.Cluster = &pb.Cluster{WorkersReady: int32(len(ids)), WorkersExpected: 4, WorkersMin: 2, Launcher: "local",
			LeaderId: "a", Term: 1}
		for rank, id := range ids {
			st.Workers = append(st.Workers, &pb.Worker{Id: id, Rank: int32(rank), State: "ring"})
		}
	})
}

// TestHealing plays a run that loses workers, gets them back, waits, and changes its leader: a line for each.
func TestHealing(t *testing.T) {
	t.Parallel()
	waits := func(st *pb.Status) { st.State = pb.RunState_RUN_STATE_WAITING_FOR_WORKERS }
	ends := func(st *pb.Status) {
		st.Cluster.LeaderId, st.Cluster.Term, st.Progress.TargetSteps = "b", 7, 140
	}
	var out bytes.Buffer
	s := &screen{out: &out, interval: time.Hour, printed: time.Unix(100, 0)}
	for i, st := range []*pb.Status{
		trains(1, "w0", "w1", "w2", "w3"),
		trains(120, "w0", "w1", "w2"),
		with(trains(120, "w0", "w1", "w2", "w3"), func(st *pb.Status) { st.Workers[3].Rank = -1 }), // it stands by
		trains(121, "w0", "w1", "w2", "w3"),
		with(trains(130, "w0"), waits),
		with(trains(130, "w0"), waits),
		trains(130, "w0", "w2", "w4"),
		with(trains(131, "w0", "w2", "w4"), func(st *pb.Status) { st.Cluster.LeaderId, st.Cluster.Term = "b", 7 }),
		with(trains(131, "w0", "w2", "w4"), func(st *pb.Status) { st.Cluster.LeaderId, st.Cluster.Term = "b", 7 }),
		with(trains(140, "w0", "w2", "w4"), ends),
		with(trains(140, "w0"), ends), // they leave one by one, and nobody has to go on
	} {
		s.update(st, time.Unix(100+int64(i), 0))
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.TrimSpace(line[len(time.TimeOnly):]))
	}
	want := []string{"workers 4/4 ready", "3 of 4 workers go on at step 120, without w3", "w3 is back: 4 of 4",
		"1 of 4 workers go on at step 130, without w1, w2, w3", "waiting for 1 more worker (1 of at least 2)",
		"w2 is back: 3 of 4", "w4 has joined: 3 of 4", "leader changed: b leads now (term 7)"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestHealingOfSeveral: processes that stand for several workers are counted as these.
func TestHealingOfSeveral(t *testing.T) {
	t.Parallel()
	all := func(step int64, ids ...string) *pb.Status {
		return with(trains(step, ids...), func(st *pb.Status) {
			st.Cluster.WorkersReady, st.Cluster.WorkersExpected = int32(4*len(ids)), 8
			for _, w := range st.Workers {
				w.Workers = 4
			}
		})
	}
	known := map[string]bool{}
	var got []string
	statuses := []*pb.Status{nil, all(1, "worker-0", "worker-1"), all(20, "worker-0"), all(22, "worker-0", "worker-1")}
	for i, st := range statuses[1:] {
		got = append(got, append(healed(known, statuses[i], st), news(statuses[i], st)...)...)
	}
	want := []string{"workers 8/8 ready in 2 processes",
		"4 of 8 workers go on at step 20, without worker-1 (4 workers)", "worker-1 (4 workers) is back: 8 of 8"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	var out bytes.Buffer
	printWorkers(&out, all(22, "worker-0"))
	if text := out.String(); !strings.HasPrefix(text, "WORKERS 4/8 ready in 1 process, launcher local, generation 0\n") ||
		!strings.Contains(text, "\nworker-0 (4 workers)  0 ") {
		t.Errorf("got\n%s", text)
	}
}

// TestFirstStatusWaits has a coordinator that was started again show first of all that workers are missing.
func TestFirstStatusWaits(t *testing.T) {
	t.Parallel()
	st := trains(17)
	st.State = pb.RunState_RUN_STATE_WAITING_FOR_WORKERS
	if lines := news(nil, st); !strings.Contains(strings.Join(lines, "\n"), "waiting for 2 more workers") {
		t.Errorf("the first lines are %q", lines)
	}
}

// TestHappenings shows the events that matter, a loss once, and no flood.
func TestHappenings(t *testing.T) {
	t.Parallel()
	var h happenings
	now := time.Unix(1000, 0)
	for _, c := range []struct {
		after time.Duration
		event report.Event
		want  string
	}{
		{0, report.Event{Type: "worker-joined", Text: "w0 joined"}, ""},
		{0, report.Event{Type: "worker-restarting", Worker: "w3",
			Text: "w3 was killed (signal 9); restarting it in 1s (1 of 10)"},
			"w3 was killed (signal 9); restarting it in 1s (1 of 10)"},
		{time.Millisecond, report.Event{Type: "worker-lost", Worker: "w3", Text: "w3 ended (signal: killed) at step 3"}, ""},
		{time.Second, report.Event{Type: "worker-lost", Worker: "w2", Text: "w2 was not\nheard"}, "w2 was not heard"},
		{sameLoss, report.Event{Type: "worker-lost", Worker: "w3", Text: "w3 was lost"}, "w3 was lost"},
	} {
		now = now.Add(c.after)
		if got := strings.Join(h.show(c.event, now), "\n"); got != c.want {
			t.Errorf("%+v: %q, want %q", c.event, got, c.want)
		}
	}
	now = now.Add(time.Minute)
	lines := 0
	for i := range 100 {
		lines += len(h.show(report.Event{Type: "worker-refused", Text: fmt.Sprint(i)}, now))
	}
	if lines != burst {
		t.Errorf("%d lines in a moment, want %d", lines, burst)
	}
	got := h.show(report.Event{Type: "worker-lost", Text: "later"}, now.Add(burstTime))
	if len(got) != 2 || got[0] != "88 more events: coordinator events shows them" || got[1] != "later" {
		t.Errorf("after a flood: %q", got)
	}
}
