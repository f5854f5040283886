package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"byol/coordinator"
	"byol/internal/failure"
	pb "byol/proto"
)

// operated is a coordinator that answers operators from what it is given, and writes down what they asked.
type operated struct {
	pb.UnimplementedCoordinatorServer
	statuses []*pb.Status // GetStatus answers with the first, WatchStatus sends all
	events   []*pb.Event
	err      error // the answer to every call, if set

	mu     sync.Mutex // guards what follows
	asked  []proto.Message
	called []string // to see or change who coordinates
}

func (o *operated) ask(m proto.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked = append(o.asked, m)
}

func (o *operated) GetStatus(_ context.Context, r *pb.GetStatusRequest) (*pb.Status, error) {
	o.ask(r)
	if o.err != nil {
		return nil, o.err
	}
	return o.statuses[0], nil
}

func (o *operated) WatchStatus(r *pb.WatchStatusRequest, s grpc.ServerStreamingServer[pb.Status]) error {
	o.ask(r)
	for _, st := range o.statuses {
		if err := s.Send(st); err != nil {
			return err
		}
	}
	return o.err
}

func (o *operated) ListEvents(_ context.Context, r *pb.ListEventsRequest) (*pb.ListEventsResponse, error) {
	o.ask(r)
	var page pb.ListEventsResponse
	for _, e := range o.events {
		if e.Id > r.AfterId && len(page.Events) < int(r.PageSize) {
			page.Events = append(page.Events, e)
		}
	}
	return &page, o.err
}

func (o *operated) operation(r proto.Message, ck *pb.CheckpointInfo) (*pb.RunOperation, error) {
	o.ask(r)
	if o.err != nil {
		return nil, o.err
	}
	return &pb.RunOperation{State: pb.RunState_RUN_STATE_PAUSED, Step: 1234, Checkpoint: ck}, nil
}

func (o *operated) Pause(_ context.Context, r *pb.PauseRequest) (*pb.RunOperation, error) {
	return o.operation(r, nil)
}

func (o *operated) Resume(_ context.Context, r *pb.ResumeRequest) (*pb.RunOperation, error) {
	return o.operation(r, nil)
}

func (o *operated) Stop(_ context.Context, r *pb.StopRequest) (*pb.RunOperation, error) {
	return o.operation(r, nil)
}

func (o *operated) Checkpoint(_ context.Context, r *pb.CheckpointRequest) (*pb.RunOperation, error) {
	return o.operation(r, &pb.CheckpointInfo{Path: "r/checkpoints/step-1234", SizeBytes: 5 << 20})
}

// serve is o on an address of this machine, until the test ends.
func (o *operated) serve(t *testing.T) string { return serveCoordinator(t, o) }

func serveCoordinator(t *testing.T, o pb.CoordinatorServer) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	pb.RegisterCoordinatorServer(server, o)
	ended := make(chan error)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		<-ended
	})
	return l.Addr().String()
}

// command runs the program; it returns the exit code and both streams.
func command(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(args, &out, &errs)
	return code, out.String(), errs.String()
}

// whole is a status with everything that a screen shows.
func whole() *pb.Status {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	return with(at(500), func(st *pb.Status) {
		st.AsOf, st.Generation, st.StateReason = timestamppb.New(now), 3, "worker-1 came back"
		st.Config = &pb.RunConfig{Data: "synthetic:10"}
		st.Progress.TargetEpochs, st.Progress.UnreadableImages, st.Progress.LastUnreadableImage = 12, 2, "b.jpg"
		st.Learning.KnnKnown, st.Learning.KnnStep, st.Learning.KnnTop1Ratio = true, 400, 0.5
		st.Learning.KnnUntrainedTop1Ratio, st.Learning.KnnPixelsTop1Ratio = 0.25, 0.3
		st.Throughput.Phases = []*pb.PhaseShare{{Phase: "forward", Ratio: 0.4, LatencyRatio: 0.4},
			{Phase: "commit", Ratio: 0.01, LatencyRatio: 0.04}}
		st.LastCheckpoint = &pb.CheckpointInfo{Step: 450, Path: "r/step-450",
			Created: timestamppb.New(now.Add(-90 * time.Second))}
		st.Cluster.Launcher = "local"
		st.Workers = []*pb.Worker{
			{Id: "worker-0", Rank: 0, State: "ready", Step: 500, Device: "cpu", Host: "a",
				LastSeen: timestamppb.New(now.Add(-300 * time.Millisecond)), ResidentBytes: 300 << 20,
				PeakResidentBytes: 3 << 30, WaitingFor: "rank 1, bucket 2"},
			{Id: "worker-1", Rank: 1, State: "ready", Step: 500, Device: "cpu", Host: "b", LastError: "read: EOF"},
		}
	})
}

