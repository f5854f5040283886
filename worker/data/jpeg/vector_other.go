//go:build !amd64

package jpeg

// best is the kernel set in plain Go: there is no assembly for this architecture.
func best() *kernels { return generic() }
