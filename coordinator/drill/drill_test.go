package drill

import (
	"encoding/xml"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var start = time.Unix(1_700_000_000, 0)

func at(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }

// TestPlan: what was wished for, in an order that the seed alone decides.
func TestPlan(t *testing.T) {
	wishes := map[Kind]int{KillWorker: 30, Stop: 5, Partition: 1}
	plan := Plan(3, wishes)
	got := map[Kind]int{}
	for _, f := range plan {
		got[f.Kind]++
		if f.Victim < 0 || f.Pause < 0 || f.Pause > maxPause {
			t.Errorf("%+v", f)
		}
	}
	if !reflect.DeepEqual(got, wishes) {
		t.Errorf("got %v, want %v", got, wishes)
	}
	if !reflect.DeepEqual(plan, Plan(3, wishes)) || reflect.DeepEqual(plan, Plan(4, wishes)) {
		t.Error("the seed does not decide the plan")
	}
	wishes[FlipGradient] = 1
	for seed := range uint64(20) { // its step is known before the run begins
		if plan := Plan(seed, wishes); len(plan) != 37 || plan[0].Kind != FlipGradient {
			t.Errorf("seed %d: %d faults, the first is %s", seed, len(plan), plan[0].Kind)
		}
	}
}

func TestJudge(t *testing.T) {
	events := []Event{{At: at(-50), Kind: "worker-lost"}, {At: at(10), Kind: "checkpoint-saved"},
		{At: at(20), Kind: "worker-lost", Worker: "worker-9"},
		{At: at(30), Kind: "group-broken"}, {At: at(40), Kind: "worker-lost"}, {At: at(60), Kind: "leader-elected"}}
	commits := []Commit{{At: at(-5), Step: 4, Generation: 2}, {At: at(2), Step: 5, Generation: 2},
		{At: at(35), Step: 6, Generation: 2}, {At: at(90), Step: 7, Generation: 3}, {At: at(95), Step: 8, Generation: 3}}
	for _, c := range []struct {
		kind             Kind
		noticed          bool
		by               string
		after, next, out int
		recovered        bool
		without          bool // events
	}{
		{kind: KillWorker, noticed: true, by: "group-broken", after: 30, next: 60, out: 90, recovered: true},
		{kind: KillLeader, noticed: true, by: "leader-elected", after: 60, next: 30, out: 90, recovered: true},
		{kind: Slow, next: 2, out: 2, recovered: true},
		{kind: Stop, without: true, next: 90, out: 90, recovered: true},
	} {
		e := events
		if c.without {
			e = nil
		}
		f := Injected{Fault: Fault{Kind: c.kind}, At: start, Generation: 2}
		want := Outcome{Injected: f, Noticed: c.noticed, By: c.by, After: at(c.after).Sub(start), Recovered: c.recovered,
			Next: at(c.next).Sub(start), Out: at(c.out).Sub(start)}
		if got := Judge(f, e, commits); got != want {
			t.Errorf("%s:\n got %+v\nwant %+v", c.kind, got, want)
		}
	}
	grown := append(slices.Clone(commits[:2]), Commit{At: at(25), Step: 6, Generation: 3}, // somebody entered just then
		Commit{At: at(36), Step: 7, Generation: 3}, Commit{At: at(80), Step: 8, Generation: 4})
	if got := Judge(Injected{Fault: Fault{Kind: KillWorker}, At: start, Generation: 2}, events, grown); got.Out !=
		at(80).Sub(start) {
		t.Errorf("a group that grew before the loss was noticed: %+v", got)
	}
	wrong := Judge(Injected{Fault: Fault{Kind: FlipGradient}, At: start, Who: "worker-1", Generation: 2}, []Event{
		{At: at(10), Kind: "shard-differs"}, {At: at(20), Kind: "worker-quarantined", Worker: "worker-2"}}, commits)
	if wrong.Noticed {
		t.Errorf("a wrong gradient that another one is left out for: %+v", wrong)
	}
	slow := Judge(Injected{Fault: Fault{Kind: Slow}, At: start, Who: "worker-1"}, []Event{
		{At: at(10), Kind: "straggler", Worker: "worker-2"}, {At: at(20), Kind: "straggler", Worker: "worker-1"}}, commits)
	if slow.After != at(20).Sub(start) {
		t.Errorf("a straggler that another one is: %+v", slow)
	}
	lost := Judge(Injected{Fault: Fault{Kind: Stop}, At: start, Generation: 2}, events, commits[:3])
	if !lost.Noticed || lost.Recovered {
		t.Errorf("a run that commits nothing more: %+v", lost)
	}
}

// fine is a drill that found nothing wrong.
func fine() *Findings {
	f := &Findings{Title: "Drill", Timeout: 2 * time.Second, Steps: 100, Compared: true, SHA256: "abc"}
	for i := range 200 {
		f.Commits = append(f.Commits, Commit{At: at(100 * i), Step: int64(i), Generation: 1})
	}
	for i, kind := range []Kind{KillWorker, Stop, KillLeader, Slow} {
		f.Outcomes = append(f.Outcomes, Outcome{
			Injected: Injected{Fault: Fault{Kind: kind}, At: at(3000 * i), Who: "worker-<1>", Step: int64(30 * i)},
			Noticed:  true, By: "group-broken", After: 80 * time.Millisecond, Recovered: true,
			Next: 200 * time.Millisecond, Out: 280 * time.Millisecond})
	}
	return f
}

// TestProblems: every promise that is not kept is named; a drill that keeps them all passes.
func TestProblems(t *testing.T) {
	if got := fine().Problems(); len(got) != 0 {
		t.Fatalf("a drill without problems has %q", got)
	}
	took := func(d *time.Duration, ms int) { *d = time.Duration(ms) * time.Millisecond }
	for want, change := range map[string]func(*Findings){
		"only 29 steps were committed":                         func(f *Findings) { f.Steps = 29 },
		"fault 1, kill-worker of worker-<1> at step 0: nobody": func(f *Findings) { f.Outcomes[0].Noticed = false },
		"fault 4, slow of worker-<1> at step 90: nobody":       func(f *Findings) { f.Outcomes[3].Noticed = false },
		"fault 2, stop of worker-<1> at step 30: no step":      func(f *Findings) { f.Outcomes[1].Recovered = false },
		"kill-worker: noticed after 1.1 s":                     func(f *Findings) { took(&f.Outcomes[0].After, 1100) },
		"stop: noticed after 3.1 s":                            func(f *Findings) { took(&f.Outcomes[1].After, 3100) },
		"stop: the next step after that 5.1 s":                 func(f *Findings) { took(&f.Outcomes[1].Next, 5100) },
		"kill-leader: back after 8.2 s":                        func(f *Findings) { took(&f.Outcomes[2].Out, 8200) },
		"3 committed steps are lost":                           func(f *Findings) { f.Lost = 3 },
		"the audit failed: step 7 is missing":                  func(f *Findings) { f.Audit = "step 7 is missing" },
		"ended otherwise: step 9":                              func(f *Findings) { f.Differs = "step 9" },
	} {
		f := fine()
		change(f)
		got := f.Problems()
		if len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("got %q, want one with %q", got, want)
		}
		if text := f.Markdown("x.svg"); !strings.Contains(text, "**Failed**") || !strings.Contains(text, want) {
			t.Errorf("the report does not say %q:\n%s", want, text)
		}
	}
}

