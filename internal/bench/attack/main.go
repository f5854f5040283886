// Command attack has strangers do what they can to a small run of the built programs, one kind after another, and
// prints what each cost: the median step beside a run that was left alone, the coordinator's processor time and largest
// memory, and whether the bits are the same.
//
//	attack -bin bin -connections 10000 -steps 40           without certificates
//	attack -token -pairs 3 -rate 200                       with those of a shared word, which strangers don't have
//
// Where the machine has two processors or more, and taskset, the run keeps to the first half of them and strangers to
// the other, so that a step is held up by what defending costs and not by what attacking does. -apart=false lets them
// share. Strangers come from an address of their own, as from another machine.
//
// Ownership: each kind starts its goroutines and waits for them before the next one begins.
//
// When it fails: the first run that does not end as it should ends the program, with what its coordinator said.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"byol/internal/bench/measure"
	"byol/internal/network/secure"
)

// scene is what all runs have in common.
type scene struct {
	bin, dir    string
	connections int
	steps       int
	token       bool
	rate        int // connections a second; 0: as fast as they are answered
	pairs       int // of a run that is left alone and one that is not, for each kind
	only        *regexp.Regexp
	programs    []string // what starts a program of the run on processors of its own, before its name
	word        string   // the file with the shared word of a run that has certificates
	stranger    *secure.Network
}

// outcome is what a run came to.
type outcome struct {
	step   time.Duration // median
	used   time.Duration // the coordinator's processor time, a step
	peak   float64       // of the coordinator's memory, MiB
	digest string
	tries  int64
}

func main() {
	os.Exit(measure.Main(context.Background(), "attack", os.Stderr, func(ctx context.Context) (err error) {
		s := scene{}
		f := flag.NewFlagSet("attack", flag.ContinueOnError)
		f.StringVar(&s.bin, "bin", "bin", "where the programs are")
		f.IntVar(&s.connections, "connections", 10000, "silent connections that are held at a time")
		f.IntVar(&s.steps, "steps", 40, "of each run")
		f.BoolVar(&s.token, "token", false, "whether the run has certificates, of a shared word")
		f.IntVar(&s.rate, "rate", 0, "strangers a second; 0: as fast as they are answered")
		f.IntVar(&s.pairs, "pairs", 1, "of a run left alone and one attacked, for each kind")
		only := f.String("kind", "", "regular `expression` of the kinds to try; default: all")
		apart := f.Bool("apart", true, "keep the run and its strangers to processors of their own")
		if err := measure.Parse(f, os.Args[1:], os.Stderr); err != nil {
			return err
		}
		if s.only, err = regexp.Compile(*only); err != nil {
			return measure.Usage("-kind: %w", err)
		}
		if s.pairs < 1 {
			return measure.Usage("-pairs %d: it takes one at least", s.pairs)
		}
		if *apart {
			if err := s.divide(ctx); err != nil {
				return err
			}
		}
		return s.all(ctx)
	}))
}

// divide keeps this process to the second half of the processors, and what it starts for the run to the first.
func (s *scene) divide(ctx context.Context) error {
	n := runtime.NumCPU()
	taskset, err := exec.LookPath("taskset")
	if err != nil || n < 2 {
		fmt.Fprintf(os.Stderr, "attack: the run and its strangers share %d processors\n", n)
		return nil
	}
	others := fmt.Sprintf("%d-%d", n/2, n-1)
	said, err := exec.CommandContext(ctx, taskset, "-a", "-p", "-c", others, strconv.Itoa(os.Getpid())).CombinedOutput()
	if err != nil {
		return fmt.Errorf("taskset: %w: %s (-apart=false goes without)", err, said)
	}
	s.programs = []string{taskset, "-c", fmt.Sprintf("0-%d", n/2-1)}
	fmt.Fprintf(os.Stderr, "attack: the run has processors 0-%d, its strangers %s\n", n/2-1, others)
	return nil
}

