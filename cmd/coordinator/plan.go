package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"byol/coordinator"
	"byol/coordinator/launch"
	"byol/coordinator/settings"
	"byol/internal/failure"
	"byol/internal/network"
	"byol/model/optim"
	pb "byol/proto"
)

// plan is a run that has been checked against its data and is ready to start.
type plan struct {
	*resolution
	train    dataset
	eval     dataset // zero without --eval-data
	config   *pb.RunConfig
	count    parameterCount
	schedule optim.Schedule
	initial  *initial // nil: the seed draws all
	launcher string
	why      string // the reason for the launcher
	worker   string // path of the worker program; "" where none is started
	room     *room  // that workers have on this machine; nil where none is started, or it is not known
	chosen   string // why there are so many workers, where nobody said how many
	// processes are those that are started here: how many workers each stands for; nil where none is.
	processes []int
	peers     map[string]string // the coordinators of the run, where there are several
	guard     *protection       // nil where nothing is started
	admin     *adminPort        // nil where nothing is started
}

// makePlan opens the data, computes steps, checks everything that can be wrong, and names the run.
func makePlan(ctx context.Context, r *resolution) (*plan, error) {
	p := &plan{resolution: r}
	s := r.settings
	if err := checkValues(s); err != nil {
		return nil, err
	}
	if s.Data == "" {
		return nil, &failure.Failure{What: "no data: the configuration names no images", Why: s.Config + " sets no data",
			Try:  "--data with a folder, a pattern like train-{000000..000009}.tar, or synthetic:4096,size=32",
			Code: failure.Usage}
	}
	where := accessOf(s)
	where.note = r.say
	var err error
	if p.train, err = inspect(ctx, "data", s.Data, where); err != nil {
		return nil, err
	}
	s.Data = p.train.uri
	if s.EvalData != "" {
		if p.eval, err = inspect(ctx, "eval-data", s.EvalData, where); err != nil {
			return nil, err
		}
		s.EvalData = p.eval.uri
	}
	if err := p.checkEvaluation(); err != nil {
		return nil, err
	}
	if err := p.computeSteps(); err != nil {
		return nil, err
	}
	if err := p.choosePeers(); err != nil {
		return nil, err
	}
	p.chooseLauncher()
	if err := p.readStart(); err != nil {
		return nil, err
	}
	if err := p.name(); err != nil {
		return nil, err
	}
	p.count = countParameters(s, p.probeClasses())
	if err := p.fillConfig(); err != nil {
		return nil, err
	}
	if err := p.checkContinued(); err != nil {
		return nil, err
	}
	if err := p.checkRunDirectory(); err != nil {
		return nil, err
	}
	if err := p.findWorker(ctx); err != nil {
		return nil, err
	}
	return p, p.fitWorkers(ctx)
}

func (p *plan) computeSteps() error {
	s := p.settings
	p.schedule = optim.Schedule{BaseLR: s.BaseLR, Batch: s.BatchSize, BaseTau: s.BaseTau,
		Warmup: optim.Steps(p.train.images, s.BatchSize, s.WarmupEpochs),
		Total:  optim.Steps(p.train.images, s.BatchSize, s.Epochs)}
	if p.schedule.Total < 1 {
		return usage("the training would have no step",
			fmt.Sprintf("%v epochs of %s images are less than one batch of %d", s.Epochs, grouped(p.train.images), s.BatchSize),
			"more --epochs, or a smaller --batch-size")
	}
	if p.schedule.Warmup >= p.schedule.Total {
		return usage("the warm-up is as long as the training",
			fmt.Sprintf("%v of %v epochs", s.WarmupEpochs, s.Epochs), "fewer --warmup-epochs, or more --epochs")
	}
	return nil
}

// chooseLauncher decides who starts the workers, and says why.
func (p *plan) chooseLauncher() {
	p.launcher = p.settings.Launcher
	switch {
	case p.launcher == "local":
		p.why = "asked for"
	case p.launcher == "none":
		p.why = "asked for"
	case p.settings.RaftListen != "":
		p.launcher, p.why = "none", "workers outlive a coordinator among several"
	case os.Getenv("KUBERNETES_SERVICE_HOST") != "":
		p.launcher, p.why = "none", "Kubernetes detected"
	case os.Getenv("SLURM_JOB_ID") != "":
		p.launcher, p.why = "none", "Slurm detected"
	default:
		p.launcher, p.why = "local", "no cluster detected; --launcher none waits for workers that join"
	}
	p.settings.Listen = network.HostPort(p.settings.Listen)
	p.settings.RaftListen = network.HostPort(p.settings.RaftListen)
	if p.settings.Listen == "" {
		p.settings.Listen = "127.0.0.1:0"
		if p.launcher == "none" {
			p.settings.Listen = "0.0.0.0:7070"
		}
	}
}

