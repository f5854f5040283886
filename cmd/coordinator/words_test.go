package main

import (
	"bytes"
	"context"
	"math"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"
	"pgregory.net/rapid"

	"byol/coordinator/settings"
	pb "byol/proto"
)

// TestSuggestions: the nearest name, or none.
func TestSuggestions(t *testing.T) {
	names := []string{"--workers", "--worker-binary", "--width", "--seed", "--batch-size", "status", "stop", "resnet50"}
	for typed, want := range map[string]string{
		"--wrokers": "did you mean --workers?", "--worker": "did you mean --workers?",
		"--batchsize": "did you mean --batch-size?",
		"--sede":      "did you mean --seed?", "statsu": "did you mean status?", "STATUS": "did you mean status?",
		"resnet5": "did you mean resnet50?", "resnet51": "did you mean resnet50?",
		"--verbose": "help", "x": "help", "": "help",
	} {
		if got := suggestion(typed, names, "help"); got != want {
			t.Errorf("suggestion(%q) = %q, want %q", typed, got, want)
		}
	}
	if got := suggestion("anything", nil, "help"); got != "help" {
		t.Errorf("of no names: %q", got)
	}
}

// TestQuoted: what is printed to be copied is one argument for a shell.
func TestQuoted(t *testing.T) {
	for arg, want := range map[string]string{
		"runs/a-1_b.2": "runs/a-1_b.2", "s3://b/x,y": "s3://b/x,y", "größe/日本": "größe/日本", "": "''", "a b": "'a b'",
		"x{0..9}.tar": "'x{0..9}.tar'", "it's": `'it'\''s'`, "$HOME": "'$HOME'", "~/x": "'~/x'", "a;b": "'a;b'", "#1": "'#1'",
		"a\nb": "'a\nb'",
	} {
		if got := quoted(arg); got != want {
			t.Errorf("%q: %s, want %s", arg, got, want)
		}
		shown, err := exec.Command("sh", "-c", "printf %s "+want).Output()
		if err != nil || string(shown) != arg {
			t.Errorf("%q: a shell reads %s as %q, %v", arg, want, shown, err)
		}
	}
}

// TestNumbers: what is grouped reads back as the number, and no group has another length than three.
func TestNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64().Draw(t, "n")
		text := grouped(n)
		groups := strings.Split(strings.TrimPrefix(text, "-"), " ")
		for i, g := range groups {
			if len(g) != 3 && (i > 0 || len(g) > 3 || g == "") {
				t.Errorf("%d is printed as %q", n, text)
			}
		}
		back := int64(0)
		for _, digit := range strings.NewReplacer(" ", "", "-", "").Replace(text) {
			back = 10*back + int64('0'-digit) // downwards, so that the smallest number fits
		}
		if n > 0 {
			back = -back
		}
		if back != n {
			t.Errorf("%q reads back as %d, was %d", text, back, n)
		}
	})
}

