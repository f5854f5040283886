package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"byol/coordinator"
	"byol/model/optim"
	pb "byol/proto"
	"byol/worker/data"
)

// plan is a run that has been checked against its data and is ready to start.
type plan struct {
	*resolution
	train    dataset
	eval     dataset // zero without --eval-data
	config   *pb.RunConfig
	count    parameterCount
	schedule optim.Schedule
	launcher string
	why      string // the reason for the launcher
	worker   string // path of the worker program; "" where none is started
	warnings []string
}

// makePlan opens the data, computes steps, checks everything that can be wrong, and names the run.
func makePlan(ctx context.Context, r *resolution) (*plan, error) {
	p := &plan{resolution: r}
	s := r.settings
	if err := checkNumbers(s); err != nil {
		return nil, err
	}
	if s.data == "" {
		return nil, &failure{What: "no data: the configuration names no images", Why: s.config + " sets no data",
			Try:  "--data with a folder, a pattern like train-{000000..000009}.tar, or synthetic:4096,size=32",
			Code: coordinator.ExitUsage}
	}
	var err error
	if p.train, err = inspect(ctx, "data", s.data); err != nil {
		return nil, err
	}
	s.data = p.train.uri
	if s.evalData != "" {
		if p.eval, err = inspect(ctx, "eval-data", s.evalData); err != nil {
			return nil, err
		}
		s.evalData = p.eval.uri
	}
	if err := p.checkEvaluation(); err != nil {
		return nil, err
	}
	if err := p.computeSteps(); err != nil {
		return nil, err
	}
	p.chooseLauncher()
	if s.threads == 0 {
		s.threads = p.threadsEach()
	}
	p.name()
	p.count = countParameters(s, p.probeClasses())
	if err := p.fillConfig(); err != nil {
		return nil, err
	}
	if err := p.checkRunDirectory(); err != nil {
		return nil, err
	}
	return p, p.findWorker()
}

// wireFloat32 is the wire of a run that names none, as runs of older programs do.
const wireFloat32 = "float32"

// choices are the settings that take one of a few words.
var choices = []struct {
	flag  string
	value func(*settings) string
	words []string
}{
	{"stem", func(s *settings) string { return s.stem }, []string{"imagenet", "cifar"}},
	{"padding", func(s *settings) string { return s.padding }, []string{"symmetric", "same"}},
	{"batch-norm", func(s *settings) string { return s.batchNorm }, []string{"sync", "local"}},
	{"ablation", func(s *settings) string { return s.ablation }, []string{"", "no-predictor", "no-stop-gradient"}},
	{"determinism", func(s *settings) string { return s.determinism }, []string{"strict", "relaxed"}},
	{"device", func(s *settings) string { return s.device }, []string{"auto", "cpu", "reference"}},
	{"kernels", func(s *settings) string { return s.kernels }, []string{"auto", "direct"}},
	{"wire", func(s *settings) string { return s.wire }, []string{wireFloat32, "bf16"}},
	{"overlap", func(s *settings) string { return s.overlap }, []string{"auto", "on", "off"}},
	{"launcher", func(s *settings) string { return s.launcher }, []string{"auto", "local", "none"}},
	{"log-level", func(s *settings) string { return s.logLevel }, []string{"debug", "info", "warn", "error"}},
}

// checkNumbers refuses what no data could make right.
func checkNumbers(s *settings) error {
	for _, c := range choices {
		if !slices.Contains(c.words, c.value(s)) {
			return usage(fmt.Sprintf("--%s cannot be %q", c.flag, c.value(s)), "it is one of: "+strings.Join(c.words, ", "),
				suggestion(c.value(s), c.words, "--"+c.flag+" "+c.words[0]))
		}
	}
	if _, ok := networks[s.arch]; !ok {
		names := []string{"resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnet200", "resnet20", "resnet56"}
		return usage(fmt.Sprintf("unknown network %q", s.arch), "networks are "+strings.Join(names, ", "),
			suggestion(s.arch, names, "--arch resnet50"))
	}
	var bad *data.Failure
	if _, err := data.ParseAugment(s.augment, max(1, s.imageSize)); errors.As(err, &bad) {
		return usage(fmt.Sprintf("--augment cannot be %q", s.augment), bad.Why, bad.Try)
	}
	for _, b := range bounds(s) {
		if !(b.value >= b.low && b.value <= b.high) {
			return usage(fmt.Sprintf("--%s cannot be %v", b.flag, b.value), fmt.Sprintf("it is from %v to %v", b.low, b.high),
				"another value for --"+b.flag)
		}
	}
	return checkShards(s)
}

// bound is the range of a number.
type bound struct {
	flag      string
	value     float64
	low, high float64
}

