package engine

import (
	"math"
	"slices"
	"testing"
)

func TestFileOrder(t *testing.T) {
	p := &Param{Name: "conv", Shape: []int{2, 3, 2, 2}, Span: Span{Len: 24}}
	device := make([]float32, 24) // [out][height][width][in]
	want := make([]float32, 24)   // [out][in][height][width]
	for o := range 2 {
		for y := range 2 {
			for x := range 2 {
				for i := range 3 {
					v := float32(1000*o + 100*i + 10*y + x)
					device[((o*2+y)*2+x)*3+i] = v
					want[((o*3+i)*2+y)*2+x] = v
				}
			}
		}
	}
	got, back := make([]float32, 24), make([]float32, 24)
	p.ToFile(got, device)
	p.FromFile(back, got)
	if !slices.Equal(got, want) || !slices.Equal(back, device) {
		t.Errorf("device %v: to file %v, want %v; back %v", device, got, want, back)
	}
}

func TestDraw(t *testing.T) {
	p := &Param{Name: "encoder.layer1.0.conv1.weight", Kind: Weight, Shape: []int{64, 16, 3, 3},
		Span: Span{Len: 64 * 144}}
	draw := func(seed uint64, role string) []float32 {
		x := make([]float32, p.Len)
		p.Draw(x, seed, role)
		return x
	}
	x := draw(1, "online")
	sigma := 1 / math.Sqrt(144)
	sum, squares, largest := 0.0, 0.0, 0.0
	for _, v := range x {
		sum += float64(v)
		squares += float64(v) * float64(v)
		largest = max(largest, math.Abs(float64(v)))
	}
	n := float64(p.Len)
	// A normal cut at 2σ has deviation 0.8796σ; the bounds are five standard errors.
	if mean, std := sum/n, math.Sqrt(squares/n); math.Abs(mean) > 5*sigma/math.Sqrt(n) ||
		math.Abs(std/sigma-0.8796) > 5*0.6/math.Sqrt(n) || largest > 2*sigma*(1+1e-7) || largest < 1.9*sigma {
		t.Errorf("mean %g, std %gσ, largest %gσ; want 0, 0.8796, just below 2", mean, std/sigma, largest/sigma)
	}
	if !slices.Equal(x, draw(1, "online")) {
		t.Error("two draws with the same seed, role and name differ")
	}
	if slices.Equal(x, draw(2, "online")) || slices.Equal(x, draw(1, "target")) {
		t.Error("another seed or role gives the same draw")
	}
	// The first numbers are part of the contract: a run is reproducible from its seed.
	if want := []float32{-0.041524444, -0.10258432, 0.098058924}; !slices.Equal(x[:3], want) {
		t.Errorf("first numbers %v, want %v", x[:3], want)
	}
	for _, c := range []struct {
		kind Kind
		zero bool
		want float32
	}{{Bias, false, 0}, {Beta, false, 0}, {Gamma, false, 1}, {Gamma, true, 0}} {
		q, y := &Param{Kind: c.kind, Zero: c.zero, Shape: []int{3}, Span: Span{Len: 3}}, []float32{9, 9, 9}
		q.Draw(y, 1, "online")
		if !slices.Equal(y, []float32{c.want, c.want, c.want}) {
			t.Errorf("kind %d, zero %v: drew %v, want %g", c.kind, c.zero, y, c.want)
		}
	}
}

func TestOutSize(t *testing.T) {
	for _, c := range []struct {
		size, kernel, stride int
		padding              string
		out, pad             int
	}{
		{224, 7, 2, "symmetric", 112, 3}, {224, 7, 2, "same", 112, 2},
		{112, 3, 2, "symmetric", 56, 1}, {112, 3, 2, "same", 56, 0},
		{56, 3, 1, "symmetric", 56, 1}, {56, 3, 1, "same", 56, 1},
		{56, 1, 2, "symmetric", 28, 0}, {56, 1, 2, "same", 28, 0},
		{5, 3, 2, "symmetric", 3, 1}, {5, 3, 2, "same", 3, 1},
		{1, 3, 2, "symmetric", 1, 1}, {1, 3, 1, "same", 1, 1},
		{32, 3, 1, "symmetric", 32, 1},
	} {
		d := describer{n: Network{Padding: c.padding}}
		if out, pad := d.outSize(c.size, c.kernel, c.stride); out != c.out || pad != c.pad {
			t.Errorf("%+v: %d outputs, padding %d", c, out, pad)
		}
	}
}
