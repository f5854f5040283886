package views

// exp is e^x for x ≤ 1. The standard library's differs in the last bit between processors with and without FMA,
// and a crop must not: a Taylor series on |x| ≤ 1/4, then squarings. Relative error below 1e-12.
func exp(x float64) float64 {
	if x < -700 {
		return 0
	}
	n := 0
	for ; x < -0.25 || x > 0.25; n++ {
		x /= 2
	}
	sum := 1.0
	for i := 14; i > 0; i-- {
		sum = 1 + float64(sum*x)/float64(i)
	}
	for ; n > 0; n-- {
		sum *= sum
	}
	return sum
}
