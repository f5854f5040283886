package allreduce

import (
	"unsafe"

	syscpu "golang.org/x/sys/cpu"
)

// sumOnce sums the first n elements of vectors from left to right.
//
// In memory that is read anyway, writing past the caches costs half as much again; elsewhere it saves half
// (docs/bench/allreduce.md). It needs whole vectors of 32 bytes, at addresses that are multiples of 32.
func sumOnce(to outputs, srcs []*float32, n int) {
	if !syscpu.X86.HasAVX {
		sumGo(to.all, srcs, 0, n)
		return
	}
	lo, near := to.streams(n)
	sumGo(to.all, srcs, 0, lo)
	end := lo + (n-lo)&^31
	if end > lo {
		sumAVX(&to.all[0], near, len(to.all), &srcs[0], len(srcs), 4*lo, 4*end)
	}
	sumGo(to.all, srcs, end, n)
}

// sumTreeOnce sums the first n elements of 4 or 8 vectors two by two.
func sumTreeOnce(to outputs, srcs []*float32, n int) {
	if !syscpu.X86.HasAVX {
		sumTreeGo(to.all, srcs, 0, n)
		return
	}
	lo, near := to.streams(n)
	sumTreeGo(to.all, srcs, 0, lo)
	end := lo + (n-lo)&^31
	if end > lo {
		sumTreeAVX(&to.all[0], near, len(to.all), &srcs[0], len(srcs), 4*lo, 4*end)
	}
	sumTreeGo(to.all, srcs, end, n)
}

// streams says from which of n elements on, and to which outs, a sum is written past the caches.
func (to outputs) streams(n int) (lo, near int) {
	near = to.near
	if near == len(to.all) {
		return 0, near
	}
	first := uintptr(unsafe.Pointer(to.all[near]))
	for _, p := range to.all[near:] {
		if (uintptr(unsafe.Pointer(p))-first)%32 != 0 {
			return 0, len(to.all)
		}
	}
	return min(int(-first%32/4), n), near
}

// sumAVX sums the elements in bytes [off, end) of each vector; their number is a multiple of 32, not 0. Those of outs
// from near on begin at a multiple of 32 bytes at off.
//
//go:noescape
func sumAVX(outs **float32, near, all int, srcs **float32, count, off, end int)

// sumTreeAVX is sumAVX for 4 or 8 vectors that are added two by two.
//
//go:noescape
func sumTreeAVX(outs **float32, near, all int, srcs **float32, count, off, end int)
