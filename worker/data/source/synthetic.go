package source

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"byol/worker/data/picture"
	"byol/worker/data/random"
)

// syntheticClasses are the labels of the generated set: six shapes, drawn several times, and four textures.
var syntheticClasses = []string{"discs", "rings", "squares", "triangles", "crosses", "bars",
	"stripes", "checks", "dots", "blotches"}

// synthetic is a Source that draws its images: image i is a pure function of (seed, split, i), and its class is
// i mod 10.
//
// What an image shares between two crops is its class and little else: shades, sizes and angles are drawn anew for each
// element, and the background runs between the shades of four corners. So neither raw pixels nor shades tell the
// classes apart, while a network that learns to give two views of an image the same features learns the classes.
type synthetic struct {
	n, size     int
	seed, split uint64
	manifest    string
}

// openSynthetic takes "N,size=32,seed=1,split=eval", all of it optional.
func openSynthetic(spec string) (Source, error) {
	s := &synthetic{n: 20000, size: 32, seed: 1}
	fail := func(why string) (Source, error) {
		return nil, failed(fmt.Sprintf("open data %q", "synthetic:"+spec), why,
			"synthetic:20000,size=32,seed=1,split=eval", nil)
	}
	for i, opt := range strings.Split(spec, ",") {
		key, value, named := strings.Cut(strings.TrimSpace(opt), "=")
		if !named {
			if i > 0 || key == "" && spec != "" {
				return fail(fmt.Sprintf("%q is not a setting", opt))
			}
			key, value = "n", key
			if value == "" {
				continue
			}
		}
		var err error
		switch key {
		case "n":
			s.n, err = within(value, 1, 1<<30)
		case "size":
			s.size, err = within(value, 8, 4096)
		case "seed":
			if s.seed, err = strconv.ParseUint(value, 10, 64); err != nil {
				err = fmt.Errorf("%q is not a number of at least 0", value)
			}
		case "split":
			switch value {
			case "train":
				s.split = 0
			case "eval":
				s.split = 1
			default:
				return fail(fmt.Sprintf("split %q is neither train nor eval", value))
			}
		default:
			return fail(fmt.Sprintf("there is no setting %q", key))
		}
		if err != nil {
			return fail(fmt.Sprintf("%s: %v", key, err))
		}
	}
	id := fmt.Sprintf("synthetic 1: %d images of %d pixels, seed %d, split %d", s.n, s.size, s.seed, s.split)
	s.manifest = manifest(1, len(syntheticClasses), func(int) (string, int64, int) { return id, 0, 0 })
	return s, nil
}

func within(s string, lo, hi int) (int, error) {
	v, err := strconv.Atoi(s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number", s)
	}
	if v < lo || v > hi {
		return 0, fmt.Errorf("%d is not from %d to %d", v, lo, hi)
	}
	return v, nil
}

func (s *synthetic) Len() int          { return s.n }
func (s *synthetic) Label(i int) int   { return i % len(syntheticClasses) }
func (s *synthetic) Classes() []string { return syntheticClasses }
func (*synthetic) Omitted() []Omission { return nil }
func (s *synthetic) Manifest() string  { return s.manifest }
func (s *synthetic) Close() error      { return nil }

// Entry implements Source.
func (s *synthetic) Entry(i int) string {
	return fmt.Sprintf("%s/%09d.ppm", syntheticClasses[s.Label(i)], i)
}

func (s *synthetic) Name(i int) string {
	return fmt.Sprintf("synthetic:%d (%s)", i, syntheticClasses[s.Label(i)])
}

// Bytes draws image i as a PPM file.
func (s *synthetic) Bytes(ctx context.Context, i int, buf []byte) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	const tagSynthetic = 0x73796e7468
	d := &dice{key: random.Stream(random.Chain(random.Chain(random.Chain(tagSynthetic, s.seed), s.split), uint64(i)))}
	head := fmt.Appendf(buf[:0], "P6\n%d %d\n255\n", s.size, s.size)
	pixels := 3 * s.size * s.size
	out := append(head, make([]byte, pixels)...)
	drawing{size: s.size, pix: out[len(head):]}.draw(d, s.Label(i))
	return out, nil
}

// dice gives one draw after another.
type dice struct {
	key random.Stream
	at  int
}

func (d *dice) between(lo, hi float64) float64 {
	d.at++
	return d.key.Between(d.at, lo, hi)
}

type rgb [3]float64

// colour is a grey with a tint: were it any colour, the mean colour of an image would tell it from others in both
// views, and a network would learn that long before it learns shapes.
func (d *dice) colour() rgb {
	grey, c := d.between(0, 1), rgb{}
	for k := range c {
		c[k] = min(max(grey+d.between(-0.08, 0.08), 0), 1)
	}
	return c
}

// apart is a colour that can be told from c.
func (d *dice) apart(c rgb) rgb {
	for {
		o := d.colour()
		if math.Abs(o[0]-c[0])+math.Abs(o[1]-c[1])+math.Abs(o[2]-c[2]) > 0.8 {
			return o
		}
	}
}

// drawing is an image being drawn; places are in [0, 1] across and down.
type drawing struct {
	size int
	pix  []byte
}

func (p drawing) draw(d *dice, class int) {
	if class < 6 {
		p.shapes(d, class)
	} else {
		p.texture(d, class)
	}
	noise := random.Stream(d.key.Bits(-2))
	for i, v := range p.pix {
		p.pix[i] = uint8(min(max(int(v)+int(noise.Bits(i)>>59)-16, 0), 255))
	}
}

