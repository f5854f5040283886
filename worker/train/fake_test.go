package train

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"byol/allreduce"
	"byol/internal/fault"
	"byol/internal/vector"
	"byol/model"
	"byol/model/device"
	"byol/model/device/cpu"
	"byol/model/engine/ops"
	"byol/model/optim"
	pb "byol/proto"
	"byol/worker/control"
	"byol/worker/data"
	"byol/worker/replica"
)

const (
	shards   = 8
	perShard = 2
	picture  = 8 * 8 * 3
)

// group is ranks in memory. Operations of one key meet: each rank puts in its part, the last completes it for all.
type group struct {
	size int

	mu    sync.Mutex // guards everything below
	came  *sync.Cond
	ops   map[string]*operation
	count int
	fail  func(op string, count int) error // breaks the group where it returns an error
	err   error
}

// operation is one sum, gathering or sharing.
type operation struct {
	parts map[int]any
	out   any
	taken int
}

func newGroup(size int) *group {
	g := &group{size: size, ops: map[string]*operation{}}
	g.came = sync.NewCond(&g.mu)
	return g
}

func (g *group) breakWith(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err == nil {
		g.err = err
	}
	g.came.Broadcast()
}

// meet puts in a rank's part of an operation and returns what all parts make.
func (g *group) meet(ctx context.Context, rank int, name string, part any,
	combine func(parts map[int]any) any) (any, error) {
	stop := context.AfterFunc(ctx, func() { g.breakWith(context.Cause(ctx)) })
	defer stop()
	g.mu.Lock()
	defer g.mu.Unlock()
	if rank == 0 {
		g.count++
		if g.fail != nil {
			if err := g.fail(name, g.count); err != nil && g.err == nil {
				g.err = err
				g.came.Broadcast()
			}
		}
	}
	op := g.ops[name]
	if op == nil {
		op = &operation{parts: map[int]any{}}
		g.ops[name] = op
	}
	op.parts[rank] = part
	if len(op.parts) == g.size && g.err == nil {
		op.out = combine(op.parts)
		g.came.Broadcast()
	}
	for op.out == nil && g.err == nil {
		g.came.Wait()
	}
	if op.out == nil {
		return nil, g.err
	}
	if op.taken++; op.taken == g.size {
		delete(g.ops, name)
	}
	return op.out, nil
}

// end is one rank's end of a group.
type end struct {
	*group
	rank int
}

func (e end) Rank() int { return e.rank }
func (e end) Size() int { return e.size }

func (e end) AllReduce(ctx context.Context, key allreduce.Key, x [][]float32, out []float32) error {
	sum, err := e.meet(ctx, e.rank, "sum "+key.String(), x, func(parts map[int]any) any {
		var all [][]float32
		for r := range e.size {
			for _, shard := range parts[r].([][]float32) {
				all = append(all, slices.Clone(shard))
			}
		}
		return add(all)
	})
	if err == nil {
		copy(out, sum.([]float32))
	}
	return err
}

func (e end) Total(ctx context.Context, key allreduce.Key, local, sum []float64) error {
	out, err := e.meet(ctx, e.rank, "total "+key.String(), local, func(parts map[int]any) any {
		var all [][]float64
		for r := range e.size {
			for part := slices.Clone(parts[r].([]float64)); len(part) > 0; part = part[len(sum):] {
				all = append(all, part[:len(sum)])
			}
		}
		return add(all)
	})
	if err == nil {
		copy(sum, out.([]float64))
	}
	return err
}

// add sums the vectors of all shards, and overwrites them.
func add[T vector.Number](shards [][]T) []T {
	n := len(shards)
	vector.AddTree(vector.Tree(n), vector.Leaves(0, n), shards)
	return shards[0]
}

func (e end) Share(ctx context.Context, key allreduce.Key, x []float32, spans []vector.Span) error {
	own := spans[e.rank]
	out, err := e.meet(ctx, e.rank, "share "+key.String(), x[own.Off:][:own.Len], func(parts map[int]any) any {
		out := make([]float32, len(x))
		for r, s := range spans {
			copy(out[s.Off:][:s.Len], parts[r].([]float32))
		}
		return out
	})
	if err == nil {
		copy(x, out.([]float32))
	}
	return err
}

