package worker

import (
	"image"
	"image/color"
	"image/png"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"byol/internal/network/memory"
	pb "byol/proto"
	"byol/worker/checkpoint"
)

// TestStreamsAreReplaced loses all streams when a step has been proposed by some, and the workers attach again: no
// group breaks, no new generation begins, and the run ends where an undisturbed one does.
func TestStreamsAreReplaced(t *testing.T) {
	want := trained(t, &conductor{workers: 3, until: 4}, nil)
	c := &conductor{workers: 3, until: 4, forgive: true, hangUp: func(step int64) bool { return step == 2 }}
	if got := trained(t, c, nil); got != want {
		t.Errorf("with streams lost in step 2 the run ends with %s, without with %s", got, want)
	}
	if len(c.result.ready) != 3 || c.generation != 1 {
		t.Errorf("generation %d, ready %v: somebody noticed", c.generation, c.result.ready)
	}
	for _, m := range c.members {
		if m.attached != 2 {
			t.Errorf("rank %d attached %d times", m.rank, m.attached)
		}
	}
}

// TestTargetIsLostWithItsStream loses a stream after the commit, with the span of ξ' that was on it: the worker has
// the plan that shows the commit, says its part again, and is given the span again.
func TestTargetIsLostWithItsStream(t *testing.T) {
	want := trained(t, &conductor{workers: 2, until: 4}, nil)
	c := &conductor{workers: 2, until: 4, forgive: true}
	var lost atomic.Bool
	c.hook = func(rank int, m *pb.ToWorker) *pb.ToWorker {
		if s := m.GetSlice(); s != nil && s.Step == 1 && rank == 1 && !lost.Swap(true) {
			for _, m := range c.members {
				if m.rank == 1 {
					close(m.end)
				}
			}
			return nil
		}
		return m
	}
	if got := trained(t, c, nil); got != want {
		t.Errorf("the run ends with %s, without a loss with %s", got, want)
	}
	if !lost.Load() || c.generation != 1 {
		t.Errorf("lost %v, generation %d", lost.Load(), c.generation)
	}
}

// TestSeveralCoordinators lists one that is not there before the one that is.
func TestSeveralCoordinators(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := l.Addr().String()
	l.Close()
	c := &conductor{t: t, workers: 2, until: 1, cfg: tiny(t)}
	mustSucceed(t, c.conduct(func(_ int, o *Options) { o.Coordinator = nobody + "," + o.Coordinator }))
	if len(c.result.steps) != 1 {
		t.Errorf("%d steps", len(c.result.steps))
	}
}

// TestInABubble runs two workers and their coordinator over a network in memory, in fake time: no socket, no clock
// but the bubble's, and nothing that runs on when Run has returned.
func TestInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memory.New()
		c := &conductor{t: t, workers: 2, until: 2, cfg: tiny(t), network: n.Host("one"), save: map[int64]bool{2: true},
			eval: map[int64]bool{1: true}}
		start := time.Now()
		mustSucceed(t, c.conduct(func(_ int, o *Options) { o.NoSharedMemory = true }))
		c.stop()
		if len(c.result.steps) != 2 || len(c.result.evals) != 2 || len(c.result.saved) != 1 {
			t.Errorf("%d steps, %d evaluations, saved %v", len(c.result.steps), len(c.result.evals), c.result.saved)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("it took %v of the bubble's time: something waited for a timeout", took)
		}
	})
}

