package coordinator

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"byol/internal/failure"
	"byol/internal/network/memory"
	pb "byol/proto"
)

// mishap is something that one worker does wrong.
type mishap struct {
	name    string
	workers int
	deed    deed
	code    int
	words   []string
}

func mishaps() []mishap {
	flip := func(p *uint64) { *p ^= 1 }
	return []mishap{
		{"odd online network", 4, deed{step: 3, digest: func(d *pb.Digests) { flip(&d.Online) }}, 0,
			[]string{"worker-1 differs", "the online network", "step 3"}},
		{"odd slice", 4, deed{step: 3, digest: func(d *pb.Digests) { flip(&d.Slice) }}, 0,
			[]string{"worker-1 differs", "its slice of the online network as it was sent", "step 3"}},
		{"odd momentum", 3, deed{step: 3, digest: func(d *pb.Digests) { flip(&d.Momentum) }}, 0,
			[]string{"worker-1 differs", "the momentum", "step 3"}},
		{"odd statistics", 3, deed{step: 3, digest: func(d *pb.Digests) { flip(&d.Statistics) }}, 0,
			[]string{"worker-1 differs", "the running statistics"}},
		{"odd target", 3, deed{step: 3, digest: func(d *pb.Digests) { flip(&d.Target) }}, 0,
			[]string{"worker-1 differs", "the target network"}},
		{"no majority", 2, deed{step: 3, digest: func(d *pb.Digests) { flip(&d.Momentum) }}, 0,
			[]string{"worker-0, worker-1 do not agree", "step 3 is computed again"}},
		{"no majority twice", 2, deed{step: 3, always: true, digest: func(d *pb.Digests) { flip(&d.Momentum) }},
			failure.Training, []string{"worker-1, worker-0 do not agree", "no majority"}},
		{"odd at the start", 3, deed{ready: func(r *pb.Ready) { flip(&r.Digests.Statistics) }}, 0,
			[]string{"worker-1 differs", "the running statistics", "step 0"}},
		{"other kernels", 3, deed{ready: func(r *pb.Ready) { r.Fingerprint = "avx512" }}, failure.Usage,
			[]string{"worker-1 computes with other kernels", "avx512", "--determinism relaxed"}},
		{"other images", 3, deed{ready: func(r *pb.Ready) { r.ManifestHash = "z" }}, failure.Data,
			[]string{"worker-1 sees other images than worker-0"}},
		{"other network", 3, deed{ready: func(r *pb.Ready) { r.Parameters++ }}, failure.Usage, []string{"parameters"}},
		{"loss is no number", 1, deed{step: 3, result: func(r *pb.StepResult) { r.Shards[0].LossSum = math.NaN() }},
			0, []string{"the loss of step 3 is NaN"}},
		{"loss is no number twice", 1, deed{step: 3, always: true,
			result: func(r *pb.StepResult) { r.Shards[0].LossSum = math.NaN() }},
			failure.Training, []string{"the loss of step 3 is NaN"}},
		{"missing shard", 2, deed{step: 3, result: func(r *pb.StepResult) { r.Shards = r.Shards[:1] }},
			0, []string{"nobody reports shard"}},
		{"foreign shard", 2, deed{step: 3, result: func(r *pb.StepResult) { r.Shards[0].Shard = 9 }},
			0, []string{"reports shard 9"}},
		{"garbled slice", 2, deed{step: 3, garble: true}, 0,
			[]string{"worker-1 broke the protocol", "1099511627776"}},
		{"lost", 2, deed{step: 3, die: true}, 0,
			[]string{"worker-1 was lost at step 3 in phase ring"}},
		{"silent", 2, deed{step: 3, mute: true}, 0,
			[]string{"worker-1 was not heard for", "step 3", "phase ring", "waiting for rank 1, all-reduce bucket 2"}},
		{"leaves", 2, deed{step: 3, leave: &pb.Leave{Reason: "the disk is on fire", Hint: "water", Failed: true,
			ExitCode: failure.Data}}, 0,
			[]string{"worker-1 left at step 3", "the disk is on fire"}},
		{"asked to leave", 2, deed{step: 3, leave: &pb.Leave{Reason: "asked to stop",
			ExitCode: failure.Temporary}}, 0, []string{"worker-1 left at step 3", "asked to stop"}},
		{"no evaluation", 2, deed{step: -1, evalErr: "no such file"}, failure.Data,
			[]string{"the evaluation failed", "no such file"}},
	}
}

