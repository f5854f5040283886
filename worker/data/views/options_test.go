package views

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"byol/internal/failure"
	"byol/worker/data/picture"
)

// drawsOf is a digest of many draws of a pipeline, to the last bit.
func drawsOf(a *Augment) string {
	h := fnv.New64a()
	for i := range 2000 {
		for view := 1; view <= 2; view++ {
			fmt.Fprintf(h, "%v\n", a.Draw(Identity{Seed: 5, Epoch: int64(i % 3), Image: i, View: view}, 300+i%50, 200+i%70))
		}
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// TestDrawsWithoutOptions: what the named pipelines draw is what they drew before there were options.
func TestDrawsWithoutOptions(t *testing.T) {
	for name, want := range map[string]string{"byol": "8ee0145c1568984e", "byol-noblur,min-area=0.2": "f68e5e506ba7cb56"} {
		a, err := ParseAugment(name, 224)
		if err != nil {
			t.Fatal(err)
		}
		if got := drawsOf(&a); got != want {
			t.Errorf("%s draws %s, want %s", name, got, want)
		}
		own := map[string]string{}
		for _, o := range Options() {
			own[o] = a.Option(o)
		}
		same, err := a.With(own)
		if err != nil || same != a || drawsOf(&same) != want {
			t.Errorf("%s with its own options is another: %+v, %v", name, same, err)
		}
	}
}

// TestNoBlurIsShort: byol-noblur is byol with one option, seen whole in evaluation.
func TestNoBlurIsShort(t *testing.T) {
	byol, err := ParseAugment("byol", 32)
	if err != nil {
		t.Fatal(err)
	}
	short, err := ParseAugment("byol-noblur", 32)
	if err != nil {
		t.Fatal(err)
	}
	long, err := byol.With(map[string]string{"blur": "0,0"})
	if err != nil || drawsOf(&long) != drawsOf(&short) || !short.Plain || long.Plain {
		t.Errorf("%+v and %+v, %v", short, long, err)
	}
	if got := short.FromPaper(); fmt.Sprint(got) != "[blur 0,0 (paper 1,0.1)]" {
		t.Errorf("differs from the paper by %q", got)
	}
	if got := byol.FromPaper(); got != nil {
		t.Errorf("the paper's differs from the paper by %q", got)
	}
}

// always finds a view that is not what it must be, and says which.
func always(is func(v View) bool) func([]View) string {
	return func(all []View) string {
		for i, v := range all {
			if !is(v) {
				return fmt.Sprintf("view %d is %+v", i, v)
			}
		}
		return ""
	}
}

// often counts views, and says when they are too few or too many for a probability.
func often(p float64, is func(v View) bool) func([]View) string {
	return func(all []View) string {
		count, n := 0.0, float64(len(all))
		for _, v := range all {
			if is(v) {
				count++
			}
		}
		if got := count / n; math.Abs(got-p) > 4*math.Sqrt(p*(1-p)/n)+1e-9 {
			return fmt.Sprintf("%.4f of the views, want %g", got, p)
		}
		return ""
	}
}

// TestOptions gives each option a value and looks at what is drawn.
func TestOptions(t *testing.T) {
	const n, w, h = 4000, 500, 375
	share := func(v View) float64 { return float64(v.Crop.W*v.Crop.H) / (w * h) }
	strength := func(op int, low, high float32) func([]View) string {
		return always(func(v View) bool { return v.Strength[op] >= low && v.Strength[op] <= high })
	}
	for _, c := range []struct {
		option, value string
		view          int
		wrong         func([]View) string
	}{
		{"area", "0.1,0.2", 1, always(func(v View) bool { return share(v) > 0.098 && share(v) < 0.202 })},
		{"ratio", "2,2", 1, always(func(v View) bool {
			return v.Crop.W == w ||
				math.Abs(float64(v.Crop.W)/float64(v.Crop.H)-2) < 0.03
		})},
		{"ratio", "0.5,0.5", 2, always(func(v View) bool {
			return v.Crop.H == h ||
				math.Abs(float64(v.Crop.W)/float64(v.Crop.H)-0.5) < 0.03
		})},
		{"flip", "0.25", 1, often(0.25, func(v View) bool { return v.Flip })},
		{"flip", "1", 2, always(func(v View) bool { return v.Flip })},
		{"jitter", "0", 1, always(func(v View) bool { return !v.Jitter })},
		{"grayscale", "0.9", 2, often(0.9, func(v View) bool { return v.Grayscale })},
		{"blur", "0.3,0.6", 1, often(0.3, func(v View) bool { return v.Sigma > 0 })},
		{"blur", "0.3,0.6", 2, often(0.6, func(v View) bool { return v.Sigma > 0 })},
		{"blur-sigma", "3,4", 1, always(func(v View) bool { return v.Sigma >= 3 && v.Sigma < 4 })},
		{"solarize", "0.5,0", 1, often(0.5, func(v View) bool { return v.Solarize })},
		{"solarize", "0.5,0", 2, always(func(v View) bool { return !v.Solarize })},
		{"brightness", "0.01", 1, strength(0, -0.01, 0.01)}, {"contrast", "0", 2, strength(1, 1, 1)},
		{"saturation", "0.5", 1, strength(2, 0.5, 1.5)}, {"hue", "0.5", 2, strength(3, -0.5, 0.5)},
	} {
		a, err := ParseAugment("byol", 32)
		if err == nil {
			a, err = a.With(map[string]string{c.option: c.value})
		}
		if err != nil {
			t.Fatal(err)
		}
		if a.Option(c.option) != c.value || len(a.FromPaper()) != 1 {
			t.Errorf("%s %s reads %s, and differs from the paper by %q", c.option, c.value, a.Option(c.option), a.FromPaper())
		}
		var all []View
		for i := range n {
			v := a.Draw(Identity{Seed: 2, Image: i, View: c.view}, w, h)
			if !(picture.Rect{W: w, H: h}).Contains(v.Crop) {
				t.Fatalf("%s %s: crop %v", c.option, c.value, v.Crop)
			}
			all = append(all, v)
		}
		if why := c.wrong(all); why != "" {
			t.Errorf("%s %s, view %d: %s", c.option, c.value, c.view, why)
		}
	}
}

// TestOptionsRefused says in three parts what is wrong, and changes nothing.
func TestOptionsRefused(t *testing.T) {
	for _, c := range []struct{ option, value, why string }{
		{"area", "0.5", "two numbers with a comma between them"}, {"area", "0,1", "from 1e-06 to 1"},
		{"area", "0.5,0.2", "the first is at most the second"}, {"area", "0.1,1.5", "from 1e-06 to 1"},
		{"ratio", "0,1", "from 0.01 to 100"}, {"flip", "1.1", "from 0 to 1"}, {"flip", "-0.1", "from 0 to 1"},
		{"flip", "0,1", "one number"}, {"hue", "0.6", "from 0 to 0.5"}, {"jitter", "NaN", "one number"},
		{"jitter", "often", "one number"}, {"blur", "1,0.1,0", "two numbers"}, {"blur", "1,2", "from 0 to 1"},
		{"blur-sigma", "0,2", "from 0.01 to 100"}, {"solarize", ",", "two numbers"}, {"brightness", "+Inf", "from 0 to 1"},
	} {
		a, err := ParseAugment("byol", 32)
		if err != nil {
			t.Fatal(err)
		}
		before := a
		var f *failure.Failure
		if err := a.Set(c.option, c.value); !errors.As(err, &f) || !strings.Contains(f.Why, c.why) ||
			!strings.HasPrefix(f.What, "--augment-"+c.option) || f.Try == "" || f.Code != failure.Usage || a != before {
			t.Errorf("%s %q: %v, want %q", c.option, c.value, err, c.why)
		}
	}
}

// TestOptionTexts: what an option reads as gives the same value again.
func TestOptionTexts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, err := ParseAugment("byol", 32)
		if err != nil {
			t.Fatal(err)
		}
		o := rapid.SampledFrom(options()).Draw(t, "option")
		var words []string
		x := o.low
		for range o.at(&a) {
			if !o.ordered {
				x = o.low
			}
			x = rapid.Float64Range(x, o.high).Draw(t, "x")
			words = append(words, fmt.Sprintf(" %v", x))
		}
		if err := a.Set(o.name, strings.Join(words, ",")); err != nil {
			t.Fatal(err)
		}
		b, err := a.With(map[string]string{o.name: a.Option(o.name)})
		if err != nil || a != b {
			t.Errorf("%+v and %+v, %v", a, b, err)
		}
	})
}

// TestLog against the standard library, where ratios are.
func TestLog(t *testing.T) {
	for v := 0.01; v <= 100; v *= 1.003 {
		if got, want := log(v), math.Log(v); math.Abs(got-want) > 1e-12 {
			t.Errorf("log(%g) = %g, want %g", v, got, want)
		}
	}
}

// TestCropAndFlipHasNoOptions: how a classifier's training sees images is not an option of the pipelines.
func TestCropAndFlipHasNoOptions(t *testing.T) {
	a, err := ParseAugment("byol,min-area=0.5", 32)
	if err != nil {
		t.Fatal(err)
	}
	b, err := a.With(map[string]string{"area": "0.9,0.95", "ratio": "2,3", "flip": "1"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		id := Identity{Seed: 1, Image: i}
		if x, y := a.CropAndFlip(id, 300, 200), b.CropAndFlip(id, 300, 200); x != y {
			t.Errorf("image %d is seen as %+v and %+v", i, x, y)
		}
	}
}
