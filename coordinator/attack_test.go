package coordinator

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"byol/internal/failure"
	pb "byol/proto"
)

// stranger is a client that knows the protocol and keeps to none of it.
type stranger struct {
	t      *testing.T
	stream pb.WorkerPlane_AttachClient
}

// attach opens a stream; join, when given, is its first message.
func (w *world) attach(join *pb.Join) *stranger {
	w.t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+w.c.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	stream, err := pb.NewWorkerPlaneClient(conn).Attach(w.ctx, grpc.WaitForReady(true))
	if err != nil {
		w.t.Fatal(err)
	}
	s := &stranger{t: w.t, stream: stream}
	if join != nil {
		s.send(&pb.FromWorker{Message: &pb.FromWorker_Join{Join: join}})
	}
	return s
}

func (s *stranger) send(m *pb.FromWorker) {
	s.t.Helper()
	if err := s.stream.Send(m); err != nil {
		s.t.Fatalf("send %T: %v", m.Message, err)
	}
}

// refused receives until the stream ends, and returns the reason why it was refused, or the error it ended with.
func (s *stranger) refused() (reason string, err error) {
	for {
		m, err := s.stream.Recv()
		if err != nil {
			return reason, err
		}
		if r := m.GetRefused(); r != nil {
			reason = r.Reason
		}
	}
}

// TestStrangersWhileRunning has clients with names of 70 kB and of 2 MB, of another build, with bytes that are no text,
// and in a place that is taken, knock at a run that is under way: each is told why not, and the run ends as if nobody
// had come, with events that can be read again.
func TestStrangersWhileRunning(t *testing.T) {
	t.Parallel()
	opts := options(t, 2)
	opts.Config.TotalSteps, opts.Config.MaxSteps, opts.Config.EvalData = 1_000_000, 40, ""
	opts.Config.Keep = 3
	w := full(t, opts, 1, deed{step: 2, delay: 300 * time.Millisecond})
	c := w.client()
	w.until(c, "step 2", func(s *pb.Status) bool { return s.Progress.Step >= 2 })
	for _, s := range []struct {
		join *pb.Join
		want string
	}{
		{&pb.Join{WorkerId: strings.Repeat("x", 70_000), Index: 0, DataAddress: "127.0.0.1:1", Host: "here", Build: "b1"},
			"is no name"},
		{&pb.Join{WorkerId: strings.Repeat("x", 2_000_000), DataAddress: "127.0.0.1:1", Host: "here", Build: "wrong"},
			"is no name"},
		{&pb.Join{Index: 1, DataAddress: strings.Repeat("x", 70_000), Build: "b1"}, "is no name"},
		{&pb.Join{WorkerId: "a\x1b[31mb", Index: 1, DataAddress: "127.0.0.1:1", Host: "here", Build: "b1"},
			`"a\\x1b[31mb" is no name`},
		{&pb.Join{Index: 0, DataAddress: "127.0.0.1:1", Host: "here", Build: "b1"}, "index 0 has joined already"},
		{&pb.Join{Index: -1, DataAddress: "127.0.0.1:1", Host: "here", Build: "b1"}, "the run has all its 2 workers"},
	} {
		if reason, _ := w.attach(s.join).refused(); !strings.Contains(reason, s.want) {
			t.Errorf("a stranger was answered %.200q, want %q", reason, s.want)
		}
	}
	for _, id := range []string{strings.Repeat("r", 65_000), strings.Repeat("r", 257)} {
		if _, err := c.Pause(w.ctx, &pb.PauseRequest{RequestId: id}); status.Code(err) != codes.InvalidArgument {
			t.Errorf("pause with a request id of %d bytes: %v", len(id), err)
		}
	}
	if err := w.end(); err != nil {
		t.Fatalf("the run: %v", err)
	}
	opts.Config = config()
	opts.Config.TotalSteps, opts.Config.MaxSteps, opts.Config.EvalData = 1_000_000, 41, ""
	if err := full(t, opts, -1, deed{step: -1}).end(); err != nil {
		t.Errorf("the same run again: %v", err)
	}
}

// TestLastWordsAreBounded has a worker leave with 100 kB of reasons, in colour: the other goes on, and as much of them
// is written down as anybody reads.
func TestLastWordsAreBounded(t *testing.T) {
	t.Parallel()
	opts := options(t, 2)
	w := full(t, opts, 1, deed{step: 2, leave: &pb.Leave{Failed: true, ExitCode: failure.Data,
		Reason: "\x1b[31m" + strings.Repeat("z", 100_000)}})
	if err := w.end(); err != nil {
		t.Fatalf("the run ended with %v", err)
	}
	events := read(t, filepath.Join(opts.RunDir, "events.jsonl"))
	if !strings.Contains(events, "worker-1 left at step 2") || !strings.Contains(events, `x1b[31mzzz`) ||
		len(events) > 30_000 {
		t.Errorf("the events have %d bytes:\n%.2000s", len(events), events)
	}
}

