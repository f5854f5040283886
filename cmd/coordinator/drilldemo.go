package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"byol/coordinator/drill"
	"byol/coordinator/raftnode"
	"byol/internal/failure"
	"byol/internal/network"
	"byol/internal/network/relay"
	pb "byol/proto"
)

// demoShards is into how many parts a batch of the demo is cut, and so how many workers it can have.
const demoShards = 8

// demoFlags are those of a run whose steps take milliseconds.
func demoFlags(workers int, timeout time.Duration) []string {
	return []string{"--data", "synthetic:2000,size=12,seed=1", "--eval-data", "", "--arch", "resnet20",
		"--image-size", "8", "--proj-hidden-dim", "16", "--proj-dim", "8", "--pred-hidden-dim", "16", "--batch-size", "8",
		"--shards", fmt.Sprint(demoShards), "--epochs", "100000", "--warmup-epochs", "1", "--seed", "7", "--threads", "1",
		"--save-interval", "200", "--keep", "3", "--workers", fmt.Sprint(workers), "--failure-timeout", timeout.String(),
		"--quiet"}
}

// demo is a run whose processes the drill has started, and starts again when they end before their time.
type demo struct {
	leads   []*process     // the coordinators
	ids     []string       // their names in the run
	between []*relay.Relay // by coordinator, what stands before it for the others; none where there is one
	workers []*process
	lines   [][]*relay.Relay // by worker, to each coordinator
}

// process is a program that is started again until it is asked to end.
type process struct {
	program string
	args    []string
	env     []string // for the first start only
	log     string
	after   time.Duration // how long it is left alone when it has ended
	over    context.Context
	done    sync.WaitGroup

	mu  sync.Mutex // guards what follows
	pid int
	err error // why it could not be started
}

// startAgain is how long a process that ended is left alone: about what a supervisor takes. One of several coordinators
// is left alone for longer than the others take to elect another, which then leads.
const startAgain, startSeatAgain = 200 * time.Millisecond, 5 * time.Second

// keep starts a process and keeps it going until over ends.
func (p *process) keep(over context.Context) {
	p.over = over
	p.done.Go(func() {
		for first := true; over.Err() == nil; first = false {
			ended := p.once(first)
			if ended || rest(over, p.after) != nil {
				return
			}
		}
	})
}

// once runs the program to its end; ended says that it came to a good one, cannot be started, or is not let in any
// more.
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
	var exit *exec.ExitError
	return err == nil || errors.As(err, &exit) && exit.ExitCode() == int(failure.Usage)
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

// all are the processes, those first that are to end first.
func (d *demo) all() []*process { return append(slices.Clone(d.workers), d.leads...) }

// linesOf are the lines from a worker to the coordinators, nil if the process is none.
func (d *demo) linesOf(pid int) []*relay.Relay {
	for i, w := range d.workers {
		if now, _ := w.now(); now == pid {
			return d.lines[i]
		}
	}
	return nil
}

// coordinator is which one has a name, and its process; 0 if it does not run.
func (d *demo) coordinator(id string) (i, pid int) {
	if i = slices.Index(d.ids, id); i < 0 {
		return 0, 0
	}
	pid, _ = d.leads[i].now()
	return i, pid
}

// part cuts a coordinator off from all others and from all workers.
func (d *demo) part(i int) {
	for j, r := range d.between {
		if j == i {
			r.Cut()
		} else {
			r.CutFrom(d.ids[i])
		}
	}
	for _, lines := range d.lines {
		lines[i].Cut()
	}
}

// mend makes all lines whole.
func (d *demo) mend() {
	for _, lines := range append(d.lines[:len(d.lines):len(d.lines)], d.between) {
		for _, r := range lines {
			r.Mend()
		}
	}
}

