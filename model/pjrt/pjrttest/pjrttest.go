// Package pjrttest finds the PJRT plugins that tests run programs on. .ci/pjrt fetches them: `.ci/setup test` does, and
// so does `.ci/pjrt cpu` by hand.
//
// When it fails: a test is skipped where a plugin is not there, with what fetches it.
package pjrttest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Plugins that run on the processor, by the version of the interface that they were built with, and the one for
// NVIDIA's GPUs, which `.ci/pjrt cuda` fetches with what it compiles with.
const (
	CPU115 = "cpu/lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so"
	CPU106 = "cpu/fastatomstruct_xla_cpu/libpjrt_cpu.so"
	CUDA   = "cuda/jax_plugins/xla_cuda13/xla_cuda_plugin.so"
)

// Cache is where plugins are kept: BYOL_PJRT_CACHE, or else a folder of the user's cache.
func Cache() string {
	if dir := os.Getenv("BYOL_PJRT_CACHE"); dir != "" {
		return dir
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "byol", "pjrt")
}

// Programs is where tests keep compiled programs for the next run of them: on this machine, for its processor.
func Programs() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("byol-programs-%d", os.Getuid()))
}

// Path is where plugin is; the test is skipped if it is not there.
func Path(t testing.TB, plugin string) string {
	t.Helper()
	path := filepath.Join(Cache(), plugin)
	if _, err := os.Stat(path); err != nil {
		list, _, _ := strings.Cut(plugin, "/")
		t.Skipf("no PJRT plugin %s: .ci/pjrt %s fetches it", path, list)
	}
	return path
}
