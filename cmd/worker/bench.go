package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"byol/model"
	"byol/model/device"
	"byol/model/optim"
	"byol/worker"
)

// bench is what one measurement is made of.
type bench struct {
	arch, stem, device, part, output string
	kernels                          string
	profile                          string // file; empty: none
	size, batch, shards, steps, warm int
	threads, hidden, projection      int
}

// benchCommand measures steps of one worker with generated input: no data, no network.
func benchCommand() *cobra.Command {
	b := &bench{}
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure images per second of training steps with generated input",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := b.check(); err != nil {
				return err
			}
			dev, err := b.open(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			defer dev.Close()
			return b.run(cmd.Context(), dev, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&b.arch, "arch", "resnet18", "network")
	f.StringVar(&b.stem, "stem", "", "imagenet|cifar; default: cifar up to 64 pixels")
	f.StringVar(&b.device, "device", "auto", deviceNames)
	f.StringVar(&b.kernels, "kernels", "auto", kernelsHelp)
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
	f.StringVarP(&b.output, "output", "o", "text", "text|json")
	return cmd
}

func (b *bench) open(notes io.Writer) (device.Device, error) {
	o := worker.DeviceOptions{Name: b.device, Threads: b.threads, Kernels: b.kernels}
	return openDevice(o, func(note string) { fmt.Fprintln(notes, note) })
}

func (b *bench) check() error {
	switch {
	case b.batch < 1 || b.shards < 1 || b.batch%b.shards != 0 || b.steps < 1 || b.warm < 0 || b.size < 8:
		return usage("these sizes make no step", "batch must be a multiple of shards, image size at least 8",
			"worker bench --arch resnet18 --image-size 32 --batch 64 --steps 10")
	case b.part != "byol" && b.part != "encoder":
		return usage(fmt.Sprintf("--part %q is not known", b.part), "", "--part byol or encoder")
	case b.part == "encoder" && (b.shards != 1 || b.batch%2 != 0):
		return usage("the encoder alone runs an even batch in one shard", "half of the images stand for either view",
			"--batch 16 --shards 1")
	case b.output != "text" && b.output != "json":
		return usage(fmt.Sprintf("--output %q is not known", b.output), "", "--output text or json")
	}
	return nil
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
}

func (b *bench) run(ctx context.Context, dev device.Device, out io.Writer) error {
	work, err := b.trial(dev)
	if err != nil {
		return usage("the network cannot be built", err.Error(), "another --arch, --stem or --image-size")
	}
	spent := map[string]time.Duration{}
	phase, since := "", time.Now()
	begin := func(next string) {
		now := time.Now()
		spent[phase] += now.Sub(since)
		phase, since = next, now
	}
	var took []time.Duration
	var total time.Duration
	endProfile := func() error { return nil }
	for step := range b.warm + b.steps {
		if step == b.warm {
			clear(spent)
			if endProfile, err = startProfile(b.profile); err != nil {
				return err
			}
		}
		start := time.Now()
		if err := work.step(ctx, int64(step), begin); err != nil {
			return fmt.Errorf("step %d: %w", step, err)
		}
		begin("idle")
		if step >= b.warm {
			took = append(took, time.Since(start))
			total += took[len(took)-1]
		}
	}
	if err := endProfile(); err != nil {
		return err
	}
	slices.Sort(took)
	median := (took[len(took)/2] + took[(len(took)-1)/2]).Seconds() / 2
	r := result{Device: dev.Fingerprint(), Arch: b.arch, Part: b.part, ImageSize: b.size, Batch: b.batch,
		Shards: b.shards, Parameters: work.parameters(), ImagesPerSecond: float64(b.batch) / median, StepSeconds: median,
		Phases: map[string]float64{}}
	for _, name := range phases {
		r.Phases[name] = spent[name].Seconds() / total.Seconds()
	}
	return r.print(out, b.output)
}

// startProfile profiles the processor until the function it returns is called; "" is no profile.
func startProfile(name string) (end func() error, err error) {
	if name == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, usage("the profile cannot be written", err.Error(), "--profile with a file in a folder that exists")
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("start profile: %w", err)
	}
	return func() error {
		pprof.StopCPUProfile()
		if err := f.Close(); err != nil {
			return fmt.Errorf("write profile: %w", err)
		}
		return nil
	}, nil
}

func (r *result) print(out io.Writer, form string) error {
	if form == "json" {
		return json.NewEncoder(out).Encode(r)
	}
	fmt.Fprintf(out, "%s %s %d px, batch %d in %d shards, %d parameters: %.2f images/s, %.1f ms/step\n", r.Device,
		r.Arch, r.ImageSize, r.Batch, r.Shards, r.Parameters, r.ImagesPerSecond, 1e3*r.StepSeconds)
	var parts []string
	for _, name := range phases {
		parts = append(parts, fmt.Sprintf("%s %.1f %%", name, 100*r.Phases[name]))
	}
	fmt.Fprintln(out, strings.Join(parts, ", "))
	return nil
}

func (b *bench) trial(dev device.Device) (trial, error) {
	if b.part == "encoder" {
		return newEncoderTrial(dev, b.config())
	}
	l, err := model.New(dev, b.config(), b.shards, nil)
	if err != nil {
		return nil, err
	}
	l.Init(1)
	r := rand.New(rand.NewPCG(1, 2))
	n := b.batch * b.size * b.size * 3
	return &byolTrial{dev: dev, l: l, shards: b.shards,
		batch: model.Batch{View1: noise(r, n), View2: noise(r, n), Labels: make([]int32, b.batch)}}, nil
}

// byolTrial is the whole step of one worker that holds all shards.
type byolTrial struct {
	dev    device.Device
	l      *model.Learner
	batch  model.Batch
	shards int
}

func (t *byolTrial) parameters() int { return t.l.Parameters() }

func (t *byolTrial) step(ctx context.Context, step int64, begin func(phase string)) error {
	t.l.SetPhaseHook(begin)
	if _, err := t.l.Grad(ctx, t.batch, nil); err != nil {
		return err
	}
	begin("sum")
	for i := 1; i < t.shards; i++ { // as a worker does over the ring
		t.dev.AddMasked(t.l.Gradient(), t.l.ShardGradient(i), device.Buffer{}, t.l.Gradient(), t.l.Parameters())
	}
	begin("update")
	if _, err := t.l.Update(step); err != nil {
		return err
	}
	t.l.UpdateTarget(0.01)
	t.l.Commit()
	return t.dev.Sync()
}

func noise(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}
