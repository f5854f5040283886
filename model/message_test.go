package model

import (
	"slices"
	"testing"
)

// TestTotal: sums over shards are those of the tree, which these numbers show.
func TestTotal(t *testing.T) {
	var m message
	m.allocate(4, 4, 5)
	m.begin(3)
	for i, row := range m.part(0, 3) {
		copy(row, [][]float64{{9, 1e16, 1}, {9, 1, 1e16}, {9, -1e16, -1e16}, {9, 1, 2}}[i])
	}
	m.add()
	// 1e16+1 is 1e16, and −1e16+1 is −1e16: two by two nothing is left, from the left 1. −1e16+2 is exact.
	if want := []float64{36, 0, 2}; !slices.Equal(m.total(), want) {
		t.Errorf("totals %v, want %v", m.total(), want)
	}
}
