package enginetest

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	"byol/internal/vector"
	"byol/model"
	"byol/model/engine"
)

// bits wants the same bits of a state whoever holds which shards, however they are dealt out anew between steps,
// whenever sums arrive, whether forward passes run ahead of the commit, in which order stages are launched, and whether
// shards are computed side by side or one after another.
func bits(t *testing.T, open func() engine.Engine) {
	for name, c := range networks() {
		whole := trial{config: c, deals: [][]int{{4}, {4}, {4}}, open: open}
		want, err := whole.run(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for how, other := range map[string]trial{
			"again":       whole,
			"dealt anew":  {deals: [][]int{{1, 3}, {3, 1}, {2, 2}}},
			"many ranks":  {deals: [][]int{{1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1, 1, 1}}, late: true},
			"ahead":       {deals: [][]int{{2, 2}, {2, 2}, {2, 2}}, lead: true, late: true},
			"other order": {deals: [][]int{{2, 2}, {2, 2}, {2, 2}}, lead: true, turned: true},
			"in turns":    {deals: [][]int{{3, 1}, {1, 3}, {2, 2}}, turns: true},
			"by turns":    {deals: [][]int{{4}, {4}, {4}}, turns: true, lead: true},
		} {
			if other.turns && !c.LocalBatchNorm {
				continue // that needs all shards at once
			}
			other.config, other.open = c, open
			if other.turns {
				other.config.AtOnce = 1
			}
			got, err := other.run(t.Context())
			if err != nil {
				t.Fatalf("%s, %s: %v", name, how, err)
			}
			for rank, s := range got {
				if what := differs(want[0], s); what != "" {
					t.Errorf("%s, %s: rank %d ends with another %s than one learner of all shards", name, how, rank, what)
				}
			}
		}
	}
}

// trial is a short run: deals[i] are the shards of each rank in step i.
type trial struct {
	config model.Config
	deals  [][]int
	open   func() engine.Engine
	late   bool // ranks send their sums at other times
	lead   bool // forward passes are run ahead of the commit
	turns  bool // each shard is computed by itself
	turned bool // stages are launched in the order for engines that compute behind Launch, or the other way round
}

// end is what a rank ends with.
type end struct {
	theta, momentum, xi, statistics []float32
	numbers                         []float64
}

func differs(a, b end) string {
	switch {
	case !slices.Equal(a.theta, b.theta):
		return "online network"
	case !slices.Equal(a.momentum, b.momentum):
		return "momentum"
	case !slices.Equal(a.xi, b.xi):
		return "target network"
	case !slices.Equal(a.statistics, b.statistics):
		return "running statistics"
	case !slices.Equal(a.numbers, b.numbers):
		return "spread or norm of the gradient"
	}
	return ""
}

func (r trial) run(ctx context.Context) ([]end, error) {
	ranks := len(r.deals[0])
	t := &table{trial: r, gradients: make([][]float32, r.config.Shards), parts: make([][]float64, ranks)}
	t.came = sync.NewCond(&t.mu)
	ends, errs := make([]end, ranks), make([]error, ranks)
	var wg sync.WaitGroup
	for rank := range ranks {
		wg.Go(func() {
			eng := r.open()
			ends[rank], errs[rank] = (&seat{t: t, rank: rank, eng: eng}).run(ctx)
			if err := eng.Close(); errs[rank] == nil {
				errs[rank] = err
			}
		})
	}
	wg.Wait()
	for rank, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("rank %d: %w", rank, err)
		}
	}
	return ends, nil
}

// table is where the ranks of a trial meet.
type table struct {
	trial
	gradients [][]float32 // by shard

	mu      sync.Mutex // guards what follows
	came    *sync.Cond
	parts   [][]float64
	whole   []float64 // of the last complete round; the next cannot complete before all have taken it
	waiting int
	rounds  int
}

// gather exchanges the part of a rank and returns all parts in rank order.
func (t *table) gather(rank int, part []float64) []float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.parts[rank] = slices.Clone(part)
	t.waiting++
	round := t.rounds
	if t.waiting == len(t.parts) {
		t.whole, t.waiting = slices.Concat(t.parts...), 0
		t.rounds++
		t.came.Broadcast()
	}
	for t.rounds == round {
		t.came.Wait()
	}
	return t.whole
}

