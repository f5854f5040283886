package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"byol/internal/failure"
	pb "byol/proto"
)

func (o *operated) Drain(_ context.Context, r *pb.DrainRequest) (*pb.RunOperation, error) {
	return o.operation(r, nil)
}

func (o *operated) TransferLeader(_ context.Context, r *pb.TransferLeaderRequest) (*pb.ListMembersResponse, error) {
	return o.members("transfer " + r.NodeId)
}

// TestConditions: each condition against statuses, and what is none is refused with words.
func TestConditions(t *testing.T) {
	t.Parallel()
	first := with(at(500), func(st *pb.Status) {
		st.Workers = []*pb.Worker{{Id: "worker-0"}, {Id: "worker-1"}}
		st.LastCheckpoint = &pb.CheckpointInfo{Step: 450, Path: "p"}
	})
	now := proto.CloneOf(first)
	now.LastCheckpoint.Step, now.Workers = 500, now.Workers[:1]
	for text, want := range map[string]bool{"step=500": true, "step=501": false, "step=0": true, "epoch=0.5": true,
		"epoch=1": false, "state=running": true, "state=completed": false, "workers=8": true, "workers=9": false,
		"gone=worker-1": true, "gone=worker-0": false, "checkpoint": true, "checkpoint=500": true, "checkpoint=501": false} {
		c, err := parseCondition(text)
		if err != nil || c.met(first, now) != want {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
	none, _ := parseCondition("checkpoint")
	if none.met(first, first) || none.met(at(1), at(2)) || !none.met(at(1), first) {
		t.Error("the next checkpoint is one that was not there at first")
	}
	for text, says := range map[string]string{"": "", "step": "step=N", "step=": "step=N", "step=x": "step=N",
		"step=-1": "step=N", "epoch=-1": "step=N", "epoch=NaN": "step=N", "state=complete": "did you mean completed?",
		"state=": "waiting-for-workers", "gone=": "step=N",
		"chekpoint": "did you mean checkpoint?", "worker=3": "workers=N"} {
		code, _, errs := command("wait", "--for", text, "-s", "127.0.0.1:1")
		if code != failure.Usage || !strings.Contains(errs, says) {
			t.Errorf("--for %q: exit code %d, want %q in %s", text, code, says, errs)
		}
	}
}

// TestWaitCommand: what comes, what never will, what does not in time, and who is not there.
func TestWaitCommand(t *testing.T) {
	t.Parallel()
	end := with(at(1000), func(st *pb.Status) {
		st.State, st.StateReason = pb.RunState_RUN_STATE_STOPPED, "asked by an operator"
	})
	for _, c := range []struct {
		name, cond, out string
		statuses        []*pb.Status
		after           error
		code            int
	}{
		{"at once", "step=499", "step=499: " + progressLine(at(499)), []*pb.Status{at(499)}, nil, 0},
		{"later", "step=500", "step=500: " + progressLine(at(500)), []*pb.Status{at(499), at(500)}, nil, 0},
		{"with the end", "state=stopped", "state=stopped: stopped  step 1 000/1 000", []*pb.Status{at(499), end}, nil, 0},
		{"never", "state=completed", "the run is over (stopped) and will not come to state=completed\n  why: asked by",
			[]*pb.Status{at(499), end}, nil, failure.Training},
		{"gone", "step=501", "no coordinator answers", []*pb.Status{at(500)}, status.Error(codes.Unavailable, "reset"),
			failure.Unreachable},
		{"closed", "step=501", "the coordinator has ended before step=501", []*pb.Status{at(500)}, nil, failure.Unreachable},
	} {
		o := &operated{statuses: c.statuses, err: c.after}
		code, out, errs := command("wait", "--for", c.cond, "-s", o.serve(t))
		if code != c.code || !strings.Contains(out+errs, c.out) {
			t.Errorf("%s: exit code %d, want %d\n got %q\nwant %q", c.name, code, c.code, out+errs, c.out)
		}
	}
	slow := &endless{operated: operated{statuses: []*pb.Status{at(7)}}}
	began := time.Now()
	code, _, errs := command("wait", "--for", "step=8", "--timeout", "300ms", "-s", slow.serve(t))
	if want := "step=8 has not come in 300ms\n  why: the run is at step 7/1 000"; code != failure.Temporary ||
		!strings.Contains(errs, want) {
		t.Errorf("after %v: exit code %d: %s", time.Since(began), code, errs)
	}
}

// endless is a coordinator of a run that does not get on.
type endless struct{ operated }

func (o *endless) serve(t *testing.T) string { return serveCoordinator(t, o) }

func (o *endless) WatchStatus(_ *pb.WatchStatusRequest, s pb.Coordinator_WatchStatusServer) error {
	if err := s.Send(o.statuses[0]); err != nil {
		return err
	}
	<-s.Context().Done()
	return s.Context().Err()
}

// TestDrainCommand and what it says; names of workers complete.
func TestDrainCommand(t *testing.T) {
	t.Parallel()
	o := &operated{statuses: []*pb.Status{whole()}}
	addr := o.serve(t)
	code, out, errs := command("drain", "worker-1", "-s", addr)
	r, ok := o.asked[0].(*pb.DrainRequest)
	if code != 0 || out != "draining worker-1 at step 1 234; the run is paused\n" || !ok || r.WorkerId != "worker-1" ||
		len(r.RequestId) < 16 {
		t.Errorf("exit code %d, %s, %q, asked %v", code, errs, out, o.asked)
	}
	code, _, errs = command("drain", "-s", addr)
	if code != failure.Usage || !strings.Contains(errs, "wants one worker") {
		t.Errorf("without a name: exit code %d, %s", code, errs)
	}
	if _, out, _ := command("__complete", "drain", "-s", addr, ""); !strings.HasPrefix(out, "worker-0\nworker-1\n:") {
		t.Errorf("completion offers %q", out)
	}
}

// TestTransferCommand: with a name and without.
func TestTransferCommand(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"transfer-leader"}, {"transfer-leader", "a"}} {
		o := &operated{}
		code, out, errs := command(append(args, "-s", o.serve(t))...)
		want := fmt.Sprintf("[transfer %s]", strings.Join(args[1:], ""))
		if code != 0 || out != "coordinator a leads now\n" || fmt.Sprint(o.called) != want {
			t.Errorf("%v: exit code %d, %s%s, asked %v, want %s", args, code, out, errs, o.called, want)
		}
	}
	if code, _, _ := command("transfer-leader", "a", "b"); code != failure.Usage {
		t.Errorf("two names: exit code %d", code)
	}
}
