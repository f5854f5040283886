package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"byol/allreduce"
	"byol/internal/failure"
	"byol/internal/fault"
	"byol/internal/vector"
	pb "byol/proto"
	"byol/worker/control"
	"byol/worker/data"
	"byol/worker/replica"
)

// TestRanksGiveTheBitsOfOne trains with 1, 2, 3 and 8 ranks, with and (more than one) without beginning steps early,
// in the device's memory and through copies: one state.
func TestRanksGiveTheBitsOfOne(t *testing.T) {
	var want replica.Digests
	for _, size := range []int{1, 2, 3, 8} {
		for _, wait := range []bool{false, true}[:min(size, 2)] {
			tm := newTeam(t, size, size == 3)
			tm.cfg.NoOverlap = wait
			tm.form(1)
			tm.steps(3)
			got, step := tm.state()
			if step != 3 || len(tm.coord.results) != 3 {
				t.Fatalf("%d ranks: at step %d after %d results", size, step, len(tm.coord.results))
			}
			if want == (replica.Digests{}) {
				want = got
			}
			if got != want {
				t.Errorf("%d ranks, no overlap %v: %x, want %x", size, wait, got, want)
			}
			if got.Target != vector.Digest(tm.coord.xi) {
				t.Errorf("%d ranks hold another target than the coordinator", size)
			}
			for rank, m := range tm.members {
				if m.wire.stand != 1 { // Ready, which is the caller's
					t.Errorf("%d ranks: %d statements of rank %d stand", size, m.wire.stand, rank)
				}
				if m.camera.recycled != 3 {
					t.Errorf("%d ranks: rank %d gave back %d batches of 3", size, rank, m.camera.recycled)
				}
			}
		}
	}
}

// TestResults looks at what the coordinator is told: all shards of the rank, with the digests of what is proposed.
func TestResults(t *testing.T) {
	tm := newTeam(t, 2, false)
	tm.form(4)
	for _, r := range tm.coord.ready {
		if r.Generation != 4 || r.Step != 0 || r.Fingerprint != "cpu" || r.ManifestHash != "images" ||
			r.Parameters != int64(len(tm.coord.xi)) || r.Digests.Target != vector.Digest(tm.coord.xi) {
			t.Errorf("ready: %v", r)
		}
	}
	tm.steps(2)
	got, _ := tm.state()
	r := tm.coord.results[1]
	if r.Generation != 4 || r.Step != 1 || r.Digests.Online != got.Online || r.Digests.Momentum != got.Momentum ||
		r.Digests.Statistics != got.Statistics {
		t.Errorf("result %v, state %x", r, got)
	}
	own := vector.PartOfBlocks(len(tm.coord.theta), 0, 2)
	if r.Digests.Slice != vector.Digest(own.Of(tm.coord.theta)) {
		t.Error("the digest of the slice is not that of what was sent")
	}
	if len(r.Shards) != 4 || r.Shards[3].Shard != 3 || r.Shards[0].Images != perShard || r.Shards[0].LossSum <= 0 ||
		r.Shards[0].Labelled != perShard || r.GradientNorm <= 0 || r.EmbeddingStdRatio <= 0 {
		t.Errorf("result %v", r)
	}
	for i, sh := range r.Shards {
		if want := vector.Fold([]uint64{100 + 2*uint64(i), 101 + 2*uint64(i)}); sh.Samples != want {
			t.Errorf("shard %d: images with digest %016x, want %016x", i, sh.Samples, want)
		}
	}
	phases := map[string]bool{}
	for _, p := range r.Phases {
		phases[p.Phase] = true
	}
	for _, p := range []string{"forward", "backward", "ring", "update", "commit", "broadcast"} {
		if !phases[p] {
			t.Errorf("phase %s is not in %v", p, r.Phases)
		}
	}
}