// TestFailures has one worker do something wrong: the run ends with the code and the words, and so do the others; or,
// where the code is 0, it goes on, says the words in its events, and ends with the bits of a run where nothing
// happened.
func TestFailures(t *testing.T) {
	t.Parallel()
	want := strings.Join(undisturbed(t, 1), " ")
	for _, c := range mishaps() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			opts := options(t, c.workers)
			opts.Config.SaveEverySteps = 0
			opts.FailureTimeout = time.Second
			bad := min(1, c.workers-1)
			synctest.Test(t, func(t *testing.T) {
				opts.Network = memory.New().Host("127.0.0.1")
				w := full(t, opts, bad, c.deed)
				if c.code == 0 {
					if err := w.end(); err != nil {
						t.Errorf("the run ended with %v", err)
					}
					return
				}
				w.failed(c.code, c.words...)
				w.workers.Wait()
				for i, p := range w.plans {
					if i != bad && (w.ends[i] != nil || p.State != pb.RunState_RUN_STATE_FAILED || p.Reason == "" ||
						int(p.ExitCode) != c.code) {
						t.Errorf("worker %d ended with %v and plan %v, want exit code %d", i, w.ends[i], p, c.code)
					}
				}
			})
			if c.code == 0 {
				healed(t, opts, want, c.words...)
			}
		})
	}
}

