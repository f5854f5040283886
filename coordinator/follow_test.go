package coordinator

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	grpcstatus "google.golang.org/grpc/status"

	"byol/coordinator/lead"
	"byol/coordinator/raftnode"
	"byol/coordinator/run"
	"byol/coordinator/status"
	"byol/internal/failure"
	"byol/internal/network"
	pb "byol/proto"
)

// led is a ledger that another coordinator leads, or nobody.
type led struct {
	*paper
	id, at string
	info   raftnode.Info
}

func (l *led) Leader() (id, address string) { return l.id, l.at }
func (l *led) Info() raftnode.Info          { return l.info }

// chief is the service of the coordinator that leads: it notes what it is asked for.
type chief struct {
	pb.UnimplementedCoordinatorServer
	mu    sync.Mutex // guards what follows
	asked []string
	marks int // calls that say that they were passed on
}

func (c *chief) note(ctx context.Context, what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, what)
	came, _ := metadata.FromIncomingContext(ctx)
	c.marks += len(came.Get(forwarded))
}

func (c *chief) Pause(ctx context.Context, r *pb.PauseRequest) (*pb.RunOperation, error) {
	c.note(ctx, "pause "+r.RequestId)
	return &pb.RunOperation{Step: 7}, nil
}

func (c *chief) Stop(ctx context.Context, r *pb.StopRequest) (*pb.RunOperation, error) {
	c.note(ctx, "stop "+r.RequestId)
	return nil, grpcstatus.Error(codes.FailedPrecondition, "it has ended")
}

// TestCallsArePassedOn has a coordinator that does not lead asked for what only the leader does: it passes on the call,
// its answer and its refusal, once, and says so when nobody leads or who leads is changing.
func TestCallsArePassedOn(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	leader, server := &chief{}, grpc.NewServer()
	pb.RegisterCoordinatorServer(server, leader)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener)
	}()
	defer func() { server.Stop(); <-ended }()
	node := &led{paper: newPaper(), id: "a", at: listener.Addr().String()}
	s := service{c: &Coordinator{opts: Options{Network: network.System{}, NodeID: "b"}, node: node}}

	if answer, err := s.Pause(t.Context(), &pb.PauseRequest{RequestId: "p"}); err != nil || answer.Step != 7 {
		t.Errorf("a pause that is passed on: %v %v, want the leader's answer", answer, err)
	}
	_, err = s.Stop(t.Context(), &pb.StopRequest{RequestId: "q"})
	if grpcstatus.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "it has ended") {
		t.Errorf("a stop that the leader refuses: %v", err)
	}
	if got := strings.Join(leader.asked, ", "); got != "pause p, stop q" || leader.marks != 2 {
		t.Errorf("the leader was asked for %q, %d marked as passed on", got, leader.marks)
	}

	passed := metadata.NewIncomingContext(t.Context(), metadata.Pairs(forwarded, "1"))
	for name, c := range map[string]struct {
		ctx    context.Context
		id, at string
		want   string
	}{
		"twice passed on":    {passed, "a", node.at, "changing"},
		"it leads, they say": {t.Context(), "b", node.at, "changing"},
		"nobody leads":       {t.Context(), "", "", "no coordinator leads"},
	} {
		node.id, node.at = c.id, c.at
		_, err := s.Pause(c.ctx, &pb.PauseRequest{})
		if grpcstatus.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want unavailable and %q", name, err, c.want)
		}
	}
	if len(leader.asked) != 2 {
		t.Errorf("the leader was asked for %q", leader.asked)
	}
}

