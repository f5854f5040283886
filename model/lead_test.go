package model

import (
	"context"
	"errors"
	"slices"
	"testing"

	"byol/model/engine"

	"github.com/google/go-cmp/cmp"
)

// leadOn runs Lead on a target that is there, and looks whether the current state and the next stay as they are.
func leadOn(l *Learner, b Batch, oneMinusTau float64) error {
	l.UpdateTarget(oneMinusTau)
	var before, after snapshot
	before.take(l)
	all := func() []float32 {
		n := l.Next()
		return slices.Concat(download(n.Theta), download(n.Momentum), download(n.Xi), n.Statistics)
	}
	next := all()
	if err := l.Lead(context.Background(), b); err != nil {
		return err
	}
	after.take(l)
	if cmp.Diff(before, after) != "" || !slices.Equal(next, all()) {
		return errors.New("running ahead changed the current state or the next one")
	}
	return nil
}

// TestLeadSameBits: whether forward passes are run before the step before them is committed or after, in all steps or
// some, the state is the same.
func TestLeadSameBits(t *testing.T) {
	leads := map[string]func(step int) bool{
		"always":     func(int) bool { return true },
		"some steps": func(step int) bool { return step%2 == 1 },
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
			for when, lead := range leads {
				for _, counts := range [][]int{{4}, {1, 3}, {1, 1, 1, 1}} {
					for rank, got := range leading(t, c, counts, open, lead) {
						got.Shards = want.Shards // which are of all shards
						if diff := cmp.Diff(want, got); diff != "" {
							t.Errorf("%s on %s, ahead %s, shards %v, rank %d (-lockstep +ahead):\n%.500s", name, on, when, counts,
								rank, diff)
						}
					}
				}
			}
		}
	}
}

// TestLeadMessages: no message is sent twice, and none of the backward pass ahead.
func TestLeadMessages(t *testing.T) {
	m := &counter{}
	l, batch := led(t, m)
	l.UpdateTarget(0.1)
	if err := l.Lead(context.Background(), batch); err != nil {
		t.Fatal(err)
	}
	lead := m.calls
	l.Commit()
	if _, err := l.Grad(context.Background(), batch, nil); err != nil {
		t.Fatal(err)
	}
	if lead != 7 || m.calls-lead != 7+1 {
		t.Errorf("%d messages ahead and %d after, want 7 and 8", lead, m.calls-lead)
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
	commit := func(l *Learner) { l.Commit() }
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
		plain.UpdateTarget(0.1)
		want := then.do(plain, batch)
		for failAt := range 8 { // 0: no error
			m := &counter{}
			l, batch := led(t, m)
			l.UpdateTarget(0.1)
			m.failAt = failAt
			if err := l.Lead(context.Background(), batch); (err != nil) != (failAt > 0) {
				t.Fatalf("message %d fails, Lead returns %v", failAt, err)
			}
			m.failAt = 0
			if got := then.do(l, batch); !slices.Equal(got, want) {
				t.Errorf("%s, message %d failed: not what follows without running ahead", then.name, failAt)
			}
		}
	}
}
