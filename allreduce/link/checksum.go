package link

import "encoding/binary"

// Sum is the running checksum of a payload. The zero value is that of no bytes.
//
// The payload is taken as 32-bit words w₀, w₁, …, little-endian, the last one filled up with zeros. The sum is
// Σ wⱼ·mⱼ modulo 2⁶⁴, where the weights mⱼ = (2j+1)·weight modulo 2³² are odd and all different, folded to 32 bits.
//
// Before folding, every change of one word shows, because its difference times mⱼ is less than 2⁶⁴ and not 0; so do
// any two flipped bits, because 2ⁱ·m = ±2ᵏ·m' modulo 2⁶⁴ needs m = m', and any two words that have changed places.
// Folding, and damage beyond that, leave one chance in 2³². CRC32C, which promises more about bursts, took a fifth of
// the time of a sum over TCP (docs/bench/allreduce.md).
type Sum struct {
	sum   uint64
	words uint32
}

const (
	weight     = 0x9E3779B1
	blockBytes = 32
)

// Add adds the next bytes. All calls but the last bring a multiple of 4 bytes.
func (s *Sum) Add(p []byte) {
	n := s.addBlocks(p)
	s.addWords(p[n:])
}

// addWords is what addBlocks must equal.
func (s *Sum) addWords(p []byte) {
	for len(p) >= 4 {
		s.word(binary.LittleEndian.Uint32(p))
		p = p[4:]
	}
	if len(p) > 0 {
		var rest [4]byte
		copy(rest[:], p)
		s.word(binary.LittleEndian.Uint32(rest[:]))
	}
}

func (s *Sum) word(w uint32) {
	s.sum += uint64(w) * uint64((2*s.words+1)*weight)
	s.words++
}

// Value is the checksum of all bytes so far.
func (s *Sum) Value() uint32 {
	x := s.sum // the finalizer of MurmurHash3, a bijection
	x ^= x >> 33
	x *= 0xFF51AFD7ED558CCD
	x ^= x >> 33
	x *= 0xC4CEB9FE1A85EC53
	return uint32(x ^ x>>33)
}

// Checksum is the checksum of p.
func Checksum(p []byte) uint32 {
	var s Sum
	s.Add(p)
	return s.Value()
}
