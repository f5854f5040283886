// Command stepbench measures steps of one worker with generated input: no data, no network.
//
//	go run ./internal/bench/stepbench -arch resnet18 -image-size 32 -batch 64 -steps 10
//
// The step is a worker's that holds all shards: both networks, update, moving average; or the online encoder alone. It
// prints images per second, the median step, and the shares of its phases.
//
// When it fails: it says why, with exit code 2 where the flags make no step.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime/pprof"
	"strings"
	"time"

	"byol/internal/bench/measure"
	"byol/model"
	"byol/model/device"
	"byol/model/device/cpu"
	"byol/model/device/reference"
	"byol/model/engine/ops"
	"byol/model/optim"
)

// bench is what one measurement is made of.
type bench struct {
	arch, stem, device, part         string
	kernels, isa, precision          string
	memory                           float64
	profile                          string // file; empty: none
	size, batch, shards, steps, warm int
	threads, hidden, projection      int
	json                             bool
	now                              func() time.Time
}

func main() {
	os.Exit(measure.Main(context.Background(), "stepbench", os.Stderr, func(ctx context.Context) error {
		return run(ctx, os.Args[1:], os.Stdout, time.Now)
	}))
}

// run is the program, by a clock.
func run(ctx context.Context, args []string, out io.Writer, now func() time.Time) error {
	b, err := parse(args)
	if err != nil {
		return err
	}
	b.now = now
	r, err := b.run(ctx)
	if err != nil {
		return err
	}
	return r.print(out, b.json)
}

// run opens the device, measures and closes it.
func (b *bench) run(ctx context.Context) (r *result, err error) {
	if path, ok := b.plugin(); ok {
		a, err := b.openPlugin(path)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, a.Close()) }()
		work, err := newAcceleratorTrial(ctx, a, b.config())
		if err != nil {
			return nil, err
		}
		return b.measure(ctx, work, a.Fingerprint())
	}
	dev, err := b.open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, dev.Close()) }()
	work, err := b.trial(ctx, dev)
	if err != nil {
		return nil, measure.Usage("the network cannot be built: %w", err)
	}
	return b.measure(ctx, work, dev.Fingerprint())
}

func parse(args []string) (*bench, error) {
	b := &bench{now: time.Now}
	f := flag.NewFlagSet("stepbench", flag.ContinueOnError)
	f.StringVar(&b.arch, "arch", "resnet18", "network")
	f.StringVar(&b.stem, "stem", "", "imagenet or cifar; default: cifar up to 64 pixels")
	f.StringVar(&b.device, "device", "cpu", "cpu, reference, or pjrt:PATH of a plugin, whose first device is taken")
	f.StringVar(&b.precision, "precision", "fp32", "of an accelerator: fp32, or bf16")
	f.Float64Var(&b.memory, "memory-fraction", 0, "of an accelerator's memory that may be used; 0: what its plugin does")
	f.StringVar(&b.kernels, "kernels", "auto", "auto, or direct: convolutions without fast algorithms")
	f.StringVar(&b.isa, "isa", "auto", "instructions of the cpu: auto, avx512, avx2, generic")
	f.StringVar(&b.part, "part", "byol", "byol: the whole step; encoder: the online encoder alone, forward and backward")
	f.IntVar(&b.size, "image-size", 32, "side of the views")
	f.IntVar(&b.batch, "batch", 64, "images per step, two views each (encoder: one view each)")
	f.IntVar(&b.shards, "shards", 1, "virtual shards they are cut into")
	f.IntVar(&b.steps, "steps", 10, "steps to measure")
	f.IntVar(&b.warm, "warm-up", 2, "steps before")
	f.IntVar(&b.threads, "threads", 0, "threads to compute with; 0: all processors")
	f.IntVar(&b.hidden, "hidden", 4096, "hidden units of projector and predictor")
	f.IntVar(&b.projection, "projection", 256, "units of the projection")
	f.StringVar(&b.profile, "profile", "", "write a CPU profile of the measured steps to `FILE`, for go tool pprof")
	f.BoolVar(&b.json, "json", false, "print one line of JSON")
	if err := measure.Parse(f, args, os.Stderr); err != nil {
		return nil, err
	}
	switch {
	case b.batch < 1 || b.shards < 1 || b.batch%b.shards != 0 || b.steps < 1 || b.warm < 0 || b.size < 8:
		return nil, measure.Usage("these sizes make no step: -batch must be a multiple of -shards, -image-size at least 8")
	case b.part != "byol" && b.part != "encoder":
		return nil, measure.Usage("-part %q is not known: want byol or encoder", b.part)
	case b.part == "encoder" && (b.shards != 1 || b.batch%2 != 0):
		return nil, measure.Usage("the encoder alone runs an even batch in one shard: half of it stands for either view")
	case b.kernels != "auto" && b.kernels != "direct":
		return nil, measure.Usage("-kernels %q is not known: want auto or direct", b.kernels)
	}
	return b, b.checkPrecision()
}

