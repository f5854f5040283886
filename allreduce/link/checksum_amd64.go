package link

import syscpu "golang.org/x/sys/cpu"

// addBlocks adds the whole blocks of p and returns how many bytes that were.
func (s *Sum) addBlocks(p []byte) int {
	n := len(p) &^ (blockBytes - 1)
	if n == 0 || !syscpu.X86.HasAVX2 {
		return 0
	}
	var first [8]uint32
	for i := range first {
		first[i] = (2*(s.words+uint32(i)) + 1) * weight
	}
	s.sum += weighAVX2(&p[0], n, &first)
	s.words += uint32(n / 4)
	return n
}

// weighAVX2 is the sum of the words of n bytes, a multiple of 32 and not 0, times weights that begin with first.
//
//go:noescape
func weighAVX2(p *byte, n int, first *[8]uint32) uint64
