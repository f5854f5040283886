// Command bench compares byol with its peers: the same work by both, on one machine, in turn.
//
//	go run ./internal/bench -part torch -pairs 5
//
// The comparisons are the table in cases.go. Each side is a program of its own that prints figures; they run in
// alternating pairs (ours, peer, ours, peer, …), so that what the machine does meanwhile meets both. Printed are
// medians with their range, the median of the pairs' ratios, and the peak memory of a process; unless -quick, the
// same goes to a file of docs/bench with what the machine is: one for all cases, or one for the case that -case names.
// Nothing here judges a figure. "bench profile" takes one step of each network apart, by operation; "bench gpu" is the
// check of an accelerator, and fails where golden files or equal bits do.
//
// It owns the processes it starts: each has a limit, and an interrupt ends them and whatever they started.
//
// When it fails: a side whose program, data or library isn't there is skipped, and the table says so. A program
// that fails, or prints no figures, ends its comparison, is told in the table with its last words, and makes the
// exit code 1.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"byol/internal/bench/measure"
)

// options are the flags.
type options struct {
	parts       []string
	only        *regexp.Regexp
	without     *regexp.Regexp // sides; nil: none
	pairs       int
	quick, list bool
	out, binDir string
	limit       time.Duration
}

func main() {
	os.Exit(measure.Main(context.Background(), "bench", os.Stderr, func(ctx context.Context) error {
		return dispatch(ctx, os.Args[1:], os.Stdout)
	}))
}

// dispatch runs the comparisons, or the one other thing this program does by its first argument.
func dispatch(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "views":
			return viewsPart(ctx, args[1:], out)
		case "profile":
			return profileSteps(ctx, args[1:], out)
		case "gpu":
			return checkGPU(ctx, args[1:], out)
		}
	}
	o, err := parseOptions(args, os.Stderr)
	if err != nil {
		return err
	}
	return run(ctx, o, out)
}

func parseOptions(args []string, stderr io.Writer) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	list := f.String("part", strings.Join(partNames(), ","), "parts to run")
	only := f.String("case", "", "regular `expression` of names of cases; default: all of the part")
	f.IntVar(&o.pairs, "pairs", 5, "alternating pairs")
	f.BoolVar(&o.quick, "quick", false, "try: one pair, few steps, nothing written")
	without := f.String("without", "", "leave out sides whose name matches `REGEXP`")
	f.StringVar(&o.out, "out", "", "`DIR` of the tables; default: docs/bench")
	f.StringVar(&o.binDir, "bin", "", "`DIR` of byol's programs; default: bin")
	f.DurationVar(&o.limit, "limit", 20*time.Minute, "of one run of one side")
	f.BoolVar(&o.list, "list", false, "name the cases, and stop")
	if err := measure.Parse(f, args, stderr); err != nil {
		return nil, err
	}
	o.parts = strings.Split(*list, ",")
	for _, p := range o.parts {
		if !slices.Contains(partNames(), p) {
			return nil, measure.Usage("part %q is not known: want some of %s", p, strings.Join(partNames(), ", "))
		}
	}
	var err error
	if o.only, err = regexp.Compile(*only); err != nil {
		return nil, measure.Usage("-case: %w", err)
	}
	if *without != "" {
		if o.without, err = regexp.Compile(*without); err != nil {
			return nil, measure.Usage("-without: %w", err)
		}
	}
	if o.pairs < 1 {
		return nil, measure.Usage("-pairs %d: want at least 1", o.pairs)
	}
	if o.quick {
		o.pairs = 1
	}
	return o, nil
}

// run goes through the parts and writes their tables.
func run(ctx context.Context, o *options, out io.Writer) error {
	e, err := newEnvironment(o)
	if err != nil {
		return err
	}
	defer os.RemoveAll(e.places["tmp"])
	e.commit = describeCommit(ctx, e.root) // before tables are written
	var failed []string
	for _, p := range parts {
		if !slices.Contains(o.parts, p.name) {
			continue
		}
		chosen := slices.DeleteFunc(slices.Clone(p.cases), func(c comparison) bool { return !o.only.MatchString(c.name) })
		if o.list {
			for _, c := range chosen {
				fmt.Fprintf(out, "%-10s %-28s %s\n", p.name, c.name, c.title)
			}
			continue
		}
		facts := machineFacts(e)
		var results []outcome
		for _, c := range chosen {
			r := e.compare(ctx, c)
			if ctx.Err() != nil {
				if len(results) > 0 { // what is done took minutes
					fmt.Fprintln(out, render(p, facts, results))
				}
				return fmt.Errorf("stopped: %w", context.Cause(ctx))
			}
			if r.failure != "" {
				failed = append(failed, c.name)
			}
			results = append(results, r)
		}
		text := render(p, facts, results)
		fmt.Fprintln(out, text)
		if err := e.write(tableFile(p, chosen), text); err != nil {
			return err
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("these cases failed: %s", strings.Join(failed, ", "))
	}
	return nil
}

// tableFile is the file of a part's table: of all cases, or of one; "" for some of them.
func tableFile(p part, chosen []comparison) string {
	switch len(chosen) {
	case len(p.cases):
		return p.file
	case 1:
		return strings.TrimSuffix(p.file, ".md") + "-" + chosen[0].name + ".md"
	}
	return ""
}

// write stores a table, if it is one to keep.
func (e *environment) write(file, text string) error {
	if e.options.quick || file == "" {
		e.say("not written: %s", map[bool]string{true: "a quick try", false: "some cases, not one or all"}[e.options.quick])
		return nil
	}
	if err := os.MkdirAll(e.options.out, 0o755); err != nil {
		return fmt.Errorf("make folder of tables: %w", err)
	}
	name := filepath.Join(e.options.out, file)
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	e.say("written: %s", name)
	return nil
}