func (b *bench) checkPrecision() error {
	_, known := precisions[b.precision]
	_, accelerator := b.plugin()
	switch {
	case !known:
		return measure.Usage("-precision %q is not known: want fp32 or bf16", b.precision)
	case accelerator && b.part == "encoder":
		return measure.Usage("-part encoder is for cpu and reference")
	case b.precision != "fp32" && !accelerator:
		return measure.Usage("-precision %s is for accelerators", b.precision)
	case b.memory < 0 || b.memory > 1:
		return measure.Usage("-memory-fraction must be between 0 and 1 (got %g)", b.memory)
	}
	return nil
}

func (b *bench) open() (device.Device, error) {
	switch b.device {
	case "cpu":
		return cpu.New(cpu.Options{Threads: b.threads, Direct: b.kernels == "direct", ISA: b.isa})
	case "reference":
		return reference.New(32), nil
	}
	return nil, measure.Usage("-device %q is not known: want cpu, reference or pjrt:PATH", b.device)
}

func (b *bench) config() model.Config {
	stem := b.stem
	if stem == "" {
		stem = "imagenet"
		if b.size <= 64 {
			stem = "cifar"
		}
	}
	return model.Config{Arch: b.arch, Width: 1, Stem: stem, Padding: "symmetric", ImageSize: b.size,
		ProjectorHidden: b.hidden, ProjectorOut: b.projection, PredictorHidden: b.hidden, Classes: 10,
		Batch: b.batch, Shards: b.shards, WeightDecay: 1e-6, Momentum: 0.9, Eta: 1e-3, BucketBytes: 4 << 20,
		Schedule: optim.Schedule{BaseLR: 0.2, Batch: b.batch, Total: int64(b.warm + b.steps), BaseTau: 0.99}}
}

// trial is what a step is made of.
type trial interface {
	// step runs one; begin is told each phase as it begins.
	step(ctx context.Context, step int64, begin func(phase string)) error
	parameters() int
}

// phases are those whose shares are told.
var phases = []string{"forward", "backward", "sync", "sum", "update"}

// result is what was measured. Phases holds shares of the time of all steps.
type result struct {
	Device          string             `json:"device"`
	Arch            string             `json:"arch"`
	Part            string             `json:"part"`
	ImageSize       int                `json:"image_size"`
	Batch           int                `json:"batch"`
	Shards          int                `json:"shards"`
	Parameters      int                `json:"parameters"`
	ImagesPerSecond float64            `json:"images_per_second"`
	StepSeconds     float64            `json:"step_seconds"` // median
	Phases          map[string]float64 `json:"phases"`
	*Accelerator                       // nil for other devices
}

// measure takes the steps.
func (b *bench) measure(ctx context.Context, work trial, device string) (*result, error) {
	var err error
	hosted, _ := work.(*onAccelerator)
	spent := map[string]time.Duration{}
	phase, since := "", b.now()
	begin := func(next string) {
		now := b.now()
		spent[phase] += now.Sub(since)
		phase, since = next, now
	}
	var took []time.Duration
	var total time.Duration
	endProfile := func() error { return nil }
	for step := range b.warm + b.steps {
		if step == b.warm {
			clear(spent)
			if hosted != nil {
				hosted.begin()
			}
			if endProfile, err = startProfile(b.profile); err != nil {
				return nil, err
			}
		}
		start := b.now()
		if err := work.step(ctx, int64(step), begin); err != nil {
			return nil, errors.Join(fmt.Errorf("step %d: %w", step, err), endProfile())
		}
		begin("idle")
		if step >= b.warm {
			took = append(took, b.now().Sub(start))
			total += took[len(took)-1]
		}
	}
	if err := endProfile(); err != nil {
		return nil, err
	}
	median := measure.Summarise(measure.Seconds(took)).Median
	r := &result{Device: device, Arch: b.arch, Part: b.part, ImageSize: b.size, Batch: b.batch,
		Shards: b.shards, Parameters: work.parameters(), ImagesPerSecond: float64(b.batch) / median, StepSeconds: median,
		Phases: map[string]float64{}}
	if hosted != nil {
		return r, hosted.tell(r, total)
	}
	for _, name := range phases {
		r.Phases[name] = spent[name].Seconds() / total.Seconds()
	}
	return r, nil
}

// startProfile profiles the processor until the function it returns is called; "" is no profile.
func startProfile(name string) (end func() error, err error) {
	if name == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, measure.Usage("-profile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(fmt.Errorf("start profile: %w", err), f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		if err := f.Close(); err != nil {
			return fmt.Errorf("write profile: %w", err)
		}
		return nil
	}, nil
}

func (r *result) print(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	var parts []string
	names, more := phases, ""
	if r.Accelerator != nil {
		names, more = accounts, r.Accelerator.String()
	}
	for _, name := range names {
		parts = append(parts, fmt.Sprintf("%s %.1f %%", name, 100*r.Phases[name]))
	}
	_, err := fmt.Fprintf(out, "%s %s %d px, batch %d in %d shards, %d parameters: %.2f images/s, %.1f ms/step\n%s\n%s",
		r.Device, r.Arch, r.ImageSize, r.Batch, r.Shards, r.Parameters, r.ImagesPerSecond, 1e3*r.StepSeconds,
		strings.Join(parts, ", "), more)
	return err
}

func (b *bench) trial(ctx context.Context, dev device.Device) (trial, error) {
	if b.part == "encoder" {
		return newEncoderTrial(dev, b.config())
	}
	return newBYOLTrial(ctx, ops.New(dev, nil), b.config())
}

func noise(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}
