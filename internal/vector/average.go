package vector

// Average sets next = current + rate·(theta−current), element by element, with every operation rounded to float32: who
// computes ξ' gets the same bits on every build. next may be current. The vectors are of one length.
func Average(next, current, theta []float32, rate float32) {
	current, theta = current[:len(next)], theta[:len(next)]
	for i := range next {
		d := theta[i] - current[i]
		next[i] = current[i] + float32(rate*d)
	}
}
