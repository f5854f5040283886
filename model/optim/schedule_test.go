package optim_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"byol/model/optim"

	"pgregory.net/rapid"
)

// imagenet is the number of training images of ILSVRC 2012.
const imagenet = 1281167

// near accepts an absolute error of tol, or a relative one where want is large.
func near(got, want, tol float64) bool {
	return math.Abs(got-want) <= tol*math.Max(1, math.Abs(want))
}

func TestGoldenSchedules(t *testing.T) {
	type point struct {
		Step         int64
		LearningRate float64 `json:"learning_rate"`
		Tau          float64
	}
	type row struct {
		BaseLR  float64 `json:"base_lr"`
		Batch   int
		Warmup  int64   `json:"warmup_steps"`
		Total   int64   `json:"total_steps"`
		BaseTau float64 `json:"base_tau"`
		Epochs  int
		Decay   float64 `json:"weight_decay"`
		At      []point
	}
	data, err := os.ReadFile("testdata/schedules.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) != 8 {
		t.Fatalf("testdata/schedules.json has %d rows, want 8", len(rows))
	}
	for _, r := range rows {
		p := preset(t, r.Epochs)
		s := scheduleOf(p, r.Batch)
		want := optim.Schedule{BaseLR: r.BaseLR, Batch: r.Batch, Warmup: r.Warmup, Total: r.Total, BaseTau: r.BaseTau}
		if s != want || p.WeightDecay != r.Decay {
			t.Errorf("preset %s at batch %d: got %+v decay %g, want %+v decay %g",
				p.Name, r.Batch, s, p.WeightDecay, want, r.Decay)
		}
		for _, at := range r.At {
			if got := s.LR(at.Step); !near(got, at.LearningRate, 1e-9) {
				t.Errorf("%s batch %d LR(%d): got %.17g, want %.17g", p.Name, r.Batch, at.Step, got, at.LearningRate)
			}
			if got := s.Tau(at.Step); !near(got, at.Tau, 1e-9) {
				t.Errorf("%s batch %d Tau(%d): got %.17g, want %.17g", p.Name, r.Batch, at.Step, got, at.Tau)
			}
		}
	}
}

// scheduleOf is the schedule of a preset on ImageNet.
func scheduleOf(p optim.Preset, batch int) optim.Schedule {
	return optim.Schedule{BaseLR: p.BaseLR, Batch: batch, BaseTau: p.BaseTau,
		Warmup: optim.Steps(imagenet, batch, optim.WarmupEpochs),
		Total:  optim.Steps(imagenet, batch, float64(p.Epochs))}
}

func preset(t *testing.T, epochs int) optim.Preset {
	t.Helper()
	for _, p := range optim.Presets() {
		if p.Epochs == epochs {
			return p
		}
	}
	t.Fatalf("no preset of %d epochs", epochs)
	return optim.Preset{}
}

// The published table, batch 4096; its figures have nine digits, the last row of 1000 epochs five.
func TestPublishedSchedules(t *testing.T) {
	tests := []struct {
		epochs   int
		step     int64
		lr       float64
		rate     float64 // 1−τ
		relative float64
	}{
		{1000, 0, 0, 0.004, 1e-8},
		{1000, 1, 0.00102334506, 0.004, 1e-8},
		{1000, 3126, 3.19897665, 0.00399901428, 1e-8},
		{1000, 3127, 3.2, 0.00399901365, 1e-8},
		{1000, 78196, 2.75796733, 0.00341421356, 1e-8},
		{1000, 156392, 1.62537866, 0.002, 1e-8},
		{1000, 234588, 0.477637726, 0.000585786438, 1e-8},
		{1000, 312783, 8.2343e-11, 1.0088e-13, 1e-4},
		{300, 1, 0.00153501759, 0.01, 1e-8},
		{300, 3127, 4.8, 0.00997262406, 1e-8},
		{300, 23458, 4.2291945, 0.00853562268, 1e-8},
		{300, 46917, 2.5299391, 0.0050000837, 1e-8},
		{300, 70376, 0.74952338, 0.00146449569, 1e-8},
		{100, 1563, 3.59884874, 0.00993851239, 1e-8},
		{100, 7819, 6.71765797, 0.00853571146, 1e-8},
		{100, 15639, 4.22495759, 0.005, 1e-8},
		{100, 23458, 1.2860501, 0.00146464365, 1e-8},
		{40, 6255, 5.4, 0.0150018833, 1e-8},
		{40, 9383, 1.8, 0.00439406415, 1e-8},
	}
	for _, tt := range tests {
		s := scheduleOf(preset(t, tt.epochs), 4096)
		if got := s.LR(tt.step); math.Abs(got-tt.lr) > tt.relative*tt.lr {
			t.Errorf("%d epochs LR(%d): got %.10g, want %.10g ± %g relative", tt.epochs, tt.step, got, tt.lr, tt.relative)
		}
		if got := s.OneMinusTau(tt.step); math.Abs(got-tt.rate) > tt.relative*tt.rate {
			t.Errorf("%d epochs OneMinusTau(%d): got %.10g, want %.10g ± %g relative",
				tt.epochs, tt.step, got, tt.rate, tt.relative)
		}
	}
}

// Near the end ½(1+cos) is x² − x⁴/3 with x = ½π·(left/total), so that 1−τ has a value to compare with at full
// relative precision.
func TestOneMinusTauKeepsItsDigits(t *testing.T) {
	s := scheduleOf(preset(t, 1000), 4096)
	for _, left := range []int64{1, 2, 7, 50} {
		x := math.Pi / 2 * float64(left) / float64(s.Total)
		want := (1 - s.BaseTau) * (x*x - x*x*x*x/3)
		if got := s.OneMinusTau(s.Total - left); math.Abs(got-want) > 1e-14*want {
			t.Errorf("OneMinusTau(total-%d): got %.17g, want %.17g", left, got, want)
		}
	}
}