func TestSpread(t *testing.T) {
	var all []time.Duration
	for i := range 200 {
		all = append(all, time.Duration(200-i))
	}
	if got := spread(all); got != (Spread{P50: 100, P99: 198, Most: 200}) {
		t.Errorf("got %+v", got)
	}
	if got := spread(all[:1]); got.P50 != got.Most || got.P99 != got.Most {
		t.Errorf("of one: %+v", got)
	}
}

// TestSlowest: of many faults those are shown that took longest, of each kind in turn, in the order of the plan.
func TestSlowest(t *testing.T) {
	f := &Findings{}
	for i, ms := range []int{10, 90, 50, 70} {
		f.Outcomes = append(f.Outcomes, Outcome{Injected: Injected{Fault: Fault{Kind: KillWorker}, Step: int64(i)},
			Noticed: true, Recovered: true, Out: time.Duration(ms) * time.Millisecond})
	}
	f.Outcomes = append(f.Outcomes, Outcome{Injected: Injected{Fault: Fault{Kind: Stop}}, Noticed: true, Recovered: true},
		Outcome{Injected: Injected{Fault: Fault{Kind: KillWorker}}}) // from which it never recovered
	for n, want := range map[int][]int{0: nil, 1: {5}, 2: {4, 5}, 3: {1, 4, 5}, 4: {1, 3, 4, 5}, 9: {0, 1, 2, 3, 4, 5}} {
		if got := f.slowest(n); !slices.Equal(got, want) {
			t.Errorf("%d of them: %v, want %v", n, got, want)
		}
	}
}

// TestLeaders: the report says who led after each fault of a leader.
func TestLeaders(t *testing.T) {
	f := fine()
	for _, led := range []string{"b", "c", "b", "a"} {
		f.Outcomes = append(f.Outcomes, Outcome{Injected: Injected{Fault: Fault{Kind: StopLeader}, Who: "a"}, Noticed: true,
			Recovered: true, Led: led})
	}
	f.Loads = []float64{2, 9.25, 7}
	text := f.Markdown("")
	for _, want := range []string{"4 faults hit the coordinator that led; another led after 3 of them (a led after 1, " +
		"b led after 2, c led after 1).", "| 6 | stop-leader | a | c | 0 |",
		"2.0 at the first fault, 7.0 at the median, 9.2 at most"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// TestReport: it says what was found, and the picture is one.
func TestReport(t *testing.T) {
	f := fine()
	text := f.Markdown("steps.svg")
	for _, want := range []string{"# Drill", "**Passed**: 4 faults, 100 steps", "| steps lost | 0 |",
		"| kill-worker | 1 | 1 | 80 ms / 80 ms (< 1.0 s) | 200 ms / 200 ms (< 5.0 s) |", "| slow | 1 | 1 | 80 ms / 80 ms |",
		"the same bits at every step", "(steps.svg)"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	var picture struct {
		XMLName xml.Name
		Texts   []string `xml:"text"`
		Paths   []struct {
			D string `xml:"d,attr"`
		} `xml:"path"`
	}
	if err := xml.Unmarshal([]byte(f.SVG()), &picture); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(picture.Texts, "1: kill-worker of worker-<1>, 280 ms") || len(picture.Paths) < 200 {
		t.Errorf("%d texts %q, %d paths", len(picture.Texts), picture.Texts, len(picture.Paths))
	}
}
