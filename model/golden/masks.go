package golden

import (
	"math"
	"slices"

	"byol/model/device"
)

// The masks of ReLUs. A pre-activation within rounding of zero may come out on either side of it, and then one float32
// engine lets a gradient pass that another, or the float64 of a golden file, keeps back. Neither is wrong, and the
// difference is no matter of rounding: it is that of one whole element. So which side each came out on in the online
// network, through which the gradient goes, is asked of the engine and imposed on a float64 oracle: the gradient of
// the engine must be that of the oracle with the same masks, within rounding, and the masks may differ from the
// oracle's own only where its pre-activation is nearly zero.

// signs are the masks of one ReLU in one view: which of its outputs are positive.
type signs []bool

// masks are those of an engine's pass, in the order in which the oracle's ReLUs are computed: behind each batch norm
// the online network's of both views, and then the target's, which have none.
type masks struct {
	calls  []signs
	values [][]float32 // the outputs themselves, likewise
}

// add is told what the engine's online network gave.
func (m *masks) add(_, view int, y []float32) {
	s := make(signs, len(y))
	for i, v := range y {
		s[i] = v > 0
	}
	m.calls, m.values = append(m.calls, s), append(m.values, slices.Clone(y))
	if view == 1 {
		m.calls, m.values = append(m.calls, nil, nil), append(m.values, nil, nil)
	}
}

// place is a ReLU of one layer and stream: the input of its batch norm, and the layer's gamma. A backward pass may
// compute the output there once more.
type place struct{ x, gamma device.Buffer }

// imposed is a device whose ReLUs have the masks of another.
type imposed struct {
	device.Device
	calls   []signs     // that are still to come; nil: its own
	values  [][]float32 // likewise: outputs to put in place of its own; empty: none
	targets [][]float32 // projections of the target network, by view, to put in place of its own; nil: none
	behind  map[place]mask
	flipped int     // elements whose own mask was another
	largest float64 // their largest pre-activation, in absolute value
	apart   float64 // how far an output was from the one in its place, at most
	aside   float64 // how far a projection of the target network was, at most
}

// mask is that of one place: y is positive where it passes.
type mask struct {
	passes signs
	values []float32 // of y; nil: what is computed
	y      device.Buffer
}

// BatchNormApply normalises and sets the outputs that the mask says otherwise of: to the smallest number where it
// passes, to zero where it does not. That moves the forward pass by no more than the pre-activation.
func (d *imposed) BatchNormApply(a device.BatchNorm) {
	if !a.ReLU {
		d.Device.BatchNormApply(a)
		return
	}
	m, again := d.mask(a)
	if m.passes == nil {
		d.Device.BatchNormApply(a)
		return
	}
	before := a
	before.ReLU = false
	d.Device.BatchNormApply(before)
	y := read(d.Device, a.Y, a.Rows*a.C)
	for i, pass := range m.passes {
		if own := y[i] > 0; own != pass {
			if !again {
				d.flipped, d.largest = d.flipped+1, max(d.largest, math.Abs(y[i]))
			}
			y[i] = 0
		}
		switch {
		case !pass:
			y[i] = 0
		case y[i] == 0:
			y[i] = math.SmallestNonzeroFloat64
		}
	}
	if m.values != nil {
		if apart := replace(y, m.values); !again {
			d.apart = max(d.apart, apart)
		}
	}
	d.Device.Upload64(a.Y.Slice(0, len(y)), y)
	d.Device.Upload64(m.y, y)
}

// mask is the one to impose on a call, and whether it was imposed before.
func (d *imposed) mask(a device.BatchNorm) (m mask, again bool) {
	at := place{a.X, a.Gamma}
	if m, again = d.behind[at]; again {
		return m, true
	}
	m.passes, d.calls = d.calls[0], d.calls[1:]
	if len(d.values) > 0 {
		m.values, d.values = d.values[0], d.values[1:]
	}
	if m.passes != nil {
		var err error
		if m.y, err = d.Device.Alloc(len(m.passes)); err != nil {
			panic("golden: the oracle has no memory: " + err.Error())
		}
	}
	d.behind[at] = m
	return m, false
}

// replace puts values in the place of y, and returns how far they are from y rounded as they are.
func replace(y []float64, values []float32) float64 {
	square, all := 0.0, 0.0
	for i, v := range values {
		e, to := bfloat16(y[i])-float64(v), float64(v)
		square, all, y[i] = square+e*e, all+to*to, to
	}
	return math.Sqrt(square / max(all, math.SmallestNonzeroFloat64))
}

// Regression compares the predictions of a view with the target's projections of the other.
func (d *imposed) Regression(p, z, dp device.Buffer, n, dim int, scale float64, add bool) float64 {
	if len(d.targets) > 0 {
		last := len(d.targets) - 1
		own := read(d.Device, z, n*dim)
		d.aside = max(d.aside, replace(own, d.targets[last]))
		d.Upload64(z.Slice(0, n*dim), own)
		d.targets = d.targets[:last]
	}
	return d.Device.Regression(p, z, dp, n, dim, scale, add)
}

// BatchNormGradSums takes the mask from the output, not from the input.
func (d *imposed) BatchNormGradSums(a device.BatchNormGrad, out []float64) {
	d.Device.BatchNormGradSums(d.masked(a), out)
}

// BatchNormGradApply takes the mask from the output, not from the input.
func (d *imposed) BatchNormGradApply(a device.BatchNormGrad, sums []float64, count float64) {
	d.Device.BatchNormGradApply(d.masked(a), sums, count)
}

func (d *imposed) masked(a device.BatchNormGrad) device.BatchNormGrad {
	if a.Beta.IsNil() {
		return a
	}
	m, ok := d.behind[place{a.X, a.Gamma}]
	if !ok {
		panic("golden: the gradient of a ReLU that was not computed")
	}
	a.Y, a.Beta = m.y, device.Buffer{}
	return a
}

// read copies the first n elements of b to the host.
func read(dev device.Device, b device.Buffer, n int) []float64 {
	host := make([]float64, n)
	dev.Download64(host, b.Slice(0, n))
	return host
}