func bounds(s *settings) []bound {
	return []bound{
		{"workers", float64(s.workers), 1, 1024}, {"shards", float64(s.shards), 1, 65536},
		{"batch-size", float64(s.batchSize), 2, 1 << 20}, {"epochs", s.epochs, 1e-9, 1e6},
		{"image-size", float64(s.imageSize), 8, 1024}, {"width", float64(s.width), 1, 16},
		{"proj-hidden-dim", float64(s.projHidden), 1, 1 << 16}, {"proj-dim", float64(s.projDim), 1, 1 << 16},
		{"pred-hidden-dim", float64(s.predHidden), 1, 1 << 16}, {"base-tau", s.baseTau, 0, 1},
		{"base-lr", s.baseLR, 0, 1e4}, {"weight-decay", s.weightDecay, 0, 1}, {"momentum", s.momentum, 0, 1},
		{"lars-eta", s.larsEta, 0, 1}, {"warmup-epochs", s.warmupEpochs, 0, 1e6}, {"knn-k", float64(s.knnK), 1, 1 << 20},
		{"knn-temperature", s.knnTemperature, 1e-6, 1e6}, {"threads", float64(s.threads), 0, 4096},
		{"keep", float64(s.keep), 0, 1 << 20}, {"max-steps", float64(s.maxSteps), 0, math.MaxInt64},
		{"bucket-mib", float64(s.bucketMiB), 0, 1024},
	}
}

func checkShards(s *settings) error {
	if s.shards < s.workers {
		return usage(fmt.Sprintf("%d workers cannot share %d shards", s.workers, s.shards),
			"each worker owns at least one shard, and the shards of a run never change",
			fmt.Sprintf("--workers %d, or --shards %d for a new run", s.shards, s.workers))
	}
	if s.batchSize%s.shards != 0 {
		lower, upper := s.batchSize/s.shards*s.shards, (s.batchSize/s.shards+1)*s.shards
		try := fmt.Sprintf("--batch-size %d", upper)
		if lower > 0 {
			try = fmt.Sprintf("--batch-size %d or %d", lower, upper)
		}
		return usage(fmt.Sprintf("a batch of %d cannot be cut into %d shards", s.batchSize, s.shards),
			"every shard has the same number of images", try)
	}
	if s.batchNorm == "local" && s.batchSize/s.shards < 2 {
		return usage("--batch-norm local needs two images in each shard",
			fmt.Sprintf("%d images over %d shards is one each, and one image has no variance", s.batchSize, s.shards),
			"--batch-norm sync, a larger --batch-size or fewer --shards")
	}
	return nil
}

func (p *plan) checkEvaluation() error {
	if p.settings.evalData == "" {
		return nil
	}
	for _, d := range []struct {
		flag string
		dataset
	}{{"data", p.train}, {"eval-data", p.eval}} {
		if !d.labelled {
			return &failure{What: "k-nearest-neighbour accuracy needs labels", Why: "--" + d.flag + " " + d.uri + " has none",
				Try: "labelled images, or no --eval-data", Code: coordinator.ExitData}
		}
	}
	if p.train.classes != p.eval.classes {
		return &failure{What: "--data and --eval-data don't have the same classes",
			Why: fmt.Sprintf("%d classes in %s, %d in %s", p.train.classes, p.train.uri, p.eval.classes, p.eval.uri),
			Try: "two parts of one data set", Code: coordinator.ExitData}
	}
	return nil
}

func (p *plan) computeSteps() error {
	s := p.settings
	p.schedule = optim.Schedule{BaseLR: s.baseLR, Batch: s.batchSize, BaseTau: s.baseTau,
		Warmup: optim.Steps(p.train.images, s.batchSize, s.warmupEpochs),
		Total:  optim.Steps(p.train.images, s.batchSize, s.epochs)}
	if p.schedule.Total < 1 {
		return usage("the training would have no step",
			fmt.Sprintf("%v epochs of %s images are less than one batch of %d", s.epochs, grouped(p.train.images), s.batchSize),
			"more --epochs, or a smaller --batch-size")
	}
	if p.schedule.Warmup >= p.schedule.Total {
		return usage("the warm-up is as long as the training",
			fmt.Sprintf("%v of %v epochs", s.warmupEpochs, s.epochs), "fewer --warmup-epochs, or more --epochs")
	}
	return nil
}

// chooseLauncher decides who starts the workers, and says why.
func (p *plan) chooseLauncher() {
	p.launcher = p.settings.launcher
	switch {
	case p.launcher == "local":
		p.why = "asked for"
	case p.launcher == "none":
		p.why = "asked for"
	case os.Getenv("KUBERNETES_SERVICE_HOST") != "":
		p.launcher, p.why = "none", "Kubernetes detected"
	case os.Getenv("SLURM_JOB_ID") != "":
		p.launcher, p.why = "none", "Slurm detected"
	default:
		p.launcher, p.why = "local", "no cluster detected; --launcher none waits for workers that join"
	}
	if p.settings.listen == "" {
		p.settings.listen = "127.0.0.1:0"
		if p.launcher == "none" {
			p.settings.listen = "0.0.0.0:7070"
		}
	}
}

