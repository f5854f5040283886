package page

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Map is where embeddings lie, seen along the two directions in which they differ most, each as wide as the map.
type Map struct {
	At      [][2]float64
	Class   []int // of each, −1 for none
	Classes []string
	About   string
}

// Sizes of a map, and how many classes it names.
const (
	mapSide      = 480.0
	classesNamed = 24
)

// cloud is a map, ready to be drawn.
type cloud struct {
	Side   float64
	Groups []group
	More   int // classes that the legend leaves out
}

// group is the points of a class.
type group struct {
	Name  string
	Hue   int // −1: no class
	Path  string
	Count int
	Named bool
}

// Hue is the colour of class i: neighbours differ much, however many there are.
func Hue(i int) int { return int(math.Mod(float64(i)*137.508, 360)) }

func (m *Map) cloud() *cloud {
	place, any := m.placing(mapSide)
	if !any {
		return nil
	}
	paths := map[int]*strings.Builder{}
	counts := map[int]int{}
	for i, p := range m.At {
		if !drawable(p) {
			continue
		}
		c := m.classOf(i)
		if paths[c] == nil {
			paths[c] = &strings.Builder{}
		}
		x, y := place(p)
		fmt.Fprintf(paths[c], "M%s %sh0", short(x), short(y))
		counts[c]++
	}
	out := &cloud{Side: mapSide}
	for c := -1; c < len(m.Classes); c++ {
		if paths[c] == nil {
			continue
		}
		g := group{Name: "no class", Hue: -1, Path: paths[c].String(), Count: counts[c]}
		if c >= 0 {
			g.Name, g.Hue = m.Classes[c], Hue(c)
		}
		if g.Named = len(out.Groups) < classesNamed; !g.Named {
			out.More++
		}
		out.Groups = append(out.Groups, g)
	}
	return out
}

// placing is where points lie on a square of a side; any is false where there are none.
func (m *Map) placing(side float64) (place func(p [2]float64) (x, y float64), any bool) {
	const margin = 0.03
	across, up := newSpan(), newSpan()
	for _, p := range m.At {
		if drawable(p) {
			across.add(p[0])
			up.add(p[1])
		}
	}
	at := func(v float64, s span) float64 {
		return (v - (s.low+s.high)/2) / max(s.width(), 1e-30) * (1 - 2*margin)
	}
	return func(p [2]float64) (x, y float64) {
		return side * (0.5 + at(p[0], across)), side * (0.5 - at(p[1], up))
	}, !across.empty()
}

func (m *Map) classOf(i int) int {
	if i < len(m.Class) && m.Class[i] >= 0 && m.Class[i] < len(m.Classes) {
		return m.Class[i]
	}
	return -1
}

func drawable(p [2]float64) bool { return !math.IsNaN(p[0]+p[1]) && !math.IsInf(p[0]+p[1], 0) }

// Flatten gives each row of x [n][dim] its place along the two principal directions of all of them, and how much of
// what the rows differ in these hold, 0 to 1.
func Flatten(x []float32, dim int) (at [][2]float64, share float64) {
	n := 0
	if dim > 0 {
		n = len(x) / dim
	}
	at = make([][2]float64, n)
	if n < 2 {
		return at, 0
	}
	rows := centred(x, n, dim)
	total := dot(rows, rows)
	if !(total > 0) || math.IsInf(total, 0) {
		return at, 0
	}
	var held float64
	var found [][]float64
	for k := range 2 {
		v := principal(rows, n, dim, found)
		found = append(found, v)
		for i := range n {
			at[i][k] = dot(rows[i*dim:][:dim], v)
			held += at[i][k] * at[i][k]
		}
	}
	return at, held / total
}

func centred(x []float32, n, dim int) []float64 {
	mean := make([]float64, dim)
	for i, v := range x[:n*dim] {
		mean[i%dim] += float64(v) / float64(n)
	}
	rows := make([]float64, n*dim)
	for i := range rows {
		rows[i] = float64(x[i]) - mean[i%dim]
	}
	return rows
}

// turns is how often a direction is improved. What is left over does not show on a map.
const turns = 60

// principal is the direction in which the rows differ most, at right angles to those found before, by the power method.
func principal(rows []float64, n, dim int, before [][]float64) []float64 {
	v := make([]float64, dim)
	for i := range v {
		v[i] = 1 + float64(i%7)/7 // anything that is hardly at right angles to what is sought
	}
	next := make([]float64, dim)
	for range turns {
		straighten(v, before)
		clear(next)
		for i := range n {
			row := rows[i*dim:][:dim]
			along := dot(row, v)
			for k, r := range row {
				next[k] += along * r
			}
		}
		v, next = next, v
	}
	straighten(v, before)
	if i := slices.IndexFunc(v, func(x float64) bool { return x != 0 }); i >= 0 &&
		v[i] < 0 { // one of two signs, always the same
		for k := range v {
			v[k] = -v[k]
		}
	}
	return v
}

// straighten makes v a unit at right angles to the others; zero if there is nothing left.
func straighten(v []float64, others [][]float64) {
	for _, o := range others {
		along := dot(v, o)
		for k := range v {
			v[k] -= along * o[k]
		}
	}
	length := math.Sqrt(dot(v, v))
	for k := range v {
		if length > 1e-30 {
			v[k] /= length
		} else {
			v[k] = 0
		}
	}
}

func dot(a, b []float64) (sum float64) {
	for i, x := range a {
		sum += x * b[i]
	}
	return sum
}
