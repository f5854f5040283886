package views

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"byol/internal/failure"
	"byol/worker/data/picture"
)

// The numbers of section 8 of the specification.

func TestGaussianWeights(t *testing.T) {
	for _, c := range []struct {
		sigma float64
		want  []float64 // from the centre
	}{
		{1, []float64{0.398942278, 0.241970723, 0.053990966, 0.004431848, 0.000133830}},
		{2, []float64{0.199471141, 0.176032665, 0.120985363, 0.064758798, 0.026995483}},
		{0.1, []float64{1}},
	} {
		got := gaussian(nil, 11, c.sigma)
		for i, w := range c.want {
			if math.Abs(float64(got[i])-w) > 2e-8 {
				t.Errorf("sigma %g: weight %d is %.9f, want %.9f", c.sigma, i, got[i], w)
			}
		}
		if c.sigma == 0.1 && len(got) != 1 {
			t.Errorf("sigma 0.1 has %d weights, want the identity", len(got))
		}
		sum := float64(got[0])
		for _, w := range got[1:] {
			sum += 2 * float64(w)
		}
		if math.Abs(sum-1) > 1e-6 {
			t.Errorf("sigma %g: weights sum to %.9f", c.sigma, sum)
		}
	}
}

func TestBicubicWeights(t *testing.T) {
	want := map[float64][4]float64{
		0:    {0, 1, 0, 0},
		0.25: {-0.0703125, 0.8671875, 0.2265625, -0.0234375},
		0.5:  {-0.0625, 0.5625, 0.5625, -0.0625},
		0.75: {-0.0234375, 0.2265625, 0.8671875, -0.0703125},
	}
	for f, w := range want {
		for k := range w {
			if got := keys(f + 1 - float64(k)); got != w[k] {
				t.Errorf("fraction %g, tap %d: %v, want %v", f, k-1, got, w[k])
			}
		}
	}
	// Doubling 8 to 16: output 5 lies at 2.25.
	for _, quantise := range []bool{false, true} {
		got := makeTap(5, 8, 16, quantise)
		if got.at != [4]int32{1, 2, 3, 4} || got.w != [4]float32{-0.0703125, 0.8671875, 0.2265625, -0.0234375} {
			t.Errorf("tap 5 of 8 to 16, quantise %v: %v", quantise, got)
		}
		// Output 0 lies at -0.25: two taps are outside, and their weight goes to the others.
		edge := makeTap(0, 8, 16, quantise)
		sum := edge.w[0] + edge.w[1] + edge.w[2] + edge.w[3]
		if edge.w[0] != 0 || edge.w[1] != 0 || math.Abs(float64(sum)-1) > 1e-6 {
			t.Errorf("tap 0 of 8 to 16, quantise %v: %v", quantise, edge)
		}
	}
}

// one applies an operation to a one-pixel image.
func onePixel(x [3]float32, op func(r *Renderer)) [3]float32 {
	r := NewRenderer(&Augment{Size: 1})
	for c := range x {
		r.plane[c][0] = x[c]
	}
	op(r)
	return [3]float32{r.plane[0][0], r.plane[1][0], r.plane[2][0]}
}

