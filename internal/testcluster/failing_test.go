package testcluster

import (
	"errors"
	"os"
	"strings"
	"sync"
	"testing"

	"byol/internal/failure"
	pb "byol/proto"
)

// TestDataGoneMeanwhile takes the images away while a run is going on, from all of its workers: it fails and has saved
// the last step that was committed, and when they are back it goes on from there to the bits of a run that kept them.
func TestDataGoneMeanwhile(t *testing.T) {
	const steps = 100
	for _, workers := range []int{1, 3} {
		dir := pictures(t, 400)
		cfg := Tiny(steps)
		cfg.Data = dir
		want := run(t, Options{Config: cfg, Workers: workers}).Newest.StateSHA256
		o := Options{Config: cfg, Workers: workers, RunDir: t.TempDir()}
		var once sync.Once
		o.OnProgress = func(s *pb.Status, _ func()) {
			if s.GetProgress().GetStep() >= 2 {
				once.Do(func() {
					if err := os.Rename(dir, dir+".away"); err != nil {
						t.Error(err)
					}
				})
			}
		}
		r := try(t, o)
		var f *failure.Failure
		if !errors.As(r.Coordinator, &f) || f.Code != failure.Data || !strings.Contains(f.Error(), "no such file") {
			t.Fatalf("%d workers: got %v, want exit code %d and what is missing", workers, r.Coordinator, failure.Data)
		}
		for rank, err := range r.Workers {
			if !errors.As(err, &f) || f.Code != failure.Data {
				t.Errorf("worker %d of %d: got %v, want exit code %d", rank, workers, err, failure.Data)
			}
		}
		if p := r.Status.Progress; r.Newest.Step != p.Step || p.Step < 2 || p.Step >= steps {
			t.Errorf("%d workers: %d steps were committed, the newest checkpoint is of step %d", workers, p.Step,
				r.Newest.Step)
		}
		if err := os.Rename(dir+".away", dir); err != nil {
			t.Fatal(err)
		}
		o.OnProgress = nil
		if got := run(t, o).Newest; got.Step != steps || got.StateSHA256 != want {
			t.Errorf("%d workers: it went on to step %d with %s, want %s", workers, got.Step, got.StateSHA256, want)
		}
	}
}

// TestDivergedRunKeepsItsSteps trains at a rate that no network bears: the run fails, and has saved the last step whose
// gradient was finite.
func TestDivergedRunKeepsItsSteps(t *testing.T) {
	cfg := Tiny(100)
	cfg.BaseLr, cfg.WarmupSteps = 1e6, 0
	r := try(t, Options{Config: cfg, Workers: 2})
	var f *failure.Failure
	if !errors.As(r.Coordinator, &f) || f.Code != failure.Training || !strings.Contains(f.Why, "diverged") {
		t.Fatalf("got %v, want exit code %d", r.Coordinator, failure.Training)
	}
	if step := r.Status.Progress.Step; step < 1 || r.Newest.Step != step {
		t.Errorf("%d steps were committed, the newest checkpoint is of step %d", step, r.Newest.Step)
	}
}
