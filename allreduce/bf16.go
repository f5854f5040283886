package allreduce

import (
	"encoding/binary"
	"math"
)

// rounding says what of a sum with the roundings of BF16 is a sum in the making, and not rounded.
type rounding struct {
	partial bool // the first summand
	open    bool // the sum
}

// sumRounded sets the first n elements of all outs to the rounded sum of the rounded srcs, from left to right. outs may
// be summands.
func sumRounded(to outputs, srcs []*float32, n int, how rounding) {
	if len(srcs) <= sweep {
		sumRoundedOnce(to, srcs, n, how)
		return
	}
	rest := make([]float32, sumBlock) // a partial sum must not go where another summand lies
	moved := make([]*float32, len(to.all))
	some := make([]*float32, 0, sweep)
	for lo := 0; lo < n; lo += sumBlock {
		size := min(sumBlock, n-lo)
		for i, p := range to.all {
			moved[i] = at(p, lo)
		}
		left, partial := srcs, how.partial
		for some = some[:0]; len(left) > 0; partial = true {
			for len(left) > 0 && len(some) < sweep {
				some = append(some, at(left[0], lo))
				left = left[1:]
			}
			if len(left) == 0 {
				sumRoundedOnce(outputs{moved, to.near}, some, size, rounding{partial, how.open})
				break
			}
			sumRoundedOnce(outputs{[]*float32{&rest[0]}, 1}, some, size, rounding{partial, true})
			some = append(some[:0], &rest[0])
		}
	}
}

// sumRoundedGo sums elements [lo, hi) of at most sweep vectors. It is what the faster way must equal bit for bit.
func sumRoundedGo(outs, srcs []*float32, lo, hi int, how rounding) {
	for i := lo; i < hi; i++ {
		x := *at(srcs[0], i)
		if !how.partial {
			x = roundBF16(x)
		}
		for _, p := range srcs[1:] {
			x += roundBF16(*at(p, i))
		}
		if !how.open {
			x = roundBF16(x)
		}
		for _, p := range outs {
			*at(p, i) = x
		}
	}
}

// packBF16 writes the elements of v to dst, rounded, 2 bytes each, little-endian.
func packBF16(dst []byte, v []float32) {
	n := packFast(dst, v)
	packGo(dst[2*n:], v[n:])
}

func packGo(dst []byte, v []float32) {
	for i, x := range v {
		binary.LittleEndian.PutUint16(dst[2*i:], uint16(math.Float32bits(roundBF16(x))>>16))
	}
}

// unpackBF16 fills v with the elements in data.
func unpackBF16(v []float32, data []byte) {
	n := unpackFast(v, data)
	unpackGo(v[n:], data[2*n:])
}

func unpackGo(v []float32, data []byte) {
	for i := range v {
		v[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(data[2*i:])) << 16)
	}
}
