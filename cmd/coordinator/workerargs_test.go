package main

import (
	"slices"
	"strings"
	"testing"
)

// TestWorkerArgs: what is about accelerators reaches local workers, and where there are none a line says who takes it.
func TestWorkerArgs(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		args    string
		want    []string
		warning string
	}{
		{"--program-cache 8", []string{"--grace", "1m30s"}, ""},
		{"--grace 5s --memory-fraction 0.75",
			[]string{"--grace", "5s", "--memory-fraction=0.75"},
			"--memory-fraction: no worker is started here; worker takes the same flags where it is started"},
		{"--preallocate --program-cache 0",
			[]string{"--grace", "1m30s", "--preallocate=true", "--program-cache=0"},
			"--preallocate and --program-cache: no worker is started here; worker takes the same flags where it is started"},
	} {
		p, err := planned(t, strings.Fields(c.args)...)
		if err != nil {
			t.Fatalf("%s: %v", c.args, err)
		}
		if got := workerArgs(p.settings); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.args, got, c.want)
		}
		if got := notStarted(p.settings); got != c.warning || slices.Contains(p.warnings, got) != (got != "") {
			t.Errorf("%s: got %q among %q", c.args, got, p.warnings)
		}
	}
	for _, args := range []string{"--memory-fraction 1.5", "--memory-fraction -0.1", "--program-cache -1"} {
		words := strings.Fields(args)
		if _, err := planned(t, words...); err == nil || !strings.Contains(err.Error(), words[0]) {
			t.Errorf("%s: %v", args, err)
		}
	}
}