// seat is one rank of a trial.
type seat struct {
	t     *table
	rank  int
	eng   engine.Engine
	calls int
}

// Total implements model.Syncer.
func (s *seat) Total(_ context.Context, local, sum []float64) error {
	s.calls++
	for range (s.calls * (s.rank + 1)) % 7 {
		if s.t.late {
			runtime.Gosched()
		}
	}
	var shards [][]float64
	for all := slices.Clone(s.t.gather(s.rank, local)); len(all) > 0; all = all[len(sum):] {
		shards = append(shards, all[:len(sum)])
	}
	copy(sum, add(shards))
	return nil
}

// plan has the engine's stages launched in the other order, if the trial wants that.
func (s *seat) plan(ctx context.Context, n engine.Network, c engine.Cut) (*engine.Stages, error) {
	stages, err := s.eng.Plan(ctx, n, c)
	if err == nil && s.t.turned {
		stages.Synchronous = !stages.Synchronous
	}
	return stages, err
}

// turned is an engine whose Plan is a seat's.
type turned struct {
	engine.Engine
	s *seat
}

// Plan implements engine.Engine.
func (e turned) Plan(ctx context.Context, n engine.Network, c engine.Cut) (*engine.Stages, error) {
	return e.s.plan(ctx, n, c)
}

func (s *seat) run(ctx context.Context) (end, error) {
	c := s.t.config
	l, err := model.New(ctx, turned{s.eng, s}, c, s.t.deals[0][s.rank], s)
	if err == nil {
		err = l.Init(1)
	}
	if err != nil {
		return end{}, err
	}
	var e end
	var next model.Batch
	for step, deal := range s.t.deals {
		first := 0
		for _, n := range deal[:s.rank] {
			first += n
		}
		if err := l.Replan(ctx, deal[s.rank]); err != nil {
			return end{}, err
		}
		own := part(c, batch(c, step), first, first+deal[s.rank])
		if s.t.lead && step > 0 {
			own = next
		}
		stats, err := l.Grad(ctx, own, nil)
		if err != nil {
			return end{}, err
		}
		if err := s.sum(l, first, deal[s.rank]); err != nil {
			return end{}, err
		}
		norm, err := l.Update(int64(step))
		if err != nil {
			return end{}, err
		}
		e.numbers = append(e.numbers, stats.StdRatio, norm)
		l.UpdateTarget(c.Schedule.OneMinusTau(int64(step)))
		if s.t.lead {
			next = part(c, batch(c, step+1), first, first+deal[s.rank])
			if err := l.Lead(ctx, next); err != nil {
				return end{}, err
			}
		}
		l.Commit()
	}
	l.Drop()
	return s.take(l, e)
}

// add sums the vectors of all shards as vector.Tree says. It overwrites them.
func add[T vector.Number](shards [][]T) []T {
	n := len(shards)
	vector.AddTree(vector.Tree(n), vector.Leaves(0, n), shards)
	return shards[0]
}

// sum adds the gradients of all shards.
func (s *seat) sum(l *model.Learner, first, n int) error {
	for i := range n {
		g, err := read(l.ShardGradient(i))
		if err != nil {
			return err
		}
		s.t.gradients[first+i] = g
	}
	s.t.gather(s.rank, nil)
	var all [][]float32
	for _, g := range s.t.gradients {
		all = append(all, slices.Clone(g))
	}
	s.t.gather(s.rank, nil)
	write(l.Gradient(), add(all))
	return nil
}

// take adds the state to what a rank ends with.
func (s *seat) take(l *model.Learner, e end) (end, error) {
	now := l.Current()
	e.statistics = slices.Clone(now.Statistics)
	for _, v := range []struct {
		from engine.Vector
		to   *[]float32
	}{{now.Theta, &e.theta}, {now.Momentum, &e.momentum}, {now.Xi, &e.xi}} {
		x, err := read(v.from)
		if err != nil {
			return end{}, err
		}
		*v.to = x
	}
	return e, nil
}
