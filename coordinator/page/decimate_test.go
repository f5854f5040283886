package page

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestDecimate: what is left is some of the points in their order, few enough, with the ends and every extreme, also of
// each part of the axis.
func TestDecimate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.IntRange(1, 20).Draw(t, "parts")
		axis := rapid.SampledFrom([]Axis{BySteps, ByTime}).Draw(t, "axis")
		value := rapid.OneOf(rapid.Float64Range(-10, 10), rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), 3}))
		n := rapid.IntRange(0, 400).Draw(t, "n")
		var points, good []Point
		at := 0.0
		for range n {
			at += rapid.Float64Range(0, 3).Draw(t, "step")
			p := Point{Steps: at, Seconds: 2 * at, Value: value.Draw(t, "value")}
			points = append(points, p)
			if !math.IsNaN(p.Value) && !math.IsInf(p.Value, 0) {
				good = append(good, p)
			}
		}
		kept := Decimate(points, axis, parts)
		if len(kept) > 4*parts && len(kept) > 4*parts+len(good)/(4*parts) || len(kept) > len(good) {
			t.Fatalf("%d of %d points are left, in %d parts", len(kept), len(good), parts)
		}
		next := 0
		for _, p := range kept {
			i := slices.Index(good[next:], p)
			if i < 0 {
				t.Fatalf("%+v is none of the points behind the last one", p)
			}
			next += i + 1
		}
		if len(good) == 0 {
			return
		}
		if kept[0] != good[0] || kept[len(kept)-1] != good[len(good)-1] {
			t.Errorf("the ends are gone")
		}
		checkExtremes(t, good, kept, axis, parts)
	})
}

// checkExtremes compares the least and the greatest values of each part, found the slow way.
func checkExtremes(t *rapid.T, good, kept []Point, axis Axis, parts int) {
	first, last := axis.of(good[0]), axis.of(good[len(good)-1])
	for part := range parts {
		in := func(points []Point) (low, high float64) {
			low, high = math.Inf(1), math.Inf(-1)
			for _, p := range points {
				if partOf(axis.of(p), first, last, parts) == part {
					low, high = min(low, p.Value), max(high, p.Value)
				}
			}
			return low, high
		}
		low, high := in(good)
		if l, h := in(kept); l != low || h != high {
			t.Errorf("part %d goes from %v to %v, of the points that are left from %v to %v", part, low, high, l, h)
		}
	}
}

// TestSmooth against the definition.
func TestSmooth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 9).Draw(t, "n")
		values := rapid.SliceOf(rapid.OneOf(rapid.Float64Range(0, 8), rapid.Just(math.NaN()))).Draw(t, "values")
		var points, want []Point
		for i, v := range values {
			points = append(points, Point{Steps: float64(i), Value: v})
		}
		for i := range points {
			sum, known := 0.0, 0
			for _, p := range points[max(0, i-n+1) : i+1] {
				if !math.IsNaN(p.Value) {
					sum, known = sum+p.Value, known+1
				}
			}
			if known > 0 {
				want = append(want, Point{Steps: float64(i), Value: sum / float64(known)})
			}
		}
		got := Smooth(points, n)
		if len(got) != len(want) {
			t.Fatalf("%d points, want %d", len(got), len(want))
		}
		for i := range got {
			if got[i].Steps != want[i].Steps || math.Abs(got[i].Value-want[i].Value) > 1e-9 {
				t.Errorf("point %d is %+v, want %+v", i, got[i], want[i])
			}
		}
	})
}

// TestTicks: numbers on axes are round, ascend, lie within, and are neither one nor many.
func TestTicks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		low := rapid.Float64Range(-1e6, 1e6).Draw(t, "low")
		high := low + rapid.Float64Range(1e-3, 1e6).Draw(t, "width")
		for _, list := range [][]float64{ticks(low, high, 6), timeTicks(max(low, 0), max(low, 0)+high-low, 6)} {
			if !slices.IsSorted(list) || len(list) > 8 {
				t.Errorf("from %v to %v: %v", low, high, list)
			}
		}
		if list := ticks(low, high, 6); len(list) < 2 || list[0] < low || list[len(list)-1] > high+1e-6 {
			t.Errorf("from %v to %v: %v", low, high, list)
		}
	})
	for v, want := range map[float64]string{0: "0", 1234567: "1 234 567", -1000: "-1 000", 0.5: "0.5"} {
		if got := grouped(v); got != want {
			t.Errorf("grouped(%v) = %q, want %q", v, got, want)
		}
	}
	for v, want := range map[float64]string{5: "5s", 65: "1:05", 3725: "1h02", 90000: "1d01h"} {
		if got := clockWord(v); got != want {
			t.Errorf("clockWord(%v) = %q, want %q", v, got, want)
		}
	}
}

// TestFlatten finds the two directions along which points were spread, and how much they hold.
func TestFlatten(t *testing.T) {
	const n, dim = 400, 12
	x := make([]float32, n*dim)
	for i := range n {
		a, b := math.Sin(float64(i)), math.Cos(1.7*float64(i))
		for k := range dim {
			x[i*dim+k] = float32(7 + 5*a*float64(k%3-1) + 2*b*float64(k%2*2-1) + 0.01*math.Sin(float64(i*k)))
		}
	}
	at, share := Flatten(x, dim)
	if len(at) != n || share < 0.999 {
		t.Errorf("%d points, which hold %v", len(at), share)
	}
	var along, across, both float64
	for _, p := range at {
		along, across, both = along+p[0]*p[0], across+p[1]*p[1], both+p[0]*p[1]
	}
	if along < across || math.Abs(both) > 1e-3*along {
		t.Errorf("squares %v and %v, product %v: not the principal directions", along, across, both)
	}
	for _, c := range []struct {
		x   []float32
		dim int
	}{{nil, 4}, {nil, 0}, {make([]float32, 4), 4}, {make([]float32, 40), 4}} {
		if at, share := Flatten(c.x, c.dim); share != 0 || c.dim > 0 && len(at) != len(c.x)/c.dim {
			t.Errorf("of %d zeros: %v, %v", len(c.x), at, share)
		}
	}
}

// TestMarks: many marks at one place are one that counts them, bad ones come first, and those outside are not shown.
func TestMarks(t *testing.T) {
	c := Chart{Series: []Series{{Name: "x", Points: []Point{{0, 0, 1}, {100, 200, 2}}, Faint: true}, {Name: "y"},
		{Name: "z"}}}
	var marks []Mark
	for i := range 500 {
		marks = append(marks, Mark{At: Point{Steps: 50, Seconds: 100}, Text: "plain"},
			Mark{At: Point{Steps: 10 + float64(i)/1e4, Seconds: math.NaN()}, Text: "bad", Bad: true})
	}
	marks = append(marks, Mark{At: Point{Steps: 101, Seconds: -1}, Text: "outside"})
	p := c.Plot(BySteps, marks)
	if len(p.Marks) != 2 || !p.Marks[0].Bad || p.Marks[0].Title != "bad (and 499 more about then)" ||
		p.Marks[1].Title != "plain (and 499 more about then)" {
		t.Errorf("%+v", p.Marks)
	}
	if p := c.Plot(ByTime, marks); len(p.Marks) != 1 || p.Marks[0].Bad {
		t.Errorf("by time: %+v", p.Marks)
	}
	if c.Number(0) != 0 || c.Number(1) != 0 || c.Number(2) != 1 {
		t.Errorf("colours %d %d %d, want 0 0 1", c.Number(0), c.Number(1), c.Number(2))
	}
}
