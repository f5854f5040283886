package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"byol/coordinator"
	"byol/internal/failure"
	pb "byol/proto"
)

// program is this test binary as the command of that name: testscript puts it on the path.
func program(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir = t.TempDir()
	return cmd
}

// waiting are the flags of a run that waits for a worker that never comes.
func waiting(dir string, more ...string) []string {
	return append([]string{"--launcher", "none", "--listen", "127.0.0.1:0", "--workers", "1", "--run-dir", dir}, more...)
}

// until polls for a condition that a process brings about.
func until(t *testing.T, what string, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !met(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after 20 s there is still no %s", what)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// TestRefusedStart: a second start on a run that is going on is refused, and leaves what the first has written.
func TestRefusedStart(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	first := program(t, "coordinator", waiting(dir)...)
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "card", func() bool { return exists(filepath.Join(dir, coordinator.CardFile)) })
	kept := filepath.Join(dir, coordinator.SettingsFile)
	before, err := os.ReadFile(kept)
	if err != nil || !strings.Contains(string(before), `keep: "3"`) {
		t.Fatalf("settings of the first start: %q, %v", before, err)
	}
	out, err := program(t, "coordinator", waiting(dir, "--keep", "9")...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "error: another coordinator uses "+dir) ||
		!strings.Contains(string(out), fmt.Sprintf("process %d serves it", first.Process.Pid)) ||
		!strings.Contains(string(out), "[exit 2]") {
		t.Errorf("the second start: %v\n%s", err, out)
	}
	if after, err := os.ReadFile(kept); err != nil || !bytes.Equal(after, before) {
		t.Errorf("the refused start wrote over the settings: %q, %v", after, err)
	}
	if err := first.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := exitStatus(first.Wait()); got != failure.Temporary {
		t.Errorf("the first start ended with %d, want %d", got, failure.Temporary)
	}
}

// TestStartsAtOnce: of several starts in one moment one takes the directory, and the settings are its own.
func TestStartsAtOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	outputs := make([]bytes.Buffer, 3)
	starts := make([]*exec.Cmd, len(outputs))
	for i := range starts {
		starts[i] = program(t, "coordinator", waiting(dir, "--keep", fmt.Sprint(10+i))...)
		starts[i].Stdout, starts[i].Stderr = &outputs[i], &outputs[i]
		if err := starts[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "card", func() bool { return exists(filepath.Join(dir, coordinator.CardFile)) })
	card, err := coordinator.ReadCard(dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, coordinator.SettingsFile))
	if err != nil {
		t.Fatal(err)
	}
	for i, cmd := range starts {
		want := failure.Usage
		if cmd.Process.Pid == card.PID {
			want = failure.Temporary
			if !strings.Contains(string(text), fmt.Sprintf("keep: \"%d\"", 10+i)) {
				t.Errorf("start %d won, and the settings are\n%s", i, text)
			}
			defer func() {
				if got := exitStatus(cmd.Wait()); got != want {
					t.Errorf("start %d, which won, ended with %d, want %d:\n%s", i, got, want, &outputs[i])
				}
			}()
			continue
		}
		if got := exitStatus(cmd.Wait()); got != want || !strings.Contains(outputs[i].String(), "another coordinator uses") {
			t.Errorf("start %d ended with %d, want %d:\n%s", i, got, want, &outputs[i])
		}
	}
	if err := syscall.Kill(card.PID, syscall.SIGTERM); err != nil {
		t.Error(err)
	}
}

// exitStatus is the exit status of a process that ended with err, −1 when a signal ended it.
func exitStatus(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -2
}

// TestSignalAtAnyMoment sends the real program a signal at many moments of its start. It ends with the code for it and
// says so. Only before the program has come to its first line may the system end it; then it has done nothing.
func TestSignalAtAnyMoment(t *testing.T) {
	t.Parallel()
	told, signals := 0, 24
	for i := 0; i < signals || told < 12 && i < 4*signals; i++ { // later ones on a machine that is slow to start
		after := time.Duration(i*i) * time.Millisecond / 2 // dense at the beginning, to 265 ms
		sig, want := []os.Signal{syscall.SIGTERM, os.Interrupt, syscall.SIGHUP}[i%3], failure.Temporary
		dir := filepath.Join(t.TempDir(), "run")
		cmd := program(t, "coordinator", waiting(dir)...)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(after)
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		err := cmd.Wait()
		switch got := exitStatus(err); {
		case got == -1 && out.Len() == 0 && !exists(dir):
		case got != want || !strings.Contains(out.String(), "error: stopped by "+sig.String()) ||
			!strings.Contains(out.String(), "why: nothing was trained yet"):
			t.Errorf("%v after %v: %v, want status %d and a reason:\n%s", sig, after, err, want, &out)
		default:
			told++
		}
	}
	if told < 12 {
		t.Errorf("only %d signals came after the first line: nothing is tested", told)
	}
}

