package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"byol/model"
	"byol/model/device"
	"byol/model/optim"
)

// bench is what one measurement is made of.
type bench struct {
	arch, stem, device               string
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
			if b.batch < 1 || b.shards < 1 || b.batch%b.shards != 0 || b.steps < 1 || b.size < 8 {
				return usage("these sizes make no step", "batch must be a multiple of shards, image size at least 8",
					"worker bench --arch resnet18 --image-size 32 --batch 64 --steps 10")
			}
			dev, err := openDevice(b.device, b.threads, func(note string) { fmt.Fprintln(cmd.ErrOrStderr(), note) })
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
	f.IntVar(&b.size, "image-size", 32, "side of the views")
	f.IntVar(&b.batch, "batch", 64, "images per step, two views each")
	f.IntVar(&b.shards, "shards", 1, "virtual shards they are cut into")
	f.IntVar(&b.steps, "steps", 10, "steps to measure")
	f.IntVar(&b.warm, "warm-up", 2, "steps before")
	f.IntVar(&b.threads, "threads", 0, "threads to compute with; 0: all processors")
	f.IntVar(&b.hidden, "hidden", 4096, "hidden units of projector and predictor")
	f.IntVar(&b.projection, "projection", 256, "units of the projection")
	return cmd
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

func (b *bench) run(ctx context.Context, dev device.Device, out io.Writer) error {
	l, err := model.New(dev, b.config(), b.shards, nil)
	if err != nil {
		return usage("the network cannot be built", err.Error(), "another --arch, --stem or --image-size")
	}
	l.Init(1)
	r := rand.New(rand.NewPCG(1, 2))
	batch := model.Batch{View1: noise(r, b.batch*b.size*b.size*3), View2: noise(r, b.batch*b.size*b.size*3),
		Labels: make([]int32, b.batch)}
	spent := map[string]time.Duration{}
	phase, since := "", time.Now()
	begin := func(next string) {
		now := time.Now()
		spent[phase] += now.Sub(since)
		phase, since = next, now
	}
	l.SetPhaseHook(begin)
	var start time.Time
	for step := range b.warm + b.steps {
		if step == b.warm {
			clear(spent)
			start = time.Now()
		}
		if _, err := l.Grad(ctx, batch, nil); err != nil {
			return fmt.Errorf("step %d: %w", step, err)
		}
		begin("sum")
		sumShards(dev, l, b.shards)
		begin("update")
		if _, err := l.Update(int64(step)); err != nil {
			return fmt.Errorf("step %d: %w", step, err)
		}
		l.UpdateTarget(0.01)
		l.Commit()
		if err := dev.Sync(); err != nil {
			return fmt.Errorf("step %d: %w", step, err)
		}
		begin("idle")
	}
	total := time.Since(start)
	fmt.Fprintf(out, "%s %s %d px, batch %d in %d shards, %d parameters: %.2f images/s, %.1f ms/step\n", dev.Fingerprint(),
		b.arch, b.size, b.batch, b.shards, l.Parameters(), float64(b.batch*b.steps)/total.Seconds(),
		float64(total.Microseconds())/1e3/float64(b.steps))
	var parts []string
	for _, name := range []string{"forward", "backward", "sync", "sum", "update"} {
		parts = append(parts, fmt.Sprintf("%s %.1f %%", name, 100*spent[name].Seconds()/total.Seconds()))
	}
	fmt.Fprintln(out, strings.Join(parts, ", "))
	return nil
}

// sumShards adds the gradients of the shards into the first, as a worker does over the ring.
func sumShards(dev device.Device, l *model.Learner, shards int) {
	for i := 1; i < shards; i++ {
		dev.AddMasked(l.Gradient(), l.ShardGradient(i), device.Buffer{}, l.Gradient(), l.Parameters())
	}
}

func noise(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}
