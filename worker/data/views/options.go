package views

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"byol/internal/failure"
)

// option is a number of a pipeline, or a pair of them, that can be chosen by name.
type option struct {
	name      string
	what      string // for help
	low, high float64
	ordered   bool // a pair whose first number is at most the second; the others are one for each view
	at        func(*Augment) []*float64
}

// options are in the order in which a view is made.
func options() []option {
	one := func(p func(*Augment) *float64) func(*Augment) []*float64 {
		return func(a *Augment) []*float64 { return []*float64{p(a)} }
	}
	two := func(p func(*Augment) *[2]float64) func(*Augment) []*float64 {
		return func(a *Augment) []*float64 { v := p(a); return []*float64{&v[0], &v[1]} }
	}
	return []option{
		{"area", "area of the crop, of the picture's: least and most", 1e-6, 1, true,
			func(a *Augment) []*float64 { return []*float64{&a.MinArea, &a.MaxArea} }},
		{"ratio", "width by height of the crop: least and most", 0.01, 100, true,
			two(func(a *Augment) *[2]float64 { return &a.Ratio })},
		{"flip", "probability of mirroring", 0, 1, false, one(func(a *Augment) *float64 { return &a.Flip })},
		{"jitter", "probability of changing colours", 0, 1, false, one(func(a *Augment) *float64 { return &a.Jitter })},
		{"brightness", "at most so much is added or taken away", 0, 1, false,
			one(func(a *Augment) *float64 { return &a.Brightness })},
		{"contrast", "factor at most so far from 1", 0, 1, false, one(func(a *Augment) *float64 { return &a.Contrast })},
		{"saturation", "factor at most so far from 1", 0, 1, false,
			one(func(a *Augment) *float64 { return &a.Saturation })},
		{"hue", "turned by at most so much of the circle", 0, 0.5, false,
			one(func(a *Augment) *float64 { return &a.Hue })},
		{"grayscale", "probability of dropping colours", 0, 1, false,
			one(func(a *Augment) *float64 { return &a.Grayscale })},
		{"blur", "probabilities of blurring, in view 1 and view 2", 0, 1, false,
			two(func(a *Augment) *[2]float64 { return &a.Blur })},
		{"blur-sigma", "standard deviation of the blur in pixels: least and most", 0.01, 100, true,
			two(func(a *Augment) *[2]float64 { return &a.Sigma })},
		{"solarize", "probabilities of solarizing, in view 1 and view 2", 0, 1, false,
			two(func(a *Augment) *[2]float64 { return &a.Solarize })},
	}
}

// Options are the names of the numbers that can be chosen, in the order in which a view is made.
func Options() []string {
	var names []string
	for _, o := range options() {
		names = append(names, o.name)
	}
	return names
}

func find(name string) *option {
	for _, o := range options() {
		if o.name == name {
			return &o
		}
	}
	panic("views: no option " + name)
}

// Option is the value of an option as text: a number, or two with a comma between them. Equal texts are equal values.
func (a *Augment) Option(name string) string {
	var parts []string
	for _, p := range find(name).at(a) {
		parts = append(parts, strconv.FormatFloat(*p, 'g', -1, 64))
	}
	return strings.Join(parts, ",")
}

// Set gives an option another value. What is wrong with one is a *failure.Failure, and nothing is changed.
func (a *Augment) Set(name, value string) error {
	o := find(name)
	to := o.at(a)
	words := strings.Split(value, ",")
	fail := func(why string) error {
		paper := Paper()
		return &failure.Failure{What: fmt.Sprintf("--augment-%s cannot be %q", name, value), Why: why,
			Try: fmt.Sprintf("--augment-%s %s, which is the paper's", name, paper.Option(name)), Code: failure.Usage}
	}
	if len(words) != len(to) {
		return fail(o.form())
	}
	numbers := make([]float64, len(to))
	for i, w := range words {
		x, err := strconv.ParseFloat(strings.TrimSpace(w), 64)
		if err != nil || math.IsNaN(x) {
			return fail(o.form())
		}
		if x < o.low || x > o.high {
			return fail(fmt.Sprintf("%s: from %g to %g", o.what, o.low, o.high))
		}
		numbers[i] = x
	}
	if o.ordered && numbers[0] > numbers[1] {
		return fail(o.what + ": the first is at most the second")
	}
	for i, x := range numbers {
		*to[i] = x
	}
	return nil
}

// form says how a value is written.
func (o *option) form() string {
	if len(o.at(&Augment{})) == 2 {
		return o.what + ": two numbers with a comma between them"
	}
	return o.what + ": one number"
}

// With is the pipeline with other values of options; empty ones are left as they are.
func (a Augment) With(values map[string]string) (Augment, error) {
	for _, name := range Options() {
		if v := values[name]; v != "" {
			if err := a.Set(name, v); err != nil {
				return Augment{}, err
			}
		}
	}
	return a, nil
}

// Paper is the pipeline of the paper, for views of a pixel.
func Paper() Augment {
	paper, err := ParseAugment("byol", 1)
	if err != nil {
		panic("views: the paper's pipeline is none")
	}
	return paper
}

// FromPaper lists the options whose values are not the paper's, as "hue 0.2 (paper 0.1)".
func (a *Augment) FromPaper() []string {
	paper := Paper()
	var differ []string
	for _, name := range Options() {
		if ours, theirs := a.Option(name), paper.Option(name); ours != theirs {
			differ = append(differ, fmt.Sprintf("%s %s (paper %s)", name, ours, theirs))
		}
	}
	return differ
}