// threadsEach shares the machine's cores among the workers it runs.
func (p *plan) threadsEach() int {
	if p.launcher != "local" {
		return 0
	}
	return max(1, runtime.GOMAXPROCS(0)/p.settings.workers)
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// name gives the run a directory that depends on what decides its numbers alone, so that repeating a command
// finds the run it started, and another command doesn't.
func (p *plan) name() {
	s := p.settings
	if s.runName == "" && s.runDir != "" {
		s.runName = filepath.Base(filepath.Clean(s.runDir))
	}
	if s.runName == "" {
		h := sha256.New()
		for _, flag := range decisive {
			if flag == "wire" && s.wire == wireFloat32 { // as runs were named before there was a choice
				continue
			}
			fmt.Fprintf(h, "%s=%s\n", flag, p.flags.Lookup(flag).Value)
		}
		base := "synthetic"
		if !strings.HasPrefix(s.data, "synthetic:") {
			base = filepath.Base(strings.TrimSuffix(filepath.Dir(s.data+"/x"), "/"))
			if strings.ContainsAny(base, "{.") {
				base = filepath.Base(filepath.Dir(s.data))
			}
		}
		base = strings.Trim(notInNames.ReplaceAllString(strings.ToLower(base), "-"), "-")
		s.runName = fmt.Sprintf("%s-%s-%x", base, s.arch, h.Sum(nil)[:3])
	}
	if s.runDir == "" {
		s.runDir = filepath.Join("runs", s.runName)
	}
}

// fillConfig writes the configuration every worker gets.
func (p *plan) fillConfig() error {
	s := p.settings
	perEpoch := float64(p.train.images) / float64(s.batchSize)
	save, err := parseInterval(s.saveInterval, perEpoch)
	if err != nil {
		return usage("--save-interval cannot be read", err.Error(), "--save-interval 1ep, 500, 15m or 0")
	}
	evaluate, err := parseInterval(s.evalEvery, perEpoch)
	if err == nil && evaluate.time > 0 {
		err = fmt.Errorf("%q is a time: evaluation is counted in steps, so that every run has the same points", s.evalEvery)
	}
	if err != nil {
		return usage("--eval-every cannot be read", err.Error(), "--eval-every 5ep, 500 or 0")
	}
	dir, err := filepath.Abs(filepath.Join(s.runDir, "checkpoints"))
	if err == nil && s.resume != coordinator.ResumeAuto && s.resume != coordinator.ResumeNever {
		s.resume, err = filepath.Abs(s.resume)
	}
	if err != nil {
		return err
	}
	p.config = &pb.RunConfig{
		RunId: s.runName, Seed: s.seed,
		Arch: s.arch, Width: int32(s.width), Stem: s.stem, Padding: s.padding, ImageSize: int32(s.imageSize),
		ProjectorHidden: int32(s.projHidden), ProjectorOut: int32(s.projDim), PredictorHidden: int32(s.predHidden),
		Classes: int32(p.probeClasses()), BatchNorm: s.batchNorm, Ablation: s.ablation,
		ZeroInitLastGamma: s.zeroInitLastGamma,
		BatchSize:         int32(s.batchSize), Shards: int32(s.shards), TotalSteps: p.schedule.Total,
		WarmupSteps: p.schedule.Warmup, BaseLr: s.baseLR, WeightDecay: s.weightDecay, BaseTau: s.baseTau,
		Momentum: s.momentum, LarsEta: s.larsEta, Epochs: s.epochs, MaxSteps: s.maxSteps,
		Data: s.data, EvalData: s.evalData, Samples: p.train.images, ManifestHash: p.train.manifest,
		EvalEverySteps: evaluate.steps, KnnK: int32(s.knnK), KnnTemperature: s.knnTemperature,
		Device: s.device, Threads: int32(s.threads), CheckpointDir: dir,
		SaveEverySteps: save.steps, SaveEverySeconds: save.time.Seconds(), Keep: int32(s.keep),
		FailureTimeoutSeconds: s.failureTimeout.Seconds(), Determinism: s.determinism, Preset: s.preset,
		Augment: s.augment, BucketBytes: int64(s.bucketMiB) << 20, Kernels: s.kernels,
		NoOverlap: !p.overlaps(),
	}
	if s.wire != wireFloat32 {
		p.config.Wire = s.wire
	}
	return nil
}

// overlaps says whether steps begin before the one before is committed. Local workers that keep every core busy would
// only get in the coordinator's and each other's way.
func (p *plan) overlaps() bool {
	s := p.settings
	full := p.launcher == "local" && s.workers*s.threads >= runtime.GOMAXPROCS(0)
	return s.overlap == "on" || s.overlap == "auto" && !full
}

// probeClasses is the size of the linear probe: none without labels.
func (p *plan) probeClasses() int {
	if !p.train.labelled {
		return 0
	}
	return p.train.classes
}

func (p *plan) checkRunDirectory() error {
	if p.stored == nil {
		text, err := os.ReadFile(filepath.Join(p.settings.runDir, storedConfig))
		if err == nil {
			if p.stored, err = parseYAML(storedConfig, text, p.flags); err != nil {
				return err
			}
		}
	}
	if differ := p.conflicts(); len(differ) > 0 {
		return usage(fmt.Sprintf("%s holds another run", p.settings.runDir), strings.Join(differ, "; "),
			"the same settings to go on with it, or another --run-dir for a new run")
	}
	return nil
}
