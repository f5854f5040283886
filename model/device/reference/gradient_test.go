package reference_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"byol/model/device"
	"byol/model/device/reference"
)

// checkGradient compares a gradient with central differences: value is a smooth function of x, which it may read
// but not keep. The step 1e-5 leaves an error of about 1e-10 by the third derivative and 1e-11 by rounding.
func checkGradient(t *testing.T, name string, x, gradient []float64, value func(x []float64) float64) {
	t.Helper()
	const step, tolerance = 1e-5, 1e-7
	for i, old := range x {
		x[i] = old + step
		above := value(x)
		x[i] = old - step
		below := value(x)
		x[i] = old
		want := (above - below) / (2 * step)
		if math.Abs(gradient[i]-want) > tolerance*max(1, math.Abs(want)) {
			t.Errorf("%s, element %d: got %.10g, finite differences give %.10g", name, i, gradient[i], want)
			return
		}
	}
}

// dot is the scalar whose gradient with respect to y is dy.
func dot(y, dy []float64) float64 {
	sum := 0.0
	for i, v := range y {
		sum += v * dy[i]
	}
	return sum
}

func TestConvolutionGradient(t *testing.T) {
	dev := reference.New(64)
	const n = 2
	for _, s := range shapes {
		rng := rand.New(rand.NewPCG(5, 6))
		x, w := normals(rng, n*s.H*s.W*s.C), normals(rng, s.K*s.KH*s.KW*s.C)
		dy := normals(rng, n*s.OH*s.OW*s.K)
		conv, err := dev.Conv(s)
		if err != nil {
			t.Fatal(err)
		}
		y := upload(t, dev, dy)
		forward := func(x, w []float64) float64 {
			conv.Pack(upload(t, dev, w))
			conv.Forward(upload(t, dev, x), y, n)
			return dot(download(dev, y), dy)
		}
		forward(x, w)
		dx, dw := upload(t, dev, x), upload(t, dev, w)
		conv.BackwardData(upload(t, dev, dy), dx, n)
		conv.BackwardWeights(upload(t, dev, x), upload(t, dev, dy), dw, n, false)
		checkGradient(t, "dx", x, download(dev, dx), func(x []float64) float64 { return forward(x, w) })
		checkGradient(t, "dw", w, download(dev, dw), func(w []float64) float64 { return forward(x, w) })
	}
}

// The whole normalisation, through the batch's own statistics, with and without the ReLU.
func TestBatchNormGradient(t *testing.T) {
	dev := reference.New(64)
	const rows, c, eps = 7, 3, 1e-5
	for _, relu := range []bool{false, true} {
		rng := rand.New(rand.NewPCG(7, 8))
		x, dy, gamma, beta := normals(rng, rows*c), normals(rng, rows*c), normals(rng, c), normals(rng, c)
		residual := normals(rng, rows*c)
		y, mean, invstd := upload(t, dev, x), make([]float64, c), make([]float64, c)
		forward := func(x, gamma, beta, residual []float64) float64 {
			sums := make([]float64, 2*c)
			bx := upload(t, dev, x)
			dev.BatchNormSums(bx, rows, c, sums)
			for j := range c {
				mean[j] = sums[j] / rows
				invstd[j] = 1 / math.Sqrt(sums[c+j]/rows-mean[j]*mean[j]+eps)
			}
			dev.BatchNormApply(device.BatchNorm{
				Rows: rows, C: c, X: bx, Y: y, Residual: upload(t, dev, residual), ReLU: relu,
				Gamma: upload(t, dev, gamma), Beta: upload(t, dev, beta), Mean: mean, InvStd: invstd,
			})
			return dot(download(dev, y), dy)
		}
		forward(x, gamma, beta, residual)
		op := device.BatchNormGrad{
			Rows: rows, C: c, DY: upload(t, dev, dy), X: upload(t, dev, x), DX: upload(t, dev, x),
			Gamma: upload(t, dev, gamma), Mean: mean, InvStd: invstd,
		}
		masked := upload(t, dev, dy)
		if relu {
			op.Y = y
			dev.AddMasked(masked, device.Buffer{}, y, masked, rows*c)
		}
		sums := make([]float64, 2*c)
		dev.BatchNormGradSums(op, sums)
		dev.BatchNormGradApply(op, sums, rows)
		dx, dresidual := download(dev, op.DX), download(dev, masked)
		checkGradient(t, "dx", x, dx, func(x []float64) float64 { return forward(x, gamma, beta, residual) })
		checkGradient(t, "dgamma", gamma, sums[c:], func(g []float64) float64 { return forward(x, g, beta, residual) })
		checkGradient(t, "dbeta", beta, sums[:c], func(b []float64) float64 { return forward(x, gamma, b, residual) })
		checkGradient(t, "dresidual", residual, dresidual,
			func(r []float64) float64 { return forward(x, gamma, beta, r) })
	}
}

