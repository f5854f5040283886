package admin

import (
	"math"
	"slices"
	"strconv"

	"byol/coordinator/report"
)

// curvePoints is how many points a curve has at most: when there are more, neighbours become one.
const curvePoints = 1024

// curves are what is measured at each step, however many there are: each point is the mean over as many steps as any
// other, but for the last, which has what is left. It belongs to its Board.
type curves struct {
	width  int64 // steps of a point
	points []point
	evals  []report.Evaluation
	// epoch is another number whenever points that were shown have changed, other than the last.
	epoch int64
	// version is another number whenever anything has.
	version int64
}

// point is the sum over steps. Of those that another coordinator led only some numbers are known.
type point struct {
	last       int64 // step
	steps, led int64
	loss, lr, tau,
	std, ips, probe, norm float64
}

func newCurves() *curves { return &curves{width: 1} }

// add takes up a committed step. One that was shown before takes its place and that of all later ones.
func (c *curves) add(p *report.Past) {
	c.version++
	s := &p.Step
	if n := len(c.points); n > 0 && s.Step <= c.points[n-1].last {
		c.rewind(s.Step - 1)
	}
	at := (s.Step - 1) / c.width
	if n := len(c.points); n == 0 || (c.points[n-1].last-1)/c.width != at {
		if n == curvePoints {
			c.halve()
			c.add(p)
			return
		}
		c.points = append(c.points, point{})
	}
	q := &c.points[len(c.points)-1]
	q.last, q.steps = s.Step, q.steps+1
	q.loss, q.lr, q.tau = q.loss+s.Loss, q.lr+s.LR, q.tau+s.Tau
	if !p.FromLog {
		q.led++
		q.std, q.ips, q.probe, q.norm = q.std+s.Std, q.ips+s.ImagesPerSecond, q.probe+s.ProbeTop1, q.norm+s.GradientNorm
	}
}

// halve makes one of each two points.
func (c *curves) halve() {
	c.width *= 2
	c.epoch++
	var out []point
	for _, p := range c.points {
		if n := len(out); n > 0 && (out[n-1].last-1)/c.width == (p.last-1)/c.width {
			q := &out[n-1]
			q.last, q.steps, q.led = p.last, q.steps+p.steps, q.led+p.led
			q.loss, q.lr, q.tau = q.loss+p.loss, q.lr+p.lr, q.tau+p.tau
			q.std, q.ips, q.probe, q.norm = q.std+p.std, q.ips+p.ips, q.probe+p.probe, q.norm+p.norm
			continue
		}
		out = append(out, p)
	}
	c.points = out
}

// rewind forgets the steps after step: they are run again. A point that is of both goes with them.
func (c *curves) rewind(step int64) {
	c.epoch, c.version = c.epoch+1, c.version+1
	c.points = slices.DeleteFunc(c.points, func(p point) bool { return p.last > step })
	c.evals = slices.DeleteFunc(c.evals, func(e report.Evaluation) bool { return e.Step > step })
}

func (c *curves) evaluated(e report.Evaluation) {
	if e.Error == "" {
		c.version++
		c.evals = append(c.evals, e)
		if len(c.evals) > curvePoints {
			c.evals = slices.Delete(c.evals, 0, len(c.evals)-curvePoints)
		}
	}
}

// figureDigits is more than anybody sees of a curve.
const figureDigits = 7

// figure is a number for the page, which JSON may not have: null for one that is not known or not finite.
type figure float64

// MarshalJSON implements json.Marshaler.
func (f figure) MarshalJSON() ([]byte, error) {
	x := float64(f)
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, x, 'g', figureDigits, 64), nil
}

// columns are points as the page's charts take them, from the point of number From on. Whoever has points of another
// epoch has none.
type columns struct {
	Epoch int64    `json:"epoch"`
	From  int      `json:"from"`
	Step  []int64  `json:"step"`
	Loss  []figure `json:"loss"`
	Std   []figure `json:"std"`
	LR    []figure `json:"lr"`
	Tau   []figure `json:"tau"`
	IPS   []figure `json:"ips"`
	Probe []figure `json:"probe"`
	// KNN are evaluations: all of them, as they are few.
	KNN []evaluated `json:"evaluations"`
}

// evaluated is one evaluation.
type evaluated struct {
	Step     int64             `json:"step"`
	Measures map[string]figure `json:"measures"`
}

// since are the points from the one of number from on.
func (c *curves) since(from int) columns {
	out := columns{Epoch: c.epoch, From: from, Step: []int64{}}
	for _, p := range c.points[min(from, len(c.points)):] {
		n, led := float64(p.steps), float64(p.led) // nothing is known of 0 steps: 0/0 is no number
		out.Step = append(out.Step, p.last)
		out.Loss = append(out.Loss, figure(p.loss/n))
		out.LR = append(out.LR, figure(p.lr/n))
		out.Tau = append(out.Tau, figure(p.tau/n))
		out.Std = append(out.Std, figure(p.std/led))
		out.IPS = append(out.IPS, figure(p.ips/led))
		out.Probe = append(out.Probe, figure(p.probe/led))
	}
	for _, e := range c.evals {
		v := evaluated{Step: e.Step, Measures: map[string]figure{}}
		for _, m := range e.Measures {
			v.Measures[m.Name] = figure(m.Ratio)
		}
		out.KNN = append(out.KNN, v)
	}
	return out
}