// each lays a colour over the pixels of an area, with an opacity.
func (p drawing) each(area picture.Rect, at func(x, y float64) (rgb, float64)) {
	scale := 1 / float64(p.size)
	for y := max(area.Y, 0); y < min(area.Y+area.H, p.size); y++ {
		for x := max(area.X, 0); x < min(area.X+area.W, p.size); x++ {
			c, a := at((float64(x)+0.5)*scale, (float64(y)+0.5)*scale)
			if a <= 0 {
				continue
			}
			o := p.pix[3*(y*p.size+x):][:3]
			for k := range o {
				o[k] = uint8(float64(float64(o[k])*(1-a)) + float64(255*c[k]*a) + 0.5)
			}
		}
	}
}

func mixed(a, b rgb, t float64) rgb {
	for k := range a {
		a[k] += float64((b[k] - a[k]) * t)
	}
	return a
}

// shapes draws one shape five to eight times, on a background that runs between the colours of its four corners.
func (p drawing) shapes(d *dice, class int) {
	corners := [4]rgb{d.colour(), d.colour(), d.colour(), d.colour()}
	background := func(x, y float64) rgb {
		return mixed(mixed(corners[0], corners[1], x), mixed(corners[2], corners[3], x), y)
	}
	p.each(picture.Rect{W: p.size, H: p.size}, func(x, y float64) (rgb, float64) { return background(x, y), 1 })
	n := int(d.between(5, 9))
	cell := int(d.between(0, 9))
	for range n {
		cell = (cell + 4) % 9 // spread over a 3 × 3 grid
		cx := (float64(cell%3) + 0.5 + d.between(-0.35, 0.35)) / 3
		cy := (float64(cell/3) + 0.5 + d.between(-0.35, 0.35)) / 3
		r, angle, colour := d.between(0.1, 0.21), d.between(0, 2*math.Pi), d.apart(background(cx, cy))
		ux, uy := math.Cos(angle), math.Sin(angle)
		box := int(1.6*r*float64(p.size)) + 2
		area := picture.Rect{X: int(cx*float64(p.size)) - box, Y: int(cy*float64(p.size)) - box, W: 2*box + 1, H: 2*box + 1}
		p.each(area, func(x, y float64) (rgb, float64) {
			x, y = (x-cx)/r, (y-cy)/r
			out := outside(class, float64(x*ux)+float64(y*uy), float64(y*ux)-float64(x*uy))
			return colour, min(max(0.5-out*r*float64(p.size), 0), 1)
		})
	}
}

// outside is the distance of (x, y) from a shape of about unit size at the origin, negative within.
func outside(class int, x, y float64) float64 {
	ax, ay := math.Abs(x), math.Abs(y)
	switch class {
	case 0:
		return math.Sqrt(float64(x*x)+float64(y*y)) - 0.95
	case 1:
		return math.Abs(math.Sqrt(float64(x*x)+float64(y*y))-0.8) - 0.25
	case 2:
		return max(ax, ay) - 0.85
	case 3:
		return max(y, float64(0.8660254*ax)-0.5*y) - 0.6
	case 4:
		return min(max(ax-1.1, ay-0.3), max(ax-0.3, ay-1.1))
	default:
		return max(ax-1.3, ay-0.28)
	}
}

// texture covers the image with six fields of one pattern, each at its own angle, scale and colours.
func (p drawing) texture(d *dice, class int) {
	type field struct{ x, y, ux, uy, scale, phase float64 }
	var fields [6]field
	var colours [6][2]rgb
	for i := range fields {
		angle := d.between(0, 2*math.Pi)
		fields[i] = field{x: d.between(0, 1), y: d.between(0, 1), ux: math.Cos(angle), uy: math.Sin(angle),
			scale: d.between(3.5, 7), phase: d.between(0, 64)}
		colours[i][0] = d.colour()
		colours[i][1] = d.apart(colours[i][0])
	}
	lattice := random.Stream(d.key.Bits(-3))
	p.each(picture.Rect{W: p.size, H: p.size}, func(x, y float64) (rgb, float64) {
		near, best := 0, math.Inf(1)
		for i := range fields {
			dx, dy := x-fields[i].x, y-fields[i].y
			if q := float64(dx*dx) + float64(dy*dy); q < best {
				near, best = i, q
			}
		}
		f := &fields[near]
		u := f.scale*(float64(x*f.ux)+float64(y*f.uy)) + f.phase
		v := f.scale*(float64(y*f.ux)-float64(x*f.uy)) + f.phase
		edge := float64(p.size) / f.scale / 4 // makes an edge a pixel wide
		return mixed(colours[near][0], colours[near][1], min(max(0.5+pattern(class, u, v, lattice)*edge, 0), 1)), 1
	})
}

// pattern is a field of period 1 whose sign tells the two colours apart.
func pattern(class int, u, v float64, lattice random.Stream) float64 {
	switch class {
	case 6:
		return wave(u)
	case 7:
		return float64(wave(u)*wave(v)) * 2
	case 8:
		fu, fv := u-math.Floor(u)-0.5, v-math.Floor(v)-0.5
		return 4 * (0.3 - math.Sqrt(float64(fu*fu)+float64(fv*fv)))
	}
	iu, iv := math.Floor(u), math.Floor(v)
	fu, fv := u-iu, v-iv
	fu, fv = fu*fu*(3-2*fu), fv*fv*(3-2*fv)
	at := func(du, dv float64) float64 { return lattice.Uniform(int(iu+du)&1023<<10 | int(iv+dv)&1023) }
	top := at(0, 0) + float64((at(1, 0)-at(0, 0))*fu)
	low := at(0, 1) + float64((at(1, 1)-at(0, 1))*fu)
	return 3 * (top + float64((low-top)*fv) - 0.5)
}

// wave is a triangle wave of period 1 between -1 and 1.
func wave(u float64) float64 { return math.Abs(u-math.Floor(u)-0.5)*4 - 1 }
