package allreduce

import syscpu "golang.org/x/sys/cpu"

// Bits of the last argument of sumRoundedAVX2.
const (
	asmPartial = 1
	asmOpen    = 2
)

// sumRoundedOnce sums the first n elements of vectors from left to right, with the roundings of BF16.
func sumRoundedOnce(to outputs, srcs []*float32, n int, how rounding) {
	if !syscpu.X86.HasAVX2 {
		sumRoundedGo(to.all, srcs, 0, n, how)
		return
	}
	lo, near := to.streams(n)
	sumRoundedGo(to.all, srcs, 0, lo, how)
	end := lo + (n-lo)&^31
	if end > lo {
		flags := 0
		if how.partial {
			flags |= asmPartial
		}
		if how.open {
			flags |= asmOpen
		}
		sumRoundedAVX2(&to.all[0], near, len(to.all), &srcs[0], len(srcs), 4*lo, 4*end, flags)
	}
	sumRoundedGo(to.all, srcs, end, n, how)
}

// packFast packs the elements that fill whole vectors, and returns how many those are.
func packFast(dst []byte, v []float32) int {
	n := len(v) &^ 15
	if n == 0 || !syscpu.X86.HasAVX2 {
		return 0
	}
	packAVX2(&dst[:2*n][0], &v[0], n)
	return n
}

// unpackFast unpacks the elements that fill whole vectors, and returns how many those are.
func unpackFast(v []float32, data []byte) int {
	n := len(v) &^ 15
	if n == 0 || !syscpu.X86.HasAVX2 {
		return 0
	}
	unpackAVX2(&v[0], &data[:2*n][0], n)
	return n
}

// sumRoundedAVX2 is sumAVX with the roundings of BF16, but for those that flags leaves out.
//
//go:noescape
func sumRoundedAVX2(outs **float32, near, all int, srcs **float32, count, off, end, flags int)

// packAVX2 packs n elements, a multiple of 16 and not 0.
//
//go:noescape
func packAVX2(dst *byte, src *float32, n int)

// unpackAVX2 unpacks n elements, a multiple of 16 and not 0.
//
//go:noescape
func unpackAVX2(dst *float32, src *byte, n int)
