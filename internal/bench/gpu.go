package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"byol/internal/bench/measure"
)

// gpuOptions are the flags of the check of an accelerator.
type gpuOptions struct {
	device, plugin    string
	bin, data, golden string
	out               string
	limit             time.Duration
}

// gpuItem is one thing that the check does. What matters most comes first.
type gpuItem struct {
	number int    // of what it is part of
	name   string // what its rows begin with
	limit  time.Duration
	least  time.Duration // with less time left it is not begun
	judged bool          // its failure is the check's
	run    func(ctx context.Context) error
}

// skipped is why an item was not done.
type skipped string

func (s skipped) Error() string { return "skipped: " + string(s) }

// gpuCheck is a check under way.
type gpuCheck struct {
	*gpuOptions
	e      *environment
	end    time.Time
	table  *gpuTable
	taken  *gpuPlugin // nil: no accelerator
	size   gpuSizes
	speeds map[string]*reading // by work and side
	off    []string            // judged items that failed
}

// checkGPU is bench gpu: devices, golden files, equal bits, speed beside PyTorch's, and a training, in one table, which
// is written line by line, and within a limit. Whatever fails, the next item is begun.
func checkGPU(ctx context.Context, args []string, out io.Writer) error {
	o, err := parseGPU(args, os.Stderr)
	if err != nil {
		return err
	}
	e, err := newEnvironment(&options{binDir: o.bin, limit: o.limit, pairs: 1})
	if err != nil {
		return err
	}
	defer os.RemoveAll(e.places["tmp"])
	e.commit = describeCommit(ctx, e.root)
	c := &gpuCheck{gpuOptions: o, e: e, end: time.Now().Add(o.limit), speeds: map[string]*reading{},
		table: newGPUTable(out, machineFacts(e))}
	c.all(ctx, c.opening())
	if c.taken != nil {
		c.all(ctx, c.items())
	}
	err = c.table.close()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("stopped: %w", context.Cause(ctx))
	case len(c.off) > 0:
		return errors.Join(fmt.Errorf("these items failed: %s", strings.Join(c.off, ", ")), err)
	}
	return err
}

func parseGPU(args []string, help io.Writer) (*gpuOptions, error) {
	o := &gpuOptions{}
	f := flag.NewFlagSet("bench gpu", flag.ContinueOnError)
	f.StringVar(&o.device, "device", "auto", "auto, cuda, rocm, tpu, pjrt, or pjrt:PATH of a plugin; with one for "+
		"processors it is a dry run, of tiny sizes")
	f.StringVar(&o.plugin, "pjrt-plugin", os.Getenv("BYOL_PJRT_PLUGIN"), "a plugin, or a `FOLDER` of them, to try first")
	f.StringVar(&o.bin, "bin", "", "`DIR` of byol's programs; default: bin")
	f.StringVar(&o.data, "data", "", "`DIR` of CIFAR-10 in tars; default: ../shared/data/cifar10")
	f.StringVar(&o.golden, "golden", "", "`DIR` of golden files; default: model/golden/testdata")
	f.StringVar(&o.out, "out", "", "`DIR` of the table; default: docs/bench, of a dry run build")
	f.DurationVar(&o.limit, "limit", 9*time.Minute, "of everything")
	if err := measure.Parse(f, args, help); err != nil {
		return nil, err
	}
	if o.limit <= 0 {
		return nil, measure.Usage("-limit %v: want a time", o.limit)
	}
	return o, nil
}

// all does one item after another, while there is time.
func (c *gpuCheck) all(ctx context.Context, items []gpuItem) {
	for _, item := range items {
		if ctx.Err() != nil {
			return
		}
		c.table.begin(item)
		if left := time.Until(c.end); left < item.least {
			c.table.row(item.name, fmt.Sprintf("skipped: %v left, and it wants %v", max(left, 0).Round(time.Second),
				item.least))
			continue
		}
		if err := c.one(ctx, item); err != nil {
			c.table.row(item.name, wordsOf(err))
			if reason := skipped(""); item.judged && !errors.As(err, &reason) {
				c.off = append(c.off, item.name)
			}
		}
	}
}

// one does an item within its limit, or within what is left.
func (c *gpuCheck) one(ctx context.Context, item gpuItem) error {
	limit := min(item.limit, time.Until(c.end))
	ctx, stop := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it took longer than %v", limit.Round(time.Second)))
	defer stop()
	return item.run(ctx)
}

// wordsOf is an item's error on one line.
func wordsOf(err error) string {
	text := strings.Join(strings.Fields(strings.ReplaceAll(err.Error(), "|", "/")), " ")
	if _, reason, ok := strings.Cut(text, "skipped: "); ok { // also by a program
		return "skipped: " + reason
	}
	return "FAILED: " + text
}

// tell runs one of byol's programs, and returns what it printed.
func (c *gpuCheck) tell(ctx context.Context, argv ...string) (string, error) {
	tmp, err := os.MkdirTemp(c.e.places["tmp"], "run-")
	if err != nil {
		return "", fmt.Errorf("make temporary folder: %w", err)
	}
	ranks, err := c.e.prepare(ctx, &side{argv: argv}, nil, false, tmp)
	if err != nil {
		return "", err
	}
	err = runAll(ctx, ranks)
	return ranks[0].stdout.String(), err
}

// found begins the table's file, when it is known what the table is of.
func (c *gpuCheck) found(p *gpuPlugin) {
	c.taken, c.size = p, sizesOf(p.isGPU())
	dir := c.out
	if dir == "" {
		dir = filepath.Join(c.e.root, "build")
		if p.isGPU() {
			dir = filepath.Join(c.e.root, "docs", "bench")
		}
	}
	name := "gpu-dry.md"
	if p.isGPU() {
		name = "gpu.md"
	}
	c.table.file, c.table.dry = filepath.Join(dir, name), !p.isGPU()
}
