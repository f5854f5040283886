package main

import (
	"math"
	"strings"
)

// curvePoints is how many points a curve has at most: when there are more, neighbours become one.
const curvePoints = 512

// curve is a number over the steps of a run. Each point is the mean of what was added of as many steps as of any other.
type curve struct {
	width  int64 // steps of a point; 0 stands for 1
	points []curvePoint
}

type curvePoint struct {
	last int64 // step
	sum  float64
	n    int64
}

func (p curvePoint) mean() float64 { return p.sum / float64(p.n) }

// add takes up what was measured at a step. One that comes after a later one takes the place of all from it on: the run
// went back. What is no number is left out, and so is a step that was added last.
func (c *curve) add(step int64, value float64) {
	if math.IsNaN(value) || math.IsInf(value, 0) || step < 0 {
		return
	}
	if n := len(c.points); n > 0 && step == c.points[n-1].last {
		return
	}
	for n := len(c.points); n > 0 && c.points[n-1].last >= step; n-- {
		c.points = c.points[:n-1]
	}
	c.put(curvePoint{last: step, sum: value, n: 1})
	for len(c.points) > curvePoints {
		all := c.points
		c.width, c.points = 2*max(1, c.width), nil
		for _, p := range all {
			c.put(p)
		}
	}
}

// put adds a point behind the last one, or to it.
func (c *curve) put(p curvePoint) {
	if n := len(c.points); n > 0 && c.part(c.points[n-1].last) == c.part(p.last) {
		q := &c.points[n-1]
		q.last, q.sum, q.n = p.last, q.sum+p.sum, q.n+p.n
		return
	}
	c.points = append(c.points, p)
}

func (c *curve) part(step int64) int64 { return (step - 1) / max(1, c.width) }

// after is c with those points of another curve behind it that are of later steps than all of its own.
func (c curve) after(other curve) curve {
	last := int64(-1)
	if n := len(c.points); n > 0 {
		last = c.points[n-1].last
	}
	for _, p := range other.points {
		if p.last > last {
			c.add(p.last, p.mean())
		}
	}
	return c
}

var sparks = []rune("▁▂▃▄▅▆▇█")

// spark draws the curve in at most so many columns: one for each point, or where there are more for as many steps
// each, between the least and the greatest that is drawn.
func (c *curve) spark(columns int) string {
	values := c.columns(columns)
	if len(values) == 0 {
		return ""
	}
	least, greatest := values[0], values[0]
	for _, v := range values {
		least, greatest = min(least, v), max(greatest, v)
	}
	var out strings.Builder
	for _, v := range values {
		at := 0
		if greatest > least {
			at = int(math.Round((v - least) / (greatest - least) * float64(len(sparks)-1)))
		}
		out.WriteRune(sparks[min(max(at, 0), len(sparks)-1)])
	}
	return out.String()
}

// columns are the values that are drawn. Where a column has no step it has the value of the one before.
func (c *curve) columns(columns int) []float64 {
	if columns < 1 || len(c.points) == 0 {
		return nil
	}
	if len(c.points) <= columns {
		values := make([]float64, 0, len(c.points))
		for _, p := range c.points {
			values = append(values, p.mean())
		}
		return values
	}
	first, last := c.points[0].last, c.points[len(c.points)-1].last
	cells := make([]curvePoint, columns)
	for _, p := range c.points {
		at := int((p.last - first) * int64(columns) / (last - first + 1))
		cells[at].sum, cells[at].n = cells[at].sum+p.sum, cells[at].n+p.n
	}
	values := make([]float64, columns)
	for i, p := range cells {
		if p.n > 0 {
			values[i] = p.mean()
		} else {
			values[i] = values[i-1] // the first column has the first point
		}
	}
	return values
}
