package data

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"byol/worker/data/jpeg"
	"byol/worker/data/picture"
	"byol/worker/data/source"
	"byol/worker/data/views"
)

// LoaderConfig says what a Loader reads and how.
type LoaderConfig struct {
	Sampler    Sampler
	Shards     int // virtual shards of the global batch
	ShardBegin int // this worker's: [ShardBegin, ShardEnd)
	ShardEnd   int
	Augment    views.Augment
	Decoder    picture.Decoder // nil: jpeg.NewDecoder
	Limits     picture.Limits
	Threads    int   // goroutines that decode and augment; at least 1
	Prefetch   int   // batches kept ready, beside the caller's; 0: 2
	StartStep  int64 // the first batch
	// CacheBytes is memory for decoded images, filled as they come and kept: it pays where images are small and
	// decoding is slow. 0: none.
	CacheBytes int64
	// OnUnreadable is told each image that cannot be decoded, once. Calls come from the Loader's goroutines,
	// one at a time.
	OnUnreadable func(i int, name string, err error)
	// OnRead, if not nil, is told the checksum (source.Sum) of each image that is read, and may end the Loader by an
	// error. It is called from the Loader's goroutines at once.
	OnRead func(i int, sum uint32) error
}

// Batch is one step's images of the shards that a worker owns, in shard order.
type Batch struct {
	Step         int64
	View1, View2 []float32 // n × Size × Size × 3, normalised
	Labels       []int32   // n; -1 where there is none
	Images       []int     // n: which images they are, after replacement of unreadable ones
	Order        []int     // n: which images the order asks for, before it

	left atomic.Int32  // images still to come
	done chan struct{} // gets a token when none is left
}

// Loader keeps batches ready: it reads, decodes and augments in its own goroutines, in the Sampler's order. It
// starts at the first Next. Next and Recycle belong to one goroutine at a time; Close may come from any.
type Loader struct {
	src   source.Source
	cfg   LoaderConfig
	order Sampler
	n     int // images in a batch

	start   sync.Once
	alive   context.Context // set by start
	end     context.CancelCauseFunc
	wg      sync.WaitGroup
	tasks   chan task
	ready   chan *Batch   // in step order, perhaps not complete yet
	slots   chan struct{} // one token for each batch in ready
	free    chan *Batch
	step    int64        // what Next returns next
	waiting *Batch       // taken from ready by a Next that was cancelled
	decoded atomic.Int64 // images of batches that Next has not returned

	fetch fetcher
}

// task is images [from, to) of a batch.
type task struct {
	batch    *Batch
	from, to int
}

// smallView is the side up to which a task is several images: one alone takes less time than handing it over.
const smallView = 64

// perTask is how many images are handed over at once: of small ones eight, if that leaves all goroutines work.
func (l *Loader) perTask() int {
	if l.cfg.Augment.Size > smallView {
		return 1
	}
	return min(max(l.n/(4*l.cfg.Threads), 1), 8)
}

// NewLoader makes a Loader. What is wrong with the configuration is said by the first Next.
func NewLoader(src source.Source, cfg LoaderConfig) *Loader {
	cfg.Threads = max(cfg.Threads, 1)
	if cfg.Prefetch < 1 {
		cfg.Prefetch = 2
	}
	if cfg.Decoder == nil {
		cfg.Decoder = jpeg.NewDecoder()
	}
	l := &Loader{src: src, cfg: cfg, order: cfg.Sampler, step: cfg.StartStep,
		tasks: make(chan task, 2*cfg.Threads), ready: make(chan *Batch, cfg.Prefetch),
		slots: make(chan struct{}, cfg.Prefetch), free: make(chan *Batch, cfg.Prefetch+2)}
	if cfg.Shards > 0 {
		l.n = cfg.Sampler.Batch / cfg.Shards * (cfg.ShardEnd - cfg.ShardBegin)
	}
	l.fetch = fetcher{src: src, order: cfg.Sampler, decoder: cfg.Decoder, limits: cfg.Limits, report: cfg.OnUnreadable,
		onRead: cfg.OnRead}
	if cfg.CacheBytes > 0 {
		l.fetch.cache = newCache(src.Len(), cfg.CacheBytes)
	}
	return l
}

func (c *LoaderConfig) check(src source.Source) error {
	switch {
	case c.Sampler.Len != src.Len():
		return fmt.Errorf("data: sampler over %d images, source has %d", c.Sampler.Len, src.Len())
	case c.Sampler.Batch <= 0 || c.Shards <= 0 || c.Sampler.Batch%c.Shards != 0:
		return fmt.Errorf("data: batch of %d images in %d shards", c.Sampler.Batch, c.Shards)
	case c.ShardBegin < 0 || c.ShardEnd <= c.ShardBegin || c.ShardEnd > c.Shards:
		return fmt.Errorf("data: shards [%d, %d) of %d", c.ShardBegin, c.ShardEnd, c.Shards)
	case c.Augment.Size <= 0:
		return fmt.Errorf("data: views of %d pixels", c.Augment.Size)
	case c.StartStep < 0:
		return fmt.Errorf("data: start at step %d", c.StartStep)
	}
	return nil
}

