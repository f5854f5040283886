package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
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

// occupied is a command of the scripts: `exec occupied PROGRAM ARG…` runs PROGRAM with PORT in its arguments
// replaced by a port that is in use.
func occupied() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer l.Close()
	args := os.Args[2:]
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "PORT", fmt.Sprint(l.Addr().(*net.TCPAddr).Port))
	}
	cmd := exec.Command(os.Args[1], args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