// healed checks the bits of a run in which something happened, and that its events say what.
func healed(t *testing.T, opts Options, want string, words ...string) {
	t.Helper()
	if got := strings.Join(digests(t, opts.RunDir), " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	events := read(t, filepath.Join(opts.RunDir, "events.jsonl"))
	for _, word := range words {
		if !strings.Contains(events, word) {
			t.Errorf("events do not say %q:\n%s", word, events)
		}
	}
}

// TestAccusedIsNamed has a survivor blame a worker that is silent: that one is removed, and not the survivor.
func TestAccusedIsNamed(t *testing.T) {
	t.Parallel()
	want := strings.Join(undisturbed(t, 1), " ")
	opts := options(t, 3)
	opts.FailureTimeout = time.Second
	synctest.Test(t, func(t *testing.T) {
		opts.Network = memory.New().Host("127.0.0.1")
		w := begin(t, opts)
		w.worker(0, deed{step: 3, accuse: &pb.Complaint{Reason: "rank 2 is slow", SuspectRank: 2},
			delay: 900 * time.Millisecond})
		w.worker(1, deed{step: -1})
		w.worker(2, deed{step: 3, mute: true})
		if err := w.end(); err != nil {
			t.Errorf("the run ended with %v", err)
		}
	})
	healed(t, opts, want, "worker-2 was not heard for")
}

// TestAccusation has a worker blame another that shows no other sign: the group is formed again with both.
func TestAccusation(t *testing.T) {
	t.Parallel()
	want := strings.Join(undisturbed(t, 1), " ")
	opts := options(t, 3)
	opts.FailureTimeout = time.Second
	synctest.Test(t, func(t *testing.T) {
		opts.Network = memory.New().Host("127.0.0.1")
		w := begin(t, opts)
		w.worker(0, deed{step: 3, accuse: &pb.Complaint{Reason: "rank 2 is slow", SuspectRank: 2}})
		w.worker(1, deed{step: -1})
		w.worker(2, deed{step: -1})
		if err := w.end(); err != nil {
			t.Errorf("the run ended with %v", err)
		}
	})
	healed(t, opts, want, "worker-0 lost worker-2", "rank 2 is slow")
	if events := read(t, filepath.Join(opts.RunDir, "events.jsonl")); strings.Contains(events, "worker-lost") {
		t.Errorf("a worker was lost:\n%s", events)
	}
}

// TestStaleMessages has a result of a generation that never was, which is refused and written down, and a result of the
// generation before and a slice that was taken before, which nobody need know of. None hurts.
func TestStaleMessages(t *testing.T) {
	t.Parallel()
	opts := options(t, 2)
	w := full(t, opts, 1, deed{step: 3, stale: true})
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	events := read(t, filepath.Join(opts.RunDir, "events.jsonl"))
	if n := strings.Count(events, `"type":"message-refused","worker":"worker-1"`); n != 1 {
		t.Errorf("%d messages were refused, want 1:\n%s", n, events)
	}
	if !strings.Contains(events, "got results of generation 2 step 3, waiting for results of generation 1 step 3") {
		t.Errorf("events:\n%s", events)
	}
}

func TestLastCheckpointFails(t *testing.T) {
	t.Parallel()
	opts := options(t, 1)
	opts.Config.SaveEverySteps = 0
	opts.Checkpoints.(*disk).broken = "no space left on device"
	w := full(t, opts, -1, deed{})
	w.failed(failure.Checkpoint, "the last checkpoint could not be written", "no space left")
}

func TestJoinTimeout(t *testing.T) {
	t.Parallel()
	opts := options(t, 4)
	opts.JoinTimeout, opts.MinWorkers = 300*time.Millisecond, 4
	w := begin(t, opts)
	w.worker(1, deed{step: -1})
	w.worker(2, deed{step: -1})
	w.failed(failure.TooFew, "only 2 of 4 workers joined within 300ms (missing: 0, 3)", "--workers 2")
}

func TestJoinIsRefused(t *testing.T) {
	t.Parallel()
	opts := options(t, 2)
	w := begin(t, opts)
	w.worker(0, deed{step: -1})
	c := w.client()
	w.until(c, "the first worker", func(s *pb.Status) bool { return s.Cluster.WorkersReady == 1 })
	for i, r := range []struct {
		name   string
		change func(*pb.Join)
		want   string
	}{
		{"index taken", func(j *pb.Join) { j.WorkerId = "other"; j.Index = 0 }, "index 0 has joined already"},
		{"name taken", func(j *pb.Join) { j.WorkerId = "worker-0" }, "name worker-0 has joined already"},
		{"index without a name", func(j *pb.Join) { j.Index = 0 }, "index 0 has joined already"},
		{"index too large", func(j *pb.Join) { j.Index = 2 }, "indexes are 0 to 1"},
		{"other build", func(j *pb.Join) { j.Build = "b2" }, `of build "b2", the coordinator of "b1"`},
		{"no address", func(j *pb.Join) { j.DataAddress = "" }, "no address"},
	} {
		f := &fake{address: w.c.Addr(), disk: newDisk(), complain: t.Errorf,
			join: &pb.Join{Index: 1, DataAddress: "127.0.0.1:1", Host: "here", Build: "b1", Incarnation: fmt.Sprint("i", i)}}
		r.change(f.join)
		_, err := f.run(w.ctx)
		var refused errRefused
		if !errors.As(err, &refused) || !strings.Contains(refused.Error(), r.want) {
			t.Errorf("%s: %v, want %q", r.name, err, r.want)
		}
	}
	w.worker(-1, deed{step: -1})
	if err := w.end(); err != nil {
		t.Error(err)
	}
}

// TestReplacementBeforeTheStart loses a worker while others are waited for: another takes its place.
func TestReplacementBeforeTheStart(t *testing.T) {
	t.Parallel()
	opts := options(t, 2)
	w := begin(t, opts)
	c := w.client()
	first := w.worker(0, deed{step: -1})
	w.until(c, "the first worker", func(s *pb.Status) bool { return s.Cluster.WorkersReady == 1 })
	first.sendMu.Lock()
	first.closed = true
	if err := first.stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	first.sendMu.Unlock()
	w.until(c, "its end", func(s *pb.Status) bool { return s.Cluster.WorkersReady == 0 })
	w.worker(0, deed{step: -1})
	w.worker(1, deed{step: -1})
	if err := w.end(); err != nil {
		t.Error(err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for _, c := range []struct {
		name   string
		change func(*Options)
		words  string
	}{
		{"no workers", func(o *Options) { o.Workers = 0 }, "--workers must be 1..1024 (got 0)"},
		{"processes without a worker", func(o *Options) { o.Processes = o.Workers + 1 }, "cannot run in"},
		{"too many workers", func(o *Options) { o.Workers = 5 }, "5 workers cannot share 4 shards"},
		{"batch", func(o *Options) { o.Config.BatchSize = 10 }, "batch size 10 is not a multiple of 4 shards"},
		{"no steps", func(o *Options) { o.Config.TotalSteps = 0 }, "the run has 0 steps"},
		{"no configuration", func(o *Options) { o.Config = nil }, "no configuration"},
		{"launcher", func(o *Options) { o.Launcher = "cloud" }, `launcher "cloud" is not known`},
		{"worker binary", func(o *Options) { o.Launcher, o.WorkerBinary = LauncherLocal, "/no/worker" }, `"/no/worker"`},
		{"port in use", func(o *Options) { o.Listen = busy.Addr().String() }, "cannot listen on " + busy.Addr().String()},
	} {
		opts := options(t, 2)
		c.change(&opts)
		_, err := New(t.Context(), opts)
		var f *failure.Failure
		if !errors.As(err, &f) || f.Code != failure.Usage || !strings.Contains(f.Error(), c.words) {
			t.Errorf("%s: %v, want %q", c.name, err, c.words)
		}
	}
}

// TestAnotherRun refuses to go on with a run directory under settings that would change its numbers.
func TestAnotherRun(t *testing.T) {
	t.Parallel()
	opts := options(t, 2)
	opts.Config.MaxSteps = 4
	if err := full(t, opts, -1, deed{}).end(); err != nil {
		t.Fatal(err)
	}
	changed := func(change func(*Options)) Options {
		o := opts
		o.Config = config()
		change(&o)
		return o
	}
	begin(t, changed(func(o *Options) { o.Config.Seed, o.Config.Arch = 8, "big" })).
		failed(failure.Usage, "other settings", `seed: 3, now 8; arch: "fake", now "big"`)
	begin(t, changed(func(o *Options) {
		o.Config.ManifestHash, o.Config.Samples, o.Config.TotalSteps, o.Config.WarmupSteps = "another", 77, 70, 7
	})).failed(failure.Data, "the images are not those", "has 77 images, it had ", "bring the files back")
	begin(t, changed(func(o *Options) { o.Config.ManifestHash = "another" })).failed(failure.Data,
		"images as it had, of other names, sizes or labels")
	begin(t, changed(func(o *Options) { o.Config.ManifestHash, o.Config.Seed = "another", 8 })).failed(failure.Usage,
		"other settings", "seed: 3, now 8", "manifest_hash")
	begin(t, changed(func(o *Options) { o.Config.Sums = pb.SumsTree })).failed(failure.Usage,
		"adds its shards from left to right", "this version adds them by a tree", "the version that began it",
		"--resume PATH")
	begin(t, changed(func(o *Options) { o.Resume = ResumeNever })).failed(failure.Usage, "holds a run already", "step 4")
	begin(t, changed(func(o *Options) { o.Resume = "/ckpt/none" })).
		failed(failure.Checkpoint, "/ckpt/none", "no such file")
	begin(t, changed(func(o *Options) { o.Resume, o.Config.MaxSteps = "/ckpt/step-000000004", 3 })).
		failed(failure.Usage, "step 4, past the end at step 3")
	if err := os.RemoveAll(filepath.Join(opts.RunDir, "raft")); err != nil {
		t.Fatal(err)
	}
	w := full(t, changed(func(o *Options) { o.Workers, o.Config.MaxSteps, o.Config.Threads = 1, 6, 3 }), -1, deed{})
	if err := w.end(); err != nil {
		t.Errorf("the same run with other workers, end and threads, without its log: %v", err)
	}
	if events := read(t, filepath.Join(opts.RunDir, "events.jsonl")); !strings.Contains(events,
		"the raft log is empty; going on at step 4 from checkpoint") {
		t.Errorf("events:\n%s", events)
	}
}

// TestOtherKernelsLater refuses to go on with kernels that may give other bits, unless that was asked for.
func TestOtherKernelsLater(t *testing.T) {
	t.Parallel()
	opts := options(t, 1)
	opts.Config.MaxSteps = 5
	if err := full(t, opts, -1, deed{}).end(); err != nil {
		t.Fatal(err)
	}
	other := deed{step: -1, ready: func(r *pb.Ready) { r.Fingerprint = "avx512" }}
	opts.Config = config()
	full(t, opts, 0, other).failed(failure.Usage, "other kernels so far", `"fake" before, "avx512" now`)
	opts.Config = config()
	opts.Config.Determinism = "relaxed"
	if err := full(t, opts, 0, other).end(); err != nil {
		t.Error(err)
	}
}

// TestRestoredStateIsNotTheCommitted has all workers restore the same wrong state: what was committed decides.
func TestRestoredStateIsNotTheCommitted(t *testing.T) {
	t.Parallel()
	opts := options(t, 1)
	opts.Config.MaxSteps = 5
	if err := full(t, opts, -1, deed{}).end(); err != nil {
		t.Fatal(err)
	}
	stored := opts.Checkpoints.(*disk)
	for path, s := range stored.states {
		s.xi = append([]float32{s.xi[0] + 1}, s.xi[1:]...)
		stored.states[path] = s
	}
	opts.Config = config()
	full(t, opts, -1, deed{}).failed(failure.Checkpoint, "not the one that was committed")
}