func TestPoolGradient(t *testing.T) {
	dev := reference.New(64)
	const n = 2
	for _, s := range []device.PoolShape{
		{H: 5, W: 4, C: 2, OH: 3, OW: 2, Window: 3, Stride: 2, Pad: 1},
		{H: 4, W: 4, C: 3, OH: 2, OW: 2, Window: 3, Stride: 2},
	} {
		rng := rand.New(rand.NewPCG(9, 10))
		x, dy := normals(rng, n*s.H*s.W*s.C), normals(rng, n*s.OH*s.OW*s.C)
		y, dx := upload(t, dev, dy), upload(t, dev, x)
		dev.MaxPoolGrad(s, upload(t, dev, x), y, dx, n)
		checkGradient(t, "max pool", x, download(dev, dx), func(x []float64) float64 {
			dev.MaxPool(s, upload(t, dev, x), y, n)
			return dot(download(dev, y), dy)
		})
		mean, dmean := normals(rng, n*s.C), upload(t, dev, x)
		dev.AvgPoolGrad(upload(t, dev, mean), dmean, n, s.H*s.W, s.C)
		checkGradient(t, "average pool", x, download(dev, dmean), func(x []float64) float64 {
			out := upload(t, dev, mean)
			dev.AvgPool(upload(t, dev, x), out, n, s.H*s.W, s.C)
			return dot(download(dev, out), mean)
		})
	}
}

func TestLossGradients(t *testing.T) {
	dev := reference.New(64)
	const n, d, scale = 4, 6, 0.25
	rng := rand.New(rand.NewPCG(11, 12))
	p, target, dp := normals(rng, n*d), normals(rng, n*d), upload(t, dev, make([]float64, n*d))
	for j := range d {
		p[j] *= 100                      // a long vector
		p[d+j] = target[d+j] + 1e-4*p[j] // one that is nearly its target
	}
	z := upload(t, dev, target)
	dev.Regression(upload(t, dev, p), z, dp, n, d, scale, false)
	scratch := upload(t, dev, p)
	checkGradient(t, "regression", p, download(dev, dp), func(p []float64) float64 {
		return scale * dev.Regression(upload(t, dev, p), z, scratch, n, d, 1, false)
	})
	x, labels, dx := normals(rng, n*d), []int32{0, 5, -1, 2}, upload(t, dev, make([]float64, n*d))
	dev.CrossEntropy(upload(t, dev, x), labels, dx, n, d, scale)
	checkGradient(t, "cross entropy", x, download(dev, dx), func(x []float64) float64 {
		loss, _ := dev.CrossEntropy(upload(t, dev, x), labels, scratch, n, d, 1)
		return scale * loss
	})
	dy, db := normals(rng, n*d), upload(t, dev, make([]float64, d))
	dev.BiasGrad(upload(t, dev, dy), db, n, d)
	checkGradient(t, "bias", normals(rng, d), download(dev, db), func(bias []float64) float64 {
		y := upload(t, dev, x)
		dev.AddBias(y, upload(t, dev, bias), n, d)
		return dot(download(dev, y), dy)
	})
}