func TestSizesAndCounts(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{size(0), "-"}, {size(1), "1 B"}, {size(5 << 10), "5.0 KiB"}, {size(5 << 20), "5.0 MiB"},
		{size(394 << 20), "394 MiB"},
		{size(3 << 30), "3.0 GiB"}, {millions(0), "0.0"}, {millions(999), "999.0"}, {millions(271_800), "271.8 k"},
		{millions(35_000_000), "35.0 M"}, {percent(0.4567), "45.7 %"}, {percent(1), "100.0 %"},
		{spell(0), "0.0s"}, {spell(9949 * time.Millisecond), "9.9s"}, {spell(10 * time.Second), "10s"},
		{spell(59*time.Minute + 59*time.Second), "59m59s"}, {spell(time.Hour), "1h00m"},
		{spell(24*time.Hour - time.Second), "23h59m"}, {spell(24 * time.Hour), "1d00h"},
		{stateName(pb.RunState_RUN_STATE_WAITING_FOR_WORKERS), "waiting for workers"},
		{health(math.NaN()), "NOT A NUMBER"}, {health(0), "COLLAPSED"}, {health(0.19), "COLLAPSED"}, {health(0.2), "low"},
		{health(0.49), "low"}, {health(0.5), "healthy"}, {health(1), "healthy"},
		{joinWords("", "saved"), "saved"}, {joinWords("w", "saved"), "w: saved"}, {joinWords("w-1", "w-1 left"), "w-1 left"},
		{evalWhen(0), "at start and end"}, {evalWhen(1200), "every 1 200 steps"},
		{threadWords(0, "worker"), "threads: each worker's own choice"},
		{threadWords(1, "worker"), "1 thread a worker"},
		{threadWords(2, "process"), "2 threads a process"}, {deviceWords("cpu"), "cpu"},
		{because(""), ""}, {because("x"), ": x"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

// TestETA: unknown while nothing says when, and when there is nothing to wait for.
func TestETA(t *testing.T) {
	st := at(5)
	if got := eta(st); got != "1m30s" {
		t.Errorf("eta %q", got)
	}
	for name, change := range map[string]func(*pb.Status){
		"ended":   func(st *pb.Status) { st.State = pb.RunState_RUN_STATE_STOPPED },
		"unknown": func(st *pb.Status) { st.Progress.Eta = nil },
		"past":    func(st *pb.Status) { st.Progress.Eta = durationpb.New(-time.Second) },
	} {
		if got := eta(with(st, change)); got != "-" {
			t.Errorf("%s: eta %q, want -", name, got)
		}
	}
}

// TestWidths draws any progress in any width: never wider, never a bar without its line, and everything in wide ones.
func TestWidths(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		st := with(at(rapid.Int64Range(0, 1e9).Draw(t, "step")), func(st *pb.Status) {
			st.Progress.Fraction = rapid.Float64Range(-0.5, 1.5).Draw(t, "fraction")
			st.Learning.Loss = rapid.Float64Range(0, 1e6).Draw(t, "loss")
			st.Throughput.ImagesPerSecond = rapid.Float64Range(0, 1e6).Draw(t, "speed")
			st.State = pb.RunState(rapid.Int32Range(1, 8).Draw(t, "state"))
		})
		width := rapid.IntRange(0, 240).Draw(t, "width")
		line := []rune(drawnLine(st, width))
		if len(line) > width {
			t.Errorf("%d columns in %d: %q", len(line), width, string(line))
		}
		if width >= 200 && !strings.HasSuffix(string(line), progressLine(st)) {
			t.Errorf("in %d columns something is left out: %q", width, string(line))
		}
		bars := strings.Count(string(line), "━") + strings.Count(string(line), "─")
		if bars != 0 && (bars < minBar || bars > maxBar) {
			t.Errorf("a bar of %d: %q", bars, string(line))
		}
	})
}

func TestBar(t *testing.T) {
	for _, c := range []struct {
		fraction float64
		want     string
	}{{-1, "────"}, {0, "────"}, {0.5, "━━──"}, {0.88, "━━━━"}, {1, "━━━━"}, {7, "━━━━"}} {
		if got := bar(c.fraction, 4); got != c.want {
			t.Errorf("bar(%v) = %q, want %q", c.fraction, got, c.want)
		}
	}
}

// TestMoreNews are lines for what TestNews has not.
func TestMoreNews(t *testing.T) {
	for _, c := range []struct {
		name     string
		old, now func(*pb.Status)
		want     string
	}{
		{"one of many joins local", func(st *pb.Status) { st.Cluster.WorkersReady, st.Cluster.Launcher = 3, "local" },
			func(st *pb.Status) { st.Cluster.WorkersReady, st.Cluster.Launcher = 4, "local" }, ""},
		{"one of many joins from afar", func(st *pb.Status) { st.Cluster.WorkersReady, st.Cluster.Launcher = 3, "none" },
			func(st *pb.Status) { st.Cluster.WorkersReady, st.Cluster.Launcher = 4, "none" }, "workers 4/8 ready"},
		{"devices", func(st *pb.Status) { st.Cluster.WorkersReady = 7 }, func(st *pb.Status) {
			st.Workers = []*pb.Worker{{Device: "cpu avx2"}, {Device: "cpu avx2"}, {Device: "reference"}, {}}
		}, "workers 8/8 ready, device cpu avx2, reference"},
		{"untrained", nil, func(st *pb.Status) {
			st.Learning.KnnKnown, st.Learning.KnnUntrainedTop1Ratio, st.Learning.KnnPixelsTop1Ratio = true, 0.25, 0.3
		}, "k-NN 25.0 % untrained, 30.0 % on raw pixels"},
		{"stopping with a reason", nil, func(st *pb.Status) {
			st.State, st.StateReason = pb.RunState_RUN_STATE_STOPPING, "a signal"
		}, "stopping: a signal"},
		{"collapsed before", func(st *pb.Status) { st.Learning.EmbeddingStdRatio = 0.1 },
			func(st *pb.Status) { st.Learning.EmbeddingStdRatio = 0.05 }, ""},
		{"the same checkpoint", func(st *pb.Status) { st.LastCheckpoint = &pb.CheckpointInfo{Step: 3, Path: "p"} },
			func(st *pb.Status) { st.LastCheckpoint = &pb.CheckpointInfo{Step: 3, Path: "p"} }, ""},
	} {
		old, now := at(12), with(at(12), c.now)
		if c.old != nil {
			old = with(old, c.old)
		}
		if got := strings.Join(news(old, now), "\n"); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

// TestVerdict: what a person is told of the gain, and what --require-gain makes of it.
func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		trained float64
		want    string
		passes  bool // of 1 point
	}{
		{0.60, "it learned: +30.0 points over", true},
		{0.36, "it learned: +6.0 points over", true},
		{0.34, "not clear: +4.0 points over", true},
		{0.305, "not clear: +0.5 points over", false},
		{0.30, "it did NOT learn: +0.0 points against", false},
		{0.20, "it did NOT learn: -10.0 points against", false},
	} {
		st := with(at(10), func(st *pb.Status) {
			st.Learning.KnnKnown, st.Learning.KnnStep = true, 10
			st.Learning.KnnTop1Ratio, st.Learning.KnnUntrainedTop1Ratio = c.trained, 0.30
		})
		if got := verdict(st.Learning); !strings.HasPrefix(got, c.want) {
			t.Errorf("%v: got %q, want %q", c.trained, got, c.want)
		}
		if err := checkGain(st, 1); (err == nil) != c.passes {
			t.Errorf("%v: --require-gain 1 gives %v, want it to pass: %v", c.trained, err, c.passes)
		}
		if err := checkGain(st, 0); err != nil {
			t.Errorf("%v: nothing is required, and got %v", c.trained, err)
		}
	}
	all := &pb.Learning{KnnTop1Ratio: 1, KnnUntrainedTop1Ratio: 1}
	if got := verdict(all); !strings.HasPrefix(got, "nothing to tell") {
		t.Errorf("all images are right before and after: got %q", got)
	}
}

