package replica

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"byol/allreduce"
	"byol/internal/failure"
	"byol/internal/network"
	"byol/internal/vector"
	"byol/model"
	"byol/model/device"
	"byol/model/device/cpu"
	"byol/model/device/reference"
	"byol/model/engine"
	"byol/model/engine/ops"
	"byol/model/optim"
	"byol/worker/checkpoint"
	"byol/worker/transfer"
)

const shards = 4

// config is a network of a few thousand parameters, and 8 images of 8×8 pixels in 4 shards.
func config() model.Config {
	return model.Config{Arch: "resnet20", Width: 1, Stem: "cifar", Padding: "symmetric", ImageSize: 8,
		ProjectorHidden: 16, ProjectorOut: 8, PredictorHidden: 16, Classes: 10, Batch: 8, Shards: shards,
		WeightDecay: 1e-6, Momentum: 0.9, Eta: 0.1,
		Schedule: optim.Schedule{BaseLR: 2, Batch: 8, Warmup: 2, Total: 100, BaseTau: 0.9}}
}

// alone stands for other ranks that have nothing to add.
type alone struct{}

func (alone) Total(_ context.Context, local, sum []float64) error {
	clear(sum)
	for i, x := range local {
		sum[i%len(sum)] += x
	}
	return nil
}

var _ model.Syncer = alone{}

// hidden is a device without HostMemory.
type hidden struct{ device.Device }

func newReplica(t *testing.T, dev device.Device, change func(*Config)) *Replica {
	t.Helper()
	return newReplicaIn(t, dev, nil, change)
}

