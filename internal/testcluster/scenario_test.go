package testcluster

import (
	"slices"
	"strings"
	"testing"
	"time"

	"byol/internal/fault"
)

// How soon, in fake time, the run is to go on after what happens to it (reliability.md, section C; a step takes 0.2 s).
const (
	afterKill      = 3 * time.Second         // a worker's socket closes
	afterSilence   = 8 * time.Second         // a worker is silent for the failure timeout
	afterLeader    = 8 * time.Second         // another coordinator leads
	afterReturn    = 8 * time.Second         // all are dead, and come back after 3 s
	afterNothing   = 1500 * time.Millisecond // no group is formed anew
	afterPartition = 15 * time.Second        // forming the group again has not helped
)

// scenario is something that happens to a run, and what must be seen of it.
type scenario struct {
	name   string
	script string
	bound  time.Duration // until the second step after each deed is committed
	events []string      // "type worker", each of which is told
	blamed string        // whom else events may name as lost, evicted or quarantined, with spaces between
	faults string        // of workers' states
	may    string        // with which words a worker may end
}

// oneCoordinator are the scenarios of a run with one coordinator and three workers.
var oneCoordinator = []scenario{
	// A worker dies, at each point of a step.
	{name: "killed as a step begins", script: "kill worker-1 at=step step=3 for=1s", bound: afterKill,
		events: []string{"worker-lost worker-1"}},
	{name: "killed in the ring", script: "kill worker-2 at=bucket step=3 for=1s", bound: afterKill,
		events: []string{"worker-lost worker-2"}},
	{name: "killed with its result", script: "kill worker-0 at=prepared step=3 for=1s", bound: afterKill,
		events: []string{"worker-lost worker-0"}},
	{name: "killed when it has told", script: "kill worker-1 at=proposed step=3 for=1s", bound: afterKill,
		events: []string{"worker-lost worker-1"}},
	{name: "killed with its part of the target", script: "kill worker-1 at=committed step=3 for=1s", bound: afterKill,
		events: []string{"worker-lost worker-1"}},
	{name: "killed before it applies", script: "kill worker-2 at=shared step=3 for=1s", bound: afterKill,
		events: []string{"worker-lost worker-2"}},
	{name: "killed when it has applied", script: "kill worker-0 at=adopted step=3 for=1s", bound: afterKill,
		events: []string{"worker-lost worker-0"}},
	{name: "two at once", script: "kill worker-1 at=bucket step=3 for=1s; kill worker-2 at=bucket step=3 for=2s",
		bound: afterKill, events: []string{"worker-lost worker-1", "worker-lost worker-2"}},
	{name: "all workers, and from a checkpoint", script: "kill workers step=5 for=2s", bound: afterReturn,
		events: []string{"state-lost ", "run-rewound "}, blamed: "worker-0 worker-1 worker-2"},
	// A worker dies on its way into the group.
	{name: "killed as the first group forms", script: "kill worker-1 at=form for=1s", bound: afterSilence,
		blamed: "worker-1"},
	{name: "killed before it has a state", script: "kill worker-1 at=restore for=1s", bound: afterSilence,
		blamed: "worker-1"},
	{name: "killed with a state", script: "kill worker-1 at=restored for=1s", bound: afterSilence, blamed: "worker-1"},
	{name: "killed again, standing by", script: "kill worker-1 step=2 for=500ms; kill worker-1 at=stand-by step=2 for=1s",
		bound: afterKill, events: []string{"worker-lost worker-1"}},
	// A worker stands still.
	{name: "stopped in the ring", script: "stop worker-1 at=bucket step=3 for=7s", bound: afterSilence,
		events: []string{"worker-lost worker-1"}},
	{name: "stopped when it has told", script: "stop worker-1 at=proposed step=3 for=7s", bound: afterSilence,
		events: []string{"worker-lost worker-1"}},
	{name: "stopped with its part of the target", script: "stop worker-2 at=committed step=3 for=7s",
		bound: afterSilence, events: []string{"worker-lost worker-2"}},
	{name: "stopped for less than the timeout", script: "stop worker-1 at=bucket step=3 for=3s", bound: afterSilence},
	// A worker is asked to go, or comes.
	{name: "asked to go in the ring", script: "leave worker-1 at=bucket step=3 for=1s", bound: afterNothing,
		events: []string{"worker-leaving worker-1", "worker-left worker-1"}},
	{name: "asked to go when it has told", script: "leave worker-1 at=proposed step=3 for=1s", bound: afterNothing,
		events: []string{"worker-left worker-1"}},
	{name: "from three to one and back", script: "leave worker-1 step=2; leave worker-2 step=2; join worker-2 step=5; " +
		"join worker-1 step=7", bound: afterNothing, events: []string{"worker-left worker-1", "worker-left worker-2"}},
	// Lines.
	{name: "a connection of the ring is reset", script: "break worker-0->worker-1 step=3"},
	{name: "all connections are reset", script: "break *<->* step=3"},
	{name: "a worker is cut off", script: "isolate worker-1 step=3 for=8s", bound: afterSilence,
		events: []string{"worker-lost worker-1"}},
	{name: "a worker hears and is not heard", script: "cut worker-1->coordinator step=3 for=8s",
		events: []string{"worker-lost worker-1"}},
	{name: "a worker is slow", script: "delay worker-1->worker-2 by=60ms step=3"},
	{name: "a bit flips between workers", script: "flip worker-1->worker-2 step=3 after=500"},
	{name: "a bit flips in a weight", faults: "flip theta rank=2 step=4 element=9", may: "quarantine",
		events: []string{"worker-quarantined worker-2"}},
	// The only coordinator dies, at each point of a commit, and comes back.
	{name: "the coordinator, before it asks the log", script: "kill leader at=propose step=3 for=3s", bound: afterReturn},
	{name: "the coordinator, before the log has it", script: "kill leader at=log-write step=3 for=3s", bound: afterReturn},
	{name: "the coordinator, when the log has it", script: "kill leader at=log-written step=3 for=3s",
		bound: afterReturn},
	{name: "the coordinator, before it applies", script: "kill leader at=apply step=3 for=3s", bound: afterReturn},
	{name: "the coordinator, before anybody knows", script: "kill leader at=broadcast step=3 for=3s",
		bound: afterReturn},
	{name: "the coordinator, when all are told", script: "kill leader at=broadcast-end step=3 for=3s",
		bound: afterReturn},
	{name: "the coordinator, and again as it comes back", bound: 2 * afterReturn,
		script: "kill leader at=propose step=3 for=2s; kill leader at=elected step=3 for=2s"},
	{name: "the coordinator stands still", script: "stop leader at=propose step=3 for=8s", bound: 12 * time.Second},
	{name: "the coordinator, for five minutes", script: "kill leader at=propose step=7 for=5m", bound: 6 * time.Minute,
		events: []string{"run-rewound "}, may: "no coordinator answers", blamed: "worker-0 worker-1 worker-2"},
	{name: "everybody", script: "kill all step=5 for=2s", bound: 2 * afterReturn, events: []string{"run-rewound "},
		blamed: "worker-0 worker-1 worker-2"},
	// Disks.
	{name: "the coordinator's disk is full", script: "fail leader at=log-write step=3 for=3s", bound: afterReturn},
	{name: "a checkpoint cannot be made", script: "fail * at=save-create step=4", events: []string{"checkpoint-failed *"}},
	{name: "a checkpoint cannot be written", script: "fail * at=save-write step=4",
		events: []string{"checkpoint-failed *"}},
	{name: "a checkpoint cannot be flushed", script: "fail * at=save-sync step=4",
		events: []string{"checkpoint-failed *"}},
	{name: "a checkpoint gets no name", script: "fail * at=save-rename step=4", events: []string{"checkpoint-failed *"}},
	{name: "killed while it writes a checkpoint", script: "kill * at=save-sync step=4 for=1s", bound: afterKill,
		events: []string{"worker-lost *"}, blamed: "*"},
	{name: "killed as a checkpoint is ordered", script: "kill * at=snapshot step=4 for=1s", bound: afterKill,
		events: []string{"worker-lost *"}, blamed: "*"},
	{name: "killed when a checkpoint is stored", script: "kill * at=saved step=4 for=1s", bound: afterKill,
		events: []string{"worker-lost *"}, blamed: "*"},
	{name: "killed in an evaluation", script: "kill worker-1 at=evaluate step=4 for=1s", bound: afterKill,
		events: []string{"worker-lost worker-1"}},
}

