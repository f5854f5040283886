package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	"byol/internal/failure"
	"byol/model/engine"
	"byol/model/pjrt"
	"byol/model/pjrt/emit"
	"byol/model/pjrt/find"
	pb "byol/proto"
	"byol/worker"
)

// footprintCommand is what the coordinator asks before it starts workers on its machine.
func footprintCommand() *cobra.Command {
	return &cobra.Command{
		Use: "footprint <CONFIG", Hidden: true, Args: cobra.NoArgs,
		Short: "Say what a worker of a run takes of this machine, and what there is",
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := io.ReadAll(cmd.InOrStdin())
			if err != nil {
				return fmt.Errorf("read configuration: %w", err)
			}
			cfg := &pb.RunConfig{}
			if err := protojson.Unmarshal(text, cfg); err != nil {
				return usage("worker footprint wants the configuration of a run as JSON", err.Error(),
					"it is for the coordinator; coordinator --dry-run shows what it says")
			}
			f, err := footprint(cmd.Context(), cfg)
			if err != nil {
				bad := failure.Of(err, failure.Failure{What: "this machine cannot train the run", Code: failure.Usage})
				f = &pb.Footprint{Problem: &pb.Footprint_Problem{What: bad.What, Why: bad.Why, Try: bad.Try,
					Code: int32(bad.Code)}}
			}
			out, err := protojson.Marshal(f)
			if err != nil {
				return fmt.Errorf("write footprint: %w", err)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), string(out))
			return err
		},
	}
}

func footprint(ctx context.Context, cfg *pb.RunConfig) (*pb.Footprint, error) {
	o := opener{&accelerator{index: -1}, -1, func(string) {}}
	precision, ok := precisions[cfg.Precision]
	choice, err := o.choose(ctx, cfg.Device)
	switch {
	case !ok:
		return nil, unknownPrecision(cfg.Precision)
	case err != nil:
		return nil, err
	case choice.Taken != nil:
		return onAccelerator(cfg, choice.Taken, precision)
	case precision != emit.FP32 && (cfg.Device == "" || cfg.Device == auto):
		return nil, noAccelerator(cfg.Precision, choice)
	}
	threads := int(cfg.Threads)
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	name := cfg.Device
	if name == "" || name == auto {
		name = processorName
	}
	eng, err := o.open(ctx, worker.EngineOptions{Name: name, Threads: threads, Precision: cfg.Precision,
		Kernels: cfg.Kernels, ISA: cfg.Isa})
	if err != nil {
		return nil, err
	}
	f, err := onProcessor(ctx, cfg, eng)
	return f, errors.Join(err, eng.Close())
}

func onProcessor(ctx context.Context, cfg *pb.RunConfig, eng engine.Engine) (*pb.Footprint, error) {
	needs, err := worker.Counted(ctx, cfg, eng)
	if err != nil {
		return nil, err
	}
	f, err := worker.Footprint(cfg, needs)
	if err == nil {
		f.Device = "the processor"
	}
	return f, err
}

// onAccelerator is the footprint of a worker that has an accelerator. XLA's own processor has no memory of its own.
func onAccelerator(cfg *pb.RunConfig, r *find.Report, precision emit.Precision) (*pb.Footprint, error) {
	planned := func(n engine.Network, c engine.Cut) (int64, error) { return pjrt.Planned(n, c, precision) }
	needs := worker.Mirrored
	if r.Name == string(find.CPU) {
		needs = func(n engine.Network, c engine.Cut) (int64, error) {
			mirrored, err := worker.Mirrored(n, c)
			if err != nil {
				return 0, err
			}
			own, err := planned(n, c)
			return mirrored + own, err
		}
	}
	f, err := worker.Footprint(cfg, needs)
	if err != nil {
		return nil, err
	}
	f.Device, f.Accelerators = r.Words(), int32(len(r.Devices))
	if r.Name == string(find.CPU) {
		return f, nil
	}
	f.AcceleratorMemory = r.Devices[0].Memory
	for _, d := range r.Devices {
		f.AcceleratorMemory = min(f.AcceleratorMemory, d.Memory)
	}
	f.OnAccelerator, err = worker.Linear(cfg, planned)
	return f, err
}
