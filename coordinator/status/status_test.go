package status

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"byol/coordinator/lead"
	"byol/coordinator/run"
	"byol/model/optim"
	pb "byol/proto"
)

var began = time.Unix(1_700_000_000, 0)

// facts are those of a run of two workers after 30 of 100 steps.
func facts() Facts {
	s := run.State{Generation: 2, Phase: run.Running, Step: 30, Started: true, InFlight: true,
		Settings: run.Settings{RunID: "r", Workers: 2, MinWorkers: 1, Shards: 2, TotalSteps: 200, EndStep: 100},
		Members:  []run.Member{{ID: "a"}, {ID: "b"}},
		Records:  []run.Record{{Step: 29, Loss: 0.25}},
		Checkpoints: []run.Checkpoint{{Step: 10, Path: "c10"}, {Step: 20, Path: "c20", Bytes: 5, SHA256: "ab",
			UnixNano: began.UnixNano()}},
		Evaluations: []run.Evaluation{
			{Step: 0, Counts: []run.Count{{Name: KNN, Correct: 1, Total: 10}, {Name: Pixels, Correct: 2, Total: 10}}},
			{Step: 20, Counts: []run.Count{{Name: KNN, Correct: 5, Total: 10}}},
			{Step: 25, Error: "no data", Counts: []run.Count{{Name: KNN, Correct: 9, Total: 10}}},
		}}
	return Facts{Now: began.Add(time.Minute), Started: began, Config: &pb.RunConfig{BatchSize: 8, Samples: 80},
		Rates: optim.Schedule{BaseLR: 1, Batch: 256, Total: 200, BaseTau: 0.9}, Build: "b1", RunDir: "/runs/r",
		Launcher: "local", LeaderID: "c0", Term: 3, CommitIndex: 44,
		Lead: lead.View{State: s, Steps: 30, Recent: 2 * time.Second, Median: time.Second, P99: 5 * time.Second,
			Unreadable: 2, LastUnreadable: "x.jpg", Workers: []lead.Worker{
				{ID: "a", Rank: 0, Seen: began, Beat: lead.Beat{Step: 30, Phase: "ring", Device: "cpu", Resident: 7, Peak: 9},
					Join: lead.Join{Address: "h:1", Host: "h", PID: 11}},
				{ID: "b", Rank: 1, Seen: began, Gone: true, LastError: "it broke"}}},
		Last: &lead.Figures{Loss: 0.5, ProbeLoss: 3, ProbeTop1: 0.75, Std: 0.9, Norm: 4, ImagesPerSecond: 64,
			Phases: []lead.Phase{{Name: "forward", Seconds: 1}, {Name: "ring", Seconds: 3, Latency: 8}}}}
}

// TestMessage makes the whole message of known facts.
func TestMessage(t *testing.T) {
	f := facts()
	want := &pb.Status{RunId: "r", State: pb.RunState_RUN_STATE_RUNNING, Generation: 2, AsOf: timestamppb.New(f.Now),
		Progress: &pb.Progress{Step: 30, TargetSteps: 100, Epoch: 3, TargetEpochs: 10, ImagesSeen: 240, Fraction: 0.3,
			Elapsed: durationpb.New(time.Minute), Eta: durationpb.New(140 * time.Second), UnreadableImages: 2,
			LastUnreadableImage: "x.jpg"},
		Learning: &pb.Learning{Loss: 0.5, LearningRate: f.Rates.LR(30), TargetTau: f.Rates.Tau(30), EmbeddingStdRatio: 0.9,
			ProbeLoss: 3, ProbeTop1Ratio: 0.75, GradientNorm: 4, KnnKnown: true, KnnStep: 20, KnnTop1Ratio: 0.5,
			KnnUntrainedKnown: true, KnnUntrainedTop1Ratio: 0.1, KnnPixelsKnown: true, KnnPixelsTop1Ratio: 0.2},
		Throughput: &pb.Throughput{ImagesPerSecond: 64, StepTimeP50: durationpb.New(time.Second),
			StepTimeP99: durationpb.New(5 * time.Second), Phases: []*pb.PhaseShare{{Phase: "forward", Ratio: 0.25},
				{Phase: "ring", Ratio: 0.75, LatencyRatio: 2}}},
		Cluster: &pb.Cluster{LeaderId: "c0", Term: 3, CommitIndex: 44, WorkersReady: 1, WorkersExpected: 2, WorkersMin: 1,
			Launcher: "local"},
		LastCheckpoint: &pb.CheckpointInfo{Step: 20, Path: "c20", SizeBytes: 5, StateSha256: "ab",
			Created: timestamppb.New(began)},
		Workers: []*pb.Worker{
			{Id: "a", State: "ring", Step: 30, LastSeen: timestamppb.New(began), Address: "h:1", Host: "h", Pid: 11,
				Device: "cpu", ResidentBytes: 7, PeakResidentBytes: 9, Workers: 1},
			{Id: "b", Rank: 1, Workers: 1, State: "gone", LastSeen: timestamppb.New(began), LastError: "it broke"}},
		Config: f.Config, RunDir: "/runs/r", Faults: &pb.Faults{}}
	got := Message(f)
	if got.Build.GetVersion() != "b1" || got.Build.GetGoVersion() == "" {
		t.Errorf("build %v", got.Build)
	}
	got.Build = nil
	if !proto.Equal(got, want) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
}

