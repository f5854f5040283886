// Package launch runs the workers of a local run as child processes, and starts those again that end before their
// time. They end with the coordinator, however it ends. What they say goes through a pipe to logs that are bounded.
//
// Workers owns the processes and the goroutines that wait for them; Stop returns when all have ended. What becomes of a
// worker that ended is decided by a function of how it ended, how long it worked and what was before (policy.go).
//
// # When it fails
//
// Start returns a Failure when a process cannot be started; those that run already are then Stop's, as always. How a
// process ended, and what becomes of its worker, is told by Options.Exited, with the lines of its log that say why.
package launch

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"byol/coordinator/logs"
	"byol/internal/failure"
)

// Options say what to start.
type Options struct {
	// Binary and Args start a process; --coordinator, --index and --threads are added, and --workers where it stands for
	// several.
	Binary string
	Args   []string
	// Coordinator is the address that they connect to.
	Coordinator string
	// Processes are how many workers each process stands for, by index.
	Processes []int
	// Accelerators are the machine's, which workers take in turn; 0: there are none, or nobody asked.
	Accelerators int
	// Threads each worker computes with; 0: an equal share of the machine.
	Threads int
	// Logs is the directory of their logs; it is made when missing.
	Logs string
	// MaxRestarts is how often in a row a worker is started again; 0: never.
	MaxRestarts int
	// Steps is how many committed steps the worker of an index has taken part in; nil: none.
	Steps func(index int) int64
	// Keys makes what a worker shows to others, which it inherits as the descriptor that --tls-fd names; nil: nothing.
	Keys func(index int) ([]byte, error)
	// Exited is told how each process ended, from goroutines of their own.
	Exited func(Exit)

	spawn func(index int) (process, error) // nil: real processes
}

// Exit is how a worker's process ended.
type Exit struct {
	Index, Code int
	Signalled   bool   // by somebody else, or by the system
	Signal      int    // which, 0 when it is not known
	Lack        string // of memory, for which the kernel killed it; "" when it did not
	Status      string // in words
	Log, Tail   string // the log's path, and its last lines that say what is wrong
	Next        Next
}

// How says how the process ended, for a line of its own.
func (x *Exit) How() string {
	switch {
	case x.Lack != "":
		return fmt.Sprintf("was killed (signal %d): %s", x.Signal, x.Lack)
	case x.Signal == int(syscall.SIGKILL):
		return fmt.Sprintf("was killed (signal %d)", x.Signal)
	case x.Signalled || x.Tail == "":
		return "ended (" + x.Status + ")"
	}
	return "ended (" + x.Status + "): " + x.Tail
}

// Workers are the processes of a run.
type Workers struct {
	opts    Options
	places  []*place
	tasks   sync.WaitGroup
	forks   chan func() // for the thread that starts processes
	resting chan struct{}
	rest    sync.Once
	quit    sync.Once
	memory  *memory
}

// place is one worker of the run, or several that share a process: one process after the other.
type place struct {
	index int
	past  past
	ended chan struct{} // closed when its last process has ended and none follows

	mu      sync.Mutex // guards what follows
	running process    // nil between two
}

// process is one that runs.
type process interface {
	wait() Exit
	signal(os.Signal)
}

const (
	dumpBytes = 1 << 20  // the stacks of all goroutines, above which is why the Go runtime wrote them
	tailBytes = 16 << 10 // other last words
	tailLines = 4
)

// Start starts all workers. It returns when they run, or with the reason why one doesn't; Stop must be called in
// either case.
func Start(o Options) (*Workers, error) {
	w := &Workers{opts: o, forks: make(chan func()), resting: make(chan struct{}), memory: watchMemory("/")}
	if w.opts.Steps == nil {
		w.opts.Steps = func(int) int64 { return 0 }
	}
	if w.opts.spawn == nil {
		w.opts.spawn = w.fork
	}
	if err := os.MkdirAll(o.Logs, 0o755); err != nil {
		return w, unwritable("the directory of the workers' logs cannot be made", err)
	}
	w.tasks.Go(func() {
		// A child is told of the death of the thread that started it, so this thread stays to the end.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for fork := range w.forks {
			fork()
		}
	})
	for i := range o.Processes {
		p := &place{index: i, ended: make(chan struct{})}
		first, err := w.begin(p)
		if err != nil {
			return w, err
		}
		w.places = append(w.places, p)
		w.tasks.Go(func() { w.tend(p, first) })
	}
	return w, nil
}

