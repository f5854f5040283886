package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagUse is a long flag in a document; a setting of a tool that isn't ours is not within code that names us.
var flagUse = regexp.MustCompile(`(?:^|[\s` + "`" + `(])--([a-z][a-z0-9-]*)`)

// foreignFlags are flags of other programs, the worker among them, and those of every command, that our documents show.
var foreignFlags = map[string]bool{"build-arg": true, "coordinator": true, "id": true, "index": true, "help": true,
	"pjrt-plugin": true, "device-index": true, "memory-fraction": true, "preallocate": true, "for": true,
	"program-cache": true, "gpus": true, "data-root": true, "from-file": true, "timeout": true, "cascade": true,
	"ignore-missing": true, "tags": true, "version": true}

// TestDocumentedFlags looks every flag that a document speaks of up in the program.
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
	var documents []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/decisions/*.md", "deploy/*.md"} {
		names, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, names...)
	}
	if len(documents) < 5 {
		t.Fatalf("found only %v", documents)
	}
	for _, name := range documents {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			for _, m := range flagUse.FindAllStringSubmatch(line, -1) {
				if !known[m[1]] && !foreignFlags[m[1]] {
					t.Errorf("%s: --%s is no flag of the coordinator: %s", name, m[1], strings.TrimSpace(line))
				}
			}
		}
	}
}