// TestStatementsAreSettled by the plans that show that they arrived, or that nobody wants them any more.
func TestStatementsAreSettled(t *testing.T) {
	tm := newTeam(t, 1, false)
	tm.form(4)
	tm.steps(1)
	ready, proposed := tm.coord.said[0], tm.coord.said[1]
	for _, c := range []struct {
		name string
		plan *pb.Plan
		s    control.Statement
		want bool
	}{
		{"ready, by the plan it follows", &pb.Plan{Version: 5, Generation: 4}, ready, false},
		{"ready, by the go", &pb.Plan{Version: 6, Generation: 4}, ready, true},
		{"ready, in another generation", &pb.Plan{Version: 4, Generation: 5}, ready, true},
		{"a step, before it is committed", &pb.Plan{Version: 9, Generation: 4}, proposed, false},
		{"a step, committed, but ξ' may be lost", &pb.Plan{Version: 9, Generation: 4, CommittedStep: 1}, proposed, false},
		{"a step, in another generation", &pb.Plan{Version: 9, Generation: 5}, proposed, true},
	} {
		if got := c.s.Settled(c.plan); got != c.want {
			t.Errorf("%s: settled %v", c.name, got)
		}
	}
	if proposed.Messages[len(proposed.Messages)-1].GetStepResult() == nil || proposed.Messages[0].GetSlice() == nil ||
		ready.Messages[0].GetReady() == nil {
		t.Error("the order of messages: slices before a result, Ready before slices")
	}
}

var errBroken = &allreduce.PeerError{Rank: 1, Op: "test", Err: errors.New("broken on purpose")}

// TestBrokenGroupKeepsTheState breaks the group of a step at each of its operations, one after the other. Whatever
// was under way, all ranks hold the committed state, and end where an undisturbed run ends when a new group has
// formed.
func TestBrokenGroupKeepsTheState(t *testing.T) {
	calm := newTeam(t, 2, false)
	calm.form(1)
	calm.steps(1)
	before, _ := calm.state()
	operations := calm.group.count
	calm.steps(1)
	want, _ := calm.state()
	tm := newTeam(t, 2, false)
	tm.form(1)
	tm.steps(1)
	kinds := map[string]int{}
	for at := 1; at < 10*operations; at += 7 { // more would only take longer
		tm.form(int64(at + 1))
		tm.group.fail = func(op string, count int) error {
			if count == at {
				kinds[strings.Fields(op)[0]]++
				return errBroken
			}
			return nil
		}
		errs := tm.step(t.Context())
		got, step := tm.state()
		if errs[0] == nil && errs[1] == nil {
			if step != 2 || got != want {
				t.Fatalf("after the last operation: step %d", step)
			}
			break
		}
		if step == 2 { // only the beginning of the next step failed
			if got != want {
				t.Fatalf("broken at operation %d, committed, but %x, want %x", at, got, want)
			}
			tm = newTeam(t, 2, false)
			tm.form(1)
			tm.steps(1)
			continue
		}
		if got != before {
			t.Fatalf("broken at operation %d: the ranks hold %x, want %x", at, got, before)
		}
		for rank, err := range errs {
			if !errors.Is(err, errBroken) {
				t.Fatalf("broken at operation %d: rank %d returns %v", at, rank, err)
			}
		}
	}
	if kinds["sum"] == 0 || kinds["total"] == 0 {
		t.Errorf("the group was broken in %v: every kind of operation was meant", kinds)
	}
	if _, step := tm.state(); step == 1 {
		tm.form(1000)
		tm.steps(1)
	}
	if got, _ := tm.state(); got != want {
		t.Errorf("after all that a step leads to %x, want %x", got, want)
	}
}

// TestBrokenShare loses a peer when the coordinator has committed, and ξ' goes round: the ranks hold the step before,
// for they have no ξ'.
func TestBrokenShare(t *testing.T) {
	tm := newTeam(t, 2, false)
	tm.cfg.NoOverlap = true
	tm.form(1)
	before, _ := tm.state()
	tm.group.fail = func(op string, _ int) error {
		if strings.HasPrefix(op, "share") {
			return errBroken
		}
		return nil
	}
	for rank, err := range tm.step(t.Context()) {
		if !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "share the target") {
			t.Errorf("rank %d returns %v", rank, err)
		}
	}
	if got, step := tm.state(); got != before || step != 0 {
		t.Errorf("the ranks hold %x of step %d, want %x of step 0", got, step, before)
	}
}

// TestCoordinatorEndsAStep: what ends the waiting for a commit ends the step, and the state stays.
func TestCoordinatorEndsAStep(t *testing.T) {
	for _, reason := range []error{control.ErrReplanned, control.ErrEnded} {
		tm := newTeam(t, 2, false)
		tm.form(1)
		before, _ := tm.state()
		tm.coord.end(reason)
		tm.coord.size = 3 // nobody else comes: it is never committed
		for rank, err := range tm.step(t.Context()) {
			if !errors.Is(err, reason) {
				t.Errorf("rank %d returns %v, want %v", rank, err, reason)
			}
		}
		if got, step := tm.state(); got != before || step != 0 {
			t.Errorf("%v: the ranks hold %x of step %d", reason, got, step)
		}
		tm.form(2)
		tm.steps(1)
	}
}

