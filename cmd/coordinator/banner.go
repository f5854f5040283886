package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"byol/coordinator/settings"
	"byol/internal/network"
	"byol/worker/data/source"
)

// banner is what the run chose, before it starts. addr is empty in a dry run.
func banner(p *plan, addr string) string {
	var b strings.Builder
	s, c := p.settings, p.config
	line := func(head, format string, args ...any) {
		fmt.Fprintf(&b, "  %-9s %s\n", head, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(&b, "byol %s   run %s   (%s)\n", buildName(), s.RunName, p.startsAs())
	if isDemo(c) {
		fmt.Fprintln(&b, "  DEMO DATA: generated pictures, not photographs. --data trains on yours.")
	}
	for _, warning := range p.warnings {
		fmt.Fprintf(&b, "  WARN      %s\n", warning)
	}
	line("workers", "%s", p.workersLine(addr))
	if p.room != nil {
		if words := p.room.words(p.processes); words != "" {
			line("memory", "%s", words)
		}
	}
	if s.RaftListen != "" {
		line("node", "%s", p.coordinatorsLine())
	}
	line("batch", "%d = %d shards × %d images; %s", c.BatchSize, c.Shards, c.BatchSize/c.Shards, perWorker(p))
	line("data", "%s", describe(p.train))
	skipped(line, p.train)
	if s.EvalData != "" {
		line("k-NN on", "%s, k %d, T %g, %s", describe(p.eval), c.KnnK, c.KnnTemperature, evalWhen(c.EvalEverySteps))
		skipped(line, p.eval)
		if note := p.evaluationNote(); note != "" {
			line("", "%s", note)
		}
	}
	line("model", "%s %s + heads %s = %s parameters, %d px, %s stem, batch norm %s", s.Arch, millions(p.count.encoder),
		millions(p.count.total-p.count.encoder), millions(p.count.total), s.ImageSize, s.Stem, s.BatchNorm)
	p.startLines(line)
	if s.Ablation != "" {
		line("ABLATION", "%s: a negative control, expected to collapse", s.Ablation)
	}
	line("device", "%s, %s, %s%s", deviceWords(s.Device), threadWords(s.Threads, one(p.processes)), isaWords(s.ISA),
		precisionWords(s.Precision))
	line("recipe", "%s: lr %.4g = %g × %d/256, warm-up %s steps, then cosine; tau %g → 1; weight decay %g; views %s",
		p.recipeName(), s.BaseLR*float64(s.BatchSize)/256, s.BaseLR, s.BatchSize, grouped(c.WarmupSteps), s.BaseTau,
		s.WeightDecay, s.Augment)
	if differ := p.views.FromPaper(); len(differ) > 0 {
		line("views", "not the paper's: %s", strings.Join(differ, ", "))
	}
	line("steps", "%s = %g epochs × %s / %d%s", grouped(c.TotalSteps), s.Epochs, grouped(c.Samples),
		c.BatchSize, stopsAt(p))
	if c.VerifyEverySteps > 0 {
		line("verify", "%s computed twice, by other workers, and compared", verifyWhen(c.VerifyEverySteps))
	}
	line("run dir", "%s", s.RunDir)
	if addr != "" {
		p.sayWhere(line, addr)
	}
	return b.String()
}

// sayWhere says how the run is reached, and by whom.
func (p *plan) sayWhere(line func(head, format string, args ...any), addr string) {
	where := "-s " + addr
	if p.guard != nil {
		line("reach", "%s", p.guard.reach(addr))
		if p.guard.source != nil {
			where = "--run-dir " + quoted(p.settings.RunDir)
		}
	}
	if p.admin != nil {
		line("page", "%s", p.admin.words())
	}
	line("watch", "coordinator status %s   |   coordinator watch %s   |   tensorboard --logdir %s", where, where,
		quoted(p.settings.RunDir))
}

// startsAs says whether a run is new.
func (p *plan) startsAs() string {
	switch s := p.settings; {
	case s.FromScratch:
		return "begins again at step 0"
	case s.Resume != "auto":
		return "resume " + s.Resume
	case p.stored != nil:
		return "exists: going on where it stopped"
	}
	return "new; the same command resumes it"
}

// startLines say where it starts, where that is not the seed.
func (p *plan) startLines(line func(head, format string, args ...any)) {
	if p.initial != nil {
		line("init", "%s", p.initial.line())
	}
	if p.continues != nil {
		line("continues", "%s", p.continues.line(p.config))
	}
}

func verifyWhen(every int64) string {
	if every == 1 {
		return "every step is"
	}
	return fmt.Sprintf("one of %s steps is", grouped(every))
}

// timeouts is what follows from --failure-timeout, which a dry run shows.
func timeouts(failure time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  from --failure-timeout %v:\n", failure)
	for _, t := range network.TimeoutsOf(failure).Table() {
		fmt.Fprintf(&b, "    %v\n", t)
	}
	return b.String()
}

func (p *plan) workersLine(addr string) string {
	if p.launcher == "none" {
		return fmt.Sprintf("waiting for %d to join %s (launcher none: %s)", p.settings.Workers, cmp.Or(addr,
			p.settings.Listen), p.why)
	}
	n, workers := len(p.processes), p.settings.Workers
	where := fmt.Sprintf("%d local processes", n)
	if n == 1 {
		where = "1 local process"
	}
	number := ""
	if p.chosen != "" {
		number = p.chosen + "; "
	}
	if n < workers {
		where = fmt.Sprintf("%d in %s", workers, where)
		number += fmt.Sprintf("--processes %d: one each; ", workers)
	}
	return fmt.Sprintf("%s (%slauncher local: %s)", where, number, p.why)
}

func perWorker(p *plan) string {
	low, high := p.settings.Shards/p.settings.Workers, (p.settings.Shards+p.settings.Workers-1)/p.settings.Workers
	images := p.settings.BatchSize / p.settings.Shards
	turns := ""
	if n := int(p.config.ShardsAtOnce); n > 0 {
		turns = fmt.Sprintf(", %d at a time", n*images)
	}
	if low == high {
		return fmt.Sprintf("%d images a worker%s", low*images, turns)
	}
	return fmt.Sprintf("%d or %d images a worker%s", low*images, high*images, turns)
}

func describe(d dataset) string {
	labels := "no labels"
	if d.labelled {
		labels = fmt.Sprintf("%d classes", d.classes)
	}
	return fmt.Sprintf("%s   %s images, %s", d.uri, grouped(d.images), labels)
}

// skipped says what of a data set is left out.
func skipped(line func(name, format string, args ...any), d dataset) {
	if text := source.Skipped(d.omitted); text != "" {
		line("", "%s (coordinator data inspect says why)", text)
	}
}

// evaluationNote is said beside accuracies that mean less than they seem to; "" if they don't.
func (p *plan) evaluationNote() string {
	if p.settings.EvalData == "" || p.eval.manifest != p.train.manifest {
		return ""
	}
	return "on the training images themselves: it says little of others"
}

func evalWhen(steps int64) string {
	if steps == 0 {
		return "at start and end"
	}
	return fmt.Sprintf("every %s steps", grouped(steps))
}

func deviceWords(device string) string {
	if device == "auto" {
		return "auto: each worker takes the best it has, and says so"
	}
	return device
}

func isaWords(isa string) string {
	if isa == "auto" {
		return "isa auto"
	}
	return "isa " + isa + " for all"
}

// precisionWords are for a precision that is not the usual one.
func precisionWords(precision string) string {
	if precision == settings.FP32 {
		return ""
	}
	return ", precision " + precision
}

// threadWords are for so many threads of a worker, or of a process with several.
func threadWords(threads int, noun string) string {
	switch threads {
	case 0:
		return "threads: each worker's own choice"
	case 1:
		return "1 thread a " + noun
	}
	return fmt.Sprintf("%d threads a %s", threads, noun)
}

// recipeName is where most settings come from.
func (p *plan) recipeName() string {
	switch {
	case p.demo:
		return "demo on preset " + p.settings.Preset
	case p.settings.Config != "":
		return p.settings.Config + " on preset " + p.settings.Preset
	}
	return "preset " + p.settings.Preset
}

func stopsAt(p *plan) string {
	if p.settings.MaxSteps > 0 && p.settings.MaxSteps < p.config.TotalSteps {
		return fmt.Sprintf("; stops after %s", grouped(p.settings.MaxSteps))
	}
	return ""
}
