package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"byol/model/device"
	"byol/model/device/cpu"
	"byol/model/device/reference"
	"byol/model/engine"
	"byol/model/engine/ops"
	"byol/model/pjrt"
	"byol/model/pjrt/emit"
	"byol/model/pjrt/find"
	"byol/worker"
)

// The device that is chosen here, and this program's own.
const (
	auto          = "auto"
	processorName = "cpu"
)

// deviceNames are what --device takes, for messages.
const deviceNames = "auto, cpu, pjrt, pjrt:PATH, cuda, rocm, tpu, reference or reference64"

// kernelsHelp explains --kernels.
const kernelsHelp = "auto, or direct: convolutions without fast algorithms, which round differently"

// isaHelp explains --isa.
const isaHelp = "instructions of the device cpu: auto, avx512, avx2, generic; the first three give the same bits"

// precisionHelp explains --precision.
const precisionHelp = "of activations and products: fp32, or bf16, which only accelerators compute in"

// precisions are what --precision takes.
var precisions = map[string]emit.Precision{"": emit.FP32, "fp32": emit.FP32, "bf16": emit.BF16}

// opener opens engines.
type opener struct {
	accelerator *accelerator
	rank        int          // of the worker; −1: none
	note        func(string) // is told which device was taken, and why others were not
}

// open opens the engine that a device's name stands for.
func (o opener) open(ctx context.Context, e worker.EngineOptions) (engine.Engine, error) {
	if e.Kernels != "" && e.Kernels != "auto" && e.Kernels != "direct" {
		return nil, usage(fmt.Sprintf("kernels %q are not known", e.Kernels), "", "--kernels auto or direct")
	}
	precision, ok := precisions[e.Precision]
	if !ok {
		return nil, unknownPrecision(e.Precision)
	}
	choice, err := o.choose(ctx, e.Name)
	if err != nil {
		return nil, err
	}
	if choice.Taken != nil {
		return o.accelerator.open(choice.Taken, o.rank, pjrt.Options{Threads: e.Threads, Precision: precision,
			Exchange: e.Programs},
			teller{o.note, e.Preparing})
	}
	name := e.Name
	if name == "" || name == auto {
		if precision != emit.FP32 {
			return nil, noAccelerator(e.Precision, choice)
		}
		o.note("device cpu: this machine has no accelerator that can be used")
		name = processorName
	}
	if precision != emit.FP32 && (name == processorName || name == "reference" || name == "reference64") {
		return nil, usage(fmt.Sprintf("device %s cannot be used with --precision %s", name, e.Precision),
			"it computes in fp32 alone", "--device auto, which takes an accelerator, or --precision fp32")
	}
	opts := cpu.Options{Threads: e.Threads, Direct: e.Kernels == "direct", ISA: e.ISA}
	d, err := openOwn(name, opts, o.note)
	if err != nil {
		return nil, err
	}
	return ops.New(d, e.Memory), nil
}

// choose is the plugin that a device's name stands for; none is taken for a device of this program's own.
func (o opener) choose(ctx context.Context, name string) (find.Choice, error) {
	switch {
	case name == "":
		name = auto
	case !strings.HasPrefix(name, "pjrt:") && !slices.Contains([]string{auto, "pjrt", "cuda", "rocm", "tpu"}, name):
		return find.Choice{}, nil
	}
	return o.accelerator.find(ctx, name, o.note)
}

func unknownPrecision(name string) error {
	return usage(fmt.Sprintf("--precision %q is not known", name), "", "--precision fp32 or bf16")
}

// noAccelerator says what keeps a precision of accelerators from being computed in on this machine.
func noAccelerator(precision string, c find.Choice) error {
	why := "no PJRT plugin was found on this machine"
	if len(c.Tried) > 0 {
		why = strings.Join(c.Words(), "; ")
	}
	return usage(fmt.Sprintf("there is no accelerator for --precision %s", precision), why,
		"`worker devices` shows what is there; --precision fp32 is computed everywhere")
}

// openOwn opens a device of this program's own; note is told what the kernels of a processor are made of.
func openOwn(name string, o cpu.Options, note func(string)) (device.Device, error) {
	switch name {
	case processorName:
		d, err := cpu.New(o)
		if err != nil {
			return nil, usage("device cpu cannot be used", err.Error(), "--isa auto")
		}
		note(fmt.Sprintf("device cpu: %s kernels, %d threads", d.ISA(), d.Threads()))
		return d, nil
	case "reference":
		return reference.New(32), nil
	case "reference64":
		return reference.New(64), nil
	}
	return nil, usage(fmt.Sprintf("device %q is not known", name), "", "--device "+deviceNames)
}