// TestDamagedTarget flips a bit of ξ' on its way: the group is to be given up, and the error names the step.
func TestDamagedTarget(t *testing.T) {
	tm := newTeam(t, 1, false)
	tm.form(1)
	tm.coord.damage = true
	err := tm.step(t.Context())[0]
	var peer *allreduce.PeerError
	if !errors.As(err, &peer) || peer.Rank != allreduce.Nobody || !strings.Contains(err.Error(), "target of step 0") {
		t.Errorf("got %+v", err)
	}
	if _, step := tm.state(); step != 0 {
		t.Errorf("at step %d", step)
	}
}

// TestADamagedTargetOfOnesOwn flips a bit of what a worker averages from, where the coordinator has other numbers: the
// error names the worker itself, and the state stays.
func TestADamagedTargetOfOnesOwn(t *testing.T) {
	p, err := fault.Parse("flip target rank=0 step=0 element=3 bit=20")
	if err != nil {
		t.Fatal(err)
	}
	tm := newTeam(t, 1, false)
	tm.faults = p
	tm.form(1)
	err = tm.step(t.Context())[0]
	var peer *allreduce.PeerError
	if !errors.As(err, &peer) || peer.Rank != 0 || !strings.Contains(err.Error(), "step 0 that this worker averaged") {
		t.Errorf("got %+v", err)
	}
	if _, step := tm.state(); step != 0 {
		t.Errorf("at step %d", step)
	}
}

// TestImages looks at what is wrong with images.
func TestImages(t *testing.T) {
	known := &failure.Failure{What: "the file is gone", Code: failure.Data}
	for _, c := range []struct {
		name   string
		change func(c *camera)
		is     error
		code   failure.Code
		want   string
	}{
		{"a source that breaks", func(c *camera) { c.fail = io.ErrUnexpectedEOF }, io.ErrUnexpectedEOF, failure.Data,
			"images of step 0"},
		{"a failure that says all", func(c *camera) { c.fail = fmt.Errorf("read: %w", known) }, known, failure.Data,
			"the file is gone"},
		{"another step", func(c *camera) { c.skip = true }, nil, 0, "images of step 1 came for step 0"},
	} {
		tm := newTeam(t, 1, false)
		tm.form(1)
		c.change(tm.members[0].camera)
		err := tm.step(t.Context())[0]
		var f *failure.Failure
		if errors.As(err, &f) != (c.code != 0) || f != nil && f.Code != c.code || c.is != nil && !errors.Is(err, c.is) ||
			!strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: %+v", c.name, err)
		}
	}
	tm := newTeam(t, 1, false)
	tm.form(1)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(control.ErrReplanned)
	if err := tm.step(ctx)[0]; err != control.ErrReplanned {
		t.Errorf("a plan that changes while images are loaded: %v", err)
	}
}

// TestEarlyImagesFail has the next step's images break while a step is being committed: that step is committed.
func TestEarlyImagesFail(t *testing.T) {
	tm := newTeam(t, 1, false)
	tm.form(1)
	m := tm.members[0]
	fresh, _ := tm.state()
	m.Images = &breaking{camera: m.camera, after: 1}
	err := tm.step(t.Context())[0]
	var f *failure.Failure
	if !errors.As(err, &f) || !strings.Contains(f.What, "images of step 1") {
		t.Errorf("got %v", err)
	}
	if got, step := tm.state(); step == 0 && got != fresh || step == 1 && got == fresh {
		t.Errorf("at step %d with %x, at first %x", step, got, fresh)
	}
}

type breaking struct {
	*camera
	after int
}

func (b *breaking) Next(ctx context.Context) (*data.Batch, error) {
	if b.after--; b.after < 0 {
		return nil, io.ErrUnexpectedEOF
	}
	return b.camera.Next(ctx)
}

// TestDiverged trains on images that are no numbers: an error that says so, and nothing proposed.
func TestDiverged(t *testing.T) {
	tm := newTeam(t, 1, false)
	tm.form(1)
	tm.members[0].Images = blinding{tm.members[0].camera}
	err := tm.step(t.Context())[0]
	var odd *NotFiniteError
	if !errors.As(err, &odd) || odd.Step != 0 {
		t.Errorf("got %+v", err)
	}
	if len(tm.coord.results) != 0 {
		t.Error("it was proposed all the same")
	}
}