func TestColourOperations(t *testing.T) {
	base := [3]float32{0.8, 0.4, 0.2}
	for _, c := range []struct {
		name string
		in   [3]float32
		op   func(r *Renderer)
		want [3]float32
	}{
		{"saturation 1.2", base, func(r *Renderer) { r.saturation(1.2) }, [3]float32{0.8, 0.32, 0.08}},
		{"saturation 0.8", base, func(r *Renderer) { r.saturation(0.8) }, [3]float32{0.8, 0.48, 0.32}},
		{"saturation to its limit", base, func(r *Renderer) { r.saturation(9) }, [3]float32{0.8, 0.8 / 3, 0}},
		{"hue +0.1", base, func(r *Renderer) { r.hue(0.1) }, [3]float32{0.8, 0.76, 0.2}},
		{"hue -0.1", base, func(r *Renderer) { r.hue(-0.1) }, [3]float32{0.8, 0.2, 0.36}},
		{"hue of grey", [3]float32{.5, .5, .5}, func(r *Renderer) { r.hue(0.1) }, [3]float32{.5, .5, .5}},
		{"saturation of black", [3]float32{}, func(r *Renderer) { r.saturation(1.2) }, [3]float32{}},
		{"grey", base, func(r *Renderer) { r.grayscale() }, [3]float32{0.49672, 0.49672, 0.49672}},
		{"brightness +0.4", base, func(r *Renderer) { r.brightness(0.4) }, [3]float32{1, 0.8, 0.6}},
		{"brightness -0.3", base, func(r *Renderer) { r.brightness(-0.3) }, [3]float32{0.5, 0.1, 0}},
		{"contrast of one pixel", base, func(r *Renderer) { r.contrast(0.6) }, base},
		{"solarize", base, func(r *Renderer) { r.solarize() }, [3]float32{0.2, 0.4, 0.2}},
		{"solarize at the threshold", [3]float32{.5, .5, .5}, func(r *Renderer) { r.solarize() }, [3]float32{.5, .5, .5}},
	} {
		got := onePixel(c.in, c.op)
		for k := range got {
			if math.Abs(float64(got[k])-float64(c.want[k])) > 2e-7 {
				t.Errorf("%s of %v: %v, want %v", c.name, c.in, got, c.want)
				break
			}
		}
	}
}

// hueSlow goes to HSV and back, as the specification says it.
func hueSlow(x [3]float64, delta float64) [3]float64 {
	v, least := max(x[0], x[1], x[2]), min(x[0], x[1], x[2])
	d := v - least
	h := 0.0
	switch {
	case d == 0:
	case x[0] == v:
		h = (x[1] - x[2]) / (6 * d)
	case x[1] == v:
		h = (x[2]-x[0])/(6*d) + 1.0/3
	default:
		h = (x[0]-x[1])/(6*d) + 2.0/3
	}
	if h < 0 {
		h++
	}
	h = math.Mod(h+delta+1, 1) * 6
	mid := d * (1 - math.Abs(math.Mod(h, 2)-1))
	sector := [6][3]float64{{d, mid, 0}, {mid, d, 0}, {0, d, mid}, {0, mid, d}, {mid, 0, d}, {d, 0, mid}}[int(h)%6]
	return [3]float64{sector[0] + least, sector[1] + least, sector[2] + least}
}

// TestHueAgainstHSV goes through a grid of colours and turns.
func TestHueAgainstHSV(t *testing.T) {
	const n = 7
	for i := range n * n * n {
		x := [3]float32{float32(i%n) / (n - 1), float32(i/n%n) / (n - 1), float32(i/n/n) / (n - 1)}
		for _, delta := range []float32{-0.5, -0.1, -0.01, 0, 0.05, 0.1, 0.4} {
			got := onePixel(x, func(r *Renderer) { r.hue(delta) })
			want := hueSlow([3]float64{float64(x[0]), float64(x[1]), float64(x[2])}, float64(delta))
			for k := range got {
				if math.Abs(float64(got[k])-want[k]) > 2e-6 {
					t.Fatalf("hue %g of %v: %v, want %v", delta, x, got, want)
				}
			}
		}
	}
}

func TestEvalCrop(t *testing.T) {
	for _, c := range []struct {
		h, w  int
		plain bool
		want  picture.Rect
	}{
		{375, 500, false, picture.Rect{X: 86, Y: 24, W: 328, H: 328}},
		{500, 333, false, picture.Rect{X: 21, Y: 105, W: 291, H: 291}},
		{256, 256, false, picture.Rect{X: 16, Y: 16, W: 224, H: 224}},
		{400, 301, false, picture.Rect{X: 19, Y: 69, W: 263, H: 263}},
		{32, 32, true, picture.Rect{W: 32, H: 32}},
		{1, 1, false, picture.Rect{W: 1, H: 1}},
	} {
		if got := evalCrop(c.w, c.h, c.plain); got != c.want {
			t.Errorf("%d × %d, plain %v: %v, want %v", c.h, c.w, c.plain, got, c.want)
		}
	}
}

