// Package optim holds the numbers that steer the optimizer: the learning rate and the averaging factor of
// each step, the published presets, and the arithmetic from epochs to steps. The update itself (LARS) is a
// kernel of model/device; which tensors it adapts is model's business.
//
// Everything here is a pure function of its operands. Nothing is owned, nothing is shared, and any number of
// goroutines may call it.
//
// When it fails: it does not. A step before the first counts as the first and one after the last as the last,
// so no schedule yields NaN. Only a batch below one, which no run configuration may contain, panics.
package optim

import "math"

// batchUnit is the batch for which base learning rates are stated; the rate grows linearly with the batch.
const batchUnit = 256

// Schedule is what changes from step to step: a learning rate that warms up linearly and falls as a cosine,
// and the target network's averaging factor τ that rises as a cosine. Steps are counted from 0.
type Schedule struct {
	BaseLR        float64 // learning rate of a batch of 256
	Batch         int     // images in one step, over all workers
	Warmup, Total int64   // steps of warm-up, steps altogether (warm-up included)
	BaseTau       float64 // τ of step 0
}

// LR returns the learning rate of a step: with s = BaseLR·Batch/256, s·step/Warmup during the warm-up, then
// s·½(1+cos(π·(step−Warmup)/(Total−Warmup))), and 0 from Total on.
func (s Schedule) LR(step int64) float64 {
	peak := s.BaseLR * float64(s.Batch) / batchUnit
	if step < s.Warmup && step < s.Total {
		return float64(max(step, 0)) / float64(s.Warmup) * peak
	}
	return peak * halfCosine(step-s.Warmup, s.Total-s.Warmup)
}

// Tau returns the averaging factor of a step: τ = 1 − (1−BaseTau)·½(1+cos(π·step/Total)), 1 from Total on.
func (s Schedule) Tau(step int64) float64 { return 1 - s.OneMinusTau(step) }

// OneMinusTau returns 1−τ to full relative precision. Near the end it is about 1e-13, of which the
// difference 1 − Tau(step) would keep three digits.
func (s Schedule) OneMinusTau(step int64) float64 {
	return float64((1 - s.BaseTau) * halfCosine(step, s.Total))
}

// halfCosine returns ½(1+cos(π·step/total)), which falls from 1 at step 0 to 0 at total. It is computed as
// sin²(½π·(total−step)/total): the same number without the cancellation of 1+cos near the end.
func halfCosine(step, total int64) float64 {
	if step >= total {
		return 0
	}
	left := float64(total-max(step, 0)) / float64(total)
	sin := math.Sin(left * math.Pi / 2)
	return sin * sin
}

// Steps returns the number of optimizer steps in a number of epochs: floor(epochs·samples/batch). The images
// left over by the floor open the next epoch, they are not dropped.
func Steps(samples int64, batch int, epochs float64) int64 {
	if batch < 1 {
		panic("optim: batch below 1")
	}
	return int64(math.Floor(epochs * float64(samples) / float64(batch)))
}
