package control

import (
	"context"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"pgregory.net/rapid"

	"byol/internal/vector"
	pb "byol/proto"
)

func line() (*Line, *observer.ObservedLogs) {
	core, logs := observer.New(zapcore.DebugLevel)
	return &Line{inbox: newInbox(zap.New(core))}, logs
}

func TestTheNewestPlanCounts(t *testing.T) {
	l, logs := line()
	if l.Newest() != nil {
		t.Error("a plan before the first")
	}
	for _, v := range []int64{1, 3, 2, 3} {
		if got := l.inbox.take(&pb.Plan{Version: v, Generation: 1}); got != (v != 2) {
			t.Errorf("version %d: taken %v", v, got)
		}
	}
	p, err := l.Await(t.Context(), func(*pb.Plan) bool { return true })
	if err != nil || p.Version != 3 || l.Newest() != p || logs.FilterMessage("refused an older plan").Len() != 1 {
		t.Errorf("got version %d, %v, logged %v", p.GetVersion(), err, logs.All())
	}
}

func TestSlicesAreTakenInOrder(t *testing.T) {
	two := vector.Bytes([]float32{1, 2})
	slice := func(generation, step int64, off int, data []byte) *pb.Slice {
		return &pb.Slice{Generation: generation, Step: step, Offset: int64(off), Data: data}
	}
	good := slice(1, 5, 10, two)
	cases := []struct {
		name   string
		slices []*pb.Slice
		want   int // elements filled
		refuse int
	}{
		{"in order", []*pb.Slice{good, slice(1, 5, 12, two)}, 4, 0},
		{"again when all is there", []*pb.Slice{good, slice(1, 5, 12, two), good}, 4, 0},
		{"of another step", []*pb.Slice{slice(1, 4, 10, two)}, 0, 1},
		{"of another generation", []*pb.Slice{slice(2, 5, 10, two)}, 0, 1},
		{"twice", []*pb.Slice{good, good}, 2, 1},
		{"too long", []*pb.Slice{slice(1, 5, 10, vector.Bytes(make([]float32, 5)))}, 0, 1},
		{"outside", []*pb.Slice{slice(1, 5, -10, two)}, 0, 1},
		{"half an element", []*pb.Slice{slice(1, 5, 10, two[:3])}, 0, 1},
	}
	for _, c := range cases {
		l, logs := line()
		l.Expect(1, 5, 10, make([]float32, 4))
		for _, s := range c.slices {
			l.inbox.fill(s)
		}
		if l.inbox.wanted.filled != c.want || logs.Len() != c.refuse {
			t.Errorf("%s: filled %d, refused %d, want %d, %d", c.name, l.inbox.wanted.filled, logs.Len(), c.want, c.refuse)
		}
		l.Forget()
		l.inbox.fill(good)
		if logs.Len() != c.refuse+1 {
			t.Errorf("%s: a slice nobody waits for was taken", c.name)
		}
	}
}

// TestCommitNeedsBoth: neither the plan nor the span alone is a commit.
func TestCommitNeedsBoth(t *testing.T) {
	l, _ := line()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dst := make([]float32, 1)
	l.Expect(1, 5, 0, dst)
	l.inbox.take(&pb.Plan{Version: 1, Generation: 1, CommittedStep: 6})
	if _, err := l.Committed(ctx, 5); !errors.Is(err, context.Canceled) {
		t.Errorf("without its span: %v", err)
	}
	l.inbox.fill(&pb.Slice{Generation: 1, Step: 5, Data: vector.Bytes([]float32{7})})
	if p, err := l.Committed(ctx, 5); err != nil || p.CommittedStep != 6 || dst[0] != 7 {
		t.Errorf("with both: %v, %v", p, err)
	}
	if _, err := l.Committed(ctx, 6); !errors.Is(err, context.Canceled) {
		t.Errorf("without the plan: %v", err)
	}
}

