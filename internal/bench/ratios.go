package main

import "math"

// ratios says, pair by pair, how many times as good ours is: ours/peer where more is better, peer/ours where less
// is (times). Pairs that lack a side are left out.
func ratios(ours, peer []float64, lessIsBetter bool) []float64 {
	var out []float64
	for i := range min(len(ours), len(peer)) {
		a, b := ours[i], peer[i]
		if lessIsBetter {
			a, b = b, a
		}
		if r := a / b; r > 0 && !math.IsInf(r, 0) {
			out = append(out, r)
		}
	}
	return out
}