// TestSeveralWorkers counts the workers that processes stand for, and says so of each.
func TestSeveralWorkers(t *testing.T) {
	f := facts()
	s := &f.Lead.State
	s.Settings.Workers, s.Phase, s.Started, s.InFlight = 9, run.Waiting, false, false
	s.Members = []run.Member{{ID: "a", Workers: 4}, {ID: "b", Workers: 3}, {ID: "c", Rank: -1, Workers: 2}}
	f.Lead.Workers = append(f.Lead.Workers, lead.Worker{ID: "c", Rank: -1, Join: lead.Join{Workers: 2}})
	f.Lead.Workers[0].Join.Workers, f.Lead.Workers[1].Join.Workers = 4, 3
	got := Message(f)
	if c := got.Cluster; c.WorkersReady != 4 || c.WorkersStandby != 2 || got.StateReason != "9 of 9 workers have joined" {
		t.Errorf("%d workers are ready, %d stand by, and %s", c.WorkersReady, c.WorkersStandby, got.StateReason)
	}
	for i, want := range []int32{4, 3, 2} {
		if w := got.Workers[i]; w.Workers != want {
			t.Errorf("%s stands for %d workers, want %d", w.Id, w.Workers, want)
		}
	}
}

// TestNothingIsKnownYet has no step, no figures, no end and no worker: nothing is divided by nothing.
func TestNothingIsKnownYet(t *testing.T) {
	got := Message(Facts{Config: &pb.RunConfig{}, Now: began, Started: began})
	if got.Progress.Fraction != 0 || got.Progress.Eta != nil || got.Learning.KnnKnown || got.LastCheckpoint != nil ||
		len(got.Throughput.Phases) != 0 || got.State != pb.RunState_RUN_STATE_UNSPECIFIED {
		t.Errorf("got %v", got)
	}
}

// TestLossAfterARestart comes from the log before the first step of this start.
func TestLossAfterARestart(t *testing.T) {
	f := facts()
	f.Last = nil
	if got := Message(f); got.Learning.Loss != 0.25 || got.Throughput.ImagesPerSecond != 0 {
		t.Errorf("loss %v, %v images per second", got.Learning.Loss, got.Throughput.ImagesPerSecond)
	}
	f.Last, f.Lead.Steps = nil, 0
	if got := Message(f).Progress.Eta; got != nil {
		t.Errorf("%v are left, and no step was timed", got)
	}
}

