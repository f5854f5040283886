// Package testcluster runs the whole system in one process, for tests: a real coordinator with its raft log, and
// real workers as goroutines. They talk over loopback sockets or, where a test gives hosts, over its own network; over
// one in memory everything runs inside a testing/synctest bubble too. Only process boundaries are missing.
//
// Run owns all goroutines it starts and returns when the coordinator and all workers have ended.
//
// When it fails: what went wrong is in the Result, as the programs would have returned it; an error of Run itself
// means that the cluster could not be set up.
package testcluster

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"byol/coordinator"
	"byol/internal/fault"
	"byol/internal/network"
	"byol/model/device/cpu"
	"byol/model/device/reference"
	"byol/model/engine"
	"byol/model/engine/ops"
	pb "byol/proto"
	"byol/worker"
	"byol/worker/checkpoint"
)

// Options describe a cluster and what is done with it.
type Options struct {
	Config  *pb.RunConfig // cloned; checkpoint_dir is set when empty
	Workers int
	RunDir  string
	Resume  string // as coordinator.Options
	// InitFile is as coordinator.Options has it.
	InitFile string
	Faults   fault.Plan
	Log      *zap.Logger
	// OnProgress is given every status, and a way to end the run as a signal would.
	OnProgress func(s *pb.Status, stop func())
	// Host, where set, is the network as a host uses it: the coordinator is on CoordinatorHost, each worker on its own
	// WorkerHost. Without it all are on this machine's loopback. Hosts share no memory.
	Host func(name string) network.Network
	// Coordinator, where set, changes how the coordinator is started.
	Coordinator func(*coordinator.Options)
	// Worker, where set, changes how a worker is started.
	Worker func(rank int, o *worker.Options)
}

// Result is how a run ended.
type Result struct {
	Coordinator error   // what coordinator.Run returned
	Workers     []error // what each worker.Run returned
	Status      *pb.Status
	// Newest is the newest checkpoint that verifies; its Path is empty when there is none.
	Newest checkpoint.Info
}

// Err is the first error of anybody, the coordinator's first.
func (r *Result) Err() error {
	for rank, err := range r.Workers {
		if err != nil && r.Coordinator == nil {
			return fmt.Errorf("worker %d: %w", rank, err)
		}
	}
	return r.Coordinator
}

// Where the coordinator is, on a network of hosts.
const (
	CoordinatorHost    = "coordinator"
	CoordinatorAddress = CoordinatorHost + ":7400"
)

// WorkerHost is the host of the worker with an index.
func WorkerHost(index int) string { return fmt.Sprintf("worker-%d", index) }

