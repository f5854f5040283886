package main

import (
	"runtime"
	"testing"

	"byol/coordinator/launch"
	"byol/coordinator/settings"
)

// TestOverlaps: auto leaves steps to themselves where local workers have all cores, and nowhere else.
func TestOverlaps(t *testing.T) {
	cores := runtime.GOMAXPROCS(0)
	for _, c := range []struct {
		overlap, launcher string
		workers, threads  int
		want              bool
	}{
		{"auto", "local", cores, 1, false},
		{"auto", "local", 1, cores, false},
		{"auto", "local", 4 * cores, 1, false},
		{"auto", "none", cores, 1, true},
		{"on", "local", cores, 1, true},
		{"off", "none", 1, 1, false},
	} {
		s := &settings.Values{Overlap: c.overlap, Workers: c.workers, Threads: c.threads}
		p := &plan{resolution: &resolution{settings: s}, launcher: c.launcher, processes: launch.Share(c.workers, c.workers)}
		if got := p.overlaps(); got != c.want {
			t.Errorf("%+v on %d cores: got %v", c, cores, got)
		}
	}
}
