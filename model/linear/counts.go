package linear

import "math"

// Counts is what a classifier made of a set.
type Counts struct {
	Images  int64 // with a label, and read
	Top1    int64 // of them whose label has the largest logit
	Top5    int64 // whose label is among the five largest
	Missing int64 // with a label, but they could not be read
	// Classes are the counts of each class, by label, up to the largest label that was counted.
	Classes []Class
}

// Class is what a classifier made of the images of one class.
type Class struct {
	Images int64
	Top1   int64
}

// five is how many guesses count for Top5.
const five = 5

// Add counts one row. Of equal logits the class with the smaller number is first; where the own one is no number the
// row is wrong.
func (c *Counts) Add(logits []float32, label int) {
	c.Images++
	for len(c.Classes) <= label {
		c.Classes = append(c.Classes, Class{})
	}
	class := &c.Classes[label]
	class.Images++
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
		class.Top1++
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

// MeanPerClass is the mean over classes of the share that was right, of the classes that have images: what top-1 would
// be if all of these had equally many. low and high are a 95 % interval of it: classes are independent samples, and the
// variance of each is that of a share with half an image right and half a one wrong more, so that few images are not
// certain.
func MeanPerClass(classes []Class) (mean, low, high float64, of int) {
	variance := 0.0
	for _, c := range classes {
		if c.Images == 0 {
			continue
		}
		of++
		n := float64(c.Images)
		mean += float64(c.Top1) / n
		p := (float64(c.Top1) + 0.5) / (n + 1)
		variance += p * (1 - p) / (n + 1)
	}
	if of == 0 {
		return 0, 0, 1, 0
	}
	mean /= float64(of)
	half := 1.959963984540054 * math.Sqrt(variance) / float64(of)
	return mean, max(mean-half, 0), min(mean+half, 1), of
}