// begin starts a process of p on the thread that is there for it; it is nil when nothing is started any more.
func (w *Workers) begin(p *place) (process, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.rests() {
		return nil, nil
	}
	var made process
	var err error
	done := make(chan struct{})
	w.forks <- func() {
		defer close(done)
		made, err = w.opts.spawn(p.index)
	}
	<-done
	if err != nil {
		return nil, err
	}
	p.running = made
	return made, nil
}

// tend waits for the process of p, and for those that follow it.
func (w *Workers) tend(p *place, running process) {
	defer close(p.ended)
	for {
		began, before := time.Now(), w.opts.Steps(p.index)
		x := running.wait()
		p.mu.Lock()
		p.running = nil
		p.mu.Unlock()
		x.Index = p.index
		x.Next = p.past.after(x, life{lasted: time.Since(began), steps: w.opts.Steps(p.index) - before}, w.opts.MaxRestarts)
		if w.rests() {
			x.Next = Next{Limit: x.Next.Limit}
		}
		w.opts.Exited(x)
		if !x.Next.Restart || !w.pause(x.Next.After) {
			return
		}
		next, err := w.begin(p)
		switch {
		case err != nil:
			running = unborn{err}
		case next == nil:
			return
		default:
			running = next
		}
	}
}

// startHint is what to do about a process that cannot be started.
func startHint(err error) string {
	return cmp.Or(Shortage(err), "make build, or --worker-binary PATH")
}

// Shortage is what to do where the system has no more of what starting a process takes, "" where that is not why.
func Shortage(err error) string {
	switch {
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "a higher limit of open files: ulimit -n 1024"
	case errors.Is(err, syscall.EAGAIN):
		return "a higher limit of processes and threads: ulimit -u, or that of a container (pids)"
	case errors.Is(err, syscall.ENOMEM):
		return "more memory, or a higher limit of it: ulimit -v, or that of a container"
	}
	return ""
}

// unborn is a process that could not be started.
type unborn struct{ err error }

func (u unborn) wait() Exit {
	return Exit{Code: failure.Internal, Status: "it cannot be started: " + u.err.Error()}
}

func (unborn) signal(os.Signal) {}

// pause waits, and reports whether the wait is over and something may still be started.
func (w *Workers) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-w.resting:
		return false
	}
}

// Rest has no worker be started any more. Those that run stay.
func (w *Workers) Rest() { w.rest.Do(func() { close(w.resting) }) }

func (w *Workers) rests() bool {
	select {
	case <-w.resting:
		return true
	default:
		return false
	}
}

// child is a worker process.
type child struct {
	cmd    *exec.Cmd
	path   string // of its log
	says   *logs.Lines
	memory *memory
}

// lastWords is how long the output of a process that has ended is waited for: one of its children may hold it open.
const lastWords = 2 * time.Second

// fork starts a real process.
func (w *Workers) fork(index int) (process, error) {
	o := &w.opts
	threads := o.Threads
	if threads <= 0 {
		threads = Threads(runtime.GOMAXPROCS(0), len(o.Processes))
	}
	path := filepath.Join(o.Logs, fmt.Sprintf("worker-%d%s", index, logs.Ending))
	out, err := logs.Open(path, logs.OfWorker, nil)
	if err != nil {
		return nil, unwritable(fmt.Sprintf("the log of worker %d cannot be opened", index), err)
	}
	k := &child{path: path, says: &logs.Lines{File: out}, memory: w.memory}
	args := append(slices.Clone(o.Args), "--coordinator", o.Coordinator, "--index", fmt.Sprint(index),
		"--threads", fmt.Sprint(threads))
	if n := o.Processes[index]; n > 1 {
		args = append(args, "--workers", fmt.Sprint(n))
	}
	if o.Accelerators > 0 {
		args = append(args, "--device-index", fmt.Sprint(index%o.Accelerators))
	}
	keys, err := o.keys(index)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make keys of worker %d: %w", index, err), out.Close())
	}
	if keys != nil {
		defer keys.Close()
		args = append(args, "--tls-fd", fmt.Sprint(firstExtra))
	}
	k.cmd = exec.Command(o.Binary, args...)
	k.cmd.Stdout, k.cmd.Stderr = k.says, k.says
	k.cmd.WaitDelay = lastWords
	if keys != nil {
		k.cmd.ExtraFiles = []*os.File{keys}
	}
	k.cmd.SysProcAttr = childAttributes()
	if err := k.cmd.Start(); err != nil {
		_ = out.Close() // nothing was written
		return nil, &failure.Failure{What: fmt.Sprintf("worker %d of %d cannot be started", index, len(o.Processes)),
			Why: err.Error(), Try: startHint(err), Code: failure.Usage}
	}
	return k, nil
}

