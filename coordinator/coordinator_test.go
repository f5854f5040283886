package coordinator

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"byol/internal/failure"
	pb "byol/proto"
)

// digests lists step:digest of the metrics, which must be one per step in order.
func digests(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	for line := range strings.Lines(read(t, filepath.Join(dir, "metrics.jsonl"))) {
		var s struct {
			Step   int64
			Digest string
			Loss   float64
		}
		if err := json.Unmarshal([]byte(line), &s); err != nil || s.Step != int64(len(out))+1 {
			t.Fatalf("line %d of the metrics is %q (%v)", len(out), line, err)
		}
		if s.Loss != 2.5 { // mean of 1+v over 4 shards
			t.Errorf("loss of step %d is %v", s.Step, s.Loss)
		}
		out = append(out, s.Digest)
	}
	return out
}

// undisturbed runs 20 steps with n workers and returns the digest of each.
func undisturbed(t *testing.T, n int) []string {
	t.Helper()
	opts := options(t, n)
	w := full(t, opts, -1, deed{})
	if err := w.end(); err != nil {
		t.Fatalf("%d workers: %v", n, err)
	}
	w.workers.Wait()
	for i, err := range w.ends {
		if err != nil || w.plans[i].State != pb.RunState_RUN_STATE_COMPLETED {
			t.Errorf("%d workers: worker %d ended with %v, plan %v", n, i, err, w.plans[i])
		}
	}
	steps := ""
	for _, k := range opts.Checkpoints.(*disk).infos {
		steps += fmt.Sprint(" ", k.Step)
	}
	if steps != " 5 10 15 20" {
		t.Errorf("%d workers: checkpoints of steps%s", n, steps)
	}
	if got := strings.Count(read(t, filepath.Join(opts.RunDir, "evaluations.jsonl")), "\n"); got != 3 {
		t.Errorf("%d workers: %d evaluations, want those of steps 0, 10, 20", n, got)
	}
	if _, err := os.Stat(filepath.Join(opts.RunDir, "coordinator.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%d workers: coordinator.json is left: %v", n, err)
	}
	return digests(t, opts.RunDir)
}

// TestSameBits runs 20 steps with 1, 2 and 4 workers: the target's digests are the same at every step.
func TestSameBits(t *testing.T) {
	t.Parallel()
	want := undisturbed(t, 1)
	if len(want) != 20 {
		t.Fatalf("%d steps were committed, want 20", len(want))
	}
	for _, n := range []int{2, 4} {
		if got := undisturbed(t, n); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%d workers:\ngot  %v\nwant %v", n, got, want)
		}
	}
}

func TestResumeAfterSignal(t *testing.T) {
	t.Parallel()
	want := undisturbed(t, 2)
	opts := options(t, 2)
	w := full(t, opts, 0, deed{step: 7, delay: 300 * time.Millisecond})
	c := w.client()
	w.until(c, "step 7", func(s *pb.Status) bool { return s.Progress.Step == 7 })
	w.cancel()
	w.failed(failure.Temporary, "stopped at step 8 of 20", "go on from step 8")
	opts.Workers = 4
	w = full(t, opts, -1, deed{})
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	if got := digests(t, opts.RunDir); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("after resume:\ngot  %v\nwant %v", got, want)
	}
	w = begin(t, opts)
	if err := w.end(); err != nil {
		t.Errorf("a complete run: %v", err)
	}
}

// TestGoesOnAfterLoss loses a worker between two checkpoints: the other goes on alone, with equal bits, and runs no
// committed step again.
func TestGoesOnAfterLoss(t *testing.T) {
	t.Parallel()
	want := strings.Join(undisturbed(t, 2), " ")
	opts := options(t, 2)
	w := full(t, opts, 1, deed{step: 8, die: true})
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	w.workers.Wait()
	if p := w.plans[0]; p.State != pb.RunState_RUN_STATE_COMPLETED {
		t.Errorf("the survivor was told %v", p)
	}
	healed(t, opts, want, "worker-1 was lost at step 8")
}

