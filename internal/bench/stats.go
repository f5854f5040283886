package main

import (
	"math"
	"slices"
)

// summary of a sample: its median and range.
type summary struct{ median, low, high float64 }

// summarise returns the summary of x; of an empty one, NaNs.
func summarise(x []float64) summary {
	if len(x) == 0 {
		return summary{math.NaN(), math.NaN(), math.NaN()}
	}
	s := slices.Sorted(slices.Values(x))
	return summary{median: (s[(len(s)-1)/2] + s[len(s)/2]) / 2, low: s[0], high: s[len(s)-1]}
}

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
