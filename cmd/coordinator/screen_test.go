package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"byol/coordinator/settings"
	pb "byol/proto"
)

// at is a run that is going on, after a step.
func at(step int64) *pb.Status {
	return &pb.Status{RunId: "r", State: pb.RunState_RUN_STATE_RUNNING,
		Progress: &pb.Progress{Step: step, TargetSteps: 1000, Epoch: 0.59, Fraction: float64(step) / 1000,
			Eta: durationpb.New(90 * time.Second)},
		Learning:   &pb.Learning{Loss: 1.8721, EmbeddingStdRatio: 0.91, LearningRate: 0.053, TargetTau: 0.97123},
		Throughput: &pb.Throughput{ImagesPerSecond: 311},
		Cluster:    &pb.Cluster{WorkersReady: 8, WorkersExpected: 8}}
}

func with(st *pb.Status, change func(*pb.Status)) *pb.Status {
	st = proto.CloneOf(st)
	change(st)
	return st
}

// TestNews lists what earns a line of its own, and that mere progress doesn't.
func TestNews(t *testing.T) {
	cases := []struct {
		name   string
		change func(*pb.Status)
		want   string
	}{
		{"progress", func(st *pb.Status) { st.Progress.Step++ }, ""},
		{"checkpoint", func(st *pb.Status) {
			st.LastCheckpoint = &pb.CheckpointInfo{Step: 12, Path: "c/step-12", SizeBytes: 394 << 20}
		}, "saved c/step-12 (394 MiB)"},
		{"pause", func(st *pb.Status) { st.State = pb.RunState_RUN_STATE_PAUSED }, "paused"},
		{"accuracy", func(st *pb.Status) {
			st.Learning.KnnKnown, st.Learning.KnnStep, st.Learning.KnnTop1Ratio = true, 12, 0.5
			st.Learning.KnnUntrainedTop1Ratio = 0.25
		}, "k-NN 50.0 % at step 12 (untrained 25.0 %)"},
		{"accuracy of a run that began later", func(st *pb.Status) {
			st.Learning.KnnKnown, st.Learning.KnnStep, st.Learning.KnnTop1Ratio = true, 12, 0.5
		}, "k-NN 50.0 % at step 12"},
		{"unreadable", func(st *pb.Status) {
			st.Progress.UnreadableImages, st.Progress.LastUnreadableImage = 1, "a.jpg"
		}, "WARN 1 unreadable images replaced so far, the last one a.jpg"},
		{"collapse", func(st *pb.Status) { st.Learning.EmbeddingStdRatio = 0.1 },
			"WARN the embedding's standard deviation is 0.100 (about 1 is healthy, 0 is collapse)"},
		{"loss of a worker", func(st *pb.Status) { st.Cluster.WorkersReady = 7 }, "workers 7/8 ready"},
	}
	for _, c := range cases {
		old := at(12)
		if got := strings.Join(news(old, with(old, c.change)), "\n"); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

// TestScreen shows lines off a terminal: at most one in an interval, news at once, nothing when quiet.
func TestScreen(t *testing.T) {
	const line = "step 1/1 000  epoch 0.59  loss 1.8721  std 0.91  lr 0.053  tau 0.97123  311 img/s  eta 1m30s"
	start := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	play := func(s *screen) {
		s.update(at(1), start)
		s.update(at(2), start.Add(time.Second))
		s.update(with(at(2), func(st *pb.Status) { st.State = pb.RunState_RUN_STATE_PAUSED }), start.Add(2*time.Second))
		s.update(at(3), start.Add(10*time.Second))
	}
	var out bytes.Buffer
	play(&screen{out: &out, interval: 10 * time.Second})
	want := "12:00:00 workers 8/8 ready\n12:00:00 " + line + "\n12:00:02 paused\n12:00:10 " +
		strings.Replace(line, "step 1/", "step 3/", 1) + "\n"
	if out.String() != want {
		t.Errorf("plain:\n got %q\nwant %q", out.String(), want)
	}
	out.Reset()
	play(&screen{out: &out, quiet: true})
	if out.Len() > 0 {
		t.Errorf("quiet: got %q, want nothing", out.String())
	}
	out.Reset()
	play(&screen{out: &out, terminal: true})
	if got := out.String(); !strings.Contains(got, "\r\x1b[K12:00:02 paused\n\r─") || strings.Count(got, "\n") != 2 {
		t.Errorf("terminal: got %q, want the news on lines of their own and the progress drawn over itself", got)
	}
}

// TestScreenFollowsEvaluations: an evaluation has a progress of its own, and what it found is in the line after it.
func TestScreenFollowsEvaluations(t *testing.T) {
	var out bytes.Buffer
	s := &screen{out: &out, interval: 10 * time.Second}
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	for i, done := range []float64{0, 0.1, 0.2, 0.3, 0.9} {
		s.update(with(at(5), func(st *pb.Status) {
			st.State = pb.RunState_RUN_STATE_EVALUATING
			st.Progress.EvaluationFraction = done
			st.Progress.EvaluationEta = durationpb.New(time.Duration(50*(1-done)) * time.Second)
		}), now.Add(time.Duration(i*6)*time.Second))
	}
	for _, line := range []string{"12:00:12 evaluating  step 5/1 000  20 %  eta 40s",
		"12:00:24 evaluating  step 5/1 000  90 %  eta 4.0s"} {
		if !strings.Contains(out.String(), line+"\n") {
			t.Errorf("no line %q in\n%s", line, out.String())
		}
	}
	got := progressLine(with(at(6), func(st *pb.Status) {
		st.Config = &pb.RunConfig{Classes: 10}
		st.Learning.ProbeTop1Ratio = 0.25
		st.Learning.KnnKnown, st.Learning.KnnStep, st.Learning.KnnTop1Ratio = true, 5, 0.5
	}))
	if !strings.Contains(got, "std 0.91  probe 25.0 %  k-NN 50.0 %  lr ") {
		t.Errorf("got %q", got)
	}
}

// TestDrawnLine shows what a narrow terminal leaves out, and that no line is wider than it may be.
func TestDrawnLine(t *testing.T) {
	for _, c := range []struct {
		width int
		want  string
	}{
		{200, "────────────────────" + " " + progressLine(at(12))},
		{79, "──────── step 12/1 000  epoch 0.59  loss 1.8721  std 0.91  311 img/s  eta 1m30s"},
		{50, "────────────── step 12/1 000  311 img/s  eta 1m30s"},
		{20, "step 12/1 000  311 i"},
	} {
		got := drawnLine(at(12), c.width)
		if n := len([]rune(got)); n > c.width {
			t.Errorf("width %d: %d columns: %q", c.width, n, got)
		}
		if got != c.want {
			t.Errorf("width %d:\n got %q\nwant %q", c.width, got, c.want)
		}
	}
}

func TestSummary(t *testing.T) {
	st := with(at(1000), func(st *pb.Status) {
		st.State = pb.RunState_RUN_STATE_COMPLETED
		st.Learning.KnnKnown, st.Learning.KnnStep = true, 1000
		st.Learning.KnnTop1Ratio, st.Learning.KnnUntrainedTop1Ratio, st.Learning.KnnPixelsTop1Ratio = 0.61, 0.38, 0.33
		st.LastCheckpoint = &pb.CheckpointInfo{Step: 1000, Path: "/elsewhere/r/checkpoints/step-1000.safetensors",
			SizeBytes: 5 << 20, StateSha256: "ab12"}
	})
	got := summary(st, "")
	for _, want := range []string{"r completed after step 1 000 of 1 000",
		"trained 61.0 %   untrained 38.0 %   raw pixels 33.0 %",
		"it learned: +23.0 points", "coordinator export /elsewhere/r/checkpoints/step-1000.safetensors", "ab12"} {
		if !strings.Contains(got, want) {
			t.Errorf("summary lacks %q:\n%s", want, got)
		}
	}
	if err := checkGain(st, 10); err != nil {
		t.Errorf("checkGain(+23, 10) = %v, want nil", err)
	}
	if err := checkGain(st, 30); err == nil {
		t.Error("checkGain(+23, 30) = nil, want a failure")
	}
	if err := checkGain(at(1000), 1); err == nil {
		t.Error("checkGain without any k-NN = nil, want a failure")
	}
}

// TestNoColor shows a step on a terminal: drawn over, or as a plain line where escape sequences are unwelcome.
func TestNoColor(t *testing.T) {
	for _, plain := range []bool{false, true} {
		var out bytes.Buffer
		s := newScreen(&out)
		s.terminal = true
		s.settle(&settings.Values{NoColor: plain})
		s.update(at(1), time.Unix(100, 0))
		s.update(at(2), time.Unix(200, 0))
		s.say("done")
		if got := strings.ContainsAny(out.String(), "\x1b\r"); got == plain || !strings.Contains(out.String(), "loss 1.872") {
			t.Errorf("no-color %v printed %q", plain, out.String())
		}
	}
}

// TestFailedSavesAreShown: once for each failure as a line of its own, and in the progress and in status until one is
// saved. So are warnings, each once.
func TestFailedSavesAreShown(t *testing.T) {
	fail := func(step, saved int64, unix int64, text string, warnings ...string) *pb.Status {
		st := at(step)
		st.LastSaveError, st.LastSaveErrorStep, st.Warnings = text, saved, warnings
		if unix > 0 {
			st.LastSaveErrorTime = timestamppb.New(time.Unix(unix, 0))
		}
		return st
	}
	var out bytes.Buffer
	s := newScreen(&out)
	clock := int64(100)
	for _, c := range []struct {
		st    *pb.Status
		lines int    // of warnings
		has   string // in them
		shown bool   // in the progress
	}{
		{at(9), 0, "", false},
		{fail(12, 10, 50, "worker-0 on h0: disk full"), 1, "of step 10 was not saved (", true},
		{fail(13, 10, 50, "worker-0 on h0: disk full"), 0, "", true},
		{fail(14, 10, 55, "worker-0 on h0: disk full"), 1, "disk full", true}, // it was tried again
		{fail(21, 20, 60, "worker-1 on h1: disk full", "a checkpoint was passed over: x"), 2, "passed over: x", true},
		{fail(22, 0, 0, "", "a checkpoint was passed over: x"), 0, "", false},
	} {
		out.Reset()
		clock += 3600
		s.update(c.st, time.Unix(clock, 0))
		got := out.String()
		if n := strings.Count(got, "WARN"); n != c.lines || !strings.Contains(got, c.has) ||
			strings.Contains(got, "NOT SAVED") != c.shown {
			t.Errorf("%v is shown as %q, want %d warnings with %q", c.st.Progress, got, c.lines, c.has)
		}
		var status bytes.Buffer
		printStatus(&status, c.st)
		if strings.Contains(status.String(), "NOT SAVED: the checkpoint of step") != c.shown ||
			strings.Contains(status.String(), "WARN a checkpoint") != (len(c.st.Warnings) > 0) {
			t.Errorf("status prints %q", status.String())
		}
	}
}
