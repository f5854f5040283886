package allreduce

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestTuneDecidesByWhatWasMeasured(t *testing.T) {
	for _, c := range []struct {
		name         string
		size         int
		alpha        time.Duration
		rate         float64 // bytes a second
		oneHost      bool
		small, chunk int // bytes; chunk of a vector of 25 MiB
		bucket       int
	}{
		{"loopback, 2 ranks", 2, 45 * time.Microsecond, 2e9, true, 64 << 10, 1 << 20, 1792 << 10},
		{"loopback, 8 ranks", 8, 800 * time.Microsecond, 0.3e9, true, 64 << 10, 1 << 20, 4864 << 10},
		{"8 hosts", 8, 200 * time.Microsecond, 0.6e9, false, 64 << 10, 256 << 10, 2560 << 10},
		{"1 Gbit/s, 2 ranks", 2, 100 * time.Microsecond, 0.115e9, false, 22 << 10, 256 << 10, 256 << 10},
		{"1 Gbit/s and 10 ms, 2 ranks", 2, 20 * time.Millisecond, 0.08e9, false, 64 << 10, 192 << 10, 30*(1<<20) + 768<<10},
		{"shared memory", 2, 10 * time.Microsecond, 12e9, true, 64 << 10, 1 << 20, 2560 << 10},
		{"a very slow line", 2, time.Microsecond, 1e5, false, 4 << 10, 64 << 10, 256 << 10},
		{"a very fast one", 2, time.Second, 1e12, false, 64 << 10, 256 << 10, 32 << 20},
	} {
		got := tune(c.alpha, c.rate, false)
		chunk := 4 * got.chunk(25<<18, c.size, c.oneHost)
		if got.SmallBytes != c.small || chunk != c.chunk || got.BucketBytes != c.bucket {
			t.Errorf("%s: got %v, chunks of %d KiB; want one hop up to %d KiB, buckets of %d KiB, chunks of %d KiB",
				c.name, got, chunk>>10, c.small>>10, c.bucket>>10, c.chunk>>10)
		}
	}
}

func TestChunksAreNeverEmptyNorTooLong(t *testing.T) {
	for _, n := range []int{1, 1000, 1 << 20, 1 << 30} {
		for _, size := range []int{2, 3, 64, 1000} {
			for _, rate := range []float64{1, 1e9, 1e15} {
				chunk := 4 * tune(time.Millisecond, rate, false).chunk(n, size, n%3 == 1)
				if chunk < leastChunk || chunk > mostChunk {
					t.Errorf("%d elements, %d ranks, %g bytes/s: chunks of %d bytes", n, size, rate, chunk)
				}
			}
		}
	}
}

func TestAllRanksTuneAlike(t *testing.T) { onAllWays(t, testAllRanksTuneAlike) }

func testAllRanksTuneAlike(t *testing.T) {
	for _, size := range []int{1, 2, 3, 5} {
		groups := testGroups(t, size, 2*size, nil)
		first := groups[0].Tuning()
		for r, g := range groups {
			if g.Tuning() != first || first.Alpha <= 0 || first.Rate <= 0 {
				t.Errorf("%d ranks: rank %d chose by %v, rank 0 by %v", size, r, g.Tuning(), first)
			}
			if text := first.String(); !strings.Contains(text, "alpha") || !strings.Contains(text, "GB/s") {
				t.Errorf("described as %q", text)
			}
		}
	}
}

// TestTuningDoesNotChangeSums cuts vectors into other chunks, and sends them other ways.
func TestTuningDoesNotChangeSums(t *testing.T) {
	const size, shards, n = 3, 7, 150_000
	all := testShards(8, shards, n)
	want := plain(all)
	for _, rate := range []float64{1e5, 1e9, 1e13} {
		groups := testGroups(t, size, shards, nil)
		for _, g := range groups {
			g.tuning = tune(50*time.Microsecond, rate, false)
		}
		errs := onAll(size, func(r int) error {
			for i, m := range []int{100, 1000, 10_000, n} {
				var own [][]float32
				for _, v := range mine(groups[r], all) {
					own = append(own, v[:m])
				}
				out := make([]float32, m)
				if err := groups[r].AllReduce(context.Background(), Key{Bucket: uint32(i)}, own, out); err != nil {
					return err
				}
				if at := differ(out, want[:m]); at >= 0 {
					return fmt.Errorf("%d elements: element %d: got %v, want %v", m, at, out[at], want[at])
				}
			}
			return nil
		})
		for r, err := range errs {
			if err != nil {
				t.Errorf("%g bytes/s: rank %d: %v", rate, r, err)
			}
		}
	}
}
