package run

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func assertUnchanged(t *testing.T, before, after State, what string) {
	t.Helper()
	before.Version++
	if !reflect.DeepEqual(before.Clone(), after.Clone()) {
		t.Fatalf("%s was refused and changed the state\nbefore %+v\nafter  %+v", what, before, after)
	}
}

// TestRandomReplay applies random commands, sensible and not, to two copies: they stay equal, every invariant holds,
// refusals change nothing, and committed steps are counted once.
func TestRandomReplay(t *testing.T) {
	finals := map[Phase]int{}
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var a, b State
		commits := int64(0)
		for i := range 400 {
			c := randomCommand(rng, &a)
			before := a.Clone()
			errA, errB := a.Apply(c), b.Apply(c)
			if fmt.Sprint(errA) != fmt.Sprint(errB) {
				t.Fatalf("seed %d command %d %+v: %v and %v", seed, i, c, errA, errB)
			}
			if errA != nil {
				assertUnchanged(t, before, a, fmt.Sprintf("seed %d command %d %+v", seed, i, c))
			}
			if err := a.Check(); err != nil {
				t.Fatalf("seed %d command %d %T%+v: %v\nbefore %+v\nafter %+v", seed, i, c, c, err, before, a)
			}
			if a.Generation < before.Generation || a.Step > before.Step+1 {
				if _, rewound := c.(Rewind); !rewound {
					t.Fatalf("seed %d command %d %+v: generation %d step %d after %d, %d",
						seed, i, c, a.Generation, a.Step, before.Generation, before.Step)
				}
			}
			if a.Step == before.Step+1 {
				commits++
			}
			b = b.Clone()
		}
		if !reflect.DeepEqual(a.Clone(), b) {
			t.Fatalf("seed %d: copies differ\n%+v\n%+v", seed, a, b)
		}
		if a.Phase.Final() {
			finals[a.Phase]++
		}
		if commits > 0 {
			finals["committed"]++
		}
	}
	for _, p := range []Phase{Completed, Stopped, Failed, "committed"} {
		if finals[p] == 0 {
			t.Errorf("no seed ended %s: %v", p, finals)
		}
	}
}

func randomCommand(rng *rand.Rand, s *State) Command {
	wish := 1 + rng.IntN(3)
	settings := Settings{RunID: "r", Workers: wish, MinWorkers: 1 + rng.IntN(wish), Shards: 4, TotalSteps: 12,
		EndStep:   int64(6 + rng.IntN(7)),
		SaveEvery: int64(rng.IntN(3)), Evaluates: rng.IntN(2) == 0, EvalEvery: int64(rng.IntN(3))}
	if s.Phase == "" {
		return Create{Settings: settings}
	}
	generation, step := s.Generation, s.Step
	if rng.IntN(10) == 0 {
		generation, step = generation-int64(rng.IntN(2)), step+int64(rng.IntN(3)-1)
	}
	id := ""
	if rng.IntN(2) == 0 {
		id = fmt.Sprint("q", rng.IntN(40))
	}
	switch k := rng.IntN(100); {
	case k < 20 || s.Phase == Waiting && k < 60:
		return Join{Member{ID: WorkerID(fmt.Sprint("w", rng.IntN(5))), Wished: rng.IntN(5) - 1,
			Workers: max(0, rng.IntN(5)-2), Prepared: rng.IntN(3) > 0}}
	case k < 30 && !s.Started:
		return Started{Generation: generation, Step: step, Target: uint64(100 + step)}
	case k < 60:
		return Commit{Record{Generation: generation, Step: step, Target: uint64(101 + step), Loss: 1}}
	case k < 68:
		return EvalDone{Generation: generation, Evaluation: Evaluation{Step: step, Counts: []Count{{"knn", 0, 1}}}}
	case k < 82:
		if n := len(s.Saving); n > 0 {
			step = s.Saving[rng.IntN(n)]
		}
		problem := map[bool]string{true: "disk full"}[rng.IntN(8) == 0]
		return Saved{Checkpoint: Checkpoint{Step: step, Path: "p"}, Error: problem}
	case k < 86:
		return Pause{Request: id}
	case k < 92:
		return Resume{Request: id}
	case k < 95:
		return RequestSave{Request: id}
	case k < 96:
		worker := WorkerID(fmt.Sprint("w", rng.IntN(5)))
		return []Command{Leave{Worker: worker, Quarantine: rng.IntN(20) == 0}, Depart{Worker: worker},
			Form{Generation: generation}, Regroup{Generation: generation, Reason: "x", Turn: rng.IntN(2) == 0},
			Limit{Worker: worker, MaxShards: rng.IntN(5)}, Prepare{Worker: worker},
			Balance{Generation: generation, Speeds: []Speed{{"w0", rng.Int64N(5)}, {"w1", 3}, {"w2", 1}}},
			Surpass{Version: s.Version + rng.Int64N(9) - 4, Generation: s.Generation + rng.Int64N(5) - 2}}[rng.IntN(8)]
	case k < 97:
		return Stop{Request: id, Now: rng.IntN(4) == 0}
	case k < 98 && rng.IntN(5) == 0:
		return Fail{Reason: "x", Code: 4}
	case k < 99 && (s.Phase.Final() || rng.IntN(4) == 0):
		if rng.IntN(3) == 0 {
			return TakeUp{Settings: settings}
		}
		c := Rewind{Settings: settings, Keep: !s.Phase.Final() && settings.Workers == s.Settings.Workers}
		if n := len(s.Checkpoints); n > 0 {
			kept := s.Checkpoints[rng.IntN(n)]
			c.Checkpoint = &kept
		}
		return c
	}
	return Started{Generation: generation, Step: step, Target: uint64(100 + step)}
}

