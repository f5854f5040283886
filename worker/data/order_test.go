package data

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"byol/worker/data/picture"
	"byol/worker/data/random"
	"byol/worker/data/source"
)

// slowPermute shuffles a whole table by the same rounds: in each, the members of all pairs (x, k-x) change places or
// stay.
func slowPermute(key uint64, n int) []int {
	at := make([]int, n) // where each goes
	for i := range at {
		at[i] = i
	}
	for r := range 64 {
		k := int(random.Reduce(random.Mix(key+uint64(2*r+1)*0x9e3779b97f4a7c15), uint64(n)))
		swaps := make([]bool, n) // by the larger of a pair
		for x := range n {
			swaps[x] = random.Mix(key^random.Mix(uint64(x)+uint64(2*r+2)*0x9e3779b97f4a7c15))>>63 == 1
		}
		for i, x := range at {
			y := ((k-x)%n + n) % n
			if swaps[max(x, y)] {
				at[i] = y
			}
		}
	}
	return at
}

func TestPermuteFollowsItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, key := rapid.IntRange(1, 300).Draw(t, "n"), rapid.Uint64().Draw(t, "key")
		for x, want := range slowPermute(key, n) {
			if got := permute(key, uint64(n), uint64(x)); got != uint64(want) {
				t.Fatalf("%d of %d goes to %d, want %d", x, n, got, want)
			}
		}
	})
}

// TestShards: those of a step are its positions, each in one of them and in order, and the steps follow each other.
func TestShards(t *testing.T) {
	for _, c := range []struct{ batch, shards int }{{1, 1}, {12, 1}, {12, 4}, {12, 12}, {4096, 64}} {
		s := Sampler{Seed: 1, Batch: c.batch, Len: 100}
		next := int64(0)
		for step := range int64(3) {
			for v := range c.shards {
				for _, pos := range s.Shard(step, v, c.shards) {
					if pos != next {
						t.Fatalf("%+v: position %d in shard %d of step %d, want %d", c, pos, v, step, next)
					}
					next++
				}
			}
		}
		if next != int64(3*c.batch) {
			t.Errorf("%+v: three steps have %d positions", c, next)
		}
	}
}

func TestEpochs(t *testing.T) {
	s := Sampler{Seed: 1, Batch: 10, Len: 25}
	for step, want := range map[int64]int64{0: 0, 2: 0, 3: 1, 4: 1, 5: 2, 1 << 40: 1 << 40 * 10 / 25} {
		if got := s.Epoch(step); got != want {
			t.Errorf("step %d is in epoch %d, want %d", step, got, want)
		}
		if _, epoch := s.Image(step * 10); epoch != want {
			t.Errorf("the first image of step %d is in epoch %d, want %d", step, epoch, want)
		}
	}
}

func TestSamplerPanics(t *testing.T) {
	for _, c := range []struct {
		s   Sampler
		pos int64
	}{{Sampler{Batch: 1}, 0}, {Sampler{Batch: 1, Len: 5}, -1}} {
		func() {
			defer func() {
				if got := recover(); got != "data: sampler without images, or a negative position" {
					t.Errorf("%+v at %d: %v", c.s, c.pos, got)
				}
			}()
			c.s.Image(c.pos)
		}()
	}
}

// TestPerTask: small views are handed over several at a time, if that leaves all goroutines work.
func TestPerTask(t *testing.T) {
	for _, c := range []struct{ n, size, threads, want int }{
		{256, 224, 8, 1}, {256, 65, 8, 1}, {256, 64, 8, 8}, {256, 32, 16, 4}, {16, 32, 8, 1}, {4096, 32, 1, 8}, {1,
			8, 1, 1},
	} {
		l := &Loader{n: c.n}
		l.cfg.Augment.Size, l.cfg.Threads = c.size, c.threads
		if got := l.perTask(); got != c.want {
			t.Errorf("%+v: %d at a time", c, got)
		}
	}
}

// TestReplacementsAreTheNext: whatever is damaged, the fetcher's choice is the first good image behind it in the
// epoch's order, round its end.
func TestReplacementsAreTheNext(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "images")
		order := Sampler{Seed: rapid.Uint64().Draw(t, "seed"), Batch: 1, Len: n}
		f := fetcher{order: order, bad: map[int]error{}}
		for i := range n {
			if rapid.Bool().Draw(t, "damaged") {
				f.bad[i] = fmt.Errorf("image %d is damaged", i)
			}
		}
		f.cache = newCache(n, 0)
		kept := &worker{}
		for i := range f.cache.images { // so that nothing is read
			f.cache.images[i].Store(&kept.image)
		}
		pos := rapid.Int64Range(0, int64(3*n-1)).Draw(t, "position")
		plans := 0
		_, got, err := f.at(t.Context(), kept, pos, func(int, int) (none picture.Rect) { plans++; return none })
		if len(f.bad) == n {
			if err == nil {
				t.Fatalf("all are damaged, and image %d is shown", got)
			}
			return
		}
		epoch := pos / int64(n)
		want := -1
		for i := range n {
			p := epoch*int64(n) + (pos+int64(i))%int64(n)
			if want, _ = order.Image(p); f.bad[want] == nil {
				break
			}
		}
		if err != nil || got != want || plans != 1 {
			t.Fatalf("position %d, damaged %v: image %d, %v after %d plans, want %d", pos, f.bad, got, err, plans, want)
		}
	})
}

// TestReportsOnce: an image that several goroutines find damaged is told once, with its name.
func TestReportsOnce(t *testing.T) {
	var told []string
	f := fetcher{src: named{}, report: func(i int, name string, err error) {
		told = append(told, fmt.Sprintf("%d %s %v", i, name, err))
	}}
	why := fmt.Errorf("damaged")
	for _, i := range []int{4, 2, 4, 4, 2} {
		f.markBad(i, why)
	}
	if want := []string{"4 image 4 damaged", "2 image 2 damaged"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	if f.knownBad(4) != why || f.knownBad(3) != nil {
		t.Errorf("known: %v, %v", f.knownBad(4), f.knownBad(3))
	}
	quiet := fetcher{}
	quiet.markBad(1, why)
	if quiet.knownBad(1) != why {
		t.Error("without anybody to tell, it is not known")
	}
}

// named is a source of names alone.
type named struct{ source.Source }

func (named) Name(i int) string { return fmt.Sprintf("image %d", i) }
