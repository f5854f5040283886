package cpu

import (
	"math"
	"testing"

	"byol/model/device"
)

// A NaN is not pooled or rectified away, whatever lane it is in: a diverged run must be seen.
func TestNaNIsSeen(t *testing.T) {
	nan := float32(math.NaN())
	for _, opts := range everyISA(Options{Threads: 1}) {
		d := open(t, opts)
		const rows, c = 4, 11
		zeros, scale := make([]float64, c), make([]float64, c)
		for j := range scale {
			scale[j] = 1
		}
		for i := range rows * c {
			x, y, g := random(t, d, rows*c, 1), random(t, d, rows*c, 2), random(t, d, c, 3)
			d.Host(x)[i] = nan
			d.BatchNormApply(device.BatchNorm{
				Rows: rows, C: c, X: x, Y: y, ReLU: true, Gamma: g, Beta: g, Mean: zeros, InvStd: scale,
			})
			if v := d.Host(y)[i]; v == v {
				t.Errorf("%+v: batch norm of NaN at %d is %g", opts, i, v)
			}
			pool := device.PoolShape{H: 2, W: 2, C: c, OH: 1, OW: 1, Window: 2, Stride: 2}
			d.MaxPool(pool, x, y, 1)
			if v := d.Host(y)[i%c]; v == v {
				t.Errorf("%+v: max pool of NaN at %d is %g", opts, i, v)
			}
			d.Host(g)[i%c] = 1
			d.MaxPoolGrad(pool, x, g, y, 1)
			sum := float32(0)
			for r := range rows {
				sum += d.Host(y)[r*c+i%c]
			}
			if sum != 1 {
				t.Errorf("%+v: gradient of a window with NaN at %d sums to %g, want 1", opts, i, sum)
			}
		}
	}
}
