package main

import (
	"context"
	"fmt"
	"strings"

	"byol/model/device"
	"byol/model/device/cpu"
	"byol/model/device/reference"
	"byol/model/engine"
	"byol/model/engine/ops"
	"byol/worker"
)

// deviceNames are what --device takes, for messages.
const deviceNames = "auto, cpu, pjrt, pjrt:PATH, cuda, rocm, tpu, reference or reference64"

// kernelsHelp explains --kernels.
const kernelsHelp = "auto, or direct: convolutions without fast algorithms, which round differently"

// isaHelp explains --isa.
const isaHelp = "instructions of the device cpu: auto, avx512, avx2, generic; the first three give the same bits"

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
	name := e.Name
	if name == "" {
		name = "auto"
	}
	if _, withPath := strings.CutPrefix(name, "pjrt:"); withPath || name == "auto" || name == "pjrt" || name == "cuda" ||
		name == "rocm" || name == "tpu" {
		choice, err := o.accelerator.find(ctx, name, o.note)
		if err != nil {
			return nil, err
		}
		if choice.Taken != nil {
			return o.accelerator.open(choice.Taken, o.rank, e.Threads, o.note)
		}
		o.note("device cpu: this machine has no accelerator that can be used")
		name = "cpu"
	}
	opts := cpu.Options{Threads: e.Threads, Direct: e.Kernels == "direct", ISA: e.ISA}
	d, err := openOwn(name, opts, o.note)
	if err != nil {
		return nil, err
	}
	return ops.New(d, e.Memory), nil
}

// openOwn opens a device of this program's own; note is told what the kernels of a processor are made of.
func openOwn(name string, o cpu.Options, note func(string)) (device.Device, error) {
	switch name {
	case "cpu":
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
