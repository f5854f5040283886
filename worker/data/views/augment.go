package views

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"byol/internal/failure"
	"byol/worker/data/picture"
	"byol/worker/data/random"
)

// Augment is BYOL's pair of augmentation pipelines, T for view 1 and T' for view 2. Entry 0 of each pair is T's.
type Augment struct {
	Name       string  // as ParseAugment was given it
	Size       int     // views are Size × Size
	MinArea    float64 // the crop's area is uniform in [MinArea, MaxArea) of the image's
	MaxArea    float64
	Ratio      [2]float64 // the logarithm of its width by its height is uniform between theirs
	Flip       float64    // probabilities, here and below
	Jitter     float64
	Grayscale  float64
	Blur       [2]float64
	Solarize   [2]float64
	Brightness float64 // largest strengths, here and below
	Contrast   float64
	Saturation float64
	Hue        float64
	Sigma      [2]float64 // of the blur, uniform between these
	// Quantise rounds the fraction of a bicubic tap to 1/1024, as TensorFlow's resize does. Off: the exact kernel.
	Quantise bool
	// Plain evaluation uses the whole centre square; otherwise 224/256 of its side.
	Plain bool
}

// augmentations are the names that ParseAugment takes.
func augmentations() []string { return []string{"byol", "byol-noblur"} }

// ParseAugment gives the pipelines named "byol" (the paper's) or "byol-noblur" (the same without blur, evaluated on
// the whole image: for small images such as CIFAR's). Options may follow, as in "byol-noblur,min-area=0.2,blur=1/0.1":
// min-area, exact (the bicubic kernel without TensorFlow's rounding), and those of Options.
func ParseAugment(name string, size int) (Augment, error) {
	base, options, _ := strings.Cut(name, ",")
	a := Augment{Name: name, Size: size, MinArea: 0.08, MaxArea: 1, Ratio: usualRatio(), Flip: 0.5, Jitter: 0.8,
		Grayscale: 0.2, Blur: [2]float64{1, 0.1},
		Solarize: [2]float64{0, 0.2}, Brightness: 0.4, Contrast: 0.4, Saturation: 0.2, Hue: 0.1, Sigma: [2]float64{0.1, 2},
		Quantise: true}
	fail := func(why, try string) (Augment, error) {
		return Augment{}, &failure.Failure{What: fmt.Sprintf("parse augmentation %q", name), Why: why, Try: try,
			Code: failure.Usage}
	}
	switch base {
	case "byol":
	case "byol-noblur":
		a.Blur, a.Plain = [2]float64{}, true
	default:
		return fail("no such pipeline", strings.Join(augmentations(), " or "))
	}
	if size < 1 || size > 8192 {
		return fail(fmt.Sprintf("views of %d pixels", size), "a size from 1 to 8192")
	}
	for opt := range strings.SplitSeq(options, ",") {
		key, value, _ := strings.Cut(opt, "=")
		switch key {
		case "":
		case "exact":
			a.Quantise = false
		case "min-area":
			v, err := strconv.ParseFloat(value, 64)
			if err != nil || !(v > 0 && v <= 1) {
				return fail("min-area is "+strconv.Quote(value), "a number above 0, at most 1")
			}
			a.MinArea = v
		default:
			if !slices.Contains(Options(), key) {
				return fail("no option "+strconv.Quote(key), "min-area=0.08, exact, or "+strings.Join(Options(), ", "))
			}
			if err := a.Set(key, strings.ReplaceAll(value, "/", ",")); err != nil {
				paper := Paper()
				return fail(failure.Of(err, failure.Failure{}).Why,
					key+"="+strings.ReplaceAll(paper.Option(key), ",", "/")+", which is the paper's")
			}
		}
	}
	return a, nil
}

// View says everything that is done to one image to make one view.
type View struct {
	Crop      picture.Rect
	Flip      bool
	Jitter    bool
	Order     [4]int // the colour operations in their order: 0 brightness, 1 contrast, 2 saturation, 3 hue
	Strength  [4]float32
	Grayscale bool
	Sigma     float64 // of the blur; 0: none
	Solarize  bool
}

// The slots of a view's draws. They are part of what a seed means: never renumber them.
const (
	slotArea = iota
	slotAspect
	slotY
	slotX
	slotFlip
	slotJitter
	slotOrder
	slotBrightness
	slotContrast
	slotSaturation
	slotHue
	slotGrayscale
	slotBlur
	slotSigma
	slotSolarize
)

// Identity of a view: all its draws follow from it.
type Identity struct {
	Seed  uint64
	Epoch int64
	Image int // in the source's numbering
	View  int // 1 or 2
}

