package data_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"byol/worker/data"
	"byol/worker/data/jpeg"
	"byol/worker/data/source"
	"byol/worker/data/views"
)

// memory is a Source over byte slices; label i is i.
type memory struct {
	images [][]byte
	fail   map[int]error
}

func (m *memory) Len() int                   { return len(m.images) }
func (m *memory) Name(i int) string          { return fmt.Sprintf("image-%d", i) }
func (m *memory) Label(i int) int            { return i }
func (m *memory) Classes() []string          { return make([]string, len(m.images)) }
func (m *memory) Manifest() string           { return "memory" }
func (m *memory) Entry(i int) string         { return m.Name(i) }
func (m *memory) Omitted() []source.Omission { return nil }
func (m *memory) Close() error               { return nil }

func (m *memory) Bytes(ctx context.Context, i int, buf []byte) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return append(buf[:0], m.images[i]...), m.fail[i]
}

// drawn gives n generated images of 16 pixels, those in bad damaged.
func drawn(t testing.TB, n int, bad ...int) *memory {
	t.Helper()
	src := synthetic(t, fmt.Sprintf("synthetic:%d,size=16", n))
	m := &memory{fail: map[int]error{}}
	for i := range n {
		b, err := src.Bytes(t.Context(), i, nil)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(bad, i) {
			b = b[:len(b)/2]
		}
		m.images = append(m.images, b)
	}
	return m
}