// TestSummaryParts: a summary says what there is, and leaves out what there is not.
func TestSummaryParts(t *testing.T) {
	st := with(whole(), func(st *pb.Status) {
		st.State = pb.RunState_RUN_STATE_STOPPED
		st.LastCheckpoint = &pb.CheckpointInfo{Path: "/x/r/checkpoints/step-5", SizeBytes: 3 << 20, StateSha256: "cd"}
	})
	want := `r stopped after step 500 of 1 000, 0.0s
  speed     311 images/s (forward 40%, commit 1% of 4%)
  learned   loss 1.8721, embedding std 0.91 (healthy)
  memory    3.0 GiB at most in a worker
  data      2 unreadable images were replaced
  k-NN      trained 50.0 %   untrained 25.0 %   raw pixels 30.0 %
  verdict   it learned: +25.0 points over the untrained network
  saved     /x/r/checkpoints/step-5 (3.0 MiB)
  sha256    cd
  next      coordinator export /x/r/checkpoints/step-5 -o encoder.onnx
            coordinator checkpoints ls /x/r
`
	elsewhere := with(st, func(st *pb.Status) { st.LastCheckpoint.Path = "/shared/step-5" })
	if got := summary(elsewhere, ""); !strings.HasSuffix(got, "coordinator checkpoints ls /shared\n") {
		t.Errorf("with --checkpoint-dir: got\n%s", got)
	}
	if got := summary(st, ""); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	later := with(st, func(st *pb.Status) { st.Learning.KnnUntrainedTop1Ratio, st.Learning.KnnPixelsTop1Ratio = 0, 0 })
	if got := summary(later, ""); !strings.Contains(got, "trained 50.0 %\n") || strings.Contains(got, "verdict") {
		t.Errorf("of a run that began later:\n%s", got)
	}
	if err := checkGain(later, 1); err == nil || !strings.Contains(err.Error(), "was not measured") {
		t.Errorf("a gain over what was not measured: %v", err)
	}
	bare := "r failed after step 0 of 0, 0.0s\n  saved     nothing\n"
	if got := summary(&pb.Status{RunId: "r", State: pb.RunState_RUN_STATE_FAILED}, ""); got != bare {
		t.Errorf("of nothing: got %q, want %q", got, bare)
	}
}

