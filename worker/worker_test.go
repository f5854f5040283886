package worker

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"byol/internal/failure"
	"byol/internal/fault"
	"byol/internal/vector"
	pb "byol/proto"
	"byol/worker/checkpoint"
	"byol/worker/eval"
)

// TestRegroup begins a new generation in the middle of a run: workers form a new group, keep their state, and end
// where an undisturbed run does.
func TestRegroup(t *testing.T) {
	want := trained(t, &conductor{workers: 3, until: 4}, nil)
	c := &conductor{workers: 3, until: 4, eval: map[int64]bool{2: true}, regroup: 2}
	if got := trained(t, c, nil); got != want {
		t.Errorf("with a new group after step 2 the run ends with %s, without with %s", got, want)
	}
	if len(c.result.ready) != 6 || c.result.ready[5].Generation != 2 || c.result.ready[5].Step != 2 {
		t.Errorf("ready: %v, want 3 of generation 1 and 3 of generation 2 at step 2", c.result.ready)
	}
}

func mustSucceed(t *testing.T, errs []error) {
	t.Helper()
	for rank, err := range errs {
		if err != nil {
			t.Fatalf("rank %d: %v", rank, err)
		}
	}
}

// trained runs steps of tiny and returns the state_sha256 of the checkpoint at the end.
func trained(t *testing.T, c *conductor, change func(rank int, o *Options)) string {
	t.Helper()
	c.t = t
	if c.cfg == nil {
		c.cfg = tiny(t)
	}
	c.save = map[int64]bool{c.until: true}
	mustSucceed(t, c.conduct(change))
	info, problems, err := checkpoint.Newest(c.cfg.CheckpointDir)
	if err != nil || info.Step != c.until {
		t.Fatalf("newest checkpoint: %+v, %v, %v, want step %d", info, problems, err, c.until)
	}
	return info.StateSHA256
}

func TestSameBitsForAnyNumberOfWorkers(t *testing.T) {
	for dev, numbers := range map[string][]int{"cpu": {1, 2, 3, 8}, "reference": {1, 4}} {
		var first *conductor
		want := ""
		for _, n := range numbers {
			c := &conductor{workers: n, until: 3, cfg: tiny(t)}
			c.cfg.Device = dev
			got := trained(t, c, nil)
			if want == "" {
				want, first = got, c
				continue
			}
			if got != want {
				t.Errorf("%s: %d workers end with %s, 1 worker with %s", dev, n, got, want)
			}
			for i, r := range c.result.steps {
				if d := cmp.Diff(first.result.steps[i].EmbeddingStdRatio, r.EmbeddingStdRatio); d != "" {
					t.Errorf("%s: %d workers, step %d, spread (-1 worker +%d):\n%s", dev, n, i, n, d)
				}
			}
		}
	}
}

func TestResumeIsExact(t *testing.T) {
	whole := trained(t, &conductor{workers: 2, until: 6}, nil)
	half := &conductor{workers: 4, until: 3}
	trained(t, half, nil)
	saved := half.result.saved[0]
	rest := &conductor{workers: 2, until: 6, cfg: half.cfg, restore: &pb.Restore{
		Kind: pb.Restore_KIND_CHECKPOINT, Path: saved.Path, Step: 3, StateSha256: saved.StateSha256}}
	if got := trained(t, rest, nil); got != whole {
		t.Errorf("3 steps, resumed, 3 steps end with %s, 6 steps with %s", got, whole)
	}
	if d := cmp.Diff(state(rest.result.ready[0]), state(rest.result.ready[1]), protocmp.Transform()); d != "" {
		t.Errorf("digests at ready:\n%s", d)
	}
}

// state is r without what differs from rank to rank: the digest of the slice it sends.
func state(r *pb.Ready) *pb.Ready {
	same := proto.Clone(r).(*pb.Ready)
	same.Digests.Slice = 0
	return same
}

