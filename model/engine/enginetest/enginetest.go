// Package enginetest is the exam of engines: what package engine promises, asked of small networks by a learner of
// package model, so that stages, sums and vectors are used as a worker uses them.
//
// Each case opens engines of its own and closes them; those of several ranks run in goroutines that end before the
// case does.
//
// When it fails: it reports to the test at hand, with the case, what came and what was wanted.
package enginetest

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"byol/model"
	"byol/model/engine"
	"byol/model/optim"
)

// Run examines the engines that open returns.
func Run(t *testing.T, open func() engine.Engine) {
	t.Helper()
	for _, c := range []struct {
		name string
		exam func(t *testing.T, open func() engine.Engine)
	}{
		{"stages", stages}, {"gradient", gradient}, {"bits", bits}, {"vectors", vectors}, {"update", update},
		{"encode", encode}, {"products", products},
	} {
		t.Run(c.name, func(t *testing.T) { c.exam(t, open) })
	}
}

// networks are those of the exam: every kind of layer, each ablation, both ways to normalise.
func networks() map[string]model.Config {
	with := func(f func(c *model.Config)) model.Config {
		c := model.Config{
			Arch: "custom", Block: "basic", Blocks: []int{1, 1}, BaseWidth: 4, Stem: "cifar", ImageSize: 8,
			ProjectorHidden: 8, ProjectorOut: 4, PredictorHidden: 6, Classes: 3, Batch: 8, Shards: 4,
			Schedule:    optim.Schedule{BaseLR: 3, Batch: 8, Warmup: 1, Total: 10, BaseTau: 0.9},
			WeightDecay: 1e-4, Momentum: 0.9, Eta: 0.05, BucketBytes: 1 << 10,
		}
		f(&c)
		return c
	}
	return map[string]model.Config{
		"basic": with(func(*model.Config) {}),
		"bottleneck": with(func(c *model.Config) {
			c.Block, c.Stem, c.ImageSize, c.Padding, c.Classes = "bottleneck", "imagenet", 18, "same", 0
		}),
		"local":            with(func(c *model.Config) { c.LocalBatchNorm = true }),
		"target predictor": with(func(c *model.Config) { c.TargetPredictor = true }),
		"no predictor":     with(func(c *model.Config) { c.Ablation = model.NoPredictor }),
		"no stop-gradient": with(func(c *model.Config) { c.Ablation = model.NoStopGradient }),
	}
}

