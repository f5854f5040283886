// Package gradtest checks a gradient against finite differences. Layers, losses and whole networks share it.
//
// When it fails: Check reports to the test at hand, with the place, the gradient and the difference quotient.
package gradtest

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Problem is a scalar function at a point, and the gradient somebody claims it has there.
type Problem struct {
	Name     string
	X        []float64
	Gradient []float64
	Loss     func(x []float64) float64
	Places   int // how many elements are checked, evenly spread; 0: all
}

const (
	tolerance = 1e-6
	firstStep = 1e-5
	lastStep  = 2e-7
	// mostKinks is the share of places that may be skipped because a ReLU or a maximum switches within the step.
	mostKinks = 0.2
)

// Check compares central differences with the gradient, relative to the largest element of the gradient. The
// error of a quotient is about step² (curvature) plus 1e-16/step (rounding), far below the tolerance. Where a
// quotient is off, smaller steps are tried, because the first may have crossed a kink; a place where they still
// disagree lies at one and is skipped; too many of those fail.
func Check(t testing.TB, p Problem) {
	t.Helper()
	if len(p.X) != len(p.Gradient) {
		t.Fatalf("%s: %d variables, gradient of %d", p.Name, len(p.X), len(p.Gradient))
	}
	scale := 1e-3
	for _, g := range p.Gradient {
		scale = max(scale, math.Abs(g))
	}
	places := len(p.X)
	if p.Places > 0 {
		places = min(places, p.Places)
	}
	x := append([]float64(nil), p.X...)
	quotient := func(i int, h float64) float64 {
		x[i] = p.X[i] + h
		high := p.Loss(x)
		x[i] = p.X[i] - h
		low := p.Loss(x)
		x[i] = p.X[i]
		return (high - low) / (2 * h)
	}
	kinks := 0
	for k := range places {
		i := k * len(p.X) / places
		want, before := 0.0, math.Inf(1)
		for h := firstStep * max(1, math.Abs(p.X[i])); h > lastStep; h /= 5 {
			want, before = quotient(i, h), want
			if math.Abs(want-p.Gradient[i]) <= tolerance*scale {
				break
			}
		}
		switch {
		case math.Abs(want-p.Gradient[i]) <= tolerance*scale:
		case math.Abs(want-before) > tolerance*scale/5:
			kinks++
		default:
			t.Errorf("%s: element %d of %d: gradient %.9g, difference quotient %.9g, largest %.3g", p.Name, i, len(p.X),
				p.Gradient[i], want, scale)
		}
	}
	p.Loss(p.X)
	if float64(kinks) > mostKinks*float64(places) {
		t.Errorf("%s: %d of %d places lie at kinks: choose other inputs", p.Name, kinks, places)
	}
}

// Normals returns n reproducible normal numbers, as float32 would hold them.
func Normals(seed uint64, n int) []float64 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float64, n)
	for i := range x {
		x[i] = float64(float32(r.NormFloat64()))
	}
	return x
}