// coordinator is the other end of all ranks' lines: it averages, commits when it has heard everybody, and gives ξ'
// back.
type coordinator struct {
	size       int
	generation int64

	mu      sync.Mutex // guards everything below
	changed *sync.Cond
	step    int64
	xi      []float32
	theta   []float32
	heard   map[int]bool
	results []*pb.StepResult           // of rank 0, in order
	marks   map[int64]map[int32]uint64 // of gradients, by step and shard
	ready   []*pb.Ready                // in any order
	said    []control.Statement        // of rank 0
	err     error                      // ends every waiting
	damage  bool                       // flips a bit of ξ' on its way
}

func newCoordinator(size int, generation, step int64) *coordinator {
	c := &coordinator{size: size, generation: generation, step: step, heard: map[int]bool{},
		marks: map[int64]map[int32]uint64{}}
	c.changed = sync.NewCond(&c.mu)
	return c
}

func (c *coordinator) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	c.changed.Broadcast()
}

// wire is one rank's line to the coordinator.
type wire struct {
	*coordinator
	rank  int
	off   int
	dst   []float32
	stand int // statements that were not withdrawn
}

func (w *wire) Expect(_, _ int64, off int, dst []float32) { w.off, w.dst = off, dst }
func (w *wire) Forget()                                   { w.dst = nil }

func (w *wire) Say(s control.Statement) func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stand++
	if w.rank == 0 {
		w.said = append(w.said, s)
	}
	result := false
	for _, m := range s.Messages {
		switch m := m.Message.(type) {
		case *pb.FromWorker_Ready:
			w.ready = append(w.ready, m.Ready)
			if w.xi == nil {
				w.xi, w.theta = make([]float32, m.Ready.Parameters), make([]float32, m.Ready.Parameters)
			}
		case *pb.FromWorker_Slice:
			to := w.theta
			if s.Messages[0].GetReady() != nil {
				to = w.xi
			}
			copy(to[m.Slice.Offset:], vector.Floats(m.Slice.Data))
		case *pb.FromWorker_StepResult:
			result = true
			w.heard[w.rank] = true
			w.mark(m.StepResult)
			if w.rank == 0 {
				w.results = append(w.results, m.StepResult)
			}
		}
	}
	if result && len(w.heard) == w.size {
		vector.Average(w.xi, w.xi, w.theta, float32(modelConfig().Schedule.OneMinusTau(w.step)))
		w.step++
		clear(w.heard)
		w.changed.Broadcast()
	}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.stand--
	}
}

// mark notes what a rank says of its gradients.
func (c *coordinator) mark(r *pb.StepResult) {
	if c.marks[r.Step] == nil {
		c.marks[r.Step] = map[int32]uint64{}
	}
	for _, s := range r.Shards {
		c.marks[r.Step][s.Shard] = s.Gradient
	}
}

func (w *wire) Committed(ctx context.Context, step int64) (*pb.Plan, error) {
	stop := context.AfterFunc(ctx, func() { w.end(context.Cause(ctx)) })
	defer stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.step <= step && w.err == nil {
		w.changed.Wait()
	}
	if w.step <= step {
		return nil, w.err
	}
	copy(w.dst, w.xi[w.off:])
	if w.damage {
		vector.Bytes(w.dst)[1] ^= 1
	}
	return &pb.Plan{Generation: w.generation, CommittedStep: w.step, Committed: &pb.Digests{Target: vector.Digest(w.xi)}},
		nil
}

// camera makes a batch of any step: what is in it depends on step and shard alone.
type camera struct {
	begin, end int
	next       int64
	fail       error
	skip       bool // gives the step after the one that is next
	recycled   int
}

func (c *camera) Next(ctx context.Context) (*data.Batch, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if c.fail != nil {
		return nil, c.fail
	}
	if c.skip {
		c.next++
	}
	b := &data.Batch{Step: c.next}
	for shard := c.begin; shard < c.end; shard++ {
		for i := range perShard * picture {
			b.View1 = append(b.View1, float32((i*7+shard*3+int(c.next)*13)%17)/8-1)
			b.View2 = append(b.View2, float32((i*5+shard*2+int(c.next)*11)%19)/9-1)
		}
		for i := range perShard {
			b.Order = append(b.Order, int(c.next)*100+shard*perShard+i)
			b.Labels = append(b.Labels, int32(shard%10))
		}
	}
	c.next++
	return b, nil
}

func (c *camera) Recycle(*data.Batch) { c.recycled++ }

func modelConfig() model.Config {
	return model.Config{Arch: "resnet20", Width: 1, Stem: "cifar", Padding: "symmetric", ImageSize: 8,
		ProjectorHidden: 16, ProjectorOut: 8, PredictorHidden: 16, Classes: 10, Batch: shards * perShard, Shards: shards,
		BucketBytes: 16 << 10, WeightDecay: 1e-6, Momentum: 0.9, Eta: 0.1,
		Schedule: optim.Schedule{BaseLR: 2, Batch: shards * perShard, Warmup: 2, Total: 100, BaseTau: 0.9}}
}