// firstExtra is the descriptor that a child gets behind its three streams.
const firstExtra = 3

// keys are those of a worker, to be read from a pipe, which holds them all; nil where there are none.
func (o *Options) keys(index int) (*os.File, error) {
	if o.Keys == nil {
		return nil, nil
	}
	text, err := o.Keys(index)
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	_, err = w.Write(text) // a few KiB: it does not wait
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func unwritable(what string, err error) error {
	return &failure.Failure{What: what, Why: err.Error(), Err: err, Code: failure.Usage,
		Try: "another --run-dir, or --out of an evaluation, that you may write to"}
}

// shellKilled is the status with which a shell ends whose command was killed.
const shellKilled = 128 + int(syscall.SIGKILL)

// wait returns how k ended.
func (k *child) wait() Exit {
	err := k.cmd.Wait()
	k.says.Flush()
	output := written(k.says.File)
	_ = k.says.File.Close() // what the disk did not take is lost
	x := Exit{Log: k.path, Status: "it ended with status 0", Tail: tail(output)}
	var status *exec.ExitError
	switch {
	case errors.As(err, &status):
		x.Code, x.Status = failure.OfStatus(status.ExitCode(), output), status.String()
		killed := status.ExitCode() == shellKilled
		if ws, ok := status.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			_, panicked := failure.Panic(output)
			x.Signal = int(ws.Signal())
			x.Signalled = ws.Signal() != syscall.SIGABRT || !panicked // a panic aborts, which nobody else did
			killed = ws.Signal() == syscall.SIGKILL
		}
		if killed {
			x.Signalled, x.Signal = true, int(syscall.SIGKILL)
			if x.Lack = k.memory.lack(peakOf(status.SysUsage())); x.Lack != "" {
				x.Status += ": " + x.Lack
			}
		}
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		x.Code, x.Status = failure.Internal, err.Error()
	}
	return x
}

func (k *child) signal(sig os.Signal) { _ = k.cmd.Process.Signal(sig) } // it may have ended by now

// Stop ends the workers: it asks those that run to, and kills them after the grace. It returns when all that Start
// began has ended.
func (w *Workers) Stop(grace time.Duration) {
	w.Rest()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	for _, p := range w.places {
		p.signal(syscall.SIGTERM)
	}
	for _, p := range w.places {
		select {
		case <-p.ended:
			continue
		case <-timer.C:
			timer.Reset(0)
		}
		p.signal(syscall.SIGKILL)
		<-p.ended
	}
	w.quit.Do(func() { close(w.forks) })
	w.tasks.Wait()
}

// signal reaches the process that runs, if one does.
func (p *place) signal(sig os.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running != nil {
		p.running.signal(sig)
	}
}

// Wait gives the workers time to end by themselves. None is started any more.
func (w *Workers) Wait(limit time.Duration) {
	w.Rest()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for _, p := range w.places {
		select {
		case <-p.ended:
		case <-timer.C:
			return
		}
	}
}

// written is the end of what one process wrote to its log, in whole lines.
func written(f *logs.File) string {
	text, err := f.Last(dumpBytes)
	if err != nil {
		return err.Error()
	}
	return lastLines(string(text), dumpBytes-1)
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
