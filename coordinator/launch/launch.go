// Package launch runs the workers of a local run as child processes. They end with the coordinator, however it ends.
//
// Workers owns the processes and the goroutines that wait for them; Stop returns when all have ended.
//
// # When it fails
//
// Start returns a Failure when a process cannot be started; those that run already are then Stop's, as always. How a
// process ended is told by Options.Exited, with the lines of its log that say why.
package launch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"byol/coordinator/settings"
	"byol/internal/failure"
)

// Options say what to start.
type Options struct {
	// Binary and Args start a worker; --coordinator, --index and --threads are added.
	Binary string
	Args   []string
	// Coordinator is the address that they connect to.
	Coordinator string
	Workers     int
	// Threads each worker computes with; 0: an equal share of the machine.
	Threads int
	// Logs is the directory of their logs; it is made when missing.
	Logs string
	// Exited is told how each ended, from goroutines of their own.
	Exited func(Exit)
}

// Exit is how a worker ended.
type Exit struct {
	Index, Code int
	Signalled   bool   // by somebody else, or by the system
	Status      string // in words
	Log, Tail   string // the log's path, and its last lines that say what is wrong
}

// Workers are the processes of a run.
type Workers struct {
	children []*child
	tasks    sync.WaitGroup
	quit     chan struct{}
	released sync.Once
}

// child is a worker process.
type child struct {
	index int
	cmd   *exec.Cmd
	log   string
	from  int64 // where this process's output begins in the log
	ended chan struct{}
}

const (
	dumpBytes = 1 << 20  // the stacks of all goroutines, above which is why the Go runtime wrote them
	tailBytes = 16 << 10 // other last words
	tailLines = 4
)

// Start starts all workers. It returns when they run, or with the reason why one doesn't; Stop must be called in
// either case.
func Start(o Options) (*Workers, error) {
	w := &Workers{quit: make(chan struct{})}
	if err := os.MkdirAll(o.Logs, 0o755); err != nil {
		return w, unwritable("the directory of the workers' logs cannot be made", err)
	}
	started := make(chan error, 1)
	w.tasks.Go(func() {
		// A child is told of the death of the thread that started it, so this thread stays to the end.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		started <- w.startAll(o)
		<-w.quit
	})
	err := <-started
	for _, k := range w.children {
		w.tasks.Go(func() {
			exit := k.wait()
			close(k.ended)
			o.Exited(exit)
		})
	}
	return w, err
}

func (w *Workers) startAll(o Options) error {
	threads := o.Threads
	if threads <= 0 {
		threads = settings.Threads(runtime.GOMAXPROCS(0), o.Workers)
	}
	for i := range o.Workers {
		k := &child{index: i, log: filepath.Join(o.Logs, fmt.Sprintf("worker-%d.log", i)), ended: make(chan struct{})}
		out, err := os.OpenFile(k.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return unwritable(fmt.Sprintf("the log of worker %d cannot be opened", i), err)
		}
		if info, err := out.Stat(); err == nil {
			k.from = info.Size()
		}
		args := append(slices.Clone(o.Args), "--coordinator", o.Coordinator, "--index", fmt.Sprint(i),
			"--threads", fmt.Sprint(threads))
		k.cmd = exec.Command(o.Binary, args...)
		k.cmd.Stdout, k.cmd.Stderr = out, out
		k.cmd.SysProcAttr = childAttributes()
		err = k.cmd.Start()
		if closeErr := out.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return &failure.Failure{What: fmt.Sprintf("worker %d of %d cannot be started", i, o.Workers), Why: err.Error(),
				Try: "make build, or --worker-binary PATH", Code: failure.Usage}
		}
		w.children = append(w.children, k)
	}
	return nil
}

func unwritable(what string, err error) error {
	return &failure.Failure{What: what, Why: err.Error(), Err: err, Try: "another --run-dir", Code: failure.Usage}
}

// wait returns how k ended.
func (k *child) wait() Exit {
	err := k.cmd.Wait()
	output := written(k.log, k.from)
	x := Exit{Index: k.index, Log: k.log, Status: "it ended with status 0", Tail: tail(output)}
	var status *exec.ExitError
	switch {
	case errors.As(err, &status):
		x.Code, x.Status = failure.OfStatus(status.ExitCode(), output), status.String()
		if ws, ok := status.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			_, panicked := failure.Panic(output)
			x.Signalled = ws.Signal() != syscall.SIGABRT || !panicked // a panic aborts, which nobody else did
		}
	case err != nil:
		x.Code, x.Status = failure.Internal, err.Error()
	}
	return x
}

// Stop ends the children that still run: it asks them to, and kills them after the grace. It returns when all that
// Start began has ended.
func (w *Workers) Stop(grace time.Duration) {
	timer := time.NewTimer(grace)
	defer timer.Stop()
	for _, k := range w.children {
		if !k.over() {
			_ = k.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by now
		}
	}
	for _, k := range w.children {
		select {
		case <-k.ended:
			continue
		case <-timer.C:
			timer.Reset(0)
		}
		if !k.over() {
			_ = k.cmd.Process.Kill()
		}
		<-k.ended
	}
	w.released.Do(func() { close(w.quit) })
	w.tasks.Wait()
}

func (k *child) over() bool {
	select {
	case <-k.ended:
		return true
	default:
		return false
	}
}

// Wait gives the children time to end by themselves.
func (w *Workers) Wait(limit time.Duration) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for _, k := range w.children {
		select {
		case <-k.ended:
		case <-timer.C:
			return
		}
	}
}

// written is the end of what the log at path holds from offset from on, in whole lines.
func written(path string, from int64) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err.Error()
	}
	buf := make([]byte, min(dumpBytes, max(0, info.Size()-from)))
	n, err := f.ReadAt(buf, info.Size()-int64(len(buf)))
	if err != nil && !errors.Is(err, io.EOF) {
		return err.Error()
	}
	return lastLines(string(buf[:n]), dumpBytes-1)
}

// lastLines are the whole lines among the last limit bytes of text.
func lastLines(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	_, whole, _ := strings.Cut(text[len(text)-limit-1:], "\n") // that byte may end the line before
	return whole
}

// tail is what a process that wrote output said last: why the Go runtime ended it, if it did, and otherwise the last
// lines that say what is wrong, joined: all but those that a worker logs while all is well.
func tail(output string) string {
	if line, ok := failure.Panic(output); ok {
		return line
	}
	var told []string
	for line := range strings.Lines(lastLines(output, tailBytes)) {
		if text := telling(strings.TrimSpace(line)); text != "" {
			told = append(told, text)
		}
	}
	return strings.Join(told[max(0, len(told)-tailLines):], " | ")
}

// telling shortens a structured log line to its message and error, "" when it is of a level that nobody need read.
// Lines that are not structured stay: a panic, or what a library wrote.
func telling(line string) string {
	var entry struct{ Level, Msg, Error string }
	if json.Unmarshal([]byte(line), &entry) != nil || entry.Msg == "" {
		return line
	}
	switch {
	case entry.Level == "debug" || entry.Level == "info":
		return ""
	case entry.Error != "":
		return entry.Msg + ": " + entry.Error
	}
	return entry.Msg
}
