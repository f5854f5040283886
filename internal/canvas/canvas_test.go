package canvas

import (
	"image"
	"image/color"
	"math"
	"strings"
	"testing"
)

var (
	white = color.RGBA{255, 255, 255, 255}
	black = color.RGBA{0, 0, 0, 255}
)

// inked are how many pixels of a part are not white.
func inked(c *Canvas, r image.Rectangle) (n int) {
	for x := r.Min.X; x < r.Max.X; x++ {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			if c.RGBAAt(x, y) != white {
				n++
			}
		}
	}
	return n
}

// TestCanvas draws each thing and looks where ink is, and where none is.
func TestCanvas(t *testing.T) {
	all := image.Rect(0, 0, 200, 100)
	for name, c := range map[string]struct {
		draw    func(c *Canvas)
		in      image.Rectangle // nowhere else
		atLeast int
	}{
		"text": {func(c *Canvas) { c.Text(20, 40, "blur σ 1.3", black) }, image.Rect(18, 26, 120, 46), 60},
		"line": {func(c *Canvas) { c.Line([][2]float64{{10, 10}, {50, 10}, {50, 60}}, 2, black) },
			image.Rect(9, 8, 52, 61), 170},
		"dot":     {func(c *Canvas) { c.Dot(30, 30, 5, black) }, image.Rect(24, 24, 36, 36), 70},
		"frame":   {func(c *Canvas) { c.Frame(image.Rect(5, 5, 25, 25), 2, black) }, image.Rect(5, 5, 25, 25), 144},
		"picture": {func(c *Canvas) { c.Picture(image.Rect(0, 0, 40, 40), dark(8, 4)) }, image.Rect(0, 10, 40, 30), 800},
		"small":   {func(c *Canvas) { c.Picture(image.Rect(0, 0, 10, 10), dark(80, 80)) }, image.Rect(0, 0, 10, 10), 100},
		"outside": {func(c *Canvas) { c.Dot(500, 500, 9, black); c.Text(-900, 40, "x", black) }, image.Rectangle{}, 0},
		"no line": {func(c *Canvas) { c.Line([][2]float64{{math.NaN(), 1}, {5, math.Inf(1)}, {5, 5}, {5, 5}}, 2, black) },
			image.Rectangle{}, 0},
		"nothing": {func(c *Canvas) { c.Picture(all, image.NewRGBA(image.Rectangle{})) }, image.Rectangle{}, 0},
	} {
		canvas := New(200, 100, white, 12)
		c.draw(canvas)
		if got := inked(canvas, c.in); got < c.atLeast || inked(canvas, all) != got {
			t.Errorf("%s: %d pixels where they must be, at least %d wanted; %d in all", name, got, c.atLeast,
				inked(canvas, all))
		}
	}
}

func dark(w, h int) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := 3; i < len(m.Pix); i += 4 {
		m.Pix[i] = 255
	}
	return m
}

// TestFit shortens text that is too wide, whatever it is made of.
func TestFit(t *testing.T) {
	c := New(10, 10, white, 12)
	for _, text := range []string{"", "short", strings.Repeat("a long name ", 30), "\xff\xfe\x00\n",
		strings.Repeat("字", 99)} {
		if got := c.Fit(text, 100); c.Width(got) > 100 || strings.ContainsAny(got, "\n\x00") {
			t.Errorf("%q is shortened to %q, %d wide", text, got, c.Width(got))
		}
	}
	if got := c.Fit("short", 100); got != "short" {
		t.Errorf("what fits becomes %q", got)
	}
}

// TestShrink keeps proportions, and leaves alone what is small.
func TestShrink(t *testing.T) {
	if m := Shrink(dark(300, 100), 60); m.Bounds() != image.Rect(0, 0, 60, 20) {
		t.Errorf("%v", m.Bounds())
	}
	if m := Shrink(dark(1000, 1), 60); m.Bounds() != image.Rect(0, 0, 60, 1) {
		t.Errorf("%v", m.Bounds())
	}
	if small := dark(30, 60); Shrink(small, 60) != small {
		t.Error("what fits was changed")
	}
}
