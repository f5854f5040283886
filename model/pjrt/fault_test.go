package pjrt

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"byol/internal/failure"
	"byol/model/arch"
	"byol/model/engine"
	"byol/model/pjrt/capi"
	"byol/model/pjrt/emit"
	"byol/model/pjrt/pjrttest"
)

// Programs is where tests keep compiled programs.
var Programs = pjrttest.Programs()

var opened struct {
	sync.Once
	plugin *capi.Plugin
	err    error
}

// Plugin is the CPU plugin of these tests, which a process opens once.
func Plugin(t *testing.T) *capi.Plugin {
	t.Helper()
	path := pjrttest.Path(t, pjrttest.CPU115)
	opened.Do(func() { opened.plugin, opened.err = capi.Open(path) })
	if opened.err != nil {
		t.Fatal(opened.err)
	}
	return opened.plugin
}

// planned is an engine with a plan and a state of zeros.
func planned(t *testing.T) (*Engine, engine.State) {
	t.Helper()
	p := Plugin(t)
	c, err := p.NewClient(capi.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(c, c.Devices()[0], Options{Cache: Programs})
	if err != nil {
		t.Fatal(err)
	}
	n := engine.Network{Encoder: arch.Encoder{Blocks: []int{1}, Base: 2, Stem: arch.CIFAR}, Padding: "symmetric",
		ImageSize: 4, ProjectorHidden: 4, ProjectorOut: 4, PredictorHidden: 4}
	if _, err := e.Plan(t.Context(), n, engine.Cut{Shards: 1, Local: 1, Images: 2}); err != nil {
		t.Fatal(err)
	}
	s := engine.State{Statistics: make([]float32, 2*e.plan.step.Layout.Statistics)}
	for _, v := range []*engine.Vector{&s.Theta, &s.Momentum, &s.Xi} {
		if *v, err = e.NewVector(false); err != nil {
			t.Fatal(err)
		}
	}
	return e, s
}

// TestFault: what breaks in the middle of a step comes to light at the next call that waits, in three parts, and for
// good; what does not wait does nothing; and everything can be given back.
func TestFault(t *testing.T) {
	e, s := planned(t)
	images := make([]float32, 2*4*4*3)
	e.Load(images, images, nil)
	e.Use(s)
	broken := e.programs.known[e.plan.step.Online[1].Segment.Digest()]
	if err := broken.Destroy(); err != nil {
		t.Fatal(err)
	}
	first, second := &e.plan.stages.Online[0], &e.plan.stages.Online[1]
	e.Launch(first, nil)
	e.Launch(second, make([]float64, second.Totals))
	e.Launch(&e.plan.stages.Losses, nil)
	err := e.Sums(second, [][]float64{make([]float64, second.Sums)})
	var f *failure.Failure
	if !errors.As(err, &f) || !errors.Is(err, capi.ErrDestroyed) || f.Try == "" ||
		!strings.Contains(f.Error(), "device pjrt:cpu broke: it could not begin stage online 1: ") {
		t.Errorf("failure %+v", f)
	}
	_, updating := e.Update(s, s, 1)
	_, reading := e.Outputs()
	for _, again := range []error{e.Sync(), updating, reading, e.ReadLosses(make([]engine.Losses, 1)),
		e.Encode(t.Context(), images, 2, make([]float32, 4)), s.Theta.Fetch(engine.Span{Len: 1}).Wait()} {
		if !errors.Is(again, err) {
			t.Errorf("later it was %v", again)
		}
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

// TestMeasure: what a step needs grows with the images of a worker, and the batch that fits is where it ends.
func TestMeasure(t *testing.T) {
	e, _ := planned(t)
	defer e.Close()
	p := e.plan
	if p.fixed <= 0 || p.peak <= p.fixed {
		t.Fatalf("planned %d bytes, %d of them fixed", p.peak, p.fixed)
	}
	for limit, want := range map[int64]int{p.peak: 2, 2*p.peak - p.fixed: 4, p.fixed: 0, p.fixed - 1: 0} {
		if got := p.fitting(limit); got != want {
			t.Errorf("%d images fit into %d bytes, want %d", got, limit, want)
		}
	}
}

// TestSmaller: a batch that fits by the plan, or a smaller one.
func TestSmaller(t *testing.T) {
	p := &plan{cut: engine.Cut{Shards: 8, Local: 2, Images: 32}, peak: 1000, fixed: 200}
	for limit, want := range map[int64]string{
		0:    "--batch-size 192, which is 24 images of each shard, or more workers with a device each",
		600:  "--batch-size 128, which is 16 images of each shard, or more workers with a device each",
		999:  "--batch-size 248, which is 31 images of each shard, or more workers with a device each",
		201:  "more workers with a device each, or a smaller --arch",
		1000: "end what else uses the device, a larger --memory-fraction, --batch-size 192, which is 24 images of each shard",
	} {
		if got := p.smaller(limit); !strings.HasPrefix(got, want) {
			t.Errorf("of %d bytes: %q, want %q", limit, got, want)
		}
	}
}

// TestPlannedMemory is what a step of ResNet-50 needs between its programs, 256 images of one shard in bf16.
func TestPlannedMemory(t *testing.T) {
	encoder, err := arch.Find("resnet50")
	if err != nil {
		t.Fatal(err)
	}
	c := emit.Config{Images: 256, Precision: emit.BF16, Network: engine.Network{Encoder: encoder, Padding: "symmetric",
		ImageSize: 224, ProjectorHidden: 4096, ProjectorOut: 256, PredictorHidden: 4096, Classes: 1000}}
	step, err := emit.New(c)
	if err != nil {
		t.Fatal(err)
	}
	p := &plan{e: &Engine{programs: &programs{}}, config: c, cut: engine.Cut{Shards: 1, Local: 1, Images: 256}, step: step}
	peak, fixed := p.measure()
	t.Logf("%.2f GiB, %.2f of them for the parameters", float64(peak)/(1<<30), float64(fixed)/(1<<30))
	if peak < 15<<30 || peak > 25<<30 {
		t.Errorf("planned %d bytes", peak)
	}
}
