package data

import "math/bits"

// All randomness comes from one derivation, so that it can be written again in any language:
//
//	mix(x)      is the finaliser of SplitMix64
//	chain(k, p) = mix(k ^ mix(p + golden))
//	order key   = chain(chain(tagOrder, seed), epoch)
//	draw key    = chain(chain(chain(chain(tagDraw, seed), epoch), image), view)
//	draw n      = mix(draw key + (n+1)·golden), n one of the slots in augment.go
//	uniform     = (draw >> 11) / 2^53
//	below(m)    = high 64 bits of draw·m
//
// Each decision has a slot of its own, so that adding one never moves another.
const (
	golden   = 0x9e3779b97f4a7c15
	tagOrder = 0x6f72646572 // "order"
	tagDraw  = 0x64726177   // "draw"
)

func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

func chain(k, part uint64) uint64 { return mix(k ^ mix(part+golden)) }

// draws is the key of one stream of draws.
type draws uint64

func drawKey(seed uint64, epoch int64, image, view int) draws {
	return draws(chain(chain(chain(chain(tagDraw, seed), uint64(epoch)), uint64(image)), uint64(view)))
}

func (d draws) bits(slot int) uint64 { return mix(uint64(d) + uint64(slot+1)*golden) }

// uniform is in [0, 1).
func (d draws) uniform(slot int) float64 { return float64(d.bits(slot)>>11) / (1 << 53) }

// between is uniform in [lo, hi).
func (d draws) between(slot int, lo, hi float64) float64 {
	return lo + float64(d.uniform(slot)*(hi-lo))
}

// below is uniform in 0 … n-1; its bias is below n/2^64.
func (d draws) below(slot, n int) int { return int(reduce(d.bits(slot), uint64(n))) }

// reduce maps 64 random bits to 0 … n-1.
func reduce(x, n uint64) uint64 {
	hi, _ := bits.Mul64(x, n)
	return hi
}

// exp is e^x for x ≤ 1. The standard library's differs in the last bit between processors with and without FMA,
// and a crop must not: a Taylor series on |x| ≤ 1/4, then squarings. Relative error below 1e-12.
func exp(x float64) float64 {
	if x < -700 {
		return 0
	}
	n := 0
	for ; x < -0.25 || x > 0.25; n++ {
		x /= 2
	}
	sum := 1.0
	for i := 14; i > 0; i-- {
		sum = 1 + float64(sum*x)/float64(i)
	}
	for ; n > 0; n-- {
		sum *= sum
	}
	return sum
}
