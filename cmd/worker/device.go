package main

import (
	"fmt"

	"byol/model/device"
	"byol/model/device/cpu"
	"byol/model/device/reference"
	"byol/model/engine"
	"byol/model/engine/ops"
	"byol/worker"
)

// deviceNames are what --device takes, for messages.
const deviceNames = "auto, cpu, reference or reference64"

// kernelsHelp explains --kernels.
const kernelsHelp = "auto, or direct: convolutions without fast algorithms, which round differently"

// openEngine opens an engine on a device; note is told which one auto took, and why.
func openEngine(o worker.EngineOptions, note func(string)) (engine.Engine, error) {
	dev, err := openDevice(o, note)
	if err != nil {
		return nil, err
	}
	return ops.New(dev, o.Memory), nil
}

func openDevice(o worker.EngineOptions, note func(string)) (device.Device, error) {
	if o.Kernels != "" && o.Kernels != "auto" && o.Kernels != "direct" {
		return nil, usage(fmt.Sprintf("kernels %q are not known", o.Kernels), "", "--kernels auto or direct")
	}
	opts := cpu.Options{Threads: o.Threads, Direct: o.Kernels == "direct"}
	switch o.Name {
	case "", "auto":
		note("device cpu: this build has no CUDA device support")
		return cpu.New(opts)
	case "cpu":
		return cpu.New(opts)
	case "reference":
		return reference.New(32), nil
	case "reference64":
		return reference.New(64), nil
	case "cuda":
		return nil, usage("device cuda cannot be used", "no CUDA device support is in this build", "--device cpu")
	}
	return nil, usage(fmt.Sprintf("device %q is not known", o.Name), "", "--device "+deviceNames)
}
