package control

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"

	"byol/internal/network/memory"
	pb "byol/proto"
)

// fake is a coordinator that does what a test says: it takes a worker's Join and then hands the stream to the test.
type fake struct {
	pb.UnimplementedWorkerPlaneServer
	server   *grpc.Server
	serving  sync.WaitGroup
	arrivals chan *attachment
	deaf     bool // to Leave
	says     int  // so often that it lives, before it answers a Join
	initial  []byte
	// answer to a Join; nil: welcome.
	answer func(j *pb.Join) (*pb.ToWorker, error)
}

// attachment is a stream as the fake coordinator sees it.
type attachment struct {
	join   *pb.Join
	stream grpc.BidiStreamingServer[pb.FromWorker, pb.ToWorker]
	heard  chan *pb.FromWorker // all that is not a heartbeat
	beats  chan *pb.Heartbeat
	over   chan error // ends it
	gone   chan struct{}
}

func welcome(id string) *pb.ToWorker {
	return &pb.ToWorker{Message: &pb.ToWorker_Welcome{Welcome: &pb.Welcome{WorkerId: id, RunId: "r",
		Config: &pb.RunConfig{FailureTimeoutSeconds: 4}}}}
}

// Attach implements pb.WorkerPlaneServer.
func (f *fake) Attach(stream grpc.BidiStreamingServer[pb.FromWorker, pb.ToWorker]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	answer := welcome("worker-7")
	if f.answer != nil {
		if answer, err = f.answer(first.GetJoin()); err != nil {
			return err
		}
	}
	for range f.says {
		_ = stream.Send(&pb.ToWorker{Message: &pb.ToWorker_Alive{Alive: &pb.Alive{}}}) // the answer fails as well
	}
	if err := stream.Send(answer); err != nil || answer.GetWelcome() == nil {
		return err
	}
	a := &attachment{join: first.GetJoin(), stream: stream, heard: make(chan *pb.FromWorker, 1000),
		beats: make(chan *pb.Heartbeat, 1000), over: make(chan error, 1), gone: make(chan struct{})}
	f.arrivals <- a
	go func() {
		defer close(a.gone)
		for {
			m, err := stream.Recv()
			if err != nil {
				return
			}
			if b := m.GetHeartbeat(); b != nil {
				a.beats <- b
				continue
			}
			a.heard <- m
			if m.GetLeave() != nil && !f.deaf {
				a.over <- nil
			}
		}
	}()
	select {
	case err := <-a.over:
		return err
	case <-stream.Context().Done():
		return stream.Context().Err()
	}
}

// serve starts a fake coordinator on a host of n.
func serve(t *testing.T, n *memory.Network, host string) *fake {
	t.Helper()
	f := &fake{server: grpc.NewServer(), arrivals: make(chan *attachment, 100)}
	pb.RegisterWorkerPlaneServer(f.server, f)
	l, err := n.Host(host).Listen(t.Context(), ":7000")
	if err != nil {
		t.Fatal(err)
	}
	f.serving.Go(func() { _ = f.server.Serve(l) })
	return f
}

// stop is the death of the coordinator's process.
func (f *fake) stop() {
	f.server.Stop()
	f.serving.Wait()
}

func (a *attachment) plan(version, generation, step int64) {
	p := &pb.Plan{Version: version, Generation: generation, CommittedStep: step, State: pb.RunState_RUN_STATE_RUNNING}
	_ = a.stream.Send(&pb.ToWorker{Message: &pb.ToWorker_Plan{Plan: p}})
}

// final is a plan that ends the run.
func (a *attachment) final() {
	p := &pb.Plan{Version: 1 << 20, State: pb.RunState_RUN_STATE_COMPLETED}
	_ = a.stream.Send(&pb.ToWorker{Message: &pb.ToWorker_Plan{Plan: p}})
}

// refusing answers every Join with r.
func refusing(r *pb.Refused) func(*pb.Join) (*pb.ToWorker, error) {
	return func(*pb.Join) (*pb.ToWorker, error) {
		return &pb.ToWorker{Message: &pb.ToWorker_Refused{Refused: r}}, nil
	}
}

func (a *attachment) slice(generation, step int64, off int, data []byte) {
	s := &pb.Slice{Generation: generation, Step: step, Offset: int64(off), Data: data}
	_ = a.stream.Send(&pb.ToWorker{Message: &pb.ToWorker_Slice{Slice: s}})
}

// words are what a worker said on a, as far as it has come.
func (a *attachment) words() []string {
	synctest.Wait()
	var out []string
	for {
		select {
		case m := <-a.heard:
			out = append(out, word(m))
		default:
			return out
		}
	}
}

func word(m *pb.FromWorker) string {
	switch m := m.Message.(type) {
	case *pb.FromWorker_Slice:
		return fmt.Sprintf("slice %d+%d of step %d", m.Slice.Offset, len(m.Slice.Data)/4, m.Slice.Step)
	case *pb.FromWorker_StepResult:
		return fmt.Sprintf("result of step %d", m.StepResult.Step)
	case *pb.FromWorker_Leave:
		return "leave: " + m.Leave.Reason
	case *pb.FromWorker_ImageUnreadable:
		return "unreadable " + m.ImageUnreadable.Name
	}
	return fmt.Sprintf("%T", m.Message)
}

// rig is a worker's line in a bubble.
type rig struct {
	*Line
	t    *testing.T
	net  *memory.Network
	logs *observer.ObservedLogs
}

func options(n *memory.Network, coordinators ...string) Options {
	return Options{Network: n.Host("worker"), Coordinators: coordinators, JoinTimeout: 10 * time.Second,
		Join: &pb.Join{Index: 3, DataAddress: "worker:1"}, Log: zap.NewNop(),
		Heartbeat: func() *pb.Heartbeat { return &pb.Heartbeat{Phase: "testing"} }}
}

// attached opens a line to the coordinators, of which one is f, and returns it with f's end of the stream.
func attached(t *testing.T, n *memory.Network, f *fake, coordinators ...string) (*rig, *attachment) {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	o := options(n, coordinators...)
	o.Log = zap.New(core)
	l, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{Line: l, t: t, net: n, logs: logs}, <-f.arrivals
}

func (r *rig) logged(message string) int { return r.logs.FilterMessage(message).Len() }

var errLost = errors.New("lost on purpose")
