package main

import (
	"flag"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite the golden screens in testdata/script")

// TestMain makes the program a command of the scripts. Tests that were started under nohup, which has SIGHUP ignored,
// do not pass that on to the programs they start.
func TestMain(m *testing.M) {
	if strings.HasSuffix(os.Args[0], ".test") {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
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