// newReplicaIn is newReplica with memory that others reach.
func newReplicaIn(t *testing.T, dev device.Device, memory engine.PeerMemory, change func(*Config)) *Replica {
	t.Helper()
	if dev == nil {
		d, err := cpu.New(cpu.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		dev = d
	}
	t.Cleanup(func() { dev.Close() })
	c := Config{Model: config(), Sums: alone{}}
	if change != nil {
		change(&c)
	}
	return New(ops.New(dev, memory), c)
}

func restored(t *testing.T, r *Replica, local int, step int64, from Source) *Replica {
	t.Helper()
	if _, err := r.Restore(t.Context(), local, Want{Step: step}, from); err != nil {
		t.Fatal(err)
	}
	return r
}

func snapshot(t *testing.T, r *Replica, config string) checkpoint.State {
	t.Helper()
	s, err := r.Snapshot(config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func digests(t *testing.T, r *Replica) Digests {
	t.Helper()
	s, err := r.State()
	if err != nil {
		t.Fatal(err)
	}
	return r.Digests(s)
}

// images are the same for every rank: r's shards of a step.
func images(r *Replica, step int64) model.Batch {
	n := r.Local() * 2
	b := model.Batch{View1: make([]float32, n*8*8*3), View2: make([]float32, n*8*8*3), Labels: make([]int32, n)}
	for i := range b.View1 {
		b.View1[i] = float32((i*7+int(step)*13)%17)/8 - 1
		b.View2[i] = float32((i*5+int(step)*11)%19)/9 - 1
	}
	return b
}

// step takes a step as a worker of all shards does, with an average of the coordinator's kind.
func step(t *testing.T, r *Replica) {
	t.Helper()
	update(t, r)
	next, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	target := r.TargetNext()
	for i, x := range next.Target {
		d := next.Online[i] - x
		target[i] = x + float32(0.1*d)
	}
	r.Adopt()
}

// TestAStepOnATargetOfOnesOwn: whether ξ' was averaged here, ahead of its commit, or came, the state is the same, and
// what came lies beside it.
func TestAStepOnATargetOfOnesOwn(t *testing.T) {
	var want Digests
	for _, own := range []bool{false, true} {
		r := restored(t, newReplica(t, nil, nil), shards, 0, Seed(1))
		for range 2 {
			update(t, r)
			next, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			rate := float32(config().Schedule.OneMinusTau(r.Step()))
			if own {
				target, arrival := r.Average()
				vector.Average(arrival, next.Target, next.Online, rate)
				if &target[0] != &r.TargetNext()[0] || !slices.Equal(target, arrival) {
					t.Error("the average is another, or elsewhere")
				}
				clear(arrival)
			} else {
				vector.Average(r.TargetNext(), next.Target, next.Online, rate)
			}
			r.Adopt()
		}
		if got := digests(t, r); want == (Digests{}) {
			want = got
		} else if got != want {
			t.Errorf("got %x, want %x", got, want)
		}
	}
}

// compute is a step whose commit nobody has heard of. It returns the digests of what it leads to.
func compute(t *testing.T, r *Replica) Digests {
	t.Helper()
	update(t, r)
	next, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	target := make([]float32, len(next.Target))
	vector.Average(target, next.Target, next.Online, float32(config().Schedule.OneMinusTau(r.Step())))
	next.Target = target
	return r.Digests(next)
}

// update computes what a step leads to, but for ξ'.
func update(t *testing.T, r *Replica) {
	t.Helper()
	g := r.Gradients()
	var buckets []Fetched
	if _, err := r.Learner().Grad(t.Context(), images(r, r.Step()), func(b model.Bucket) error {
		buckets = append(buckets, g.Fetch(b))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, b := range buckets {
		x, err := b.Wait()
		if err != nil || len(x) != r.Local() || len(x[0]) != b.Len {
			t.Fatalf("bucket %+v is %d shards of %d elements, %v", b.Bucket, len(x), len(x[0]), err)
		}
		for _, y := range x[1:] {
			for i := range y {
				x[0][i] += y[i]
			}
		}
	}
	g.Put()
	if _, err := r.Learner().Update(r.Step()); err != nil {
		t.Fatal(err)
	}
}

// TestRoundTrip stores a trained state and restores it in any number of shards: every bit is there, and training goes
// on as it does where it began.
func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	a := restored(t, newReplica(t, nil, nil), shards, 0, Seed(7))
	fresh := digests(t, a)
	step(t, a)
	step(t, a)
	want := digests(t, a)
	if want.Online == fresh.Online || want.Momentum == fresh.Momentum || want.Statistics == fresh.Statistics ||
		want.Target == fresh.Target || a.Step() != 2 {
		t.Fatalf("two steps lead from %x to %x, step %d", fresh, want, a.Step())
	}
	kept := snapshot(t, a, `{"arch":"resnet20"}`)
	info, err := checkpoint.Save(dir, kept)
	if err != nil || info.Step != 2 || kept.Config != `{"arch":"resnet20"}` {
		t.Fatalf("saved %+v, %v", info, err)
	}
	step(t, a)
	for local := 1; local <= shards; local++ {
		b := restored(t, newReplica(t, nil, nil), local, 2, File{Path: info.Path, SHA256: info.StateSHA256})
		if got := digests(t, b); got != want || b.Step() != 2 || b.Local() != local {
			t.Errorf("in %d shards: %x at step %d, want %x", local, got, b.Step(), want)
		}
		if local == shards {
			step(t, b)
			if got := digests(t, b); got != digests(t, a) {
				t.Errorf("one more step gives %x, without the file between %x", got, digests(t, a))
			}
		}
	}
}

// must is a source that nobody may ask.
type must struct{ t *testing.T }

func (m must) Fill(context.Context, *model.Learner, int64) error {
	m.t.Error("the state was fetched, though it was there")
	return nil
}

// TestShardsAreDealtOutAgain changes the number of local shards: the state stays, nobody is asked for it, and what is
// computed afterwards is what a replica computes that had that number from the start.
func TestShardsAreDealtOutAgain(t *testing.T) {
	r := restored(t, newReplica(t, nil, nil), shards, 0, Seed(7))
	other := restored(t, newReplica(t, nil, nil), shards, 0, Seed(7))
	step(t, r)
	step(t, other)
	want := digests(t, r)
	for _, local := range []int{2, 3, 4, 1, 4} {
		restored(t, r, local, 1, must{t})
		if got := digests(t, r); got != want || r.Local() != local || r.Step() != 1 {
			t.Fatalf("in %d shards: %x, want %x", local, got, want)
		}
	}
	step(t, r)
	step(t, other)
	if got, want := digests(t, r), digests(t, other); got != want {
		t.Errorf("a step after all that: %x, without it %x", got, want)
	}
}

// interrupted is an engine whose plans end with their context.
type interrupted struct{ engine.Engine }

func (e interrupted) Plan(ctx context.Context, n engine.Network, c engine.Cut) (*engine.Stages, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return e.Engine.Plan(ctx, n, c)
}

// TestInterruptedKeepsTheState has a plan come in the middle of another one, on an engine that notices and on one that
// does not: what was committed is still there for the next, and so is a step that was computed when nobody knew yet.
func TestInterruptedKeepsTheState(t *testing.T) {
	ended, end := context.WithCancelCause(t.Context())
	end(errors.New("the plan has changed"))
	for _, notices := range []bool{true, false} {
		r := newReplica(t, nil, nil)
		if notices {
			r.eng = interrupted{r.eng}
		}
		restored(t, r, shards, 0, Seed(7))
		step(t, r)
		held := Want{Step: 1, Digests: digests(t, r)}
		disturb := func(local int, want Want) {
			t.Helper()
			_, err := r.Restore(ended, local, want, must{t})
			if noticed := err != nil && err.Error() == "the plan has changed"; noticed != notices || r.Step() < 1 {
				t.Errorf("interrupted (%v): %v, step %d", notices, err, r.Step())
			}
		}
		disturb(3, held)
		restored(t, r, 3, 1, must{t})
		if got := digests(t, r); got != held.Digests {
			t.Errorf("%x, want %x", got, held.Digests)
		}
		restored(t, r, shards, 1, must{t})
		computed := compute(t, r)
		next := Want{Step: 2, Digests: computed}
		disturb(2, next)
		if how, err := r.Restore(t.Context(), 2, next, must{t}); err != nil || digests(t, r) != computed {
			t.Errorf("the step that was computed: %q, %v, digests %x, want %x", how, err, digests(t, r), computed)
		}
	}
}

// TestBegunIsDropped restores the state that is there after an update that was never committed.
func TestBegunIsDropped(t *testing.T) {
	r := restored(t, newReplica(t, nil, nil), shards, 0, Seed(7))
	want := digests(t, r)
	if _, err := r.Learner().Grad(t.Context(), images(r, 0), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Learner().Update(0); err != nil {
		t.Fatal(err)
	}
	restored(t, r, shards, 0, must{t})
	if got := digests(t, r); got != want {
		t.Errorf("%x, want %x", got, want)
	}
}

// TestSources gives a replica states that cannot be used. It says why, holds nothing, and takes a good one
// afterwards.
func TestSources(t *testing.T) {
	dir := t.TempDir()
	good := restored(t, newReplica(t, nil, nil), shards, 0, Seed(7))
	step(t, good)
	info, err := checkpoint.Save(dir, snapshot(t, good, "{}"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(info.Path)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string, b []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	flipped := slices.Clone(text)
	flipped[len(flipped)-5] ^= 4
	other := newReplica(t, nil, func(c *Config) { c.Model.ProjectorOut = 12 })
	wide, err := checkpoint.Save(t.TempDir(), snapshot(t, restored(t, other, shards, 0, Seed(1)), "{}"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		from Source
		step int64
		want string
	}{
		{"a seed in the middle", Seed(1), 3, "a seed gives the state of step 0"},
		{"nobody", Nobody{Why: "the plan offers nothing"}, 3, "the plan offers nothing"},
		{"no file", File{Path: "/nowhere/x.safetensors"}, 1, "/nowhere/x.safetensors"},
		{"another step", File{Path: info.Path}, 2, "it holds step 1, the plan says 2"},
		{"another digest", File{Path: info.Path, SHA256: "ab"}, 1, "the plan says ab"},
		{"cut off", File{Path: file("a", text[:len(text)-9])}, 1, "does not verify"},
		{"a flipped bit", File{Path: file("b", flipped)}, 1, "does not verify"},
		{"another network", File{Path: wide.Path}, 0, wide.Path},
	} {
		r := restored(t, newReplica(t, nil, nil), shards, 0, Seed(3))
		r.step = 9 // so that a state is fetched
		_, err := r.Restore(t.Context(), shards, Want{Step: c.step}, c.from)
		var f *failure.Failure
		if !errors.As(err, &f) || f.Code != failure.Checkpoint || !strings.Contains(f.Error(), c.want) || f.Try == "" {
			t.Errorf("%s: got %+v, want a failure with %q", c.name, err, c.want)
		}
		if r.Step() != -1 {
			t.Errorf("%s: afterwards it holds step %d", c.name, r.Step())
		}
		restored(t, r, shards, 1, File{Path: info.Path, SHA256: info.StateSHA256})
		if got, want := digests(t, r), digests(t, good); got != want {
			t.Errorf("%s: the state after it is %x, want %x", c.name, got, want)
		}
	}
}

// TestNoNetwork asks for a network that cannot be.
func TestNoNetwork(t *testing.T) {
	r := newReplica(t, nil, func(c *Config) { c.Model.Arch = "vgg" })
	_, err := r.Restore(t.Context(), shards, Want{}, Seed(1))
	var f *failure.Failure
	if !errors.As(err, &f) || f.Code != failure.Usage || !strings.Contains(f.Error(), "vgg") || r.Step() != -1 {
		t.Errorf("got %+v at step %d", err, r.Step())
	}
}

// TestSeed: a seed decides everything, and every bit of it.
func TestSeed(t *testing.T) {
	a := digests(t, restored(t, newReplica(t, nil, nil), shards, 0, Seed(7)))
	b := digests(t, restored(t, newReplica(t, nil, nil), 1, 0, Seed(7)))
	c := digests(t, restored(t, newReplica(t, nil, nil), shards, 0, Seed(8)))
	if a != b || a.Online == c.Online || a.Target == c.Target || a.Momentum != c.Momentum {
		t.Errorf("seed 7: %x, in one shard: %x; seed 8: %x", a, b, c)
	}
}

// TestDigests hashes in parallel and one after the other, and damages each part.
func TestDigests(t *testing.T) {
	r := restored(t, newReplica(t, nil, nil), shards, 0, Seed(7))
	parallel := newReplica(t, nil, func(c *Config) { c.Parallel = true })
	s, err := r.State()
	if err != nil {
		t.Fatal(err)
	}
	want := r.Digests(s)
	if got := parallel.Digests(s); got != want {
		t.Errorf("in parallel %x, else %x", got, want)
	}
	if want.Online != vector.Digest(s.Online) || want.Target != vector.Digest(s.Target) {
		t.Error("a digest is not that of package vector")
	}
	for name, x := range map[string][]float32{"online": s.Online, "momentum": s.Momentum, "statistics": s.Statistics,
		"target": s.Target} {
		vector.Bytes(x)[len(x)] ^= 1
		differ := 0
		got := r.Digests(s)
		for _, p := range [][2]uint64{{got.Online, want.Online}, {got.Momentum, want.Momentum},
			{got.Statistics, want.Statistics}, {got.Target, want.Target}} {
			if p[0] != p[1] {
				differ++
			}
		}
		vector.Bytes(x)[len(x)] ^= 1
		if differ != 1 {
			t.Errorf("a bit of %s changes %d digests", name, differ)
		}
	}
}

// memory counts what is asked of it.
type memory struct {
	asked int
	full  bool
}

func (m *memory) Floats(n int) ([]float32, error) {
	m.asked++
	if m.full {
		return nil, errors.New("no space")
	}
	return make([]float32, n), nil
}

func (m *memory) Free([]float32) {}

// TestCopies trains on a device whose memory the host cannot see: the same bits, and what other workers read lies in
// the memory that is shared with them, where there is any.
func TestCopies(t *testing.T) {
	want := restored(t, newReplica(t, reference.New(32), nil), shards, 0, Seed(7))
	step(t, want)
	step(t, want)
	for _, c := range []struct {
		name   string
		memory *memory // nil: none
	}{
		{"none shared", nil}, {"shared", &memory{}}, {"none left", &memory{full: true}},
	} {
		var shared engine.PeerMemory
		if c.memory != nil {
			shared = c.memory
		}
		r := newReplicaIn(t, hidden{reference.New(32)}, shared, nil)
		restored(t, r, shards, 0, Seed(7))
		step(t, r)
		if want := 2 + shards; c.memory != nil && c.memory.asked != want {
			t.Errorf("%s: memory was asked for %d times, want ξ, ξ' and %d gradients", c.name, c.memory.asked, shards)
		}
		step(t, r)
		if got, want := digests(t, r), digests(t, want); got != want {
			t.Errorf("%s: %x, in place %x", c.name, got, want)
		}
	}
}

// TestPeersGiveTheState, with all that the next step needs: it computes what the giver's computes.
func TestPeersGiveTheState(t *testing.T) {
	giver := restored(t, newReplica(t, nil, nil), shards, 0, Seed(7))
	step(t, giver)
	l, err := allreduce.Listen(t.Context(), network.System{}, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	server := transfer.NewServer("run", 5*time.Second)
	l.Handle(transfer.Magic, server.Serve)
	state, err := giver.State()
	if err != nil {
		t.Fatal(err)
	}
	want := giver.Digests(state)
	server.Offer(1, transfer.State(state))
	for _, dev := range []device.Device{nil, hidden{reference.New(32)}} {
		taker := restored(t, newReplica(t, dev, nil), 2, 0, Seed(8))
		var report transfer.Report
		from := Peers{Network: network.System{}, Peers: []transfer.Peer{{Name: "giver", Address: l.Addr()}},
			Want:  transfer.Want{RunID: "run", Digests: transfer.Digests(want), Silence: 100 * time.Millisecond},
			OnEnd: func(r transfer.Report) { report = r }}
		restored(t, taker, 2, 1, from)
		if got := digests(t, taker); got != want || taker.Step() != 1 {
			t.Errorf("got %x at step %d, want %x", got, taker.Step(), want)
		}
		if len(report) != 1 || report[0].Bytes == 0 || report[0].Err != nil {
			t.Errorf("got report %v", report)
		}
		var e *transfer.Error
		if _, err := taker.Restore(t.Context(), 2, Want{Step: 2}, from); !errors.As(err, &e) || e.Step != 2 ||
			taker.Step() != -1 {
			t.Errorf("a step that nobody holds: got %v, step %d", err, taker.Step())
		}
	}
	server.Withdraw()
	a, b := restored(t, newReplica(t, nil, nil), shards, 0, Seed(7)), newReplica(t, nil, nil)
	step(t, a)
	restored(t, b, shards, 1, direct{a})
	step(t, a)
	step(t, b)
	if got, want := digests(t, b), digests(t, a); got != want {
		t.Errorf("the next step gives %x, want %x", got, want)
	}
}

// direct is the state of another replica.
type direct struct{ from *Replica }

// Fill implements Source.
func (d direct) Fill(_ context.Context, l *model.Learner, _ int64) error {
	s, err := d.from.State()
	if err != nil {
		return err
	}
	return l.LoadFlat(s.Online, s.Momentum, s.Statistics, s.Target)
}
