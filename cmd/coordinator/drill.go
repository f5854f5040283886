package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"byol/coordinator/drill"
	"byol/internal/failure"
)

// drilling is what drill was asked for.
type drilling struct {
	demo    bool
	wishes  map[drill.Kind]*int
	seed    uint64
	out     string
	workers int
	// coordinators is how many there are, 0 for as many as the faults need.
	coordinators int
	timeout      time.Duration
	binary       string
}

// aboutKinds says what each flag does.
var aboutKinds = map[drill.Kind]string{
	drill.KillWorker:      "kill -9 a worker, `N` times",
	drill.KillLeader:      "kill -9 the coordinator that leads, and start it again, `N` times (--demo)",
	drill.Stop:            "stop a worker by SIGSTOP for longer than the failure timeout, `N` times",
	drill.StopLeader:      "stop the coordinator that leads for as long, `N` times (--demo)",
	drill.Partition:       "cut a worker off from all coordinators for as long, `N` times (--demo)",
	drill.PartitionLeader: "cut the coordinator that leads off from all others and all workers, `N` times (--demo)",
	drill.Slow:            "give a worker little of its time until that is noticed, `N` times",
	drill.Corrupt:         "flip a bit between a worker and the coordinator, `N` times (--demo)",
	drill.FlipGradient:    "flip a bit in a worker's gradient before the sum, at most `once`: 1 (--demo)",
}

