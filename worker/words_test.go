package worker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"byol/allreduce"
	"byol/internal/failure"
	"byol/internal/network"
	"byol/internal/network/memory"
	pb "byol/proto"
	"byol/worker/control"
)

func describe(x any) string { return fmt.Sprintf("%T %v", x, x) }

// TestActivity tells whom the group waits for as long as that is true, and what was last said of the rest.
func TestActivity(t *testing.T) {
	now := time.Unix(1000, 0)
	a := &activity{clock: func() time.Time { return now }}
	a.setDevice("cpu")
	a.setStep(4, 17)
	a.setPhase("ring")
	h := a.heartbeat()
	if h.Device != "cpu" || h.Generation != 4 || h.Step != 17 || h.Phase != "ring" || h.WaitingFor != "" {
		t.Errorf("got %v", h)
	}
	a.wait(allreduce.Waiting{Rank: 2, Since: now.Add(-3 * time.Second)})
	for _, c := range []struct {
		later time.Duration
		want  float64 // seconds
	}{{0, 3}, {1500 * time.Millisecond, 4.5}, {2 * time.Second, 0}, {time.Hour, 0}} {
		at := now
		a.clock = func() time.Time { return at.Add(c.later) }
		h := a.heartbeat()
		if h.WaitingSeconds != c.want || (h.WaitingFor != "") != (c.want > 0) {
			t.Errorf("%v later: waiting for %q for %v s, want %v", c.later, h.WaitingFor, h.WaitingSeconds, c.want)
		}
	}
	a.evaluating(0, 0)
	began := a.clock()
	a.clock = func() time.Time { return began.Add(9 * time.Second) }
	if a.evaluating(3, 4); a.heartbeat().Evaluated != 0.75 || a.heartbeat().EvaluatingSeconds != 9 {
		t.Errorf("three quarters in 9 s: %v", a.heartbeat())
	}
	if a.evaluating(0, 0); a.heartbeat().Evaluated != 0 || a.heartbeat().EvaluatingSeconds != 0 {
		t.Errorf("no evaluation: %v", a.heartbeat())
	}
	if resident, peak := memoryUse(); resident > peak {
		t.Errorf("%d bytes now, %d at most", resident, peak)
	}
}

