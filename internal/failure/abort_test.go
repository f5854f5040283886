//go:build unix

package failure

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// TestAbortOnPanic runs itself as a program whose goroutine panics: it ends by SIGABRT, not with the status of wrong
// flags, and its output tells that it was a panic. Without the call it is status 2.
func TestAbortOnPanic(t *testing.T) {
	const how = "BYOL_TEST_PANIC"
	switch os.Getenv(how) {
	case "abort":
		AbortOnPanic()
		fallthrough
	case "plain":
		ended := make(chan bool)
		go panic("boom")
		<-ended
	}
	for _, c := range []struct {
		how    string
		signal syscall.Signal
		status int
	}{{"abort", syscall.SIGABRT, -1}, {"plain", -1, 2}} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAbortOnPanic$")
		cmd.Env = append(os.Environ(), how+"="+c.how)
		output, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			t.Fatalf("%s: ended with %v\n%s", c.how, err, output)
		}
		ws := exit.Sys().(syscall.WaitStatus)
		if ws.Signal() != c.signal || exit.ExitCode() != c.status {
			t.Errorf("%s: signal %v, status %d, want %v and %d\n%s", c.how, ws.Signal(), exit.ExitCode(), c.signal,
				c.status, output)
		}
		line, ok := Panic(string(output))
		if code := OfStatus(exit.ExitCode(), string(output)); !ok || line != "panic: boom" || code != Internal {
			t.Errorf("%s: panic %q, %v, code %d", c.how, line, ok, code)
		}
	}
}
