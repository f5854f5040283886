package run

import "math"

// Schedule gives the learning rate and τ of a step, k counting optimizer steps from 0.
type Schedule struct {
	BaseLR        float64
	Batch         int
	Warmup, Total int64
	BaseTau       float64
}

// LR is s·k/W for k < W, and s·½(1+cos(π·(k−W)/(K−W))) afterwards, with s = base·B/256.
func (s Schedule) LR(step int64) float64 {
	peak := s.BaseLR * float64(s.Batch) / 256
	if step < s.Warmup {
		return peak * float64(step) / float64(s.Warmup)
	}
	return peak * fall(step-s.Warmup, s.Total-s.Warmup)
}

// OneMinusTau is 1−τ = (1−τ_base)·½(1+cos(π·k/K)).
func (s Schedule) OneMinusTau(step int64) float64 {
	return (1 - s.BaseTau) * fall(step, s.Total)
}

// fall is ½(1+cos(π·k/n)), from 1 to 0, as sin²(π/2·(n−k)/n): near the end 1+cos loses all its digits.
func fall(k, n int64) float64 {
	if n <= 0 || k >= n {
		return 0
	}
	x := math.Sin(math.Pi / 2 * float64(n-k) / float64(n))
	return x * x
}
