package data_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"byol/internal/failure"
	"byol/worker/data"
	"byol/worker/data/jpeg"
	"byol/worker/data/picture"
	"byol/worker/data/source"
	"byol/worker/data/source/sourcetest"
	"byol/worker/data/views"
)

// damagedSet is a folder of good JPEG pictures and of those that once broke a decoder, some with names that are not
// UTF-8, and an empty file.
func damagedSet(t testing.TB) (src source.Source, bad []string) {
	t.Helper()
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join("jpeg", "testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	files := &sourcetest.Memory{}
	good := []string{"colour.jpg", "c444.jpg", "restart.jpg", "progressive.jpg", "cmyk.jpg"}
	for i := range 20 {
		files.Write(fmt.Sprintf("set/a/good-%02d.jpg", i), read(good[i%len(good)]))
	}
	for name, content := range map[string][]byte{"poison.jpg": read("damaged/poison.jpg"),
		"\xe9region.jpg": read("damaged/region-only.jpg"), "overflow.jpg": read("damaged/overflow.jpg"),
		"overflow-2.jpg": read("damaged/overflow.jpg"), "caf\xe9.jpg": nil, "text\n.jpg": []byte("<html>"),
		"short.jpg": read("colour.jpg")[:800]} {
		files.Write("set/b/"+name, content)
		bad = append(bad, source.Printable("set/b/"+name))
	}
	src, err := source.OpenIn(t.Context(), files, "set", source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(bad)
	return src, bad
}

// TestDamagedPictures: with whole pictures in memory, with parts decoded, and with room for some, one worker or four,
// the same images are named and the same shown, bit for bit.
func TestDamagedPictures(t *testing.T) {
	src, bad := damagedSet(t)
	const batch, shards, steps = 8, 4, 7 // two epochs of 27
	var want []*data.Batch
	for _, c := range []struct {
		workers int
		cache   int64
	}{{1, 0}, {1, 1 << 30}, {4, 0}, {4, 30000}, {2, 1 << 30}} {
		seen := make([]*data.Batch, steps)
		for step := range seen {
			seen[step] = &data.Batch{}
		}
		named := map[string]int{}
		for w := range c.workers {
			cfg := config(t, src, batch, shards)
			cfg.ShardBegin, cfg.ShardEnd, cfg.CacheBytes = w*shards/c.workers, (w+1)*shards/c.workers, c.cache
			cfg.OnUnreadable = func(_ int, name string, err error) {
				if err == nil {
					t.Errorf("%s is named without a reason", name)
				}
				if named[name]++; named[name] > c.workers {
					t.Errorf("%s is named %d times by %d workers", name, named[name], c.workers)
				}
			}
			l := data.NewLoader(src, cfg)
			for step, b := range take(t, l, steps) {
				all := seen[step]
				all.Images, all.View1 = append(all.Images, b.Images...), append(all.View1, b.View1...)
				all.View2 = append(all.View2, b.View2...)
			}
			l.Close()
		}
		var names []string
		for name := range named {
			names = append(names, name)
		}
		if slices.Sort(names); !slices.Equal(names, bad) {
			t.Errorf("%+v: named %q, want %q", c, names, bad)
		}
		if want == nil {
			want = seen
		}
		for step, b := range seen {
			if !slices.Equal(b.Images, want[step].Images) || !slices.Equal(b.View1, want[step].View1) ||
				!slices.Equal(b.View2, want[step].View2) {
				t.Errorf("%+v: step %d shows images %v, want %v and the same pixels", c, step, b.Images, want[step].Images)
			}
		}
	}
}

// TestVerifyNamesWhatTrainingReplaces, and nothing else.
func TestVerifyNamesWhatTrainingReplaces(t *testing.T) {
	src, bad := damagedSet(t)
	found, err := data.Verify(t.Context(), src, jpeg.NewDecoder(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, u := range found {
		names = append(names, u.Name)
	}
	if slices.Sort(names); !slices.Equal(names, bad) {
		t.Errorf("found %q, want %q", names, bad)
	}
}

// TestTooManyInARow: a set of nothing but damage is given up with a failure that says what was wrong with the last.
func TestTooManyInARow(t *testing.T) {
	files := &sourcetest.Memory{}
	for i := range 1100 {
		files.Write(fmt.Sprintf("set/%04d.jpg", i), []byte("damaged"))
	}
	src, err := source.OpenIn(t.Context(), files, "set", source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	cfg := config(t, src, 4, 1)
	cfg.Threads, cfg.OnUnreadable = 1, func(int, string, error) { named++ }
	l := data.NewLoader(src, cfg)
	defer l.Close()
	_, err = l.Next(t.Context())
	var f *failure.Failure
	if !errors.As(err, &f) || f.Code != failure.Data || f.Try == "" ||
		f.Why != "1000 in a row cannot be decoded, the last: not a JPEG, PNG, WebP, GIF, BMP, TIFF or PPM image" ||
		named != 1000 {
		t.Errorf("%v (%+v) after %d were named", err, f, named)
	}
}

// counting counts what is read of a source.
type counting struct {
	source.Source
	reads atomic.Int64
}

func (c *counting) Bytes(ctx context.Context, i int, buf []byte) ([]byte, error) {
	c.reads.Add(1)
	return c.Source.Bytes(ctx, i, buf)
}

// TestReadsNoFurtherAhead than Prefetch allows, however slow the caller is; and a kept picture is not read again.
func TestReadsNoFurtherAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &counting{Source: drawn(t, 16)}
		for _, c := range []struct {
			prefetch int
			cache    int64
		}{{1, 0}, {2, 0}, {3, 0}, {5, 0}, {2, 1 << 20}} {
			src.reads.Store(0)
			cfg := config(t, src, 4, 1)
			cfg.Prefetch, cfg.CacheBytes = c.prefetch, c.cache
			l := data.NewLoader(src, cfg)
			batches := map[*data.Batch]bool{}
			synctest.Wait()
			if n := src.reads.Load(); n != 0 {
				t.Errorf("%+v: %d images read before the first Next", c, n)
			}
			for step := range 8 {
				b, err := l.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				batches[b] = true
				l.Recycle(b)
				want := int64(4 * (step + 1 + c.prefetch))
				if c.cache > 0 {
					want = min(want, 16)
				}
				if n := src.reads.Load(); n != want {
					t.Errorf("%+v: %d images read at step %d, want %d", c, n, step, want)
				}
			}
			l.Close()
			if len(batches) != c.prefetch+1 {
				t.Errorf("%+v: memory of %d batches was used, want one more than are kept ready", c, len(batches))
			}
		}
	})
}

// TestCacheIsBounded: pictures are kept until the memory is full, whole, and then read again.
func TestCacheIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &counting{Source: drawn(t, 8)}
		cfg := config(t, src, 8, 1)
		cfg.Threads, cfg.CacheBytes = 1, 3*16*16*3+100 // three pictures of 16 × 16
		l := data.NewLoader(src, cfg)
		take(t, l, 1)
		synctest.Wait()
		if n, want := src.reads.Load(), int64(8+2*5); n != want {
			t.Errorf("%d reads in three epochs of 8, want %d", n, want)
		}
		l.Close()
	})
}