// TestFollowerAnswers asks a coordinator that does not lead for its status, and to let a worker in: it says how old the
// one is and who else to ask for the other.
func TestFollowerAnswers(t *testing.T) {
	t.Parallel()
	node := &led{paper: newPaper(), id: "a", at: "host:1",
		info: raftnode.Info{LeaderID: "a", Heard: time.Now().Add(-3 * time.Second)}}
	opts := options(t, 2)
	opts.NodeID, opts.RaftListen, opts.Peers = "b", "y:1", map[string]string{"a": "x:1", "b": "y:1"}
	c := &Coordinator{opts: opts, node: node, latest: status.NewLatest(), started: time.Now()}
	settings, err := settingsOf(&opts)
	if err != nil {
		t.Fatal(err)
	}
	settings.MinWorkers = 1
	if err := node.state.Apply(run.Create{Settings: settings}); err != nil {
		t.Fatal(err)
	}
	ask := func(e envelope) {
		e.done = make(chan struct{})
		c.answer(e)
		<-e.done
	}
	shown := func() *pb.Status { s, _ := c.latest.Look(); return s }

	ask(envelope{})
	if s := shown(); !s.Stale || s.Age.AsDuration() < 3*time.Second || s.Cluster.LeaderId != "a" {
		t.Errorf("status of a follower: stale %v, age %v, leader %q", s.Stale, s.Age.AsDuration(), s.Cluster.LeaderId)
	}
	join := func() *pb.Refused {
		a := &attachment{outbox: newOutbox()}
		ask(envelope{event: lead.Joining{Stream: 1}, from: a})
		p, ok := a.outbox.take()
		if !ok || !a.refused {
			t.Fatal("a worker that joins a follower hears nothing")
		}
		return p.message.GetRefused()
	}
	if r := join(); !r.Temporary || r.Leader != "host:1" {
		t.Errorf("a worker hears %v, want where the leader is, for now", r)
	}
	node.id, node.at, node.info = "", "", raftnode.Info{Absent: []string{"a (x:1)"}}
	if r := join(); !r.Temporary || r.Leader != "" || !strings.Contains(r.Reason, "no coordinator leads") {
		t.Errorf("a worker hears %v while nobody leads", r)
	}
	ask(envelope{})
	if s := shown(); !strings.Contains(s.StateReason, "waiting for a (x:1)") {
		t.Errorf("status while nobody leads: %q", s.StateReason)
	}
}

// TestFollowerTakesUpTheRun: the directory of a coordinator that has never led is one of the run all the same, which
// audit, runs ls and its own next start read; with settings of another run it ends at once, and leaves nothing.
func TestFollowerTakesUpTheRun(t *testing.T) {
	t.Parallel()
	follower := func() *Coordinator {
		opts := options(t, 2)
		opts.NodeID, opts.RaftListen, opts.Peers = "b", "y:1", map[string]string{"a": "x:1", "b": "y:1"}
		opts.MinWorkers, opts.Settings = 1, []byte("seed: 1\n")
		return &Coordinator{opts: opts, runDir: opts.RunDir, latest: status.NewLatest(), started: time.Now(),
			node: &led{paper: newPaper(), id: "a", at: "host:1", info: raftnode.Info{LeaderID: "a"}}}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	follow := func(c *Coordinator) (settings []byte, err error) {
		_, err = c.elected(gone)
		settings, _ = os.ReadFile(filepath.Join(c.runDir, SettingsFile))
		return settings, err
	}
	c := follower()
	if settings, err := follow(c); len(settings) > 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("before a run has begun: settings %q, %v", settings, err)
	}
	of, err := settingsOf(&c.opts)
	if err != nil {
		t.Fatal(err)
	}
	state := &c.node.(*led).state
	if err := state.Apply(run.Create{Settings: of}); err != nil {
		t.Fatal(err)
	}
	if settings, err := follow(c); string(settings) != "seed: 1\n" || !errors.Is(err, context.Canceled) {
		t.Errorf("while another leads the run: settings %q, %v", settings, err)
	}
	if _, err := os.Stat(filepath.Join(c.runDir, ConfigFile)); err != nil {
		t.Error(err)
	}

	other := follower()
	other.opts.Config.Seed++
	other.node.(*led).state = *state
	var f *failure.Failure
	if settings, err := follow(other); !errors.As(err, &f) || f.Code != failure.Usage || len(settings) > 0 {
		t.Errorf("with another seed: settings %q, %v", settings, err)
	}
}