func TestGuard(t *testing.T) {
	running := func(version, generation int64) *pb.Plan {
		return &pb.Plan{Version: version, Generation: generation, State: pb.RunState_RUN_STATE_RUNNING}
	}
	ended := func(s pb.RunState) func(*inbox) {
		return func(in *inbox) { in.take(&pb.Plan{Version: 2, Generation: 1, State: s}) }
	}
	cases := []struct {
		name       string
		generation int64
		then       func(*inbox)
		want       error
	}{
		{"same generation", 1, func(in *inbox) { in.take(running(2, 1)) }, nil},
		{"next generation", 1, func(in *inbox) { in.take(running(2, 2)) }, ErrReplanned},
		{"any generation", AnyGeneration, func(in *inbox) { in.take(running(2, 2)) }, nil},
		{"an older plan", 1, func(in *inbox) { in.take(running(0, 2)) }, nil},
		{"the run stops", AnyGeneration, ended(pb.RunState_RUN_STATE_STOPPED), ErrReplanned},
		{"the run fails", 1, ended(pb.RunState_RUN_STATE_FAILED), ErrReplanned},
		{"the run is complete", 1, ended(pb.RunState_RUN_STATE_COMPLETED), ErrReplanned},
		{"the run pauses", 1, ended(pb.RunState_RUN_STATE_PAUSED), nil},
		{"the line ends", 1, func(in *inbox) { in.end(errLost) }, ErrEnded},
	}
	for _, c := range cases {
		l, _ := line()
		l.inbox.take(running(1, 1))
		ctx, release := l.Guard(t.Context(), c.generation)
		c.then(l.inbox)
		if got := context.Cause(ctx); !errors.Is(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
		release()
		if len(l.inbox.guards) != 0 {
			t.Errorf("%s: a guard that was released is kept", c.name)
		}
		late, release := l.Guard(t.Context(), c.generation)
		if got := context.Cause(late); !errors.Is(got, c.want) {
			t.Errorf("%s, asked afterwards: got %v, want %v", c.name, got, c.want)
		}
		release()
	}
}

// TestText takes any bytes: what comes out can be sent, is not long, and is the same where it was fine.
func TestText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := strings.Repeat(string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")), rapid.IntRange(1, 300).Draw(t, "times"))
		got := Text(raw)
		if !utf8.ValidString(got) || len(got) > textBytes {
			t.Fatalf("%d bytes became %d, valid %v", len(raw), len(got), utf8.ValidString(got))
		}
		if utf8.ValidString(raw) && len(raw) <= textBytes && got != raw {
			t.Fatalf("%q became %q", raw, got)
		}
		if len(raw) > 4*textBytes && !strings.HasSuffix(got, "…") {
			t.Fatalf("%d bytes were cut without a mark", len(raw))
		}
	})
}

// TestTextsAreBounded: whatever text a message takes from outside, it can be sent and is not long.
func TestTextsAreBounded(t *testing.T) {
	bad := "\xff" + strings.Repeat("x", 70_000)
	for _, m := range []*pb.FromWorker{
		{Message: &pb.FromWorker_Leave{Leave: &pb.Leave{Reason: bad, Hint: bad}}},
		{Message: &pb.FromWorker_ImageUnreadable{ImageUnreadable: &pb.ImageUnreadable{Name: bad, Error: bad}}},
		{Message: &pb.FromWorker_EvalResult{EvalResult: &pb.EvalResult{Error: bad}}},
		{Message: &pb.FromWorker_CheckpointSaved{CheckpointSaved: &pb.CheckpointSaved{Error: bad}}},
		{Message: &pb.FromWorker_Heartbeat{Heartbeat: &pb.Heartbeat{WaitingFor: bad, Device: bad}}},
	} {
		bound(m)
		if text := m.String(); len(text) > 3*textBytes || strings.Contains(text, "\\xff") {
			t.Errorf("%T: %d bytes: %.40q", m.Message, len(text), text)
		}
	}
}

// TestSlicesCoverTheSpan puts them together again.
func TestSlicesCoverTheSpan(t *testing.T) {
	for _, n := range []int{0, 1, sliceBytes / 4, sliceBytes/4 + 1, sliceBytes} {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(i)
		}
		at := 0
		for _, m := range Slices(2, 9, 100, x) {
			s := m.GetSlice()
			got := vector.Floats(s.Data)
			if s.Generation != 2 || s.Step != 9 || s.Offset != int64(100+at) || len(s.Data) > sliceBytes ||
				got[0] != x[at] || &got[0] != &x[at] {
				t.Fatalf("%d elements: slice %d+%d of generation %d step %d", n, s.Offset, len(got), s.Generation, s.Step)
			}
			at += len(got)
		}
		if at != n {
			t.Errorf("%d elements came as %d", n, at)
		}
	}
}