const tagDraw = 0x64726177 // "draw", so that its keys are no other stream's

// stream is that of all draws of a view.
func (id Identity) stream() random.Stream {
	key := random.Chain(random.Chain(tagDraw, id.Seed), uint64(id.Epoch))
	return random.Stream(random.Chain(random.Chain(key, uint64(id.Image)), uint64(id.View)))
}

// Draw gives the view of a w × h image with this identity. It is a pure function.
func (a *Augment) Draw(id Identity, w, h int) View {
	if id.View != 1 && id.View != 2 {
		panic("views: they are 1 and 2")
	}
	d, i := id.stream(), id.View-1
	v := View{
		Crop:      a.crop(d, w, h),
		Flip:      d.Uniform(slotFlip) < a.Flip,
		Jitter:    d.Uniform(slotJitter) < a.Jitter,
		Order:     permutation4(d.Below(slotOrder, 24)),
		Grayscale: d.Uniform(slotGrayscale) < a.Grayscale,
		Solarize:  d.Uniform(slotSolarize) < a.Solarize[i],
		Strength: [4]float32{
			float32(d.Between(slotBrightness, -a.Brightness, a.Brightness)),
			float32(d.Between(slotContrast, 1-a.Contrast, 1+a.Contrast)),
			float32(d.Between(slotSaturation, 1-a.Saturation, 1+a.Saturation)),
			float32(d.Between(slotHue, -a.Hue, a.Hue)),
		},
	}
	if d.Uniform(slotBlur) < a.Blur[i] {
		v.Sigma = d.Between(slotSigma, a.Sigma[0], a.Sigma[1])
	}
	return v
}

// linearArea is the least area of the crops on which linear classifiers are trained (Grill et al. 2020, appendix C.1).
const linearArea = 0.08

// viewLinear is the View of an Identity whose draws are CropAndFlip's.
const viewLinear = 3

// CropAndFlip is how a linear classifier's training sees a w × h image in an epoch: a random crop of at least 8 % of
// its area and a flip, no more (Grill et al. 2020, appendix C.1), whatever the options of the pipelines. The
// identity's View does not matter. It is a pure function.
func (a *Augment) CropAndFlip(id Identity, w, h int) View {
	id.View = viewLinear
	d, wide := id.stream(), Augment{MinArea: linearArea, MaxArea: 1, Ratio: usualRatio()}
	return View{Crop: wide.crop(d, w, h), Flip: d.Uniform(slotFlip) < 0.5}
}

// crop is the reference's random crop: one draw of area and aspect, clamped to the image, at a uniform place.
func (a *Augment) crop(d random.Stream, w, h int) picture.Rect {
	area := d.Between(slotArea, a.MinArea, a.MaxArea) * float64(w) * float64(h)
	narrow, wide := logRatio(a.Ratio)
	aspect := exp(d.Between(slotAspect, narrow, wide))
	cw := min(max(int(math.RoundToEven(math.Sqrt(area*aspect))), 1), w)
	ch := min(max(int(math.RoundToEven(math.Sqrt(area/aspect))), 1), h)
	return picture.Rect{X: d.Below(slotX, w-cw+1), Y: d.Below(slotY, h-ch+1), W: cw, H: ch}
}

// usualRatio is that of the paper's crops.
func usualRatio() [2]float64 { return [2]float64{3. / 4, 4. / 3} }

// logRatio are the logarithms of a ratio. Those of the usual one are what they have always been, to the last bit.
func logRatio(r [2]float64) (narrow, wide float64) {
	if r == usualRatio() {
		const usual = 0.28768207245178085 // ln 4/3
		return -usual, usual
	}
	return log(r[0]), log(r[1])
}

// permutation4 is permutation number n (0 … 23) of 0, 1, 2, 3.
func permutation4(n int) [4]int {
	p := [4]int{0, 1, 2, 3}
	for i := 3; i > 0; i-- {
		j := n % (i + 1)
		n /= i + 1
		p[i], p[j] = p[j], p[i]
	}
	return p
}

// evalCrop is the part of a w × h image that evaluation looks at: a centred square, of 224/256 of the shorter side
// or, if plain, all of it.
func evalCrop(w, h int, plain bool) picture.Rect {
	s := min(w, h)
	if !plain {
		s = max(s*cropPart/cropWhole, 1)
	}
	return picture.Rect{X: (w - s + 1) / 2, Y: (h - s + 1) / 2, W: s, H: s}
}

// EvalView is the view that evaluation uses: the crop, resized, and nothing else.
func (a *Augment) EvalView(w, h int) View { return View{Crop: evalCrop(w, h, a.Plain)} }
