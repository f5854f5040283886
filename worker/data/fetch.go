package data

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"

	"byol/internal/failure"
	"byol/worker/data/picture"
	"byol/worker/data/source"
)

// maxTries is how many images in a row may be unreadable before a run is given up.
const maxTries = 1000

// planner is told the size of an image, and says which part of it is wanted.
type planner func(width, height int) picture.Rect

// fetcher reads and decodes images, and replaces those that cannot be decoded: the image at entry i of an
// epoch's order by the one at i+1, i+2, …, modulo the set's size, the first that decodes. That depends on
// nothing but seed, epoch, i and the files' content, so every worker replaces alike. Safe for concurrent use.
type fetcher struct {
	src     source.Source
	order   Sampler
	decoder picture.Decoder
	limits  picture.Limits
	report  func(i int, name string, err error)
	onRead  func(i int, sum uint32) error // nil: nobody wants to know
	cache   *cache

	mu  sync.Mutex // guards bad, and serialises report
	bad map[int]error
}

// at gives the image at a position, or its replacement, and says which it is. plan is called with the size of
// each image tried and returns the part that is wanted.
func (f *fetcher) at(ctx context.Context, w *worker, pos int64, plan planner) (*picture.Image, int, error) {
	epoch, i := f.order.split(pos)
	var last error
	tries := min(maxTries, f.order.Len)
	for try := range tries {
		index := f.order.at(epoch, (i+try)%f.order.Len)
		if last = f.knownBad(index); last != nil {
			continue
		}
		m, unreadable, err := f.read(ctx, w, index, plan)
		if err != nil {
			return nil, 0, err
		}
		if unreadable == nil {
			return m, index, nil
		}
		last = unreadable
		f.markBad(index, unreadable)
	}
	return nil, 0, &failure.Failure{What: "read images", Code: failure.Data, Err: last,
		Why: fmt.Sprintf("%d in a row cannot be decoded, the last: %v", tries, last),
		Try: "coordinator data verify, to see which"}
}

// read decodes image i. An unreadable one is not an error of reading: the two are told apart, because only the
// first depends on nothing but the file's content.
func (f *fetcher) read(ctx context.Context, w *worker, i int, plan planner) (m *picture.Image, unreadable, err error) {
	if m = f.cache.get(i); m != nil {
		plan(m.Width, m.Height)
		return m, nil, nil
	}
	bytes, err := f.src.Bytes(ctx, i, w.bytes)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, err, nil // as verify says of it: the file is there, and nobody can look at it
	case err != nil:
		return nil, nil, fmt.Errorf("read image %s: %w", f.src.Name(i), err)
	}
	w.bytes = bytes
	if f.onRead != nil {
		if err := f.onRead(i, source.Sum(bytes)); err != nil {
			return nil, nil, err
		}
	}
	info, err := probe(w.bytes, f.limits)
	if err != nil {
		return nil, err, nil
	}
	region := plan(info.Width, info.Height)
	m = &w.image
	if kept := f.cache.room(info.Width, info.Height); kept != nil {
		m, region = kept, picture.Rect{}
	}
	if err := decode(f.decoder, w.bytes, f.limits, region, m); err != nil {
		return nil, err, nil
	}
	if m != &w.image {
		f.cache.put(i, m)
	}
	return m, nil, nil
}

func (f *fetcher) knownBad(i int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bad[i]
}

func (f *fetcher) markBad(i int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.bad[i] != nil {
		return
	}
	if f.bad == nil {
		f.bad = map[int]error{}
	}
	f.bad[i] = err
	if f.report != nil {
		f.report(i, f.src.Name(i), err)
	}
}

// cache keeps decoded images until its memory is full, and drops none: with a new order every epoch, no image is
// likelier than another to be wanted next. A nil cache holds nothing.
type cache struct {
	images []atomic.Pointer[picture.Image]
	left   atomic.Int64
}

func newCache(n int, bytes int64) *cache {
	c := &cache{images: make([]atomic.Pointer[picture.Image], n)}
	c.left.Store(bytes)
	return c
}

func (c *cache) get(i int) *picture.Image {
	if c == nil {
		return nil
	}
	return c.images[i].Load()
}

// room gives an image to decode into if there is memory for it.
func (c *cache) room(w, h int) *picture.Image {
	if c == nil || c.left.Load() < int64(w)*int64(h)*3 {
		return nil
	}
	return &picture.Image{}
}

// put keeps a whole image. Of two that come at once for the same i, the first stays.
func (c *cache) put(i int, m *picture.Image) {
	if c.images[i].CompareAndSwap(nil, m) {
		c.left.Add(-int64(len(m.Pix)))
	}
}
