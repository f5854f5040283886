package data

import "byol/worker/data/random"

// Sampler decides which image is where: position p of an endless stream, which goes through all images in a new
// order every epoch. Step s reads positions [s·Batch, (s+1)·Batch), so no image is skipped or repeated within
// an epoch and a batch may span two epochs. It is a pure value; any number of workers agrees on it without a
// word.
type Sampler struct {
	Seed       uint64
	Batch, Len int
}

const tagOrder = 0x6f72646572 // "order", so that its keys are no other stream's

// rounds of the shuffle. Swap-or-not needs a few times log2(Len) rounds; 64 serve any set that fits a disk.
const rounds = 64

// Image returns the image at position pos, and the epoch the position belongs to.
func (s Sampler) Image(pos int64) (index int, epoch int64) {
	epoch, i := s.split(pos)
	return s.at(epoch, i), epoch
}

// Shard returns the positions of virtual shard v of step: Batch/shards of them, one after another.
func (s Sampler) Shard(step int64, v, shards int) []int64 {
	b := s.Batch / shards
	out := make([]int64, b)
	for i := range out {
		out[i] = step*int64(s.Batch) + int64(v*b+i)
	}
	return out
}

// Epoch is the epoch in which step begins.
func (s Sampler) Epoch(step int64) int64 { return step * int64(s.Batch) / int64(s.Len) }

func (s Sampler) split(pos int64) (epoch int64, i int) {
	if s.Len <= 0 || pos < 0 {
		panic("data: sampler without images, or a negative position")
	}
	return pos / int64(s.Len), int(pos % int64(s.Len))
}

// at is entry i of the epoch's order.
func (s Sampler) at(epoch int64, i int) int {
	key := random.Chain(random.Chain(tagOrder, s.Seed), uint64(epoch))
	return int(permute(key, uint64(s.Len), uint64(i)))
}

// permute is a permutation of 0 … n-1 for each key, computed for one x without a table: the swap-or-not shuffle
// (Hoang, Morris, Rogaway 2012). Each round pairs x with k-x mod n for a random k, and a random bit of the pair
// says whether its two members change places.
func permute(key, n, x uint64) uint64 {
	for r := uint64(0); r < rounds; r++ {
		k := random.Reduce(random.Stream(key).Bits(int(2*r)), n)
		y := k - x
		if x > k {
			y += n
		}
		if random.Mix(key^random.Stream(max(x, y)).Bits(int(2*r+1)))>>63 == 1 {
			x = y
		}
	}
	return x
}