// threadsEach shares the machine's cores among the processes it runs.
func (p *plan) threadsEach() int {
	if p.launcher != "local" {
		return 0
	}
	return launch.Threads(runtime.GOMAXPROCS(0), len(p.processes))
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// name gives the run a directory that depends on what decides its numbers alone, so that repeating a command
// finds the run it started, and another command doesn't.
func (p *plan) name() error {
	s := p.settings
	if s.RunName == "" && s.RunDir != "" && len(p.peers) < 2 { // several coordinators have directories of their own
		s.RunName = filepath.Base(filepath.Clean(s.RunDir))
	}
	if s.RunName == "" {
		h := sha256.New()
		for _, row := range settings.All() {
			if row.Name == "init" && p.initial != nil {
				fmt.Fprintf(h, "init=%s\n", p.initial.sha256)
			}
			younger := row.Name == "wire" || row.Name == "precision" // than names: they are in them when they say something
			if value := p.flags.Lookup(row.Name).Value.String(); !row.Decides() || younger && value == row.Default ||
				p.usualView(row.Name) || row.Name == "init" {
				continue
			}
			fmt.Fprintf(h, "%s=%s\n", row.Name, p.flags.Lookup(row.Name).Value)
		}
		base := "synthetic"
		if !strings.HasPrefix(s.Data, "synthetic:") {
			base = filepath.Base(strings.TrimSuffix(filepath.Dir(s.Data+"/x"), "/"))
			if strings.ContainsAny(base, "{.") {
				base = filepath.Base(filepath.Dir(s.Data))
			}
		}
		base = strings.Trim(notInNames.ReplaceAllString(strings.ToLower(base), "-"), "-")
		s.RunName = fmt.Sprintf("%s-%s-%x", base, s.Arch, h.Sum(nil)[:3])
	}
	if s.RunDir == "" {
		if s.RunName != filepath.Base(s.RunName) || s.RunName == "." || s.RunName == ".." {
			return usage(fmt.Sprintf("--run-name cannot be %q", s.RunName), "the run's directory is called so, under runs, "+
				"where status and runs ls look for it", "a name without a slash; --run-dir names any directory")
		}
		s.RunDir = filepath.Join("runs", s.RunName)
	}
	return nil
}

// fillConfig writes the configuration every worker gets.
func (p *plan) fillConfig() error {
	s := p.settings
	perEpoch := float64(p.train.images) / float64(s.BatchSize)
	save, err := parseInterval(s.SaveInterval, perEpoch)
	if err != nil {
		return usage("--save-interval cannot be read", err.Error(), "--save-interval 1ep, 500, 15m or 0")
	}
	evaluate, err := parseInterval(s.EvalEvery, perEpoch)
	if err == nil && evaluate.time > 0 {
		err = fmt.Errorf("%q is a time: evaluation is counted in steps, so that every run has the same points", s.EvalEvery)
	}
	if err != nil {
		return usage("--eval-every cannot be read", err.Error(), "--eval-every 5ep, 500 or 0")
	}
	verify, err := p.verifyEvery()
	if err != nil {
		return err
	}
	dir, err := p.checkpointDir()
	if err == nil && s.Resume != coordinator.ResumeAuto && s.Resume != coordinator.ResumeNever {
		s.Resume, err = filepath.Abs(s.Resume)
	}
	if err != nil {
		return err
	}
	p.config = &pb.RunConfig{
		Classes: int32(p.probeClasses()), TotalSteps: p.schedule.Total, WarmupSteps: p.schedule.Warmup,
		Samples: p.train.images, ManifestHash: p.train.manifest, EvalEverySteps: evaluate.steps, CheckpointDir: dir,
		SaveEverySteps: save.steps, SaveEverySeconds: save.time.Seconds(),
		FailureTimeoutSeconds: s.FailureTimeout.Seconds(), BucketBytes: int64(s.BucketMiB) << 20,
		VerifyEverySteps: verify, DataTimeoutSeconds: s.DataTimeout.Seconds(), Sums: pb.SumsTree,
	}
	if turns := s.Workers * s.Accumulate; s.Accumulate > 1 {
		p.config.ShardsAtOnce = int32((s.Shards + turns - 1) / turns)
	}
	if warning := turnsWarning(s); warning != "" {
		p.warnings = append(p.warnings, warning)
	}
	if p.initial != nil {
		p.config.InitSha256 = p.initial.sha256
	}
	if s.Wire != settings.Float32 {
		p.config.Wire = s.Wire
	}
	if s.Precision != settings.FP32 {
		p.config.Precision = s.Precision
	}
	s.Configure(p.config)
	p.configureViews(p.config)
	return nil
}

// checkpointDir is the absolute path of the checkpoints. One that was given is kept with the run as an absolute path;
// one that follows from --run-dir is not kept, and follows the run wherever it is moved.
func (p *plan) checkpointDir() (string, error) {
	s := p.settings
	if s.CheckpointDir == "" {
		return filepath.Abs(filepath.Join(s.RunDir, checkpointsName))
	}
	var err error
	s.CheckpointDir, err = filepath.Abs(s.CheckpointDir)
	return s.CheckpointDir, err
}

// verifyEvery is of how many steps one is verified, 0 for none. Workers whose bits may differ cannot be compared.
func (p *plan) verifyEvery() (int64, error) {
	every, err := parseShare(p.settings.VerifyShards)
	if err != nil {
		return 0, usage("--verify-shards cannot be read", err.Error(), "--verify-shards 1/64, or 0")
	}
	if every > 0 && p.settings.Determinism == "relaxed" {
		return 0, usage("--verify-shards needs workers of the same bits",
			"with --determinism relaxed healthy workers may compute other gradients",
			"--determinism strict, or --verify-shards 0")
	}
	return every, nil
}

// overlaps says whether steps begin before the one before is committed. Local workers that keep every core busy would
// only get in the coordinator's and each other's way.
func (p *plan) overlaps() bool {
	s := p.settings
	full := p.launcher == "local" && len(p.processes)*s.Threads >= runtime.GOMAXPROCS(0)
	return s.Overlap == "on" || s.Overlap == "auto" && !full
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
		text, err := os.ReadFile(filepath.Join(p.settings.RunDir, coordinator.SettingsFile))
		if err == nil {
			if p.stored, err = parseYAML(coordinator.SettingsFile, text, p.flags); err != nil {
				return err
			}
		}
	}
	if differ := p.conflicts(); len(differ) > 0 {
		return usage(fmt.Sprintf("%s holds another run", p.settings.RunDir), strings.Join(differ, "; "),
			"the same settings to go on with it, or another --run-dir for a new run")
	}
	return nil
}
