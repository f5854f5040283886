// Package views makes what a network sees of a decoded picture: BYOL's augmentations T and T' (Augment draws them, a
// Renderer applies them) and the plain centre that evaluation looks at. Everything random about a view follows from its
// Identity, and the kernels give the same bits with vectors and without.
//
// A Renderer owns its memory and belongs to one goroutine; the rest are values.
//
// # When it fails
//
// ParseAugment gives a *failure.Failure. Drawing and rendering cannot fail: a crop outside the picture, or an output
// of another size, is a bug and panics.
package views

import (
	"fmt"
	"image"
	"strings"

	"byol/worker/data/picture"
)

// The statistics of ImageNet, which views are normalised with.
var (
	normMean = [3]float32{0.485, 0.456, 0.406}
	normStd  = [3]float32{0.229, 0.224, 0.225}
)

// Renderer applies views to images. It owns the memory for it, so that after the first few images it allocates
// nothing; use one per goroutine.
type Renderer struct {
	k        *kernels
	size     int
	quantise bool
	plane    [3][]float32 // red, green, blue in [0, 1], size × size each
	across   []tap
	kept     [keptSide + 1][]tap // by size of a crop's side
	row      []float32           // one row of the crop, blended vertically
	line     []float32           // a row between zeros, for the blur
	spare    []float32           // a plane
	kernel   []float32
	rows     [4][]byte // what the kernels are given by address: on the stack it would be allocated anew each time
	weights  [4]float32
	sums     [8]float64
	shift    [3]float32
	scale    [3]float32
}

// NewRenderer makes a Renderer for a pipeline's views.
func NewRenderer(a *Augment) *Renderer {
	n := a.Size * a.Size
	all := make([]float32, 4*n)
	return &Renderer{
		k: best(), size: a.Size, quantise: a.Quantise, across: make([]tap, a.Size), spare: all[3*n:],
		shift: normMean, scale: [3]float32{1 / normStd[0], 1 / normStd[1], 1 / normStd[2]},
		plane: [3][]float32{all[:n:n], all[n : 2*n : 2*n], all[2*n : 3*n : 3*n]},
	}
}

// Render writes view v of an image to out: size × size × 3 floats, normalised, channels last. The image must
// hold the view's crop.
func (r *Renderer) Render(m *picture.Image, v *View, out []float32) {
	if len(out) != 3*r.size*r.size {
		panic(fmt.Sprintf("views: render %d floats into %d", 3*r.size*r.size, len(out)))
	}
	r.resize(m, v.Crop, v.Flip)
	if v.Jitter {
		r.jitter(v)
	}
	if v.Grayscale {
		r.grayscale()
	}
	if v.Sigma > 0 {
		r.blur(v.Sigma)
	}
	if v.Solarize {
		r.solarize()
	}
	r.normalise(out)
}

// Visible is a view of size × size pixels as people see it: what Render wrote, without the normalisation.
func Visible(out []float32, size int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, size, size))
	for i := range size * size {
		for c := range 3 {
			v := float64(out[3*i+c]*normStd[c]) + float64(normMean[c])
			m.Pix[4*i+c] = uint8(255*min(max(v, 0), 1) + 0.5)
		}
		m.Pix[4*i+3] = 255
	}
	return m
}

// Words says how a view was drawn, an operation a line, in the order in which they are done.
func (v *View) Words() []string {
	flip := ""
	if v.Flip {
		flip = ", mirrored"
	}
	lines := []string{fmt.Sprintf("crop %d × %d at %d,%d%s", v.Crop.W, v.Crop.H, v.Crop.X, v.Crop.Y, flip)}
	if v.Jitter {
		names := [4]string{"brightness %+.2f", "contrast × %.2f", "saturation × %.2f", "hue %+.3f"}
		var ops []string
		for _, op := range v.Order {
			ops = append(ops, fmt.Sprintf(names[op], v.Strength[op]))
		}
		lines = append(lines, strings.Join(ops[:2], ", "), strings.Join(ops[2:], ", "))
	}
	if v.Grayscale {
		lines = append(lines, "grayscale")
	}
	if v.Sigma > 0 {
		lines = append(lines, fmt.Sprintf("blur σ %.2f", v.Sigma))
	}
	if v.Solarize {
		lines = append(lines, "solarized")
	}
	return lines
}

func (r *Renderer) jitter(v *View) {
	for _, op := range v.Order {
		f := v.Strength[op]
		switch op {
		case 0:
			r.brightness(f)
		case 1:
			r.contrast(f)
		case 2:
			r.saturation(f)
		case 3:
			r.hue(f)
		}
	}
}

// normalise clips to [0, 1] and writes (x - mean) / std, pixel by pixel.
func (r *Renderer) normalise(out []float32) {
	r.k.normalise(out, &r.plane, &r.shift, &r.scale)
}
