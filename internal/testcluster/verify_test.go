package testcluster

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"byol/internal/failure"
	"byol/worker"
)

// verifying is a run in which two of four steps are verified, and its clean end.
func verifying(t *testing.T, workers int, o Options) *Result {
	t.Helper()
	o.Config, o.Workers = Tiny(4), workers
	o.Config.VerifyEverySteps = 2
	return try(t, o)
}

// TestVerifiedStepsHaveTheSameBits: verification changes no bits, for any number of workers, and counts as no fault.
func TestVerifiedStepsHaveTheSameBits(t *testing.T) {
	clean := run(t, Options{Config: Tiny(4), Workers: 2}).Newest.StateSHA256
	for _, n := range []int{1, 3, 4} {
		r := verifying(t, n, Options{})
		if err := r.Err(); err != nil || r.Newest.StateSHA256 != clean || r.Newest.Step != 4 {
			t.Errorf("%d workers: ends with %v at step %d with %s, want %s", n, err, r.Newest.Step, r.Newest.StateSHA256, clean)
		}
		if f := r.Status.GetFaults(); f.GetRestarts() != 0 || len(f.GetQuarantined()) != 0 || f.GetRerunSteps() != 2 {
			t.Errorf("%d workers: faults are %v, want two steps that were computed again", n, f)
		}
	}
}

// TestWrongGradientsAreFound damages gradients, and sums of batch norm, before they are summed: once, or each time that
// worker-1 computes the step. Where others can tell, it is named with its shards and left out; the run ends with the
// bits of a clean one, or it stops rather than guess.
func TestWrongGradientsAreFound(t *testing.T) {
	clean := run(t, Options{Config: Tiny(4), Workers: 2}).Newest.StateSHA256
	for _, c := range []struct {
		workers int
		text    string // of worker-1's faults, or of the only one's
		odd     string // who is left out, and why: "" for nobody
		event   string // and words of it
		words   string
		fails   bool
	}{
		{1, "flip gradient step=1 attempt=1 element=3 bit=18", "", "step-settled", "nobody to compare with", false},
		{2, "flip gradient step=1 attempt=1 element=3 bit=18",
			"worker-1: worker-1 computed a wrong gradient of shards 4, 5, 6 and 7 at step 1", "shard-differs",
			"worker-0 and worker-1", false},
		{2, "flip gradient step=1 shard=1 attempt=2", "worker-1: worker-1 computed a wrong gradient of shard 1 at step 1",
			"worker-quarantined", "worker-0 and worker-1 itself, asked again, agree", false},
		{2, "flip gradient step=1", "", "run-failed", "no majority tells who is wrong", true},
		{4, "flip gradient step=1 attempt=1 shard=3",
			"worker-1: worker-1 computed a wrong gradient of shard 3 at step 1: worker-", "worker-quarantined",
			"agree in another one", false},
		{3, "flip gradient step=1", "worker-1: worker-1 computed a wrong gradient", "worker-quarantined", "agree", false},
		{4, "flip sums step=1 attempt=1 element=1 bit=12", "", "step-settled", "sums of batch norm", false},
		{3, "flip sums step=1 element=1 bit=12", "", "run-failed", "no majority", true},
	} {
		t.Run(fmt.Sprint(c.workers, " ", c.text), func(t *testing.T) {
			o := Options{RunDir: t.TempDir(), Worker: func(index int, o *worker.Options) {
				if index == 1 || c.workers == 1 {
					o.Faults = plan(t, c.text)
				}
			}}
			r := verifying(t, c.workers, o)
			wantEvent(t, o.RunDir, c.event, c.words)
			var f *failure.Failure
			if c.fails {
				if !errors.As(r.Coordinator, &f) || f.Code != failure.Training || r.Status.GetProgress().GetStep() != 1 {
					t.Errorf("ends with %v at step %d, want that it gives up at step 1", r.Coordinator,
						r.Status.GetProgress().GetStep())
				}
				return
			}
			if r.Coordinator != nil || r.Newest.Step != 4 || r.Newest.StateSHA256 != clean {
				t.Errorf("ends with %v at step %d with %s, want %s", r.Coordinator, r.Newest.Step, r.Newest.StateSHA256, clean)
			}
			if out := strings.Join(r.Status.GetFaults().GetQuarantined(), "; "); !strings.HasPrefix(out, c.odd) ||
				(out == "") != (c.odd == "") || strings.Contains(out, "; ") {
				t.Errorf("left out are %q, want %q alone", out, c.odd)
			}
		})
	}
}

// TestWrongGradientsUnverified is the canary of the two above: the same fault, in a step that is not verified, is in
// the state of all at the end, and nobody says a word.
func TestWrongGradientsUnverified(t *testing.T) {
	clean := run(t, Options{Config: Tiny(4), Workers: 2}).Newest.StateSHA256
	r := verifying(t, 4, Options{Faults: plan(t, "flip gradient step=2 attempt=1 shard=3 bit=18")})
	if r.Err() != nil || r.Newest.StateSHA256 == clean || len(r.Status.GetFaults().GetQuarantined()) > 0 {
		t.Errorf("ends with %v and %s, without the fault %s; left out are %q", r.Err(), r.Newest.StateSHA256, clean,
			r.Status.GetFaults().GetQuarantined())
	}
}
