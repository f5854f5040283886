package model

import (
	"context"
	"slices"
	"sync"
	"testing"

	"byol/model/device/cpu"
	"byol/model/device/reference"
	"byol/model/engine"
	"byol/model/engine/ops"
	"byol/model/nn/gradtest"
	"byol/model/optim"
)

// tiny is a network with every kind of layer that tests can afford.
func tiny() Config {
	return Config{
		Arch: "custom", Block: "basic", Blocks: []int{1, 1}, BaseWidth: 4, Stem: "cifar", ImageSize: 8,
		ProjectorHidden: 8, ProjectorOut: 4, PredictorHidden: 6, Classes: 3, Batch: 8, Shards: 4,
		Schedule:    optim.Schedule{BaseLR: 3, Batch: 8, Warmup: 1, Total: 10, BaseTau: 0.9},
		WeightDecay: 1e-4, Momentum: 0.9, Eta: 0.05, BucketBytes: 1 << 10,
	}
}

// with returns tiny after f has changed it.
func with(f func(c *Config)) Config {
	c := tiny()
	f(&c)
	return c
}

// global draws the batch of a step: n images of c, labels with some missing.
func global(c Config, step int) Batch {
	size := c.ImageSize * c.ImageSize * 3
	b := Batch{View1: floats(uint64(2*step+1), c.Batch*size), View2: floats(uint64(2*step+2), c.Batch*size)}
	for i := range c.Batch {
		b.Labels = append(b.Labels, int32((i*7+step)%(c.Classes+1)-1))
	}
	return b
}

func floats(seed uint64, n int) []float32 {
	x := make([]float32, n)
	for i, v := range gradtest.Normals(seed, n) {
		x[i] = float32(v)
	}
	return x
}

// shardsOf is the part of a global batch that holds shards [begin, end).
func shardsOf(c Config, b Batch, begin, end int) Batch {
	images, size := c.Batch/c.Shards, c.ImageSize*c.ImageSize*3
	return Batch{View1: b.View1[begin*images*size : end*images*size], View2: b.View2[begin*images*size : end*images*size],
		Labels: b.Labels[begin*images : end*images]}
}

// hub joins learners in memory: Total waits for all of them.
type hub struct {
	mu      sync.Mutex
	arrived *sync.Cond
	parts   [][]float64
	whole   []float64 // of the last complete round; the next cannot complete before all have taken it
	waiting int
	rounds  int
}

func newHub(n int) *hub {
	h := &hub{parts: make([][]float64, n)}
	h.arrived = sync.NewCond(&h.mu)
	return h
}

// gather exchanges the part of rank and returns all parts in rank order.
func (h *hub) gather(rank int, part []float64) []float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.parts[rank] = slices.Clone(part)
	h.waiting++
	round := h.rounds
	if h.waiting == len(h.parts) {
		h.whole, h.waiting = slices.Concat(h.parts...), 0
		h.rounds++
		h.arrived.Broadcast()
	}
	for h.rounds == round {
		h.arrived.Wait()
	}
	return h.whole
}

// member is one learner's end of a hub.
type member struct {
	h    *hub
	rank int
}

func (m member) Total(_ context.Context, local, sum []float64) error {
	var shards [][]float64
	for rows := slices.Clone(m.h.gather(m.rank, local)); len(rows) > 0; rows = rows[len(sum):] {
		shards = append(shards, rows[:len(sum)])
	}
	copy(sum, treeSum(shards))
	return nil
}

// treeSum is the sum over shards, slowly: half the tree and the other half.
func treeSum[T float32 | float64](shards [][]T) []T {
	if len(shards) == 1 {
		return shards[0]
	}
	half := 1
	for 2*half < len(shards) {
		half *= 2
	}
	sum := slices.Clone(treeSum(shards[:half]))
	for i, x := range treeSum(shards[half:]) {
		sum[i] += x
	}
	return sum
}

func newLearner(t testing.TB, eng engine.Engine, c Config) *Learner {
	t.Helper()
	return newLearnerOf(t, eng, c, c.Shards, nil)
}

// newLearnerOf is a learner of some shards in its first state.
func newLearnerOf(t testing.TB, eng engine.Engine, c Config, local int, sync Syncer) *Learner {
	t.Helper()
	l, err := New(context.Background(), eng, c, local, sync)
	if err == nil {
		err = l.Init(1)
	}
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// reduce adds gradients of all shards in float32.
func reduce(shards [][]float32) []float32 { return slices.Clone(treeSum(shards)) }

func download(v engine.Vector) []float32 {
	if err := v.Fetch(engine.Span{Len: len(v.Host())}).Wait(); err != nil {
		panic(err)
	}
	return slices.Clone(v.Host())
}

func upload(v engine.Vector, x []float32) {
	copy(v.Host(), x)
	v.Store(engine.Span{Len: len(x)})
}

// tensorsOf are those of a learner.
func tensorsOf(t testing.TB, l *Learner) []Tensor {
	t.Helper()
	list, err := l.Tensors()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// advance runs one step of a learner that holds every shard.
func advance(t testing.TB, l *Learner, step int, b Batch) Stats {
	t.Helper()
	stats, err := l.Grad(context.Background(), b, nil)
	if err != nil {
		t.Fatal(err)
	}
	var shards [][]float32
	for i := range l.cut.Local {
		shards = append(shards, download(l.ShardGradient(i)))
	}
	upload(l.Gradient(), reduce(shards))
	if _, err := l.Update(int64(step)); err != nil {
		t.Fatal(err)
	}
	l.UpdateTarget(l.cfg.Schedule.OneMinusTau(int64(step)))
	l.Commit()
	return stats
}

// snapshot is everything a step may change.
type snapshot struct {
	Theta, Xi, Momentum, Statistics []float32
	Ratio                           []float64
	Shards                          []ShardStats
}

func (s *snapshot) take(l *Learner) {
	s.Theta, s.Xi, s.Momentum = download(l.Current().Theta), download(l.Current().Xi), download(l.Current().Momentum)
	s.Statistics = slices.Clone(l.Current().Statistics)
}

func reference32() engine.Engine { return ops.New(reference.New(32), nil) }

// onCPU is an engine on the cpu device.
func onCPU(threads int) engine.Engine {
	dev, err := cpu.New(cpu.Options{Threads: threads})
	if err != nil {
		panic(err)
	}
	return ops.New(dev, nil)
}