// threeCoordinators are those of a run with three of them.
var threeCoordinators = []scenario{
	{name: "the leader, before it asks the log", script: "kill leader at=propose step=3 for=6s", bound: afterLeader},
	{name: "the leader, before its log has it", script: "kill leader at=log-write step=3 for=6s", bound: afterLeader},
	{name: "the leader, when its log alone has it", script: "kill leader at=log-written step=3 for=6s",
		bound: afterLeader},
	{name: "the leader, before it applies", script: "kill leader at=apply step=3 for=6s", bound: afterLeader},
	{name: "the leader, before anybody knows", script: "kill leader at=broadcast step=3 for=6s", bound: afterLeader},
	{name: "the leader, when all are told", script: "kill leader at=broadcast-end step=3 for=6s", bound: afterLeader},
	{name: "the leader, and the next as it is elected", bound: 2 * afterLeader,
		script: "kill leader at=propose step=3 for=2s; kill leader at=elected step=3 for=2s"},
	{name: "the leader and a worker", bound: 2 * afterLeader, blamed: "worker-1",
		script: "kill leader at=propose step=3 for=6s; kill worker-1 at=proposed step=3 for=6s"},
	{name: "the leader stands still", script: "stop leader at=propose step=3 for=8s", bound: afterLeader},
	{name: "the leader stands still before it has said that it lives", bound: afterLeader,
		script: "stop leader at=propose for=9s"},
	{name: "the leader stands still before anybody knows", script: "stop leader at=broadcast step=3 for=8s",
		bound: afterLeader},
	{name: "the leader is asked to go", script: "leave leader step=3 for=3s", bound: afterLeader},
	{name: "the leader is asked to go before anybody knows", script: "leave leader at=broadcast step=3 for=3s",
		bound: afterLeader},
	{name: "the leader is cut off", script: "isolate leader step=3 for=7s", bound: afterLeader},
	{name: "a follower", script: "kill follower step=3 for=2s", bound: afterNothing},
	{name: "both followers, and no quorum", script: "kill follower step=3 for=3s; kill follower step=3 for=3s",
		bound: 3*time.Second + afterLeader},
	{name: "all coordinators at once", bound: 3*time.Second + afterLeader,
		script: "kill leader step=3 for=3s; kill follower step=3 for=3s; kill follower step=3 for=3s"},
	{name: "the leader's disk is full", script: "fail leader at=log-write step=3 for=3s", bound: afterLeader},
	{name: "a worker in the ring", script: "kill worker-1 at=bucket step=3 for=1s", bound: afterKill,
		events: []string{"worker-lost worker-1"}},
	{name: "a worker stands still", script: "stop worker-1 at=bucket step=3 for=7s", bound: afterSilence,
		events: []string{"worker-lost worker-1"}},
}

