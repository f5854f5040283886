package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestDocumentedFlags looks the flags that operating.md gives for accelerators up in this program: the coordinator's
// test of documents knows its own alone.
func TestDocumentedFlags(t *testing.T) {
	known := map[string]bool{}
	var collect func(*cobra.Command)
	collect = func(cmd *cobra.Command) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) { known[f.Name] = true })
		for _, c := range cmd.Commands() {
			collect(c)
		}
	}
	collect(rootCommand())
	text, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## Accelerators\n")
	section, _, _ = strings.Cut(section, "\n## ")
	flags := regexp.MustCompile("--([a-z][a-z-]+)").FindAllStringSubmatch(section, -1)
	if !found || len(flags) < 5 {
		t.Fatalf("operating.md has no section of accelerators with flags: %v", flags)
	}
	for _, f := range flags {
		if !known[f[1]] {
			t.Errorf("--%s is no flag of the worker", f[1])
		}
	}
}
