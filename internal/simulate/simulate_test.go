package simulate

import (
	"flag"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

var one = flag.Int64("seed", -1, "run this seed of TestSim alone, and print all that happens")

// TestSim runs many seeds. Every kind of fault strikes, and in every moment; most runs are completed, and the others
// say truly that nobody holds the state.
func TestSim(t *testing.T) {
	if *one >= 0 {
		o := Run(Options{Seed: uint64(*one), Trace: true})
		t.Logf("%s\n%v", strings.Join(o.Tail, "\n"), o)
		if o.Problem != "" {
			t.Errorf("seed %d: %s", *one, o.Problem)
		}
		return
	}
	seeds := int64(2000)
	if testing.Short() {
		seeds = 300
	}
	var next, bad atomic.Int64
	var mu sync.Mutex
	ends, struck := map[string]int{}, map[string]int{}
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for seed := next.Add(1); seed <= seeds && bad.Load() < 5; seed = next.Add(1) {
				o := Run(Options{Seed: uint64(seed)})
				if o.Problem != "" {
					bad.Add(1)
					t.Errorf("go test ./internal/simulate -run Sim -seed %d: %s", seed, o.Problem)
				}
				mu.Lock()
				ends[strings.SplitN(o.End, ":", 2)[0]]++
				for _, f := range o.Faults {
					kind, moment, _ := strings.Cut(f, " in ")
					struck[kind]++
					struck[moment]++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	t.Logf("%d seeds end %v", seeds, ends)
	if bad.Load() > 0 {
		return
	}
	for _, name := range slices.Concat(kinds, moments) {
		if struck[name] == 0 {
			t.Errorf("no fault was or struck in %q", name)
		}
	}
	if ends["completed"] < int(seeds)*9/10 {
		t.Errorf("of %d runs only %d were completed", seeds, ends["completed"])
	}
}

// TestWrongGradients: where steps are not verified, a gradient that is wrong before it is summed is in what is
// committed, and the proof sees it; where they are, the same runs keep all promises.
func TestWrongGradients(t *testing.T) {
	struck, seen := 0, 0
	for seed := range uint64(1500) {
		planned := newWorld(Options{Seed: seed}).faults.planned
		if !slices.ContainsFunc(planned, func(f *fault) bool { return f.kind == "gradient" }) {
			continue
		}
		o := Run(Options{Seed: seed})
		if !slices.ContainsFunc(o.Faults, func(f string) bool { return strings.HasPrefix(f, "gradient") }) {
			continue // the run was over before
		}
		struck++
		if o.Problem != "" {
			t.Errorf("seed %d: %s", seed, o.Problem)
		}
		if o := Run(Options{Seed: seed, Unverified: true}); strings.Contains(o.Problem, "without faults it is") {
			seen++
		}
	}
	t.Logf("%d runs with a wrong gradient, which was seen in %d where it was not verified", struck, seen)
	if seen < struck/2 {
		t.Errorf("of %d runs with wrong gradients only %d were seen", struck, seen)
	}
}

// TestReplay: a seed decides everything.
func TestReplay(t *testing.T) {
	for seed := range uint64(20) {
		a, b := Run(Options{Seed: seed, Trace: true}), Run(Options{Seed: seed, Trace: true})
		if !slices.Equal(a.Tail, b.Tail) || a.String() != b.String() {
			t.Fatalf("seed %d is two runs: %v and %v", seed, a, b)
		}
	}
}

// TestSameBits: a run with faults ends with the state of the run without, whatever was done again in between.
func TestSameBits(t *testing.T) {
	again := int64(0)
	for seed := range uint64(60) {
		calm, o := Run(Options{Seed: seed, Calm: true}), Run(Options{Seed: seed})
		if calm.Problem != "" || calm.End != "completed" || calm.Terms != 1 {
			t.Fatalf("seed %d without faults: %v %s", seed, calm, calm.Problem)
		}
		if o.End == "completed" && (o.Final != calm.Final || o.Steps != calm.Steps) {
			t.Errorf("seed %d ends with %016x at step %d, without faults with %016x at step %d", seed, o.Final, o.Steps,
				calm.Final, calm.Steps)
		}
		again += o.Breaks
	}
	if again == 0 {
		t.Error("no group broke")
	}
}