// TestSecondSignal: another signal ends the program at once, also where there is no run to abort. With one, it ends
// when the run has, or after a last grace.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		abort   func(s *stopping) func()
		exits   int
		minimum time.Duration
	}{
		{"no run", nil, 1, 0},
		{"a run that ends", func(s *stopping) func() { return func() { close(s.released) } }, 0, 0},
		{"a run that does not", func(*stopping) func() { return func() {} }, 1, lastGrace},
	} {
		synctest.Test(t, func(t *testing.T) {
			var exits, said []string
			stopped := false
			s := &stopping{stop: func() { stopped = true }, exit: func(status int) { exits = append(exits, fmt.Sprint(status)) },
				released: make(chan struct{}),
				say:      func(format string, a ...any) { said = append(said, fmt.Sprintf(format, a...)) }}
			began := time.Now()
			if c.abort != nil {
				s.abortBy(func() { go c.abort(s)() })
			}
			s.inOrder(syscall.SIGTERM)
			s.atOnce(os.Interrupt)
			if !stopped || s.signal() != syscall.SIGTERM || len(exits) != c.exits || time.Since(began) < c.minimum {
				t.Errorf("%s: stopped %v by %v, exits %v after %v", c.name, stopped, s.signal(), exits, time.Since(began))
			}
			want := []string{"terminated: saving and stopping; once more stops at once", "stopping at once"}
			if fmt.Sprint(said) != fmt.Sprint(want) {
				t.Errorf("%s: said %q, want %q", c.name, said, want)
			}
		})
	}
}

// TestInterrupted: a run that a signal stopped ends with the signal's code when its state is saved, and one that a
// second signal ended is told as such. A run that was done before the signal was taken is a run that is done.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	stopped := &failure.Failure{What: "stopped at step 3 of 9", Code: failure.Temporary}
	aborted := &failure.Failure{What: "interrupted at step 3", Code: failure.Interrupted}
	lost := &failure.Failure{What: "worker-0 was lost", Code: failure.Training}
	refused := &failure.Failure{What: "another run", Code: failure.Usage}
	trained := &pb.Status{}
	for _, c := range []struct {
		name string
		sig  os.Signal
		st   *pb.Status
		err  error
		code failure.Code // 0: no failure
		what string
	}{
		{"saved", syscall.SIGTERM, trained, stopped, failure.Temporary, "stopped by terminated"},
		{"saved, by Ctrl-C", os.Interrupt, trained, stopped, failure.Temporary, "stopped by interrupt"},
		{"twice", syscall.SIGTERM, trained, aborted, failure.Interrupted, "interrupted at step 3"},
		{"twice at the beginning", syscall.SIGTERM, nil, aborted, failure.Interrupted, "interrupted at step 3"},
		{"cannot be saved", syscall.SIGTERM, trained, lost, failure.Training, "worker-0 was lost"},
		{"before it began", syscall.SIGTERM, nil, refused, failure.Temporary, "stopped by terminated"},
		{"while files were looked at", os.Interrupt, nil, context.Canceled, failure.Temporary, "stopped by interrupt"},
		{"complete", syscall.SIGTERM, trained, nil, 0, ""},
	} {
		err := interrupted(c.sig, c.st, c.err)
		var f *failure.Failure
		switch {
		case c.code == 0 && err != nil:
			t.Errorf("%s: %v, want no failure", c.name, err)
		case c.code != 0 && (!errors.As(err, &f) || f.Code != c.code || f.What != c.what):
			t.Errorf("%s: %+v, want %q with code %d", c.name, err, c.what, c.code)
		}
	}
}

// TestInterruptedSaysWhatIsSaved: one that led knows that there is no checkpoint, one that another led does not.
func TestInterruptedSaysWhatIsSaved(t *testing.T) {
	t.Parallel()
	for why, st := range map[string]*pb.Status{
		"no checkpoint was written: 21 steps are lost": {},
		"another coordinator led":                      {Stale: true},
		"the state after step 20 is in /x/step-20": {Stale: true,
			LastCheckpoint: &pb.CheckpointInfo{Step: 20, Path: "/x/step-20"}},
	} {
		st.Progress = &pb.Progress{Step: 21}
		err := interrupted(syscall.SIGTERM, st, &failure.Failure{What: "asked to go", Code: failure.Temporary})
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("got %v, want %q in it", err, why)
		}
	}
	st := &pb.Status{RunId: "r", Stale: true}
	if got := summary(st, ""); !strings.Contains(got, "nothing that this coordinator heard of") {
		t.Errorf("the summary of one that did not lead is %q", got)
	}
}

// TestNoSignal: a program that ends by itself has not been stopped.
func TestNoSignal(t *testing.T) {
	ctx, s := stopOnSignal(t.Context(), newScreen(&bytes.Buffer{}))
	if s.signal() != nil || ctx.Err() != nil {
		t.Errorf("before any signal: %v, %v", s.signal(), ctx.Err())
	}
	s.release()
	<-ctx.Done()
	if s.signal() != nil {
		t.Errorf("after the end: %v", s.signal())
	}
}

// TestOddDirectory: what means something in a URL means nothing in the name of a run directory.
func TestOddDirectory(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"s3:run", "100%zz", "a%20b", "what?x=1#y"} {
		cmd := program(t, "coordinator", waiting(dir, "--join-timeout", "50ms")...)
		out, err := cmd.CombinedOutput()
		if got := exitStatus(err); got != failure.TooFew || !exists(filepath.Join(cmd.Dir, dir, "coordinator.log")) {
			t.Errorf("%s: ended with %d, want %d and a log:\n%s", dir, got, failure.TooFew, out)
		}
	}
}

// TestLastWords: why a program did not answer is what it said itself.
func TestLastWords(t *testing.T) {
	t.Parallel()
	_, err := exec.CommandContext(t.Context(), "sh", "-c", "echo no thread is left >&2; echo more >&2; exit 2").Output()
	if got := lastWords(err); got != "exit status 2: no thread is left" {
		t.Errorf("got %q", got)
	}
}