// TestGoodbye looks at how a worker's end is told.
func TestGoodbye(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want *pb.Leave
	}{
		{"in good order", nil, &pb.Leave{Reason: "the run has ended"}},
		{"by a signal", &failure.Failure{What: "stop", Why: "SIGTERM", Try: "again", Code: failure.Temporary},
			&pb.Leave{Reason: "stop: SIGTERM", Hint: "again", ExitCode: failure.Temporary}},
		{"what cannot be repaired", &failure.Failure{What: "it broke", Code: failure.Data},
			&pb.Leave{Reason: "it broke", Failed: true, ExitCode: failure.Data}},
		{"a bug", errors.New("index out of range"), &pb.Leave{Reason: "the worker broke: index out of range", Failed: true,
			ExitCode: failure.Internal}},
	} {
		if got := goodbye(c.err); got.String() != c.want.String() {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestExplain gives what ends a worker its three parts and its exit code.
func TestExplain(t *testing.T) {
	asked, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("signal: terminated"))
	w := &worker{asked: asked}
	over, end := context.WithCancelCause(t.Context())
	end(errGrace)
	known := &failure.Failure{What: "known", Code: failure.Data}
	peer := &allreduce.PeerError{Rank: 2, Op: "total", Err: allreduce.ErrLost}
	for _, c := range []struct {
		ctx  context.Context
		err  error
		code failure.Code
		what string
	}{
		{t.Context(), fmt.Errorf("open: %w", known), failure.Data, "known"},
		{over, peer, failure.Temporary, "left at step 0 before it was let go: signal: terminated"},
	} {
		var f *failure.Failure
		if got := w.explain(c.ctx, c.err); !errors.As(got, &f) || f.Code != c.code || !strings.HasPrefix(f.Error(), c.what) {
			t.Errorf("%v: %+v, want %q with code %d", c.err, got, c.what, c.code)
		}
	}
	if got := brokenBy(fmt.Errorf("step: %w", peer)); got != peer {
		t.Errorf("a peer that was lost is %v", got)
	}
	for _, own := range []error{known, errors.New("the device broke"), &failure.Failure{What: "data", Err: peer}} {
		if got := brokenBy(own); got != nil {
			t.Errorf("%v is put down to a peer: %v", own, got)
		}
	}
	other := errors.New("something else")
	if got := w.explain(t.Context(), other); got != other {
		t.Errorf("an error that nobody knows became %v", got)
	}
}

// TestListen opens a port for peers, and says the address by which they reach it.
func TestListen(t *testing.T) {
	n := memory.New()
	for _, c := range []struct {
		name    string
		network network.Network
		want    string // --listen
		local   string // our host as the coordinator sees it
		host    string // of the address for peers

		advertise string
	}{
		{"told another host", n.Host("here"), ":9002", "here", "there", "there"},
		{"told another host, though the coordinator is on loopback", network.System{}, "", "127.0.0.1", "there", "there"},
		{"told another address", n.Host("here"), ":9003", "here", "fd00::7", "[fd00::7]:7071"},
		{"any port, on loopback", network.System{}, "", "127.0.0.1", "127.0.0.1", ""},
		{"any port, on the interface", n.Host("here"), "", "here", "here", ""},
		{"on everything", n.Host("here"), ":9000", "here", "here", ""},
		{"where asked", n.Host("here"), "127.0.0.1:9001", "here", "127.0.0.1", ""},
		{"an IPv6 host", network.System{}, "127.0.0.1:0", "::1", "127.0.0.1", ""},
	} {
		opts := Options{PeerNetwork: c.network, Listen: c.want, Advertise: c.advertise}
		l, address, err := listen(t.Context(), opts, c.local)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		host, port, err := net.SplitHostPort(address)
		if err != nil || host != c.host || port == "0" {
			t.Errorf("%s: peers are told %s, want host %s", c.name, address, c.host)
		}
		_, _, err = listen(t.Context(), Options{PeerNetwork: c.network, Listen: l.Addr()}, c.local)
		var f *failure.Failure
		if !errors.As(err, &f) || f.Code != failure.Usage {
			t.Errorf("%s: a port that is taken gives %v", c.name, err)
		}
		l.Close()
	}
}

// TestListenRefusesWhatIsNoAddress to tell others, and gives the port back.
func TestListenRefusesWhatIsNoAddress(t *testing.T) {
	n := memory.New().Host("here")
	for _, text := range []string{"0.0.0.0", "there:0", "a:b:c"} {
		_, _, err := listen(t.Context(), Options{PeerNetwork: n, Listen: ":9000", Advertise: text}, "here")
		var f *failure.Failure
		if !errors.As(err, &f) || f.Code != failure.Usage || !strings.Contains(f.What, text) {
			t.Errorf("--advertise %s: got %v", text, err)
		}
	}
}

// TestReported lets many goroutines find the same images.
func TestReported(t *testing.T) {
	var r reported
	var first atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range int64(100) {
				if r.first(&pb.ImageUnreadable{Index: i % 10, Evaluation: i%2 == 0}) {
					first.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if first.Load() != 10 {
		t.Errorf("%d reports of 10 images", first.Load())
	}
}

// TestOutcome: a run that failed fails its workers, and one that was asked to go comes back, as do those whose
// coordinator was.
func TestOutcome(t *testing.T) {
	asked, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("signal: terminated"))
	for _, c := range []struct {
		asked context.Context
		state pb.RunState
		code  failure.Code
		want  string
	}{
		{t.Context(), pb.RunState_RUN_STATE_COMPLETED, 0, ""},
		{t.Context(), pb.RunState_RUN_STATE_STOPPED, 0, ""},
		{t.Context(), pb.RunState_RUN_STATE_FAILED, failure.Training, "worker-7 caught fire"},
		{asked, pb.RunState_RUN_STATE_COMPLETED, 0, ""},
		{asked, pb.RunState_RUN_STATE_STOPPED, failure.Temporary, "left at step 9, as asked to: signal: terminated"},
		{asked, pb.RunState_RUN_STATE_FAILED, failure.Training, "worker-7 caught fire"},
	} {
		w := &worker{asked: c.asked, log: zap.NewNop()}
		err := w.outcome(&pb.Plan{State: c.state, Reason: "worker-7 caught fire", CommittedStep: 9})
		var f *failure.Failure
		if errors.As(err, &f) != (c.code != 0) || f != nil && (f.Code != c.code || !strings.Contains(f.Error(), c.want)) {
			t.Errorf("%v: %v", c.state, err)
		}
		if !control.Final(c.state) {
			t.Errorf("%v does not end a run", c.state)
		}
	}
	w := &worker{asked: t.Context(), log: zap.NewNop()}
	err := w.outcome(&pb.Plan{State: pb.RunState_RUN_STATE_FAILED, ExitCode: failure.Unreachable})
	if f := new(failure.Failure); !errors.As(err, &f) || f.Code != failure.Unreachable {
		t.Errorf("the run failed as no worker reached another: %v", err)
	}
	err = w.outcome(&pb.Plan{State: pb.RunState_RUN_STATE_STOPPED, BySignal: true, CommittedStep: 9})
	if f := new(failure.Failure); !errors.As(err, &f) || f.Code != failure.Temporary {
		t.Errorf("the coordinator was asked to go: %v", err)
	}
}
