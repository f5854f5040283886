package testcluster

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"byol/coordinator/features"
	"byol/internal/failure"
	"byol/model/device/reference"
	"byol/model/engine"
	"byol/model/engine/ops"
	pb "byol/proto"
	"byol/worker"
)

// labelled are some images of the evaluation's set, labelled by their number.
func labelled(first, n int) features.Labelled {
	var l features.Labelled
	for i := first; i < first+n; i++ {
		l.Images, l.Labels = append(l.Images, int64(i)), append(l.Labels, int32(i%3))
	}
	return l
}

// outcome is what came of the candidates of a fine-tuning: results in words, and digests of their last states.
type outcome struct {
	results map[int]string
	states  map[int]string
	kept    map[int][]byte
}

// tune has candidates trained. each is called whenever a state is kept.
func (e *evaluation) tune(each func(kept int)) (outcome, error) {
	ctx, cancel := context.WithTimeout(e.t.Context(), time.Minute)
	defer cancel()
	o := outcome{map[int]string{}, map[int]string{}, map[int][]byte{}}
	var mu sync.Mutex // guards o.kept
	t := features.Tuning{Doing: "fine-tuning", Classes: 3, Train: labelled(0, 50), Held: labelled(50, 20),
		Judged: labelled(70, 31), Total: 50 * 12,
		State: func(task int) []byte {
			mu.Lock()
			defer mu.Unlock()
			return o.kept[task]
		},
		Got: func(task int, r *pb.TuneResult) error {
			o.results[task] = fmt.Sprintf("diverged %v, held %d of %d, judged %d of %d", r.Diverged, r.Held.GetTop1(),
				r.Held.GetImages(), r.Judged.GetTop1(), r.Judged.GetImages())
			return nil
		}}
	keeps := 0
	t.Keep = func(task int, state []byte) error {
		mu.Lock()
		o.kept[task] = state
		mu.Unlock()
		sum := sha256.Sum256(state)
		o.states[task] = fmt.Sprintf("%x", sum[:8])
		keeps++
		each(keeps)
		return nil
	}
	for _, rate := range []float64{0.5, 1e30, 0.1} {
		t.Tasks = append(t.Tasks, &pb.TuneTask{Rate: rate, Epochs: 4, Batch: 16, Group: 4, Momentum: 0.9, Keep: 0.9, Seed: 9})
	}
	err := e.job.Tune(ctx, t)
	return o, err
}

// TestTuningDoesNotDependOnWorkers: one worker, three, and two of which one is lost in the middle of its candidate come
// to the same results by the same weights. A rate that is too high is told as what it is.
func TestTuningDoesNotDependOnWorkers(t *testing.T) {
	none := func(int) {}
	alone, err := evaluate(t, 1, nil).tune(none)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprint(alone.results)
	if !strings.Contains(alone.results[1], "diverged true") || !strings.Contains(alone.results[0], "of 20, judged") ||
		!strings.Contains(alone.results[2], "of 31") {
		t.Errorf("results %s", want)
	}
	three, err := evaluate(t, 3, nil).tune(none)
	if err != nil {
		t.Fatal(err)
	}
	e := evaluate(t, 1, nil)
	ctx, kill := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	e.join(ctx, ended)
	killed, err := e.tune(func(kept int) {
		if kept == 2 {
			kill()
			<-ended
		}
	})
	kill()
	if err != nil {
		t.Fatal(err)
	}
	for how, got := range map[string]outcome{"three workers": three, "one of two lost": killed} {
		if fmt.Sprint(got.results) != want || len(got.results) != 3 {
			t.Errorf("%s: results %v, want %s", how, got.results, want)
		}
		for _, task := range []int{0, 2} {
			if got.states[task] == alone.states[task] && got.states[task] != "" {
				continue
			}
			t.Errorf("%s: another last state of candidate %d than one worker's", how, task)
		}
	}
}

// noDevice is an engine without a device of its own, as those of accelerators are.
type noDevice struct{ engine.Engine }

// TestTuningOfAccelerators: an engine that cannot fine-tune says so.
func TestTuningOfAccelerators(t *testing.T) {
	e := evaluate(t, 0, nil)
	ended := make(chan error, 1)
	e.workers.Go(func() {
		ended <- worker.Encode(t.Context(), worker.Options{Coordinator: e.job.Addr(), Index: -1, Build: "test",
			JoinTimeout: 5 * time.Second, OpenEngine: func(worker.EngineOptions) (engine.Engine, error) {
				return noDevice{ops.New(reference.New(32), nil)}, nil
			}})
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	e.workers.Go(func() {
		_ = e.job.Tune(ctx, features.Tuning{Classes: 3, Train: labelled(0, 4), State: func(int) []byte { return nil },
			Tasks: []*pb.TuneTask{{Rate: 1, Epochs: 1, Batch: 4, Group: 2, Momentum: 0.9, Keep: 0.9}}})
	})
	var f *failure.Failure
	if err := <-ended; !errors.As(err, &f) || !strings.Contains(f.Why, "cpu and reference alone") || f.Try == "" {
		t.Errorf("error %v, want one that says which devices can", err)
	}
}
