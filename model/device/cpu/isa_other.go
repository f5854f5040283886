//go:build !amd64

package cpu

// sets are the kernel sets that this processor runs: there is no assembly for this architecture.
func sets() []*kernels { return []*kernels{generic()} }