func synthetic(t testing.TB, uri string) source.Source {
	t.Helper()
	src, err := source.Open(t.Context(), uri, source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func config(t testing.TB, src source.Source, batch, shards int) data.LoaderConfig {
	t.Helper()
	a, err := views.ParseAugment("byol", 16)
	if err != nil {
		t.Fatal(err)
	}
	return data.LoaderConfig{Sampler: data.Sampler{Seed: 9, Batch: batch, Len: src.Len()}, Shards: shards,
		ShardEnd: shards, Augment: a, Threads: 3, Prefetch: 2}
}

// take reads n batches and copies them.
func take(t testing.TB, l *data.Loader, n int) []*data.Batch {
	t.Helper()
	var out []*data.Batch
	for range n {
		b, err := l.Next(t.Context())
		if err != nil {
			t.Fatalf("batch %d: %v", len(out), err)
		}
		out = append(out, &data.Batch{Step: b.Step, View1: slices.Clone(b.View1), View2: slices.Clone(b.View2),
			Labels: slices.Clone(b.Labels), Images: slices.Clone(b.Images)})
		l.Recycle(b)
	}
	return out
}

// TestSameBitsForAnySplit: with any number of workers, threads and restarts, and with or without a cache, each
// shard of each step has the same images, bit for bit, damaged ones among them.
func TestSameBitsForAnySplit(t *testing.T) {
	const batch, shards, steps = 12, 4, 11 // five epochs of 27
	src := drawn(t, 27, 3, 4, 20)
	whole := data.NewLoader(src, config(t, src, batch, shards))
	defer whole.Close()
	want := take(t, whole, steps)
	for _, c := range []struct {
		begin, end, threads int
		start               int64
		cache               int64
	}{{0, 1, 1, 0, 0}, {1, 2, 2, 0, 1 << 30}, {2, 4, 4, 0, 3000}, {0, 4, 1, 7, 0}, {3, 4, 2, 10, 1 << 30}} {
		cfg := config(t, src, batch, shards)
		cfg.ShardBegin, cfg.ShardEnd, cfg.Threads, cfg.StartStep, cfg.CacheBytes = c.begin, c.end, c.threads, c.start, c.cache
		l := data.NewLoader(src, cfg)
		for i, got := range take(t, l, steps-int(c.start)) {
			w := want[int(c.start)+i]
			lo, hi := batch/shards*c.begin, batch/shards*c.end
			const pixels = 3 * 16 * 16
			if got.Step != w.Step || !slices.Equal(got.Images, w.Images[lo:hi]) || !slices.Equal(got.Labels, w.Labels[lo:hi]) {
				t.Fatalf("%+v: step %d has images %v, want step %d with %v", c, got.Step, got.Images, w.Step, w.Images[lo:hi])
			}
			if !slices.Equal(got.View1, w.View1[lo*pixels:hi*pixels]) || !slices.Equal(got.View2, w.View2[lo*pixels:hi*pixels]) {
				t.Fatalf("%+v: step %d: other pixels", c, got.Step)
			}
		}
		l.Close()
	}
	for _, b := range want {
		for i := range b.Images {
			const pixels = 3 * 16 * 16
			if slices.Equal(b.View1[i*pixels:(i+1)*pixels], b.View2[i*pixels:(i+1)*pixels]) {
				t.Errorf("step %d, image %d: both views are the same", b.Step, b.Images[i])
			}
		}
	}
}

// TestUnreadableImages: named once each, never shown, and replaced by the next of the order that can be read.
func TestUnreadableImages(t *testing.T) {
	bad := []int{3, 4, 20}
	src := drawn(t, 27, bad...)
	cfg := config(t, src, 9, 1)
	var named []int
	cfg.OnUnreadable = func(i int, name string, err error) {
		if name != fmt.Sprintf("image-%d", i) || !strings.Contains(err.Error(), "ppm: cut short") {
			t.Errorf("image %d is reported as %q: %v", i, name, err)
		}
		named = append(named, i)
	}
	l := data.NewLoader(src, cfg)
	batches := take(t, l, 3*3) // three epochs
	l.Close()
	slices.Sort(named)
	if !slices.Equal(named, bad) {
		t.Errorf("reported images %v, want %v once each", named, bad)
	}
	pos := int64(0)
	for _, b := range batches {
		for i, got := range b.Images {
			want, epoch := cfg.Sampler.Image(pos)
			for next := pos; slices.Contains(bad, want); {
				next++
				if next == (epoch+1)*27 {
					next = epoch * 27
				}
				want, _ = cfg.Sampler.Image(next)
			}
			if got != want || int(b.Labels[i]) != want {
				t.Errorf("position %d: image %d with label %d, want %d", pos, got, b.Labels[i], want)
			}
			pos++
		}
	}
}

func TestNothingReadable(t *testing.T) {
	src := drawn(t, 3, 0, 1, 2)
	l := data.NewLoader(src, config(t, src, 2, 1))
	defer l.Close()
	_, err := l.Next(t.Context())
	if err == nil || !strings.Contains(err.Error(), "3 in a row cannot be decoded, the last: decode ppm: cut short") {
		t.Errorf("no image can be decoded: %v", err)
	}
}

// TestReadErrorEndsLoader: what is not the image's own content must not be replaced, because other workers may
// have read it.
func TestReadErrorEndsLoader(t *testing.T) {
	src := drawn(t, 8)
	src.fail[5] = fmt.Errorf("disk: %w", source.ErrChanged)
	l := data.NewLoader(src, config(t, src, 8, 1))
	defer l.Close()
	for range 2 {
		_, err := l.Next(t.Context())
		if !errors.Is(err, source.ErrChanged) || !strings.Contains(err.Error(), "image-5") {
			t.Errorf("an image cannot be read: %v, want %v with its name", err, source.ErrChanged)
		}
	}
}

func TestLoaderConfigErrors(t *testing.T) {
	src := drawn(t, 8)
	for _, c := range []struct {
		change func(c *data.LoaderConfig)
		want   string
	}{
		{func(c *data.LoaderConfig) { c.Sampler.Len = 7 }, "sampler over 7 images, source has 8"},
		{func(c *data.LoaderConfig) { c.Sampler.Batch = 7 }, "batch of 7 images in 2 shards"},
		{func(c *data.LoaderConfig) { c.Shards = 0 }, "batch of 8 images in 0 shards"},
		{func(c *data.LoaderConfig) { c.ShardEnd = 3 }, "shards [0, 3) of 2"},
		{func(c *data.LoaderConfig) { c.ShardBegin = 2 }, "shards [2, 2) of 2"},
		{func(c *data.LoaderConfig) { c.Augment.Size = 0 }, "views of 0 pixels"},
		{func(c *data.LoaderConfig) { c.StartStep = -1 }, "start at step -1"},
	} {
		cfg := config(t, src, 8, 2)
		c.change(&cfg)
		l := data.NewLoader(src, cfg)
		if _, err := l.Next(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
		l.Close()
	}
}

// slow is a source that waits for a token before each image.
type slow struct {
	*memory
	tokens chan struct{}
}

func (s slow) Bytes(ctx context.Context, i int, buf []byte) ([]byte, error) {
	select {
	case <-s.tokens:
		return s.memory.Bytes(ctx, i, buf)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// TestCancelledNext: a Next that was given up loses nothing.
func TestCancelledNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := slow{memory: drawn(t, 8), tokens: make(chan struct{}, 100)}
		l := data.NewLoader(src, config(t, src, 4, 1))
		defer l.Close()
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			_, err := l.Next(ctx)
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "step 0") {
				t.Errorf("Next of a slow disk: %v", err)
			}
			cancel()
		}
		for range 100 {
			src.tokens <- struct{}{}
		}
		for step, b := range take(t, l, 3) {
			if b.Step != int64(step) {
				t.Errorf("batch of step %d, want %d", b.Step, step)
			}
		}
	})
}

