package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"byol/coordinator"
	"byol/internal/failure"
)

// ending is the real program, waiting for a worker that never comes.
type ending struct {
	cmd *exec.Cmd
	err string // a file
}

// waits starts it by way of the shell, if there is one, and returns when it serves.
func waits(t *testing.T, stdout *os.File, shell string) *ending {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	e := &ending{cmd: program(t, "coordinator", waiting(dir)...), err: filepath.Join(t.TempDir(), "stderr")}
	if shell != "" {
		path, err := exec.LookPath("sh")
		if err != nil {
			t.Fatal(err)
		}
		e.cmd.Args = append([]string{"sh", "-c", shell + `; exec "$0" "$@"`, e.cmd.Path}, e.cmd.Args[1:]...)
		e.cmd.Path = path
	}
	if stdout != nil {
		e.cmd.Stdout = stdout
	}
	stderr, err := os.Create(e.err)
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	e.cmd.Stderr = stderr
	if err := e.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "card", func() bool {
		return exists(filepath.Join(dir, coordinator.CardFile)) || strings.Contains(read(t, e.err), "[exit ")
	})
	return e
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (e *ending) signal(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := e.cmd.Process.Signal(sig); err != nil {
		t.Error(err)
	}
}

func (e *ending) ended(t *testing.T, name string, status int, words string) {
	t.Helper()
	got, told := exitStatus(e.cmd.Wait()), read(t, e.err)
	if got != status || !strings.Contains(told, words) {
		t.Errorf("%s: ended with %d, want %d and %q:\n%s", name, got, status, words, told)
	}
}

// TestEnds has the world ask the real program to end in each way there is: all are orderly.
func TestEnds(t *testing.T) {
	t.Parallel()
	for name, sig := range map[string]os.Signal{"stopped by hangup": syscall.SIGHUP,
		"stopped by terminated": syscall.SIGTERM,
		"stopped by interrupt":  os.Interrupt} {
		e := waits(t, nil, "")
		e.signal(t, sig)
		e.ended(t, name, failure.Temporary, name)
	}
	e := waits(t, nil, "")
	e.signal(t, syscall.SIGTERM)
	_ = e.cmd.Process.Signal(syscall.SIGTERM) // of the group and of each process; it may have ended by now
	e.ended(t, "twice in a moment", failure.Temporary, "stopped by terminated")

	e = waits(t, nil, `trap "" HUP`)
	e.signal(t, syscall.SIGHUP)
	time.Sleep(50 * time.Millisecond) // to see it live on
	e.signal(t, syscall.SIGTERM)
	e.ended(t, "nohup", failure.Temporary, "stopped by terminated")
}

// TestUnread takes the reader of standard output away, before the first word and later: it ends in good order. A
// device that is full is no reader that is gone.
func TestUnread(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	e := waits(t, w, "")
	w.Close()
	e.ended(t, "closed at once", failure.Temporary, "stopped by the end of whoever read its output")

	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no device that is full: ", err)
	}
	defer full.Close()
	for name, stdout := range map[string]string{"full": "", "closed": "exec >&-"} {
		e := waits(t, full, stdout)
		e.signal(t, syscall.SIGTERM)
		e.ended(t, name, failure.Temporary, "stopped by terminated")
	}
}