func TestOperator(t *testing.T) {
	t.Parallel()
	opts := options(t, 2)
	opts.Config.TotalSteps, opts.Config.SaveEverySteps = 1_000_000, 0
	opts.Config.EvalData = ""
	w := full(t, opts, -1, deed{})
	c, ctx := w.client(), w.ctx
	w.until(c, "step 3", func(s *pb.Status) bool { return s.Progress.Step >= 3 })
	op, err := c.Pause(ctx, &pb.PauseRequest{RequestId: "p"})
	if err != nil || op.State != pb.RunState_RUN_STATE_PAUSED {
		t.Fatalf("pause: %v %v", op, err)
	}
	s := w.until(c, "a quiet status", func(*pb.Status) bool { return true })
	if s.State != pb.RunState_RUN_STATE_PAUSED || s.Progress.Step != op.Step || len(s.Workers) != 2 ||
		s.Cluster.WorkersReady != 2 || s.Cluster.LeaderId == "" || s.Learning.Loss != 2.5 || s.Learning.ProbeTop1Ratio != 1 {
		t.Errorf("status while paused: %v", s)
	}
	if len(s.Throughput.Phases) != 2 || s.Throughput.Phases[1].Ratio != 0.75 {
		t.Errorf("phases: %v", s.Throughput.Phases)
	}
	saved, err := c.Checkpoint(ctx, &pb.CheckpointRequest{Wait: true})
	if err != nil || saved.Checkpoint.GetStep() != op.Step || saved.Checkpoint.Path == "" {
		t.Errorf("checkpoint while paused at %d: %v %v", op.Step, saved, err)
	}
	if again, err := c.Pause(ctx, &pb.PauseRequest{RequestId: "p"}); err != nil || again.Step != op.Step {
		t.Errorf("pause again: %v %v", again, err)
	}
	if _, err := c.Resume(ctx, &pb.ResumeRequest{RequestId: "p"}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("resume with the id of a pause: %v", err)
	}
	if _, err := c.Resume(ctx, &pb.ResumeRequest{}); err != nil {
		t.Errorf("resume: %v", err)
	}
	w.until(c, "more steps", func(s *pb.Status) bool { return s.Progress.Step > op.Step+3 })
	saved, err = c.Checkpoint(ctx, &pb.CheckpointRequest{Wait: true})
	if err != nil || saved.Checkpoint.GetStep() <= op.Step+3 {
		t.Errorf("checkpoint while running: %v %v", saved, err)
	}
	list, err := c.ListCheckpoints(ctx, &pb.ListCheckpointsRequest{})
	if err != nil || len(list.Checkpoints) != 2 {
		t.Errorf("checkpoints: %v %v", list, err)
	}
	stopped := w.watchStop(c)
	if err := w.end(); err != nil {
		t.Errorf("stopped run: %v", err)
	}
	if newest, _, _ := opts.Checkpoints.Newest(); newest.Step != stopped.Step {
		t.Errorf("newest checkpoint is of step %d, stopped at %d", newest.Step, stopped.Step)
	}
}

// watchStop stops the run and watches it end.
func (w *world) watchStop(c pb.CoordinatorClient) *pb.RunOperation {
	w.t.Helper()
	watch, err := c.WatchStatus(w.ctx, &pb.WatchStatusRequest{MinInterval: durationpb.New(time.Millisecond)})
	if err != nil {
		w.t.Fatal(err)
	}
	stopped, err := c.Stop(w.ctx, &pb.StopRequest{RequestId: "s"})
	if err != nil || stopped.State != pb.RunState_RUN_STATE_STOPPED {
		w.t.Errorf("stop: %v %v", stopped, err)
	}
	var last *pb.Status
	for {
		next, err := watch.Recv()
		if err != nil {
			break
		}
		if last != nil && next.Progress.Step < last.Progress.Step {
			w.t.Errorf("status went back from step %d to %d", last.Progress.Step, next.Progress.Step)
		}
		last = next
	}
	if last == nil || last.State != pb.RunState_RUN_STATE_STOPPED {
		w.t.Errorf("the last status watched: %v", last)
	}
	return stopped
}

// TestTimedCheckpoints saves each few milliseconds, as the configuration says.
func TestTimedCheckpoints(t *testing.T) {
	t.Parallel()
	opts := options(t, 1)
	opts.Config.TotalSteps, opts.Config.SaveEverySteps, opts.Config.SaveEverySeconds = 1_000_000, 0, 0.01
	opts.Config.Keep, opts.Config.EvalData = 2, ""
	w := full(t, opts, -1, deed{})
	c := w.client()
	first := w.until(c, "a checkpoint", func(s *pb.Status) bool { return s.LastCheckpoint != nil }).LastCheckpoint.Step
	w.until(c, "two more", func(s *pb.Status) bool { return s.LastCheckpoint.Step > first+1 })
	if _, err := c.Stop(w.ctx, &pb.StopRequest{Now: true}); err != nil {
		t.Error(err)
	}
	if err := w.end(); err != nil {
		t.Error(err)
	}
	if list, _ := opts.Checkpoints.List(); len(list) == 0 || len(list) > 2 {
		t.Errorf("%d checkpoints are kept, want at most 2", len(list))
	}
}