func TestStaleErrorSaysBoth(t *testing.T) {
	s := State{}
	for _, c := range []Command{
		Create{Settings{RunID: "r", Workers: 1, MinWorkers: 1, Shards: 1, TotalSteps: 2, EndStep: 2}},
		Join{Member{ID: "a", Wished: -1, Prepared: true}}, Started{Generation: 1, Step: 0, Target: 9},
	} {
		if err := s.Apply(c); err != nil {
			t.Fatal(err)
		}
	}
	err := s.Apply(Commit{Record{Generation: 7, Step: 3}})
	var stale *StaleError
	if !errors.As(err, &stale) || *stale != (StaleError{HaveGeneration: 1, HaveStep: 0, Generation: 7, Step: 3}) {
		t.Errorf("commit of another generation: %v", err)
	}
	if err := s.Apply(Commit{Record{Generation: 1, Loss: math.NaN()}}); !errors.Is(err, ErrInvalid) {
		t.Errorf("commit of a NaN loss: %v", err)
	}
}

func TestRecordsAreBounded(t *testing.T) {
	var s State
	end := int64(MaxRecords + 10)
	commands := []Command{Create{Settings{RunID: "r", Workers: 1, MinWorkers: 1, Shards: 1, TotalSteps: end + 1,
		EndStep: end + 1}},
		Join{Member{ID: "a", Wished: -1, Prepared: true}}, Started{Generation: 1, Target: 5}}
	for i := range end {
		commands = append(commands, Commit{Record{Generation: 1, Step: i, Target: uint64(i)}})
	}
	for _, c := range commands {
		if err := s.Apply(c); err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
	}
	if len(s.Records) != MaxRecords {
		t.Errorf("%d records, want %d", len(s.Records), MaxRecords)
	}
	if r, ok := s.Record(end - 1); !ok || r.Target != uint64(end-1) {
		t.Errorf("last record %+v %v", r, ok)
	}
	if _, ok := s.Record(9); ok {
		t.Error("a forgotten step has a record")
	}
}

// TestDeal deals out shards evenly, within what members can hold.
func TestDeal(t *testing.T) {
	for _, c := range []struct {
		shards int
		limits []int // 0: none
		want   []int
		room   int
	}{
		{8, []int{0, 0, 0, 0, 0, 0, 0, 0}, []int{1, 1, 1, 1, 1, 1, 1, 1}, 8},
		{8, []int{0, 0, 0}, []int{2, 3, 3}, 8},
		{7, []int{0}, []int{7}, 7},
		{8, []int{1, 0, 0}, []int{1, 4, 3}, 8},
		{8, []int{0, 2, 0}, []int{3, 2, 3}, 8},
		{8, []int{3, 3, 3}, []int{2, 3, 3}, 8},
		{8, []int{3, 2}, []int{3, 2}, 5},
		{4, []int{9, 1}, []int{3, 1}, 4}, {4, nil, nil, 0},
	} {
		var members []Member
		for _, l := range c.limits {
			members = append(members, Member{MaxShards: l})
		}
		got, room := deal(c.shards, members)
		if !slices.Equal(got, c.want) || room != c.room {
			t.Errorf("%d shards within %v: %v for %d, want %v for %d", c.shards, c.limits, got, room, c.want, c.room)
		}
	}
}

