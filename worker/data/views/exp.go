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

// log is the x with e^x = v, for 0.01 ≤ v ≤ 100: by Newton's steps on exp, for the same reason. It is within 1e-12.
func log(v float64) float64 {
	if v > 1 {
		return -log(1 / v)
	}
	x := 0.0
	for range 16 { // the error's third power is left after each; the last ones change nothing
		e := exp(x)
		x += 2 * float64((v-e)/(v+e))
	}
	return x
}
