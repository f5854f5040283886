package model

import (
	"slices"
	"testing"
)

// TestTotal: sums over shards go from the first to the last, which these numbers show.
func TestTotal(t *testing.T) {
	to := make([]float64, 2)
	total(to, []float64{
		9, 1e16, 1,
		9, 1, 1e16,
		9, -1e16, -1e16,
		9, 1, 1,
	}, 1, 3)
	// 1e16+1 is 1e16: from the left ((1e16+1)−1e16)+1 = 1 and ((1+1e16)−1e16)+1 = 1; from the right 0 and 1.
	if want := []float64{1, 1}; !slices.Equal(to, want) {
		t.Errorf("totals %v, want %v", to, want)
	}
}