func TestSteps(t *testing.T) {
	tests := []struct {
		samples int64
		batch   int
		epochs  float64
		want    int64
	}{
		{imagenet, 4096, 1000, 312784},
		{imagenet, 4096, 300, 93835},
		{imagenet, 4096, 100, 31278},
		{imagenet, 4096, 40, 12511},
		{imagenet, 4096, optim.WarmupEpochs, 3127},
		{imagenet, 2048, optim.WarmupEpochs, 6255},
		{imagenet, 512, optim.WarmupEpochs, 25022},
		{imagenet, 256, optim.WarmupEpochs, 50045},
		{9469, 256, 1000, 36988},
		{9469, 256, optim.WarmupEpochs, 369},
		{100, 8, 0.5, 6},
		{7, 8, 1, 0},
		{0, 8, 10, 0},
	}
	for _, tt := range tests {
		if got := optim.Steps(tt.samples, tt.batch, tt.epochs); got != tt.want {
			t.Errorf("Steps(%d, %d, %g): got %d, want %d", tt.samples, tt.batch, tt.epochs, got, tt.want)
		}
	}
}

func TestEdges(t *testing.T) {
	tests := []struct {
		name     string
		schedule optim.Schedule
		step     int64
		lr, rate float64
	}{
		{"no warm-up starts at the peak", optim.Schedule{BaseLR: 1, Batch: 512, Total: 10, BaseTau: 0.9}, 0, 2, 0.1},
		{"before the start", optim.Schedule{BaseLR: 1, Batch: 256, Warmup: 2, Total: 10, BaseTau: 0.9}, -3, 0, 0.1},
		{"at the end", optim.Schedule{BaseLR: 1, Batch: 256, Warmup: 2, Total: 10, BaseTau: 0.9}, 10, 0, 0},
		{"after the end", optim.Schedule{BaseLR: 1, Batch: 256, Warmup: 2, Total: 10, BaseTau: 0.9}, 11, 0, 0},
		{"warm-up only", optim.Schedule{BaseLR: 1, Batch: 256, Warmup: 4, Total: 4, BaseTau: 0.9}, 2, 0.5, 0.05},
		{"cut off within warm-up", optim.Schedule{BaseLR: 1, Batch: 256, Warmup: 8, Total: 4, BaseTau: 0.9}, 4, 0, 0},
		{"no steps at all", optim.Schedule{BaseLR: 1, Batch: 256, BaseTau: 0.9}, 0, 0, 0},
	}
	for _, tt := range tests {
		if got := tt.schedule.LR(tt.step); !near(got, tt.lr, 1e-15) {
			t.Errorf("%s: LR(%d): got %g, want %g", tt.name, tt.step, got, tt.lr)
		}
		if got := tt.schedule.OneMinusTau(tt.step); !near(got, tt.rate, 1e-15) {
			t.Errorf("%s: OneMinusTau(%d): got %g, want %g", tt.name, tt.step, got, tt.rate)
		}
	}
}

func TestScheduleProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.Int64Range(1, 1e6).Draw(t, "total")
		s := optim.Schedule{
			BaseLR:  rapid.Float64Range(1e-3, 10).Draw(t, "base_lr"),
			Batch:   rapid.IntRange(1, 8192).Draw(t, "batch"),
			Warmup:  rapid.Int64Range(0, total).Draw(t, "warmup"),
			Total:   total,
			BaseTau: rapid.Float64Range(0, 1).Draw(t, "base_tau"),
		}
		k := rapid.Int64Range(0, total-1).Draw(t, "step")
		peak := s.BaseLR * float64(s.Batch) / 256
		lr, next := s.LR(k), s.LR(k+1)
		if !(lr >= 0 && lr <= peak*(1+1e-15)) {
			t.Fatalf("LR(%d) = %g outside [0, %g]", k, lr, peak)
		}
		if k+1 < s.Warmup && next < lr || k >= s.Warmup && next > lr {
			t.Fatalf("LR(%d) = %g, LR(%d) = %g, warm-up %d: wrong direction", k, lr, k+1, next, s.Warmup)
		}
		if tau := s.Tau(k); !(tau >= s.BaseTau-1e-15 && tau <= 1) || s.OneMinusTau(k+1) > s.OneMinusTau(k) {
			t.Fatalf("Tau(%d) = %g, Tau(%d) = %g: must rise from %g to 1", k, tau, k+1, s.Tau(k+1), s.BaseTau)
		}
		cosine := (1 - s.BaseTau) * (1 + math.Cos(math.Pi*float64(k)/float64(total))) / 2
		if got := s.OneMinusTau(k); !near(got, cosine, 1e-12) {
			t.Fatalf("OneMinusTau(%d) = %g, the plain formula gives %g", k, got, cosine)
		}
	})
}

func TestStepsCountsWholeBatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		samples := rapid.Int64Range(0, 1e8).Draw(t, "samples")
		batch := rapid.IntRange(1, 1e5).Draw(t, "batch")
		epochs := rapid.Int64Range(0, 1000).Draw(t, "epochs")
		if got, want := optim.Steps(samples, batch, float64(epochs)), epochs*samples/int64(batch); got != want {
			t.Fatalf("Steps(%d, %d, %d): got %d, want %d", samples, batch, epochs, got, want)
		}
	})
}