// Run starts a coordinator and its workers, and waits for all of them.
func Run(ctx context.Context, o Options) (*Result, error) {
	cfg := proto.Clone(o.Config).(*pb.RunConfig)
	if cfg.CheckpointDir == "" {
		cfg.CheckpointDir = filepath.Join(o.RunDir, "checkpoints")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stopping, stop := context.WithCancel(ctx)
	defer stop()
	r := &Result{Workers: make([]error, o.Workers)}
	listen, host := "127.0.0.1:0", func(string) network.Network { return network.System{} }
	if o.Host != nil {
		listen, host = CoordinatorAddress, o.Host
	}
	lead := coordinator.Options{Config: cfg, Workers: o.Workers, RunDir: o.RunDir,
		Listen: listen, Network: host(CoordinatorHost), Launcher: coordinator.LauncherNone, JoinTimeout: 20 * time.Second,
		FailureTimeout: 5 * time.Second, Grace: 5 * time.Second, Build: "test", Checkpoints: catalogue{cfg.CheckpointDir},
		Resume: o.Resume, InitFile: o.InitFile, Log: o.Log, OnProgress: func(s *pb.Status) {
			r.Status = s
			if o.OnProgress != nil {
				o.OnProgress(s, stop)
			}
		}}
	if o.Coordinator != nil {
		o.Coordinator(&lead)
	}
	c, err := coordinator.New(ctx, lead)
	if err != nil {
		return nil, fmt.Errorf("make coordinator: %w", err)
	}
	var wg sync.WaitGroup
	for rank := range o.Workers {
		w := worker.Options{Coordinator: c.Addr(), Index: rank, Build: "test", OpenEngine: OpenEngine, Faults: o.Faults,
			Log: o.Log, Network: host(WorkerHost(rank)), NoSharedMemory: o.Host != nil}
		if o.Worker != nil {
			o.Worker(rank, &w)
		}
		wg.Go(func() { r.Workers[rank] = worker.Run(ctx, w) })
	}
	r.Coordinator = c.Run(stopping)
	wg.Wait()
	r.Newest, _, err = checkpoint.Newest(cfg.CheckpointDir)
	if err != nil && !errors.Is(err, checkpoint.ErrNone) {
		return nil, err
	}
	return r, nil
}

// OpenEngine opens an engine on the devices that need nothing installed.
func OpenEngine(o worker.EngineOptions) (engine.Engine, error) {
	switch o.Name {
	case "auto", "cpu":
		dev, err := cpu.New(cpu.Options{Threads: o.Threads, Direct: o.Kernels == "direct", ISA: o.ISA})
		if err != nil {
			return nil, err
		}
		return ops.New(dev, o.Memory), nil
	case "reference":
		return ops.New(reference.New(32), o.Memory), nil
	}
	return nil, fmt.Errorf("no device %q here", o.Name)
}

// Tiny is the configuration of a run whose steps take a millisecond or two: 16 generated images of 8×8 pixels in 8
// shards, and a network of two blocks.
func Tiny(steps int64) *pb.RunConfig {
	return &pb.RunConfig{RunId: "tiny", Seed: 7, Arch: "tiny", Width: 1, Stem: "cifar", Padding: "symmetric",
		ImageSize: 8, ProjectorHidden: 16, ProjectorOut: 8, PredictorHidden: 16, Classes: 10, BatchNorm: "sync",
		BatchSize: 16, Shards: 8, TotalSteps: 100, WarmupSteps: 2, MaxSteps: steps, BaseLr: 2, WeightDecay: 1e-6,
		BaseTau: 0.9, Momentum: 0.9, LarsEta: 0.1, Data: "synthetic:200,size=12,seed=1", KnnK: 5, KnnTemperature: 0.1,
		Device: "cpu", Threads: 1, FailureTimeoutSeconds: 5, Augment: "byol-noblur", BucketBytes: 64 << 10,
		Determinism: "strict", Keep: 3, Sums: pb.SumsTree}
}

// catalogue shows the coordinator the checkpoints in a directory.
type catalogue struct{ dir string }

func (c catalogue) Newest() (newest *pb.CheckpointInfo, refused []string, err error) {
	info, problems, err := checkpoint.Newest(c.dir)
	for _, p := range problems {
		refused = append(refused, p.Err.Error())
	}
	if errors.Is(err, checkpoint.ErrNone) {
		return nil, refused, nil
	}
	return message(info), refused, err
}

func (c catalogue) Open(path string) (*pb.CheckpointInfo, error) {
	info, err := checkpoint.Verify(path)
	return message(info), err
}

func (c catalogue) List() ([]*pb.CheckpointInfo, error) {
	infos, err := checkpoint.List(c.dir)
	var out []*pb.CheckpointInfo
	for _, i := range infos {
		out = append(out, message(i))
	}
	return out, err
}

func (c catalogue) Prune(keep int) error { return checkpoint.Prune(c.dir, keep) }

func (c catalogue) Sees(k *pb.CheckpointInfo) error {
	return checkpoint.Sees(checkpoint.Info{Step: k.Step, Path: k.Path, Bytes: int64(k.SizeBytes),
		StateSHA256: k.StateSha256})
}

func (c catalogue) Mark(word string) error { return checkpoint.Mark(c.dir, word) }

func message(i checkpoint.Info) *pb.CheckpointInfo {
	return &pb.CheckpointInfo{Step: i.Step, Path: i.Path, SizeBytes: uint64(i.Bytes), StateSha256: i.StateSHA256,
		Created: timestamppb.New(i.Created)}
}
