package enginetest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"byol/internal/failure"
	"byol/model"
	"byol/model/engine"
)

// joined is a learner of one shard that is alone: what it sends comes back for all.
type joined struct {
	l   *model.Learner
	eng engine.Engine
}

func newJoined(t *testing.T, open func() engine.Engine, c model.Config) (*joined, error) {
	t.Helper()
	j := &joined{eng: open()}
	var err error
	if j.l, err = model.New(t.Context(), j.eng, c, 1, j); err == nil {
		err = j.l.Init(1)
	}
	if err != nil {
		return nil, errors.Join(err, j.eng.Close())
	}
	return j, nil
}

// Total implements model.Syncer, for other ranks that have nothing to add.
func (j *joined) Total(_ context.Context, local, sum []float64) error {
	copy(sum, local)
	return nil
}

// Damage examines an engine that breaks in the middle of a step. open returns one and what breaks it: breakAfter(n)
// has its accelerator fail at the n-th of whatever it counts, and reports whether a step gets that far.
func Damage(t *testing.T, open func() (eng engine.Engine, breakAfter func(n int))) {
	t.Helper()
	c := networks()["basic"]
	for n := range 12 {
		eng, breakAfter := open()
		j, err := newJoined(t, func() engine.Engine { return eng }, c)
		if err != nil {
			t.Fatal(err)
		}
		before := slices.Concat(mustRead(t, j.l.Current().Theta), mustRead(t, j.l.Current().Momentum))
		breakAfter(n)
		_, err = j.l.Grad(t.Context(), part(c, batch(c, 0), 0, 1), func(b model.Bucket) error {
			return j.l.ShardGradient(0).Fetch(b.Span()).Wait()
		})
		if err == nil {
			_, err = j.l.Update(0)
		}
		var f *failure.Failure
		if !errors.As(err, &f) || f.What == "" || f.Why == "" || f.Try == "" {
			t.Errorf("broken after %d: the step ends with %v, want a failure of three parts", n, err)
		}
		after := slices.Concat(j.l.Current().Theta.Host(), j.l.Current().Momentum.Host())
		if !slices.Equal(before, after) {
			t.Errorf("broken after %d: the state that the host holds has changed", n)
		}
		checkBroken(t, j, c, f)
		if err := eng.Close(); err != nil {
			t.Errorf("broken after %d: close: %v", n, err)
		}
	}
}

// checkBroken wants every call that waits to say what broke.
func checkBroken(t *testing.T, j *joined, c model.Config, want *failure.Failure) {
	t.Helper()
	ctx, b := t.Context(), part(c, batch(c, 0), 0, 1)
	out := make([]float32, j.l.FeatureDim())
	for name, call := range map[string]func() error{
		"sync":    j.eng.Sync,
		"fetch":   func() error { _, err := read(j.l.Next().Theta); return err },
		"again":   func() error { _, err := j.l.Grad(ctx, b, nil); return err },
		"update":  func() error { _, err := j.l.Update(0); return err },
		"encode":  func() error { return j.l.Encode(ctx, b.View1, 1, out) },
		"outputs": func() error { _, err := j.l.Outputs(); return err },
		"products": func() error {
			return j.eng.Products(ctx, out, out, len(out), func([]float32, int, int, int) {})
		},
	} {
		var f *failure.Failure
		if err := call(); !errors.As(err, &f) || f != want {
			t.Errorf("%s on a broken engine: %v, want %v", name, err, want)
		}
	}
}