const wholeScreen = `RUN r   running   step 500/1 000 (50.0 %)   epoch 0.59/12   up 0.0s   ETA 1m30s
    worker-1 came back
DEMO DATA: generated pictures, not photographs
loss 1.8721   std 0.91 healthy   lr 0.053   tau 0.97123   311 images/s (forward 40%, commit 1% of 4%)
k-NN 50.0 % at step 400   untrained 25.0 %   raw pixels 30.0 %
last save step 450, 1m30s ago: r/step-450
2 unreadable images replaced, the last one b.jpg
WORKERS 8/8 ready, launcher local, generation 3
WORKER    RANK  STATE  STEP  LAST SEEN  MEMORY   PEAK     DEVICE  HOST  WAITING FOR
worker-0  0     ready  500   0.3s       300 MiB  3.0 GiB  cpu     a     rank 1, bucket 2
worker-1  1     ready  500   -          -        -        cpu     b     error: read: EOF
`

func TestStatusCommand(t *testing.T) {
	o := &operated{statuses: []*pb.Status{whole()}}
	addr := o.serve(t)
	if code, out, errs := command("status", "-s", addr); code != 0 || out != wholeScreen {
		t.Errorf("exit code %d, %s\n got\n%s\nwant\n%s", code, errs, out, wholeScreen)
	}
	extended := with(whole(), func(st *pb.Status) {
		st.Learning.KnnUntrainedTop1Ratio, st.Learning.KnnPixelsTop1Ratio, st.Learning.KnnPixelsKnown = 0, 0, true
	})
	if code, out, _ := command("status", "-s", (&operated{statuses: []*pb.Status{extended}}).serve(t)); code != 0 ||
		!strings.Contains(out, "k-NN 50.0 % at step 400   raw pixels 0.0 %\n") {
		t.Errorf("what was not measured, and what came to nothing: exit code %d\n%s", code, out)
	}
	over := whole()
	over.State = pb.RunState_RUN_STATE_COMPLETED
	over.LastCheckpoint.Created = timestamppb.New(time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local))
	var screen bytes.Buffer
	printStatus(&screen, over)
	if want := "last save step 450, 2026-01-02 03:04:05: r/step-450\n"; !strings.Contains(screen.String(), want) {
		t.Errorf("of a run that is over: no %q in\n%s", want, &screen)
	}
	code, out, _ := command("status", "-s", addr, "-o", "json")
	var shown struct {
		RunID    string `json:"run_id"`
		Progress struct {
			Step float64 `json:"step"`
		} `json:"progress"`
		Workers []struct {
			Rank      int    `json:"rank"`
			LastError string `json:"last_error"`
		} `json:"workers"`
	}
	if err := json.Unmarshal([]byte(out), &shown); err != nil || code != 0 || shown.RunID != "r" ||
		shown.Progress.Step != 500 || len(shown.Workers) != 2 || shown.Workers[1].LastError != "read: EOF" {
		t.Errorf("exit code %d, %v, %+v in\n%s", code, err, shown, out)
	}
	fresh := &operated{statuses: []*pb.Status{{RunId: "r", State: pb.RunState_RUN_STATE_WAITING_FOR_WORKERS}}}
	want := "RUN r   waiting for workers   step 0/0 (0.0 %)   epoch 0.00/0   up 0.0s   ETA -\n" +
		"WORKERS 0/0 ready, launcher , generation 0\n"
	if _, out, _ := command("status", "-s", fresh.serve(t)); out != want {
		t.Errorf("of a run that has nothing to show:\n got %q\nwant %q", out, want)
	}
}

