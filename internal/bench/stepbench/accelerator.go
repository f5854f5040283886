package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"byol/internal/bench/measure"
	"byol/model"
	"byol/model/engine"
	"byol/model/pjrt"
	"byol/model/pjrt/capi"
	"byol/model/pjrt/emit"
	"byol/model/pjrt/find"
)

// accelerator is the first device of a plugin.
type accelerator struct {
	*pjrt.Engine
	device *capi.Device
}

var precisions = map[string]emit.Precision{"fp32": emit.FP32, "bf16": emit.BF16}

// openPlugin opens the first device of the plugin at path. Programs are kept where the worker keeps them.
func (b *bench) openPlugin(path string) (*accelerator, error) {
	p, err := capi.Open(path)
	if err != nil {
		return nil, measure.Usage("-device: %w", err)
	}
	candidates := find.Candidates(find.Places{Root: os.DirFS("/"), Named: map[string][]string{"-device": {path}}})
	o := find.Gentle(candidates[0].Kind)
	o.MemoryFraction = b.memory
	client, err := p.NewClient(o)
	if err != nil {
		return nil, err
	}
	options := pjrt.Options{Precision: precisions[b.precision], Threads: b.threads}
	if options.Threads == 0 {
		options.Threads = runtime.GOMAXPROCS(0)
	}
	if cache, err := os.UserCacheDir(); err == nil { // else every run compiles
		options.Cache = filepath.Join(cache, "byol", "programs")
	}
	device := client.Devices()[0]
	e, err := pjrt.New(client, device, options)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return &accelerator{e, device}, nil
}

// plugin is the path of a -device that names one.
func (b *bench) plugin() (path string, ok bool) { return strings.CutPrefix(b.device, "pjrt:") }

// The host's part of a step on an accelerator, by what it does. What is left is its own computing.
const (
	launching = "launches" // of programs, which run on
	waiting   = "waits"    // for sums: programs run meanwhile
	copying   = "copies"   // of images and gradients
	updating  = "update"   // of both networks
)

// accounts are those of an accelerator.
var accounts = []string{launching, waiting, copying, updating}

// timed is an engine that accounts for the time of its caller.
type timed struct {
	engine.Engine
	stages *engine.Stages
	spent  map[string]time.Duration
}

func (t *timed) count(what string) func() {
	start := time.Now()
	return func() { t.spent[what] += time.Since(start) }
}

func (t *timed) Plan(ctx context.Context, n engine.Network, c engine.Cut) (*engine.Stages, error) {
	var err error
	t.stages, err = t.Engine.Plan(ctx, n, c)
	return t.stages, err
}

func (t *timed) Load(view1, view2 []float32, labels []int32) {
	defer t.count(copying)()
	t.Engine.Load(view1, view2, labels)
}

func (t *timed) Launch(s *engine.Stage, totals []float64) {
	defer t.count(launching)()
	t.Engine.Launch(s, totals)
}

func (t *timed) Sums(s *engine.Stage, to [][]float64) error {
	defer t.count(waiting)()
	return t.Engine.Sums(s, to)
}

func (t *timed) ReadLosses(to []engine.Losses) error {
	defer t.count(waiting)()
	return t.Engine.ReadLosses(to)
}

func (t *timed) Update(now, next engine.State, rate float64) (float64, error) {
	defer t.count(updating)()
	return t.Engine.Update(now, next, rate)
}

func (t *timed) Average(out, theta, xi engine.Vector, rate float64) {
	defer t.count(updating)()
	t.Engine.Average(out, theta, xi, rate)
}

func (t *timed) Gradient(shard int) engine.Vector { return timedVector{t.Engine.Gradient(shard), t} }

// timedVector is a gradient.
type timedVector struct {
	engine.Vector
	t *timed
}

func (v timedVector) Fetch(s engine.Span) engine.Transfer {
	defer v.t.count(copying)()
	return timedTransfer{v.Vector.Fetch(s), v.t}
}

type timedTransfer struct {
	engine.Transfer
	t *timed
}