// scenarioSteps is how long a scenario goes on: its faults begin with the third step and are over before the end.
const scenarioSteps = 14

func (s scenario) drama(t *testing.T, coordinators int) drama {
	c := Tiny(scenarioSteps)
	c.SaveEverySteps, c.EvalData, c.EvalEverySteps = 4, "synthetic:20,size=12,seed=2", 4
	return drama{config: c, coordinators: coordinators, workers: 3, pace: 12 * time.Millisecond, script: s.script,
		faults: plan(t, s.faults), may: s.may, dir: t.TempDir()}
}

// TestScenarios plays all of them, and looks after each whether no committed step was lost or made twice, all bits are
// those of a run that nothing happened to, whoever suffered is named and nobody else, and the run went on in time. Each
// point of internal/fault has something happen at it.
func TestScenarios(t *testing.T) {
	want := undisturbed(t)
	reached := make(chan []fault.Point, len(oneCoordinator)+len(threeCoordinators))
	t.Run("all", func(t *testing.T) {
		for n, all := range map[int][]scenario{1: oneCoordinator, 3: threeCoordinators} {
			for i, s := range all {
				if testing.Short() && i%8 != 0 {
					continue
				}
				t.Run(s.name, func(t *testing.T) {
					t.Parallel()
					inBubble(t, s.drama(t, n), func(t *testing.T, p *play) {
						s.judge(t, p, want)
						reached <- p.passed()
					})
				})
			}
		}
	})
	close(reached)
	if len(reached) < cap(reached) {
		return // some were left out
	}
	var all []fault.Point
	for points := range reached {
		all = append(all, points...)
	}
	for _, at := range fault.AllPoints() {
		if !slices.Contains(all, at) {
			t.Errorf("nothing happened at %s", at)
		}
	}
}