// TestPlainEvaluationIsIdentity: at the view's own size nothing is resampled.
func TestPlainEvaluationIsIdentity(t *testing.T) {
	for _, quantise := range []bool{false, true} {
		a := Augment{Size: 32, Plain: true, Quantise: quantise}
		m := &picture.Image{}
		m.Reset(32, 32, picture.Rect{W: 32, H: 32})
		for i := range m.Pix {
			m.Pix[i] = byte(i * 7)
		}
		out := make([]float32, 3*32*32)
		v := a.EvalView(32, 32)
		NewRenderer(&a).Render(m, &v, out)
		for i, p := range m.Pix {
			want := (float32(p)/255 - normMean[i%3]) / normStd[i%3]
			if math.Abs(float64(out[i]-want)) > 1e-6 {
				t.Fatalf("value %d: %g, want %g", i, out[i], want)
			}
		}
	}
}

// TestDraws checks ranges and frequencies of what is drawn, for both views of both pipelines.
func TestDraws(t *testing.T) {
	const n = 20000
	for _, name := range augmentations() {
		a, err := ParseAugment(name, 32)
		if err != nil {
			t.Fatal(err)
		}
		for view := 1; view <= 2; view++ {
			count, orders := map[string]int{}, map[[4]int]int{}
			var area float64
			for i := range n {
				w, h := 500, 375
				v := a.Draw(Identity{Seed: 3, Epoch: 7, Image: i, View: view}, w, h)
				if !(picture.Rect{W: w, H: h}).Contains(v.Crop) || v.Crop.W < 1 || v.Crop.H < 1 {
					t.Fatalf("image %d: crop %v of %d × %d", i, v.Crop, w, h)
				}
				area += float64(v.Crop.W*v.Crop.H) / float64(w*h)
				for what, is := range map[string]bool{"flip": v.Flip, "jitter": v.Jitter, "gray": v.Grayscale,
					"blur": v.Sigma > 0, "solarize": v.Solarize} {
					if is {
						count[what]++
					}
				}
				orders[v.Order]++
				lo, hi := [4]float32{-0.4, 0.6, 0.8, -0.1}, [4]float32{0.4, 1.4, 1.2, 0.1}
				for k, s := range v.Strength {
					if s < lo[k] || s > hi[k] {
						t.Fatalf("image %d: strength %d is %g", i, k, s)
					}
				}
				if v.Sigma != 0 && (v.Sigma < 0.1 || v.Sigma >= 2) {
					t.Fatalf("image %d: sigma %g", i, v.Sigma)
				}
			}
			want := map[string]float64{"flip": .5, "jitter": .8, "gray": .2, "blur": a.Blur[view-1],
				"solarize": a.Solarize[view-1]}
			for what, p := range want {
				if got := float64(count[what]) / n; math.Abs(got-p) > 4*math.Sqrt(p*(1-p)/n) {
					t.Errorf("%s, view %d: %s in %.4f of images, want %g", name, view, what, got, p)
				}
			}
			if len(orders) != 24 {
				t.Errorf("%s, view %d: %d orders of the colour operations, want 24", name, view, len(orders))
			}
			// The mean of U(0.08, 1) is 0.54; the clamp to the image takes a little away.
			if area /= n; area < 0.48 || area > 0.54 {
				t.Errorf("%s, view %d: mean area %.3f", name, view, area)
			}
		}
	}
}

// TestDrawsAreFixed: what a seed means must not change between versions.
func TestDrawsAreFixed(t *testing.T) {
	a, err := ParseAugment("byol", 224)
	if err != nil {
		t.Fatal(err)
	}
	v := a.Draw(Identity{Seed: 1, Epoch: 2, Image: 3, View: 2}, 500, 375)
	got := fmt.Sprintf("%v %v %v %v %.4f %v %.4f %v", v.Crop, v.Flip, v.Jitter, v.Order, v.Strength, v.Grayscale,
		v.Sigma, v.Solarize)
	const want = "{167 98 302 257} false false [3 0 2 1] [0.3327 1.2635 0.9034 0.0714] false 0.0000 true"
	if got != want {
		t.Errorf("draws of a fixed view: %s, want %s", got, want)
	}
}

