package admin

import (
	"strings"

	"byol/coordinator/report"
)

// workersCounted bounds the names that are counted under: those of workers that were let in.
const workersCounted = 1024

// failureKinds are the kinds of events that are failures of workers, with the reason as metrics have it.
var failureKinds = map[string]string{
	"worker-lost": "lost", "worker-exited": "exited", "worker-quarantined": "quarantined", "worker-evicted": "evicted",
	"group-broken": "group_broken", "straggler": "straggler", "worker-too-small": "too_small",
}

// failed is what failures are counted by.
type failed struct{ worker, reason string }

// tally counts what events tell, since this process began. It belongs to its Board.
type tally struct {
	joined           map[string]int64 // by worker: how often it came
	failures         map[failed]int64
	events           map[string]int64 // by kind
	collapses        int64
	collapsed        bool
	checkpointErrors int64
}

func newTally() *tally {
	return &tally{joined: map[string]int64{}, failures: map[failed]int64{}, events: map[string]int64{}}
}

func (t *tally) happened(e report.Event) {
	t.events[e.Type]++
	reason, bad := failureKinds[e.Type]
	switch {
	case bad:
		if _, known := t.joined[e.Worker]; known || strings.HasPrefix(e.Worker, "worker-") {
			if len(t.failures) < workersCounted*len(failureKinds) {
				t.failures[failed{e.Worker, reason}]++
			}
		}
	case e.Type == "worker-joined":
		if _, known := t.joined[e.Worker]; known || len(t.joined) < workersCounted {
			t.joined[e.Worker]++
		}
	case e.Type == "checkpoint-failed":
		t.checkpointErrors++
	}
}

// restarts is how often a worker came again.
func (t *tally) restarts(worker string) int64 { return max(0, t.joined[worker]-1) }

// Below collapseStd, after an epoch, an embedding is counted as collapsed; above twice that it has come back.
const collapseStd = 0.2

func (t *tally) looked(std, epoch float64) {
	switch {
	case !t.collapsed && epoch > 1 && std < collapseStd:
		t.collapsed = true
		t.collapses++
	case t.collapsed && std > 2*collapseStd:
		t.collapsed = false
	}
}
