package allreduce

import "unsafe"

const (
	// sweep is how many vectors are added at once, each of them a stream that the processor fetches ahead.
	sweep = 32
	// sumBlock is how many elements are summed over all vectors before the next are touched, where there are more than
	// that: small enough that the running sum stays in the first-level cache.
	sumBlock = 4 << 10
)

// outputs are where a sum goes.
type outputs struct {
	all []*float32 // the first elements; outputs may be summands
	// near of them come first and are summands, or wanted in cache; the others are written past the caches.
	near int
}

// sumShards sets dst to init + shards[0] + shards[1] + …, from left to right, of the elements of each shard that
// begin at off. A nil init is left out; otherwise it is as long as dst. dst may be init, or the same elements
// of shards[0].
func sumShards(dst, init []float32, shards [][]float32, off int) {
	if init == nil && len(shards) == 1 {
		copy(dst, shards[0][off:])
		return
	}
	var table [sweep]*float32
	block := len(dst)
	if len(shards) >= sweep {
		block = sumBlock
	}
	for lo := 0; lo < len(dst); lo += block {
		d := dst[lo:min(lo+block, len(dst))]
		out := []*float32{&d[0]}
		srcs, left := table[:0], shards
		if init != nil {
			srcs = append(srcs, &init[lo : lo+len(d)][0])
		}
		for len(left) > 0 {
			for len(left) > 0 && len(srcs) < sweep {
				srcs = append(srcs, &left[0][off+lo : off+lo+len(d)][0])
				left = left[1:]
			}
			sumOnce(outputs{out, 1}, srcs, len(d))
			srcs = append(srcs[:0], &d[0])
		}
	}
}

// sumMany sets the first n elements of all outs to the sum of srcs from left to right. rest is scratch of sumBlock
// elements: a partial sum must not go where another summand lies.
func sumMany(to outputs, srcs []*float32, n int, rest []float32) {
	if len(srcs) <= sweep {
		sumOnce(to, srcs, n)
		return
	}
	var table [sweep]*float32
	moved := make([]*float32, len(to.all))
	for lo := 0; lo < n; lo += sumBlock {
		size := min(sumBlock, n-lo)
		for i, p := range to.all {
			moved[i] = at(p, lo)
		}
		some, left := table[:0], srcs
		for len(left) > 0 {
			for len(left) > 0 && len(some) < sweep {
				some = append(some, at(left[0], lo))
				left = left[1:]
			}
			if len(left) == 0 {
				sumOnce(outputs{moved, to.near}, some, size)
				break
			}
			sumOnce(outputs{[]*float32{&rest[0]}, 1}, some, size)
			some = append(some[:0], &rest[0])
		}
	}
}

// at is the address of the i-th element after p.
func at(p *float32, i int) *float32 { return (*float32)(unsafe.Add(unsafe.Pointer(p), 4*i)) }

// sumGo sums elements [lo, hi). It is what the faster way must equal bit for bit.
func sumGo(outs, srcs []*float32, lo, hi int) {
	for i := lo; i < hi; i++ {
		x := *at(srcs[0], i)
		for _, p := range srcs[1:] {
			x += *at(p, i)
		}
		for _, p := range outs {
			*at(p, i) = x
		}
	}
}
