package linear

import "math"

// Counts is what a classifier made of a set.
type Counts struct {
	Images  int64 // with a label, and read
	Top1    int64 // of them whose label has the largest logit
	Top5    int64 // whose label is among the five largest
	Missing int64 // with a label, but they could not be read
}

// five is how many guesses count for Top5.
const five = 5

// Add counts one row. Of equal logits the class with the smaller number is first; where the own one is no number the
// row is wrong.
func (c *Counts) Add(logits []float32, label int) {
	c.Images++
	own, before := logits[label], 0
	if own != own {
		return
	}
	for j, v := range logits {
		if v > own || (v == own && j < label) || v != v {
			before++
		}
	}
	if before == 0 {
		c.Top1++
	}
	if before < five {
		c.Top5++
	}
}

// Interval is Wilson's 95 % interval of the share of Top1.
func (c Counts) Interval() (low, high float64) { return Wilson(c.Top1, c.Images) }

// Wilson is the 95 % score interval of a share that was right times of total: the shares p for which right is within
// 1.96 standard deviations of total·p. Of nothing it is [0, 1].
func Wilson(right, total int64) (low, high float64) {
	const z = 1.959963984540054
	if total == 0 {
		return 0, 1
	}
	n := float64(total)
	p := float64(right) / n
	centre, half := p+z*z/(2*n), z*math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	scale := 1 / (1 + z*z/n)
	return max((centre-half)*scale, 0), min((centre+half)*scale, 1)
}
