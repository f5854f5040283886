package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"byol/coordinator"
	"byol/internal/failure"
	pb "byol/proto"
)

// workerProgram builds the program that computes, as of this test's version.
func workerProgram(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: it trains with real processes; make unit runs it")
	}
	path := filepath.Join(t.TempDir(), "worker")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", path, "-ldflags", "-X main.version=v1-test",
		"byol/cmd/worker")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

// reported runs a drill, whatever it says of times, and wants certain lines in its report.
func reported(t *testing.T, drill *exec.Cmd, out string, want ...string) {
	t.Helper()
	said, err := drill.CombinedOutput()
	page, missing := os.ReadFile(filepath.Join(out, "report.md"))
	if missing != nil {
		t.Fatalf("%v: %v\n%s", missing, err, said)
	}
	text := string(page)
	for _, line := range want {
		if !strings.Contains(text, line) {
			t.Errorf("no %q in\n%s\n%v\n%s", line, text, err, said)
		}
	}
}

// TestDrillRun drills a run that goes on: its workers come back by its own launcher, and it goes on afterwards.
func TestDrillRun(t *testing.T) {
	t.Parallel()
	worker := workerProgram(t)
	dir, out := filepath.Join(t.TempDir(), "run"), t.TempDir()
	train := program(t, "coordinator", append(demoFlags(3, 2*time.Second), "--worker-binary", worker, "--run-dir", dir,
		"--grace", "60s")...)
	var said bytes.Buffer
	train.Stdout, train.Stderr = &said, &said
	if err := train.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = train.Process.Kill() })
	until(t, "card", func() bool { return exists(filepath.Join(dir, coordinator.CardFile)) })
	reported(t, program(t, "coordinator", "drill", dir, "--kill-worker", "2", "--stop", "1", "-o", out), out,
		"# Drill of "+dir, "| kill-worker | 2 | 2 |", "| stop | 1 | 1 |", "| steps lost | 0 |", "exactly once | passed |")
	if text := read(t, filepath.Join(out, "steps.svg")); !strings.Contains(text, "stop of worker-") {
		t.Error("the picture has no stop")
	}
	if err := train.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := exitStatus(train.Wait()); got != failure.Temporary {
		t.Errorf("the run ended with %d, want %d:\n%s", got, failure.Temporary, &said)
	}
}

// TestDrillDemo has real coordinators fail over, and the run end with the bits of one without faults.
func TestDrillDemo(t *testing.T) {
	t.Parallel()
	worker, out := workerProgram(t), t.TempDir()
	reported(t, program(t, "coordinator", "drill", "--demo", "--workers", "3", "--worker-binary", worker, "-o", out,
		"--kill-worker", "1", "--kill-leader", "1", "--partition-leader", "1", "--corrupt", "1"), out,
		"3 workers and 3 coordinators", "| kill-worker | 1 | 1 |", "| kill-leader | 1 | 1 |", "| partition-leader | 1 | 1 |",
		"| corrupt | 1 | 1 |", "| steps lost | 0 |", "exactly once | passed |", "the same bits at every step, and at the end",
		"2 faults hit the coordinator that led; another led after ")
	dirs := []string{filepath.Join(out, "never"), filepath.Join(out, "run", "a"), filepath.Join(out, "run", "b"),
		filepath.Join(out, "run", "c")}
	if config, err := configOf(dirs); err != nil || config.Shards != demoShards {
		t.Errorf("the configuration: %v, %v", config, err)
	}
}

// TestDrillEnds: a drill does not wait for a run that is over.
func TestDrillEnds(t *testing.T) {
	t.Parallel()
	s := &scene{dir: t.TempDir()}
	var f *failure.Failure
	if err := s.hopeless(errors.New("nobody answers")); !errors.As(err, &f) || f.What != "the run has ended" {
		t.Errorf("without a card: %v", err)
	}
	write(t, filepath.Join(s.dir, coordinator.CardFile), `{"address": "127.0.0.1:1"}`, false)
	if err := s.hopeless(errors.New("nobody answers")); err != nil {
		t.Errorf("a coordinator that does not answer now: %v", err)
	}
	ended := trains(7, "w0", "w1", "w2")
	ended.State, ended.StateReason = pb.RunState_RUN_STATE_STOPPED, "stopped by a signal"
	o := &operated{statuses: []*pb.Status{ended}}
	s = &scene{places: []*place{{endpoint: endpoint{server: o.serve(t)}, journal: newJournal(s.dir)}}}
	defer s.close()
	if _, err := s.ready(t.Context(), few); err == nil || err.Error() == "" ||
		!strings.Contains(err.Error(), "the run has ended: stopped by a signal") {
		t.Errorf("a run that was stopped: %v", err)
	}
	ended.Stale = true
	if _, err := s.status(t.Context()); err == nil || !strings.Contains(err.Error(), "does not lead") {
		t.Errorf("a coordinator that follows: %v", err)
	}
}