// shy is a decoder that counts the pictures it gets that are 17 wide.
type shy struct {
	picture.Decoder
	wide atomic.Int64
}

func (s *shy) Decode(b []byte, limits picture.Limits, r picture.Rect, dst *picture.Image) error {
	if info, err := picture.Probe(b); err == nil && info.Width == 17 {
		s.wide.Add(1)
	}
	return s.Decoder.Decode(b, limits, r, dst)
}

// TestLimitsHold: a picture over the limit is unreadable by its header alone.
func TestLimitsHold(t *testing.T) {
	src := drawn(t, 6)
	src.images[2] = []byte("P6\n17 16\n255\n" + string(make([]byte, 3*17*16)))
	dec := &shy{Decoder: jpeg.NewDecoder()}
	cfg := config(t, src, 6, 1)
	var named []string
	cfg.Decoder, cfg.Limits.Pixels, cfg.OnUnreadable = dec, 256, func(i int, _ string, err error) {
		named = append(named, fmt.Sprintf("%d %v", i, err))
	}
	l := data.NewLoader(src, cfg)
	batches := take(t, l, 1)
	l.Close()
	if want := []string{"2 image of 17 × 16 pixels is over the limit of 256 pixels"}; !slices.Equal(named, want) {
		t.Errorf("named %q, want %q", named, want)
	}
	if slices.Contains(batches[0].Images, 2) || dec.wide.Load() > 0 {
		t.Errorf("shown %v; the large one was decoded %d times", batches[0].Images, dec.wide.Load())
	}
	a, err := views.ParseAugment("byol", 16)
	if err != nil {
		t.Fatal(err)
	}
	readable := make([]bool, 2)
	e := data.Evaluator{Source: src, Augment: a, Limits: picture.Limits{Pixels: 256}}
	if err := e.EvalBatch(t.Context(), []int{2, 3}, make([]float32, 2*3*16*16), readable); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(readable, []bool{false, true}) {
		t.Errorf("readable %v", readable)
	}
}