// TestBannerParts: lines that depend on the settings.
func TestBannerParts(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		args  string
		lines []string
		not   string
	}{
		{"", []string{"  DEMO DATA: generated pictures", "  k-NN on   synthetic:1024",
			"  recipe    demo on preset byol-100ep:",
			"(new; the same command resumes it)", "16 images a worker", "waiting for 8 to join h:1"}, "ABLATION"},
		{"--ablation no-predictor", []string{"  ABLATION  no-predictor: a negative control"}, ""},
		{"--workers 3 --shards 8", []string{"128 = 8 shards × 16 images; 32 or 48 images a worker"}, ""},
		{"--resume never", []string{"(resume never)"}, ""},
		{"--max-steps 7", []string{"288 = 9 epochs × 4 096 / 128; stops after 7"}, ""},
		{"--max-steps 288", []string{"288 = 9 epochs × 4 096 / 128\n"}, "stops after"},
		{"--threads 1 --device cpu", []string{"  device    cpu, 1 thread a worker, isa auto\n"}, ""},
		{"--isa avx2", []string{", isa avx2 for all\n"}, ""},
		{"--data synthetic:64 --batch-size 16 --image-size 32 --epochs 4",
			[]string{"preset byol-100ep: lr 0.0", "cifar stem"}, "k-NN"},
	} {
		p, err := planned(t, strings.Fields(c.args)...)
		if err != nil {
			t.Fatalf("%s: %v", c.args, err)
		}
		text := banner(p, "h:1")
		for _, want := range append(c.lines, "coordinator status -s h:1", "run dir") {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%s", c.args, want, text)
			}
		}
		if c.not != "" && strings.Contains(text, c.not) {
			t.Errorf("%s: %q in\n%s", c.args, c.not, text)
		}
	}
	for _, c := range []struct {
		processes []int
		chosen    string
		want      string
	}{
		{[]int{1}, "", "1 local process (launcher local: asked for)"},
		{[]int{1, 1, 1}, "a core each, of 3", "3 local processes (a core each, of 3; launcher local: asked for)"},
		{[]int{4, 4}, "", "8 in 2 local processes (--processes 8: one each; launcher local: asked for)"},
		{[]int{2}, "", "2 in 1 local process (--processes 2: one each; launcher local: asked for)"},
	} {
		p := &plan{resolution: &resolution{settings: &settings.Values{}}, launcher: "local", why: "asked for",
			chosen: c.chosen, processes: c.processes}
		for _, n := range c.processes {
			p.settings.Workers += n
		}
		if got := p.workersLine(""); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// broken is a stream that takes nothing.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, bytes.ErrTooLarge }

// TestInternal: what nobody foresaw ends with 1 and its own text.
func TestInternal(t *testing.T) {
	var errs bytes.Buffer
	if code := run([]string{"recipe", "show", "demo"}, broken{}, &errs); code != 1 ||
		!strings.HasPrefix(errs.String(), "error: something broke\n  why: bytes.Buffer: too large\n") {
		t.Errorf("exit code %d, %q", code, &errs)
	}
}

// TestFeed: only the newest status waits for a slow screen.
func TestFeed(t *testing.T) {
	var out bytes.Buffer
	f := newFeed(newScreen(&out))
	for i := range 5 {
		f.offer(at(int64(i + 1)))
	}
	f.close()
	f.drain()
	if got := f.show.status().GetProgress().GetStep(); got != 5 || strings.Count(out.String(), "step ") != 1 {
		t.Errorf("the screen stands at step %d and shows %q", got, &out)
	}
}

// admitter lets a coordinator in that takes its time: first it does not answer, then it takes over the log.
type admitter struct {
	pb.CoordinatorClient
	looks int
}

func (a *admitter) ListMembers(context.Context, *pb.ListMembersRequest, ...grpc.CallOption) (*pb.ListMembersResponse,
	error) {
	a.looks++
	answer := &pb.ListMembersResponse{Members: []*pb.CoordinatorMember{{NodeId: "a", Voter: true, Leader: true}}}
	if a.looks > 2 {
		answer.Members = append(answer.Members, &pb.CoordinatorMember{NodeId: "d"})
	}
	return answer, nil
}

func (a *admitter) AddMember(ctx context.Context, _ *pb.AddMemberRequest, _ ...grpc.CallOption) (
	*pb.ListMembersResponse, error) {
	time.Sleep(11 * time.Second)
	return a.ListMembers(ctx, nil)
}

// TestAddMemberTellsWhatItWaitsFor, once each.
func TestAddMemberTellsWhatItWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		answer, err := addMember(t.Context(), &admitter{}, "d", "host:1", &out)
		want := "waiting for d to answer at host:1\n" +
			"d takes over the log; it gets its vote when it has kept up for 10s (2m0s at most)\n"
		if err != nil || len(answer.Members) != 2 || out.String() != want {
			t.Errorf("told %q, then %v %v, want %q", out.String(), answer, err, want)
		}
	})
}

// TestStaleness: one that does not lead says who does, one that waits for a disk says so.
func TestStaleness(t *testing.T) {
	for want, st := range map[string]*pb.Status{
		"this coordinator does not lead; it knows of nobody who does": {Stale: true},
		"the log's disk has not answered for 8.0 s; what follows is from 8.5 s ago": {Stale: true,
			Age: durationpb.New(8500 * time.Millisecond), StaleReason: "the log's disk has not answered for 8.0 s"},
	} {
		if got := staleness(st); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
