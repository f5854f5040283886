package model

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"byol/model/engine"

	"github.com/google/go-cmp/cmp"
)

const equalSteps = 3

// together runs learners that hold the given numbers of shards, each on a device of its own, and returns the
// state each ends with.
func together(t *testing.T, c Config, counts []int, open func() engine.Engine) []snapshot {
	return leading(t, c, counts, open, nil)
}

// leading is together with forward passes ahead of the commit in the steps that lead says; nil for none.
func leading(t *testing.T, c Config, counts []int, open func() engine.Engine,
	lead func(step int) bool) []snapshot {
	h, gradients := newHub(len(counts)), make([][]float32, c.Shards)
	ends, errs := make([]snapshot, len(counts)), make([]error, len(counts))
	var wg sync.WaitGroup
	begin := 0
	for rank, n := range counts {
		first := begin
		begin += n
		wg.Go(func() {
			eng := open()
			defer eng.Close()
			l, err := New(context.Background(), eng, c, n, member{h, rank})
			if err == nil {
				err = l.Init(1)
			}
			if err != nil {
				errs[rank] = err
				return
			}
			next := shardsOf(c, global(c, 0), first, first+n)
			for step := range equalSteps {
				stats, err := l.Grad(context.Background(), next, nil)
				if err != nil {
					errs[rank] = err
					return
				}
				for i := range n {
					gradients[first+i] = download(l.ShardGradient(i))
				}
				h.gather(rank, nil)
				upload(l.Gradient(), reduce(gradients))
				h.gather(rank, nil)
				norm, err := l.Update(int64(step))
				if err != nil {
					errs[rank] = err
					return
				}
				next = shardsOf(c, global(c, step+1), first, first+n)
				oneMinusTau := c.Schedule.OneMinusTau(int64(step))
				if lead != nil && lead(step) {
					if errs[rank] = leadOn(l, next, oneMinusTau); errs[rank] != nil {
						return
					}
				} else {
					l.UpdateTarget(oneMinusTau)
				}
				l.Commit()
				ends[rank].Ratio = append(ends[rank].Ratio, stats.StdRatio, norm)
				ends[rank].Shards = append(ends[rank].Shards, stats.Shards...)
			}
			ends[rank].take(l)
		})
	}
	wg.Wait()
	for rank, err := range errs {
		if err != nil {
			t.Fatalf("learner %d: %v", rank, err)
		}
	}
	return ends
}

// TestSameBits: the state after some steps depends on the shards, not on who holds them.
func TestSameBits(t *testing.T) {
	for name, c := range map[string]Config{
		"sync":  tiny(),
		"local": with(func(c *Config) { c.LocalBatchNorm = true }),
		"bottleneck": with(func(c *Config) {
			c.Block, c.Stem, c.ImageSize, c.Padding = "bottleneck", "imagenet", 18, "same"
		}),
		"no-predictor":     with(func(c *Config) { c.Ablation = NoPredictor }),
		"no-stop-gradient": with(func(c *Config) { c.Ablation = NoStopGradient }),
	} {
		t.Run(name, func(t *testing.T) { sameBits(t, c, reference32) })
	}
}

func sameBits(t *testing.T, c Config, open func() engine.Engine) {
	want := together(t, c, []int{4}, open)[0]
	for _, counts := range [][]int{{1, 1, 1, 1}, {2, 2}, {1, 2, 1}} {
		ends := together(t, c, counts, open)
		var shards []ShardStats // of all learners, step by step
		for step := range equalSteps {
			for rank, n := range counts {
				shards = append(shards, ends[rank].Shards[step*n:(step+1)*n]...)
			}
		}
		for rank, got := range ends {
			got.Shards = shards
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("learner %d of %v differs from a single one (-want +got):\n%.2000s", rank, counts, diff)
			}
		}
	}
}

// TestSameBitsCPU does so on the cpu device, with one and two threads among the learners.
func TestSameBitsCPU(t *testing.T) {
	var opened atomic.Int32
	sameBits(t, with(func(c *Config) { c.BaseWidth, c.ImageSize = 16, 16 }), func() engine.Engine {
		return onCPU(1 + int(opened.Add(1))%2)
	})
}

// TestShardsMatter: another number of shards gives other bits (so that the test above can fail), and the same
// values to rounding.
func TestShardsMatter(t *testing.T) {
	four := together(t, tiny(), []int{4}, reference32)[0]
	two := together(t, with(func(c *Config) { c.Shards = 2 }), []int{2}, reference32)[0]
	if slices.Equal(four.Theta, two.Theta) {
		t.Error("two shards and four give the same bits: sums are not per shard")
	}
	worst := 0.0
	for i, x := range four.Theta {
		worst = max(worst, float64(max(x-two.Theta[i], two.Theta[i]-x)))
	}
	if worst > 1e-3 {
		t.Errorf("weights of two and four shards differ by %g", worst)
	}
}