func (x timedTransfer) Wait() error {
	defer x.t.count(copying)()
	return x.Transfer.Wait()
}

// alone is how long the programs of a pass take where nobody waits for sums: all are launched, and then waited for.
// What they compute is of no use.
func (t *timed) alone(b model.Batch, s engine.State) (time.Duration, error) {
	e, all := t.Engine, t.stages
	e.Load(b.View1, b.View2, b.Labels)
	e.Use(s)
	if err := e.Sync(); err != nil {
		return 0, err
	}
	start := time.Now()
	launch := func(stages ...engine.Stage) {
		for i := range stages {
			e.Launch(&stages[i], make([]float64, stages[i].Totals))
		}
	}
	launch(all.Online...)
	launch(all.Target...)
	launch(all.Losses)
	for k := range all.Backward {
		launch(all.Backward[k], all.Weights[k])
	}
	err := e.Sync()
	return time.Since(start), err
}

// onAccelerator is a whole step on an accelerator.
type onAccelerator struct {
	*byolTrial
	device *accelerator
	timed  *timed
	before pjrt.Counts
	steps  int64
}

func newAcceleratorTrial(ctx context.Context, a *accelerator, cfg model.Config) (*onAccelerator, error) {
	t := &timed{Engine: a, spent: map[string]time.Duration{}}
	work, err := newBYOLTrial(ctx, t, cfg)
	if err != nil {
		return nil, err
	}
	return &onAccelerator{byolTrial: work, device: a, timed: t}, nil
}

// begin forgets what was measured so far.
func (t *onAccelerator) begin() {
	clear(t.timed.spent)
	t.before, t.steps = t.device.Counts(), 0
}

func (t *onAccelerator) step(ctx context.Context, step int64, _ func(phase string)) error {
	t.steps++
	return t.byolTrial.step(ctx, step, func(string) {})
}

// tell adds what is known of an accelerator to a result.
func (t *onAccelerator) tell(r *result, total time.Duration) error {
	for _, what := range accounts {
		r.Phases[what] = t.timed.spent[what].Seconds() / total.Seconds()
	}
	now, mib := t.device.Counts(), float64(int64(1)<<20*t.steps)
	a := &Accelerator{Launches: float64(now.Launches-t.before.Launches) / float64(t.steps),
		Waits: float64(now.Waits-t.before.Waits) / float64(t.steps), UpMiB: float64(now.Up-t.before.Up) / mib,
		DownMiB: float64(now.Down-t.before.Down) / mib, Fits: t.device.Fits()}
	var alone []time.Duration
	for range 3 {
		took, err := t.timed.alone(t.batch, t.l.Current())
		if err != nil {
			return fmt.Errorf("run the programs alone: %w", err)
		}
		alone = append(alone, took)
	}
	a.ProgramsSeconds = measure.Summarise(measure.Seconds(alone)).Median
	if m, err := t.device.device.Memory(); err == nil { // not all plugins tell
		a.PeakMiB = float64(m.Peak) / (1 << 20)
	}
	r.Accelerator = a
	return nil
}

// Accelerator is what is known of one beside the result of all devices.
type Accelerator struct {
	Launches        float64 `json:"launches"` // of programs, in a step
	Waits           float64 `json:"waits"`    // likewise
	UpMiB           float64 `json:"up_mib"`
	DownMiB         float64 `json:"down_mib"`
	ProgramsSeconds float64 `json:"programs_seconds"` // of a pass, where nobody waits for sums
	PeakMiB         float64 `json:"device_peak_mib"`  // 0: unknown
	Fits            int     `json:"fits"`             // images of a batch that would fit; 0: unknown
}

func (a *Accelerator) String() string {
	return fmt.Sprintf("a step: %.0f programs launched, %.0f waits, %.1f MiB up, %.1f MiB down; programs alone %.1f ms\n",
		a.Launches, a.Waits, a.UpMiB, a.DownMiB, 1e3*a.ProgramsSeconds)
}
