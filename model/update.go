package model

import (
	"fmt"
	"math"

	"byol/model/device"
)

// normColumns is how many partial sums the norm of a gradient is added from.
const normColumns = 256

// Update applies LARS with the summed gradient of a step: ThetaNext and MomentumNext are set. It returns the
// gradient's norm, and an error if that is not finite.
func (l *Learner) Update(step int64) (norm float64, err error) {
	defer l.layers.Phase("idle")
	l.layers.Phase("update")
	norm = l.gradientNorm()
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return norm, fmt.Errorf("step %d: the gradient is not finite: lower the learning rate or check the images", step)
	}
	g, rate := l.Gradient(), l.cfg.Schedule.LR(step)
	for _, p := range l.layers.Params() {
		of := func(b device.Buffer) device.Buffer { return b.Slice(p.Off, p.Len) }
		l.dev.LARS(device.LARS{
			W: of(l.current.theta), G: of(g), M: of(l.current.momentum), W2: of(l.next.theta), M2: of(l.next.momentum),
			LR: rate, Momentum: l.cfg.Momentum, Decay: l.cfg.WeightDecay, Eta: l.cfg.Eta, Adapt: p.Adapted(),
		})
	}
	if err := l.dev.Sync(); err != nil {
		return norm, fmt.Errorf("update on %s: %w", l.dev.Name(), err)
	}
	return norm, nil
}

// UpdateTarget sets XiNext = ξ + (1−τ)(θ'−ξ), which a cluster's coordinator does instead. It covers every
// parameter.
func (l *Learner) UpdateTarget(oneMinusTau float64) {
	l.dev.EMA(l.current.xi, l.next.theta, l.next.xi, oneMinusTau)
}

// gradientNorm is the L2 norm of the summed gradient. The device's batch-norm sums do the work: the gradient
// is a matrix of normColumns columns and a rest.
func (l *Learner) gradientNorm() float64 {
	g := l.Gradient()
	rows := g.Len / normColumns
	sum := 0.0
	if rows > 0 {
		l.dev.BatchNormSums(g.Slice(0, rows*normColumns), rows, normColumns, l.squares[:2*normColumns])
		for _, x := range l.squares[normColumns : 2*normColumns] {
			sum += x
		}
	}
	if rest := g.Len - rows*normColumns; rest > 0 {
		l.dev.BatchNormSums(g.Slice(rows*normColumns, rest), 1, rest, l.squares[:2*rest])
		for _, x := range l.squares[rest : 2*rest] {
			sum += x
		}
	}
	return math.Sqrt(sum)
}
