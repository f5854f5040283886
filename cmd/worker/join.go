package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/term"

	"byol/model/device/cpu"
	"byol/model/engine"
	"byol/worker"
	"byol/worker/data/source"
	"byol/worker/data/turbo"
)

// indexVariables are where schedulers say which of its siblings a process is, in the order in which they count:
// torchrun and PyTorchJob, Indexed Jobs, Slurm.
var indexVariables = []string{"RANK", "JOB_COMPLETION_INDEX", "SLURM_PROCID"}

// mostWorkers is how many workers a run has at most.
const mostWorkers = 1024

// faultsVariable holds a fault plan, for tests.
const faultsVariable = "BYOL_FAULTS"

type settings struct {
	coordinator, id, listen, advertise, device, isa, logLevel string

	workers int // of the run's, that it stands for

	adminListen, logFormat string
	tls                    keys
	index, threads         int
	joinTimeout, grace     time.Duration
	accelerator            accelerator
	roots                  []string
}

func (s *settings) register(f *pflag.FlagSet) {
	s.registerCommon(f)
	f.StringVar(&s.id, "id", "", "name in the run; default: the coordinator chooses")
	f.IntVar(&s.workers, "workers", 1,
		"how many of the run's workers this process stands for: its shards are in proportion")
	f.StringVar(&s.listen, "listen", "", "HOST:PORT where other workers reach this one; default: a free port")
	f.StringVar(&s.advertise, "advertise", "",
		"HOST or HOST:PORT that other workers are told instead, where a port is published or forwarded")
	f.DurationVar(&s.grace, "grace", 90*time.Second,
		"how long it works on once a signal asks it to go, until the run lets it")
}

// registerCommon registers what workers of trainings and of evaluations have in common.
func (s *settings) registerCommon(f *pflag.FlagSet) {
	f.SortFlags = false
	f.StringVar(&s.coordinator, "coordinator", os.Getenv("BYOL_COORDINATOR"),
		"HOST:PORT of the run's coordinator; of several, with commas between (BYOL_COORDINATOR)")
	s.tls.register(f)
	f.IntVar(&s.index, "index", -1, "rank to ask for; default: RANK, JOB_COMPLETION_INDEX, SLURM_PROCID, or any")
	f.StringVar(&s.device, "device", "auto", "auto|cpu|pjrt|pjrt:PATH|cuda|rocm|tpu|reference; auto takes the run's")
	s.accelerator.register(f)
	f.IntVar(&s.threads, "threads", 0, "threads to compute with; 0: what the run says, else all processors")
	f.StringVar(&s.isa, "isa", cpu.Auto, isaHelp+"; auto takes what the run says")
	f.StringArrayVar(&s.roots, "data-root", nil,
		"FROM=TO: what the run names below FROM is below TO on this machine; TO alone stands for /=TO; repeatable")
	f.DurationVar(&s.joinTimeout, "join-timeout", 30*time.Second, "how long to wait for the coordinator")
	f.StringVar(&s.adminListen, "admin-listen", os.Getenv("BYOL_WORKER_ADMIN_LISTEN"),
		"HOST:PORT of metrics for Prometheus; default: none (BYOL_WORKER_ADMIN_LISTEN)")
	f.StringVar(&s.logFormat, "log-format", autoFormat,
		"auto|console|json: what it logs; auto is console on a terminal, else JSON lines")
	f.StringVar(&s.logLevel, "log-level", "info", "debug|info|warn|error")
}

// join runs the worker.
func join(cmd *cobra.Command, s *settings) error { return s.run(cmd, worker.Run) }

// encodeCommand joins an evaluation.
func encodeCommand() *cobra.Command {
	s := &settings{}
	cmd := &cobra.Command{
		Use:   "encode --coordinator HOST:PORT [flags]",
		Short: "Join an evaluation as one worker",
		Long: "Join an evaluation (coordinator eval, coordinator embed) as one worker, and compute features of images\n" +
			"until it is over. It starts its own workers; --launcher none lets it wait for these.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("worker encode takes no argument "+args[0], "", "worker encode --help")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd, worker.Encode) },
	}
	s.registerCommon(cmd.Flags())
	return cmd
}

