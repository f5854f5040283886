package page

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Axis is what a chart is drawn along.
type Axis string

// The axes.
const (
	BySteps Axis = "step"
	ByTime  Axis = "time"
)

func (a Axis) of(p Point) float64 {
	if a == ByTime {
		return p.Seconds
	}
	return p.Steps
}

// Chart is curves over the steps of a run.
type Chart struct {
	Title   string
	Percent bool // values are shares, and shown as per cent
	Series  []Series
	Lines   []Line
	// Zero has the vertical axis begin at 0.
	Zero bool
}

// Number is that of the colour of a series: a faint one has that of the next, whose ground it is.
func (c *Chart) Number(i int) (n int) {
	for _, s := range c.Series[:i] {
		if !s.Faint {
			n++
		}
	}
	return n
}

// Series is a curve. One of few points shows each of them.
type Series struct {
	Name   string
	Points []Point
	Faint  bool // it is the ground of the next
}

// Line is a value to compare with.
type Line struct {
	Name  string
	Value float64
}

// Mark is when something happened.
type Mark struct {
	At   Point
	Text string
	Bad  bool
}

func (c *Chart) timed() bool {
	for _, s := range c.Series {
		for _, p := range s.Points {
			if p.finite(ByTime) {
				return true
			}
		}
	}
	return false
}

// Sizes of a plot, in its own units.
const (
	plotWidth, plotHeight = 480.0, 230.0
	left, right           = 52.0, 10.0
	top, bottom           = 10.0, 24.0
	parts                 = 360 // of the axis that are told apart
	dotsAtMost            = 60  // of a curve whose points are shown
	marksAtMost           = 80
)

// Plot is a chart along one axis, ready to be drawn: everything is where it belongs.
type Plot struct {
	Axis           Axis
	Width, Height  float64
	Left, Right    float64
	Top, Bottom    float64
	X, Y           []Tick
	Curves         []Curve
	Lines          []HLine
	Marks          []VMark
	AxisName, Name string
	Empty          bool
}

// Tick is a number on an axis. Anchor is which part of the label stands there, in SVG's words.
type Tick struct {
	At            float64
	Label, Anchor string
}

// tickX is a number along a plot, whose label stays within it.
func (p *Plot) tickX(at float64, label string) {
	t := Tick{At: at, Label: label, Anchor: "middle"}
	if half := 3.4 * float64(len(label)); at+half > p.Width {
		t.Anchor = "end"
	}
	p.X = append(p.X, t)
}

// Curve is where a series goes.
type Curve struct {
	Number int // of its colour
	Faint  bool
	At     [][2]float64
	Dots   []Dot
}

// Path is the curve in SVG's words.
func (c Curve) Path() string {
	var b strings.Builder
	for i, p := range c.At {
		if i == 0 {
			b.WriteByte('M')
		} else {
			b.WriteByte(' ')
		}
		b.WriteString(short(p[0]))
		b.WriteByte(' ')
		b.WriteString(short(p[1]))
	}
	return b.String()
}

// tenth is as exact as anybody sees.
func tenth(x float64) float64 { return math.Round(x*10) / 10 }

func short(x float64) string { return strconv.FormatFloat(tenth(x), 'f', -1, 64) }

// Dot is a point that says what it is.
type Dot struct {
	X, Y  float64
	Title string
}

// HLine is a value to compare with, VMark a moment.
type (
	HLine struct {
		Y, X         float64 // X is where its name stands
		Anchor, Name string
	}
	VMark struct {
		X     float64
		Title string
		Bad   bool
		more  int
	}
)

// Plot places everything of a chart along an axis.
func (c *Chart) Plot(a Axis, marks []Mark) Plot {
	p := Plot{Axis: a, Width: plotWidth, Height: plotHeight, Left: left, Right: plotWidth - right, Top: top,
		Bottom: plotHeight - bottom, Name: c.Title, AxisName: "step"}
	x, y := c.ranges(a)
	if x.empty() {
		p.Empty = true
		return p
	}
	if c.Zero {
		y.add(0)
	}
	y.widen()
	xAt := func(v float64) float64 { return tenth(p.Left + (v-x.low)/x.width()*(p.Right-p.Left)) }
	yAt := func(v float64) float64 { return tenth(p.Bottom - (v-y.low)/y.width()*(p.Bottom-p.Top)) }
	for i, s := range c.Series {
		p.Curves = append(p.Curves, c.curve(c.Number(i), s, a, xAt, yAt))
	}
	for i, l := range c.Lines {
		if v := l.Value; v >= y.low && v <= y.high {
			h := HLine{Y: yAt(v), X: p.Right, Anchor: "end", Name: l.Name}
			if i%2 == 1 { // so that those of two lines close to each other can be read
				h.X, h.Anchor = p.Left+4, "start"
			}
			p.Lines = append(p.Lines, h)
		}
	}
	p.Marks = placed(marks, a, x, xAt)
	for _, v := range ticks(y.low, y.high, 5) {
		p.Y = append(p.Y, Tick{yAt(v), c.word(v, y.width()), "end"})
	}
	if a == ByTime {
		p.AxisName = "time since the beginning"
		for _, v := range timeTicks(x.low, x.high, 6) {
			p.tickX(xAt(v), clockWord(v))
		}
		return p
	}
	for _, v := range ticks(x.low, x.high, 6) {
		p.tickX(xAt(v), grouped(v))
	}
	return p
}