// normals are n reproducible normal numbers.
func normals(seed uint64, n int) []float32 {
	r, x := rand.New(rand.NewPCG(seed, 7)), make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// batch is the global batch of a step; some labels are missing.
func batch(c model.Config, step int) model.Batch {
	n := c.Batch * c.ImageSize * c.ImageSize * 3
	b := model.Batch{View1: normals(uint64(2*step+1), n), View2: normals(uint64(2*step+2), n)}
	for i := range c.Batch {
		b.Labels = append(b.Labels, int32((i*7+step)%(c.Classes+1)-1))
	}
	return b
}

// part is the part of a global batch that holds shards [begin, end).
func part(c model.Config, b model.Batch, begin, end int) model.Batch {
	n := c.Batch / c.Shards
	size := n * c.ImageSize * c.ImageSize * 3
	return model.Batch{View1: b.View1[begin*size : end*size], View2: b.View2[begin*size : end*size],
		Labels: b.Labels[begin*n : end*n]}
}

// learner is one of all shards in its first state, on an engine that the test closes.
func learner(t *testing.T, open func() engine.Engine, c model.Config) (*model.Learner, engine.Engine) {
	t.Helper()
	eng := open()
	t.Cleanup(func() { _ = eng.Close() })
	l, err := model.New(t.Context(), eng, c, c.Shards, nil)
	if err == nil {
		err = l.Init(1)
	}
	if err != nil {
		t.Fatal(err)
	}
	return l, eng
}

// whole is all of a vector.
func whole(v engine.Vector) engine.Span { return engine.Span{Len: len(v.Host())} }

// read copies a vector.
func read(v engine.Vector) ([]float32, error) {
	if err := v.Fetch(whole(v)).Wait(); err != nil {
		return nil, err
	}
	return slices.Clone(v.Host()), nil
}

// mustRead is read for the test's goroutine.
func mustRead(t *testing.T, v engine.Vector) []float32 {
	t.Helper()
	x, err := read(v)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// write sets a vector.
func write(v engine.Vector, x []float32) {
	copy(v.Host(), x)
	v.Store(whole(v))
}

// stages looks at what a plan promises: the rules of package engine, and that neither names nor sizes depend on the
// number of local shards.
func stages(t *testing.T, open func() engine.Engine) {
	for name, c := range networks() {
		eng := open()
		t.Cleanup(func() { _ = eng.Close() })
		network, err := c.Network()
		if err != nil {
			t.Fatal(err)
		}
		layout, err := engine.Describe(network)
		if err != nil {
			t.Fatal(err)
		}
		var first *engine.Stages
		for _, local := range []int{4, 1, 3} {
			s, err := eng.Plan(t.Context(), network, c.Cut(local))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			checkHalves(t, name, s, layout, c)
			if first == nil {
				first = copied(s)
			}
			if !sameStages(first, s) {
				t.Errorf("%s: %d local shards have other stages than 4", name, local)
			}
		}
	}
}

// copied are stages that the next plan does not change.
func copied(s *engine.Stages) *engine.Stages {
	c := *s
	for _, list := range []*[]engine.Stage{&c.Online, &c.Target, &c.Backward, &c.Weights} {
		*list = slices.Clone(*list)
	}
	return &c
}

func sameStages(a, b *engine.Stages) bool {
	same := func(x, y engine.Stage) bool {
		return slices.Equal(x.Norms, y.Norms) && x.Sums == y.Sums && x.Totals == y.Totals && slices.Equal(x.Done, y.Done)
	}
	return slices.EqualFunc(a.Online, b.Online, same) && slices.EqualFunc(a.Target, b.Target, same) &&
		slices.EqualFunc(a.Backward, b.Backward, same) && slices.EqualFunc(a.Weights, b.Weights, same) &&
		same(a.Losses, b.Losses) && a.Synchronous == b.Synchronous
}

// checkHalves looks at the sums and totals of both halves: each norm has its sums once, and the next stage takes them.
func checkHalves(t *testing.T, name string, s *engine.Stages, layout *engine.Layout, c model.Config) {
	t.Helper()
	if len(s.Backward) != len(s.Weights) || s.Losses.Sums != 4*c.ProjectorOut {
		t.Errorf("%s: %d backward stages and %d of weights; the losses have %d sums", name, len(s.Backward),
			len(s.Weights), s.Losses.Sums)
	}
	for half, list := range map[string][]engine.Stage{"online": s.Online, "target": s.Target, "backward": s.Backward} {
		seen, before := map[int]bool{}, 0
		for k, stage := range list {
			sums := 0
			for _, n := range stage.Norms {
				if seen[n] {
					t.Errorf("%s: %s stage %d has the sums of norm %d once more", name, half, k, n)
				}
				seen[n] = true
				sums += 4 * layout.Norms[n].C
			}
			if c.LocalBatchNorm {
				before = 0
			}
			if stage.Sums != sums || stage.Totals != before {
				t.Errorf("%s: %s stage %d has %d sums and %d totals, want %d and %d", name, half, k, stage.Sums, stage.Totals,
					sums, before)
			}
			before = stage.Sums
		}
		want := 0
		for i, n := range layout.Norms {
			runs := !(half == "target" && n.OnlineOnly) && !(half == "backward" && c.LocalBatchNorm) &&
				!(c.Ablation == model.NoPredictor && i == len(layout.Norms)-1)
			if runs {
				want++
			}
		}
		if len(seen) != want {
			t.Errorf("%s: %s has the sums of %d norms, want %d", name, half, len(seen), want)
		}
	}
}

// gradient compares the gradient of each tensor with the difference quotient of the loss along it, through the whole
// step. The host sees float32, so a step cannot be short: some per cent may remain of curvature, of rounding, and of
// ReLUs that switch, of which the first and the last become less with shorter steps. The best of some is taken.
func gradient(t *testing.T, open func() engine.Engine) {
	const tolerance = 0.05
	for name, c := range networks() {
		if name == "target predictor" { // whose gradient is that of basic
			continue
		}
		c.Batch, c.Shards = 16, 2
		s := newSlope(t, open, c)
		layout, err := layoutOf(c)
		if err != nil {
			t.Fatal(err)
		}
		largest := 0.0
		for _, p := range layout.Params {
			largest = max(largest, length(s.gradient[p.Off:p.End()]))
		}
		for _, p := range layout.Params {
			want, got, near := length(s.gradient[p.Off:p.End()]), 0.0, false
			for step, tries := min(1.0/256, 0.004/want), 4; tries > 0 && !near; step, tries = step/4, tries-1 {
				got = s.along(p, step)
				near = math.Abs(got-want) <= tolerance*max(want, largest/50)
			}
			if !near {
				t.Errorf("%s: %s has a gradient of length %.4g, and the loss along it a slope of %.4g", name, p.Name, want, got)
			}
		}
	}
}

// slope is the loss around a point, and its gradient there.
type slope struct {
	t        *testing.T
	l        *model.Learner
	c        model.Config
	theta    []float32
	gradient []float64
}

func newSlope(t *testing.T, open func() engine.Engine, c model.Config) *slope {
	t.Helper()
	s := &slope{t: t, c: c}
	s.l, _ = learner(t, open, c)
	s.theta = mustRead(t, s.l.Current().Theta)
	s.losses(s.theta)
	s.gradient = make([]float64, len(s.theta))
	for i := range c.Shards {
		for j, x := range mustRead(t, s.l.ShardGradient(i)) {
			s.gradient[j] += float64(x)
		}
	}
	return s
}

// losses are BYOL's and the probe's at theta.
func (s *slope) losses(theta []float32) (byol, probe float64) {
	now := s.l.Current()
	err := s.l.LoadFlat(theta, make([]float32, len(theta)), now.Statistics, mustRead(s.t, now.Xi))
	if err != nil {
		s.t.Fatal(err)
	}
	stats, err := s.l.Grad(s.t.Context(), batch(s.c, 0), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, shard := range stats.Shards {
		byol, probe = byol+shard.Loss, probe+shard.ProbeLoss
	}
	return byol / float64(s.c.Batch), probe / float64(s.c.Batch)
}

// along is the slope of the loss in the direction of the gradient of one tensor, or in any where it is zero, over
// steps to both sides.
func (s *slope) along(p engine.Param, step float64) float64 {
	g, ends := s.gradient[p.Off:p.End()], [2]float64{}
	if length(g) == 0 {
		g = make([]float64, p.Len)
		for j, x := range normals(1, p.Len) {
			g[j] = float64(x)
		}
	}
	size := length(g)
	for i, sign := range []float64{1, -1} {
		x := slices.Clone(s.theta)
		for j, v := range g {
			x[p.Off+j] += float32(sign * step * v / size)
		}
		byol, probe := s.losses(x)
		if ends[i] = byol; strings.HasPrefix(p.Name, "classifier.") {
			ends[i] = probe
		}
	}
	return (ends[0] - ends[1]) / (2 * step)
}

func layoutOf(c model.Config) (*engine.Layout, error) {
	n, err := c.Network()
	if err != nil {
		return nil, err
	}
	return engine.Describe(n)
}

// length is the L2 norm.
func length(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v * v
	}
	return math.Sqrt(sum)
}