// TestLostLeaderIsRecorded: who leads next knows when the one before was heard last, and that what lay between was lost
// by the change. Nothing is heard of a leader for a second at least before there is an election.
func TestLostLeaderIsRecorded(t *testing.T) {
	inBubble(t, scenario{script: "kill leader at=propose step=3 for=6s"}.drama(t, 3), func(t *testing.T, p *play) {
		lost := p.costs.GetLost()
		if len(lost) != 1 || lost[0].Cause != "leader-changed" || lost[0].Seconds < 1 ||
			lost[0].Seconds > afterLeader.Seconds() || p.costs.LastRecoverySeconds < lost[0].Seconds {
			t.Errorf("it cost %v", p.costs)
		}
	})
}

// undisturbed is the run that nothing happens to.
func undisturbed(t *testing.T) (got proof) {
	inBubble(t, scenario{}.drama(t, 1), func(t *testing.T, p *play) { got = p.prove(t) })
	return got
}

// judge looks at what came of a scenario.
func (s scenario) judge(t *testing.T, p *play, want proof) {
	t.Helper()
	if differs := apart(want, p.prove(t)); differs != "" {
		t.Errorf("other bits than without faults: %s", differs)
	}
	blamed := s.blamed
	events := p.told(t)
	for _, e := range s.events {
		kind, worker, _ := strings.Cut(e, " ")
		blamed += " " + worker
		found := false
		for _, told := range events {
			found = found || told.Type == kind && (worker == "*" || told.Worker == worker)
		}
		if !found {
			t.Errorf("no event %q was told", e)
		}
	}
	victims := map[string]bool{}
	for _, d := range p.done {
		victims[d.victim] = true
		if took := p.after(d); s.bound > 0 && took > s.bound {
			t.Errorf("%s %s at %q: the second step after it came after %v, want %v", d.do, d.victim, d.at, took, s.bound)
		}
	}
	for _, e := range events {
		named := slices.Contains(strings.Fields(blamed), e.Worker) || victims[e.Worker] && strings.Contains(blamed, "*")
		switch e.Type {
		case "worker-lost", "worker-evicted", "worker-quarantined", "worker-left-out":
			if !named {
				t.Errorf("blamed is %s: %s", e.Worker, e.Text)
			}
		}
	}
	if t.Failed() {
		for _, e := range events {
			t.Logf("%v %s %s", e.Time.Sub(p.seen[0].at), e.Type, e.Text)
		}
	}
}

// after is how long it took from d to the second step after it: the first may have been under way.
func (p *play) after(d act) time.Duration {
	for _, s := range p.seen {
		if s.step >= min(d.step+2, scenarioSteps) {
			return s.at.Sub(d.when)
		}
	}
	return time.Hour
}
