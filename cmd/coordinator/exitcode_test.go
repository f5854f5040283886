package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// exitcode is a command of the scripts: `exec exitcode N PROGRAM ARG…` succeeds when PROGRAM exits with N.
// Everything PROGRAM prints on standard error comes out on standard output, to be compared with goldens.
func exitcode() {
	cmd := exec.Command(os.Args[2], os.Args[3:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stdout
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if got := fmt.Sprint(cmd.ProcessState.ExitCode()); got != os.Args[1] {
		fmt.Fprintf(os.Stderr, "%v: exit code %s, want %s\n", os.Args[2:], got, os.Args[1])
		os.Exit(1)
	}
}