// TestDealBySpeed gives each shard to whom it takes least time with it; a member without a speed makes shares even.
func TestDealBySpeed(t *testing.T) {
	for _, c := range []struct {
		shards int
		speeds []int64
		limit  int // of the first member
		want   []int
	}{
		{8, []int64{1, 1}, 0, []int{4, 4}},
		{8, []int64{3, 1}, 0, []int{6, 2}},
		{8, []int64{3, 0}, 0, []int{4, 4}},
		{3, []int64{100, 1, 1}, 0, []int{1, 1, 1}},
		{16, []int64{2, 1, 1}, 0, []int{8, 4, 4}},
		{16, []int64{2, 1, 1}, 6, []int{6, 5, 5}},
		{7, []int64{maxSpeed, maxSpeed}, 0, []int{4, 3}},
	} {
		var members []Member
		for _, v := range c.speeds {
			members = append(members, Member{Speed: v})
		}
		members[0].MaxShards = c.limit
		got, room := deal(c.shards, members)
		if !slices.Equal(got, c.want) || room != c.shards {
			t.Errorf("%d shards at speeds %v, the first at most %d: %v for %d, want %v", c.shards, c.speeds, c.limit, got, room,
				c.want)
		}
	}
}

// TestRecordDifferences flips each digest of a record: that part is named, and the record is another one.
func TestRecordDifferences(t *testing.T) {
	r := Record{Step: 3, Online: 1, Momentum: 2, Statistics: 3, Target: 4, Loss: 0.5, Generation: 1}
	for _, c := range []struct {
		change func(*Record)
		want   string
	}{
		{func(o *Record) { o.Generation, o.UnixNano = 9, 9 }, ""},
		{func(o *Record) { o.Online ^= 1 }, "online network 0000000000000001 and 0000000000000000"},
		{func(o *Record) { o.Momentum ^= 1 }, "momentum 0000000000000002 and 0000000000000003"},
		{func(o *Record) { o.Statistics ^= 1 }, "running statistics 0000000000000003 and 0000000000000002"},
		{func(o *Record) { o.Target ^= 1 }, "target network 0000000000000004 and 0000000000000005"},
	} {
		o := r
		c.change(&o)
		got := r.Differences(o)
		if strings.Join(got, "; ") != c.want || r.same(o) != (c.want == "") {
			t.Errorf("got %q, want %q; the same: %v", got, c.want, r.same(o))
		}
	}
}

// bound is a text in a command: make gives one that is so many bytes too long, for a state after before.
type bound struct {
	what   string
	before []Command
	make   func(over int) Command
}

// bounds are all texts that come from outside.
func bounds() []bound {
	name := func(over int) string { return strings.Repeat("n", MaxName+over) }
	text := func(over int) string { return strings.Repeat("t", MaxText+over) }
	measures := func(n int) (all []Count) {
		for i := range n {
			all = append(all, Count{Name: fmt.Sprint(i)})
		}
		return all
	}
	settings := func(change func(*Settings)) Settings {
		s := Settings{RunID: "r", Workers: 1, MinWorkers: 1, Shards: 1, TotalSteps: 9, EndStep: 9, Evaluates: true}
		change(&s)
		return s
	}
	created := Create{settings(func(*Settings) {})}
	joined := []Command{created, Join{Member{ID: "a", Wished: -1, Prepared: true}}}
	started := append(slices.Clone(joined), Started{Generation: 1})
	saving := append(slices.Clone(started), EvalDone{Generation: 1}, RequestSave{}, Commit{Record{Generation: 1}})
	return []bound{
		{"run id", nil, func(o int) Command { return Create{settings(func(s *Settings) { s.RunID = name(o) })} }},
		{"configuration", nil, func(o int) Command {
			return Create{settings(func(s *Settings) { s.Config = make([]byte, MaxConfig+o) })}
		}},
		{"worker id", joined[:1], func(o int) Command { return Join{Member{ID: WorkerID(name(o)), Wished: -1}} }},
		{"address", joined[:1], func(o int) Command { return Join{Member{ID: "a", Wished: -1, Address: name(o)}} }},
		{"host", joined[:1], func(o int) Command { return Join{Member{ID: "a", Wished: -1, Host: name(o)}} }},
		{"incarnation", joined[:1], func(o int) Command { return Join{Member{ID: "a", Wished: -1, Incarnation: name(o)}} }},
		{"reason to leave", joined, func(o int) Command { return Leave{Worker: "a", Reason: text(o)} }},
		{"reason to go", joined, func(o int) Command { return Depart{Worker: "a", Reason: text(o)} }},
		{"reason to regroup", joined, func(o int) Command { return Regroup{Generation: 1, Reason: text(o)} }},
		{"reason of a limit", joined, func(o int) Command { return Limit{Worker: "a", MaxShards: 1, Reason: text(o)} }},
		{"reason to go back", joined, func(o int) Command { return Rewind{Settings: created.Settings, Reason: text(o)} }},
		{"fingerprint", joined, func(o int) Command { return Started{Generation: 1, Fingerprint: text(o)} }},
		{"pause", joined, func(o int) Command { return Pause{Request: name(o)} }},
		{"resume", joined, func(o int) Command { return Resume{Request: name(o)} }},
		{"save", joined, func(o int) Command { return RequestSave{Request: name(o)} }},
		{"stop", joined, func(o int) Command { return Stop{Request: name(o)} }},
		{"reason to stop", joined, func(o int) Command { return Stop{Reason: text(o)} }},
		{"reason to fail", joined, func(o int) Command { return Fail{Reason: text(o)} }},
		{"path", saving, func(o int) Command { return Saved{Checkpoint: Checkpoint{Step: 1, Path: text(o)}} }},
		{"reason not to save", saving, func(o int) Command { return Saved{Checkpoint: Checkpoint{Step: 1}, Error: text(o)} }},
		{"path to go on from", joined, func(o int) Command {
			return Rewind{Settings: created.Settings, Checkpoint: &Checkpoint{Step: 1, Path: text(o)}}
		}},
		{"error", started, func(o int) Command { return EvalDone{Generation: 1, Evaluation: Evaluation{Error: text(o)}} }},
		{"measure", started, func(o int) Command {
			return EvalDone{Generation: 1, Evaluation: Evaluation{Counts: []Count{{Name: name(o)}}}}
		}},
		{"measures", started, func(o int) Command {
			return EvalDone{Generation: 1, Evaluation: Evaluation{Counts: measures(MaxCounts + o)}}
		}},
	}
}

