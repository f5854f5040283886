package testcluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"byol/internal/failure"
	"byol/internal/network"
	"byol/internal/network/faulty"
	"byol/internal/network/memory"
	pb "byol/proto"
)

// faultStep is the committed step at which faults begin.
const faultStep = 3

// drill is a run in fake time on hosts of its own, with faults of lines.
type drill struct {
	*Result
	cut     time.Time     // when the faults' step was seen
	noticed time.Duration // from then until the run was seen to fail; −1: it did not
	took    time.Duration // all of it
}

// exercise runs a cluster inside a bubble. A step takes time there because the lines do.
func exercise(t *testing.T, o Options, faults string) drill {
	t.Helper()
	lines := faulty.New(plan(t, "delay *->* by=1ms; "+faults))
	defer lines.Close()
	return exerciseOn(t, o, lines)
}

// exerciseOn runs a cluster on lines.
func exerciseOn(t *testing.T, o Options, lines *faulty.Network) drill {
	t.Helper()
	below := memory.New()
	o.Host = func(name string) network.Network { return lines.Host(name, below.Host(name)) }
	start := time.Now()
	d := drill{noticed: -1}
	progress := o.OnProgress
	o.OnProgress = func(s *pb.Status, stop func()) {
		lines.Reach(s.Progress.GetStep())
		if d.cut.IsZero() && s.Progress.GetStep() >= faultStep {
			d.cut = time.Now()
		}
		if d.noticed < 0 && s.State == pb.RunState_RUN_STATE_FAILED {
			d.noticed = time.Since(d.cut)
		}
		if progress != nil {
			progress(s, stop)
		}
	}
	// Longer than any timeout of the product: a run that hangs ends by this one, and is seen to.
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	var err error
	if d.Result, err = Run(ctx, o); err != nil {
		t.Fatal(err)
	}
	d.took = time.Since(start)
	if ctx.Err() != nil {
		t.Errorf("it hung: %v, %v", d.Coordinator, d.Workers)
	}
	return d
}

// saving is the tiny run with a checkpoint after each step.
func saving(steps int64) *pb.RunConfig {
	cfg := Tiny(steps)
	cfg.SaveEverySteps = 1
	return cfg
}

// TestFakeTimeChangesNothing: in fake time and in memory a run ends with the state that it ends with over sockets, and
// takes only the time that its lines take.
func TestFakeTimeChangesNothing(t *testing.T) {
	cfg := Tiny(5)
	cfg.EvalData, cfg.EvalEverySteps = "synthetic:60,size=12,seed=2", 2
	want := run(t, Options{Config: cfg, Workers: 3})
	synctest.Test(t, func(t *testing.T) {
		d := exercise(t, Options{Config: cfg, Workers: 3, RunDir: t.TempDir()}, "")
		if err := d.Err(); err != nil {
			t.Fatal(err)
		}
		if d.Newest.Step != 5 || d.Newest.StateSHA256 != want.Newest.StateSHA256 {
			t.Errorf("in fake time step %d ends with %s, over sockets step %d with %s", d.Newest.Step, d.Newest.StateSHA256,
				want.Newest.Step, want.Newest.StateSHA256)
		}
		if got, want := d.Status.Learning.KnnTop1Ratio, want.Status.Learning.KnnTop1Ratio; got != want {
			t.Errorf("in fake time k-NN is right for %v of the images, over sockets for %v", got, want)
		}
		if d.took > 10*time.Second {
			t.Errorf("it took %v, though the lines are fast", d.took)
		}
	})
}

// lostMessages are faults that begin when step 3 is committed, and what must come of them. Nobody heals the lines: the
// run goes on with those who still reach each other.
var lostMessages = []struct {
	name   string
	faults string
	most   time.Duration // until the run is complete
	event  string
	says   string // the event
}{
	{"all of a machine's", "cut worker-1<->* step=3", 20 * time.Second, "worker-lost", "worker-1"},
	{"a worker's to the coordinator", "cut worker-1->coordinator step=3", 20 * time.Second, "worker-lost", "worker-1"},
	{"a worker's result, in the middle", "cut worker-1->coordinator step=3 after=4000", 20 * time.Second, "worker-lost",
		"worker-1"},
	{"the coordinator's to a worker", "cut coordinator->worker-1 step=3", 30 * time.Second, "worker-lost", "worker-1"},
	// Who cannot be reached by one of the others is left out when forming the group again has not helped.
	{"a worker's to the next", "cut worker-1->worker-2 step=3", 2 * time.Minute, "worker-evicted", "worker-"},
	// A line that only breaks, or damages once, is good for another group.
	{"a worker's to the next, which breaks", "break worker-1->worker-2 step=3", 15 * time.Second, "group-broken",
		"worker-"},
	{"a bit between workers", "flip worker-1->worker-2 step=3 after=10000", 15 * time.Second, "group-broken", "checksum"},
	{"a bit of the target", "flip coordinator->worker-1 step=3 after=10000", 15 * time.Second, "group-broken", "damaged"},
}

