package engine

import "math"

// Epsilon is added to the variance of a batch norm.
const Epsilon = 1e-5

// Moments turns [Σx, Σx²] of n values of each channel, in place, into the mean and the unbiased variance, and sets
// mean and inverse, 1/sqrt(variance+Epsilon) of the biased variance Σx²/n − mean². The square is rounded before it is
// subtracted.
func Moments(n float64, sums, mean, inverse []float64) {
	c := len(mean)
	unbiased := n / max(n-1, 1)
	for j := range c {
		m := sums[j] / n
		v := max(sums[c+j]/n-float64(m*m), 0)
		mean[j], inverse[j] = m, 1/math.Sqrt(v+Epsilon)
		sums[j], sums[c+j] = m, v*unbiased
	}
}

// Running sets mean and inverse from running statistics.
func Running(means, variances []float32, mean, inverse []float64) {
	for j := range mean {
		mean[j] = float64(means[j])
		inverse[j] = 1 / math.Sqrt(float64(variances[j])+Epsilon)
	}
}
