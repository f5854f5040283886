package admin

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"byol/coordinator/report"
	pb "byol/proto"
)

// trained is a status of a run that has everything.
func trained(now time.Time) *pb.Status {
	return &pb.Status{RunId: "run", State: pb.RunState_RUN_STATE_RUNNING, Generation: 3, AsOf: timestamppb.New(now),
		Config:   &pb.RunConfig{Arch: "resnet20", Preset: "byol-100ep", Data: "synthetic:40", BatchSize: 8},
		Progress: &pb.Progress{Step: 7, TargetSteps: 20, Epoch: 1.4, Fraction: 0.35, Eta: durationpb.New(time.Minute)},
		Learning: &pb.Learning{Loss: 1.5, EmbeddingStdRatio: 0.9, KnnKnown: true, KnnTop1Ratio: 0.4,
			ProbeEvalKnown: true},
		Throughput:     &pb.Throughput{ImagesPerSecond: 80, StepTimeP50: durationpb.New(100 * time.Millisecond)},
		Cluster:        &pb.Cluster{LeaderId: "a", WorkersReady: 1, WorkersExpected: 2, WorkersMin: 1},
		Faults:         &pb.Faults{Restarts: 1, RerunSteps: 2},
		LastCheckpoint: &pb.CheckpointInfo{Step: 5, SizeBytes: 1 << 20, Created: timestamppb.New(now)},
		Workers: []*pb.Worker{{Id: "worker-0", State: "forward", Step: 7, LastSeen: timestamppb.New(now), ResidentBytes: 9},
			{Id: "worker-1", Rank: 1, State: "gone", Step: 5}},
		Protection: &pb.Protection{By: "certificates", Expires: timestamppb.New(now.Add(time.Hour))}}
}

// trainedBoard shows it.
func trainedBoard(now time.Time) *Board {
	b := NewBoard("v1")
	b.Agree(Raft{LeaderID: "a", Leads: true, Term: 2, Commit: 9, Applied: 9, Peers: 3})
	b.Show(trained(now), false)
	for i := range int64(7) {
		b.Committed(report.Step{Step: i + 1, Seconds: 0.1, Std: 0.9,
			Phases: map[string]float64{"data": 0.01, "forward": 0.05}})
	}
	b.Saved(2 * time.Second)
	b.Proposed(3 * time.Millisecond)
	for i, kind := range []string{"worker-joined", "worker-lost", "worker-joined", "checkpoint-failed"} {
		b.Happened(report.Event{ID: int64(i + 1), Time: now, Type: kind, Worker: "worker-1", Text: kind})
	}
	return b
}

// traceSteps has both workers tell of the step of an index and of the next, an hour later each time.
func traceSteps(b *Board, index int64) {
	at := time.Unix(1_700_000_000+3600*index, 0)
	for step := index; step < index+2; step++ {
		for rank, worker := range []string{"worker-0", "worker-1"} {
			late := int64(rank * 9000)
			t := &pb.Trace{BeginUnixNanos: at.Add(time.Duration(step-index) * 130 * time.Millisecond).UnixNano(),
				Names: []string{"commit", "data", "forward", "sync", "backward", "bucket", "ring", "update", "committing"}}
			for _, s := range [][4]int64{{0, 0, 15, -1}, {1, 15, 5, 0}, {2, 20, 20 + late/1000, 0}, {3, 40 + late/1000, 12 -
				late/1000, 0}, {4, 52, 40, 0}, {5, 60, 20, 0}, {5, 82, 22, 0}, {6, 92, 12, 0}, {7, 104, 26, 0}, {8, -5, 20, -1}} {
				t.Spans = append(t.Spans, &pb.Span{Name: uint32(s[0]), BeginMicros: max(0, 1000*s[1]), Micros: 1000 * s[2],
					Ahead: s[3]})
			}
			b.Traced(&pb.TraceRecord{Worker: worker, Rank: int32(rank), Generation: 3, Step: step, Trace: t}, at)
		}
	}
}

// promised are the names that docs/monitoring.md, alerts and dashboards build on.
var promised = strings.Fields(`byol_build_info byol_run_info byol_run_state byol_training_step
	byol_training_target_steps byol_training_epoch byol_training_loss byol_training_learning_rate
	byol_training_target_tau_ratio byol_training_grad_norm byol_training_embedding_std_ratio
	byol_training_knn_top1_ratio byol_training_eta_seconds
	byol_workers byol_workers_expected byol_workers_min byol_worker_last_heartbeat_timestamp_seconds byol_worker_step_lag
	byol_worker_failures_total byol_worker_restarts_total byol_collapse_detected_total byol_checkpoint_duration_seconds
	byol_checkpoint_size_bytes byol_checkpoint_last_success_timestamp_seconds byol_checkpoint_failures_total
	byol_raft_has_leader byol_raft_is_leader byol_raft_leader_changes_total byol_raft_peers byol_raft_last_contact_seconds
	byol_raft_commit_index byol_raft_applied_index byol_raft_apply_duration_seconds
	byol_certificate_expiry_timestamp_seconds
	byol_training_images_total byol_training_phase_seconds_total byol_training_step_duration_seconds
	grpc_server_handled_total
	go_goroutines process_resident_memory_bytes`)

