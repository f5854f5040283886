package sealed_test

import (
	"errors"
	"math"
	"slices"
	"testing"

	"byol/internal/sealed"
)

// TestOpen seals and opens, and tries everything that must be refused: no refusal writes anything.
func TestOpen(t *testing.T) {
	k := sealed.Key{Magic: "kind 1", Identity: []byte("whose")}
	b := sealed.Seal(k, []uint64{7, math.MaxUint64}, []float32{1, -0.5}, nil, []float32{3})
	numbers, x, y := make([]uint64, 2), make([]float32, 2), make([]float32, 1)
	same := func(n []uint64, first, second []float32) bool {
		return slices.Equal(numbers, n) && slices.Equal(x, first) && slices.Equal(y, second)
	}
	refuse := func(what string, k sealed.Key, b []byte) {
		t.Helper()
		if err := sealed.Open(k, b, numbers, x, nil, y); !errors.Is(err, sealed.ErrOther) {
			t.Errorf("%s: error %v", what, err)
		}
		if !same([]uint64{0, 0}, []float32{0, 0}, []float32{0}) {
			t.Errorf("%s: something was written", what)
		}
	}
	for i := range b {
		damaged := slices.Clone(b)
		damaged[i] ^= 1 << (i % 8)
		refuse("a flipped bit", k, damaged)
		refuse("a part", k, b[:i])
	}
	refuse("more", k, append(slices.Clone(b), 0))
	refuse("another's", sealed.Key{Magic: k.Magic, Identity: []byte("other")}, b)
	refuse("another kind", sealed.Key{Magic: "kind 2", Identity: k.Identity}, b)
	if err := sealed.Open(k, b, numbers, x, nil, y); err != nil {
		t.Fatal(err)
	}
	if !same([]uint64{7, math.MaxUint64}, []float32{1, -0.5}, []float32{3}) {
		t.Errorf("opened %v, %v, %v", numbers, x, y)
	}
}
