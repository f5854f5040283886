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

// sumRoundedGo sums elements [lo, hi) from left to right. It is what the faster way must equal bit for bit.
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
