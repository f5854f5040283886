package allreduce

import "unsafe"

// sumBlock is how many elements are summed over all shards before the next are touched: small enough that the
// running sum stays in the first-level cache.
const sumBlock = 4 << 10

// sumShards sets dst to init + shards[0] + shards[1] + …, from left to right, of the elements of each shard that
// begin at off. A nil init is left out; otherwise it is as long as dst. dst may be init, or the same elements
// of shards[0].
func sumShards(dst, init []float32, shards [][]float32, off int) {
	for lo := 0; lo < len(dst); lo += sumBlock {
		hi := min(lo+sumBlock, len(dst))
		d, a, b := dst[lo:hi], off+lo, off+hi
		i := 1
		switch {
		case init != nil:
			add2(d, init[lo:hi], shards[0][a:b])
		case len(shards) == 1:
			copy(d, shards[0][a:b])
		default:
			add2(d, shards[0][a:b], shards[1][a:b])
			i = 2
		}
		for ; i < len(shards); i++ {
			add2(d, d, shards[i][a:b])
		}
	}
}

// add2Go sets dst[i] = a[i] + b[i]. It is what add2 must equal bit for bit.
func add2Go(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

// bytesOf is the memory of v. The wire is little-endian, and so are all machines this package accepts (see Form).
func bytesOf[T float32 | float64](v []T) []byte {
	if len(v) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(v[0])))
}