// TestLostMessages: the trouble is named, and the run goes on by itself to the bits of a run that nothing happened to.
func TestLostMessages(t *testing.T) {
	want := run(t, Options{Config: saving(6), Workers: 3}).Newest.StateSHA256
	cases := lostMessages
	if testing.Short() {
		cases = cases[:1]
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				d := exercise(t, Options{Config: saving(6), Workers: 3, RunDir: dir}, c.faults)
				if d.Coordinator != nil || d.Newest.Step != 6 || d.Newest.StateSHA256 != want {
					t.Errorf("it ended with %v at step %d with %s, want step 6 with %s", d.Coordinator, d.Newest.Step,
						d.Newest.StateSHA256, want)
				}
				out := 0 // one that is cut off looks for a coordinator, and leaves
				for i, err := range d.Workers {
					got := code(err)
					if got == failure.Temporary {
						out++
					}
					if got != 0 && (out > 1 || got != failure.Temporary) {
						t.Errorf("worker %d ended with code %d: %v", i, got, err)
					}
				}
				if c.event == "worker-lost" {
					c.most += time.Minute // in which that one looks for it
				}
				if d.took > c.most {
					t.Errorf("it took %v, at most %v were meant", d.took, c.most)
				}
				wantEvent(t, dir, c.event, c.says)
			})
		})
	}
}

// TestCoordinatorIsCutOff: workers keep their state while nobody reaches the coordinator, for less and for longer than
// the failure timeout, and go on where they were.
func TestCoordinatorIsCutOff(t *testing.T) {
	want := run(t, Options{Config: Tiny(6), Workers: 3}).Newest.StateSHA256
	for _, outage := range []string{"4s", "20s"} {
		synctest.Test(t, func(t *testing.T) {
			d := exercise(t, Options{Config: Tiny(6), Workers: 3, RunDir: t.TempDir()},
				"cut *<->coordinator step=3 for="+outage)
			if err := d.Err(); err != nil || d.Newest.Step != 6 || d.Newest.StateSHA256 != want {
				t.Errorf("%s: it ends with %v at step %d with %s, want step 6 with %s", outage, err, d.Newest.Step,
					d.Newest.StateSHA256, want)
			}
		})
	}
}

// wantEvent looks for an event of a run whose text has words in it: people are told long before a timeout ends a wait.
func wantEvent(t *testing.T, dir, kind, words string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, `"`+kind+`"`) && strings.Contains(line, words) {
			return
		}
	}
	t.Errorf("no event %s tells %q:\n%s", kind, words, text)
}

// code is the exit code of a program that ends with err.
func code(err error) failure.Code {
	if err == nil {
		return 0
	}
	return failure.Of(err, failure.Failure{Code: failure.Internal}).Code
}

// TestFaultsThatPass: what a line does to messages without losing any changes when things happen, not what comes of it.
func TestFaultsThatPass(t *testing.T) {
	want := run(t, Options{Config: Tiny(6), Workers: 3}).Newest.StateSHA256
	cases := []struct {
		faults string
		least  time.Duration // of the run
		most   time.Duration
	}{
		{"break worker-1->coordinator step=3", 0, 2 * time.Second},
		{"break *<->coordinator step=3; break *<->coordinator step=4", 0, 2 * time.Second},
		{"delay worker-0->worker-1 by=50ms", 6 * 50 * time.Millisecond, time.Minute},
		{"limit *->coordinator rate=2000000", 100 * time.Millisecond, time.Minute},
		{"cut worker-1<->* step=3 for=3s", 3 * time.Second, 6 * time.Second},
		{"cut *<->coordinator step=2 for=4s", 4 * time.Second, 7 * time.Second},
	}
	if testing.Short() {
		cases = cases[:2]
	}
	for _, c := range cases {
		t.Run(c.faults, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := exercise(t, Options{Config: Tiny(6), Workers: 3, RunDir: t.TempDir()}, c.faults)
				if err := d.Err(); err != nil {
					t.Fatal(err)
				}
				if d.Newest.Step != 6 || d.Newest.StateSHA256 != want {
					t.Errorf("it ends at step %d with %s, want step 6 with %s", d.Newest.Step, d.Newest.StateSHA256, want)
				}
				if d.took < c.least || d.took > c.most {
					t.Errorf("it took %v, want %v to %v", d.took, c.least, c.most)
				}
			})
		})
	}
}