func TestReason(t *testing.T) {
	for _, c := range []struct {
		change func(*run.State)
		want   string
	}{
		{func(s *run.State) {}, ""},
		{func(s *run.State) { s.Phase, s.Settings.Workers = run.Waiting, 5 }, "2 of 5 workers have joined"},
		{func(s *run.State) { s.Started = false }, "workers restore the state"},
		{func(s *run.State) { s.PauseWanted = true }, "will pause after this step"},
		{func(s *run.State) { s.StopWanted, s.StopReason = true, "asked" }, "will stop after this step: asked"},
		{func(s *run.State) { s.Phase, s.Reason = run.Failed, "it broke" }, "it broke"},
		{func(s *run.State) { s.Phase, s.Started, s.Reason = run.Stopped, false, "asked" }, "asked"},
	} {
		f := facts()
		c.change(&f.Lead.State)
		if got := Message(f).StateReason; got != c.want {
			t.Errorf("%s: %q, want %q", f.Lead.State.Phase, got, c.want)
		}
	}
}

func TestWorkerState(t *testing.T) {
	for _, c := range []struct {
		w    lead.Worker
		want string
	}{
		{lead.Worker{}, "joined"}, {lead.Worker{Beat: lead.Beat{Phase: "data"}}, "data"},
		{lead.Worker{Beat: lead.Beat{Phase: "data"}, Gone: true}, "gone"},
		{lead.Worker{Gone: true, Left: true}, "left"},
	} {
		if got := worker(c.w).State; got != c.want {
			t.Errorf("%+v: %q, want %q", c.w, got, c.want)
		}
	}
}

// TestEveryPhaseHasAState on the wire, its own.
func TestEveryPhaseHasAState(t *testing.T) {
	seen := map[pb.RunState]run.Phase{}
	for _, p := range []run.Phase{run.Waiting, run.Running, run.Evaluating, run.Paused, run.Stopping, run.Completed,
		run.Stopped, run.Failed} {
		s := State(p)
		if other, taken := seen[s]; taken || s == pb.RunState_RUN_STATE_UNSPECIFIED {
			t.Errorf("%s is %v on the wire, as is %q", p, s, other)
		}
		seen[s] = p
	}
}

// TestLatest has a watcher told of each status, and given the newest.
func TestLatest(t *testing.T) {
	b := NewLatest()
	first, changed := b.Look()
	if first == nil || first.RunId != "" {
		t.Fatalf("an empty status shows %v", first)
	}
	select {
	case <-changed:
		t.Fatal("an empty status has changed")
	default:
	}
	b.Show(&pb.Status{RunId: "a"})
	b.Show(&pb.Status{RunId: "b"})
	<-changed
	if s, changed := b.Look(); s.RunId != "b" {
		t.Errorf("the newest is %v", s)
	} else {
		select {
		case <-changed:
			t.Error("the newest status has changed")
		default:
		}
	}
}

// TestEvaluationIsFollowed: of an evaluation the mean share is told, and the time that the slowest worker still needs.
func TestEvaluationIsFollowed(t *testing.T) {
	f := facts()
	f.Lead.State.Phase = run.Evaluating
	beat := func(share float64, seconds int) lead.Beat {
		return lead.Beat{Evaluated: share, Evaluating: time.Duration(seconds) * time.Second}
	}
	f.Lead.Workers = []lead.Worker{{Rank: 0, Beat: beat(0.5, 20)}, {Rank: 1, Beat: beat(0.25, 20)},
		{Rank: 2, Beat: beat(0, 0)}, {Rank: 3, Gone: true, Beat: beat(0.01, 20)}, {Rank: -1, Beat: beat(0.01, 9)}}
	f.Lead.State.Evaluations = []run.Evaluation{{Step: 20, Counts: []run.Count{{Name: KNN, Correct: 5, Total: 10},
		{Name: Probe, Correct: 7, Total: 10}}}}
	m := Message(f)
	if p := m.Progress; p.EvaluationFraction != 0.25 || p.EvaluationEta.AsDuration() != time.Minute {
		t.Errorf("%v of the evaluation, %v to go", p.EvaluationFraction, p.EvaluationEta.AsDuration())
	}
	if l := m.Learning; !l.ProbeEvalKnown || l.ProbeEvalTop1Ratio != 0.7 {
		t.Errorf("probe %v, known %v", l.ProbeEvalTop1Ratio, l.ProbeEvalKnown)
	}
	f.Lead.State.Phase = run.Running
	if p := Message(f).Progress; p.EvaluationFraction != 0 || p.EvaluationEta != nil {
		t.Errorf("no evaluation goes on: %v", p)
	}
}
