package find

import (
	"fmt"
	"strings"
)

// Report is what trying a candidate gave.
type Report struct {
	Candidate
	Refused string   `json:"refused,omitempty"` // why it cannot be used, in words; "" if it can
	API     string   `json:"api,omitempty"`     // version of the interface: "0.115"
	Name    string   `json:"platform,omitempty"`
	Version string   `json:"platform_version,omitempty"`
	Driver  string   `json:"driver,omitempty"` // "CUDA 13.0"
	Devices []Device `json:"devices,omitempty"`
}

// Device is one accelerator.
type Device struct {
	ID          int    `json:"id"`
	Kind        string `json:"kind"`
	Memory      int64  `json:"memory_bytes,omitempty"` // that may be used; 0: unknown
	Description string `json:"description"`
}

// facts are what an attempt in another process tells: what the plugin said, and what is known of the machine besides.
type facts struct {
	API      string   `json:"api"`
	Name     string   `json:"name"`
	Version  string   `json:"version"`
	Devices  []Device `json:"devices"`
	Problem  string   `json:"problem"`   // what the plugin said when it refused
	NoDevice bool     `json:"no_device"` // it was loaded, and opened no device
	Wants    int      `json:"wants"`     // the CUDA version it was built for, 13000 for 13.0
	Machine  machine  `json:"machine"`
}

// machine is what is known of a machine's accelerators without a plugin.
type machine struct {
	NVIDIALibrary bool    `json:"nvidia_library"` // libcuda.so.1 can be loaded
	NVIDIAVersion int     `json:"nvidia_version"` // the CUDA version that the driver speaks, 12040 for 12.4
	NVIDIAKernel  string  `json:"nvidia_kernel"`  // version of the driver in the kernel: "550.54.15"
	NVIDIAFiles   int     `json:"nvidia_files"`   // /dev/nvidia0 and so on
	AMDFile       bool    `json:"amd_file"`       // /dev/kfd
	TPUFiles      int     `json:"tpu_files"`      // /dev/accel0 and so on, /dev/vfio
	Visible       *string `json:"visible"`        // CUDA_VISIBLE_DEVICES, if it is set
}

// report makes a report of facts.
func (f facts) report(c Candidate) Report {
	r := Report{Candidate: c, API: f.API, Name: f.Name, Version: f.Version, Devices: f.Devices}
	if f.Machine.NVIDIAVersion > 0 && c.Kind == CUDA {
		r.Driver = "CUDA " + cudaVersion(f.Machine.NVIDIAVersion)
		if f.Machine.NVIDIAKernel != "" {
			r.Driver += ", " + f.Machine.NVIDIAKernel
		}
	}
	switch {
	case f.NoDevice:
		r.Refused = "is there, and " + f.noDevice(c.Kind)
	case f.Problem != "":
		r.Refused = oneLine(f.Problem)
	case len(f.Devices) == 0:
		r.Refused = "opens, and has no devices"
	}
	return r
}

// noDevice says why a plugin that can be loaded opens no device.
func (f facts) noDevice(k Kind) string {
	m := f.Machine
	said := oneLine(f.Problem)
	switch {
	case k == CUDA && m.NVIDIALibrary && m.NVIDIAVersion > 0 && m.NVIDIAVersion/1000 < f.Wants/1000:
		return fmt.Sprintf("sees no GPU: the driver's CUDA %s is older than the plugin's %s",
			cudaVersion(m.NVIDIAVersion), cudaVersion(f.Wants))
	case k == CUDA && !m.NVIDIALibrary && m.NVIDIAKernel == "":
		return "sees no GPU: no NVIDIA driver is on this machine (libcuda.so.1 cannot be loaded)"
	case k == CUDA && !m.NVIDIALibrary:
		return fmt.Sprintf("sees no GPU: the kernel has NVIDIA's driver %s, and libcuda.so.1 cannot be loaded: a container "+
			"is to be started with its GPUs", m.NVIDIAKernel)
	case k == CUDA && m.Visible != nil && (*m.Visible == "" || strings.HasPrefix(*m.Visible, "-1")):
		return fmt.Sprintf("sees no GPU: CUDA_VISIBLE_DEVICES=%q hides them", *m.Visible)
	case k == CUDA && m.NVIDIAFiles == 0:
		return "sees no GPU: /dev/nvidia0 is not there: a container is to be started with its GPUs"
	case k == ROCm && !m.AMDFile:
		return "sees no GPU: no AMD driver is on this machine (/dev/kfd is not there)"
	case k == TPU && m.TPUFiles == 0:
		return "sees no TPU: /dev/accel0 is not there"
	}
	return "opens no device: " + said
}

// absent says of a kind that asks the network before it looks around that there is nothing to ask for.
func (m machine) absent(c Candidate) bool { return c.Kind == TPU && !c.Named && m.TPUFiles == 0 }

// cudaVersion writes 12040 as 12.4.
func cudaVersion(v int) string { return fmt.Sprintf("%d.%d", v/1000, v%1000/10) }

// oneLine is the first line of a message that has more, without spaces at its ends.
func oneLine(s string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return strings.TrimSpace(first)
}