// end kills what still runs and waits for all of it.
func (d *demo) end() {
	for _, p := range d.all() {
		if pid, _ := p.now(); pid > 0 {
			_ = syscall.Kill(pid, syscall.SIGCONT)
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		p.done.Wait()
	}
	for _, lines := range append(d.lines, d.between) {
		for _, r := range lines {
			r.Close()
		}
	}
}

// Ports that systems do not give to those that dial: one that is free now is still free when a process has started.
const firstPort, lastPort = 10_000, 32_767

// freeAddress is one of this machine that nobody listens on now.
func freeAddress(ctx context.Context) (string, error) {
	draw := rand.New(rand.NewPCG(uint64(os.Getpid()), uint64(time.Now().UnixNano())))
	var last error
	for range 100 {
		port := firstPort + draw.IntN(lastPort-firstPort+1)
		l, err := network.System{}.Listen(ctx, fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return l.Addr().String(), l.Close()
		}
		last = err
	}
	return "", fmt.Errorf("find a free port: %w", last)
}

// begin starts coordinators and their workers.
func (d *drilling) begin(ctx, over context.Context, plan []drill.Fault, dirs []string) (*demo, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	m := &demo{}
	addresses, err := d.seats(ctx, m, self, dirs)
	if err == nil {
		err = d.hands(ctx, m, plan, addresses)
	}
	if err != nil {
		m.end()
		return nil, err
	}
	for _, p := range m.all() {
		p.keep(over)
	}
	return m, nil
}

// seats makes the coordinators, and returns where they listen for workers. Several are told to name an address to
// workers that leads nowhere: these find each coordinator over lines that can be cut, and by no other way.
func (d *drilling) seats(ctx context.Context, m *demo, self string, dirs []string) (addresses []string, err error) {
	const nowhere = "::1"
	flags := make([][]string, len(dirs))
	var peers []string
	for i, dir := range dirs {
		address, err := freeAddress(ctx)
		if err != nil {
			return nil, err
		}
		addresses = append(addresses, address)
		m.ids = append(m.ids, seatName(i, len(dirs)))
		flags[i] = append(demoFlags(d.workers, d.timeout), "--launcher", "none", "--listen", address, "--run-dir", dir)
		if *d.wishes[drill.FlipGradient] > 0 {
			flags[i] = append(flags[i], "--verify-shards", verifyShare)
		}
		if len(dirs) == 1 {
			continue
		}
		raft, err := freeAddress(ctx)
		if err != nil {
			return nil, err
		}
		r, err := relay.Listen(ctx, raft, raftnode.Dialler)
		if err != nil {
			return nil, err
		}
		m.between = append(m.between, r)
		peers = append(peers, m.ids[i]+"="+r.Addr())
		flags[i] = append(flags[i], "--node-id", m.ids[i], "--raft-listen", raft, "--advertise", nowhere,
			"--checkpoint-dir", filepath.Join(filepath.Dir(dir), "checkpoints"))
	}
	for i := range dirs {
		if len(peers) > 0 {
			flags[i] = append(flags[i], "--peers", strings.Join(peers, ","))
		}
		name, after := "coordinator.log", startAgain
		if len(peers) > 0 {
			name, after = "coordinator-"+m.ids[i]+".log", startSeatAgain
		}
		m.leads = append(m.leads, &process{program: self, args: flags[i], log: filepath.Join(d.out, name), after: after})
	}
	return addresses, nil
}

// seatName is the name of a coordinator; one alone has that which every coordinator has.
func seatName(i, n int) string {
	if n == 1 {
		return "coordinator-0"
	}
	return string(rune('a' + i))
}

// hands makes the workers, with lines to the coordinators.
func (d *drilling) hands(ctx context.Context, m *demo, plan []drill.Fault, addresses []string) error {
	worker := d.binary
	if worker == "" {
		worker = besideThis("worker")
	}
	for i := range d.workers {
		var lines []*relay.Relay
		var at []string
		for _, address := range addresses {
			r, err := relay.Listen(ctx, address, nil)
			if err != nil {
				return err
			}
			lines, at = append(lines, r), append(at, r.Addr())
		}
		m.lines = append(m.lines, lines)
		p := &process{program: worker, after: startAgain, log: filepath.Join(d.out, fmt.Sprintf("worker-%d.log", i)),
			args: []string{"--coordinator", strings.Join(at, ","), "--index", fmt.Sprint(i), "--join-timeout", "2m"}}
		for _, f := range plan {
			if f.Kind == drill.FlipGradient && f.Victim%d.workers == i {
				p.env = []string{fmt.Sprintf("BYOL_FAULTS=flip gradient step=%d attempt=1 bit=20", flipStep)}
			}
		}
		m.workers = append(m.workers, p)
	}
	return nil
}

// flipStep is where the worker flips a bit of its gradient that was started with that fault: in a step that verifyShare
// samples.
const (
	flipStep    = 127
	verifyShare = "1/64"
)

// demonstrate drills a run of its own, and compares it with the same run without faults.
func (d *drilling) demonstrate(ctx context.Context, plan []drill.Fault, say saying) (*drill.Findings, error) {
	dir, plain := filepath.Join(d.out, "run"), filepath.Join(d.out, "undisturbed")
	if err := errors.Join(os.RemoveAll(dir), os.RemoveAll(plain)); err != nil {
		return nil, fmt.Errorf("make room for the demo: %w", err)
	}
	n := d.seatsWanted()
	dirs := []string{dir}
	if n > 1 {
		dirs = nil
		for i := range n {
			dirs = append(dirs, filepath.Join(dir, seatName(i, n)))
		}
	}
	over, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	m, err := d.begin(ctx, over, plan, dirs)
	if err != nil {
		return nil, err
	}
	defer m.end()
	defer end()
	s := &scene{dir: dir, timeout: d.timeout, say: say, demo: m}
	for _, dir := range dirs {
		s.places = append(s.places, newPlace(dir))
	}
	defer s.close()
	say("%d workers train, %s; %d faults follow", d.workers, count(int64(n), "coordinator"), len(plan))
	outcomes, err := s.inject(ctx, plan)
	if err != nil {
		return nil, errors.Join(err, m.broken())
	}
	if err := s.finish(ctx, end); err != nil {
		return nil, err
	}
	f, err := d.collect("Drill", dirs, outcomes)
	if err != nil {
		return nil, err
	}
	f.Loads = s.loads
	f.Facts = append(f.Facts, fmt.Sprintf("ResNet-20 on 8×8 pixels, batches of 8 in %d shards, %d workers and %s "+
		"as processes of one machine", demoShards, d.workers, count(int64(n), "coordinator")))
	say("the same %d steps without faults, by one worker", f.Steps)
	return f, d.compare(ctx, f, dir, plain)
}

// words are what the processes of the demo wrote last, a line of each.
func (d *demo) words() string {
	var all []string
	for _, p := range d.all() {
		text, err := os.ReadFile(p.log)
		if err != nil {
			text = []byte(err.Error())
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		all = append(all, filepath.Base(p.log)+": "+lines[len(lines)-1])
	}
	return strings.Join(all, "\n")
}

// broken is why a process of the demo could not be started.
func (d *demo) broken() error {
	for _, p := range d.all() {
		if _, err := p.now(); err != nil {
			return err
		}
	}
	return nil
}

// finish stops the run in good order, with a checkpoint.
func (s *scene) finish(ctx context.Context, end func()) error {
	err := s.places[s.led].ask(ctx, func(ctx context.Context, c pb.CoordinatorClient) error {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		_, err := c.Stop(ctx, &pb.StopRequest{RequestId: fmt.Sprintf("drill-%d", time.Now().UnixNano())})
		return err
	})
	end() // nobody is started again
	if err != nil {
		return err
	}
	return s.until(ctx, "end of the run", func() (bool, error) {
		for _, p := range s.demo.leads {
			if pid, _ := p.now(); pid != 0 {
				return false, nil
			}
		}
		return true, nil
	})
}