// TestWatchCommand follows a run to its end, off a terminal: news and progress, a line each.
func TestWatchCommand(t *testing.T) {
	end := with(at(1000), func(st *pb.Status) { st.State = pb.RunState_RUN_STATE_COMPLETED })
	pause := with(at(500), func(st *pb.Status) {
		st.State, st.StateReason = pb.RunState_RUN_STATE_PAUSED, "asked by an operator"
	})
	again := with(at(499), func(st *pb.Status) { st.Progress.Elapsed = durationpb.New(time.Hour) }) // says nothing new
	o := &operated{statuses: []*pb.Status{at(499), again, pause, end}}
	addr := o.serve(t)
	want := "workers 8/8 ready\n" + progressLine(at(499)) + "\npaused: asked by an operator\n" + progressLine(pause) +
		"\n" + progressLine(end) + "\n"
	if code, out, errs := command("watch", "-s", addr, "--interval", "250ms"); code != 0 || out != want {
		t.Errorf("exit code %d, %s\n got %q\nwant %q", code, errs, out, want)
	}
	if r, ok := o.asked[0].(*pb.WatchStatusRequest); !ok || r.MinInterval.AsDuration() != 250*time.Millisecond {
		t.Errorf("asked %v", o.asked)
	}
	if code, out, _ := command("watch", "-s", addr, "-o", "json"); code != 0 || strings.Count(out, `"run_id": "r"`) != 4 {
		t.Errorf("exit code %d, as JSON:\n%s", code, out)
	}
	// A coordinator that goes away behind the end is none to complain of; before the end it is.
	o.err = status.Error(codes.Unavailable, "closing")
	if code, _, errs := command("watch", "-s", addr); code != 0 {
		t.Errorf("after the end: exit code %d: %s", code, errs)
	}
	o.statuses = o.statuses[:3]
	if code, _, errs := command("watch", "-s", addr); code != failure.Unreachable {
		t.Errorf("before the end: exit code %d: %s", code, errs)
	}
}

// TestEventsCommand lists more events than a page holds, each once and in order.
func TestEventsCommand(t *testing.T) {
	o := &operated{}
	when := timestamppb.New(time.Date(2026, 3, 4, 12, 0, 0, 0, time.Local))
	const n = 2*eventPage + 7
	for i := range n {
		o.events = append(o.events, &pb.Event{Id: int64(i + 1), Time: when, Type: "step", Text: fmt.Sprint(i)})
	}
	o.events[0] = &pb.Event{Id: 1, Type: "worker-joined", Worker: "worker-0", Text: "from host a"}
	o.events[1] = &pb.Event{Id: 2, Time: when, Type: "worker-lost", Worker: "worker-0", Text: "worker-0 was lost"}
	addr := o.serve(t)
	code, out, errs := command("events", "-s", addr)
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if code != 0 || len(lines) != n {
		t.Fatalf("exit code %d, %s: %d lines, want %d", code, errs, len(lines), n)
	}
	for i, want := range map[int]string{
		0:     "--:--:--  worker-joined      worker-0: from host a",
		1:     "12:00:00  worker-lost        worker-0 was lost",
		n - 1: fmt.Sprintf("12:00:00  step               %d", n-1),
	} {
		if lines[i] != want {
			t.Errorf("line %d: got %q, want %q", i, lines[i], want)
		}
	}
	if len(o.asked) != 3 {
		t.Errorf("%d calls for %d events in pages of %d", len(o.asked), n, eventPage)
	}
	if _, out, _ := command("events", "-s", addr, "-o", "json"); strings.Count(out, `"type": "step"`) != n-2 {
		t.Errorf("as JSON: %d steps", strings.Count(out, `"type": "step"`))
	}
	o.err = status.Error(codes.Unavailable, "gone")
	if code, _, errs := command("events", "-f", "-s", addr); code != failure.Unreachable {
		t.Errorf("a coordinator that went away: exit code %d: %s", code, errs)
	}
}

// TestOperations: each command makes its call, with an id of its own, and says where the run stands.
func TestOperations(t *testing.T) {
	o := &operated{}
	addr := o.serve(t)
	ids := map[string]bool{}
	for _, c := range []struct {
		args []string
		out  string
		want func(m proto.Message) (id string, ok bool)
	}{
		{[]string{"pause"}, "pausing at step 1 234; the run is paused\n", func(m proto.Message) (string, bool) {
			r, ok := m.(*pb.PauseRequest)
			return r.GetRequestId(), ok
		}},
		{[]string{"resume"}, "going on at step 1 234; the run is paused\n", func(m proto.Message) (string, bool) {
			r, ok := m.(*pb.ResumeRequest)
			return r.GetRequestId(), ok
		}},
		{[]string{"stop"}, "stopping at step 1 234; the run is paused\n", func(m proto.Message) (string, bool) {
			r, ok := m.(*pb.StopRequest)
			return r.GetRequestId(), ok && !r.Now
		}},
		{[]string{"stop", "--now"}, "stopping at step 1 234; the run is paused\n", func(m proto.Message) (string, bool) {
			r, ok := m.(*pb.StopRequest)
			return r.GetRequestId(), ok && r.Now
		}},
		{[]string{"checkpoint"}, "checkpoint at step 1 234; the run is paused\n" +
			"checkpoint r/checkpoints/step-1234 (5.0 MiB)\n",
			func(m proto.Message) (string, bool) {
				r, ok := m.(*pb.CheckpointRequest)
				return r.GetRequestId(), ok && !r.Wait
			}},
		{[]string{"checkpoint", "--wait"}, "checkpoint at step 1 234; the run is paused\n" +
			"checkpoint r/checkpoints/step-1234 (5.0 MiB)\n", func(m proto.Message) (string, bool) {
			r, ok := m.(*pb.CheckpointRequest)
			return r.GetRequestId(), ok && r.Wait
		}},
	} {
		o.asked = nil
		code, out, errs := command(append(c.args, "-s", addr)...)
		if code != 0 || out != c.out || len(o.asked) != 1 {
			t.Errorf("%v: exit code %d, %s, %d calls\n got %q\nwant %q", c.args, code, errs, len(o.asked), out, c.out)
			continue
		}
		id, ok := c.want(o.asked[0])
		if !ok || len(id) < 16 || ids[id] {
			t.Errorf("%v asked %v", c.args, o.asked[0])
		}
		ids[id] = true
		if code, out, _ := command(append(c.args, "-s", addr, "-o", "json")...); code != 0 ||
			!strings.Contains(out, `"step": 1234,`) {
			t.Errorf("%v as JSON: exit code %d, %q", c.args, code, out)
		}
		if code, _, errs := command(append(c.args, "now", "-s", addr)...); code != failure.Usage ||
			!strings.Contains(errs, "takes no argument now") {
			t.Errorf("%v with a word too many: exit code %d, %q", c.args, code, errs)
		}
	}
}

