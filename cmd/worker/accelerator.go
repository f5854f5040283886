package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"byol/internal/failure"
	"byol/model/engine"
	"byol/model/pjrt"
	"byol/model/pjrt/capi"
	"byol/model/pjrt/find"
)

// accelerator is how a plugin's device is opened.
type accelerator struct {
	plugin      string
	index       int // −1: by the variables of schedulers, else by the worker's
	fraction    float64
	preallocate bool
	kept        float64 // GiB of compiled programs
}

// localVariables are where schedulers say which of the processes of its host a process is.
var localVariables = []string{"LOCAL_RANK", "SLURM_LOCALID"}

func (a *accelerator) register(f *pflag.FlagSet) {
	f.StringVar(&a.plugin, "pjrt-plugin", "", pluginHelp)
	f.IntVar(&a.index, "device-index", -1,
		"which of the machine's accelerators; default: LOCAL_RANK, SLURM_LOCALID, or the index, over their number")
	f.Float64Var(&a.fraction, "memory-fraction", 0, "of an accelerator's memory that may be used; 0: what its plugin does")
	f.BoolVar(&a.preallocate, "preallocate", false, "take an accelerator's memory at once")
	f.Float64Var(&a.kept, "program-cache", 8,
		"GiB of compiled programs that are kept; those that were used longest ago go first; 0: any number")
}

// check refuses what no accelerator can be opened with.
func (a *accelerator) check() error {
	if a.fraction < 0 || a.fraction > 1 {
		return usage(fmt.Sprintf("--memory-fraction must be between 0 and 1 (got %g)", a.fraction), "",
			"--memory-fraction 0.9")
	}
	if a.kept < 0 {
		return usage(fmt.Sprintf("--program-cache must not be negative (got %g)", a.kept), "", "--program-cache 8")
	}
	if a.index < -1 {
		return usage(fmt.Sprintf("--device-index must not be negative (got %d)", a.index), "", "--device-index 0")
	}
	return nil
}

// number is which of n devices is this process's; rank is the worker's index, −1 for none.
func (a *accelerator) number(n, rank int, lookup func(string) (string, bool)) (int, error) {
	if a.index >= n {
		return 0, usage(fmt.Sprintf("there is no accelerator %d", a.index), fmt.Sprintf("there are %d", n), "worker devices")
	}
	if a.index >= 0 {
		return a.index, nil
	}
	for _, name := range localVariables {
		if text, ok := lookup(name); ok {
			if i, err := strconv.Atoi(text); err == nil && i >= 0 {
				return i % n, nil
			}
		}
	}
	return max(rank, 0) % n, nil
}

// find chooses the plugin for a device's name. note is told why others are not taken.
func (a *accelerator) find(ctx context.Context, device string, note func(string)) (find.Choice, error) {
	try := prober()
	c, err := find.Choose(device, find.Candidates(places(a.plugin)), func(c find.Candidate) find.Report {
		return try.Probe(ctx, c)
	})
	if cause := context.Cause(ctx); cause != nil {
		return c, &failure.Failure{What: "stopped", Why: cause.Error(), Code: failure.Temporary}
	}
	if err == nil {
		for _, words := range c.Words() {
			note(words)
		}
	}
	return c, err
}

// open opens the engine of one of a plugin's devices. Where programs are kept, and who is told of them, is its own.
func (a *accelerator) open(r *find.Report, rank int, options pjrt.Options, tell teller) (engine.Engine, error) {
	i, err := a.number(len(r.Devices), rank, os.LookupEnv)
	if err != nil {
		return nil, err
	}
	p, err := capi.Open(r.Path)
	if err != nil {
		return nil, cannotOpen(r, err)
	}
	o := find.Gentle(find.Kind(r.Name))
	if o.MemoryFraction = a.fraction; o.MemoryFraction > 0 && o.Preallocate == nil {
		return nil, usage("--memory-fraction cannot be used with "+r.Path,
			"it is for plugins of GPUs, this one is for "+r.Name, "leave it out, or --device cuda")
	}
	if a.preallocate && o.Preallocate == nil {
		tell.note("--preallocate is for plugins of GPUs: this one takes memory as it needs it")
	}
	at := i
	if o.Preallocate != nil { // a GPU's: the others are not even opened
		o.Preallocate = &a.preallocate
		o.VisibleDevices = []int{r.Devices[i].ID}
		at = 0
	}
	client, err := p.NewClient(o)
	if err != nil {
		return nil, cannotOpen(r, err)
	}
	devices := client.Devices()
	if at >= len(devices) {
		err := fmt.Errorf("%d devices, of which %d was to be this worker's", len(devices), at)
		return nil, errors.Join(cannotOpen(r, err), client.Close())
	}
	options.Progress, options.Note = tell.progress(time.Now), tell.note
	options.Cache, options.CacheSize = cacheDir("programs"), int64(a.kept*(1<<30))
	e, err := pjrt.New(client, devices[at], options)
	if err != nil {
		return nil, errors.Join(cannotOpen(r, err), client.Close())
	}
	tell.note(fmt.Sprintf("device %s: %s, number %d of %d, by %s (API %s)", e.Name(), devices[at].Kind, i, len(r.Devices),
		r.Path, r.API))
	return e, nil
}

func cannotOpen(r *find.Report, err error) error {
	return &failure.Failure{What: "the accelerator cannot be opened", Why: err.Error(), Err: err, Code: failure.Usage,
		Try: fmt.Sprintf("worker devices shows what %s has; --device cpu works without", r.Path)}
}

// every is how often a compilation is told of.
const every = 5 * time.Second

// teller tells what an engine does: note lines for people, and show, if it is there, what it prepares at the moment, ""
// when it is ready.
type teller struct{ note, show func(string) }

// progress tells of programs that are compiled: notes now and then, and of the last.
func (t teller) progress(now func() time.Time) func(done, total int) {
	var mu sync.Mutex // guards the rest
	var begun, told time.Time
	return func(done, total int) {
		mu.Lock()
		defer mu.Unlock()
		at := now()
		if begun.IsZero() {
			begun, told = at, at
		}
		if done == total {
			t.note(fmt.Sprintf("compiled %d programs", total))
			t.prepares("")
			begun = time.Time{}
			return
		}
		words := fmt.Sprintf("compiled %d of %d programs", done, total)
		if done > 0 {
			left := time.Duration(float64(at.Sub(begun)) / float64(done) * float64(total-done))
			words += fmt.Sprintf(", %v to go", left.Round(time.Second))
		}
		t.prepares(words)
		if at.Sub(told) >= every {
			told = at
			t.note(words)
		}
	}
}

func (t teller) prepares(what string) {
	if t.show != nil {
		t.show(what)
	}
}
