package views

import (
	"fmt"
	"math"

	"byol/worker/data/picture"
)

// tap is one output's four inputs along an axis: at[k] with weight w[k]. Inputs outside have weight 0 and a
// valid at.
type tap struct {
	at [4]int32
	w  [4]float32
}

// cubic is the coefficient of the kernel of Keys.
const cubic = -0.5

// keys is the cubic kernel of Keys.
func keys(d float64) float64 {
	const a = cubic
	switch d = math.Abs(d); {
	case d <= 1:
		return ((a+2)*d-(a+3))*d*d + 1
	case d < 2:
		return ((a*d-5*a)*d+8*a)*d - 4*a
	}
	return 0
}

// makeTap is bicubic without antialiasing as TensorFlow 2 has it: half-pixel centres, taps at floor-1 …
// floor+2, the weight of those outside shared among the others. With quantise the fraction is rounded to
// 1/1024.
func makeTap(out, in, size int, quantise bool) tap {
	// In float32, as there; one rounded operation at a time.
	scale := float32(in) / float32(size)
	c := float64(float32((float32(out)+0.5)*scale) - 0.5)
	if !quantise {
		c = (float64(out)+0.5)*float64(in)/float64(size) - 0.5
	}
	base := math.Floor(c)
	f := c - base
	if quantise {
		f = math.RoundToEven(f*quantum) / quantum
	}
	var t tap
	var w [4]float64
	sum := 0.0
	for k := range w {
		at := int(base) - 1 + k
		if at >= 0 && at < in {
			w[k] = keys(f + 1 - float64(k))
			sum += w[k]
		}
		t.at[k] = int32(min(max(at, 0), in-1))
	}
	for k := range w {
		t.w[k] = float32(w[k] / sum)
	}
	return t
}

// keptSide is the size up to which taps are kept.
const keptSide = 64

// taps gives all taps from in pixels to the view's size if they are kept, as those between small sizes are: images of
// one small size have few sizes of crops. Nil: they are not.
func (r *Renderer) taps(in int) []tap {
	if r.size > keptSide || in > keptSide {
		return nil
	}
	if r.kept[in] == nil {
		r.kept[in] = make([]tap, r.size)
		for i := range r.kept[in] {
			r.kept[in][i] = makeTap(i, in, r.size, r.quantise)
		}
	}
	return r.kept[in]
}

// tap is number i of the taps, or made anew where they are not kept.
func (r *Renderer) tap(kept []tap, i, in int) tap {
	if kept != nil {
		return kept[i]
	}
	return makeTap(i, in, r.size, r.quantise)
}

// resize fills the planes with the crop at the view's size, in [0, 1], mirrored if flip: blend four rows, then four
// columns, for one row of output after another, so that only the crop is read and little is stored.
func (r *Renderer) resize(m *picture.Image, crop picture.Rect, flip bool) {
	if crop.W <= 0 || crop.H <= 0 || !m.Held.Contains(crop) {
		panic(fmt.Sprintf("views: crop %v of an image that holds %v", crop, m.Held))
	}
	n := crop.W * 3
	if cap(r.row) < n+1 {
		r.row = make([]float32, n+1) // the last pixel may be read as four floats
	}
	row := r.row[:n]
	across, down := r.taps(crop.W), r.taps(crop.H)
	for x := range r.across {
		t := r.tap(across, x, crop.W)
		for k := range t.at {
			t.at[k] *= 3
		}
		if flip {
			r.across[r.size-1-x] = t
		} else {
			r.across[x] = t
		}
	}
	stride := m.Held.W * 3
	first := (crop.Y-m.Held.Y)*stride + (crop.X-m.Held.X)*3
	for y := 0; y < r.size; y++ {
		t := r.tap(down, y, crop.H)
		for k, at := range t.at {
			r.rows[k] = m.Pix[first+int(at)*stride:][:n]
			r.weights[k] = t.w[k] * (1.0 / 255)
		}
		r.k.blendRows(row, &r.rows, &r.weights)
		o := y * r.size
		r.k.blendColumns(r.plane[0][o:o+r.size], r.plane[1][o:o+r.size], r.plane[2][o:o+r.size], row, r.across)
	}
}
