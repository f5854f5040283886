package model

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"byol/model/engine"

	"github.com/google/go-cmp/cmp"
)

// leadOn runs Lead with no target to be had, and looks whether the current state stays as it is.
func leadOn(l *Learner, b Batch, arrived func() bool) error {
	upload(l.Next().Xi, slices.Repeat([]float32{float32(math.NaN())}, l.Parameters()))
	var before, after snapshot
	before.take(l)
	next := slices.Concat(download(l.Next().Theta), download(l.Next().Momentum), l.Next().Statistics)
	if err := l.Lead(context.Background(), b, arrived); err != nil {
		return err
	}
	after.take(l)
	now := slices.Concat(download(l.Next().Theta), download(l.Next().Momentum), l.Next().Statistics)
	if cmp.Diff(before, after) != "" || !slices.Equal(next, now) {
		return errors.New("running ahead changed the current state or the next one")
	}
	return nil
}

// after is an arrival that the n-th look sees first.
func after(n int) func() bool {
	looks := 0
	return func() bool { looks++; return looks > n }
}

// TestLeadSameBits: however far the online networks run ahead of the target's arrival, which each rank sees at
// another time, the state is that of networks in lockstep.
func TestLeadSameBits(t *testing.T) {
	arrivals := map[string]func(rank, step int) func() bool{
		"at once":    func(int, int) func() bool { return after(0) },
		"never":      func(int, int) func() bool { return after(1 << 30) },
		"by rank":    func(rank, step int) func() bool { return after(rank + step) },
		"one late":   func(rank, _ int) func() bool { return after(4 * (rank % 2)) },
		"some steps": func(_, step int) func() bool { return after(3 * step) },
	}
	open := map[string]func() engine.Engine{"reference": reference32, "cpu": func() engine.Engine { return onCPU(2) }}
	for name, c := range map[string]Config{
		"sync":             tiny(),
		"local":            with(func(c *Config) { c.LocalBatchNorm = true }),
		"bottleneck":       with(func(c *Config) { c.Block, c.Stem, c.ImageSize = "bottleneck", "imagenet", 24 }),
		"target predictor": with(func(c *Config) { c.TargetPredictor = true }),
		"no predictor":     with(func(c *Config) { c.Ablation = NoPredictor }),
		"no stop-gradient": with(func(c *Config) { c.Ablation = NoStopGradient }),
	} {
		for on, open := range open {
			if on == "cpu" && name != "sync" && name != "bottleneck" {
				continue
			}
			want := together(t, c, []int{4}, open)[0]
			for when, lead := range arrivals {
				for _, counts := range [][]int{{4}, {1, 3}, {1, 1, 1, 1}} {
					for rank, got := range leading(t, c, counts, open, lead) {
						got.Shards = want.Shards // which are of all shards
						if diff := cmp.Diff(want, got); diff != "" {
							t.Errorf("%s on %s, arrival %s, shards %v, rank %d (-lockstep +ahead):\n%.500s", name, on, when, counts,
								rank, diff)
						}
					}
				}
			}
		}
	}
}

// TestLeadMessages: ranks stop leading behind the stage in which all had said that the target is there.
func TestLeadMessages(t *testing.T) {
	for _, c := range []struct {
		name    string
		arrived func() bool
		lead    int // messages
		grad    int
	}{
		// The stem's message is sent twice, and nothing else.
		{"at once", after(0), 1, 1 + 6 + 7 + 1},
		// Seen in the first message of block 1; the target sends those two alone.
		{"second message", after(1), 2, 2 + 5 + 7 + 1},
		// The target has no predictor, so the last message is not repeated.
		{"never", after(1 << 30), 7, 6 + 7 + 1},
	} {
		m := &counter{}
		l, batch := led(t, m)
		if err := l.Lead(context.Background(), batch, c.arrived); err != nil {
			t.Fatal(err)
		}
		lead := m.calls
		l.UpdateTarget(0.1)
		l.Commit()
		if _, err := l.Grad(context.Background(), batch, nil); err != nil {
			t.Fatal(err)
		}
		if lead != c.lead || m.calls-lead != c.grad {
			t.Errorf("%s: %d messages ahead and %d after, want %d and %d", c.name, lead, m.calls-lead, c.lead, c.grad)
		}
	}
}

// led is a learner of two shards of four that has an update to commit, and the next batch.
func led(t *testing.T, m *counter) (*Learner, Batch) {
	t.Helper()
	c := tiny()
	l := newLearnerOf(t, reference32(), c, 2, m)
	if _, err := l.Grad(context.Background(), shardsOf(c, global(c, 0), 0, 2), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Update(0); err != nil {
		t.Fatal(err)
	}
	m.calls = 0
	return l, shardsOf(c, global(c, 1), 0, 2)
}

// TestLeadDropped: what follows a pass that ran ahead in vain is what follows without it: the same step again, an
// evaluation, another batch, and the same one after an error at any message.
func TestLeadDropped(t *testing.T) {
	c := tiny()
	finish := func(l *Learner, b Batch) []float32 {
		if _, err := l.Grad(context.Background(), b, nil); err != nil {
			t.Fatal(err)
		}
		return slices.Concat(download(l.ShardGradient(0)), download(l.ShardGradient(1)), l.Next().Statistics)
	}
	encode := func(l *Learner) []float32 {
		out := make([]float32, 3*l.FeatureDim())
		if err := l.Encode(context.Background(), global(c, 5).View1, 3, out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	commit := func(l *Learner) { l.UpdateTarget(0.1); l.Commit() }
	other := shardsOf(c, global(c, 7), 0, 2)
	for _, then := range []struct {
		name string
		do   func(l *Learner, b Batch) []float32
	}{
		{"the step again", func(l *Learner, _ Batch) []float32 { return finish(l, shardsOf(c, global(c, 0), 0, 2)) }},
		{"evaluation, uncommitted", func(l *Learner, _ Batch) []float32 { return encode(l) }},
		{"evaluation", func(l *Learner, b Batch) []float32 { commit(l); return append(encode(l), finish(l, b)...) }},
		{"another batch", func(l *Learner, _ Batch) []float32 { commit(l); return finish(l, other) }},
		{"dropped", func(l *Learner, b Batch) []float32 { commit(l); l.Drop(); return finish(l, b) }},
		{"export", func(l *Learner, b Batch) []float32 {
			commit(l)
			return append(tensorsOf(t, l)[0].Data, finish(l, b)...)
		}},
	} {
		plain, batch := led(t, &counter{})
		want := then.do(plain, batch)
		for failAt := range 8 { // 0: no error
			m := &counter{}
			l, batch := led(t, m)
			m.failAt = failAt
			if err := l.Lead(context.Background(), batch, after(1<<30)); (err != nil) != (failAt > 0) {
				t.Fatalf("message %d fails, Lead returns %v", failAt, err)
			}
			m.failAt = 0
			if got := then.do(l, batch); !slices.Equal(got, want) {
				t.Errorf("%s, message %d failed: not what follows without running ahead", then.name, failAt)
			}
		}
	}
}
