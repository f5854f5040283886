package views

// An evaluation that is not plain looks at cropPart of cropWhole of the shorter side, as the reference's does.
const (
	cropPart  = 224
	cropWhole = 256
)

// quantum is the finest fraction of a pixel that a tap of TensorFlow's resize knows: 1/quantum.
const quantum = 1024

// Evaluation is what an evaluation does to a picture, in numbers: whoever follows them with a program of their own
// sees what the network saw. Of a picture of w × h pixels, with s = max(min(w, h)·Part/Whole rounded down, 1), it
// takes the s × s pixels whose left upper corner is ((w−s+1)/2, (h−s+1)/2), both rounded down, and resizes them to
// Size × Size: output i of Size reads around c = (i+0.5)·s/Size − 0.5 at ⌊c⌋−1 … ⌊c⌋+2 with the weights of Keys'
// cubic kernel of coefficient Cubic, whatever the scale (no antialiasing); those of pixels outside are left out and
// the others divided by their sum. The values are divided by 255, clipped to [0, 1], less Mean, divided by Std.
type Evaluation struct {
	Size        int
	Part, Whole int
	Cubic       float64
	// Quantum rounds the fraction of c to 1/Quantum, half to even; 0: it is not rounded.
	Quantum   int
	Mean, Std [3]float32 // of red, green and blue
}

// Evaluation says in numbers what EvalView and a Renderer do together.
func (a *Augment) Evaluation() Evaluation {
	e := Evaluation{Size: a.Size, Part: cropPart, Whole: cropWhole, Cubic: cubic, Mean: normMean, Std: normStd}
	if a.Plain {
		e.Part, e.Whole = 1, 1
	}
	if a.Quantise {
		e.Quantum = quantum
	}
	return e
}