// Next returns the batch of the next step, waiting for it if need be. After an error other than ctx's the
// Loader is broken for good.
func (l *Loader) Next(ctx context.Context) (*Batch, error) {
	l.start.Do(func() { l.begin(ctx) })
	if l.alive == nil {
		return nil, ErrClosed
	}
	if l.alive.Err() != nil {
		return nil, context.Cause(l.alive)
	}
	b := l.waiting
	if b == nil {
		select {
		case b = <-l.ready:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for images of step %d: %w", l.step, context.Cause(ctx))
		case <-l.alive.Done():
			return nil, context.Cause(l.alive)
		}
	}
	l.waiting = b
	select {
	case <-b.done:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for images of step %d: %w", l.step, context.Cause(ctx))
	case <-l.alive.Done():
		return nil, context.Cause(l.alive)
	}
	l.waiting = nil
	l.decoded.Add(-int64(l.n))
	l.step++
	<-l.slots
	return b, nil
}

// Queued is how many images are decoded that Next has not returned. It may be called from any goroutine.
func (l *Loader) Queued() int { return int(l.decoded.Load()) }

// Recycle gives a batch back. Its memory is used again: the caller must not touch it any more.
func (l *Loader) Recycle(b *Batch) {
	select {
	case l.free <- b:
	default:
	}
}

// Close stops the Loader's goroutines and returns when they have ended. It may be called more than once.
func (l *Loader) Close() error {
	l.start.Do(func() {}) // a later Next finds no context
	if l.end != nil {
		l.end(ErrClosed)
	}
	l.wg.Wait()
	return nil
}

// begin starts the goroutines. They outlive the Next that started them, and end with Close or the first error.
func (l *Loader) begin(ctx context.Context) {
	l.alive, l.end = context.WithCancelCause(context.WithoutCancel(ctx))
	if err := l.cfg.check(l.src); err != nil {
		l.end(err)
		return
	}
	l.wg.Go(l.deal)
	for range l.cfg.Threads {
		l.wg.Go(l.work)
	}
}

// deal hands out the images of step after step, as far ahead as Prefetch allows.
func (l *Loader) deal() {
	for step := l.cfg.StartStep; ; step++ {
		select {
		case l.slots <- struct{}{}:
		case <-l.alive.Done():
			return
		}
		b := l.take()
		b.Step = step
		b.left.Store(int32(l.n))
		l.ready <- b // has room for as many as there are slots
		for i := 0; i < l.n; i += l.perTask() {
			select {
			case l.tasks <- task{batch: b, from: i, to: min(i+l.perTask(), l.n)}:
			case <-l.alive.Done():
				return
			}
		}
	}
}

// take gives an empty batch, a recycled one if there is one.
func (l *Loader) take() *Batch {
	select {
	case b := <-l.free:
		return b
	default:
	}
	pixels := l.n * l.cfg.Augment.Size * l.cfg.Augment.Size * 3
	return &Batch{View1: make([]float32, pixels), View2: make([]float32, pixels), Labels: make([]int32, l.n),
		Images: make([]int, l.n), Order: make([]int, l.n), done: make(chan struct{}, 1)}
}

func (l *Loader) work() {
	w := worker{render: views.NewRenderer(&l.cfg.Augment)}
	for {
		select {
		case t := <-l.tasks:
			for i := t.from; i < t.to; i++ {
				if err := l.fill(&w, t.batch, i); err != nil {
					l.end(err)
					return
				}
			}
			if t.batch.left.Add(int32(t.from-t.to)) == 0 {
				t.batch.done <- struct{}{}
			}
		case <-l.alive.Done():
			return
		}
	}
}

// worker is one goroutine's memory.
type worker struct {
	render *views.Renderer
	bytes  []byte
	image  picture.Image
}

// fill makes image i of a batch. The random.Stream belong to the image that stands in the order, even where another
// replaces it, so that the replacement's two appearances in an epoch differ.
func (l *Loader) fill(w *worker, b *Batch, i int) error {
	a := &l.cfg.Augment
	perShard := l.order.Batch / l.cfg.Shards
	pos := b.Step*int64(l.order.Batch) + int64(l.cfg.ShardBegin*perShard+i)
	index, epoch := l.order.Image(pos)
	var drawn [2]views.View
	plan := func(width, height int) picture.Rect {
		drawn = both(a, views.Identity{Seed: l.order.Seed, Epoch: epoch, Image: index}, width, height)
		return drawn[0].Crop.Union(drawn[1].Crop)
	}
	m, read, err := l.fetch.at(l.alive, w, pos, plan)
	if err != nil {
		return err
	}
	n := a.Size * a.Size * 3
	w.render.Render(m, &drawn[0], b.View1[i*n:(i+1)*n])
	w.render.Render(m, &drawn[1], b.View2[i*n:(i+1)*n])
	b.Labels[i], b.Images[i], b.Order[i] = int32(l.src.Label(read)), read, index
	l.decoded.Add(1)
	return nil
}
