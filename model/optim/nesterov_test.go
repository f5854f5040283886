package optim_test

import (
	"slices"
	"testing"

	"byol/model/optim"
)

// TestNesterov follows two steps by hand.
func TestNesterov(t *testing.T) {
	w, v := []float32{1, -2}, []float32{0, 0}
	g := []float32{0.5, 1}
	optim.Nesterov(w, v, g, 0.5, 0.5) // v = g; w −= 0.5·1.5·g
	if want := []float32{0.625, -2.75}; !slices.Equal(w, want) || !slices.Equal(v, g) {
		t.Errorf("after one step w = %v, v = %v, want %v and %v", w, v, want, g)
	}
	optim.Nesterov(w, v, g, 0.5, 0.5) // v = 1.5·g; w −= 0.5·1.75·g
	if want := []float32{0.1875, -3.625}; !slices.Equal(w, want) {
		t.Errorf("after two steps w = %v, want %v", w, want)
	}
}
