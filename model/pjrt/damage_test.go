package pjrt_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"byol/internal/failure"
	"byol/model/engine"
	"byol/model/engine/enginetest"
	"byol/model/pjrt"
	"byol/model/pjrt/capi"
)

// breaking opens an engine on a plugin that fails for good once it has been asked for so many things of a kind.
func breaking(t *testing.T, function string, code capi.Code) (*pjrt.Engine, func(n int)) {
	t.Helper()
	var armed atomic.Bool
	var left atomic.Int64
	p := pjrt.Plugin(t).Faulty(func(name string) *capi.Error {
		if name == function && armed.Load() && left.Add(-1) < 0 {
			return &capi.Error{Code: code, Message: "the plugin broke"}
		}
		return nil
	})
	c, err := p.NewClient(capi.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := pjrt.New(c, c.Devices()[0], pjrt.Options{Cache: pjrt.Programs})
	if err != nil {
		t.Fatal(err)
	}
	return e, func(n int) {
		left.Store(int64(n))
		armed.Store(true)
	}
}

// TestDamage: a plugin that breaks in the middle of a step, wherever that is, ends it in three parts and for good.
func TestDamage(t *testing.T) {
	for _, function := range []string{capi.RunFunction, capi.UploadFunction, capi.AwaitFunction} {
		t.Run(function, func(t *testing.T) {
			enginetest.Damage(t, func() (engine.Engine, func(n int)) { return breaking(t, function, capi.Internal) })
		})
	}
}

// TestPlanAfterDamage: a broken engine refuses another plan with what broke it, and a new one of the same plugin works.
func TestPlanAfterDamage(t *testing.T) {
	n, c := tiny(), engine.Cut{Shards: 1, Local: 1, Images: 2}
	e, breakAfter := breaking(t, capi.RunFunction, capi.Internal)
	r := join(t, e, n, c)
	breakAfter(1)
	group{r}.load(n)
	e.Launch(&r.stages.Online[0], nil)
	err := e.Sync()
	var f *failure.Failure
	if !errors.As(err, &f) || f.What == "" || !strings.Contains(f.Why, "the plugin broke") || f.Try == "" {
		t.Errorf("the step ends with %+v", err)
	}
	if _, again := e.Plan(t.Context(), n, c); !errors.Is(again, err) {
		t.Errorf("another plan: %v, want %v", again, err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	group{join(t, open(t, pjrt.Options{}), n, c)}.step(t, n)
}

// TestNoMemory: a device without memory left is a failure that names a batch of the run that is smaller.
func TestNoMemory(t *testing.T) {
	n, c := tiny(), engine.Cut{Shards: 4, Local: 2, Images: 6}
	e, breakAfter := breaking(t, capi.RunFunction, capi.ResourceExhausted)
	r := join(t, e, n, c)
	breakAfter(2)
	group{r}.load(n)
	e.Launch(&r.stages.Online[0], nil)
	err := e.Sync()
	var f *failure.Failure
	if !errors.As(err, &f) || !errors.Is(err, capi.ErrOutOfMemory) || f.Code != failure.Usage ||
		!strings.Contains(f.What, "has no memory left") || !strings.Contains(f.Why, "2 shards of 6 images was planned at") ||
		!strings.Contains(f.Try, "--batch-size 16") {
		t.Errorf("failure %+v", f)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}
