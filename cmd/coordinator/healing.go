package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"byol/coordinator/report"
	state "byol/coordinator/run"
	pb "byol/proto"
)

// told are the kinds of events that a person wants a line of its own for while they happen, but for those that the
// status tells, as a checkpoint that could not be saved. `coordinator events` has all.
var told = []string{"checkpoint-refused", "checkpoints-not-shared", "disk-stalled",
	"fewer-workers",
	"no-progress", "run-failing", "run-rewound", "shard-differs", "state-lost", "step-repeated", "step-settled",
	"step-skipped",
	"straggler", "worker-evicted",
	"worker-expelled", "worker-leaving", "worker-left-out", "worker-lost", "worker-quarantined", "worker-refused",
	"worker-restarting", "worker-too-small"}

const (
	sameLoss  = 2 * time.Second // in which the leader tells again of what the launcher has told
	burst     = 12              // lines of events in burstTime, after which the rest is only counted
	burstTime = 10 * time.Second
)

// happenings picks the events that are shown.
type happenings struct {
	exits  map[string]time.Time // when a worker's process was told to have ended
	since  time.Time            // of the present burst
	lines  int
	hidden int
}

// lines are those for an event that comes at now, none for most.
func (h *happenings) show(e report.Event, now time.Time) []string {
	if !slices.Contains(told, e.Type) {
		return nil
	}
	if h.exits == nil {
		h.exits = map[string]time.Time{}
	}
	switch last := h.exits[e.Worker]; {
	case e.Type == "worker-restarting":
		h.exits[e.Worker] = now
	case e.Type == "worker-lost" && !last.IsZero() && now.Sub(last) < sameLoss:
		return nil
	}
	var lines []string
	if now.Sub(h.since) >= burstTime {
		if h.hidden > 0 {
			lines = append(lines, fmt.Sprintf("%d more events: coordinator events shows them", h.hidden))
		}
		h.since, h.lines, h.hidden = now, 0, 0
	}
	if h.lines == burst {
		h.hidden++
		return lines
	}
	h.lines++
	return append(lines, strings.Join(strings.Fields(e.Text), " "))
}

// group are the processes that train, by their names.
func group(st *pb.Status) []*pb.Worker {
	var all []*pb.Worker
	for _, w := range st.GetWorkers() {
		if w.Rank >= 0 && w.State != "gone" && w.State != "left" {
			all = append(all, w)
		}
	}
	slices.SortFunc(all, func(a, b *pb.Worker) int { return strings.Compare(a.Id, b.Id) })
	return all
}

// workersIn are how many workers processes stand for.
func workersIn(all []*pb.Worker) int {
	n := 0
	for _, w := range all {
		n += int(max(1, w.Workers))
	}
	return n
}

// missingIn are the processes of all whose names are not among others'.
func missingIn(all, others []*pb.Worker) []*pb.Worker {
	return slices.DeleteFunc(slices.Clone(all), func(w *pb.Worker) bool {
		return slices.ContainsFunc(others, func(o *pb.Worker) bool { return o.Id == w.Id })
	})
}

// processName is a process, with how many workers it stands for.
func processName(w *pb.Worker) string { return state.Named(w.Id, int(w.Workers)) }

// healed tells how a run that has begun goes on with fewer or more workers, or under another leader. known are the
// workers that have trained in it; it adds to them.
func healed(known map[string]bool, old, st *pb.Status) []string {
	var lines []string
	before, now := group(old), group(st)
	want := st.GetCluster().GetWorkersExpected()
	missing, came := missingIn(before, now), missingIn(now, before)
	p := st.GetProgress()
	over := p.GetTargetSteps() > 0 && p.GetStep() >= p.GetTargetSteps() // nobody has to go on: they leave one by one
	if len(before) > 0 && len(now) > 0 && len(missing) > 0 && !over {
		var names []string
		for _, w := range missing {
			names = append(names, processName(w))
		}
		lines = append(lines, fmt.Sprintf("%d of %d workers go on at step %s, without %s", workersIn(now), want,
			grouped(p.GetStep()), strings.Join(names, ", ")))
	}
	for _, w := range came {
		switch {
		case known[w.Id]:
			lines = append(lines, fmt.Sprintf("%s is back: %d of %d", processName(w), workersIn(now), want))
		case len(before) > 0:
			lines = append(lines, fmt.Sprintf("%s has joined: %d of %d", processName(w), workersIn(now), want))
		}
	}
	for _, w := range now {
		known[w.Id] = true
	}
	a, b := old.GetCluster(), st.GetCluster()
	if a.GetLeaderId() != "" && b.GetLeaderId() != "" && a.LeaderId != b.LeaderId {
		lines = append(lines, fmt.Sprintf("leader changed: %s leads now (term %d)", b.LeaderId, b.Term))
	}
	return lines
}

// waitingFor says how many workers a run lacks that has begun; "" when that is not why it waits.
func waitingFor(st *pb.Status) string {
	c := st.GetCluster()
	lacks := c.GetWorkersMin() - c.GetWorkersReady()
	if st.GetState() != pb.RunState_RUN_STATE_WAITING_FOR_WORKERS || st.GetProgress().GetStep() == 0 || lacks < 1 {
		return ""
	}
	noun := "workers"
	if lacks == 1 {
		noun = "worker"
	}
	return fmt.Sprintf("waiting for %d more %s (%d of at least %d)", lacks, noun, c.GetWorkersReady(), c.GetWorkersMin())
}
