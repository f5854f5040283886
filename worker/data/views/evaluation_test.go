package views

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"byol/worker/data/picture"
)

// follow does what e says, word by word, to a w × h picture.
func (e Evaluation) follow(pix []byte, w, h int) []float64 {
	s := max(min(w, h)*e.Part/e.Whole, 1)
	x0, y0 := (w-s+1)/2, (h-s+1)/2
	weights := make([][]float64, e.Size)
	for i := range weights {
		weights[i] = make([]float64, s)
		c := (float64(i)+0.5)*float64(s)/float64(e.Size) - 0.5
		base := math.Floor(c)
		f := c - base
		if e.Quantum > 0 {
			f = math.RoundToEven(f*float64(e.Quantum)) / float64(e.Quantum)
		}
		sum := 0.0
		for k := -1; k <= 2; k++ {
			d, a, v := math.Abs(f-float64(k)), e.Cubic, 0.0
			switch {
			case d <= 1:
				v = (a+2)*d*d*d - (a+3)*d*d + 1
			case d < 2:
				v = a*d*d*d - 5*a*d*d + 8*a*d - 4*a
			}
			if at := int(base) + k; at >= 0 && at < s {
				weights[i][at] += v
				sum += v
			}
		}
		for j := range weights[i] {
			weights[i][j] /= sum
		}
	}
	out := make([]float64, e.Size*e.Size*3)
	for i := range e.Size {
		for j := range e.Size {
			for c := range 3 {
				sum := 0.0
				for y, wy := range weights[i] {
					for x, wx := range weights[j] {
						sum += wy * wx * float64(pix[((y0+y)*w+x0+x)*3+c])
					}
				}
				v := min(max(sum/255, 0), 1)
				out[(i*e.Size+j)*3+c] = (v - float64(e.Mean[c])) / float64(e.Std[c])
			}
		}
	}
	return out
}

// TestEvaluationSaysWhatIsDone: a program that knows the numbers alone sees what the network sees.
func TestEvaluationSaysWhatIsDone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"byol", "byol-noblur", "byol,exact"}).Draw(t, "augment")
		a, err := ParseAugment(name, rapid.IntRange(1, 12).Draw(t, "size"))
		if err != nil {
			t.Fatal(err)
		}
		w, h := rapid.IntRange(1, 30).Draw(t, "w"), rapid.IntRange(1, 30).Draw(t, "h")
		m := &picture.Image{Held: picture.Rect{W: w, H: h},
			Pix: rapid.SliceOfN(rapid.Byte(), 3*w*h, 3*w*h).Draw(t, "pixels")}
		v := a.EvalView(w, h)
		got := make([]float32, a.Size*a.Size*3)
		NewRenderer(&a).Render(m, &v, got)
		for i, want := range a.Evaluation().follow(m.Pix, w, h) {
			// A fraction that lies between two quanta may be rounded to the other one: a 1/1024 of a pixel.
			if math.Abs(float64(got[i])-want) > 0.02 {
				t.Fatalf("%s, %d × %d to %d: value %d is %v, the rule gives %v", name, w, h, a.Size, i, got[i], want)
			}
		}
	})
}
