package model

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
	"testing"

	"byol/model/device/cpu"
	"byol/model/engine/ops"
	"byol/model/optim"
)

// patterns are images of coarse random colours; a view is a shifted image with noise, brightness and contrast.
type patterns struct {
	size   int
	images [][]float32
	r      *rand.Rand
}

func newPatterns(n, size int) *patterns {
	p := &patterns{size: size, r: rand.New(rand.NewPCG(1, 2))}
	for range n {
		coarse := make([]float32, 4*4*3)
		for i := range coarse {
			coarse[i] = float32(p.r.NormFloat64())
		}
		image := make([]float32, size*size*3)
		for y := range size {
			for x := range size {
				for c := range 3 {
					image[(y*size+x)*3+c] = coarse[(y*4/size*4+x*4/size)*3+c]
				}
			}
		}
		p.images = append(p.images, image)
	}
	return p
}

func (p *patterns) view(to, image []float32) {
	dy, dx := p.r.IntN(5)-2, p.r.IntN(5)-2
	gain, shift := float32(0.8+0.4*p.r.Float64()), float32(0.4*p.r.NormFloat64())
	for y := range p.size {
		for x := range p.size {
			from := (min(max(y+dy, 0), p.size-1)*p.size + min(max(x+dx, 0), p.size-1)) * 3
			for c := range 3 {
				to[(y*p.size+x)*3+c] = gain*image[from+c] + shift + float32(0.3*p.r.NormFloat64())
			}
		}
	}
}

func (p *patterns) batch(n int) Batch {
	b := Batch{View1: make([]float32, n*p.size*p.size*3), View2: make([]float32, n*p.size*p.size*3)}
	for i := range n {
		image, span := p.images[p.r.IntN(len(p.images))], p.size*p.size*3
		p.view(b.View1[i*span:(i+1)*span], image)
		p.view(b.View2[i*span:(i+1)*span], image)
	}
	return b
}

// TestControls trains a small network for some hundred steps: BYOL keeps its projections spread out, and
// without predictor, or with gradient into the target, they collapse (seen: 0.89, 0.09, 0.002; all start at
// 0.85). It takes about a minute and runs with BYOL_LONG=1.
func TestControls(t *testing.T) {
	if os.Getenv("BYOL_LONG") == "" {
		t.Skip("a long test; make long runs it")
	}
	const steps = 400
	for _, c := range []struct {
		ablation string
		low, top float64 // of the spread at the end
	}{
		{"", 0.5, 2}, {NoPredictor, 0, 0.2}, {NoStopGradient, 0, 0.2},
	} {
		t.Run("ablation="+c.ablation, func(t *testing.T) {
			eng := onCPU(0)
			defer eng.Close()
			l := newLearner(t, eng, Config{
				Arch: "custom", Block: "basic", Blocks: []int{1, 1}, BaseWidth: 16, Stem: "cifar", ImageSize: 16,
				ProjectorHidden: 128, ProjectorOut: 32, PredictorHidden: 128, Batch: 64, Shards: 1,
				Schedule:    optim.Schedule{BaseLR: 1, Batch: 64, Warmup: 20, Total: steps, BaseTau: 0.97},
				WeightDecay: 1e-6, Momentum: 0.9, Eta: 0.02, Ablation: c.ablation,
			})
			data, trace := newPatterns(512, 16), ""
			var last Stats
			for step := range steps {
				last = advance(t, l, step, data.batch(64))
				if step%50 == 0 || step == steps-1 {
					trace += fmt.Sprintf("step %d loss %.3f spread %.3f\n", step, last.Shards[0].Loss/64, last.StdRatio)
				}
			}
			t.Log("\n" + trace)
			if last.StdRatio < c.low || last.StdRatio > c.top {
				t.Errorf("spread %g at the end, want %g to %g", last.StdRatio, c.low, c.top)
			}
		})
	}
}

// resident is how many bytes of this process are in memory; 0 where the system does not say.
func resident() int {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, pages int
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		return 0
	}
	return pages * os.Getpagesize()
}

// TestMemorySequence prints what the device holds, and what of the process is resident, when the shards of one run are
// dealt out again and again: 2, 3, 4, 3, 2 of 4 shards of 64 images of 32² for ResNet-18, by Replan and by building a
// new learner each time, as it was before there was Replan. After any sequence the memory is that of the largest. It
// takes a minute or two and runs with BYOL_LONG=1 go test ./model -run MemorySequence -v.
func TestMemorySequence(t *testing.T) {
	if os.Getenv("BYOL_LONG") == "" {
		t.Skip("a long test; make long runs it")
	}
	c := Config{
		Arch: "resnet18", Stem: "cifar", ImageSize: 32, ProjectorHidden: 4096, ProjectorOut: 256, PredictorHidden: 4096,
		Batch: 64, Shards: 4, Schedule: optim.Schedule{BaseLR: 0.3, Batch: 64, Total: 100, BaseTau: 0.99},
		WeightDecay: 1e-6, Momentum: 0.9, Eta: 1e-3,
	}
	again := func(l *Learner, local int) (*Learner, error) { return l, l.Replan(context.Background(), local) }
	anew := func(l *Learner, local int) (*Learner, error) {
		fresh, err := New(context.Background(), l.eng, c, local, l.sync)
		if err != nil {
			return nil, err
		}
		return fresh, fresh.Load(tensorsOf(t, l))
	}
	run := func(locals []int, next func(l *Learner, local int) (*Learner, error)) (held, rss []int) {
		dev, err := cpu.New(cpu.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer dev.Close()
		l := newLearnerOf(t, ops.New(dev, nil), c, locals[0], &counter{})
		for i, local := range locals {
			if i > 0 {
				if l, err = next(l, local); err != nil {
					t.Fatal(err)
				}
			}
			stepOf(t, l)
			debug.FreeOSMemory()
			held, rss = append(held, dev.Allocated()>>20), append(rss, resident()>>20)
		}
		return held, rss
	}
	locals := []int{2, 3, 4, 3, 2}
	largest, _ := run([]int{4}, again)
	held, rss := run(locals, again)
	t.Logf("local shards        %v", locals)
	t.Logf("planned again: device %v MiB, process %v MiB; a learner of 4 shards alone: device %v MiB", held, rss, largest)
	if slices.Max(held) > largest[0] {
		t.Errorf("the device held %v MiB, want at most %v", held, largest)
	}
	held, rss = run(locals, anew)
	t.Logf("built anew:    device %v MiB, process %v MiB", held, rss)
}
