//go:build !amd64

package allreduce

// sumRoundedOnce sums the first n elements of vectors from left to right, with the roundings of BF16.
func sumRoundedOnce(to outputs, srcs []*float32, n int, how rounding) {
	sumRoundedGo(to.all, srcs, 0, n, how)
}

// packFast packs the elements that fill whole vectors, and returns how many those are.
func packFast([]byte, []float32) int { return 0 }

// unpackFast unpacks the elements that fill whole vectors, and returns how many those are.
func unpackFast([]float32, []byte) int { return 0 }
