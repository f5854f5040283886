package main

import (
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// settings is what flags, environment, files and recipes decide together. Each field is one flag of the same
// meaning; newFlags is where names, defaults and words for the user are.
type settings struct {
	// Job.
	workers         int
	shards          int
	data, evalData  string
	config, preset  string
	epochs          float64
	maxSteps        int64
	batchSize       int
	seed            uint64
	runName, runDir string
	resume          string
	dryRun          bool
	// Network.
	arch                            string
	width                           int
	stem, padding                   string
	imageSize                       int
	projHidden, projDim, predHidden int
	batchNorm                       string
	zeroInitLastGamma               bool
	ablation                        string
	requireGain                     float64
	// Optimisation.
	baseLR, weightDecay, baseTau float64
	warmupEpochs                 float64
	momentum, larsEta            float64
	augment                      string
	// Evaluation.
	evalEvery      string
	knnK           int
	knnTemperature float64
	// Checkpoints and faults.
	saveInterval                string
	keep                        int
	joinTimeout, failureTimeout time.Duration
	determinism                 string
	// Execution.
	device       string
	threads      int
	kernels      string
	wire         string
	bucketMiB    int
	overlap      string
	launcher     string
	workerBinary string
	listen       string
	// Output.
	logInterval time.Duration
	logLevel    string
	quiet       bool
	noColor     bool
}

// groupKey annotates a flag with the heading it stands under in --help.
const groupKey = "group"

// groups are the headings of --help, in order.
var groups = []string{"Job", "Network", "Optimisation", "Evaluation", "Checkpoints and faults", "Execution", "Output"}

// newFlags declares every flag of a run over s.
func newFlags(s *settings) *pflag.FlagSet {
	all := pflag.NewFlagSet("coordinator", pflag.ContinueOnError)
	all.SortFlags = false
	for i, declare := range []func(*pflag.FlagSet, *settings){
		jobFlags, networkFlags, optimisationFlags, evaluationFlags, faultFlags, executionFlags, outputFlags,
	} {
		f := pflag.NewFlagSet(groups[i], pflag.ContinueOnError)
		f.SortFlags = false
		declare(f, s)
		f.VisitAll(func(flag *pflag.Flag) { flag.Annotations = map[string][]string{groupKey: {groups[i]}} })
		all.AddFlagSet(f)
	}
	return all
}

func jobFlags(f *pflag.FlagSet, s *settings) {
	f.IntVarP(&s.workers, "workers", "w", 8, "how many workers the run has")
	f.IntVar(&s.shards, "shards", 0, "virtual shards of the batch; fixed for the life of a run (default: --workers)")
	f.StringVarP(&s.data, "data", "d", "",
		"`URI` of the images: folder, tar pattern (a-{000000..000009}.tar), synthetic:N "+
			"(default: generated demo pictures)")
	f.StringVar(&s.evalData, "eval-data", "", "`URI` of labelled images for k-nearest-neighbour accuracy")
	f.StringVarP(&s.config, "config", "c", "", "YAML `FILE` with these names as keys, or the name of a recipe (recipe ls)")
	f.StringVar(&s.preset, "preset", "byol-100ep", "published hyper-parameters: byol-40ep, -100ep, -300ep, -1000ep")
	f.Float64Var(&s.epochs, "epochs", 0, "passes over the images (default: the preset's)")
	f.Int64Var(&s.maxSteps, "max-steps", 0, "stop after so many steps, schedules unchanged (0: train to the end)")
	f.IntVarP(&s.batchSize, "batch-size", "b", 256, "images of a step, over all workers")
	f.Uint64Var(&s.seed, "seed", 0, "decides initial weights, order of images and augmentation")
	f.StringVar(&s.runName, "run-name", "", "name of the run (default: made of data, network and settings)")
	f.StringVar(&s.runDir, "run-dir", "", "`DIR` for everything of the run (default: runs/NAME); the same one resumes")
	f.StringVar(&s.resume, "resume", "auto",
		"auto: go on from the newest good checkpoint; never; or a checkpoint's `PATH`")
	f.BoolVar(&s.dryRun, "dry-run", false, "print what would run, and stop")
}

func networkFlags(f *pflag.FlagSet, s *settings) {
	f.StringVarP(&s.arch, "arch", "a", "resnet50", "resnet18, 34, 50, 101, 152, 200; for small images resnet20, resnet56")
	f.IntVar(&s.width, "width", 1, "multiplies every channel count of the encoder")
	f.StringVar(&s.stem, "stem", "auto", "imagenet (7×7 stride 2, pooling), cifar (3×3), auto: by image size")
	f.StringVar(&s.padding, "padding", "symmetric", "symmetric (as PyTorch) or same (as the reference code)")
	f.IntVar(&s.imageSize, "image-size", 224, "side of the square that the network sees, in `PIXELS`")
	f.IntVar(&s.projHidden, "proj-hidden-dim", 4096, "hidden units of the projector")
	f.IntVar(&s.projDim, "proj-dim", 256, "size of the projection")
	f.IntVar(&s.predHidden, "pred-hidden-dim", 4096, "hidden units of the predictor")
	f.StringVar(&s.batchNorm, "batch-norm", "sync", "sync: statistics of the whole batch; local: of each shard")
	f.BoolVar(&s.zeroInitLastGamma, "zero-init-last-gamma", false, "start each residual branch at zero")
	f.StringVar(&s.ablation, "ablation", "", "no-predictor or no-stop-gradient: negative controls, made to collapse")
	_ = f.MarkHidden("ablation")
}

func optimisationFlags(f *pflag.FlagSet, s *settings) {
	f.Float64Var(&s.baseLR, "base-lr", 0, "learning rate of a batch of 256; scaled by batch/256 (default: the preset's)")
	f.Float64Var(&s.weightDecay, "weight-decay", 0, "weight decay (default: the preset's)")
	f.Float64Var(&s.baseTau, "base-tau", 0, "the target's decay at the start; rises to 1 (default: the preset's)")
	f.Float64Var(&s.warmupEpochs, "warmup-epochs", 0,
		"epochs of linear warm-up (default: 10, or a quarter of fewer than 40)")
	f.Float64Var(&s.momentum, "momentum", 0.9, "momentum of LARS")
	f.Float64Var(&s.larsEta, "lars-eta", 1e-3, "trust coefficient of LARS")
	f.StringVar(&s.augment, "augment", "auto",
		"byol, byol-noblur (small images), auto; options follow: byol-noblur,min-area=0.2")
}

func evaluationFlags(f *pflag.FlagSet, s *settings) {
	f.StringVar(&s.evalEvery, "eval-every", "0", "how often to measure k-NN: 5ep, 500 (steps), 0: only at start and end")
	f.IntVar(&s.knnK, "knn-k", 200, "neighbours that vote")
	f.Float64Var(&s.knnTemperature, "knn-temperature", 0.1, "temperature of the votes")
	f.Float64Var(&s.requireGain, "require-gain", 0,
		"fail unless k-NN rises by so many `POINTS` over the untrained network")
	_ = f.MarkHidden("require-gain")
}

func faultFlags(f *pflag.FlagSet, s *settings) {
	f.StringVar(&s.saveInterval, "save-interval", "10m",
		"checkpoint every 1ep, 500 (steps), 15m; several: 1ep,15m; 0: at the end")
	f.IntVar(&s.keep, "keep", 3, "checkpoints to keep; 0: all")
	f.DurationVar(&s.joinTimeout, "join-timeout", time.Minute, "how long to wait for all workers")
	f.DurationVar(&s.failureTimeout, "failure-timeout", 5*time.Second, "how long a worker may be silent")
	f.StringVar(&s.determinism, "determinism", "strict", "strict: refuse workers whose bits may differ; relaxed")
}

func executionFlags(f *pflag.FlagSet, s *settings) {
	f.StringVar(&s.device, "device", "auto", "auto, cpu, reference")
	f.IntVar(&s.threads, "threads", 0, "threads of a worker (default: the machine's cores shared among local workers)")
	f.StringVar(&s.kernels, "kernels", "auto", "auto, or direct: convolutions without fast algorithms")
	f.StringVar(&s.wire, "wire", "float32",
		"float32, or bf16: gradients rounded to bfloat16 for their sum, half the bytes between machines; other bits")
	f.IntVar(&s.bucketMiB, "bucket-mib", 0, "gradient bytes of one all-reduce, in `MIB` (default: chosen by the workers)")
	f.StringVar(&s.overlap, "overlap", "auto",
		"begin a step while the one before is being committed: on, off, auto (on where cores are left); same bits")
	f.StringVar(&s.launcher, "launcher", "auto", "local: start the workers here; none: wait for them to join; auto")
	f.StringVar(&s.workerBinary, "worker-binary", "", "`PATH` of the worker program (default: beside this one)")
	f.StringVar(&s.listen, "listen", "",
		"`HOST:PORT` for workers and operators (default: a free local port; 0.0.0.0:7070 without launcher)")
}

func outputFlags(f *pflag.FlagSet, s *settings) {
	f.DurationVar(&s.logInterval, "log-interval", 10*time.Second, "time between progress lines off a terminal")
	f.StringVar(&s.logLevel, "log-level", "info", "debug, info, warn, error: for the run's log file")
	f.BoolVarP(&s.quiet, "quiet", "q", false, "print errors and the summary only")
	f.BoolVar(&s.noColor, "no-color", false, "no colours (also: NO_COLOR)")
}

// volatile flags say how to run, not what: they are not kept in a run's config.yaml.
var volatile = map[string]bool{
	"config": true, "run-dir": true, "run-name": true, "resume": true, "dry-run": true, "launcher": true,
	"worker-binary": true, "listen": true, "log-interval": true, "log-level": true, "quiet": true, "no-color": true,
	"workers": true, "threads": true, "overlap": true, "join-timeout": true, "max-steps": true, "require-gain": true,
}

// decisive flags decide the numbers of a run: a run directory holds one value of each, for ever.
var decisive = []string{
	"shards", "data", "epochs", "batch-size", "seed", "arch", "width", "stem", "padding", "image-size",
	"proj-hidden-dim", "proj-dim", "pred-hidden-dim", "batch-norm", "zero-init-last-gamma", "ablation", "base-lr",
	"weight-decay", "base-tau", "warmup-epochs", "momentum", "lars-eta", "augment", "kernels", "wire",
}

// envName is the environment variable of a flag.
func envName(flag string) string {
	return "BYOL_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}
