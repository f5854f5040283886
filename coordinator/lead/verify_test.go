package lead

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"byol/coordinator/run"
)

// TestJudgeBlamesNobodyElse has workers compute a step again and again with the shards turned, one of them wrong in any
// of its shards at any time, with the same or another wrong gradient. Nobody else is blamed, and what is agreed on is
// right. Where it was wrong in one attempt alone, of those that two workers need at most, it is found.
func TestJudgeBlamesNobodyElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		workers := rapid.IntRange(2, 5).Draw(t, "workers")
		shards := workers * rapid.IntRange(1, 3).Draw(t, "shards of each")
		bad := rapid.IntRange(0, workers-1).Draw(t, "bad")
		once := rapid.IntRange(-1, attemptsMost-2).Draw(t, "wrong in") // −1: whenever it likes
		var attempts []attempt
		wrong := 0
		for i := range attemptsMost {
			a := attempt{owners: make([]run.WorkerID, shards), gradients: make([]uint64, shards), state: Digests{Online: 9}}
			for v := range shards {
				owner := (v*workers/shards + i) % workers
				a.owners[v], a.gradients[v] = numbered(owner), uint64(100+v)
				last := v == shards-1 || (v+1)*workers/shards != v*workers/shards
				if owner != bad || once >= 0 && i != once {
					continue
				}
				if once == i && last || once < 0 && rapid.Bool().Draw(t, "is wrong") {
					a.gradients[v] += 1000 * uint64(rapid.IntRange(1, 2).Draw(t, "by"))
					a.state.Online += a.gradients[v]
					wrong++
				}
			}
			attempts = append(attempts, a)
			r := judge(attempts)
			if slices.ContainsFunc(r.odd, func(id run.WorkerID) bool { return id != numbered(bad) }) || r.shared {
				t.Fatalf("only %s is wrong, and blamed are %v (shared %v): %+v", numbered(bad), r.odd, r.shared, attempts)
			}
			if right := a.state.Online == 9; r.agreed && !right {
				t.Fatalf("what is wrong is agreed on: %+v", attempts)
			}
			if wrong == 0 && r.agreed != (i > 0) {
				t.Fatalf("nothing is wrong, and agreed is %v after %d attempts", r.agreed, i+1)
			}
		}
		r := judge(attempts)
		if once >= 0 && (!r.agreed || !slices.Equal(r.odd, []run.WorkerID{numbered(bad)})) {
			t.Fatalf("%s was wrong in attempt %d, and blamed are %v, agreed %v", numbered(bad), once, r.odd, r.agreed)
		}
	})
}

// TestJudgeSharedSums: where shards of several workers were wrong in one attempt, no worker is blamed, and the others'
// attempts count.
func TestJudgeSharedSums(t *testing.T) {
	of := func(owners []run.WorkerID, by uint64) attempt {
		return attempt{owners: owners, gradients: []uint64{1 + by, 2 + by}, state: Digests{Online: by}}
	}
	a, b := numbered(0), numbered(1)
	attempts := []attempt{of([]run.WorkerID{a, b}, 5), of([]run.WorkerID{b, a}, 0), of([]run.WorkerID{a, b}, 0)}
	if r := judge(attempts[:2]); r.agreed || r.odd != nil {
		t.Errorf("two attempts that differ: %+v", r)
	}
	if r := judge(attempts); !r.agreed || r.odd != nil || !r.shared {
		t.Errorf("the first of three was wrong in all: %+v", r)
	}
}