func TestReplicasAgree(t *testing.T) {
	c := &conductor{t: t, workers: 4, until: 2, cfg: tiny(t)}
	mustSucceed(t, c.conduct(nil))
	whole := vector.Digest(c.xi)
	for _, r := range c.result.ready {
		if d := cmp.Diff(state(c.result.ready[0]), state(r), protocmp.Transform()); d != "" {
			t.Errorf("ready differs:\n%s", d)
		}
		if r.Digests.Slice == 0 || r.Digests.Slice == whole {
			t.Errorf("a slice of the target has digest %016x, all of it %016x", r.Digests.Slice, whole)
		}
	}
	if len(c.result.steps) != 2 || len(c.result.steps[0].Shards) != 2 || c.result.steps[1].Shards[0].Images != 2 {
		t.Errorf("results of rank 0: %v", c.result.steps)
	}
}

func faults(t *testing.T, text string) func(int, *Options) {
	p, err := fault.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return func(_ int, o *Options) { o.Faults = p }
}

// TestCanary flips one bit of one shard's gradient: the state must differ, and be the same for other numbers of
// workers all the same.
func TestCanary(t *testing.T) {
	clean := trained(t, &conductor{workers: 2, until: 2}, nil)
	flip := faults(t, "flip gradient shard=5 step=1 element=3 bit=20")
	two := trained(t, &conductor{workers: 2, until: 2}, flip)
	if two == clean {
		t.Errorf("a flipped bit in the gradient of shard 5 went unnoticed: %s", two)
	}
	if four := trained(t, &conductor{workers: 4, until: 2}, flip); four != two {
		t.Errorf("with the same flip, 4 workers end with %s, 2 with %s", four, two)
	}
}

func TestEvaluation(t *testing.T) {
	var want [3]int64
	for _, n := range []int{1, 3} {
		c := &conductor{t: t, workers: n, until: 1, cfg: tiny(t), eval: map[int64]bool{0: true, 1: true}}
		mustSucceed(t, c.conduct(nil))
		var got [3]int64
		var pixels int64
		for _, e := range c.result.evals {
			if e.Error != "" {
				t.Errorf("%d workers: %s", n, e.Error)
			}
			counts := map[string]*pb.Count{}
			for _, k := range e.Counts {
				counts[k.Name] = k
			}
			knn, probe, raw := counts[eval.KNNTop1], counts[eval.ProbeTop1], counts[eval.PixelsTop1]
			if e.Step == 0 {
				got[0], got[1], pixels = got[0]+knn.GetTotal(), got[1]+knn.GetCorrect(), pixels+raw.GetCorrect()
			} else if got[2] += knn.GetCorrect(); raw != nil || probe.GetTotal() != knn.GetTotal() || len(e.Counts) != 2 {
				t.Errorf("at step %d k-NN and the probe are measured, and not raw pixels again: %v", e.Step, e.Counts)
			}
		}
		if got[0] != 60 || pixels <= 6 {
			t.Errorf("%d workers: %d queries, %d by pixels; want 60 and better than chance", n, got[0], pixels)
		}
		if n == 1 {
			want = got
		} else if got != want {
			t.Errorf("%d workers: queries, correct at steps 0 and 1 are %v, with 1 worker %v", n, got, want)
		}
	}
}

func TestNoEvaluationData(t *testing.T) {
	c := &conductor{t: t, workers: 2, until: 1, cfg: tiny(t), eval: map[int64]bool{0: true}}
	c.cfg.EvalData = ""
	mustSucceed(t, c.conduct(nil))
	if len(c.result.evals) != 2 || c.result.evals[0].Error == "" || len(c.result.steps) != 1 {
		t.Errorf("evaluations %v, steps %v; want two with an error, and training", c.result.evals, c.result.steps)
	}
}

func wantFailure(t *testing.T, err error, code int) *failure.Failure {
	t.Helper()
	var f *failure.Failure
	if !errors.As(err, &f) {
		t.Fatalf("got %v, want a failure with code %d", err, code)
	}
	if f.Code != code || f.What == "" || f.Try == "" && code != failure.Temporary {
		t.Errorf("got %+v, want code %d with three parts", *f, code)
	}
	return f
}