// TestAnswersThatAreErrors: what a coordinator answers decides the exit code, and its words come to the person.
func TestAnswersThatAreErrors(t *testing.T) {
	o := &operated{}
	addr := o.serve(t)
	for _, c := range []struct {
		err  error
		code int
		what string
		why  string
	}{
		{status.Error(codes.Unavailable, "too busy"), failure.Unreachable, "no coordinator answers at " + addr, "too busy"},
		{status.Error(codes.DeadlineExceeded, "late"), failure.Unreachable, "no coordinator answers at " + addr, "late"},
		{status.Error(codes.FailedPrecondition, "the run has ended"), failure.Usage, "the run has ended", ""},
		{status.Error(codes.InvalidArgument, "no id"), failure.Usage, "no id", ""},
		{status.Error(codes.AlreadyExists, "paused already"), failure.Usage, "paused already", ""},
		{status.Error(codes.NotFound, "no such run"), failure.Usage, "no such run", ""},
		{status.Error(codes.Unimplemented, "unknown method"), failure.Unreachable,
			"what answers at " + addr + " is not this program's coordinator", "unknown method"},
		{status.Error(codes.Internal, "oops"), failure.Internal, "the coordinator reports: oops", "Internal"},
		{errors.New("plain"), failure.Internal, "the coordinator reports: plain", "Unknown"},
	} {
		o.err = c.err
		want := "error: " + c.what + "\n"
		if c.why != "" {
			want += "  why: " + c.why + "\n"
		}
		code, out, errs := command("pause", "-s", addr)
		if code != c.code || out != "" || !strings.HasPrefix(errs, want) ||
			!strings.HasSuffix(errs, fmt.Sprintf("[exit %d]\n", c.code)) {
			t.Errorf("%v: exit code %d, want %d\n got %q\nwant %q", c.err, code, c.code, errs, want)
		}
	}
	if f := new(failure.Failure); !errors.As(fromRPC("a", fmt.Errorf("no status: %w", context.Canceled)), &f) ||
		f.Code != failure.Internal || !errors.Is(f, context.Canceled) {
		t.Errorf("an error that is no answer: %+v", f)
	}
}

// TestUnavailable: what a command says where it got no answer, by what it learned: who answers and leads nobody is no
// silence, and keys that are not the run's are told from a run that is over.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ said, what, try string }{
		{"connection refused", "no coordinator answers at a:1", "is the run still going?"},
		{"error reading server preface: EOF", "no coordinator answers at a:1", "it may want TLS"},
		{"dial tls a:1: the certificate is of an authority that is not trusted here", "no coordinator answers at a:1",
			"--token-file"},
		{coordinator.NoLeader, "the coordinator at a:1 does not lead", "coordinator status"},
		{coordinator.LeaderChanging, "the coordinator at a:1 does not lead", "ask again"},
	} {
		f := fromRPC("a:1", status.Error(codes.Unavailable, c.said))
		if f.Code != failure.Unreachable || !strings.HasPrefix(f.What, c.what) || f.Why != c.said ||
			!strings.Contains(f.Try, c.try) {
			t.Errorf("%q: got %+v, want %q and %q", c.said, f, c.what, c.try)
		}
	}
}
