package cpu

import (
	"testing"

	"byol/model/device"
)

// Convolutions that run in turn share the memory of their packed weights, and none computes with those of another, or
// with those it was given before.
func TestPackedWeightsAreOnesOwn(t *testing.T) {
	shapes := []device.ConvShape{
		same(3, 32, 8, 48, 3, 1), same(3, 24, 9, 40, 3, 2), same(3, 32, 8, 48, 3, 1), same(3, 20, 8, 70, 1, 2),
	}
	d := open(t, Options{Threads: 2})
	var turns []*layer
	for i, s := range shapes {
		l := newLayer(t, d, s)
		l.w = random(t, d, l.w.Len, uint64(10+i))
		l.Pack(l.w)
		turns = append(turns, l)
	}
	for round := range 2 {
		for _, l := range turns {
			l.Forward(l.x, l.y, l.s.N)
		}
		for _, l := range turns {
			l.BackwardData(l.dy, l.dx, l.s.N)
		}
		for i, l := range turns {
			alone := newLayer(t, open(t, Options{Threads: 2}), l.s)
			copy(alone.Conv.(*conv).d.Host(alone.w), d.Host(l.w))
			alone.passes(l.s.N)
			equalBits(t, "y in turn", l.y, alone.y)
			equalBits(t, "dx in turn", l.dx, alone.dx)
			l.w = random(t, d, l.w.Len, uint64(20+i+round))
			l.Pack(l.w)
		}
	}
}

// A network of many layers takes the packed weights of one.
func TestPackedWeightsTakeTheMemoryOfTheLargest(t *testing.T) {
	d := open(t, Options{Threads: 1})
	large := same(1, 256, 4, 256, 3, 1)
	held := func() int {
		if _, err := d.Conv(large); err != nil {
			t.Fatal(err)
		}
		return d.Allocated()
	}
	first := held()
	for range 8 {
		if _, err := d.Conv(same(1, 128, 4, 256, 3, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if got, filters := held()-first, 4*winoPositions*256*256; got >= filters {
		t.Errorf("nine more layers take %d bytes, the filters of one are %d", got, filters)
	}
}

func TestConvolutionWithoutWeightsPanics(t *testing.T) {
	l := newLayer(t, open(t, Options{Threads: 1}), same(1, 16, 4, 16, 3, 1))
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	l.Forward(l.x, l.y, 1)
}