// TestAnyFaults draws faults and the times at which they begin: whatever happens, the run does not hang, and goes on to
// the bits of a run that nothing happened to, however often it must be started for that.
func TestAnyFaults(t *testing.T) {
	want := run(t, Options{Config: saving(6), Workers: 3}).Newest.StateSHA256
	seeds := uint64(12)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { survive(t, rand.New(rand.NewPCG(seed, 8)), want) })
		})
	}
}

// survive starts a run until it is complete: with three faults, with two, with one and with none.
func survive(t *testing.T, draw *rand.Rand, want string) {
	t.Helper()
	dir := t.TempDir()
	for faults := 3; faults >= 0; faults-- {
		lines := faulty.New(plan(t, "delay *->* by=1ms"))
		story := beginLater(t, draw, lines, faults)
		d := exerciseOn(t, Options{Config: saving(6), Workers: 3, RunDir: dir}, lines)
		lines.Close()
		t.Logf("%s: %v", story, d.Coordinator)
		switch c := code(d.Coordinator); {
		case c == 0 && (d.Newest.Step != 6 || d.Newest.StateSHA256 != want):
			t.Errorf("it ends at step %d with %s, want step 6 with %s", d.Newest.Step, d.Newest.StateSHA256, want)
		case c != 0 && (c != failure.Training && c != failure.TooFew && c != failure.Unreachable || faults == 0):
			t.Errorf("it ends with code %d", c)
		case c != 0:
			continue // it goes on with the next start
		}
		return
	}
}

// beginLater draws faults that begin on lines while a run is under way, and tells them.
func beginLater(t *testing.T, draw *rand.Rand, lines *faulty.Network, n int) string {
	t.Helper()
	hosts := []string{CoordinatorHost, WorkerHost(0), WorkerHost(1), WorkerHost(2), "*"}
	kinds := []string{"break LINE", "break LINE", "break LINE", "cut LINE", "cut LINE for=200ms", "cut LINE for=7s",
		"cut LINE after=9000 for=1s", "flip LINE after=5000 bit=3", "limit LINE rate=1000000", "delay LINE by=40ms",
		"heal LINE"}
	var story []string
	for range n {
		line := hosts[draw.IntN(len(hosts))] + "<->" + hosts[draw.IntN(len(hosts))]
		text := strings.Replace(kinds[draw.IntN(len(kinds))], "LINE", line, 1)
		at := time.Duration(draw.IntN(800)) * time.Millisecond
		timer := time.AfterFunc(at, func() { lines.Begin(plan(t, text)) })
		t.Cleanup(func() { timer.Stop() })
		story = append(story, fmt.Sprintf("%s at %v", text, at))
	}
	return strings.Join(story, "; ")
}

// TestLongPause pauses a run from another host, lets it stand for half an hour, and resumes it.
func TestLongPause(t *testing.T) {
	want := run(t, Options{Config: Tiny(6), Workers: 3}).Newest.StateSHA256
	synctest.Test(t, func(t *testing.T) {
		below := memory.New()
		conn, err := grpc.NewClient("passthrough:///"+CoordinatorAddress,
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(below.Host("operator").Dial))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		operator := pb.NewCoordinatorClient(conn)
		var once sync.Once
		var pause sync.WaitGroup
		defer pause.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		start := time.Now()
		r, err := Run(ctx, Options{Config: Tiny(6), Workers: 3, RunDir: t.TempDir(), Host: below.Host,
			OnProgress: func(s *pb.Status, _ func()) {
				if s.Progress.GetStep() < 2 {
					return
				}
				once.Do(func() {
					pause.Go(func() {
						at, err := operator.Pause(ctx, &pb.PauseRequest{RequestId: "pause"})
						if err != nil {
							t.Errorf("pause: %v", err)
							return
						}
						time.Sleep(30 * time.Minute)
						after, err := operator.Resume(ctx, &pb.ResumeRequest{RequestId: "resume"})
						if err != nil || after.Step != at.Step {
							t.Errorf("paused at step %d; resume: %v, %v", at.Step, after, err)
						}
					})
				})
			}})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Err(); err != nil {
			t.Fatal(err)
		}
		if r.Newest.Step != 6 || r.Newest.StateSHA256 != want {
			t.Errorf("it ends at step %d with %s, want step 6 with %s", r.Newest.Step, r.Newest.StateSHA256, want)
		}
		if took := time.Since(start); took < 30*time.Minute || took > 31*time.Minute {
			t.Errorf("a run that was paused for half an hour took %v", took)
		}
	})
}
