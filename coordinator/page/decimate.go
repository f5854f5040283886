package page

import "math"

// Point is a value after so many steps, and so many seconds from the beginning; NaN where these are not known.
type Point struct{ Steps, Seconds, Value float64 }

// finite reports whether the point can be drawn along an axis.
func (p Point) finite(a Axis) bool {
	x := a.of(p)
	return !math.IsNaN(x+p.Value) && !math.IsInf(x+p.Value, 0)
}

// Decimate leaves out points that nobody would see: of each of so many equal parts of the axis the first, the least,
// the greatest and the last are left, in their order. So no extreme is lost, and at most four times parts points stay.
// Points that cannot be drawn are dropped. The points ascend along the axis.
func Decimate(points []Point, a Axis, parts int) []Point {
	var drawable []Point
	for _, p := range points {
		if p.finite(a) {
			drawable = append(drawable, p)
		}
	}
	if len(drawable) <= 4*parts {
		return drawable
	}
	first, last := a.of(drawable[0]), a.of(drawable[len(drawable)-1])
	var kept []Point
	for from := 0; from < len(drawable); {
		part := partOf(a.of(drawable[from]), first, last, parts)
		to := from + 1
		for to < len(drawable) && partOf(a.of(drawable[to]), first, last, parts) == part {
			to++
		}
		kept = append(kept, ends(drawable[from:to])...)
		from = to
	}
	return kept
}

func partOf(x, first, last float64, parts int) int {
	if last <= first {
		return 0
	}
	return min(int((x-first)/(last-first)*float64(parts)), parts-1)
}

// ends are the first, the least, the greatest and the last of points, each once and in their order.
func ends(points []Point) []Point {
	least, greatest := 0, 0
	for i, p := range points {
		if p.Value < points[least].Value {
			least = i
		}
		if p.Value > points[greatest].Value {
			greatest = i
		}
	}
	low, high := min(least, greatest), max(least, greatest)
	var kept []Point
	before := -1
	for _, i := range [4]int{0, low, high, len(points) - 1} {
		if i != before {
			kept, before = append(kept, points[i]), i
		}
	}
	return kept
}

// Smooth is the mean of the last n values at each point.
func Smooth(points []Point, n int) []Point {
	out := make([]Point, 0, len(points))
	sum, known := 0.0, 0
	value := func(i int) (float64, bool) {
		v := points[i].Value
		return v, !math.IsNaN(v) && !math.IsInf(v, 0)
	}
	for i, p := range points {
		if v, ok := value(i); ok {
			sum, known = sum+v, known+1
		}
		if i >= n {
			if v, ok := value(i - n); ok {
				sum, known = sum-v, known-1
			}
		}
		if known > 0 {
			p.Value = sum / float64(known)
			out = append(out, p)
		}
	}
	return out
}
