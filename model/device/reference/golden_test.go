package reference_test

import (
	"fmt"
	"math"
	"testing"

	"byol/model/device"
	"byol/model/device/reference"
)

// The published numbers of BYOL's update and loss, on both element types: within 1e-6 relative for float32,
// and within what the printed digits allow for float64.
func eachDevice(t *testing.T, run func(t *testing.T, dev device.Device, tolerance float64)) {
	for bits, tolerance := range map[int]float64{32: 1e-6, 64: 2e-9} {
		t.Run(fmt.Sprint(bits, " bits"), func(t *testing.T) { run(t, reference.New(bits), tolerance) })
	}
}

func wantClose(t *testing.T, name string, got, want []float64, tolerance float64) {
	t.Helper()
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= tolerance*max(1e-2, math.Abs(want[i]))) {
			t.Errorf("%s: got %.10g, want %.10g ± %g relative", name, got, want, tolerance)
			return
		}
	}
}

func TestGoldenLARS(t *testing.T) {
	type state struct{ w, m []float64 }
	tests := []struct {
		name  string
		adapt bool
		w     []float64
		steps []state
	}{
		{"adapted", true, []float64{3, 4}, []state{
			{[]float64{2.994, 3.992}, []float64{0.003, 0.004}},
			{[]float64{2.982612, 3.976816}, []float64{0.005694, 0.007592}},
		}},
		{"excluded", false, []float64{3, 4}, []state{{[]float64{1.8, 2.4}, []float64{0.6, 0.8}}}},
		{"zero weights", true, []float64{0, 0}, []state{{[]float64{-1.2, -1.6}, []float64{0.6, 0.8}}}},
	}
	eachDevice(t, func(t *testing.T, dev device.Device, tolerance float64) {
		for _, tt := range tests {
			g := upload(t, dev, []float64{0.6, 0.8})
			w, m := upload(t, dev, tt.w), upload(t, dev, []float64{0, 0})
			for i, want := range tt.steps {
				w2, m2 := upload(t, dev, []float64{9, 9}), upload(t, dev, []float64{9, 9})
				dev.LARS(device.LARS{
					W: w, G: g, M: m, W2: w2, M2: m2, LR: 2, Momentum: 0.9, Decay: 0.1, Eta: 1e-3, Adapt: tt.adapt,
				})
				// The published figures of step 2 have seven digits.
				wantClose(t, fmt.Sprint(tt.name, " w after step ", i+1), download(dev, w2), want.w, max(tolerance, 2e-7))
				wantClose(t, fmt.Sprint(tt.name, " m after step ", i+1), download(dev, m2), want.m, max(tolerance, 1e-6))
				w, m = w2, m2
			}
		}
	})
}

func TestGoldenEMA(t *testing.T) {
	eachDevice(t, func(t *testing.T, dev device.Device, tolerance float64) {
		xi, theta := upload(t, dev, []float64{1, 0}), upload(t, dev, []float64{2, -3})
		out := upload(t, dev, []float64{9, 9})
		dev.EMA(xi, theta, out, 1-0.99)
		wantClose(t, "ema", download(dev, out), []float64{1.01, -0.03}, tolerance)
	})
}

func TestGoldenLoss(t *testing.T) {
	tests := []struct {
		p, z []float64
		loss float64
		dp   []float64 // of scale 1; nil: not published
	}{
		{[]float64{1, 2, 2}, []float64{2, 0, 0}, 4.0 / 3, []float64{-16.0 / 27, 4.0 / 27, 4.0 / 27}},
		{[]float64{0, 3, 4}, []float64{1, 1, 0}, 1.1514718626, nil},
	}
	eachDevice(t, func(t *testing.T, dev device.Device, tolerance float64) {
		sum := 0.0
		for _, tt := range tests {
			dp := upload(t, dev, []float64{9, 9, 9})
			loss := dev.Regression(upload(t, dev, tt.p), upload(t, dev, tt.z), dp, 1, 3, 1, false)
			wantClose(t, "loss", []float64{loss}, []float64{tt.loss}, tolerance)
			wantClose(t, "dp", download(dev, dp), tt.dp, tolerance)
			sum += loss
		}
		wantClose(t, "both views", []float64{sum}, []float64{2.4848051959}, tolerance)
	})
}

// Below a length of 1e-6 the vector is divided by 1e-6, a constant: p̂ = (0.01, 0), e = (0.01, −1), dp = 2e6·e.
func TestRegressionOfShortVectors(t *testing.T) {
	eachDevice(t, func(t *testing.T, dev device.Device, tolerance float64) {
		dp := upload(t, dev, []float64{9, 9})
		loss := dev.Regression(upload(t, dev, []float64{1e-8, 0}), upload(t, dev, []float64{0, 1}), dp, 1, 2, 1, false)
		wantClose(t, "loss", []float64{loss}, []float64{1.0001}, tolerance)
		wantClose(t, "dp", download(dev, dp), []float64{2e4, -2e6}, tolerance)
	})
}

// Cross entropy by hand: equal logits share the probability.
func TestCrossEntropyByHand(t *testing.T) {
	eachDevice(t, func(t *testing.T, dev device.Device, tolerance float64) {
		x, dx := upload(t, dev, []float64{5, 5, 0, math.Log(3), 7, 7}), upload(t, dev, make([]float64, 6))
		loss, correct := dev.CrossEntropy(x, []int32{0, 0, -1}, dx, 3, 2, 0.5)
		wantClose(t, "loss", []float64{loss}, []float64{math.Log(2) + math.Log(4)}, tolerance)
		wantClose(t, "dx", download(dev, dx), []float64{-0.25, 0.25, -0.375, 0.375, 0, 0}, tolerance)
		if correct != 1 {
			t.Errorf("correct: got %d, want 1", correct)
		}
	})
}

// Pools by hand: a tie goes to the first in row-major order, padding never wins, NaN is seen.
func TestPoolsByHand(t *testing.T) {
	eachDevice(t, func(t *testing.T, dev device.Device, tolerance float64) {
		s := device.PoolShape{H: 3, W: 3, C: 1, OH: 2, OW: 2, Window: 2, Stride: 2, Pad: 1}
		x, y := upload(t, dev, []float64{-5, -2, -2, -3, -1, -1, -3, -1, -1}), upload(t, dev, make([]float64, 4))
		dx := upload(t, dev, make([]float64, 9))
		dev.MaxPool(s, x, y, 1)
		dev.MaxPoolGrad(s, x, upload(t, dev, []float64{1, 2, 3, 4}), dx, 1)
		wantClose(t, "max pool", download(dev, y), []float64{-5, -2, -3, -1}, 0)
		wantClose(t, "its gradient", download(dev, dx), []float64{1, 2, 0, 3, 4, 0, 0, 0, 0}, 0)
		dev.MaxPool(s, upload(t, dev, []float64{1, 1, 1, 1, 1, 1, 1, math.NaN(), 1}), y, 1)
		if got := download(dev, y); !math.IsNaN(got[3]) {
			t.Errorf("max pool of a window with NaN: got %v, want NaN at the end", got)
		}
		dev.AvgPool(upload(t, dev, []float64{1, 10, 2, 20, 6, 60}), y, 1, 3, 2)
		wantClose(t, "average pool", download(dev, y)[:2], []float64{3, 30}, tolerance)
	})
}