func TestParseAugment(t *testing.T) {
	for _, c := range []struct {
		name string
		size int
		err  string
	}{
		{"byol", 224, ""},
		{"byol-noblur,min-area=0.2,exact", 32, ""},
		{"simclr", 32, `parse augmentation "simclr": no such pipeline (try: byol or byol-noblur) [2]`},
		{"byol", 0, `parse augmentation "byol": views of 0 pixels (try: a size from 1 to 8192) [2]`},
		{"byol,min-area=2", 32,
			`parse augmentation "byol,min-area=2": min-area is "2" (try: a number above 0, at most 1) [2]`},
		{"byol,area=0.3/1,hue=0.05,blur=0.5/0", 32, ""},
		{"byol,colour", 32, `parse augmentation "byol,colour": no option "colour" (try: min-area=0.08, exact, or area, ` +
			`ratio, flip, jitter, brightness, contrast, saturation, hue, grayscale, blur, blur-sigma, solarize) [2]`},
		{"byol,blur", 32, `parse augmentation "byol,blur": probabilities of blurring, in view 1 and view 2: two numbers ` +
			`with a comma between them (try: blur=1/0.1, which is the paper's) [2]`},
	} {
		_, err := ParseAugment(c.name, c.size)
		got := ""
		var f *failure.Failure
		if errors.As(err, &f) {
			got = fmt.Sprintf("%v (try: %s) [%d]", f, f.Try, f.Code)
		}
		if got != c.err {
			t.Errorf("%q at %d: %q, want %q", c.name, c.size, got, c.err)
		}
	}
}

// TestParseOptions: a pipeline's own words for its options give the same pipeline.
func TestParseOptions(t *testing.T) {
	want, err := Paper().With(map[string]string{"area": "0.3,0.9", "hue": "0.05", "solarize": "0.1,0"})
	if err != nil {
		t.Fatal(err)
	}
	text := "byol"
	for _, name := range Options() {
		text += "," + name + "=" + strings.ReplaceAll(want.Option(name), ",", "/")
	}
	got, err := ParseAugment(text, want.Size)
	if err != nil {
		t.Fatal(err)
	}
	got.Name = want.Name
	if got != want {
		t.Errorf("%s: %+v, want %+v", text, got, want)
	}
}

// TestExp against the standard library.
func TestExp(t *testing.T) {
	for x := -690.0; x <= 1; x += 0.37 {
		if got, want := exp(x), math.Exp(x); math.Abs(got-want) > 1e-12*want {
			t.Errorf("exp(%g) = %g, want %g", x, got, want)
		}
	}
}

// TestCropAndFlip: what a linear classifier is trained on follows from seed, epoch and image alone, not from the
// options of the pipelines; its draws are no view's of training.
func TestCropAndFlip(t *testing.T) {
	a, err := ParseAugment("byol-noblur,min-area=0.9", 32)
	if err != nil {
		t.Fatal(err)
	}
	b, err := ParseAugment("byol", 32)
	if err != nil {
		t.Fatal(err)
	}
	flips, small, same := 0, 0, 0
	seen := map[View]bool{}
	for i := range 400 {
		id := Identity{Seed: 4, Epoch: int64(i % 2), Image: i / 2}
		v := a.CropAndFlip(id, 50, 40)
		if got := b.CropAndFlip(Identity{Seed: 4, Epoch: id.Epoch, Image: id.Image, View: 2}, 50, 40); got != v {
			t.Fatalf("%+v: %+v and %+v", id, v, got)
		}
		if v.Jitter || v.Grayscale || v.Solarize || v.Sigma != 0 {
			t.Fatalf("%+v: %+v", id, v)
		}
		if w := b.Draw(Identity{Seed: 4, Epoch: id.Epoch, Image: id.Image, View: 1}, 50, 40); w.Crop == v.Crop {
			same++
		}
		seen[v] = true
		if v.Flip {
			flips++
		}
		if 2*v.Crop.W*v.Crop.H < 50*40 {
			small++
		}
	}
	if len(seen) < 350 || same > 10 {
		t.Errorf("%d different views of 400, %d the crops of training", len(seen), same)
	}
	if flips < 160 || flips > 240 || small < 140 || small > 230 { // (0.5−0.08)/0.92 of 400 are 183
		t.Errorf("of 400, %d are flipped and %d smaller than half", flips, small)
	}
}