// TestEvaluationIsThatOfAnyThreads: what an image gives does not depend on who asks, how many at once, or its
// neighbours.
func TestEvaluationIsThatOfAnyThreads(t *testing.T) {
	src, _ := damagedSet(t)
	a, err := views.ParseAugment("byol", 24)
	if err != nil {
		t.Fatal(err)
	}
	n := src.Len()
	all := make([]int, n)
	for i := range all {
		all[i] = n - 1 - i
	}
	const pixels = 3 * 24 * 24
	want, readable := make([]float32, n*pixels), make([]bool, n)
	one := data.Evaluator{Source: src, Augment: a, Threads: 1}
	if err := one.EvalBatch(t.Context(), all, want, readable); err != nil {
		t.Fatal(err)
	}
	many := data.Evaluator{Source: src, Augment: a, Threads: 7, Decoder: jpeg.NewDecoder()}
	for at := 0; at < n; at += 5 {
		part := all[at:min(at+5, n)]
		got, ok := make([]float32, len(part)*pixels), make([]bool, len(part))
		if err := many.EvalBatch(t.Context(), part, got, ok); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want[at*pixels:][:len(got)]) || !slices.Equal(ok, readable[at:][:len(ok)]) {
			t.Errorf("images %v: other pixels, or readable %v, want %v", part, ok, readable[at:][:len(ok)])
		}
	}
	if err := one.EvalBatch(t.Context(), nil, nil, nil); err != nil {
		t.Errorf("no images: %v", err)
	}
	defer func() {
		if got := fmt.Sprint(recover()); !strings.Contains(got, "evaluate 1 images into 5 floats and 1 flags") {
			t.Errorf("too little room: %s", got)
		}
	}()
	_ = one.EvalBatch(t.Context(), all[:1], make([]float32, 5), readable[:1])
}

// TestVerifyTellsProgress in steps, one call at a time, and ends when it is told to.
func TestVerifyTellsProgress(t *testing.T) {
	src := drawn(t, 600)
	var told []int
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	if _, err := data.Verify(ctx, src, jpeg.NewDecoder(), func(done, total int) {
		told = append(told, done, total)
	}); err != nil {
		t.Fatal(err)
	}
	if want := []int{256, 600, 512, 600, 600, 600}; !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
	enough := errors.New("enough")
	_, err := data.Verify(ctx, src, jpeg.NewDecoder(), func(int, int) { cancel(enough) })
	if !errors.Is(err, enough) {
		t.Errorf("cancelled in the middle: %v, want %v", err, enough)
	}
}

// TestLibraryPicturesAreReplacedAlike: files that only the library knows are cut, and the answer is one.
func TestLibraryPicturesAreReplacedAlike(t *testing.T) {
	file, err := os.ReadFile(filepath.Join("jpeg", "testdata", "progressive.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	src := drawn(t, 8)
	src.images[1], src.images[5] = file[:len(file)/2], bytes.Clone(file)
	var first []int
	for _, cache := range []int64{0, 1 << 20} {
		cfg := config(t, src, 8, 1)
		cfg.CacheBytes = cache
		l := data.NewLoader(src, cfg)
		got := take(t, l, 1)[0].Images
		l.Close()
		if first == nil {
			first = got
		}
		if slices.Contains(got, 1) || !slices.Contains(got, 5) || !slices.Equal(got, first) {
			t.Errorf("cache of %d bytes: images %v, want all but 1, as %v", cache, got, first)
		}
	}
}