// TestCloseEndsGoroutines, also in the middle of reading, before the first Next, and twice: the test would not end
// while one is left.
func TestCloseEndsGoroutines(t *testing.T) {
	for _, c := range []struct{ batches, threads int }{{0, 3}, {1, 3}, {2, 3}, {1, 1}, {2, 1}} {
		synctest.Test(t, func(t *testing.T) {
			src := slow{memory: drawn(t, 8), tokens: make(chan struct{}, 100)}
			for range 6 {
				src.tokens <- struct{}{}
			}
			cfg := config(t, src, 4, 1)
			cfg.Threads = c.threads
			l := data.NewLoader(src, cfg)
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			for i := range c.batches {
				if _, err := l.Next(ctx); c.threads == 1 && (err == nil) != (i == 0) { // several read in any order
					t.Errorf("batch %d of 6 images: %v", i, err)
				}
			}
			for range 2 {
				if err := l.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			}
			if _, err := l.Next(t.Context()); !errors.Is(err, data.ErrClosed) {
				t.Errorf("Next after Close: %v, want %v", err, data.ErrClosed)
			}
		})
	}
}

// TestWithoutRecycle: a caller that keeps its batches gets new ones.
func TestWithoutRecycle(t *testing.T) {
	src := drawn(t, 8)
	l := data.NewLoader(src, config(t, src, 4, 1))
	defer l.Close()
	var kept []*data.Batch
	for range 10 {
		b, err := l.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range kept {
			if &k.View1[0] == &b.View1[0] {
				t.Fatal("a batch that was not given back is used again")
			}
		}
		kept = append(kept, b)
	}
}

// TestNoAllocations: once it has its memory, a Loader allocates a few bytes for an image, none of it for pixels.
func TestNoAllocations(t *testing.T) {
	src := drawn(t, 64)
	cfg := config(t, src, 64, 1)
	cfg.Threads = 1
	l := data.NewLoader(src, cfg)
	defer l.Close()
	step := func() {
		b, err := l.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		l.Recycle(b)
	}
	for range 20 {
		step()
	}
	if got := testing.AllocsPerRun(20, step) / 64; got > 1.1 {
		t.Errorf("%.2f allocations for each image, want at most 1", got)
	}
}

// TestEvalBatch: each image is itself, whoever else is asked for. One that cannot be decoded is marked, told by its
// name, and leaves zeros; no neighbour is shown in its place.
func TestEvalBatch(t *testing.T) {
	src := drawn(t, 27, 3, 4, 26)
	a, err := views.ParseAugment("byol-noblur", 16)
	if err != nil {
		t.Fatal(err)
	}
	indices := []int{5, 3, 0, 26, 3}
	want := []bool{true, false, true, false, false}
	const pixels = 3 * 16 * 16
	out, readable := make([]float32, len(indices)*pixels), make([]bool, len(indices))
	for i := range out {
		out[i] = 9
	}
	var told []string
	e := data.Evaluator{Source: src, Augment: a, Threads: 3, OnUnreadable: func(i int, name string, err error) {
		told = append(told, fmt.Sprintf("%d %s: %v", i, name, err))
	}}
	if err := e.EvalBatch(t.Context(), indices, out, readable); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(readable, want) {
		t.Errorf("images %v: readable %v, want %v", indices, readable, want)
	}
	slices.Sort(told)
	if want := []string{"26 image-26: decode ppm: cut short", "3 image-3: decode ppm: cut short",
		"3 image-3: decode ppm: cut short"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	for i, ok := range want {
		file := src.images[indices[i]]
		mean, std := [3]float64{0.485, 0.456, 0.406}, [3]float64{0.229, 0.224, 0.225}
		for k, v := range out[i*pixels : (i+1)*pixels] {
			want := 0.0
			if ok {
				want = (float64(file[len(file)-pixels:][k])/255 - mean[k%3]) / std[k%3]
			}
			if math.Abs(float64(v)-want) > 1e-5 {
				t.Fatalf("image %d, value %d: %g, want %g", indices[i], k, v, want)
			}
		}
	}
	e.OnUnreadable = nil
	src.fail[0] = errors.New("disk on fire")
	err = e.EvalBatch(t.Context(), indices, out, readable)
	if err == nil || !strings.Contains(err.Error(), "image-0: disk") {
		t.Errorf("an image cannot be read: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.EvalBatch(ctx, indices, out, readable); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestVerify(t *testing.T) {
	src := drawn(t, 27, 3, 20)
	src.fail[9] = errors.New("disk on fire")
	var mu sync.Mutex
	last := 0
	bad, err := data.Verify(t.Context(), src, jpeg.NewDecoder(), func(done, total int) {
		mu.Lock()
		defer mu.Unlock()
		if last = done; total != 27 {
			t.Errorf("progress of %d images, want 27", total)
		}
	})
	var got []string
	for _, b := range bad {
		got = append(got, fmt.Sprintf("%d %s %v %v", b.Index, b.Name, b.Err, b.Ends))
	}
	want := []string{"3 image-3 decode ppm: cut short false", "9 image-9 disk on fire true",
		"20 image-20 decode ppm: cut short false"}
	if err != nil || !slices.Equal(got, want) || last != 27 {
		t.Errorf("unreadable: %q, %v after %d images, want %q", got, err, last, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := data.Verify(ctx, src, jpeg.NewDecoder(), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
