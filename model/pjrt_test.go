package model

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"byol/model/engine"
	"byol/model/pjrt"
	"byol/model/pjrt/capi"
	"byol/model/pjrt/pjrttest"

	"github.com/google/go-cmp/cmp"
)

// plugin is XLA's CPU plugin, which a process loads once.
var plugin = sync.OnceValues(func() (*capi.Plugin, error) {
	return capi.Open(filepath.Join(pjrttest.Cache(), pjrttest.CPU115))
})

// onPJRT opens engines on the CPU plugin, which keep compiled programs for the next run of the tests.
func onPJRT(t *testing.T) func() engine.Engine {
	t.Helper()
	pjrttest.Path(t, pjrttest.CPU115)
	p, err := plugin()
	if err != nil {
		t.Fatal(err)
	}
	return func() engine.Engine {
		c, err := p.NewClient(capi.ClientOptions{})
		if err != nil {
			panic(err)
		}
		o := pjrt.Options{Cache: filepath.Join(os.TempDir(), fmt.Sprintf("byol-programs-%d", os.Getuid()))}
		e, err := pjrt.New(c, c.Devices()[0], o)
		if err != nil {
			panic(err)
		}
		return e
	}
}

// TestPJRT: on an accelerator's programs, too, the state after some steps depends on the shards and not on who holds
// them, or on whether forward passes run ahead of the commit; and it is near the reference's.
func TestPJRT(t *testing.T) {
	open := onPJRT(t)
	for name, c := range map[string]Config{
		"sync":  tiny(),
		"local": with(func(c *Config) { c.LocalBatchNorm = true }),
		"bottleneck": with(func(c *Config) {
			c.Block, c.Stem, c.ImageSize, c.Padding, c.TargetPredictor = "bottleneck", "imagenet", 18, "same", true
		}),
		"no predictor":     with(func(c *Config) { c.Ablation = NoPredictor }),
		"no stop-gradient": with(func(c *Config) { c.Ablation = NoStopGradient }),
	} {
		t.Run(name, func(t *testing.T) {
			if name != "sync" && name != "bottleneck" && os.Getenv("BYOL_LONG") == "" {
				t.Skip("compiling takes minutes; make long runs it")
			}
			want := together(t, c, []int{4}, open)[0]
			always := func(int) bool { return true }
			for rank, got := range leading(t, c, []int{1, 3}, open, always) {
				got.Shards = want.Shards // which are of all shards
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("learner %d differs from a single one (-want +got):\n%.2000s", rank, diff)
				}
			}
			near := together(t, c, []int{4}, reference32)[0]
			for i, s := range near.Shards {
				if got := want.Shards[i]; math.Abs(got.Loss-s.Loss) > 1e-3*s.Loss || got.Images != s.Images ||
					math.Abs(got.ProbeLoss-s.ProbeLoss) > 1e-3*s.ProbeLoss || got.Labelled != s.Labelled {
					t.Errorf("shard %d of step %d: %+v, the reference has %+v", i%c.Shards, i/c.Shards, got, s)
				}
			}
			for i, r := range near.Ratio {
				if math.Abs(want.Ratio[i]-r) > 1e-2*r {
					t.Errorf("spread or norm %d is %g, the reference has %g", i, want.Ratio[i], r)
				}
			}
		})
	}
}
