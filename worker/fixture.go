package worker

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"go.uber.org/zap"

	"byol/allreduce"
	"byol/model"
	"byol/model/device"
	"byol/model/optim"
	pb "byol/proto"
	"byol/worker/data"
	"byol/worker/data/source"
	"byol/worker/data/views"
)

// smallImage is the side up to which decoded images are kept in memory.
const (
	smallImage = 64
	cacheBytes = 192 << 20
)

// fixture is what a worker opens once and keeps whatever the plan says.
type fixture struct {
	opts    Options
	cfg     *pb.RunConfig
	threads int
	dev     device.Device
	memory  *window
	peers   *allreduce.Memory // what other workers of this host map; nil: nothing
	augment views.Augment
	train   source.Source
	eval    source.Source // nil until the first evaluation
	tiles   map[int]*tile
}

func openFixture(ctx context.Context, opts Options, cfg *pb.RunConfig) (*fixture, error) {
	f := &fixture{opts: opts, cfg: cfg, threads: opts.Threads, tiles: map[int]*tile{}}
	if f.threads <= 0 {
		f.threads = int(cfg.Threads)
	}
	if f.threads <= 0 {
		f.threads = runtime.GOMAXPROCS(0)
	}
	var err error
	if f.augment, err = views.ParseAugment(cfg.Augment, int(cfg.ImageSize)); err != nil {
		return nil, &Failure{What: fmt.Sprintf("augmentation %q is not known", cfg.Augment), Why: err.Error(),
			Try: "--augment byol or byol-noblur", Code: ExitUsage}
	}
	name := opts.Device
	if name == "" || name == "auto" {
		name = cfg.Device
	}
	if f.dev, err = opts.OpenDevice(DeviceOptions{Name: name, Threads: f.threads, Kernels: cfg.Kernels}); err != nil {
		var failure *Failure
		if errors.As(err, &failure) {
			return nil, failure
		}
		return nil, &Failure{What: fmt.Sprintf("device %q cannot be used", name), Why: err.Error(),
			Try: "--device cpu or reference", Code: ExitUsage}
	}
	f.peers = peerMemory(opts)
	if p, ok := f.dev.(device.PeerMemory); ok && f.peers != nil {
		p.UsePeerMemory(f.peers.Floats)
	}
	f.memory = newWindow(f.dev, f.peers)
	if f.train, err = source.Open(ctx, cfg.Data, source.Options{CacheDir: opts.CacheDir}); err != nil {
		return nil, errors.Join(err, f.dev.Close(), f.closePeers())
	}
	return f, nil
}

// peerMemory is what vectors lie in that workers of one host sum and share without copies. Going without only costs
// time.
func peerMemory(opts Options) *allreduce.Memory {
	if opts.NoSharedMemory {
		return nil
	}
	m, err := allreduce.NewMemory()
	if err != nil {
		opts.Log.Info("vectors are copied between workers of one host", zap.Error(err))
		return nil
	}
	return m
}

func (f *fixture) closePeers() error {
	if f.peers == nil {
		return nil
	}
	return f.peers.Close()
}

// close releases what openFixture opened. f may be nil.
func (f *fixture) close() error {
	if f == nil {
		return nil
	}
	err := errors.Join(f.train.Close(), f.dev.Close(), f.closePeers())
	if f.eval != nil {
		err = errors.Join(err, f.eval.Close())
	}
	return err
}

// fingerprint names everything that decides the bits: equal fingerprints give equal results.
func (f *fixture) fingerprint() string {
	return f.dev.Fingerprint() + "; images by " + f.opts.Decoder.Name()
}

// learnerConfig is the part of the run's configuration that fixes a learner.
func learnerConfig(c *pb.RunConfig) model.Config {
	return model.Config{
		Arch: c.Arch, Width: int(c.Width), Stem: c.Stem, Padding: c.Padding, ImageSize: int(c.ImageSize),
		ProjectorHidden: int(c.ProjectorHidden), ProjectorOut: int(c.ProjectorOut),
		PredictorHidden: int(c.PredictorHidden), Classes: int(c.Classes), LocalBatchNorm: c.BatchNorm == "local",
		Ablation: c.Ablation, ZeroInitLastGamma: c.ZeroInitLastGamma,
		Batch: int(c.BatchSize), Shards: int(c.Shards), BucketBytes: int(c.BucketBytes),
		WeightDecay: c.WeightDecay, Momentum: c.Momentum, Eta: c.LarsEta,
		Schedule: optim.Schedule{BaseLR: c.BaseLr, Batch: int(c.BatchSize), Warmup: c.WarmupSteps, Total: c.TotalSteps,
			BaseTau: c.BaseTau},
	}
}

// loader returns the images of shards [begin, end) from step on.
func (f *fixture) loader(begin, end int, step int64, unreadable func(i int, name string, err error)) *data.Loader {
	cfg := data.LoaderConfig{
		Sampler: data.Sampler{Seed: f.cfg.Seed, Batch: int(f.cfg.BatchSize), Len: f.train.Len()},
		Shards:  int(f.cfg.Shards), ShardBegin: begin, ShardEnd: end, Augment: f.augment, Decoder: f.opts.Decoder,
		Threads: f.threads, StartStep: step, OnUnreadable: unreadable,
	}
	if f.cfg.ImageSize <= smallImage {
		cfg.CacheBytes = cacheBytes
	}
	return data.NewLoader(f.train, cfg)
}
