package golden_test

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"byol/model/device"
	"byol/model/device/reference"
	"byol/model/engine"
	"byol/model/engine/ops"
	"byol/model/golden"
)

// verifyAll checks all files on an engine.
func verifyAll(t *testing.T, eng engine.Engine) {
	files, err := filepath.Glob("testdata/byol-*.safetensors")
	if err != nil || len(files) != 3 {
		t.Fatalf("golden files: %v, %v, want 3", files, err)
	}
	for _, path := range files {
		verify(t, eng, path)
	}
}

func verify(t *testing.T, eng engine.Engine, path string) {
	t.Run(eng.Name()+"/"+filepath.Base(path), func(t *testing.T) {
		var out bytes.Buffer
		r, err := golden.Verify(context.Background(), path, eng, &out)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("outputs %.1e gradients %.1e final %.1e losses %.1e norms %.1e schedule %.1e, worst %s, %d compared",
			r.Outputs, r.Gradients, r.Final, r.Losses, r.Norms, r.Schedule, r.Worst, r.Compared)
		exact := !strings.Contains(eng.Fingerprint(), "precision bf16")
		if exact && r.Flipped != 0 && strings.Contains(path, "byol-same") { // no pre-activation within 6e-5 of zero
			t.Errorf("%d ReLUs were flipped, want none", r.Flipped)
		}
		if !r.OK {
			t.Errorf("past the tolerance:\n%s", out.String())
		}
		if lines := strings.Count(out.String(), "\n"); lines != r.Compared || lines < 200 {
			t.Errorf("printed %d lines, compared %d entries, want equal and at least 200", lines, r.Compared)
		}
	})
}

// on is an engine on a device.
func on(dev device.Device) engine.Engine { return ops.New(dev, nil) }

func TestReference64(t *testing.T) { verifyAll(t, on(reference.New(64))) }

func TestReference32(t *testing.T) { verifyAll(t, on(reference.New(32))) }

// biased is a device with a small fault in one kernel.
type biased struct {
	device.Device
}

func (b biased) BatchNormApply(a device.BatchNorm) {
	for j := range a.InvStd {
		a.InvStd[j] *= 1 + 1e-5
	}
	b.Device.BatchNormApply(a)
}

func TestFaultIsFound(t *testing.T) {
	for _, bits := range []int{64, 32} {
		var out bytes.Buffer
		r, err := golden.Verify(context.Background(), "testdata/byol-basic.safetensors", on(biased{reference.New(bits)}),
			&out)
		if err != nil {
			t.Fatal(err)
		}
		if r.OK || !strings.Contains(out.String(), "TOO FAR") || r.Worst == "" {
			t.Errorf("%d bits: a normalisation wrong by 1e-5 passes: %+v", bits, r)
		}
	}
}

// flips is a device that moves one input of a ReLU, the first that is at least by and less than below in absolute
// value, to the other side of zero, as far from it.
type flips struct {
	device.Device
	by, below float64
	flipped   *int
}

func (f flips) BatchNormApply(a device.BatchNorm) {
	if a.ReLU && *f.flipped == 0 {
		before := a
		before.ReLU = false
		f.Device.BatchNormApply(before)
		x, y, gamma := make([]float64, a.Rows*a.C), make([]float64, a.Rows*a.C), make([]float64, a.C)
		f.Device.Download64(x, a.X.Slice(0, len(x)))
		f.Device.Download64(y, a.Y.Slice(0, len(y)))
		f.Device.Download64(gamma, a.Gamma)
		for i, v := range y {
			if size := math.Abs(v); size >= f.by && size < f.below {
				*f.flipped++
				x[i] -= 2 * v / (gamma[i%a.C] * a.InvStd[i%a.C])
				break
			}
		}
		f.Device.Upload64(a.X.Slice(0, len(x)), x)
	}
	f.Device.BatchNormApply(a)
}

// TestFlippedReLU: a ReLU on the other side of zero is no fault where its input is within rounding of zero, and one
// where it is not. In the stem of byol-basic the nearest to zero of 131,072 inputs are some 1e-6 from it.
func TestFlippedReLU(t *testing.T) {
	for _, c := range []struct {
		name      string
		by, below float64
		ok        bool
	}{
		{"within rounding", 0, 9e-6, true}, {"beyond rounding", 1e-4, 1e-3, false}, {"far off", 0.5, 1, false},
	} {
		var out bytes.Buffer
		n := 0
		eng := on(flips{reference.New(32), c.by, c.below, &n})
		r, err := golden.Verify(context.Background(), "testdata/byol-basic.safetensors", eng, &out)
		if err != nil {
			t.Fatal(err)
		}
		if n != 1 || r.Flipped < 1 {
			t.Errorf("%s: %d ReLUs were flipped, the report says %d", c.name, n, r.Flipped)
		}
		if good := r.Masks <= 1e-5 && r.Gradients <= 1e-4; good != c.ok {
			t.Errorf("%s: masks %.1e, gradients %.1e, good %v, want %v", c.name, r.Masks, r.Gradients, good, c.ok)
		}
	}
}

func TestBadFiles(t *testing.T) {
	good, err := os.ReadFile("testdata/byol-basic.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "too short"},
		{"truncated", good[:len(good)-4], "truncated"},
		{"config", bytes.Replace(good, []byte(`"config"`), []byte(`"fonfig"`), 1), "metadata config"},
		{"steps", bytes.Replace(good, []byte(`\"steps\": 6`), []byte(`\"steps\": 7`), 1), "6 entries in the log of 7 steps"},
		{"unknown constant", bytes.Replace(good, []byte(`\"lars_eta\"`), []byte(`\"lars_ate\"`), 1),
			`unknown field "lars_ate"`},
		{"block", bytes.Replace(good, []byte(`\"block\": \"basic\"`), []byte(`\"block\": \"basil\"`), 1),
			"want basic or bottleneck"},
		{"name", bytes.Replace(good, []byte("init/online/classifier.bias"), []byte("init/online/classifier.bios"), 1),
			`"online/classifier.bias" is missing`},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bad.safetensors")
			if err := os.WriteFile(path, c.data, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := golden.Verify(context.Background(), path, on(reference.New(32)), &bytes.Buffer{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}
