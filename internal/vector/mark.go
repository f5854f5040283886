package vector

import "math"

// Mark adds to sum what elements x, which lie at off of a vector, give to the vector's mark: a number for each place
// and each bit pattern there, added modulo 2^64. So a mark may be taken of pieces of any length, in any order, and a
// vector in which one element has changed has another one for certain. The mark of nothing is 0.
func Mark(sum uint64, off int, x []float32) uint64 {
	for i, v := range x {
		sum += scatter(uint64(off+i)<<32 | uint64(math.Float32bits(v)))
	}
	return sum
}

// scatter is the finaliser of SplitMix64: one to one, and near numbers go far apart. 0 does not stay where it is.
func scatter(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