// run checks the settings and has work done with them.
func (s *settings) run(cmd *cobra.Command, work func(context.Context, worker.Options) error) error {
	if s.coordinator == "" {
		return usage("no coordinator was named", "--coordinator is missing and BYOL_COORDINATOR is empty",
			"worker --coordinator HOST:PORT, or let `coordinator --workers 8` start the workers")
	}
	index, err := s.rank(cmd.Flags().Changed("index"), os.LookupEnv)
	if err != nil {
		return err
	}
	if err := s.accelerator.check(); err != nil {
		return err
	}
	if s.threads < 0 {
		return usage(fmt.Sprintf("--threads must not be negative (got %d)", s.threads), "", "--threads 2")
	}
	if cmd.Flags().Changed("workers") && (s.workers < 1 || s.workers > mostWorkers) {
		return usage(fmt.Sprintf("--workers cannot be %d", s.workers), fmt.Sprintf("a run has at most %d", mostWorkers),
			"--workers 1, or as many as this process is to stand for")
	}
	roots, err := source.ParseRoots(s.roots)
	if err != nil {
		return usage("--data-root cannot be read", err.Error(), "--data-root /mnt/nfs=/data")
	}
	faults, err := faultPlan()
	if err != nil {
		return err
	}
	log, err := newLog(s.logLevel, s.logFormat, term.IsTerminal(int(os.Stderr.Fd())))
	if err != nil {
		return err
	}
	defer func() { _ = log.Sync() }()
	source, err := s.tls.source(s.id)
	if err != nil {
		return err
	}
	metrics, stop, err := s.serveMetrics(cmd.Context(), source, log)
	if err != nil {
		return err
	}
	defer stop()
	coordinators, peers := s.tls.networks(source)
	decoder, note := turbo.Best()
	log.Info(note)
	if len(faults) > 0 {
		log.Warn("faults will be carried out", zap.Stringer("plan", faults))
	}
	return work(cmd.Context(), worker.Options{
		Coordinator: s.coordinator, ID: s.id, Index: index, Workers: s.workers,
		Listen: s.listen, Advertise: s.advertise, Device: s.device,
		Threads: s.threads, ISA: s.isa,
		Build: buildName(), Decoder: decoder, CacheDir: cacheDir("index"), Roots: roots,
		JoinTimeout: s.joinTimeout, Grace: s.grace,
		Log: log, Metrics: metrics, Faults: faults, Network: coordinators, PeerNetwork: peers,
		SharePrograms: proven(peers),
		OpenEngine: func(o worker.EngineOptions) (engine.Engine, error) {
			return opener{&s.accelerator, index, func(note string) { log.Info(note) }}.open(cmd.Context(), o)
		},
	})
}

// rank is the rank to ask for: the flag, else the first scheduler variable that is set.
func (s *settings) rank(flagged bool, lookup func(string) (string, bool)) (int, error) {
	if flagged {
		if s.index < 0 {
			return 0, usage(fmt.Sprintf("--index must not be negative (got %d)", s.index), "", "leave it out for any rank")
		}
		if s.index > math.MaxInt32 { // more than the protocol has
			return 0, usage(fmt.Sprintf("--index %d is too large", s.index), "", "--index 0 to the number of workers less one")
		}
		return s.index, nil
	}
	for _, name := range indexVariables {
		text, ok := lookup(name)
		if !ok || text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > math.MaxInt32 {
			return 0, usage(fmt.Sprintf("%s=%q is no rank", name, text), "it gives the worker's index where --index does not",
				"--index N, or unset "+name)
		}
		return n, nil
	}
	return -1, nil
}

// cacheDir keeps something between runs: "index" is of data, and where the coordinator keeps it too; "" where the
// system has no place for caches.
func cacheDir(of string) string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "byol", of)
}

// What --log-format may say.
const (
	autoFormat    = "auto"
	consoleFormat = "console"
	jsonFormat    = "json"
)

// newLog writes lines to standard error: for programs, or for people, who sit at a terminal where nothing is said.
func newLog(level, format string, terminal bool) (*zap.Logger, error) {
	switch {
	case format == autoFormat && terminal:
		format = consoleFormat
	case format == autoFormat:
		format = jsonFormat
	case format != consoleFormat && format != jsonFormat:
		return nil, usage(fmt.Sprintf("--log-format %q is not known", format), "", "--log-format auto, console or json")
	}
	l, err := zapcore.ParseLevel(level)
	if err != nil {
		return nil, usage(fmt.Sprintf("--log-level %q is not known", level), "", "--log-level debug, info, warn or error")
	}
	config := zap.NewProductionConfig()
	config.Level = zap.NewAtomicLevelAt(l)
	config.DisableStacktrace = true
	config.DisableCaller = true
	config.Encoding = format
	config.EncoderConfig.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	log, err := config.Build()
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return log.With(zap.Int("pid", os.Getpid())), nil
}
