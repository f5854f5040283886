package run

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
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
	settings := Settings{RunID: "r", Workers: 1 + rng.IntN(3), Shards: 4, TotalSteps: 12, EndStep: int64(6 + rng.IntN(7)),
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
		return Join{Member{ID: WorkerID(fmt.Sprint("w", rng.IntN(5))), Wished: rng.IntN(5) - 1}}
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
		return Saved{Checkpoint: Checkpoint{Step: step, Path: "p"}, Error: problem, FailCode: 7}
	case k < 86:
		return Pause{Request: id}
	case k < 92:
		return Resume{Request: id}
	case k < 95:
		return RequestSave{Request: id}
	case k < 96:
		return Leave{Worker: WorkerID(fmt.Sprint("w", rng.IntN(5)))}
	case k < 97:
		return Stop{Request: id, Now: rng.IntN(4) == 0}
	case k < 98 && rng.IntN(5) == 0:
		return Fail{Reason: "x", Code: 4}
	case k < 99 && (s.Phase.Final() || rng.IntN(4) == 0):
		c := Rewind{Settings: settings}
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
		Create{Settings{RunID: "r", Workers: 1, Shards: 1, TotalSteps: 2, EndStep: 2}},
		Join{Member{ID: "a", Wished: -1}}, Started{Generation: 1, Step: 0, Target: 9},
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
	commands := []Command{Create{Settings{RunID: "r", Workers: 1, Shards: 1, TotalSteps: end + 1, EndStep: end + 1}},
		Join{Member{ID: "a", Wished: -1}}, Started{Generation: 1, Target: 5}}
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

func TestSpan(t *testing.T) {
	for _, c := range []struct{ total, rank, n, begin, end int64 }{
		{8, 0, 8, 0, 1}, {8, 2, 3, 5, 8}, {8, 1, 3, 2, 5}, {8, 0, 3, 0, 2}, {23508032, 7, 8, 20569528, 23508032},
	} {
		begin, end := Span(c.total, int(c.rank), int(c.n))
		if begin != c.begin || end != c.end {
			t.Errorf("span %d of %d of %d: [%d,%d), want [%d,%d)", c.rank, c.n, c.total, begin, end, c.begin, c.end)
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