// all runs each kind and prints the table.
func (s *scene) all(ctx context.Context) (err error) {
	if s.bin, err = filepath.Abs(s.bin); err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp("", "attack-"); err != nil {
		return err
	}
	defer os.RemoveAll(s.dir)
	tried := kinds
	if s.token {
		word := rand.Text() + rand.Text()
		s.word, tried = filepath.Join(s.dir, "token"), guarded
		if err := os.WriteFile(s.word, []byte(word+"\n"), 0o600); err != nil {
			return err
		}
		if s.stranger, err = stranger(word); err != nil {
			return err
		}
	}
	fmt.Println("| attack | tries | step, ms (left alone) | against left alone | coordinator's processor, ms a step | " +
		"its peak | same bits |")
	fmt.Println("|---|---|---|---|---|---|---|")
	var bits string // of every run
	for _, k := range tried {
		if !s.only.MatchString(k.name) {
			continue
		}
		if bits, err = s.compare(ctx, k, bits); err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
	}
	if bits == "" {
		return fmt.Errorf("-kind %s: there is no such kind", s.only)
	}
	return nil
}

// compare runs pairs of one that is left alone and one that is not, the first of a pair being either in turn, and
// prints the medians. It returns the bits of all, which must be those given unless that is "".
func (s *scene) compare(ctx context.Context, k kind, bits string) (string, error) {
	var calm, not []outcome
	for pair := range s.pairs {
		for turn := range 2 {
			attacked := (pair+turn)%2 == 1
			does := kind{}
			if attacked {
				does = k
			}
			got, err := s.run(ctx, does)
			if err != nil {
				return bits, err
			}
			if bits == "" {
				bits = got.digest
			}
			if got.digest != bits {
				return bits, errors.New("the bits are others")
			}
			if attacked {
				not = append(not, got)
			} else {
				calm = append(calm, got)
			}
		}
	}
	ratios := make([]float64, s.pairs)
	for i := range ratios {
		ratios[i] = not[i].step.Seconds() / calm[i].step.Seconds()
	}
	step := func(o outcome) float64 { return o.step.Seconds() * 1000 }
	used := func(o outcome) float64 { return o.used.Seconds() * 1000 }
	ratio := measure.Summarise(ratios)
	fmt.Printf("| %s | %.0f | %.1f (%.1f) | %.2f (%.2f–%.2f) | %.1f (%.1f) | %.0f MiB (%.0f) | yes |\n", k.name,
		middle(not, func(o outcome) float64 { return float64(o.tries) }), middle(not, step), middle(calm, step),
		ratio.Median, ratio.Low, ratio.High, middle(not, used), middle(calm, used),
		middle(not, func(o outcome) float64 { return o.peak }), middle(calm, func(o outcome) float64 { return o.peak }))
	return bits, nil
}

// middle is the median of a figure of some runs.
func middle(all []outcome, of func(outcome) float64) float64 {
	figures := make([]float64, len(all))
	for i, o := range all {
		figures[i] = of(o)
	}
	return measure.Summarise(figures).Median
}