func TestServices(t *testing.T) {
	t.Parallel()
	opts := options(t, 2)
	w := begin(t, opts)
	conn, err := grpc.NewClient("passthrough:///"+w.c.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	health := healthpb.NewHealthClient(conn)
	for _, name := range []string{"", "byol.coordinator.v1.Coordinator"} {
		r, err := health.Check(w.ctx, &healthpb.HealthCheckRequest{Service: name}, grpc.WaitForReady(true))
		if err != nil || r.Status != healthpb.HealthCheckResponse_SERVING {
			t.Errorf("health of %q: %v %v", name, r, err)
		}
	}
	c := pb.NewCoordinatorClient(conn)
	events, err := c.ListEvents(w.ctx, &pb.ListEventsRequest{})
	if err != nil || len(events.Events) != 1 || events.Events[0].Text != "a new run" {
		t.Errorf("events: %v %v", events, err)
	}
	card, err := ReadCard(opts.RunDir)
	if err != nil || card.Address != w.c.Addr() || card.PID != os.Getpid() ||
		card.RunID != "test" {
		t.Errorf("card: %+v %v", card, err)
	}
	second := begin(t, opts)
	second.failed(failure.Usage, "another coordinator uses", fmt.Sprint(os.Getpid()), w.c.Addr())
	stream, err := pb.NewWorkerPlaneClient(conn).Attach(w.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&pb.FromWorker{Message: &pb.FromWorker_Leave{Leave: &pb.Leave{}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a stream that begins without Join: %v", err)
	}
	w.cancel()
	w.failed(failure.Temporary)
}

// TestDrain: a worker that is drained leaves for good at a boundary, the bits are those of a run without it, and the
// last one that the run needs stays. Who asked is an event.
func TestDrain(t *testing.T) {
	t.Parallel()
	want := strings.Join(undisturbed(t, 2), " ")
	opts := options(t, 2)
	opts.MinWorkers = 1
	w := begin(t, opts)
	c, ctx := w.client(), w.ctx
	if _, err := c.Pause(ctx, &pb.PauseRequest{}, grpc.WaitForReady(true)); err != nil { // so that it is not over too soon
		t.Fatal(err)
	}
	for i := range opts.Workers {
		w.worker(i, deed{step: -1})
	}
	w.until(c, "a group", func(s *pb.Status) bool { return s.State == pb.RunState_RUN_STATE_PAUSED })
	if _, err := c.Drain(ctx, &pb.DrainRequest{WorkerId: "nobody\x1b[2J"}); status.Code(err) != codes.NotFound {
		t.Errorf("nobody is drained: %v", err)
	}
	if _, err := c.Drain(ctx, &pb.DrainRequest{RequestId: "d1", WorkerId: "worker-1"}); err != nil {
		t.Fatal(err)
	}
	s := w.until(c, "one worker", func(s *pb.Status) bool { return len(s.Workers) == 1 })
	if s.Workers[0].Id != "worker-0" {
		t.Errorf("left is %v", s.Workers)
	}
	_, gone := c.Drain(ctx, &pb.DrainRequest{WorkerId: "worker-1"})
	_, last := c.Drain(ctx, &pb.DrainRequest{WorkerId: "worker-0"})
	if status.Code(gone) != codes.NotFound || status.Code(last) != codes.FailedPrecondition {
		t.Errorf("drained again: %v; the last one: %v", gone, last)
	}
	if _, err := c.TransferLeader(ctx, &pb.TransferLeaderRequest{}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("the only coordinator hands over: %v", err)
	}
	if _, err := c.Resume(ctx, &pb.ResumeRequest{}); err != nil {
		t.Fatal(err)
	}
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	w.workers.Wait()
	if p := w.plans[1]; p.State != pb.RunState_RUN_STATE_STOPPED {
		t.Errorf("who was drained was told %v", p)
	}
	events := read(t, filepath.Join(opts.RunDir, "events.jsonl"))
	for _, wanted := range []string{`"type":"drain-asked","worker":"worker-1"`, "(request d1, log entry ",
		`"type":"worker-left","worker":"worker-1"`} {
		if strings.Count(events, wanted) != 1 {
			t.Errorf("the events want once %s:\n%s", wanted, events)
		}
	}
	if strings.Contains(events, "worker-left-out") || strings.Contains(events, "nobody") {
		t.Errorf("the events tell of what was refused, or of a loss:\n%s", events)
	}
	if got := strings.Join(digests(t, opts.RunDir), " "); got != want {
		t.Errorf("other bits than without draining:\n got %s\nwant %s", got, want)
	}
}
