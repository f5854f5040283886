package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"byol/internal/bench/measure"
)

// operation is what part of a step's time is filed under: the first whose word a frame of the stack contains.
type operation struct{ word, title string }

// operations are told by the functions that layers call, so a new kernel below one of them needs no entry here. The
// heads come first: their matrix products are convolutions to the device.
var operations = []operation{
	{"nn.(*MLP).", "heads: projector, predictor, classifier"},
	{").BackwardData", "convolution, backward-data"},
	{").BackwardWeights", "convolution, backward-weights"},
	{").Forward", "convolution, forward"},
	{").Pack", "convolution, packing of weights"},
	{".BatchNorm", "batch norm, with ReLU and residual"},
	{"Pool", "pooling"},
	{".AddMasked", "addition of gradients at shortcuts"},
	{".LARS", "LARS"},
	{".EMA", "moving average"},
	{").Regression", "loss"},
	{").NormalizedSums", "loss"},
	{").CrossEntropy", "loss"},
}

// profiled are the steps that are taken apart.
var profiled = []struct{ title, args string }{
	{"BYOL, ResNet-18 (CIFAR stem), 32², batch 128",
		"-arch resnet18 -stem cifar -image-size 32 -batch 128"},
	{"encoder forward + backward, ResNet-50, 224², batch 16",
		"-arch resnet50 -stem imagenet -image-size 224 -batch 16 -part encoder"},
	{"BYOL, ResNet-50, 224², batch 8", "-arch resnet50 -stem imagenet -image-size 224 -batch 8"},
}

// shares is a profile summed up: seconds by operation, and in each by function.
type shares struct {
	seconds   map[string]float64
	functions map[string]map[string]float64
	total     float64
}

// profileSteps writes the table of make bench-profile: where the processor time of a step goes.
func profileSteps(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("profile", flag.ContinueOnError)
	steps := f.Int("steps", 2, "steps of each network")
	file := f.String("out", "", "`FILE` of the table; default: docs/bench/profile.md")
	batch := f.Int("batch", 0, "images per step; 0: as the table says. For tries: nothing is written to docs")
	if err := measure.Parse(f, args, os.Stderr); err != nil {
		return err
	}
	e, err := newEnvironment(&options{pairs: 1})
	if err != nil {
		return err
	}
	defer os.RemoveAll(e.places["tmp"])
	if *file == "" && *batch == 0 {
		*file = filepath.Join(e.options.out, "profile.md")
	}
	e.commit = describeCommit(ctx, e.root)
	var b strings.Builder
	b.WriteString("# Where the time of a step goes, by operation\n\nWritten by `make bench-profile`.\n\n")
	facts := machineFacts(e)
	for _, fact := range facts[:len(facts)-1] { // there are no pairs
		fmt.Fprintf(&b, "- %s\n", fact)
	}
	b.WriteString("\nOne worker of one thread, generated input, no ring. Samples of the processor " +
		"(`stepbench -profile`), each filed under the operation that a layer asked for; \"functions\" are where " +
		"its time was spent, from 1 % of a step on.\n\n")
	for _, p := range profiled {
		argv := append([]string{"-device", "cpu", "-threads", "1", "-warm-up", "1", "-json",
			"-steps", fmt.Sprint(*steps)}, strings.Fields(p.args)...)
		if *batch > 0 {
			argv = append(argv, "-batch", fmt.Sprint(*batch))
		}
		text, err := e.profileOne(ctx, argv)
		if err != nil {
			return fmt.Errorf("profile %s: %w", p.title, err)
		}
		fmt.Fprintf(&b, "## %s\n\n%s\n", p.title, text)
	}
	text := strings.TrimRight(b.String(), "\n") + "\n"
	fmt.Fprint(out, text)
	if *file == "" {
		return nil
	}
	if err := os.WriteFile(*file, []byte(text), 0o644); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

// profileOne runs stepbench with argv under a profile and gives its table.
func (e *environment) profileOne(ctx context.Context, argv []string) (string, error) {
	ctx, stop := context.WithTimeoutCause(ctx, 20*time.Minute, errors.New("took longer than 20 minutes"))
	defer stop()
	name := filepath.Join(e.places["tmp"], "cpu.prof")
	program := filepath.Join(e.places["bin"], "stepbench")
	said, err := exec.CommandContext(ctx, program, append(argv, "-profile", name)...).Output()
	if err != nil {
		return "", fmt.Errorf("run stepbench: %w", err)
	}
	var r struct {
		Device      string  `json:"device"`
		StepSeconds float64 `json:"step_seconds"`
	}
	if err := json.Unmarshal(said, &r); err != nil {
		return "", fmt.Errorf("read what stepbench printed: %w", err)
	}
	traces, err := exec.CommandContext(ctx, "go", "tool", "pprof", "-traces", "-symbolize=none", name).Output()
	if err != nil {
		return "", fmt.Errorf("read profile by go tool pprof: %w", err)
	}
	s, err := sumTraces(traces)
	if err != nil {
		return "", err
	}
	head := fmt.Sprintf("Device %s, %s s a step, %s s sampled.\n\n", r.Device, significant(r.StepSeconds),
		significant(s.total))
	return head + table([]string{"operation", "share, %", "functions, % of the step"}, s.rows()), nil
}

// sumTraces files the samples that go tool pprof -traces printed: blocks of a time and a stack, leaf first.
func sumTraces(text []byte) (*shares, error) {
	s := &shares{seconds: map[string]float64{}, functions: map[string]map[string]float64{}}
	var took time.Duration
	var stack []string
	file := func() {
		if took > 0 && len(stack) > 0 {
			s.add(took.Seconds(), stack)
		}
		took, stack = 0, nil
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "-----------+") {
			file()
			continue
		}
		if !strings.HasPrefix(line, " ") {
			continue // what the profile is of
		}
		frame := strings.TrimSuffix(strings.TrimSpace(line), " (inline)")
		if len(stack) == 0 {
			first, rest, _ := strings.Cut(frame, " ")
			d, err := time.ParseDuration(first)
			if err != nil {
				continue // a label of the sample
			}
			took, frame = d, strings.TrimSpace(rest)
		}
		stack = append(stack, frame)
	}
	file()
	if s.total == 0 {
		return nil, errors.New("the profile holds no samples")
	}
	return s, lines.Err()
}

