package ahead

import (
	"fmt"
	"strings"
)

// Target describes a GPU by figures that its maker publishes: data sheets, and the tables of the CUDA programming guide
// for its compute capability.
type Target struct {
	Name        string // h100
	Product     string // as its driver calls it
	Capability  [2]int // compute capability
	Cores       int    // multiprocessors
	Units       int    // single-precision units of one
	Clock       float64
	Memory      int64 // bytes
	Bandwidth   int64 // bytes a second
	Cache       int64 // level 2, bytes
	Shared      int64 // memory that blocks of a multiprocessor share, bytes
	SharedBlock int64 // of it, at most for one block
}

// Targets are those that are known.
func Targets() []Target {
	hopper := Target{Name: "h100", Product: "NVIDIA H100 80GB HBM3", Capability: [2]int{9, 0}, Cores: 132, Units: 128,
		Clock: 1.98, Memory: 80 << 30, Bandwidth: 3_350_000_000_000, Cache: 50 << 20, Shared: 228 << 10,
		SharedBlock: 227 << 10}
	h200 := hopper
	h200.Name, h200.Product, h200.Memory, h200.Bandwidth = "h200", "NVIDIA H200", 141_000_000_000, 4_800_000_000_000
	return []Target{hopper, h200}
}

// FindTarget is the target of a name.
func FindTarget(name string) (Target, error) {
	var names []string
	for _, t := range Targets() {
		if t.Name == name {
			return t, nil
		}
		names = append(names, t.Name)
	}
	return Target{}, fmt.Errorf("target %q is not known: want one of %s", name, strings.Join(names, ", "))
}

// Text is the description as XLA reads it: a GpuTargetConfigProto as text. What all GPUs since compute capability 7.0
// have in common is written out.
func (t Target) Text() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("gpu_device_info {")
	line("  cuda_compute_capability { major: %d minor: %d }", t.Capability[0], t.Capability[1])
	line("  threads_per_warp: 32 threads_per_block_limit: 1024 threads_per_core_limit: 2048")
	line("  block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535")
	line("  registers_per_core_limit: 65536 registers_per_block_limit: 65536")
	line("  core_count: %d fpus_per_core: %d clock_rate_ghz: %g", t.Cores, t.Units, t.Clock)
	line("  shared_memory_per_block: 49152 shared_memory_per_core: %d", t.Shared)
	line("  shared_memory_per_block_optin: %d", t.SharedBlock)
	line("  device_memory_size: %d memory_bandwidth: %d l2_cache_size: %d", t.Memory, t.Bandwidth, t.Cache)
	line("}")
	line("platform_name: \"CUDA\"")
	line("dnn_version_info { major: 9 minor: 12 }")
	line("device_description_str: %q", t.Product)
	return b.String()
}