// run trains once, under attack from its second step on.
func (s *scene) run(ctx context.Context, k kind) (got outcome, err error) {
	dir, err := os.MkdirTemp(s.dir, "run-")
	if err != nil {
		return got, err
	}
	run := filepath.Join(dir, "run")
	program := func(name string, words ...string) *exec.Cmd {
		words = slices.Concat(s.programs, []string{filepath.Join(s.bin, name)}, words)
		cmd := exec.CommandContext(ctx, words[0], words[1:]...)
		cmd.Dir = dir
		return cmd
	}
	var said strings.Builder
	keys := s.keys()
	coordinator := program("coordinator", append(keys, "--config", "demo", "--batch-size", "16", "--shards", "2",
		"--workers", "2", "--launcher", "none", "--listen", "127.0.0.1:0", "--save-interval", "0", "--eval-data=", "--seed",
		"7", "--quiet", "--max-steps", strconv.Itoa(s.steps), "--run-dir", run)...)
	coordinator.Stdout, coordinator.Stderr = &said, &said
	if err := coordinator.Start(); err != nil {
		return got, err
	}
	ended := make(chan error, 1)
	go func() { ended <- coordinator.Wait() }()
	defer func() { _ = coordinator.Process.Kill() }()
	at, err := address(ctx, run, ended)
	if err != nil {
		return got, fmt.Errorf("%w\n%s", err, said.String())
	}
	for i := range 2 {
		worker := program("worker", append(keys, "--coordinator", at, "--index", strconv.Itoa(i), "--threads", "1")...)
		if err := worker.Start(); err != nil {
			return got, err
		}
		defer func() { _ = worker.Wait() }()
	}
	life, stop := context.WithCancel(ctx)
	defer stop()
	a := &attack{scene: s, at: at, pace: s.pace()}
	if k.does != nil {
		a.all.Go(func() {
			if committed(life, run, 2) {
				k.does(life, a)
			}
		})
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for over := false; !over; {
		select {
		case err = <-ended:
			over = true
		case <-tick.C:
			got.peak = max(got.peak, memory(coordinator.Process.Pid))
		}
	}
	stop()
	a.all.Wait()
	if err != nil {
		return got, fmt.Errorf("the run ended with %w\n%s", err, said.String())
	}
	if n := a.let.Load(); n > 0 {
		return got, fmt.Errorf("%d strangers were let in", n)
	}
	got.tries = a.tries.Load()
	got.used = (coordinator.ProcessState.UserTime() + coordinator.ProcessState.SystemTime()) / time.Duration(s.steps)
	if got.step, err = median(run); err == nil {
		got.digest, err = digest(program("coordinator", "checkpoints", "ls", run, "-o", "json"))
	}
	return got, err
}

// pace is when the next stranger may come, nil: at once. What it takes ends with the program.
func (s *scene) pace() <-chan time.Time {
	if s.rate <= 0 {
		return nil
	}
	return time.NewTicker(time.Second / time.Duration(s.rate)).C
}

// keys are how a program of the run shows who it is.
func (s *scene) keys() []string {
	if !s.token {
		return nil
	}
	return []string{"--token-file", s.word}
}

// address waits for the coordinator to say where it is.
func address(ctx context.Context, run string, ended chan error) (string, error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var card struct{ Address string }
		text, err := os.ReadFile(filepath.Join(run, "coordinator.json"))
		if err == nil && json.Unmarshal(text, &card) == nil && card.Address != "" {
			return card.Address, nil
		}
		select {
		case err := <-ended:
			return "", fmt.Errorf("the coordinator ended: %w", err)
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// committed waits for a step, and reports whether it came.
func committed(ctx context.Context, run string, step int) bool {
	for ctx.Err() == nil {
		text, _ := os.ReadFile(filepath.Join(run, "metrics.jsonl"))
		if strings.Count(string(text), "\n") >= step {
			return true
		}
		time.Sleep(20 * time.Millisecond)
	}
	return false
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// memory is the most that a process has had so far, MiB; 0 once it has ended.
func memory(pid int) float64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	m := highWater.FindSubmatch(text)
	if m == nil {
		return 0
	}
	kib, _ := strconv.Atoi(string(m[1]))
	return float64(kib) / 1024
}

// median is the time of a step from the third on.
func median(run string) (time.Duration, error) {
	f, err := os.Open(filepath.Join(run, "metrics.jsonl"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var took []float64
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var line struct{ Seconds float64 }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return 0, err
		}
		took = append(took, line.Seconds)
	}
	if len(took) < 4 {
		return 0, fmt.Errorf("%d steps", len(took))
	}
	took = took[2:]
	slices.Sort(took)
	return time.Duration(took[len(took)/2] * float64(time.Second)), nil
}

var newest = regexp.MustCompile(`"state_sha256": "([0-9a-f]+)"`)

func digest(list *exec.Cmd) (string, error) {
	text, err := list.Output()
	if err != nil {
		return "", err
	}
	all := newest.FindAllSubmatch(text, -1)
	if len(all) == 0 {
		return "", errors.New("there is no checkpoint")
	}
	return string(all[len(all)-1][1]), nil
}