// TestMarks: in a step that is verified each shard's gradient has a mark, the same whoever computes it, however it is
// cut into buckets, and whether the host sees the device's memory; a flipped bit changes that of its shard alone. No
// other step has marks.
func TestMarks(t *testing.T) {
	marked := func(size int, hide bool, bucketBytes int, faults string) map[int64]map[int32]uint64 {
		p, err := fault.Parse(faults)
		if err != nil {
			t.Fatal(err)
		}
		tm := newTeam(t, size, hide)
		tm.faults = p
		tm.form(1)
		for _, m := range tm.members {
			m.replica.Learner().SetBuckets(bucketBytes)
		}
		tm.steps(1)
		tm.verify = true
		tm.steps(1)
		return tm.coord.marks
	}
	want := marked(1, false, 0, "")
	for v := range int32(shards) {
		if want[0][v] != 0 || want[1][v] == 0 {
			t.Errorf("shard %d: mark %x of a step that is not verified, %x of one that is", v, want[0][v], want[1][v])
		}
	}
	for _, got := range []map[int64]map[int32]uint64{marked(2, false, 1000, ""), marked(4, true, 4000, "")} {
		if !maps.Equal(got[1], want[1]) {
			t.Errorf("other ranks and buckets mark\n%x, one rank\n%x", got[1], want[1])
		}
	}
	got := marked(4, false, 1000, "flip gradient shard=5 step=1 attempt=1 bit=3")[1]
	if got[5] == want[1][5] {
		t.Error("the gradient of shard 5 has a flipped bit, and the same mark")
	}
	if got[5] = want[1][5]; !maps.Equal(got, want[1]) {
		t.Errorf("a bit is flipped in shard 5, and marks are\n%x, without\n%x", got, want[1])
	}
}

// TestFaults carries out a fault plan: bits flip where it says, on the rank it says, and the process is killed when
// it says.
func TestFaults(t *testing.T) {
	clean := newTeam(t, 2, false)
	clean.form(1)
	clean.steps(2)
	want, _ := clean.state()
	flipped := func(size int, text string) *team {
		p, err := fault.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		tm := newTeam(t, size, false)
		tm.faults = p
		tm.form(1)
		tm.steps(2)
		return tm
	}
	two, _ := flipped(2, "flip gradient shard=5 step=1 element=3 bit=20").state()
	four, _ := flipped(4, "flip gradient shard=5 step=1 element=3 bit=20").state()
	if two == want || two != four {
		t.Errorf("with a flip in shard 5: %x on 2 ranks, %x on 4, without %x", two, four, want)
	}
	one := flipped(1, "flip theta rank=0 step=1 element=3 bit=20")
	if got, _ := one.state(); got.Online == want.Online || got.Momentum != want.Momentum {
		t.Errorf("with a flip in theta: %x, without %x", got, want)
	}
	killed := []string{}
	p, err := fault.Parse("kill rank=0 step=1; kill-proposed rank=0 step=2")
	if err != nil {
		t.Fatal(err)
	}
	tm := newTeam(t, 1, false)
	tm.faults, tm.kill = p, func() { killed = append(killed, fmt.Sprint(tm.members[0].replica.Step())) }
	tm.form(1)
	tm.steps(4)
	if !slices.Equal(killed, []string{"1", "2"}) {
		t.Errorf("killed at %q", killed)
	}
}

// TestRanks brings what ranks compute in an evaluation to all, with a new key each time.
func TestRanks(t *testing.T) {
	tm := newTeam(t, 3, false)
	tm.form(1)
	errs := make(chan error, 3)
	for rank, m := range tm.members {
		go func() {
			r := m.Ranks()
			for round := range 3 {
				x := make([]float32, 3)
				x[rank] = float32(10*round + rank)
				spans := []vector.Span{{Off: 0, Len: 1}, {Off: 1, Len: 1}, {Off: 2, Len: 1}}
				err := r.Share(t.Context(), x, spans)
				if want := float32(10 * round); err == nil && !slices.Equal(x, []float32{want, want + 1, want + 2}) {
					err = fmt.Errorf("round %d: %v", round, x)
				}
				if err == nil && (r.Rank() != rank || r.Size() != 3) {
					err = fmt.Errorf("rank %d of %d", r.Rank(), r.Size())
				}
				if err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range 3 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