// TestMuteStrangers has a client that joins and says nothing any more take the place of a worker, and one that attaches
// and never joins. Both are hung up on; the worker gets its place, and the run goes its way.
func TestMuteStrangers(t *testing.T) {
	t.Parallel()
	opts := options(t, 2)
	opts.FailureTimeout = 300 * time.Millisecond
	w := begin(t, opts)
	mute := w.attach(&pb.Join{Index: 0, DataAddress: "127.0.0.1:1", Host: "here", Build: "b1", Incarnation: "i"})
	silent := w.attach(nil)
	if _, err := silent.stream.Recv(); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("a stream without Join ended with %v", err)
	}
	if _, err := mute.refused(); status.Code(err) != codes.Aborted {
		t.Errorf("a mute worker's stream ended with %v", err)
	}
	c := w.client()
	w.until(c, "a free place", func(s *pb.Status) bool { return len(s.Workers) == 0 })
	w.worker(0, deed{step: -1})
	w.worker(1, deed{step: -1})
	if err := w.end(); err != nil {
		t.Errorf("the run: %v", err)
	}
	events := read(t, filepath.Join(opts.RunDir, "events.jsonl"))
	if n := strings.Count(events, `"type":"worker-left"`); n != 1 || !strings.Contains(events, "not heard for") ||
		strings.Contains(events, "worker-lost") {
		t.Errorf("%d workers left, want 1, and none lost:\n%s", n, events)
	}
}

// TestOneDeathIsOneLoss kills a local worker: its stream and its process end, and it is lost once, for a reason.
func TestOneDeathIsOneLoss(t *testing.T) {
	t.Parallel()
	opts := local(t, 2, "slow")
	w := begin(t, opts)
	s := w.until(w.client(), "step 2", func(s *pb.Status) bool { return s.Progress.Step == 2 })
	if err := syscall.Kill(int(s.Workers[1].Pid), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := w.end(); err != nil {
		t.Fatalf("the run ended with %v", err)
	}
	events := read(t, filepath.Join(opts.RunDir, "events.jsonl"))
	if n := strings.Count(events, `"type":"worker-lost"`); n != 1 ||
		!strings.Contains(events, "worker-1 ended (signal: killed) at step 2") {
		t.Errorf("%d lost workers, want 1:\n%s", n, events)
	}
}

// TestUnreadableImagesAreCountedOnce has both workers report an image, and one of them another in the evaluation's set.
func TestUnreadableImagesAreCountedOnce(t *testing.T) {
	t.Parallel()
	opts := options(t, 2)
	w := begin(t, opts)
	var joined []*stranger
	for i := range 2 {
		join := &pb.Join{Index: int32(i), DataAddress: "127.0.0.1:1", Host: "here", Build: "b1", Incarnation: fmt.Sprint(i)}
		joined = append(joined, w.attach(join))
	}
	report := func(s *stranger, u *pb.ImageUnreadable) {
		s.send(&pb.FromWorker{Message: &pb.FromWorker_ImageUnreadable{ImageUnreadable: u}})
	}
	for range 3 {
		for _, s := range joined {
			report(s, &pb.ImageUnreadable{Index: 7, Name: "a.jpg", Error: "no picture"})
		}
	}
	report(joined[0], &pb.ImageUnreadable{Index: 7, Name: "b.jpg", Error: "no picture", Evaluation: true})
	s := w.until(w.client(), "two images", func(s *pb.Status) bool { return s.Progress.LastUnreadableImage == "b.jpg" })
	if s.Progress.UnreadableImages != 2 {
		t.Errorf("%d unreadable images, want 2", s.Progress.UnreadableImages)
	}
	w.c.Abort()
	w.failed(failure.Interrupted)
}

// TestManyRequestsFitASnapshot asks with as many distinct ids, as long as they may be, as a state remembers, and takes
// the run up again.
func TestManyRequestsFitASnapshot(t *testing.T) {
	t.Parallel()
	opts := options(t, 2)
	w := begin(t, opts)
	c := w.client()
	pad := strings.Repeat("r", 240)
	for i := range 300 {
		if _, err := c.Resume(w.ctx, &pb.ResumeRequest{RequestId: fmt.Sprint(i, pad)}, grpc.WaitForReady(true)); err != nil {
			t.Fatal(err)
		}
	}
	w.cancel()
	w.failed(failure.Temporary)
	opts.Config = config()
	if err := full(t, opts, -1, deed{step: -1}).end(); err != nil {
		t.Errorf("the same run again: %v", err)
	}
}
