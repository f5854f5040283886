package main

import (
	"flag"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite the golden screens in testdata/script")

// TestMain makes the program a command of the scripts.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"coordinator": func() { version = "v1-test"; os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) },
		"exitcode":    exitcode,
		"occupied":    occupied,
	})
}

// TestScripts runs testdata/script/*.txtar: each shows screens and messages, and the exit code of each error.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("TZ", "UTC")
			return nil
		},
	})
}