// folder writes n small pictures of two classes; the one with index bad is no picture, and has an odd name.
func folder(t *testing.T, n, bad int) string {
	t.Helper()
	dir := t.TempDir()
	for i := range n {
		class := filepath.Join(dir, "class-"+strconv.Itoa(2*i/n))
		if err := os.MkdirAll(class, 0o755); err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(class, strconv.Itoa(100+i)+".png")
		if i == bad {
			if err := os.WriteFile(name, []byte("no picture"), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		img := image.NewGray(image.Rect(0, 0, 12, 12))
		for p := range img.Pix {
			img.Pix[p] = byte(p*i + 37*i)
		}
		img.SetGray(0, 0, color.Gray{Y: byte(255 * (2 * i / n))})
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := png.Encode(f, img); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestUnreadableImagesAreReportedOnce has one file that is no picture in the training set and one in the evaluation
// set. Over several epochs, two evaluations and two generations each worker reports each at most once, by its set and
// index, and the evaluation leaves both out.
func TestUnreadableImagesAreReportedOnce(t *testing.T) {
	c := &conductor{t: t, workers: 2, until: 6, cfg: tiny(t), eval: map[int64]bool{0: true, 2: true, 4: true}, regroup: 2}
	c.cfg.Data, c.cfg.EvalData = folder(t, 24, 5), folder(t, 10, 7)
	mustSucceed(t, c.conduct(nil))
	count := map[unreadable]int{}
	sets := map[bool]int{}
	for _, u := range c.result.bad {
		count[u]++
		sets[u.evaluation]++
		want, name := 5, "105.png"
		if u.evaluation {
			want, name = 7, "107.png"
		}
		if u.index != want || !strings.HasSuffix(u.name, name) || count[u] > 1 {
			t.Errorf("reported %+v, %d times", u, count[u])
		}
	}
	if sets[true] != 1 || sets[false] < 1 || sets[false] > 2 {
		t.Errorf("reported %v", c.result.bad)
	}
	totals := map[int64]int64{}
	for _, e := range c.result.evals {
		if e.Error != "" {
			t.Errorf("evaluation: %s", e.Error)
			continue
		}
		totals[e.Step] += e.Counts[0].Total
	}
	for step, total := range totals {
		if total != 9 {
			t.Errorf("step %d: %d queries of 10 images, of which one cannot be decoded", step, total)
		}
	}
	if len(totals) != 3 {
		t.Errorf("evaluated at %v", totals)
	}
}

// TestRestoreFromThePlan looks at where a plan says that the state is.
func TestRestoreFromThePlan(t *testing.T) {
	fresh := &pb.Restore{Kind: pb.Restore_KIND_FRESH}
	file := &pb.Restore{Kind: pb.Restore_KIND_CHECKPOINT, Path: "p", Step: 3, StateSha256: "ab"}
	cfg := &pb.RunConfig{Seed: 9}
	for _, c := range []struct {
		name string
		plan *pb.Plan
		want string
	}{
		{"from the seed", &pb.Plan{Restore: fresh}, "replica.First [9]"},
		{"from a file", &pb.Plan{Restore: file, CommittedStep: 3}, "replica.First [{p ab}]"},
		{"a file of another step", &pb.Plan{Restore: file, CommittedStep: 4},
			"replica.Nobody {the plan offers KIND_CHECKPOINT of step 3}"},
		{"a seed in the middle", &pb.Plan{Restore: fresh, CommittedStep: 4},
			"replica.Nobody {the plan offers KIND_FRESH of step 0}"},
		{"nothing", &pb.Plan{CommittedStep: 4}, "replica.Nobody {the plan offers KIND_UNSPECIFIED of step 0}"},
	} {
		w := &worker{cfg: cfg}
		if got := describe(w.sources(c.plan)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestCheckpointCannotBeWritten cannot write where it should: the coordinator is told, the run goes on, and another
// plan is another try.
func TestCheckpointCannotBeWritten(t *testing.T) {
	c := &conductor{t: t, workers: 1, until: 2, cfg: tiny(t), save: map[int64]bool{1: true, 2: true}}
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	c.cfg.CheckpointDir = filepath.Join(blocked, "checkpoints")
	mustSucceed(t, c.conduct(nil))
	if len(c.result.saved) == 0 || c.result.saved[0].Error == "" || len(c.result.steps) != 2 {
		t.Errorf("told %v after %d steps", c.result.saved, len(c.result.steps))
	}
	if _, _, err := checkpoint.Newest(c.cfg.CheckpointDir); err == nil {
		t.Error("a checkpoint was written into a file")
	}
}
