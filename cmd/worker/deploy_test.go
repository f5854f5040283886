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
	flag := regexp.MustCompile(`- --([a-z-]+)`)
	block := regexp.MustCompile(`(?s)- name: worker\n\s+image: byol-worker\n.*?\n\s+env:`)
	found := 0
	for _, name := range []string{"base/worker.yaml", "base/coordinator.yaml"} {
		text, err := os.ReadFile("../../deploy/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range flag.FindAllStringSubmatch(block.FindString(string(text)), -1) {
			found++
			if flags.Lookup(m[1]) == nil {
				t.Errorf("%s: the worker has no flag --%s", name, m[1])
			}
		}
	}
	if found < 6 {
		t.Errorf("%d flags were found", found)
	}
}