func drillCommand() *cobra.Command {
	d := &drilling{wishes: map[drill.Kind]*int{}}
	cmd := &cobra.Command{Use: "drill RUN_DIR|--demo", Short: "Break a run on purpose and report how it recovered",
		Long: "Inject faults into a run on this machine, one after another, and write a report: when each was noticed,\n" +
			"when the next step was committed, and whether anything was lost. --demo starts a small run for it, and\n" +
			"afterwards the same run without faults, whose bits must be the same. RUN_DIR drills a run that goes on:\n" +
			"killed workers come back if somebody starts them again, as the local launcher does.",
		Args: func(cmd *cobra.Command, args []string) error {
			if d.demo {
				return noArguments(cmd, args)
			}
			return oneArgument("run directory, or --demo")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error { return d.run(cmd, args) }}
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolVar(&d.demo, "demo", false, "start a small run, and compare it with the same run without faults")
	for _, kind := range drill.Kinds {
		d.wishes[kind] = f.Int(string(kind), 0, aboutKinds[kind])
	}
	f.Uint64Var(&d.seed, "seed", 1, "of the order and the moments of the faults")
	f.StringVarP(&d.out, "output", "o", "drill", "`DIR` for report.md, steps.svg and, with --demo, the runs")
	f.IntVar(&d.workers, "workers", 4, "workers of the demo")
	f.IntVar(&d.coordinators, "coordinators", 0,
		"coordinators of the demo; default: 3 where the one that leads is hit, else 1")
	f.DurationVar(&d.timeout, "failure-timeout", 2*time.Second, "of the demo")
	f.StringVar(&d.binary, "worker-binary", "", "worker program of the demo; default: beside this one")
	return cmd
}

// maxSeats is how many coordinators a demo can have.
const maxSeats = 7

func (d *drilling) check() error {
	all := 0
	for _, kind := range drill.Kinds {
		n := *d.wishes[kind]
		all += n
		switch {
		case n < 0:
			return usage(fmt.Sprintf("--%s cannot be %d", kind, n), "", "how often, or leave it out")
		case n > 0 && !d.demo && !slices.Contains([]drill.Kind{drill.KillWorker, drill.Stop, drill.Slow}, kind):
			return usage(fmt.Sprintf("--%s needs a run that the drill has started", kind),
				"it must stand between the processes, or start them again", "--demo instead of a run directory")
		case kind == drill.FlipGradient && n > 1:
			return usage("--flip-gradient can be 1 at most", "a worker is started with it", "--flip-gradient 1")
		}
	}
	switch {
	case all == 0:
		return usage("the drill has no fault", "", "--kill-worker 3, or others of coordinator drill --help")
	case d.coordinators < 0 || d.coordinators > 0 && d.coordinators%2 == 0 || d.coordinators > maxSeats:
		return usage(fmt.Sprintf("--coordinators cannot be %d", d.coordinators), "an odd number of them agrees",
			"--coordinators 3")
	case d.coordinators == 1 && *d.wishes[drill.StopLeader]+*d.wishes[drill.PartitionLeader] > 0:
		return usage("one coordinator has nobody to take its place", "it is not started again, as one that was killed is",
			"--coordinators 3")
	case d.workers < 1 || d.workers > demoShards:
		return usage(fmt.Sprintf("--workers cannot be %d", d.workers), fmt.Sprintf("the demo has %d shards", demoShards),
			"--workers 4")
	}
	return nil
}

func (d *drilling) run(cmd *cobra.Command, args []string) error {
	if err := d.check(); err != nil {
		return err
	}
	if err := os.MkdirAll(d.out, 0o755); err != nil {
		return usage("cannot make "+d.out, err.Error(), "-o with a place you may write to")
	}
	ctx, release := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer release()
	wishes := map[drill.Kind]int{}
	for kind, n := range d.wishes {
		wishes[kind] = *n
	}
	plan := drill.Plan(d.seed, wishes)
	say := func(format string, a ...any) { fmt.Fprintf(cmd.OutOrStdout(), format+"\n", a...) }
	var found *drill.Findings
	var err error
	if d.demo {
		found, err = d.demonstrate(ctx, plan, say)
	} else {
		found, err = d.attach(ctx, args[0], plan, say)
	}
	if err != nil {
		return err
	}
	return d.report(found, say)
}

// attach drills a run that somebody else has started.
func (d *drilling) attach(ctx context.Context, dir string, plan []drill.Fault, say saying) (*drill.Findings, error) {
	p := newPlace(dir)
	s := &scene{dir: dir, places: []*place{p}, say: say}
	defer s.close()
	st, err := s.status(ctx)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	d.timeout = time.Duration(st.GetConfig().GetFailureTimeoutSeconds() * float64(time.Second))
	s.timeout = d.timeout
	outcomes, err := s.inject(ctx, plan)
	if err != nil {
		return nil, err
	}
	f, err := d.collect("Drill of "+dir, []string{dir}, outcomes)
	if err != nil {
		return nil, err
	}
	f.Loads, f.Steps = s.loads, stepsSince(f.Commits, began)
	return f, nil
}

// stepsSince counts the steps that were committed since a time.
func stepsSince(all []drill.Commit, began time.Time) int64 {
	steps := map[int64]bool{}
	for _, c := range all {
		if c.At.After(began) {
			steps[c.Step] = true
		}
	}
	return int64(len(steps))
}

// seatsWanted is how many coordinators the demo has: where the one that leads is hit, another must be there to go on.
func (d *drilling) seatsWanted() int {
	if d.coordinators > 0 {
		return d.coordinators
	}
	for kind, n := range d.wishes {
		if kind.OfLeader() && *n > 0 {
			return 3
		}
	}
	return 1
}

// report writes the files, and fails if a promise was not kept.
func (d *drilling) report(f *drill.Findings, say saying) error {
	f.Facts = append([]string{
		fmt.Sprintf("%s, %s, %d processors, %s", time.Now().UTC().Format(time.DateOnly), runtime.GOOS+"/"+runtime.GOARCH,
			runtime.NumCPU(), buildName()),
		fmt.Sprintf("seed %d, failure timeout %v", d.seed, f.Timeout)}, f.Facts...)
	page := filepath.Join(d.out, "report.md")
	err := os.WriteFile(filepath.Join(d.out, "steps.svg"), []byte(f.SVG()), 0o644)
	if err = errors.Join(err, os.WriteFile(page, []byte(f.Markdown("steps.svg")), 0o644)); err != nil {
		return usage("cannot write the report", err.Error(), "-o with a place you may write to")
	}
	for _, row := range f.Table() {
		say("%-16s %d, %d noticed, after %v at the 99th percentile; next step after that %v", row.Kind, row.Count,
			row.Noticed, row.After.P99.Round(time.Millisecond), row.Next.P99.Round(time.Millisecond))
	}
	if problems := f.Problems(); len(problems) > 0 {
		for _, p := range problems {
			say("  %s", p)
		}
		return &failure.Failure{What: "the drill found promises that were not kept", Why: problems[0], Code: failure.Training,
			Try: "see " + page}
	}
	say("passed: %d faults, %d steps, none lost, none twice; see %s", len(f.Outcomes), f.Steps, page)
	return nil
}
