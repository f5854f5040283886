package model

import (
	"errors"
	"fmt"
	"math"
)

// ErrNotFinite says that the summed gradient of a step is not finite.
var ErrNotFinite = errors.New("the gradient is not finite: lower the learning rate or check the images")

// Update applies LARS with the summed gradient of a step: ThetaNext and MomentumNext are set. It returns the
// gradient's norm, and an error that wraps ErrNotFinite if that is not finite.
func (l *Learner) Update(step int64) (norm float64, err error) {
	defer l.begins("idle")
	l.begins("update")
	if l.inTurns() {
		if err := l.hand(l.eng.Gradient(0), l.turns.held[0]); err != nil {
			return 0, fmt.Errorf("update: %w", err)
		}
	}
	squares, err := l.eng.Update(l.current, l.next, l.cfg.Schedule.LR(step))
	if err != nil {
		return 0, fmt.Errorf("update: %w", err)
	}
	norm = math.Sqrt(squares)
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return norm, fmt.Errorf("step %d: %w", step, ErrNotFinite)
	}
	return norm, nil
}

// UpdateTarget sets XiNext = ξ + (1−τ)(θ'−ξ), which a cluster's coordinator does instead. It covers every
// parameter.
func (l *Learner) UpdateTarget(oneMinusTau float64) {
	l.eng.Average(l.next.Xi, l.next.Theta, l.current.Xi, oneMinusTau)
}
