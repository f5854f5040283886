package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"byol/coordinator/drill"
	"byol/coordinator/steplog"
	"byol/internal/failure"
	"byol/internal/network"
	"byol/internal/network/relay"
	pb "byol/proto"
	"byol/worker/checkpoint"
)

// demoShards is into how many parts a batch of the demo is cut, and so how many workers it can have.
const demoShards = 8

// demoFlags are those of a run whose steps take milliseconds.
func demoFlags(workers int, timeout time.Duration) []string {
	return []string{"--data", "synthetic:2000,size=12,seed=1", "--eval-data", "", "--arch", "resnet20",
		"--image-size", "8", "--proj-hidden-dim", "16", "--proj-dim", "8", "--pred-hidden-dim", "16", "--batch-size", "16",
		"--shards", fmt.Sprint(demoShards), "--epochs", "100000", "--warmup-epochs", "1", "--seed", "7", "--threads", "1",
		"--save-interval", "200", "--keep", "3", "--workers", fmt.Sprint(workers), "--failure-timeout", timeout.String(),
		"--quiet"}
}

// demo is a run whose processes the drill has started, and starts again when they end before their time.
type demo struct {
	lead    *process
	workers []*process
	relays  []*relay.Relay
}

// process is a program that is started again until it is asked to end.
type process struct {
	program string
	args    []string
	env     []string // for the first start only
	log     string
	over    context.Context
	done    sync.WaitGroup

	mu  sync.Mutex // guards what follows
	pid int
	err error // why it could not be started
}

// startAgain is how long a process that ended is left alone: about what a supervisor takes.
const startAgain = 200 * time.Millisecond

// keep starts a process and keeps it going until over ends.
func (p *process) keep(over context.Context) {
	p.over = over
	p.done.Go(func() {
		for first := true; over.Err() == nil; first = false {
			ended := p.once(first)
			if ended || rest(over, startAgain) != nil {
				return
			}
		}
	})
}

