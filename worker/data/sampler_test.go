package data

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"byol/worker/data/random"
)

// TestEachImageOncePerEpoch: whatever the number of workers and wherever they stop and start, each epoch reads
// each image once.
func TestEachImageOncePerEpoch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shards := rapid.IntRange(1, 9).Draw(t, "shards")
		s := Sampler{
			Seed:  rapid.Uint64().Draw(t, "seed"),
			Len:   rapid.IntRange(1, 400).Draw(t, "len"),
			Batch: shards * rapid.IntRange(1, 8).Draw(t, "per shard"),
		}
		const epochs = 3
		seen := map[int64][]int{} // epoch -> times each image was read
		for e := range int64(epochs) {
			seen[e] = make([]int, s.Len)
		}
		// The run is cut at random steps; each piece has its own number of workers, each of which reads its shards.
		last := int64(epochs*s.Len/s.Batch + 1)
		for step := int64(0); step < last; {
			workers := rapid.IntRange(1, shards).Draw(t, "workers")
			until := rapid.Int64Range(step+1, last).Draw(t, "until")
			for ; step < until; step++ {
				for r := range workers {
					for v := shards * r / workers; v < shards*(r+1)/workers; v++ {
						for _, pos := range s.Shard(step, v, shards) {
							if image, epoch := s.Image(pos); epoch < epochs {
								seen[epoch][image]++
							}
						}
					}
				}
			}
		}
		for e := range int64(epochs) {
			for image, n := range seen[e] {
				if n != 1 {
					t.Fatalf("%+v in %d shards: epoch %d reads image %d %d times, want once", s, shards, e, image, n)
				}
			}
		}
	})
}

// TestPermute: a bijection for every size, another one for every key, and no pattern that a run could notice.
func TestPermute(t *testing.T) {
	for _, n := range []uint64{1, 2, 3, 7, 10, 64, 1000, 4097} {
		orders := map[string]bool{}
		for key := range uint64(20) {
			hit := make([]bool, n)
			order := []byte{}
			for x := range n {
				y := permute(random.Mix(key), n, x)
				if y >= n || hit[y] {
					t.Fatalf("n %d, key %d: permute(%d) = %d, out of range or taken", n, key, x, y)
				}
				hit[y] = true
				order = append(order, byte(y), byte(y>>8))
			}
			orders[string(order)] = true
		}
		if n >= 10 && len(orders) != 20 {
			t.Errorf("n %d: 20 keys give %d orders", n, len(orders))
		}
	}
	// Where image 0 goes, over many epochs, is uniform: chi-squared with 9 degrees of freedom is under 33.7 but
	// for one in 10,000.
	counts := make([]float64, 10)
	for e := range int64(20000) {
		s := Sampler{Seed: 5, Len: 10, Batch: 10}
		counts[s.at(e, 0)]++
	}
	chi := 0.0
	for _, c := range counts {
		chi += (c - 2000) * (c - 2000) / 2000
	}
	if chi > 33.7 {
		t.Errorf("image of position 0 over 20,000 epochs: counts %v, chi-squared %.1f, want under 33.7", counts, chi)
	}
	// Neighbours in the order are not neighbours in the set.
	s := Sampler{Seed: 1, Len: 50000, Batch: 1}
	near := 0
	for pos := int64(0); pos < 10000; pos++ {
		a, _ := s.Image(pos)
		b, _ := s.Image(pos + 1)
		if a-b < 100 && b-a < 100 {
			near++
		}
	}
	if near > 80 { // expected 40, deviation 6.3
		t.Errorf("%d of 10,000 neighbours in the order lie within 100 images, want about 40", near)
	}
}

// TestSamplerIsFixed: what a seed means must not change between versions, or a resumed run would read other images.
func TestSamplerIsFixed(t *testing.T) {
	s := Sampler{Seed: 42, Len: 1281167, Batch: 4096}
	var got []int
	for _, pos := range []int64{0, 1, 2, 1281166, 1281167, 1 << 40} {
		image, _ := s.Image(pos)
		got = append(got, image)
	}
	want := []int{817320, 626009, 1065742, 1101861, 1173854, 658238}
	if !slices.Equal(got, want) {
		t.Errorf("images at fixed positions: %v, want %v", got, want)
	}
}

func BenchmarkSampler(b *testing.B) {
	s := Sampler{Seed: 42, Len: 1281167, Batch: 4096}
	for i := 0; b.Loop(); i++ {
		s.Image(int64(i))
	}
}
