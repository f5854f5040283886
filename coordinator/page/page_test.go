package page

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

func dab(t testing.TB, c color.Color) Picture {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 8, 8))
	for i := range 64 {
		m.Set(i%8, i/8, c)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// long is the page of a long run with everything on it.
func long(t testing.TB, steps int) *Page {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	var loss, std, rate, knn []Point
	for i := range steps {
		at, share := float64(i+1), float64(i)/float64(steps)
		p := func(v float64) Point { return Point{Steps: at, Seconds: at * 1.7, Value: v} }
		loss = append(loss, p(4*math.Exp(-3*share)+0.5+0.2*r.Float64()))
		std = append(std, p(0.9-0.2*share+0.05*r.Float64()))
		rate = append(rate, p(math.Min(share*10, 1)*(1+math.Cos(math.Pi*share))/2))
		if i%max(steps/12, 1) == 0 {
			knn = append(knn, p(0.3+0.4*share))
		}
	}
	p := &Page{Title: "imagenet-resnet50", State: "finished", Lead: "300 epochs of 1 281 167 images",
		Made: "made by byol", Facts: []Fact{{Name: "k-NN", Value: "70.1 %", More: "untrained 30.0 %"},
			{Name: "loss", Value: "0.61"}, {Name: "unreadable images", Value: "3", Bad: true}},
		Charts: []Chart{{Title: "Loss", Series: []Series{{Name: "of a step", Points: loss, Faint: true},
			{Name: "mean", Points: Smooth(loss, 100)}}},
			{Title: "Embedding std", Zero: true, Series: []Series{{Name: "std", Points: std}}, Lines: []Line{{"collapse", 0.2}}},
			{Title: "Accuracy", Percent: true, Series: []Series{{Name: "k-NN", Points: knn}},
				Lines: []Line{{"untrained", 0.3}, {"raw pixels", 0.35}}},
			{Title: "Learning rate", Series: []Series{{Name: "lr", Points: rate}}}},
		Marks: []Mark{{At: Point{Steps: float64(steps) / 3, Seconds: float64(steps) / 3 * 1.7}, Text: "worker-1 lost",
			Bad: true}},
		Events: []Event{{"12:00:00", "worker-lost", "worker-1: nothing was heard of it"}},
		Tables: []Table{{Title: "After step 100", Head: []string{"method", "figure", "%"},
			Rows: [][]string{{"knn", "top-1", "70.1"}}}},
		Settings: []Setting{{"base-lr", "0.3", ""}, {"epochs", "20", "300"}},
		Data:     []Fact{{Name: "images", Value: "1 281 167"}},
		Map:      &Map{Classes: []string{"tench", "goldfish", "shark"}, About: "two directions"},
	}
	for i := range 1000 {
		c := i%4 - 1
		p.Map.At = append(p.Map.At, [2]float64{r.NormFloat64() + 3*float64(c), r.NormFloat64() + float64(c*c)})
		p.Map.Class = append(p.Map.Class, c)
	}
	for i := range 64 {
		p.Pairs = append(p.Pairs, Pair{dab(t, color.Gray{uint8(4 * i)}), dab(t, color.RGBA{uint8(4 * i), 90, 90, 255}),
			"crop"})
	}
	for range 8 {
		n := Neighbours{Of: dab(t, color.Black), Name: "tench"}
		for k := range 6 {
			n.Near = append(n.Near, Near{dab(t, color.RGBA{200, uint8(30 * k), 40, 255}), "goldfish", k%2 == 0})
		}
		p.Neighbours = append(p.Neighbours, n)
	}
	return p
}

// TestPage has every part on the page of a long run, in a file of bounded size that asks nobody for anything.
func TestPage(t *testing.T) {
	for _, steps := range []int{0, 1, 2, 1000, 200_000} {
		text := rendered(t, long(t, steps))
		if len(text) > 2<<20 {
			t.Errorf("%d steps: %d bytes", steps, len(text))
		}
		checkPage(t, text)
		for _, id := range []string{"facts", "curves", "evaluations", "map", "views", "data", "settings", "events"} {
			if strings.Count(text, `id="`+id+`"`) != 1 {
				t.Errorf("%d steps: there is no part %s", steps, id)
			}
		}
		for _, want := range []string{"imagenet-resnet50", "nothing was heard", "70.1 %", "its preset has", "tench",
			"1 281 167"} {
			if !strings.Contains(text, want) {
				t.Errorf("%d steps: %q is not on the page", steps, want)
			}
		}
		if pairs := strings.Count(text, `class="pair"`); pairs != 64 {
			t.Errorf("%d pairs", pairs)
		}
	}
}

func rendered(t *testing.T, p *Page) string {
	t.Helper()
	var b bytes.Buffer
	if err := Render(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// void are elements without an end.
var void = map[string]bool{"meta": true, "input": true, "img": true, "!doctype": true}

// handler is an attribute that does something, told once values are taken away.
var (
	handler = regexp.MustCompile(`(?i)\son[a-z]+=`)
	quoted  = regexp.MustCompile(`"[^"]*"`)
	address = regexp.MustCompile(`(?:src|href)="([^"]{0,20})`)
)

var tag = regexp.MustCompile(`<(/?)([a-zA-Z!][a-zA-Z0-9-]*)((?:[^>"']|"[^"]*"|'[^']*')*)>`)

// checkPage reads a page as a browser does, strictly: elements are closed in order, and nothing comes from elsewhere.
func checkPage(t *testing.T, text string) {
	t.Helper()
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		t.Error("the page is no UTF-8")
	}
	var open []string
	for _, m := range tag.FindAllStringSubmatch(text, -1) {
		name, attributes := strings.ToLower(m[2]), m[3]
		switch {
		case name == "script" || name == "link" || name == "iframe" || name == "object":
			t.Errorf("an element %s", m[0])
		case handler.MatchString(quoted.ReplaceAllString(attributes, `""`)):
			t.Errorf("an element with a deed: %s", m[0])
		case m[1] == "/":
			if len(open) == 0 || open[len(open)-1] != name {
				t.Fatalf("</%s> closes %v", name, open)
			}
			open = open[:len(open)-1]
		case !void[name] && !strings.HasSuffix(attributes, "/"):
			open = append(open, name)
		}
	}
	if len(open) != 0 {
		t.Errorf("never closed: %v", open)
	}
	for _, m := range address.FindAllStringSubmatch(text, -1) {
		if !strings.HasPrefix(m[1], "data:image/") {
			t.Errorf("a page that asks %q", m[1])
		}
	}
	for _, foreign := range []string{"http:", "https:", "url(", "@import", "ZgotmplZ"} {
		if strings.Contains(text, foreign) {
			t.Errorf("the page has %q", foreign)
		}
	}
}

// TestHostileNames: whatever texts and numbers are, they are shown and do nothing.
func TestHostileNames(t *testing.T) {
	nasty := []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onload='x`, "a\xff\xfeb",
		"nul\x00",
		`</style><b>`, `--x}</title>`, `{{.Title}}`, "javascript:alert(1)", "\u202e\u2028", `]]>`}
	for _, s := range nasty {
		p := long(t, 50)
		p.Title, p.State, p.Lead, p.Made = s, s, s, s
		p.Facts = append(p.Facts, Fact{Name: s, Value: s, More: s})
		p.ChartsNote, p.EventsNote, p.TablesNote, p.SettingsNote, p.PairsNote, p.MapNote, p.NeighboursNote = s, s, s, s, s,
			s, s
		p.Charts[0].Title, p.Charts[0].Series[1].Name = s, s
		p.Charts[2].Lines[0].Name = s
		p.Charts[2].Series[0].Name = s
		p.Marks[0].Text = s
		p.Events = append(p.Events, Event{s, s, s})
		p.Tables[0] = Table{Title: s, Head: []string{s}, Rows: [][]string{{s}}, Notes: []string{s}}
		p.Settings = append(p.Settings, Setting{s, s, s})
		p.Data = append(p.Data, Fact{Name: s, Value: s, More: s})
		p.Pairs[0].About = s
		p.Map.Classes[0], p.Map.About = s, s
		p.Neighbours[0].Name, p.Neighbours[0].Near[0].Name = s, s
		checkPage(t, strings.ReplaceAll(rendered(t, p), "javascript:alert(1)", "j"))
	}
	p := long(t, 50)
	p.Pairs[0].One, p.Neighbours[0].Of = Picture(`"><script>`), nil
	for i, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e308, -1e308, 5e-324} {
		p.Charts[0].Series[0].Points[i].Value = v
		p.Charts[1].Series[0].Points[i].Seconds = v
		p.Charts[3].Series[0].Points[i].Steps = v
		p.Map.At[i] = [2]float64{v, -v}
	}
	p.Map.Class = p.Map.Class[:10]
	checkPage(t, rendered(t, p))
	checkPage(t, rendered(t, &Page{}))
	checkPage(t, rendered(t, &Page{Charts: []Chart{{Title: "nothing"}}, Map: &Map{}}))
}

// TestPaint makes a picture of each chart and of the map, by step and by time, also of nothing.
func TestPaint(t *testing.T) {
	p := long(t, 5000)
	for _, c := range append(p.Charts, Chart{Title: "nothing"}) {
		for _, a := range []Axis{BySteps, ByTime} {
			m := c.Paint(a, p.Marks)
			colours := map[color.Color]bool{}
			for i := range m.Bounds().Dx() {
				for k := range m.Bounds().Dy() {
					colours[m.At(i, k)] = true
				}
			}
			if len(colours) < 3 {
				t.Errorf("%s by %s has %d colours", c.Title, a, len(colours))
			}
		}
	}
	if m := p.Map.Paint(); m.Bounds().Dx() != m.Bounds().Dy() {
		t.Errorf("a map of %v", m.Bounds())
	}
	if m := (&Map{}).Paint(); m == nil {
		t.Error("no map of nothing")
	}
}
