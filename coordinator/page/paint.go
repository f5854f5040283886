package page

import (
	"image"
	"image/color"
	"math"

	"byol/internal/canvas"
)

// Colours of pictures, which are always light.
var (
	paper = color.RGBA{255, 255, 255, 255}
	ink   = color.RGBA{26, 34, 48, 255}
	soft  = color.RGBA{91, 102, 118, 255}
	rule  = color.RGBA{221, 226, 233, 255}
	red   = color.RGBA{180, 35, 24, 255}
)

// curveInk are the colours of curves, as in page.html.
func curveInk(number int) color.RGBA {
	all := []color.RGBA{{37, 99, 235, 255}, {217, 115, 13, 255}, {10, 143, 99, 255}, {147, 51, 234, 255},
		{190, 24, 93, 255}}
	return all[number%len(all)]
}

// zoom is how many pixels a unit of a plot is.
const zoom = 2

// Paint makes a picture of a chart along an axis.
func (c *Chart) Paint(a Axis, marks []Mark) image.Image {
	p := c.Plot(a, marks)
	const head = 28 * zoom
	m := canvas.New(int(p.Width)*zoom, int(p.Height)*zoom+head, paper, 12*zoom)
	at := func(x, y float64) [2]float64 { return [2]float64{x * zoom, y*zoom + head} }
	m.Text(int(p.Left)*zoom, 18*zoom, c.Title, ink)
	for _, t := range p.Y {
		m.Line([][2]float64{at(p.Left, t.At), at(p.Right, t.At)}, zoom/2, rule)
		m.Text(int(p.Left-6)*zoom-m.Width(t.Label), int(t.At+4)*zoom+head, t.Label, soft)
	}
	for _, t := range p.X {
		x := int(t.At)*zoom - m.Width(t.Label)/2
		m.Text(min(x, m.Bounds().Dx()-m.Width(t.Label)), int(p.Height-6)*zoom+head, t.Label, soft)
	}
	for _, v := range p.Marks {
		of := soft
		if v.Bad {
			of = red
		}
		m.Line([][2]float64{at(v.X, p.Top), at(v.X, p.Bottom)}, zoom/2, of)
	}
	for _, l := range p.Lines {
		for x := p.Left; x < p.Right; x += 9 {
			m.Line([][2]float64{at(x, l.Y), at(math.Min(x+5, p.Right), l.Y)}, zoom, soft)
		}
		x := int(l.X) * zoom
		if l.Anchor == "end" {
			x -= m.Width(l.Name)
		}
		m.Text(x, int(l.Y-3)*zoom+head, l.Name, soft)
	}
	for _, curve := range p.Curves {
		of := curveInk(curve.Number)
		width := 1.6 * zoom
		if curve.Faint {
			of, width = faint(of), zoom
		}
		var points [][2]float64
		for _, q := range curve.At {
			points = append(points, at(q[0], q[1]))
		}
		m.Line(points, width, of)
		for _, d := range curve.Dots {
			q := at(d.X, d.Y)
			m.Dot(q[0], q[1], 3*zoom, of)
		}
	}
	legend(m, c, int(p.Right)*zoom)
	return m
}

// faint is a colour on paper at a third of its strength.
func faint(c color.RGBA) color.RGBA {
	mix := func(v uint8) uint8 { return uint8((int(v) + 2*255) / 3) }
	return color.RGBA{mix(c.R), mix(c.G), mix(c.B), 255}
}

// legend names the curves at the right of the head.
func legend(m *canvas.Canvas, c *Chart, right int) {
	for i := len(c.Series) - 1; i >= 0; i-- {
		if s := c.Series[i]; !s.Faint && len(c.Series) > 1 {
			right -= m.Width(s.Name) + 10*zoom
			m.Text(right, 18*zoom, s.Name, curveInk(c.Number(i)))
		}
	}
}

// Paint makes a picture of a map.
func (m *Map) Paint() image.Image {
	const side = int(mapSide) * zoom
	out := canvas.New(side, side, paper, 12*zoom)
	place, _ := m.placing(float64(side))
	for i, p := range m.At {
		if !drawable(p) {
			continue
		}
		of := soft
		if c := m.classOf(i); c >= 0 {
			of = hue(Hue(c))
		}
		x, y := place(p)
		out.Dot(x, y, 3*zoom, of)
	}
	return out
}

// hue is the colour of an angle, at the saturation and lightness of the page's classes.
func hue(degrees int) color.RGBA {
	const saturation, lightness = 0.68, 0.45
	chroma := (1 - math.Abs(2*lightness-1)) * saturation
	channel := func(shift float64) uint8 {
		k := math.Mod(shift+float64(degrees)/30, 12)
		return uint8(255*(lightness-chroma/2*max(-1, min(k-3, 9-k, 1))) + 0.5)
	}
	return color.RGBA{channel(0), channel(8), channel(4), 255}
}