// TestMetrics has all metrics that are promised, named as Prometheus has them named.
func TestMetrics(t *testing.T) {
	b := trainedBoard(time.Unix(1000, 0))
	server := grpc.NewServer(b.ServerOptions()...)
	pb.RegisterCoordinatorServer(server, pb.UnimplementedCoordinatorServer{})
	b.Serves(server)
	registry := b.Registry()
	problems, err := testutil.GatherAndLint(registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range families {
		names = append(names, f.GetName())
	}
	for _, name := range promised {
		if !slices.Contains(names, name) {
			t.Errorf("there is no %s", name)
		}
	}
}

// TestSamples are what the board has, a line each.
func TestSamples(t *testing.T) {
	b := trainedBoard(time.Unix(1000, 0))
	said := func() string {
		var lines strings.Builder
		for _, s := range samples(b.status, b.raft, b.tally, b.Build, b.leaders) {
			fmt.Fprintln(&lines, s.name, s.labels, s.value)
		}
		return lines.String()
	}
	text := said()
	for _, want := range []string{"byol_training_step [] 7\n", "byol_run_state [running] 1\n",
		"byol_run_state [failed] 0\n",
		"byol_worker_step_lag [worker-0] 0\n", "byol_worker_failures_total [worker-1 lost] 1\n", "byol_workers [gone] 1\n",
		"byol_worker_restarts_total [worker-1] 1\n", "byol_checkpoint_failures_total [] 1\n",
		"byol_certificate_expiry_timestamp_seconds [] 4600\n", "byol_raft_leader_changes_total [] 1\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "byol_worker_step_lag [worker-1]") {
		t.Error("a worker that is gone has a lag")
	}
	sick := trained(time.Unix(1000, 0))
	sick.Learning.Loss = math.NaN()
	if b.Show(sick, false); !strings.Contains(said(), "byol_training_loss [] NaN\n") {
		t.Error("a loss that is no number is not shown as one")
	}
	follower := trained(time.Unix(1000, 0))
	follower.Stale, follower.Age = true, durationpb.New(2*time.Second)
	b.Agree(Raft{LeaderID: "b", Term: 3})
	b.Show(follower, false)
	text = said()
	if strings.Contains(text, "byol_training_") || strings.Contains(text, "byol_workers") {
		t.Errorf("a follower tells of training:\n%s", text)
	}
	for _, want := range []string{"byol_raft_last_contact_seconds [] 2\n", "byol_raft_is_leader [] 0\n",
		"byol_raft_leader_changes_total [] 2\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// TestNames counts under no more names than there may be workers, whatever comes.
func TestNames(t *testing.T) {
	b := NewBoard("v1")
	for i := range 3 * workersCounted {
		b.Happened(report.Event{Type: "worker-joined", Worker: fmt.Sprintf("somebody-%d", i)})
		b.Happened(report.Event{Type: "worker-refused", Worker: fmt.Sprintf("stranger-%d", i)})
	}
	if n := len(b.tally.joined); n != workersCounted {
		t.Errorf("%d names are counted, want %d", n, workersCounted)
	}
	if n := len(b.tally.failures); n != 0 {
		t.Errorf("%d failures of strangers are counted", n)
	}
}

// TestCollapse counts each collapse once.
func TestCollapse(t *testing.T) {
	tally := newTally()
	for _, s := range []struct{ std, epoch float64 }{{0.1, 0.5}, {0.9, 1.1}, {0.1, 1.2}, {0.3, 1.3},
		{0.1, 1.4}, {0.8, 1.5},
		{0.05, 1.6}} {
		tally.looked(s.std, s.epoch)
	}
	if tally.collapses != 2 {
		t.Errorf("%d collapses are counted, want 2", tally.collapses)
	}
}

// TestNotReady says when nobody should ask.
func TestNotReady(t *testing.T) {
	now := time.Unix(1000, 0)
	for name, c := range map[string]struct {
		change func(*pb.Status)
		want   string
	}{
		"well":        {func(*pb.Status) {}, ""},
		"nothing yet": {func(s *pb.Status) { s.State = 0 }, "the run has not begun"},
		"no leader": {func(s *pb.Status) { s.Cluster.LeaderId, s.StateReason = "", "b is away" },
			"no coordinator leads: b is away"},
		"follows": {func(s *pb.Status) { s.Stale, s.Age = true, durationpb.New(time.Second) }, ""},
		"hears nothing": {func(s *pb.Status) { s.Stale, s.Age = true, durationpb.New(time.Minute) },
			"nothing was heard of the leader for 1m0s"},
		"stands still": {func(s *pb.Status) { s.AsOf = timestamppb.New(now.Add(-time.Minute)) },
			"this coordinator has stood still for 1m0s"},
		"is over": {func(s *pb.Status) {
			s.AsOf, s.State = timestamppb.New(now.Add(-time.Minute)), pb.RunState_RUN_STATE_COMPLETED
		}, ""},
	} {
		s := trained(now)
		c.change(s)
		if got := notReady(s, now); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
