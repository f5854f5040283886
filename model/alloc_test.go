package model

import (
	"context"
	"testing"

	"byol/model/device/cpu"
	"byol/model/engine/ops"
)

// TestStepAllocatesNothing: after the first step all memory is there, on the host and on the device. With a bucket
// hook there is one closure more, which the caller's function asks for.
func TestStepAllocatesNothing(t *testing.T) {
	for name, c := range map[string]Config{
		"basic":      with(func(c *Config) { c.BaseWidth, c.ProjectorHidden = 16, 32 }),
		"bottleneck": with(func(c *Config) { c.Block, c.Stem, c.ImageSize = "bottleneck", "imagenet", 24 }),
		"local":      with(func(c *Config) { c.LocalBatchNorm = true }),
	} {
		for _, threads := range []int{1, 2} {
			dev, err := cpu.New(cpu.Options{Threads: threads})
			if err != nil {
				t.Fatal(err)
			}
			defer dev.Close()
			l, batch := newLearner(t, ops.New(dev, nil), c), global(c, 0)
			step := func() {
				if _, err := l.Grad(context.Background(), batch, nil); err != nil {
					t.Fatal(err)
				}
				if _, err := l.Update(1); err != nil {
					t.Fatal(err)
				}
				l.UpdateTarget(0.01)
				l.Commit()
			}
			step()
			before := dev.Allocated()
			if got := testing.AllocsPerRun(5, step); got != 0 {
				t.Errorf("%s, %d threads: %g allocations in a step, want none", name, threads, got)
			}
			if grown := dev.Allocated() - before; grown != 0 {
				t.Errorf("%s, %d threads: a step took %d bytes more of the device's memory", name, threads, grown)
			}
		}
	}
}
