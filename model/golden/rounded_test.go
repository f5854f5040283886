package golden_test

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"byol/model/device"
	"byol/model/device/reference"
	"byol/model/engine"
	"byol/model/golden"
)

// inBF16 is an engine that says so.
type inBF16 struct{ engine.Engine }

func (e inBF16) Fingerprint() string { return e.Engine.Fingerprint() + ", precision bf16" }

// misplaced is a device that rounds somewhere else than it should.
type misplaced struct {
	device.Device
	where string
}

func (m misplaced) round(b device.Buffer, n int) {
	x := make([]float64, n)
	m.Download64(x, b.Slice(0, n))
	for i, v := range x {
		bits := math.Float32bits(float32(v))
		x[i] = float64(math.Float32frombits((bits + 0x7fff + bits>>16&1) &^ 0xffff))
	}
	m.Upload64(b.Slice(0, n), x)
}

func (m misplaced) BatchNormApply(a device.BatchNorm) {
	m.Device.BatchNormApply(a)
	if m.where == "shortcut" && !a.ReLU {
		m.round(a.Y, a.Rows*a.C)
	}
}

func (m misplaced) BatchNormGradSums(a device.BatchNormGrad, out []float64) {
	m.Device.BatchNormGradSums(a, out)
	if m.where == "gradient sums" {
		for i, v := range out {
			out[i] = float64(math.Float32frombits(math.Float32bits(float32(v)) &^ 0xffff))
		}
	}
}

// TestRoundings: an engine in bfloat16 that rounds where it should passes, though it computes in float32 between
// roundings and the oracle in float64; one that rounds at one place less, or at one more, does not.
func TestRoundings(t *testing.T) {
	for _, c := range []struct {
		name string
		dev  device.Device
		ok   bool
	}{
		{"as it should", golden.Rounded(reference.New(32), ""), true},
		{"products not", golden.Rounded(reference.New(32), "products"), false},
		{"activations not", golden.Rounded(reference.New(32), "activations"), false},
		{"gradients not", golden.Rounded(reference.New(32), "gradients"), false},
		{"weights not", golden.Rounded(reference.New(32), "weights"), false},
		{"shortcuts too", misplaced{golden.Rounded(reference.New(32), ""), "shortcut"}, false},
		{"sums of gradients too", misplaced{golden.Rounded(reference.New(32), ""), "gradient sums"}, false},
	} {
		var out bytes.Buffer
		r, err := golden.Verify(t.Context(), "testdata/byol-same.safetensors", inBF16{on(c.dev)}, &out)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: layers %.1e target %.1e outputs %.1e gradients %.1e masks %.1e, worst %s", c.name, r.Layers, r.Target,
			r.Outputs, r.Gradients, r.Masks, r.Worst)
		if r.OK != c.ok || c.ok == strings.Contains(out.String(), "TOO FAR") {
			t.Errorf("%s: passes: %v, want %v", c.name, r.OK, c.ok)
		}
	}
}