func TestMessages(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  Config
		want int
	}{
		// Forward: stem, 2 of block 1, 2 of block 2 (its shortcut shares one), projector, predictor; backward
		// the same; and one for the spread.
		{"sync", tiny(), 7 + 7 + 1},
		// Running statistics and the spread.
		{"local", with(func(c *Config) { c.LocalBatchNorm = true }), 2},
	} {
		m := &counter{}
		l := newLearnerOf(t, reference32(), c.cfg, 2, m)
		var phases []string
		l.SetPhaseHook(func(p string) { phases = append(phases, p) })
		if _, err := l.Grad(context.Background(), shardsOf(c.cfg, global(c.cfg, 0), 0, 2), nil); err != nil {
			t.Fatal(err)
		}
		if m.calls != c.want {
			t.Errorf("%s: %d messages in a step, want %d", c.name, m.calls, c.want)
		}
		syncs := 0
		for _, p := range phases {
			if p == "sync" {
				syncs++
			}
		}
		ends := []string{phases[0], phases[len(phases)-1]}
		if syncs != c.want || !slices.Equal(ends, []string{"forward", "idle"}) || !slices.Contains(phases, "backward") {
			t.Errorf("%s: phases %v, want forward, backward, idle and %d times sync", c.name, phases, c.want)
		}
	}
}

// counter stands for other ranks whose shards, as many as here, have the same sums.
type counter struct{ calls, failAt int }

func (m *counter) Total(_ context.Context, local, sum []float64) error {
	m.calls++
	if m.calls == m.failAt {
		return fmt.Errorf("waiting for rank 3 since 5s")
	}
	clear(sum)
	for i, x := range local {
		sum[i%len(sum)] += 2 * x
	}
	return nil
}

// TestFailedTotal: an error at any message ends Grad, leaves the state alone, and the next attempt gives what
// an undisturbed one gives.
func TestFailedTotal(t *testing.T) {
	c := tiny()
	batch := shardsOf(c, global(c, 0), 0, 2)
	run := func(l *Learner) ([]float32, error) {
		_, err := l.Grad(context.Background(), batch, nil)
		return append(download(l.ShardGradient(0)), l.Next().Statistics...), err
	}
	m := &counter{}
	l := newLearnerOf(t, reference32(), c, 2, m)
	want, err := run(l)
	if err != nil {
		t.Fatal(err)
	}
	var before, after snapshot
	before.take(l)
	messages := m.calls
	for i := 1; i <= messages; i++ {
		m.calls, m.failAt = 0, i
		if _, err := run(l); err == nil {
			t.Errorf("message %d fails, Grad does not", i)
		}
		after.take(l)
		if diff := cmp.Diff(before, after); diff != "" {
			t.Fatalf("message %d failed and the state changed:\n%.500s", i, diff)
		}
		m.failAt = 0
		got, err := run(l)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("after message %d failed: error %v, same result %v", i, err, slices.Equal(got, want))
		}
	}
}

// TestTurns: shards that are computed some at a time give the bits of all at once, whatever a turn holds and whoever
// has how many, also where the last turn has fewer left than it holds.
func TestTurns(t *testing.T) {
	local := with(func(c *Config) { c.LocalBatchNorm, c.BucketBytes = true, 1<<10 })
	for name, open := range map[string]func() engine.Engine{
		"reference": reference32, "cpu": func() engine.Engine { return onCPU(2) }} {
		want := together(t, local, []int{4}, open)[0]
		for _, atOnce := range []int{1, 2, 3} {
			c := local
			c.AtOnce = atOnce
			for _, counts := range [][]int{{4}, {3, 1}, {2, 2}} {
				for rank, got := range leading(t, c, counts, open, func(int) bool { return true }) {
					if len(counts) > 1 {
						got.Shards = want.Shards // of one of several ranks
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("%s, learner %d of %v, %d at a time (-at once +turns):\n%.2000s", name, rank, counts, atOnce, diff)
					}
				}
			}
		}
	}
	if err := with(func(c *Config) { c.AtOnce = 1 }).Check(); err == nil {
		t.Error("batch norm over all shards is computed shard by shard")
	}
}

// TestTurnsAreSmall: a learner of many shards in turns holds what a learner of one turn does, and a gradient of each
// shard; what is said before it is planned is what it holds then.
func TestTurnsAreSmall(t *testing.T) {
	held := func(atOnce, local int) (holds, needs int64) {
		c := with(func(c *Config) {
			c.LocalBatchNorm, c.AtOnce, c.Shards, c.Batch, c.ImageSize = true, atOnce, 16, 128, 32
		})
		eng := onCPU(1)
		defer eng.Close()
		l, err := New(t.Context(), eng, c, local, &counter{})
		if err == nil {
			err = l.Init(1)
		}
		if err == nil {
			needs, err = c.Needs(eng.Needs, local)
		}
		if err != nil {
			t.Fatal(err)
		}
		stepOf(t, l)
		return eng.Holds(), needs
	}
	one, _ := held(0, 1)
	all, _ := held(0, 12)
	turns, needs := held(1, 12)
	l, err := New(t.Context(), onCPU(1), with(func(*Config) {}), 4, nil)
	if err != nil {
		t.Fatal(err)
	}
	gradients := 12 * 4 * int64(l.Parameters())
	if turns > one+gradients*11/10 || turns >= all || needs < turns*9/10 || needs > turns*11/10 {
		t.Errorf("in turns %d bytes, %d were counted; one shard at all %d, gradients %d, all at once %d", turns, needs, one,
			gradients, all)
	}
}
