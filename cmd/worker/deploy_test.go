package main

import (
	"os"
	"regexp"
	"testing"

	"github.com/spf13/pflag"
)

// TestDeployArguments: the flags that manifests and examples give the worker are flags of it.
func TestDeployArguments(t *testing.T) {
	s := &settings{}
	flags := pflag.NewFlagSet("worker", pflag.ContinueOnError)
	s.register(flags)
	flag := regexp.MustCompile(`(?:^|[\s"\[])--([a-z-]+)`)
	container := `(?s)- name: worker\n\s+image: byol-worker\n(.*?)\n\s+env:`
	words := `image: byol-worker:dev\n(?:.*\n){0,2}? *(?:args|command): (.*)\n`
	for _, c := range []struct {
		name, command string
		times, flags  int
	}{
		{"base/worker.yaml", container, 1, 3},
		{"base/coordinator.yaml", container, 1, 4},
		{"examples/trainjob.yaml", words, 2, 7},
		{"examples/pytorchjob.yaml", words, 2, 7},
		{"examples/compose.yaml", words, 2, 5},
		{"examples/systemd/byol-worker.service", `\nExecStart=/usr/local/bin/worker (.*)\n`, 1, 1},
		{"examples/slurm.sbatch", `\nsrun .*"\$bin/worker" (.*) &\n`, 1, 2},
	} {
		text, err := os.ReadFile("../../deploy/" + c.name)
		if err != nil {
			t.Fatal(err)
		}
		commands, found := regexp.MustCompile(c.command).FindAllStringSubmatch(string(text), -1), 0
		for _, command := range commands {
			for _, m := range flag.FindAllStringSubmatch(command[1], -1) {
				found++
				if flags.Lookup(m[1]) == nil {
					t.Errorf("%s: the worker has no flag --%s", c.name, m[1])
				}
			}
		}
		if len(commands) != c.times || found != c.flags {
			t.Errorf("%s: %d commands with %d flags, want %d with %d", c.name, len(commands), found, c.times, c.flags)
		}
	}
}