// member is one rank: what outlives generations, and the generation at hand.
type member struct {
	replica *replica.Replica
	sums    *Sums
	wire    *wire
	camera  *camera
	*Generation
}

// team is all ranks of a run in one process.
type team struct {
	t       *testing.T
	members []*member
	group   *group
	coord   *coordinator
	// what tests change before a generation begins
	cfg    *pb.RunConfig
	faults fault.Plan
	kill   func()
	verify bool
}

// newTeam makes ranks with fresh replicas of a seed.
func newTeam(t *testing.T, size int, hide bool) *team {
	t.Helper()
	tm := &team{t: t, cfg: &pb.RunConfig{TotalSteps: 100}}
	for rank := range size {
		var dev device.Device
		dev, err := cpu.New(cpu.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { dev.Close() })
		if hide {
			dev = struct{ device.Device }{dev} // without HostMemory
		}
		m := &member{sums: &Sums{}}
		m.replica = replica.New(ops.New(dev, nil), replica.Config{Model: modelConfig(), Sums: m.sums})
		own := vector.Part(shards, rank, size)
		if _, err := m.replica.Restore(t.Context(), own.Len, replica.Want{}, replica.Seed(7)); err != nil {
			t.Fatal(err)
		}
		tm.members = append(tm.members, m)
	}
	return tm
}

// form begins a generation on all ranks, at the step that they hold.
func (tm *team) form(generation int64) {
	tm.t.Helper()
	size, step := len(tm.members), tm.members[0].replica.Step()
	tm.group, tm.coord = newGroup(size), newCoordinator(size, generation, step)
	for rank, m := range tm.members {
		own := vector.Part(shards, rank, size)
		if _, err := m.replica.Restore(tm.t.Context(), own.Len, replica.Want{Step: step},
			replica.Nobody{Why: "a test"}); err != nil {
			tm.t.Fatal(err)
		}
		m.wire, m.camera = &wire{coordinator: tm.coord, rank: rank}, &camera{begin: own.Off, end: own.End(), next: step}
		trace := NewTrace(time.Now)
		m.Generation = New(Options{Config: tm.cfg, Generation: generation, ShardBegin: own.Off, Faults: tm.faults,
			Kill: tm.kill, Log: zap.NewNop(), Trace: trace, OnPhase: trace.Phase},
			Parts{Coordinator: m.wire, Group: end{tm.group, rank}, Images: m.camera, Replica: m.replica, Sums: m.sums})
		if _, err := m.Ready(5, "cpu", "images"); err != nil {
			tm.t.Fatal(err)
		}
	}
}

// step takes a step on all ranks and returns their errors. Like workers, a rank that fails leaves its group.
func (tm *team) step(ctx context.Context) []error {
	errs := make([]error, len(tm.members))
	var wg sync.WaitGroup
	for rank, m := range tm.members {
		wg.Go(func() {
			if errs[rank] = m.Step(ctx, tm.verify); errs[rank] != nil {
				tm.group.breakWith(fmt.Errorf("rank %d left: %w", rank, errs[rank]))
			}
		})
	}
	wg.Wait()
	return errs
}

func (tm *team) steps(n int) {
	tm.t.Helper()
	for range n {
		if err := errors.Join(tm.step(tm.t.Context())...); err != nil {
			tm.t.Fatal(err)
		}
	}
}

// state is what all ranks hold: one answer, or the test fails.
func (tm *team) state() (replica.Digests, int64) {
	tm.t.Helper()
	var first replica.Digests
	for rank, m := range tm.members {
		s, err := m.replica.State()
		if err != nil {
			tm.t.Fatal(err)
		}
		got := m.replica.Digests(s)
		if rank == 0 {
			first = got
		}
		if got != first || m.replica.Step() != tm.members[0].replica.Step() {
			tm.t.Fatalf("rank %d holds %x of step %d, rank 0 %x of step %d", rank, got, m.replica.Step(), first,
				tm.members[0].replica.Step())
		}
	}
	return first, tm.members[0].replica.Step()
}

// blinding shows images that are no numbers.
type blinding struct{ *camera }

func (b blinding) Next(ctx context.Context) (*data.Batch, error) {
	batch, err := b.camera.Next(ctx)
	if err == nil {
		zero := float32(0)
		batch.View1[0] = zero / zero
	}
	return batch, err
}
