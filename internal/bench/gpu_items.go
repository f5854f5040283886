package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// gpuPlugin is a plugin as worker devices tells of it.
type gpuPlugin struct {
	Path     string `json:"path"`
	Refused  string `json:"refused"`
	API      string `json:"api"`
	Platform string `json:"platform"`
	Version  string `json:"platform_version"`
	Driver   string `json:"driver"`
	Devices  []struct {
		Kind   string `json:"kind"`
		Memory int64  `json:"memory_bytes"`
	} `json:"devices"`
}

// isGPU reports whether what it is for is worth a table; else the check is a dry run.
func (p *gpuPlugin) isGPU() bool { return p.Platform != "cpu" }

// device is what byol's programs take for it.
func (p *gpuPlugin) device() string { return "pjrt:" + p.Path }

// about says what it is.
func (p *gpuPlugin) about() string {
	d := p.Devices[0]
	words := fmt.Sprintf("%d × %s", len(p.Devices), d.Kind)
	if d.Memory > 0 {
		words += fmt.Sprintf(", %.1f GiB", float64(d.Memory)/(1<<30))
	}
	if p.Driver != "" {
		words += ", driver " + p.Driver
	}
	return fmt.Sprintf("%s, by %s (API %s, %s)", words, filepath.Base(p.Path), p.API, oneLine(p.Version))
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// chooseGPU is the plugin for a device's name among those that worker devices lists, the best first; nil: none.
func chooseGPU(device string, list []gpuPlugin) *gpuPlugin {
	path, named := strings.CutPrefix(device, "pjrt:")
	for i := range list {
		p := &list[i]
		if p.Refused != "" || len(p.Devices) == 0 || named && p.Path != path {
			continue
		}
		if named || device == "pjrt" || device == p.Platform || device == "auto" && p.isGPU() {
			return p
		}
	}
	return nil
}

// opening is what is done before there is an accelerator.
func (c *gpuCheck) opening() []gpuItem {
	return []gpuItem{{number: 1, name: "devices", limit: time.Minute, judged: true, run: c.devices}}
}

// items are the rest, in the order of what matters most.
func (c *gpuCheck) items() []gpuItem {
	s := c.size
	list := []gpuItem{{number: 1, name: "versions", limit: 30 * time.Second, run: c.versions}}
	golden := func(files ...string) {
		for _, file := range files {
			for _, precision := range []string{"fp32", "bf16"} {
				list = append(list, gpuItem{number: 2, name: file + ", " + precision, limit: s.goldenLimit, least: 5 * time.Second,
					judged: true, run: func(ctx context.Context) error { return c.verify(ctx, file, precision) }})
			}
		}
	}
	golden(s.golden...)
	for _, precision := range []string{"bf16", "fp32"} {
		list = append(list, gpuItem{number: 3, name: "equal bits, " + precision, limit: s.bitsLimit, least: 10 * time.Second,
			judged: true, run: func(ctx context.Context) error { return c.bits(ctx, precision) }})
	}
	for _, w := range s.work {
		list = append(list, c.speedItems(w)...)
	}
	golden(s.later...)
	return append(list, gpuItem{number: 5, name: s.trainName, limit: c.limit, least: s.trainLeast, run: c.train})
}

// devices finds the accelerator.
func (c *gpuCheck) devices(ctx context.Context) error {
	argv := []string{"{bin}/worker", "devices", "-o", "json"}
	if c.plugin != "" {
		argv = append(argv, "--pjrt-plugin", c.plugin)
	}
	if path, ok := strings.CutPrefix(c.device, "pjrt:"); ok {
		argv = append(argv, "--pjrt-plugin", path)
	}
	out, err := c.tell(ctx, argv...)
	if err != nil {
		return err
	}
	var l struct{ Plugins []gpuPlugin }
	if err := json.Unmarshal([]byte(out), &l); err != nil {
		return fmt.Errorf("read worker devices: %w", err)
	}
	taken := chooseGPU(c.device, l.Plugins)
	if taken != nil {
		c.found(taken)
		c.table.row("device", taken.about())
	}
	for _, p := range l.Plugins {
		if p.Refused != "" {
			c.table.row("not used", fmt.Sprintf("%s %s", p.Path, oneLine(p.Refused)))
		}
	}
	if taken == nil {
		return fmt.Errorf("no plugin for the device %s opens", c.device)
	}
	return nil
}

// versions tells of what is beside the plugin.
func (c *gpuCheck) versions(ctx context.Context) error {
	for _, v := range []struct{ name, program, arg string }{
		{"python", "{python}", "import torch; print('PyTorch', torch.__version__, 'CUDA', torch.version.cuda, " +
			"torch.cuda.get_device_name() if torch.cuda.is_available() else 'sees no GPU')"},
		{"nvidia-smi", "nvidia-smi", "--query-gpu=name,driver_version,memory.total,clocks.max.sm,power.limit"},
	} {
		argv := []string{v.program, "-c", v.arg}
		if v.name == "nvidia-smi" {
			argv = []string{v.program, v.arg, "--format=csv,noheader"}
		} else {
			found := c.e.python(ctx, "torch")
			if found == "" {
				c.table.row(v.name, "no python3 has PyTorch: its part of (4) is skipped")
				continue
			}
			argv[0] = found
		}
		out, err := c.tell(ctx, argv...)
		if err != nil {
			c.table.row(v.name, "says nothing: "+oneLine(err.Error()))
			continue
		}
		c.table.row(v.name, oneLine(out))
	}
	return nil
}

// verify compares a golden file.
func (c *gpuCheck) verify(ctx context.Context, file, precision string) error {
	dir := c.golden
	if dir == "" {
		dir = filepath.Join(c.e.root, "model", "golden", "testdata")
	}
	out, err := c.tell(ctx, "{bin}/worker", "verify-golden", filepath.Join(dir, file+".safetensors"), "--device",
		c.taken.device(), "--precision", precision)
	if err != nil && out == "" {
		return err
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	_, figures, _ := strings.Cut(lines[len(lines)-1], ": ")
	if err != nil {
		return fmt.Errorf("%s: %w", figures, err)
	}
	c.table.row(file+", "+precision, "ok: "+figures)
	return nil
}

// bits trains a few steps three times, twice with one worker and once with two on one device, and wants the same state.
func (c *gpuCheck) bits(ctx context.Context, precision string) error {
	var first string
	for i, workers := range []string{"1", "1", "2"} {
		dir := filepath.Join(c.e.places["tmp"], fmt.Sprintf("bits-%s-%d", precision, i))
		argv := append([]string{"{bin}/coordinator", "--workers", workers, "--device", c.taken.device(), "--precision",
			precision, "--eval-data", "", "--save-interval", "0", "--run-dir", dir, "--launcher", "local", "--quiet"},
			c.size.bits...)
		if _, err := c.tell(ctx, argv...); err != nil {
			return err
		}
		out, err := c.tell(ctx, "{bin}/coordinator", "checkpoints", "ls", dir, "-o", "json")
		if err != nil {
			return err
		}
		var saved []struct {
			SHA string `json:"state_sha256"`
		}
		if err := json.Unmarshal([]byte(out), &saved); err != nil || len(saved) == 0 {
			return fmt.Errorf("no checkpoint in %s: %w", dir, errors.Join(err, errors.New(oneLine(out))))
		}
		sha := saved[len(saved)-1].SHA
		c.table.row(fmt.Sprintf("%s, run %d, workers: %s", precision, i+1, workers), "state "+sha[:min(len(sha), 16)])
		if first == "" {
			first = sha
		}
		if sha != first {
			return errors.New("other bits than those of the first run")
		}
	}
	return nil
}

// gpuWork is a step that both sides take.
type gpuWork struct {
	name, arch, size, stem string
	batch                  int // 0: the largest that fits
	steps, hidden          int
	ours, eager, compile   time.Duration // limits
}

// title is what rows of it begin with, once the batch is known.
func (w gpuWork) title() string { return fmt.Sprintf("%s, %s², batch %d", w.name, w.size, w.batch) }

// speedItems are ours and PyTorch's, compiled and eager.
func (c *gpuCheck) speedItems(w gpuWork) []gpuItem {
	name := w.name
	if w.batch == 0 {
		name += ", largest batch"
	}
	of := func(what string, limit time.Duration, run func(ctx context.Context, w gpuWork) error) gpuItem {
		return gpuItem{number: 4, name: name + ", " + what, limit: limit, least: 10 * time.Second,
			run: func(ctx context.Context) error {
				if w.batch == 0 {
					w.batch = c.largest(w)
				}
				if w.batch == 0 {
					return skipped("which batch fits is not known")
				}
				return run(ctx, w)
			}}
	}
	list := []gpuItem{of("byol", w.ours, c.ours)}
	for _, mode := range []struct {
		name  string
		limit time.Duration
	}{{"torch.compile", w.compile}, {"eager", w.eager}} {
		if mode.limit > 0 {
			list = append(list, of("PyTorch "+mode.name, mode.limit, func(ctx context.Context, w gpuWork) error {
				return c.peer(ctx, w, mode.name)
			}))
		}
	}
	return list
}

// largest is the largest batch that fits by what was said of a smaller one, less what allocators lose, in steps of 64;
// in a dry run, where nobody says, the smaller one once more.
func (c *gpuCheck) largest(w gpuWork) int {
	for key, r := range c.speeds {
		if !strings.HasPrefix(key, w.name+",") || !strings.HasSuffix(key, " byol") {
			continue
		}
		if fits := int(0.92*r.figures["fits"]) / 64 * 64; fits > 0 {
			return fits
		}
		if !c.taken.isGPU() {
			return int(r.figures["batch"])
		}
	}
	return 0
}

func (w gpuWork) flags(dash string) []string {
	return []string{dash + "arch", w.arch, dash + "stem", w.stem, dash + "image-size", w.size, dash + "hidden",
		strconv.Itoa(w.hidden), dash + "steps", strconv.Itoa(w.steps), dash + "precision", "bf16"}
}

// ours measures byol.
func (c *gpuCheck) ours(ctx context.Context, w gpuWork) error {
	argv := append([]string{"{bin}/stepbench", "-device", c.taken.device(), "-json", "-batch", strconv.Itoa(w.batch)},
		w.flags("-")...)
	if c.taken.isGPU() {
		argv = append(argv, "-memory-fraction", "0.92")
	}
	r, err := c.e.measure(ctx, &side{argv: argv}, nil, false)
	if err != nil {
		return err
	}
	c.speeds[w.title()+" byol"] = r
	c.table.row(w.title()+", byol", describeStep(r))
	return nil
}

// describeStep says what a step of byol is made of.
func describeStep(r *reading) string {
	f, s := r.figures, r.shares
	rest := 100.0
	var shares []string
	for _, what := range []string{"launches", "waits", "copies", "update"} {
		shares = append(shares, fmt.Sprintf("%s %.0f %%", what, 100*s[what]))
		rest -= 100 * s[what]
	}
	words := fmt.Sprintf("%s images/s, step %.1f ms; programs alone %.1f ms; host: %s, rest %.0f %%; %.0f launches, "+
		"%.0f waits, %.0f MiB up, %.0f MiB down", significant(f["images_per_second"]), 1e3*f["step_seconds"],
		1e3*f["programs_seconds"], strings.Join(shares, ", "), rest, f["launches"], f["waits"], f["up_mib"], f["down_mib"])
	if f["device_peak_mib"] > 0 {
		words += fmt.Sprintf("; at most %.1f GiB on the device", f["device_peak_mib"]/1024)
	}
	if f["fits"] > 0 {
		words += fmt.Sprintf("; a batch of about %.0f would fit", f["fits"])
	}
	return words
}

// peer measures PyTorch, and sets ours beside it.
func (c *gpuCheck) peer(ctx context.Context, w gpuWork, mode string) error {
	python := c.e.python(ctx, "torch")
	if python == "" {
		return skipped("no python3 has PyTorch")
	}
	argv := append([]string{python, "{scripts}/torch_byol.py", "--batch-size", strconv.Itoa(w.batch), "--together"},
		w.flags("--")...)
	if c.taken.isGPU() {
		argv = append(argv, "--device", "cuda")
	} else {
		argv = append(argv, "--threads", "1")
	}
	if mode == "torch.compile" {
		argv = append(argv, "--compile")
	}
	r, err := c.e.measure(ctx, &side{argv: argv}, nil, false)
	if err != nil {
		return err
	}
	result := fmt.Sprintf("%s images/s, step %.1f ms", significant(r.figures["images_per_second"]),
		1e3*r.figures["step_seconds"])
	if r.figures["device_peak_mib"] > 0 {
		result += fmt.Sprintf("; at most %.1f GiB on the device", r.figures["device_peak_mib"]/1024)
	}
	if ours := c.speeds[w.title()+" byol"]; ours != nil {
		result += fmt.Sprintf("; **byol is at %s × that**",
			significant(ours.figures["images_per_second"]/r.figures["images_per_second"]))
	}
	c.table.row(w.title()+", PyTorch "+mode, result+"; "+r.about)
	return nil
}
