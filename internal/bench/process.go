package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is one of the processes of a side.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
}

// measure starts a side's processes once, waits for them, and reads their figures.
func (e *environment) measure(ctx context.Context, s *side, variant []string, short bool) (*reading, error) {
	tmp, err := os.MkdirTemp(e.places["tmp"], "run-")
	if err != nil {
		return nil, fmt.Errorf("make temporary folder: %w", err)
	}
	defer os.RemoveAll(tmp)
	ctx, stop := context.WithTimeoutCause(ctx, e.options.limit,
		fmt.Errorf("took longer than %v (-limit)", e.options.limit))
	defer stop()
	ranks, err := e.prepare(ctx, s, variant, short, tmp)
	if err != nil {
		return nil, err
	}
	if err := runAll(ctx, ranks); err != nil {
		return nil, err
	}
	read := s.read
	if read == nil {
		read = readJSON
	}
	r, err := read(ranks[0].stdout.Bytes(), tmp)
	if err != nil {
		return nil, fmt.Errorf("read figures of %s: %w", filepath.Base(ranks[0].cmd.Path), err)
	}
	for _, p := range ranks {
		r.peakMiB = max(r.peakMiB, peakMiB(p.cmd.ProcessState))
	}
	return r, nil
}

// prepare makes the commands of all ranks.
func (e *environment) prepare(ctx context.Context, s *side, variant []string, short bool,
	tmp string) ([]*process, error) {
	places := e.placesOf(ctx, s, tmp)
	var argv []string
	for _, a := range append(s.argv[:len(s.argv):len(s.argv)], variant...) {
		x, err := expand(a, places, short)
		if err != nil {
			return nil, err
		}
		argv = append(argv, x)
	}
	// byol's own variables would change what is compared, and it refuses those of this program.
	environment := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "BYOL_") })
	for _, a := range s.environment {
		// A variable whose place isn't there stays as it is.
		if x, err := expand(a, places, short); err == nil {
			environment = append(environment, x)
		}
	}
	port := 0
	if s.ranks > 1 {
		var err error
		if port, err = freePort(); err != nil {
			return nil, err
		}
	}
	var ranks []*process
	for r := range max(s.ranks, 1) {
		p := &process{cmd: exec.CommandContext(ctx, argv[0], argv[1:]...)}
		p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = e.root, &p.stdout, &p.stderr
		p.cmd.Env = environment
		if s.ranks > 1 {
			p.cmd.Env = append(environment[:len(environment):len(environment)], "RANK="+strconv.Itoa(r),
				"LOCAL_RANK="+strconv.Itoa(r), "WORLD_SIZE="+strconv.Itoa(s.ranks), "MASTER_ADDR=127.0.0.1",
				"MASTER_PORT="+strconv.Itoa(port))
		}
		// A group of its own, so that what it started ends with it.
		p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		p.cmd.Cancel = func() error { return syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) }
		p.cmd.WaitDelay = 5 * time.Second
		ranks = append(ranks, p)
	}
	return ranks, nil
}

// runAll starts all and waits for all. If one fails, the others are left to notice, within the context's limit.
func runAll(ctx context.Context, ranks []*process) error {
	var failed error
	started := 0
	for _, p := range ranks {
		if failed = p.cmd.Start(); failed != nil {
			break
		}
		started++
	}
	if failed != nil {
		for _, p := range ranks[:started] {
			_ = p.cmd.Cancel()
		}
	}
	for r, p := range ranks[:started] {
		err := p.cmd.Wait()
		if cause := context.Cause(ctx); err != nil && cause != nil {
			err = cause
		}
		if err != nil && failed == nil {
			failed = fmt.Errorf("%s%s: %w%s", filepath.Base(p.cmd.Path), ofRank(r, len(ranks)), err, lastWords(&p.stderr))
		}
	}
	return failed
}

func ofRank(r, ranks int) string {
	if ranks == 1 {
		return ""
	}
	return fmt.Sprintf(", rank %d of %d", r, ranks)
}

// lastWords is the end of what a failed program said.
func lastWords(b *bytes.Buffer) string {
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if lines[0] == "" && len(lines) == 1 {
		return ""
	}
	return ": " + strings.Join(lines[max(len(lines)-3, 0):], " / ")
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	address, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, errors.New("find a free port: no TCP address")
	}
	return address.Port, nil
}

// peakMiB is the largest resident memory of a process and of those that it started and waited for, taken singly.
func peakMiB(s *os.ProcessState) float64 {
	usage, ok := s.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return float64(usage.Maxrss) / (1 << 20)
	}
	return float64(usage.Maxrss) / (1 << 10)
}
