// Package random is where all randomness of the data comes from: one derivation, pure, and simple enough to be written
// again in any language.
//
//	Mix(x)      is the finaliser of SplitMix64
//	Chain(k, p) = Mix(k ^ Mix(p + golden))
//	Bits(n)     = Mix(stream + (n+1)·golden)
//	Uniform(n)  = (Bits(n) >> 11) / 2^53
//	Below(n, m) = high 64 bits of Bits(n)·m
//
// A stream is a key that was chained from what it depends on: a tag of its own, a seed, an epoch, an image. Each
// decision has a slot n in its stream, so that adding one never moves another.
//
// Streams are values; nothing is owned or shared.
//
// When it fails: it does not.
package random

import "math/bits"

const golden = 0x9e3779b97f4a7c15

// Mix scrambles 64 bits; different x give different results.
func Mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// Chain adds a part to a key.
func Chain(k, part uint64) uint64 { return Mix(k ^ Mix(part+golden)) }

// Stream is the key of one stream of draws.
type Stream uint64

// Bits are the 64 random bits of a slot.
func (s Stream) Bits(slot int) uint64 { return Mix(uint64(s) + uint64(slot+1)*golden) }

// Uniform is in [0, 1).
func (s Stream) Uniform(slot int) float64 { return float64(s.Bits(slot)>>11) / (1 << 53) }

// Between is uniform in [lo, hi).
func (s Stream) Between(slot int, lo, hi float64) float64 {
	return lo + float64(s.Uniform(slot)*(hi-lo))
}

// Below is uniform in 0 … n-1; its bias is below n/2^64.
func (s Stream) Below(slot, n int) int { return int(Reduce(s.Bits(slot), uint64(n))) }

// Reduce maps 64 random bits to 0 … n-1.
func Reduce(x, n uint64) uint64 {
	hi, _ := bits.Mul64(x, n)
	return hi
}
