package settings

import "strings"

// Views are options of the pipelines of views, as text; "" is what the pipeline has that Augment names.
type Views struct {
	Area, Ratio                           string
	Flip                                  string
	Jitter                                string
	Brightness, Contrast, Saturation, Hue string
	Grayscale, Blur, BlurSigma, Solarize  string
}

// ViewPrefix begins the names of these settings; the rest is the option's name.
const ViewPrefix = "augment-"

func augmentation() []Setting {
	rows := []Setting{{Name: "augment", Group: Augmentation, At: func(v *Values) any { return &v.Augment },
		Default: "auto",
		Help: "byol, byol-noblur (small images; the same with --augment-blur 0,0 and evaluated on whole images), auto; " +
			"min-area=0.2 may follow",
		Life: Fixed, Field: "augment"}}
	for _, o := range []struct {
		name, help string
		at         func(*Views) *string
	}{
		{"area", "area of the crop in that of the picture, `LEAST,MOST` (byol: 0.08,1)",
			func(v *Views) *string { return &v.Area }},
		{"ratio", "width by height of the crop, `LEAST,MOST` (byol: 3/4 to 4/3)",
			func(v *Views) *string { return &v.Ratio }},
		{"flip", "probability `P` of mirroring (byol: 0.5)", func(v *Views) *string { return &v.Flip }},
		{"jitter", "probability `P` of changing colours (byol: 0.8)", func(v *Views) *string { return &v.Jitter }},
		{"brightness", "the most that is added or taken away, of white (byol: 0.4)",
			func(v *Views) *string { return &v.Brightness }},
		{"contrast", "how far from 1 its factor may be (byol: 0.4)", func(v *Views) *string { return &v.Contrast }},
		{"saturation", "how far from 1 its factor may be (byol: 0.2)",
			func(v *Views) *string { return &v.Saturation }},
		{"hue", "how far it may be turned, of a whole turn (byol: 0.1)", func(v *Views) *string { return &v.Hue }},
		{"grayscale", "probability `P` of dropping colours (byol: 0.2)",
			func(v *Views) *string { return &v.Grayscale }},
		{"blur", "probabilities `P1,P2` of blurring view 1 and view 2 (byol: 1,0.1)",
			func(v *Views) *string { return &v.Blur }},
		{"blur-sigma", "standard deviation of the blur in pixels, `LEAST,MOST` (byol: 0.1,2)",
			func(v *Views) *string { return &v.BlurSigma }},
		{"solarize", "probabilities `P1,P2` of solarizing view 1 and view 2 (byol: 0,0.2)",
			func(v *Views) *string { return &v.Solarize }},
	} {
		name := ViewPrefix + o.name
		rows = append(rows, Setting{Name: name, Group: Augmentation, At: func(v *Values) any { return o.at(&v.Views) },
			Default: "", Help: o.help, Life: Fixed, Makes: []string{strings.ReplaceAll(name, "-", "_")}})
	}
	return rows
}
