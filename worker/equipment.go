package worker

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"go.uber.org/zap"

	"byol/allreduce"
	"byol/internal/failure"
	"byol/model/engine"
	pb "byol/proto"
	"byol/worker/data"
	"byol/worker/data/source"
	"byol/worker/data/store"
	"byol/worker/data/views"
	"byol/worker/eval"
)

// smallImage is the side up to which decoded images are kept in memory.
const (
	smallImage = 64
	cacheBytes = 192 << 20
)

// equipment is what a worker opens once and keeps whatever the plan says.
type equipment struct {
	opts    Options
	cfg     *pb.RunConfig
	threads int
	engine  engine.Engine
	peers   *allreduce.Memory // what other workers of this host map; nil: nothing
	augment views.Augment
	train   source.Source
	eval    source.Source // nil until the first evaluation
	bank    source.Source // train, as eval's vote sees it; with eval
	// contents are what was read of train.
	contents contents
}

func openEquipment(ctx context.Context, opts Options, cfg *pb.RunConfig) (*equipment, error) {
	e := &equipment{opts: opts, cfg: cfg, threads: opts.Threads}
	if e.threads <= 0 {
		e.threads = int(cfg.Threads)
	}
	if e.threads <= 0 {
		e.threads = runtime.GOMAXPROCS(0)
	}
	var err error
	if e.augment, err = Augmentation(cfg); err != nil {
		return nil, &failure.Failure{What: fmt.Sprintf("augmentation %q is not known", cfg.Augment), Why: err.Error(),
			Try: "--augment byol or byol-noblur", Code: failure.Usage}
	}
	name := opts.Device
	if name == "" || name == "auto" {
		name = cfg.Device
	}
	e.peers = peerMemory(opts)
	o := EngineOptions{Name: name, Threads: e.threads, Kernels: cfg.Kernels, ISA: opts.ISA, Precision: cfg.Precision}
	if o.ISA == "" || o.ISA == "auto" {
		o.ISA = cfg.Isa
	}
	if e.peers != nil {
		o.Memory = e.peers
	}
	o.Preparing = opts.preparing
	if opts.programs != nil {
		o.Programs = opts.programs
	}
	if e.engine, err = opts.OpenEngine(o); err != nil {
		return nil, errors.Join(deviceFailure(name, err), e.closePeers())
	}
	if e.train, err = e.openData(ctx, cfg.Data); err != nil {
		return nil, errors.Join(err, e.engine.Close(), e.closePeers())
	}
	return e, nil
}

// openData opens images by the way in which this worker gets at them.
func (e *equipment) openData(ctx context.Context, uri string) (source.Source, error) {
	patience := time.Duration(e.cfg.DataTimeoutSeconds * float64(time.Second))
	return store.Open(ctx, uri, store.Config{Endpoint: e.cfg.S3Endpoint, CacheDir: store.CacheAt(e.cfg.CacheDir),
		CacheBytes: int64(e.cfg.CacheGib) << 30, Patience: patience, Note: func(text string) { e.opts.Log.Warn(text) }},
		source.Options{CacheDir: e.opts.CacheDir, Roots: e.opts.Roots, Patience: patience})
}

// Augmentation is how training sees images, as a configuration says it.
func Augmentation(cfg *pb.RunConfig) (views.Augment, error) {
	a, err := views.ParseAugment(cfg.Augment, int(cfg.ImageSize))
	if err != nil {
		return views.Augment{}, err
	}
	return a.With(cfg.AugmentOptions())
}

func deviceFailure(name string, err error) error {
	var f *failure.Failure
	if errors.As(err, &f) {
		return f
	}
	return &failure.Failure{What: fmt.Sprintf("device %q cannot be used", name), Why: err.Error(),
		Try: "--device cpu or reference", Code: failure.Usage}
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

func (e *equipment) closePeers() error {
	if e.peers == nil {
		return nil
	}
	return e.peers.Close()
}

// close releases what openEquipment opened. e may be nil.
func (e *equipment) close() error {
	if e == nil {
		return nil
	}
	err := errors.Join(e.train.Close(), e.engine.Close(), e.closePeers())
	if e.eval != nil {
		err = errors.Join(err, e.eval.Close())
	}
	return err
}

// device is what operators see it compute on.
func (e *equipment) device() string {
	if e.cfg.Precision == "" {
		return e.engine.Name()
	}
	return e.engine.Name() + " " + e.cfg.Precision
}

// fingerprint names everything that decides the bits: equal fingerprints give equal results.
func (e *equipment) fingerprint() string {
	return e.engine.Fingerprint() + "; images by " + e.opts.Decoder.Name()
}

// loader returns the images of shards [begin, end) from step on.
func (e *equipment) loader(begin, end int, step int64, unreadable func(i int, name string, err error)) *data.Loader {
	cfg := data.LoaderConfig{
		Sampler: data.Sampler{Seed: e.cfg.Seed, Batch: int(e.cfg.BatchSize), Len: e.train.Len()},
		Shards:  int(e.cfg.Shards), ShardBegin: begin, ShardEnd: end, Augment: e.augment, Decoder: e.opts.Decoder,
		Threads: e.threads, StartStep: step, OnUnreadable: unreadable,
		OnRead: func(i int, sum uint32) error { return e.contents.read(i, e.train, sum) },
	}
	if e.cfg.ShardsAtOnce > 0 {
		cfg.Prefetch = 1 // turns take long, and batches are large
	}
	if e.cfg.ImageSize <= smallImage {
		cfg.CacheBytes = cacheBytes
	}
	return data.NewLoader(e.train, cfg)
}

// judged opens the images of the evaluation set, once, and those that vote on them: the training images of classes that
// both sets have.
func (e *equipment) judged(ctx context.Context) (bank, queries source.Source, err error) {
	if e.eval == nil {
		opened, err := e.openData(ctx, e.cfg.EvalData)
		if err != nil {
			return nil, nil, err
		}
		e.bank, e.eval = source.Among(e.train, opened.Classes()), source.WithClasses(opened, e.train.Classes())
	}
	return e.bank, e.eval, nil
}

// images opens what an evaluation looks at. An image that cannot be decoded is reported to unreadable.
func (e *equipment) images(ctx context.Context, s *eval.Setup, unreadable func(*pb.ImageUnreadable)) error {
	if e.cfg.EvalData == "" {
		return errors.New("no --eval-data was given")
	}
	bank, queries, err := e.judged(ctx)
	if err != nil {
		return err
	}
	s.Bank = images{e.evaluator(bank, false, unreadable)}
	s.Queries = images{e.evaluator(queries, true, unreadable)}
	return nil
}

func (e *equipment) evaluator(from source.Source, evaluation bool,
	unreadable func(*pb.ImageUnreadable)) *data.Evaluator {
	return &data.Evaluator{Source: from, Decoder: e.opts.Decoder, Augment: e.augment, Threads: e.threads,
		OnUnreadable: func(i int, name string, err error) {
			unreadable(&pb.ImageUnreadable{Index: int64(i), Name: name, Error: err.Error(), Evaluation: evaluation})
		}}
}

// images implements eval.Images.
type images struct{ from *data.Evaluator }

// Len is the number of images.
func (m images) Len() int { return m.from.Source.Len() }

// Label is the class of image i.
func (m images) Label(i int) int { return m.from.Source.Label(i) }

// Read decodes images.
func (m images) Read(ctx context.Context, indices []int, out []float32, readable []bool) error {
	return m.from.EvalBatch(ctx, indices, out, readable)
}