// add files one sample. What belongs to no operation goes by the name of the function itself.
func (s *shares) add(seconds float64, stack []string) {
	title := "other: " + shortName(stack[0])
	if strings.HasPrefix(stack[0], "runtime.") {
		title = "other: Go's runtime"
	}
search:
	for _, o := range operations {
		for _, frame := range stack {
			if strings.Contains(frame, o.word) && strings.Contains(frame, "byol/model") && !isWhole(frame) {
				title = o.title
				break search
			}
		}
	}
	s.total += seconds
	s.seconds[title] += seconds
	if s.functions[title] == nil {
		s.functions[title] = map[string]float64{}
	}
	s.functions[title][shortName(stack[0])] += seconds
}

// isWhole reports whether a function is a network's, not an operation's.
func isWhole(frame string) bool { return strings.Contains(frame, "nn.(*ResNet).") }

// shortName is a function without the path of its package.
func shortName(f string) string { return f[strings.LastIndex(f, "/")+1:] }

// rows are the operations, largest first, then the others that are at least 0.5 %, then the rest.
func (s *shares) rows() [][]string {
	var rows [][]string
	rest := 0.0
	for _, title := range byValue(s.seconds) {
		share := 100 * s.seconds[title] / s.total
		if strings.HasPrefix(title, "other: ") && share < 0.5 {
			rest += share
			continue
		}
		var words []string
		for _, f := range byValue(s.functions[title]) {
			if x := 100 * s.functions[title][f] / s.total; x >= 1 {
				words = append(words, fmt.Sprintf("%s %.1f", f, x))
			}
		}
		rows = append(rows, []string{title, fmt.Sprintf("%.1f", share), strings.Join(words, ", ")})
	}
	if rest > 0 {
		rows = append(rows, []string{"other, each below 0.5 %", fmt.Sprintf("%.1f", rest), ""})
	}
	return rows
}

// byValue are the keys, the largest value first.
func byValue(m map[string]float64) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(a, b)) })
	return keys
}
