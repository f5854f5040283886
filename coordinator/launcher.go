package coordinator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"byol/coordinator/settings"
)

// launcher runs the workers of a local run as child processes. They end with the coordinator, however it ends.
type launcher struct {
	c        *Coordinator
	children []*child
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

// exit is how a child ended.
type exit struct {
	index, code int
	signalled   bool
	status      string // in words
	log, tail   string // the log's path, and its last lines
}

const (
	tailBytes = 4 << 10
	tailLines = 4
)

// launch starts all workers. It returns when they run, or with the reason why one doesn't; then stop must be
// called as well.
func (c *Coordinator) launch() (*launcher, error) {
	l := &launcher{c: c, quit: make(chan struct{})}
	dir := filepath.Join(c.runDir, "logs")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return l, fmt.Errorf("make log directory: %w", err)
	}
	started := make(chan error, 1)
	c.start(func() {
		// A child is told of the death of the thread that started it, so this thread stays to the end.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		started <- l.startAll(dir)
		<-l.quit
	})
	err := <-started
	for _, k := range l.children {
		c.start(func() { l.watch(k) })
	}
	return l, err
}

func (l *launcher) startAll(dir string) error {
	o := l.c.opts
	threads := int(o.Config.Threads)
	if threads <= 0 {
		threads = settings.Threads(runtime.GOMAXPROCS(0), o.Workers)
	}
	for i := range o.Workers {
		k := &child{index: i, log: filepath.Join(dir, fmt.Sprintf("worker-%d.log", i)), ended: make(chan struct{})}
		out, err := os.OpenFile(k.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return fmt.Errorf("open worker log: %w", err)
		}
		if info, err := out.Stat(); err == nil {
			k.from = info.Size()
		}
		args := append(append([]string{}, o.WorkerArgs...), "--coordinator", l.c.reachable(), "--index", fmt.Sprint(i),
			"--threads", fmt.Sprint(threads))
		k.cmd = exec.Command(o.WorkerBinary, args...)
		k.cmd.Stdout, k.cmd.Stderr = out, out
		k.cmd.SysProcAttr = childAttributes()
		err = k.cmd.Start()
		if closeErr := out.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return &Failure{What: fmt.Sprintf("worker %d of %d cannot be started", i, o.Workers), Why: err.Error(),
				Try: "make build, or --worker-binary PATH", Code: ExitUsage}
		}
		l.children = append(l.children, k)
	}
	return nil
}

// watch tells the driver how k ended.
func (l *launcher) watch(k *child) {
	err := k.cmd.Wait()
	x := exit{index: k.index, log: k.log, status: "it ended with status 0"}
	var status *exec.ExitError
	switch {
	case errors.As(err, &status):
		x.code, x.status = status.ExitCode(), status.String()
		if ws, ok := status.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			x.signalled = true
		}
	case err != nil:
		x.code, x.status = ExitInternal, err.Error()
	}
	x.tail = tail(k.log, k.from)
	close(k.ended)
	_ = l.c.post(l.c.life, &childEnded{exit: x}) // nobody listens any more when the run is over
}

// stop ends the children that still run: it asks them to, and kills them after the grace.
func (l *launcher) stop(grace time.Duration) {
	defer l.released.Do(func() { close(l.quit) })
	timer := time.NewTimer(grace)
	defer timer.Stop()
	for _, k := range l.children {
		if !k.over() {
			_ = k.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by now
		}
	}
	for _, k := range l.children {
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
}

func (k *child) over() bool {
	select {
	case <-k.ended:
		return true
	default:
		return false
	}
}

// wait gives the children time to end by themselves.
func (l *launcher) wait(limit time.Duration) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for _, k := range l.children {
		select {
		case <-k.ended:
		case <-timer.C:
			return
		}
	}
}

// tail returns the last lines of the log at path, of what was written from offset from on, joined.
func tail(path string, from int64) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err.Error()
	}
	buf := make([]byte, min(tailBytes, max(0, info.Size()-from)))
	n, err := f.ReadAt(buf, info.Size()-int64(len(buf)))
	if err != nil && !errors.Is(err, io.EOF) {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(buf[:n])), "\n")
	lines = lines[max(0, len(lines)-tailLines):]
	for i, line := range lines {
		lines[i] = plain(line)
	}
	return strings.Join(lines, " | ")
}

// plain shortens a structured log line to its message and error.
func plain(line string) string {
	var entry struct{ Msg, Error string }
	if json.Unmarshal([]byte(line), &entry) != nil || entry.Msg == "" {
		return line
	}
	if entry.Error != "" {
		return entry.Msg + ": " + entry.Error
	}
	return entry.Msg
}