// once runs the program to its end; ended says that it came to a good one, or cannot be started.
func (p *process) once(first bool) (ended bool) {
	log, err := os.OpenFile(p.log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		p.set(0, err)
		return true
	}
	defer log.Close()
	cmd := exec.Command(p.program, p.args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = os.Environ()
	if first {
		cmd.Env = append(cmd.Env, p.env...)
	}
	if err := cmd.Start(); err != nil {
		p.set(0, err)
		return true
	}
	p.set(cmd.Process.Pid, nil)
	err = cmd.Wait()
	p.set(0, nil)
	return err == nil
}

func (p *process) set(pid int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pid = pid
	if err != nil {
		p.err = err
	}
}

func (p *process) now() (pid int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pid, p.err
}

// relayOf is the relay between a worker and the coordinator.
func (d *demo) relayOf(pid int) *relay.Relay {
	for i, w := range d.workers {
		if now, _ := w.now(); now == pid {
			return d.relays[i]
		}
	}
	return nil
}

// end kills what still runs and waits for all of it.
func (d *demo) end() {
	for _, p := range append(d.workers, d.lead) {
		if pid, _ := p.now(); pid > 0 {
			_ = syscall.Kill(pid, syscall.SIGCONT)
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		p.done.Wait()
	}
	for _, r := range d.relays {
		r.Close()
	}
}

// freeAddress is one of this machine that nobody listens on now.
func freeAddress(ctx context.Context) (string, error) {
	l, err := network.System{}.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// begin starts a coordinator and its workers.
func (d *drilling) begin(ctx, over context.Context, plan []drill.Fault, dir string) (*demo, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	worker := d.binary
	if worker == "" {
		worker = besideThis("worker")
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	m := &demo{lead: &process{program: self, log: filepath.Join(d.out, "coordinator.log"),
		args: append(demoFlags(d.workers, d.timeout), "--launcher", "none", "--listen", address, "--run-dir", dir)}}
	for i := range d.workers {
		r, err := relay.Listen(ctx, address)
		if err != nil {
			m.end()
			return nil, err
		}
		m.relays = append(m.relays, r)
		p := &process{program: worker, log: filepath.Join(d.out, fmt.Sprintf("worker-%d.log", i)),
			args: []string{"--coordinator", r.Addr(), "--index", fmt.Sprint(i), "--join-timeout", "2m"}}
		for _, f := range plan {
			if f.Kind == drill.FlipGradient && f.Victim%d.workers == i {
				p.env = []string{fmt.Sprintf("BYOL_FAULTS=flip gradient rank=%d step=%d", i, flipStep)}
			}
		}
		m.workers = append(m.workers, p)
	}
	for _, p := range append(m.workers, m.lead) {
		p.keep(over)
	}
	return m, nil
}

// flipStep is where the worker flips a bit of its gradient that was started with that fault.
const flipStep = 20

// demonstrate drills a run of its own, and compares it with the same run without faults.
func (d *drilling) demonstrate(ctx context.Context, plan []drill.Fault, say saying) (*drill.Findings, error) {
	dir, plain := filepath.Join(d.out, "run"), filepath.Join(d.out, "undisturbed")
	if err := errors.Join(os.RemoveAll(dir), os.RemoveAll(plain)); err != nil {
		return nil, fmt.Errorf("make room for the demo: %w", err)
	}
	over, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	m, err := d.begin(ctx, over, plan, dir)
	if err != nil {
		return nil, err
	}
	defer m.end()
	defer end()
	s := &scene{endpoint: endpoint{runDir: dir}, dir: dir, timeout: d.timeout, say: say, demo: m}
	say("%d workers train; %d faults follow", d.workers, len(plan))
	outcomes, err := s.inject(ctx, plan)
	if err != nil {
		return nil, errors.Join(err, m.broken())
	}
	if err := s.finish(ctx, end); err != nil {
		return nil, err
	}
	f, err := d.collect("Drill", dir, d.timeout, outcomes)
	if err != nil {
		return nil, err
	}
	f.Facts = append(f.Facts, fmt.Sprintf("ResNet-20 on 8×8 pixels, batches of 16 in %d shards, %d workers and 1 "+
		"coordinator as processes of one machine", demoShards, d.workers))
	say("the same %d steps without faults", f.Steps)
	return f, d.compare(ctx, f, dir, plain)
}

// broken is why a process of the demo could not be started.
func (d *demo) broken() error {
	for _, p := range append(d.workers, d.lead) {
		if _, err := p.now(); err != nil {
			return err
		}
	}
	return nil
}

// finish stops the run in good order, with a checkpoint.
func (s *scene) finish(ctx context.Context, end func()) error {
	err := s.ask(ctx, func(ctx context.Context, c pb.CoordinatorClient) error {
		_, err := c.Stop(ctx, &pb.StopRequest{RequestId: fmt.Sprintf("drill-%d", time.Now().UnixNano())})
		return err
	})
	end() // nobody is started again
	if err != nil {
		return err
	}
	return s.until(ctx, "end of the run", func() bool {
		pid, _ := s.demo.lead.now()
		return pid == 0
	})
}

// compare makes the run once more without faults, and notes in what it ends otherwise.
func (d *drilling) compare(ctx context.Context, f *drill.Findings, dir, plain string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	args := append(demoFlags(d.workers, d.timeout), "--launcher", "local", "--run-dir", plain, "--max-steps",
		fmt.Sprint(f.Steps))
	if d.binary != "" {
		args = append(args, "--worker-binary", d.binary)
	}
	if text, err := exec.CommandContext(ctx, self, args...).CombinedOutput(); err != nil {
		return &failure.Failure{What: "the run without faults failed", Why: fmt.Sprintf("%v: %s", err, text), Err: err,
			Try: "see " + plain, Code: failure.Training}
	}
	f.Compared = true
	f.Differs, err = differ(dir, plain)
	return err
}

// differ names the first thing in which two runs differ; "" says that they have the same bits.
func differ(dir, plain string) (string, error) {
	ours, err := steplog.ReadFile(dir)
	if err != nil {
		return "", err
	}
	theirs, err := steplog.ReadFile(plain)
	if err != nil {
		return "", err
	}
	last := map[int64]steplog.Record{}
	for _, l := range ours.Lines {
		if l.Kind == steplog.Committed {
			last[l.Record.Step] = l.Record
		}
	}
	for _, l := range theirs.Lines {
		if l.Kind != steplog.Committed {
			continue
		}
		if parts := steplog.Differences(last[l.Record.Step], l.Record); len(parts) > 0 {
			return fmt.Sprintf("step %d: %s", l.Record.Step, parts[0]), nil
		}
	}
	var sums [2]string
	for i, d := range []string{dir, plain} {
		infos, err := checkpoint.List(filepath.Join(d, "checkpoints"))
		if err != nil || len(infos) == 0 {
			return "", checkpointFailure(d, errors.Join(err, checkpoint.ErrNone))
		}
		newest := infos[len(infos)-1]
		sums[i] = fmt.Sprintf("step %d %s", newest.Step, newest.StateSHA256)
	}
	if sums[0] != sums[1] {
		return fmt.Sprintf("%s with faults, %s without", sums[0], sums[1]), nil
	}
	return "", nil
}
