package coordinator

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"byol/internal/failure"
	pb "byol/proto"
)

// fakeWorker as first argument makes the test binary a worker process that does what the second says.
const fakeWorker = "fake-worker"

// TestMain runs the tests and then fails if a goroutine is left. While fuzzing, package testing leaves one that waits
// for signals.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == fakeWorker {
		os.Exit(workerProcess(os.Args[2], os.Args[3:]))
	}
	before := runtime.NumGoroutine()
	code := m.Run()
	if flag.Lookup("test.fuzz").Value.String() != "" {
		before++
	}
	if left := leaked(before); left != "" && code == 0 {
		fmt.Println(left)
		code = 1
	}
	os.Exit(code)
}

// workerProcess is a fake worker as a process: "train", "refuse" to say why it can't and end with status 5,
// or "linger" to train and not to end.
func workerProcess(what string, args []string) int {
	value := map[string]string{}
	for i := 0; i+1 < len(args); i += 2 {
		value[args[i]] = args[i+1]
	}
	fmt.Printf(`{"level":"info","msg":"worker %s threads %s"}`+"\n", value["--index"], value["--threads"])
	if what == "refuse" {
		fmt.Println("error: the data is gone")
		return failure.Data
	}
	if what == "abort" {
		failure.AbortOnPanic()
	}
	if what == "panic" || what == "abort" {
		var none map[string]int
		none["worker"] = 1
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	index := 0
	if _, err := fmt.Sscan(value["--index"], &index); err != nil {
		return failure.Usage
	}
	stands := 1
	if text, several := value["--workers"]; several {
		if _, err := fmt.Sscan(text, &stands); err != nil {
			return failure.Usage
		}
	}
	f := &fake{address: value["--coordinator"], disk: newDisk(), deed: deed{step: -1},
		complain: func(format string, args ...any) { fmt.Printf(format+"\n", args...) },
		join: &pb.Join{Index: int32(index), DataAddress: "127.0.0.1:1", Pid: int32(os.Getpid()), Build: "b1",
			Workers: int32(stands)}}
	if what == "slow" {
		f.deed = deed{step: 2, delay: 10 * time.Second}
	}
	if _, err := f.run(ctx); err != nil {
		fmt.Println("error:", err)
		return failure.Internal
	}
	if what == "linger" {
		time.Sleep(time.Minute)
	}
	return 0
}

func local(t *testing.T, n int, what string) Options {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	opts := options(t, n)
	opts.WorkerArgs = []string{fakeWorker, what}
	opts.Launcher, opts.WorkerBinary = LauncherLocal, self
	opts.Config.SaveEverySteps = 0
	opts.Checkpoints = nil // each process has a disk of its own
	return opts
}

func TestLocalWorkers(t *testing.T) {
	t.Parallel()
	opts := local(t, 2, "train")
	w := begin(t, opts)
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	log := read(t, filepath.Join(opts.RunDir, "logs", "worker-1.log"))
	if log != `{"level":"info","msg":"worker 1 threads 1"}`+"\n" {
		t.Errorf("log of worker 1: %q", log)
	}
	if n := len(digests(t, opts.RunDir)); n != 20 {
		t.Errorf("%d steps, want 20", n)
	}
}

// TestLocalWorkerLingers: a worker that has left, and whose process does not end, is not waited for as long as one that
// has a step to finish.
func TestLocalWorkerLingers(t *testing.T) {
	t.Parallel()
	opts := local(t, 1, "linger")
	opts.Grace, opts.FailureTimeout = 25*time.Second, 4*time.Second
	began := time.Now()
	if err := begin(t, opts).end(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took >= opts.Grace {
		t.Errorf("the end took %v", took)
	}
}

func TestLocalWorkerEndsAtOnce(t *testing.T) {
	t.Parallel()
	w := begin(t, local(t, 2, "refuse"))
	w.failed(failure.Data, "ended before it joined: exit status 5", "error: the data is gone")
}

// TestLocalWorkerPanics: a worker with a bug ends by SIGABRT, or with the status of wrong flags if it is of another
// make. It is taken neither for wrong flags nor for killed by somebody.
func TestLocalWorkerPanics(t *testing.T) {
	t.Parallel()
	for what, status := range map[string]string{"panic": "exit status 2", "abort": "signal: aborted"} {
		w := begin(t, local(t, 1, what))
		f := w.failed(failure.Training, "ended before it joined: "+status, "panic: assignment to entry in nil map")
		if strings.Contains(f.Try, "out of memory") {
			t.Errorf("%s: blames the machine: %s", what, f.Try)
		}
	}
}

// TestLocalWorkerIsKilled kills one of two processes in the middle of a step: the run goes on to its end, and leaves no
// process behind.
func TestLocalWorkerIsKilled(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		workers, processes int
		name               string
	}{{2, 0, "worker-1"}, {3, 2, "worker-1 (2 workers)"}} {
		opts := local(t, c.workers, "slow")
		opts.Processes = c.processes
		killOne(t, begin(t, opts), c.name)
	}
}

func killOne(t *testing.T, w *world, name string) {
	t.Helper()
	c := w.client()
	s := w.until(c, "step 2", func(s *pb.Status) bool { return s.Progress.Step == 2 })
	killed, other := int(s.Workers[1].Pid), int(s.Workers[0].Pid)
	if err := syscall.Kill(killed, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := w.end(); err != nil {
		t.Errorf("the run ended with %v", err)
	}
	if events := read(t, filepath.Join(w.opts.RunDir, "events.jsonl")); !strings.Contains(events,
		name+" ended (signal: killed) at step 2") {
		t.Errorf("events:\n%s", events)
	}
	if err := syscall.Kill(other, 0); err == nil {
		t.Errorf("process %d of worker 0 is left", other)
	}
}

// TestAbort ends everything at once.
func TestAbort(t *testing.T) {
	t.Parallel()
	opts := local(t, 2, "slow")
	w := begin(t, opts)
	w.until(w.client(), "step 2", func(s *pb.Status) bool { return s.Progress.Step == 2 })
	w.c.Abort()
	w.failed(failure.Interrupted, "interrupted at step 2")
}