// TestTextsAreBounded gives every command a text that is one byte too long, and one that is not.
func TestTextsAreBounded(t *testing.T) {
	for _, c := range bounds() {
		for over := range 2 {
			var s State
			for _, b := range c.before {
				if err := s.Apply(b); err != nil {
					t.Fatalf("%s: %+v: %v", c.what, b, err)
				}
			}
			before := s.Clone()
			err := s.Apply(c.make(over))
			if over == 0 && err != nil {
				t.Errorf("%s of the longest length: %v", c.what, err)
			}
			if over > 0 {
				if !errors.Is(err, ErrInvalid) {
					t.Errorf("%s that is too long: %v", c.what, err)
				}
				assertUnchanged(t, before, s, c.what)
			}
			if err := s.Check(); err != nil {
				t.Errorf("%s: %v", c.what, err)
			}
		}
	}
}

// TestEvaluationsMakeSense refuses counts that are none.
func TestEvaluationsMakeSense(t *testing.T) {
	for _, c := range []struct {
		counts []Count
		ok     bool
	}{
		{nil, true}, {[]Count{{"a", 0, 0}, {"b", 3, 3}}, true},
		{[]Count{{"", 1, 2}}, false}, {[]Count{{"a", 1, 2}, {"a", 1, 2}}, false}, {[]Count{{"a", 3, 2}}, false},
		{[]Count{{"a", -1, 2}}, false},
	} {
		err := Evaluation{Counts: c.counts}.check()
		if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("%v: %v", c.counts, err)
		}
	}
	e := Evaluation{Counts: []Count{{"a", 1, 4}, {"b", 0, 0}}}
	if a, ok := e.Count("a"); !ok || a.Ratio() != 0.25 {
		t.Errorf("a is %v %v", a, ok)
	}
	if b, ok := e.Count("b"); !ok || b.Ratio() != 0 {
		t.Errorf("b is %v %v", b, ok)
	}
	if c, ok := e.Count("c"); ok {
		t.Errorf("c is %v", c)
	}
}

// TestVerifies: of each VerifyEvery steps the last is verified, of none none.
func TestVerifies(t *testing.T) {
	for _, c := range []struct {
		every int64
		want  []int64
	}{{0, nil}, {1, []int64{0, 1, 2, 3, 4, 5, 6, 7}}, {3, []int64{2, 5}}, {64, nil}} {
		var got []int64
		for step := range int64(8) {
			s := State{Settings: Settings{VerifyEvery: c.every}, Step: step}
			if s.Verifies() {
				got = append(got, step)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("1/%d: steps %v are verified, want %v", c.every, got, c.want)
		}
	}
}
