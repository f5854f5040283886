package views

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"testing"

	"byol/worker/data/picture"
)

// goldenCase is one image's draws, as make_golden.py writes them.
type goldenCase struct {
	Crop       [4]int // y, x, height, width
	Size       int
	Flip       bool
	Order      [4]int
	Brightness float32
	Contrast   float32
	Saturation float32
	Hue        float32
	Grayscale  bool
	Sigma      float64
	Solarize   bool
}

// goldens reads the float32 tensors and the cases of a safetensors file.
func goldens(t *testing.T, path string) (map[string][]float32, []goldenCase) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(b)
	var head map[string]json.RawMessage
	if err := json.Unmarshal(b[8:8+n], &head); err != nil {
		t.Fatal(err)
	}
	var meta struct{ Cases string }
	if err := json.Unmarshal(head["__metadata__"], &meta); err != nil {
		t.Fatal(err)
	}
	var cases []goldenCase
	if err := json.Unmarshal([]byte(meta.Cases), &cases); err != nil {
		t.Fatal(err)
	}
	delete(head, "__metadata__")
	tensors := map[string][]float32{}
	for name, raw := range head {
		var d struct {
			Offsets [2]int `json:"data_offsets"`
		}
		if err := json.Unmarshal(raw, &d); err != nil {
			t.Fatal(err)
		}
		body := b[8+int(n):][d.Offsets[0]:d.Offsets[1]]
		v := make([]float32, len(body)/4)
		for i := range v {
			v[i] = math.Float32frombits(binary.LittleEndian.Uint32(body[4*i:]))
		}
		tensors[name] = v
	}
	return tensors, cases
}

// interleaved gives the planes as the golden file has them.
func (r *Renderer) interleaved() []float32 {
	out := make([]float32, 0, 3*len(r.plane[0]))
	for i := range r.plane[0] {
		out = append(out, r.plane[0][i], r.plane[1][i], r.plane[2][i])
	}
	return out
}

func farthest(got, want []float32) float64 {
	worst := 0.0
	for i := range want {
		worst = max(worst, math.Abs(float64(got[i])-float64(want[i])))
	}
	return worst
}

// TestGoldenAugmentations compares every stage with the one computed in float64 by the golden file's script.
func TestGoldenAugmentations(t *testing.T) {
	for _, k := range []*kernels{best(), generic()} {
		t.Run(k.name, func(t *testing.T) { testGolden(t, k) })
	}
}

func testGolden(t *testing.T, k *kernels) {
	const tolerance = 1e-4 // per pixel, of values in [0, 1]
	tensors, cases := goldens(t, "testdata/augment.safetensors")
	if len(cases) == 0 {
		t.Fatal("no cases")
	}
	for i, c := range cases {
		name := func(stage string) string { return string(rune('0'+i)) + "/" + stage }
		m := &picture.Image{}
		m.Reset(120, 96, picture.Rect{W: 120, H: 96})
		for i, x := range tensors[name("source")] {
			m.Pix[i] = uint8(x)
		}
		v := View{Crop: picture.Rect{X: c.Crop[1], Y: c.Crop[0], W: c.Crop[3], H: c.Crop[2]}, Flip: c.Flip, Jitter: true,
			Order: c.Order, Strength: [4]float32{c.Brightness, c.Contrast, c.Saturation, c.Hue},
			Grayscale: c.Grayscale, Sigma: c.Sigma, Solarize: c.Solarize}
		check := func(stage string, got []float32) {
			t.Helper()
			worst := farthest(got, tensors[name(stage)])
			t.Logf("case %d %s: %.2g", i, stage, worst)
			if !(worst <= tolerance) {
				t.Errorf("case %d, %s: a pixel is off by %g, tolerance %g", i, stage, worst, tolerance)
			}
		}
		r := NewRenderer(&Augment{Size: c.Size})
		r.k = k
		r.resize(m, v.Crop, false)
		check("resized", r.interleaved())
		r.resize(m, v.Crop, v.Flip)
		r.jitter(&v)
		check("jittered", r.interleaved())
		if v.Grayscale {
			r.grayscale()
		}
		r.blur(v.Sigma)
		check("blurred", r.interleaved())

		out := make([]float32, 3*c.Size*c.Size)
		r.Render(m, &v, out)
		for i := range out {
			out[i] = out[i]*normStd[i%3] + normMean[i%3]
		}
		check("output", out)

		q := NewRenderer(&Augment{Size: c.Size, Quantise: true})
		q.resize(m, v.Crop, false)
		worst := farthest(q.interleaved(), tensors[name("resized")])
		t.Logf("case %d resized with TensorFlow's 1/1024: %.2g", i, worst)
		// Halves of 1/32 and 1/64 are whole multiples of 1/1024; fractions of 1/40 are not.
		if rounds := c.Size&(c.Size-1) != 0; worst > 1e-3 || rounds && worst < 1e-5 || !rounds && worst > tolerance {
			t.Errorf("case %d, size %d: rounding taps to 1/1024 moves a pixel by %g", i, c.Size, worst)
		}
	}
}