// ranges are the values that a chart has along an axis, and across.
func (c *Chart) ranges(a Axis) (x, y span) {
	x, y = newSpan(), newSpan()
	for _, s := range c.Series {
		for _, p := range s.Points {
			if p.finite(a) {
				x.add(a.of(p))
				y.add(p.Value)
			}
		}
	}
	for _, l := range c.Lines {
		if !math.IsNaN(l.Value) && !math.IsInf(l.Value, 0) {
			y.add(l.Value)
		}
	}
	if x.low == x.high {
		x.add(x.low + 1)
	}
	return x, y
}

func (c *Chart) curve(number int, s Series, a Axis, xAt, yAt func(float64) float64) Curve {
	out := Curve{Number: number, Faint: s.Faint}
	kept := Decimate(s.Points, a, parts)
	for _, q := range kept {
		at := [2]float64{xAt(a.of(q)), yAt(q.Value)}
		out.At = append(out.At, at)
		if len(kept) <= dotsAtMost && !s.Faint {
			title := fmt.Sprintf("%s %s at step %s", s.Name, c.word(q.Value, 0), grouped(q.Steps))
			out.Dots = append(out.Dots, Dot{at[0], at[1], title})
		}
	}
	return out
}

// apart is how far marks are from each other at least: of those that are nearer the first is shown, and says so.
const apart = 2.

// placed are the marks that lie on the axis: those that are bad first, where there are too many.
func placed(marks []Mark, a Axis, x span, xAt func(float64) float64) []VMark {
	var out []VMark
	for _, bad := range []bool{true, false} {
		for _, m := range marks {
			at := a.of(m.At)
			if m.Bad != bad || !(at >= x.low && at <= x.high) {
				continue
			}
			v := VMark{X: xAt(at), Title: m.Text, Bad: m.Bad}
			if i := slices.IndexFunc(out, func(o VMark) bool { return math.Abs(o.X-v.X) < apart }); i >= 0 {
				out[i].more++
			} else if len(out) < marksAtMost {
				out = append(out, v)
			}
		}
	}
	for i, v := range out {
		if v.more > 0 {
			out[i].Title += fmt.Sprintf(" (and %d more about then)", v.more)
		}
	}
	return out
}

// word is a value as the chart shows it; step is how far values are apart, 0: as precisely as people read.
func (c *Chart) word(v, step float64) string {
	if c.Percent {
		if step > 0.1 {
			return strconv.FormatFloat(100*v, 'f', 0, 64) + " %"
		}
		return strconv.FormatFloat(100*v, 'f', 1, 64) + " %"
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// span is a range of numbers.
type span struct{ low, high float64 }

func newSpan() span { return span{math.Inf(1), math.Inf(-1)} }

func (s *span) add(v float64) { s.low, s.high = min(s.low, v), max(s.high, v) }
func (s span) empty() bool    { return s.low > s.high }
func (s span) width() float64 { return s.high - s.low }

// widen gives a range a margin, and one of a single number a width.
func (s *span) widen() {
	margin := 0.04 * s.width()
	if margin == 0 {
		margin = max(math.Abs(s.low)*0.05, 1e-6)
	}
	if s.low < 0 || s.low >= margin { // what is not negative is not shown below 0
		s.low -= margin
	}
	s.high += margin
}

// ticks are about n round numbers from low to high.
func ticks(low, high float64, n int) []float64 {
	if !(high > low) {
		return []float64{low}
	}
	step := math.Pow(10, math.Floor(math.Log10((high-low)/float64(n))))
	for _, f := range []float64{1, 2, 5, 10} {
		if (high-low)/(f*step) <= float64(n) {
			return multiples(low, high, f*step)
		}
	}
	return multiples(low, high, 10*step)
}

func multiples(low, high, step float64) []float64 {
	var out []float64
	for i := math.Ceil(low / step); i*step <= high*(1+1e-12) && len(out) < 32; i++ {
		out = append(out, i*step)
	}
	return out
}

// timeTicks are about n round times, in seconds.
func timeTicks(low, high float64, n int) []float64 {
	for _, step := range []float64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200,
		86400, 172800, 432000, 864000} {
		if (high-low)/step <= float64(n) {
			return multiples(low, high, step)
		}
	}
	return multiples(low, high, (high-low)/float64(n))
}

// clockWord is a time since the beginning, with its two largest units.
func clockWord(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second)).Round(time.Second)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d:%02d", d/time.Minute, d%time.Minute/time.Second)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02d", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%02dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}

// grouped is a count with its thousands apart.
func grouped(v float64) string {
	text := strconv.FormatFloat(math.Abs(v), 'f', -1, 64)
	whole, rest, found := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + " " + whole[i:]
	}
	if found {
		whole += "." + rest
	}
	if v < 0 {
		return "-" + whole
	}
	return whole
}
