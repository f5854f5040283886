package model

import (
	"context"
	"fmt"
	"testing"

	"byol/model/optim"
)

// BenchmarkStep times whole steps of one worker: gradient, update, target.
func BenchmarkStep(b *testing.B) {
	for _, c := range []struct {
		arch          string
		hidden, batch int
		shards        int
	}{
		{"resnet20", 1024, 64, 1}, {"resnet20", 1024, 64, 4}, {"resnet18", 4096, 32, 1},
	} {
		b.Run(fmt.Sprintf("%s/batch=%d/shards=%d", c.arch, c.batch, c.shards), func(b *testing.B) {
			eng := onCPU(2)
			defer eng.Close()
			l := newLearner(b, eng, Config{
				Arch: c.arch, Stem: "cifar", ImageSize: 32, ProjectorHidden: c.hidden, ProjectorOut: 256,
				PredictorHidden: c.hidden, Classes: 10, Batch: c.batch, Shards: c.shards,
				Schedule: optim.Schedule{BaseLR: 1, Batch: c.batch, Total: 100, BaseTau: 0.97}, Momentum: 0.9, Eta: 1e-3,
			})
			batch := global(l.cfg, 0)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := l.Grad(context.Background(), batch, nil); err != nil {
					b.Fatal(err)
				}
				if _, err := l.Update(1); err != nil {
					b.Fatal(err)
				}
				l.UpdateTarget(0.01)
				l.Commit()
			}
			b.ReportMetric(float64(c.batch*b.N)/b.Elapsed().Seconds(), "images/s")
		})
	}
}
