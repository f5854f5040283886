// Package canvas puts text, lines and pictures on a picture, for files that people look at.
//
// A Canvas owns its pixels and belongs to one goroutine.
//
// When it fails: it does not. What lies outside of the canvas is not drawn, and a character that the font lacks is a
// box.
package canvas

import (
	"image"
	"image/color"
	"math"
	"strings"

	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// Canvas is a picture under way.
type Canvas struct {
	*image.RGBA
	face   font.Face
	raster *vector.Rasterizer
}

// New makes a canvas of one colour. Text on it is size pixels high.
func New(width, height int, ground color.Color, size float64) *Canvas {
	f, err := opentype.Parse(goregular.TTF)
	if err != nil {
		panic("canvas: the font that is built in: " + err.Error())
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		panic("canvas: the font that is built in: " + err.Error())
	}
	c := &Canvas{RGBA: image.NewRGBA(image.Rect(0, 0, width, height)), face: face}
	c.raster = vector.NewRasterizer(width, height)
	draw.Draw(c, c.Bounds(), image.NewUniform(ground), image.Point{}, draw.Src)
	return c
}

// Text writes one line whose base is at (x, y).
func (c *Canvas) Text(x, y int, text string, ink color.Color) {
	d := font.Drawer{Dst: c, Src: image.NewUniform(ink), Face: c.face, Dot: fixed.P(x, y)}
	d.DrawString(plain(text))
}

// Width is how many pixels a line of text takes.
func (c *Canvas) Width(text string) int { return font.MeasureString(c.face, plain(text)).Ceil() }

// Fit is text, or its beginning and "…" if it is wider than so many pixels.
func (c *Canvas) Fit(text string, width int) string {
	if text = plain(text); c.Width(text) <= width {
		return text
	}
	runes := []rune(text)
	for len(runes) > 0 && c.Width(string(runes)+"…") > width {
		runes = runes[:len(runes)-1]
	}
	return string(runes) + "…"
}

// plain is text without what would move the pen.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\ufffd"))
}

// Line draws through points, so many pixels wide.
func (c *Canvas) Line(points [][2]float64, width float64, ink color.Color) {
	for i := 1; i < len(points); i++ {
		a, b := points[i-1], points[i]
		dx, dy := b[0]-a[0], b[1]-a[1]
		length := math.Hypot(dx, dy)
		if length == 0 || math.IsNaN(length) || math.IsInf(length, 0) {
			continue
		}
		nx, ny := -dy/length*width/2, dx/length*width/2
		c.polygon([][2]float64{{a[0] + nx, a[1] + ny}, {b[0] + nx, b[1] + ny}, {b[0] - nx, b[1] - ny},
			{a[0] - nx, a[1] - ny}}, ink)
	}
}

// Dot draws a disc.
func (c *Canvas) Dot(x, y, radius float64, ink color.Color) {
	const corners = 16
	var around [][2]float64
	for i := range corners {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / corners)
		around = append(around, [2]float64{x + radius*cos, y + radius*sin})
	}
	c.polygon(around, ink)
}

// polygon fills what points go round. The rasterizer works in the polygon's own box, which keeps it cheap.
func (c *Canvas) polygon(points [][2]float64, ink color.Color) {
	box := image.Rectangle{Min: image.Pt(math.MaxInt32, math.MaxInt32), Max: image.Pt(math.MinInt32, math.MinInt32)}
	for _, p := range points {
		if math.IsNaN(p[0]+p[1]) || math.Abs(p[0])+math.Abs(p[1]) > 1<<20 {
			return
		}
		box.Min = image.Pt(min(box.Min.X, int(math.Floor(p[0]))), min(box.Min.Y, int(math.Floor(p[1]))))
		box.Max = image.Pt(max(box.Max.X, int(math.Ceil(p[0]))+1), max(box.Max.Y, int(math.Ceil(p[1]))+1))
	}
	if box.Intersect(c.Bounds()).Empty() {
		return
	}
	c.raster.Reset(box.Dx(), box.Dy())
	for i, p := range points {
		x, y := float32(p[0]-float64(box.Min.X)), float32(p[1]-float64(box.Min.Y))
		if i == 0 {
			c.raster.MoveTo(x, y)
		} else {
			c.raster.LineTo(x, y)
		}
	}
	c.raster.ClosePath()
	c.raster.Draw(c, box, image.NewUniform(ink), image.Point{})
}

// Frame draws the border of a rectangle, so many pixels wide, to the inside.
func (c *Canvas) Frame(r image.Rectangle, width int, ink color.Color) {
	u := image.NewUniform(ink)
	for _, side := range []image.Rectangle{
		{r.Min, image.Pt(r.Max.X, r.Min.Y+width)}, {image.Pt(r.Min.X, r.Max.Y-width), r.Max},
		{r.Min, image.Pt(r.Min.X+width, r.Max.Y)}, {image.Pt(r.Max.X-width, r.Min.Y), r.Max},
	} {
		draw.Draw(c, side, u, image.Point{}, draw.Over)
	}
}

// Picture draws m into a rectangle, as large as fits in its proportions, in the middle. It returns where m lies. One
// that is enlarged keeps its pixels apart.
func (c *Canvas) Picture(r image.Rectangle, m image.Image) image.Rectangle {
	w, h := m.Bounds().Dx(), m.Bounds().Dy()
	if w == 0 || h == 0 {
		return image.Rectangle{Min: r.Min, Max: r.Min}
	}
	scale := min(float64(r.Dx())/float64(w), float64(r.Dy())/float64(h))
	to := image.Pt(max(int(float64(w)*scale+0.5), 1), max(int(float64(h)*scale+0.5), 1))
	at := r.Min.Add(image.Pt((r.Dx()-to.X)/2, (r.Dy()-to.Y)/2))
	in := image.Rectangle{Min: at, Max: at.Add(to)}
	var by draw.Scaler = draw.CatmullRom
	if scale >= 1 {
		by = draw.NearestNeighbor
	}
	by.Scale(c, in, m, m.Bounds(), draw.Src, nil)
	return in
}

// Shrink is m with at most side pixels in each direction, in its proportions; one that is small enough is m itself.
func Shrink(m image.Image, side int) image.Image {
	w, h := m.Bounds().Dx(), m.Bounds().Dy()
	if w <= side && h <= side {
		return m
	}
	scale := float64(side) / float64(max(w, h))
	out := image.NewRGBA(image.Rect(0, 0, max(int(float64(w)*scale), 1), max(int(float64(h)*scale), 1)))
	draw.CatmullRom.Scale(out, out.Bounds(), m, m.Bounds(), draw.Src, nil)
	return out
}
