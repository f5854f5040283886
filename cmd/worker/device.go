package main

import (
	"fmt"

	"byol/model/device"
	"byol/model/device/cpu"
	"byol/model/device/reference"
)

// deviceNames are what --device takes, for messages.
const deviceNames = "auto, cpu, reference or reference64"

// openDevice opens a device by its name; note is told which one auto took, and why.
func openDevice(name string, threads int, note func(string)) (device.Device, error) {
	switch name {
	case "", "auto":
		note("device cpu: this build has no CUDA device support")
		return cpu.New(cpu.Options{Threads: threads})
	case "cpu":
		return cpu.New(cpu.Options{Threads: threads})
	case "reference":
		return reference.New(32), nil
	case "reference64":
		return reference.New(64), nil
	case "cuda":
		return nil, usage("device cuda cannot be used", "no CUDA device support is in this build", "--device cpu")
	}
	return nil, usage(fmt.Sprintf("device %q is not known", name), "", "--device "+deviceNames)
}
