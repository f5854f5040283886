package testcluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"byol/internal/failure"
	"byol/internal/fault"
	pb "byol/proto"
	"byol/worker"
)

// run runs a cluster and fails the test if anybody returned an error.
func run(t *testing.T, o Options) *Result {
	t.Helper()
	r := try(t, o)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return r
}

// try runs a cluster.
func try(t *testing.T, o Options) *Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if o.RunDir == "" {
		o.RunDir = t.TempDir()
	}
	r, err := Run(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSameBitsForAnyNumberOfWorkers(t *testing.T) {
	devices := map[string][]int{"cpu": {1, 2, 4, 8}, "reference": {1, 2, 4, 8}}
	if testing.Short() {
		devices = map[string][]int{"cpu": {1, 4}}
	}
	for device, numbers := range devices {
		want := ""
		for _, n := range numbers {
			cfg := Tiny(3)
			cfg.Device, cfg.Arch = device, "resnet20"
			r := run(t, Options{Config: cfg, Workers: n})
			if r.Newest.Step != 3 {
				t.Fatalf("%s, %d workers: newest checkpoint is of step %d, want 3", device, n, r.Newest.Step)
			}
			t.Logf("%-9s %d workers  state_sha256 %s", device, n, r.Newest.StateSHA256)
			if want == "" {
				want = r.Newest.StateSHA256
			}
			if r.Newest.StateSHA256 != want {
				t.Errorf("%s: %d workers end with %s, %d with %s", device, n, r.Newest.StateSHA256, numbers[0], want)
			}
		}
	}
}

// TestSameBitsInTurns: workers that compute their shards one after another, or some at a time, end with the bits of
// those that have all at once, and of many workers: also where the wire rounds what each shard adds.
func TestSameBitsInTurns(t *testing.T) {
	for _, wire := range []string{"", "bf16"} {
		cfg := Tiny(3)
		cfg.BatchNorm, cfg.Wire = "local", wire
		want := run(t, Options{Config: cfg, Workers: 4}).Newest.StateSHA256
		for _, c := range []struct {
			workers int
			atOnce  int32
		}{{1, 1}, {1, 3}, {2, 1}, {3, 2}} {
			cfg.ShardsAtOnce = c.atOnce
			if got := run(t, Options{Config: cfg, Workers: c.workers}).Newest.StateSHA256; got != want {
				t.Errorf("wire %q, %d workers, %d shards at a time: %s, want %s", wire, c.workers, c.atOnce, got, want)
			}
		}
	}
}

// TestSameBitsInBF16 rounds gradients on their way: any number of workers, over sockets and in memory, end with the
// same bits, which are not those of float32, and float32 does not go on with the run.
func TestSameBitsInBF16(t *testing.T) {
	numbers := []int{1, 2, 4, 8}
	if testing.Short() {
		numbers = []int{1, 4}
	}
	config := func(wire string) *pb.RunConfig {
		cfg := Tiny(3)
		cfg.Wire = wire
		cfg.ProjectorHidden, cfg.PredictorHidden = 500, 300 // buckets longer than what goes in one hop
		return cfg
	}
	plain := run(t, Options{Config: config(""), Workers: 2}).Newest.StateSHA256
	want, dir := "", ""
	for _, n := range numbers {
		for _, sockets := range []bool{false, true} {
			if n == 1 && sockets {
				continue
			}
			dir = t.TempDir()
			r := run(t, Options{Config: config("bf16"), Workers: n, RunDir: dir,
				Worker: func(_ int, o *worker.Options) { o.NoSharedMemory = sockets }})
			t.Logf("%d workers, sockets %v  state_sha256 %s", n, sockets, r.Newest.StateSHA256)
			if want == "" {
				want = r.Newest.StateSHA256
			}
			if r.Newest.Step != 3 || r.Newest.StateSHA256 != want {
				t.Errorf("%d workers, sockets %v: step %d ends with %s, want %s", n, sockets, r.Newest.Step,
					r.Newest.StateSHA256, want)
			}
		}
	}
	if want == plain {
		t.Errorf("bf16 and float32 both end with %s", want)
	}
	other := config("")
	other.MaxSteps = 5
	r := try(t, Options{Config: other, Workers: 1, RunDir: dir})
	var f *failure.Failure
	why := `wire: "bf16", now ""`
	if !errors.As(r.Coordinator, &f) || f.Code != failure.Usage || !strings.Contains(f.Why, why) {
		t.Errorf("going on in float32: got %v, want a refusal that names the wire", r.Coordinator)
	}
}

// TestResumeIsExact stops a run half-way, goes on with another number of workers, and compares with a run that
// was never stopped.
func TestResumeIsExact(t *testing.T) {
	want := run(t, Options{Config: Tiny(10), Workers: 2}).Newest.StateSHA256
	dir := t.TempDir()
	half := run(t, Options{Config: Tiny(5), Workers: 2, RunDir: dir})
	if half.Newest.Step != 5 {
		t.Fatalf("half of the run ends at step %d", half.Newest.Step)
	}
	got := run(t, Options{Config: Tiny(10), Workers: 4, RunDir: dir})
	if got.Newest.Step != 10 || got.Newest.StateSHA256 != want {
		t.Errorf("5 steps, then 5 with 4 workers end at step %d with %s, 10 steps with %s", got.Newest.Step,
			got.Newest.StateSHA256, want)
	}
}

func plan(t *testing.T, text string) fault.Plan {
	t.Helper()
	p, err := fault.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestFlippedBitsAreNamed damages what rank 2 of four workers would commit, and again what the next rank 2 would: both
// are named and kept out, the step is computed again, and the run ends with the bits of a clean one.
func TestFlippedBitsAreNamed(t *testing.T) {
	clean := run(t, Options{Config: Tiny(3), Workers: 4}).Newest.StateSHA256
	for _, target := range []string{"theta", "momentum", "statistics", "target"} {
		text := fmt.Sprintf("flip %s rank=2 step=1 element=11", target)
		r := try(t, Options{Config: Tiny(3), Workers: 4, Faults: plan(t, text)})
		if r.Coordinator != nil || r.Newest.Step != 3 || r.Newest.StateSHA256 != clean {
			t.Errorf("%s: ends with %v at step %d with %s, want %s", text, r.Coordinator, r.Newest.Step,
				r.Newest.StateSHA256, clean)
		}
		out := r.Status.GetFaults().GetQuarantined()
		for i, id := range []string{"worker-2", "worker-3"} {
			if len(out) != 2 || !strings.HasPrefix(out[i], id+": ") {
				t.Errorf("%s: kept out are %q, want worker-2 and worker-3", text, out)
			}
			if err := r.Workers[2+i]; err == nil || !strings.Contains(err.Error(), "quarantine") {
				t.Errorf("%s: %s returned %v, want that it is in quarantine", text, id, err)
			}
			if err := r.Workers[i]; err != nil {
				t.Errorf("%s: worker %d returned %v", text, i, err)
			}
		}
	}
}

// TestCanary flips one bit in the gradient of one shard. All workers sum the same, so nobody can notice, but the
// state must not be that of the clean run: or else equal digests would mean nothing.
func TestCanary(t *testing.T) {
	clean := run(t, Options{Config: Tiny(3), Workers: 2}).Newest.StateSHA256
	flip := plan(t, "flip gradient shard=5 step=1 element=3 bit=18")
	two := run(t, Options{Config: Tiny(3), Workers: 2, Faults: flip}).Newest.StateSHA256
	if two == clean {
		t.Errorf("%v left no trace in the state: %s", flip, clean)
	}
	if four := run(t, Options{Config: Tiny(3), Workers: 4, Faults: flip}).Newest.StateSHA256; four != two {
		t.Errorf("%v: 4 workers end with %s, 2 with %s", flip, four, two)
	}
}

func TestEvaluation(t *testing.T) {
	cfg := Tiny(4)
	cfg.EvalData, cfg.EvalEverySteps = "synthetic:60,size=12,seed=2", 2
	var figures [2][3]float64
	for i, n := range []int{1, 3} {
		l := run(t, Options{Config: cfg, Workers: n}).Status.Learning
		figures[i] = [3]float64{l.KnnUntrainedTop1Ratio, l.KnnPixelsTop1Ratio, l.KnnTop1Ratio}
		if !l.KnnKnown || l.KnnStep != 4 || l.KnnPixelsTop1Ratio <= 0.1 {
			t.Errorf("%d workers: %v, want figures of step 4, and pixels better than chance", n, l)
		}
	}
	if figures[0] != figures[1] {
		t.Errorf("untrained, pixels, trained are %v with 1 worker and %v with 3", figures[0], figures[1])
	}
}

// TestStopSaves ends a run as a signal does: it stops at a step boundary with its state stored.
func TestStopSaves(t *testing.T) {
	r := try(t, Options{Config: Tiny(90), Workers: 2, OnProgress: func(s *pb.Status, stop func()) {
		if s.Progress.GetStep() >= 3 {
			stop()
		}
	}})
	var f *failure.Failure
	if !errors.As(r.Coordinator, &f) || f.Code != failure.Temporary {
		t.Errorf("got %v, want exit code %d", r.Coordinator, failure.Temporary)
	}
	if r.Newest.Step < 3 || r.Newest.Step != r.Status.Progress.Step {
		t.Errorf("stopped at step %d with a checkpoint of step %d", r.Status.Progress.Step, r.Newest.Step)
	}
	for rank, err := range r.Workers { // they are wanted again when the coordinator is back
		if !errors.As(err, &f) || f.Code != failure.Temporary || !strings.Contains(f.Why, "a signal asked") {
			t.Errorf("worker %d: %v", rank, err)
		}
	}
}

// pictures makes a folder of images in four classes.
func pictures(t *testing.T, n int) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "pictures")
	for i := range n {
		class := filepath.Join(dir, fmt.Sprintf("class%d", i%4))
		if err := os.MkdirAll(class, 0o755); err != nil {
			t.Fatal(err)
		}
		img := image.NewRGBA(image.Rect(0, 0, 12, 12))
		for j := range img.Pix {
			img.Pix[j] = uint8(i*j + j)
		}
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(class, fmt.Sprintf("%02d.png", i)), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestUnreadableImage trains on a folder with one image that cannot be decoded: it is named, replaced by the same
// rule on every worker, and nothing else happens.
func TestUnreadableImage(t *testing.T) {
	dir := pictures(t, 40)
	broken := filepath.Join(dir, "class1", "13.png")
	info, err := os.Stat(broken)
	if err == nil {
		err = os.Truncate(broken, info.Size()/2)
	}
	if err != nil {
		t.Fatal(err)
	}
	cfg := Tiny(4)
	cfg.Data = dir
	want := ""
	for _, n := range []int{1, 2} {
		r := run(t, Options{Config: cfg, Workers: n})
		p := r.Status.Progress
		if p.UnreadableImages < 1 || !strings.Contains(p.LastUnreadableImage, "13.png") {
			t.Errorf("%d workers: %d unreadable images, the last %q, want 13.png", n, p.UnreadableImages,
				p.LastUnreadableImage)
		}
		if want == "" {
			want = r.Newest.StateSHA256
		}
		if r.Newest.StateSHA256 != want {
			t.Errorf("%d workers end with %s, 1 with %s", n, r.Newest.StateSHA256, want)
		}
	}
}
