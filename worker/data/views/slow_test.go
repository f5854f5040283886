package views

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"byol/worker/data/picture"
	"byol/worker/data/random"
)

// noisy is a picture of random pixels of which a part is held.
func noisy(seed uint64, w, h int, held picture.Rect) *picture.Image {
	m := &picture.Image{}
	m.Reset(w, h, held)
	for i := range m.Pix {
		x, y := held.X+i/3%held.W, held.Y+i/3/held.W
		m.Pix[i] = byte(random.Mix(seed<<32 + uint64(3*(y*w+x)+i%3))) // a pixel is the same whatever is held
	}
	return m
}

// pixel is channel c of pixel (x, y) of a picture.
func pixel(m *picture.Image, x, y, c int) float64 {
	return float64(m.Pix[3*((y-m.Held.Y)*m.Held.W+x-m.Held.X)+c])
}

// slowResize is bicubic resampling by its definition: each value is a sum over 16 pixels with Keys' weights, where
// those outside of the crop have none.
func slowResize(m *picture.Image, crop picture.Rect, size int, flip bool) [3][]float64 {
	weights := func(out, in int) (first int, w [4]float64) {
		at := (float64(out)+0.5)*float64(in)/float64(size) - 0.5
		base, sum := math.Floor(at), 0.0
		for k := range w {
			if i := int(base) - 1 + k; i >= 0 && i < in {
				w[k] = keys(at - float64(i))
				sum += w[k]
			}
		}
		for k := range w {
			w[k] /= sum
		}
		return int(base) - 1, w
	}
	var out [3][]float64
	for c := range out {
		for y := range size {
			y0, wy := weights(y, crop.H)
			for x := range size {
				if flip {
					x = size - 1 - x
				}
				x0, wx := weights(x, crop.W)
				sum := 0.0
				for j := range wy {
					for i := range wx {
						if wy[j] != 0 && wx[i] != 0 {
							sum += wy[j] * wx[i] * pixel(m, crop.X+x0+i, crop.Y+y0+j, c) / 255
						}
					}
				}
				out[c] = append(out[c], min(max(sum, 0), 1))
			}
		}
	}
	return out
}

// TestResizeFollowsItsDefinition for any crop and size, mirrored or not, from a picture that is held whole or in part.
func TestResizeFollowsItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(1, 90).Draw(t, "width"), rapid.IntRange(1, 90).Draw(t, "height")
		size, flip := rapid.IntRange(1, 70).Draw(t, "size"), rapid.Bool().Draw(t, "flip")
		crop := picture.Rect{W: rapid.IntRange(1, w).Draw(t, "crop w"), H: rapid.IntRange(1, h).Draw(t, "crop h")}
		crop.X = rapid.IntRange(0, w-crop.W).Draw(t, "crop x")
		crop.Y = rapid.IntRange(0, h-crop.H).Draw(t, "crop y")
		whole := noisy(1, w, h, picture.Rect{W: w, H: h})
		r := NewRenderer(&Augment{Size: size})
		r.resize(whole, crop, flip)
		want := slowResize(whole, crop, size, flip)
		for c := range want {
			for i, v := range want[c] {
				if got := float64(r.plane[c][i]); math.Abs(got-v) > 4e-6 {
					t.Fatalf("value %d of channel %d is %.8f, want %.8f", i, c, got, v)
				}
			}
		}
		first := slices.Clone(r.plane[1])
		r.resize(noisy(1, w, h, crop), crop, flip)
		if !slices.Equal(first, r.plane[1]) {
			t.Fatal("where no more than the crop is held, other values")
		}
	})
}

// TestFlipMirrors: a mirrored view is the other one, mirrored, to the bit.
func TestFlipMirrors(t *testing.T) {
	for _, size := range []int{1, 2, 7, 32, 65} {
		m := noisy(2, 50, 40, picture.Rect{W: 50, H: 40})
		crop := picture.Rect{X: 3, Y: 5, W: 41, H: 33}
		a := &Augment{Size: size}
		r := NewRenderer(a)
		plain, flipped := make([]float32, 3*size*size), make([]float32, 3*size*size)
		r.Render(m, &View{Crop: crop}, plain)
		r.Render(m, &View{Crop: crop, Flip: true}, flipped)
		for y := range size {
			for x := range size {
				got, want := flipped[3*(y*size+x):][:3], plain[3*(y*size+size-1-x):][:3]
				if !slices.Equal(got, want) {
					t.Fatalf("size %d: pixel (%d, %d) is %v, mirrored %v", size, x, y, got, want)
				}
			}
		}
	}
}

// TestBlurFollowsItsDefinition: a sum over a square of weights, zeros around the picture.
func TestBlurFollowsItsDefinition(t *testing.T) {
	for _, size := range []int{8, 20, 32, 64, 97} {
		for _, sigma := range []float64{0.1, 0.5, 1, 2} {
			r := NewRenderer(&Augment{Size: size})
			radius := size / 10 / 2
			src := noise(size*size, uint64(size))
			for c := range r.plane {
				copy(r.plane[c], src)
			}
			r.blur(sigma)
			weight := func(i int) float64 { return math.Exp(-float64(i*i) / (2 * sigma * sigma)) }
			norm := 0.0
			for i := -radius; i <= radius; i++ {
				norm += weight(i)
			}
			for y := range size {
				for x := range size {
					want := 0.0
					for j := max(-radius, -y); j <= radius && y+j < size; j++ {
						for i := max(-radius, -x); i <= radius && x+i < size; i++ {
							want += weight(i) * weight(j) / norm / norm * float64(src[(y+j)*size+x+i])
						}
					}
					if got := float64(r.plane[2][y*size+x]); math.Abs(got-want) > 2e-6 {
						t.Fatalf("size %d, sigma %g: pixel (%d, %d) is %.8f, want %.8f", size, sigma, x, y, got, want)
					}
				}
			}
		}
	}
}

// TestContrastKeepsTheMean of each channel, where nothing is clipped.
func TestContrastKeepsTheMean(t *testing.T) {
	r := NewRenderer(&Augment{Size: 13})
	for c := range r.plane {
		for i := range r.plane[c] {
			r.plane[c][i] = 0.4 + 0.2*noise(1, uint64(100*c+i))[0]
		}
	}
	mean := func(p []float32) (m float64) {
		for _, v := range p {
			m += float64(v) / float64(len(p))
		}
		return m
	}
	for c := range r.plane {
		before := mean(r.plane[c])
		first := float64(r.plane[c][0]) - before
		r.contrast(1.4)
		if after := mean(r.plane[c]); math.Abs(after-before) > 1e-6 {
			t.Errorf("channel %d: mean %.8f became %.8f", c, before, after)
		}
		if got := float64(r.plane[c][0]) - before; math.Abs(got-1.4*first) > 1e-6 {
			t.Errorf("channel %d: %.8f from the mean, want %.8f", c, got, 1.4*first)
		}
		r.contrast(1 / 1.4)
	}
}

// TestOrderOfOperations: colours are jittered in the order drawn, then made grey, blurred, solarized and normalised.
func TestOrderOfOperations(t *testing.T) {
	const size = 20
	a := &Augment{Size: size}
	m := noisy(3, size, size, picture.Rect{W: size, H: size})
	ops := []func(r *Renderer, f float32){(*Renderer).brightness, (*Renderer).contrast, (*Renderer).saturation,
		(*Renderer).hue}
	for n := range 24 {
		v := View{Crop: m.Held, Jitter: n%3 > 0, Order: permutation4(n), Strength: [4]float32{0.2, 1.3, 0.8, 0.07},
			Grayscale: n%2 > 0, Sigma: float64(n%4) / 2, Solarize: n%5 > 0}
		got, want := make([]float32, 3*size*size), make([]float32, 3*size*size)
		NewRenderer(a).Render(m, &v, got)
		r := NewRenderer(a)
		r.resize(m, v.Crop, false)
		for _, op := range v.Order {
			if v.Jitter {
				ops[op](r, v.Strength[op])
			}
		}
		if v.Grayscale {
			r.grayscale()
		}
		if v.Sigma > 0 {
			r.blur(v.Sigma)
		}
		if v.Solarize {
			r.solarize()
		}
		r.normalise(want)
		if !sameBits(got, want) {
			t.Fatalf("view %+v: other values than by its steps", v)
		}
	}
}

// TestRenderPanics: a view that the picture or the output has no room for is a bug, and is told before a pixel is read.
func TestRenderPanics(t *testing.T) {
	m := noisy(4, 20, 10, picture.Rect{X: 5, Y: 2, W: 10, H: 5})
	for _, c := range []struct {
		crop picture.Rect
		out  int
		want string
	}{
		{picture.Rect{X: 5, Y: 2, W: 10, H: 5}, 47, "views: render 48 floats into 47"},
		{picture.Rect{X: 4, Y: 2, W: 10, H: 5}, 48, "views: crop {4 2 10 5} of an image that holds {5 2 10 5}"},
		{picture.Rect{X: 5, Y: 3, W: 10, H: 5}, 48, "views: crop {5 3 10 5} of an image"},
		{picture.Rect{X: 5, Y: 2, W: 0, H: 5}, 48, "views: crop {5 2 0 5} of an image"},
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); len(got) < len(c.want) || got[:len(c.want)] != c.want {
					t.Errorf("crop %v into %d floats: %s, want %q", c.crop, c.out, got, c.want)
				}
			}()
			NewRenderer(&Augment{Size: 4}).Render(m, &View{Crop: c.crop}, make([]float32, c.out))
		}()
	}
}

// TestDrawsOfAnyPicture: a crop lies within the picture, whatever its shape, and all of a view follows from its
// identity.
func TestDrawsOfAnyPicture(t *testing.T) {
	a, err := ParseAugment("byol", 32)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(1, 65500).Draw(t, "width"), rapid.IntRange(1, 65500).Draw(t, "height")
		id := Identity{Seed: rapid.Uint64().Draw(t, "seed"), Epoch: rapid.Int64Range(0, 1<<40).Draw(t, "epoch"),
			Image: rapid.IntRange(0, 1<<30).Draw(t, "image"), View: rapid.IntRange(1, 2).Draw(t, "view")}
		v := a.Draw(id, w, h)
		whole := picture.Rect{W: w, H: h}
		if !whole.Contains(v.Crop) || v.Crop.W < 1 || v.Crop.H < 1 {
			t.Fatalf("crop %v of %d × %d", v.Crop, w, h)
		}
		if again := a.Draw(id, w, h); again != v {
			t.Fatalf("drawn twice: %+v, %+v", v, again)
		}
		eval := a.EvalView(w, h)
		if !whole.Contains(eval.Crop) || eval.Crop.W != eval.Crop.H || eval.Crop.W < 1 || eval.Flip || eval.Jitter {
			t.Fatalf("evaluation looks at %+v of %d × %d", eval, w, h)
		}
		for _, other := range []Identity{{id.Seed + 1, id.Epoch, id.Image, id.View}, {id.Seed, id.Epoch + 1,
			id.Image, id.View},
			{id.Seed, id.Epoch, id.Image + 1, id.View}, {id.Seed, id.Epoch, id.Image, 3 - id.View}} {
			if other.stream() == id.stream() {
				t.Fatalf("%+v and %+v draw the same", id, other)
			}
		}
	})
}

// TestViewsAreTwo: there is no third.
func TestViewsAreTwo(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("view 3 is drawn")
		}
	}()
	a := Augment{Size: 8}
	a.Draw(Identity{View: 3}, 8, 8)
}

// TestTapsAreKept between small sizes, and are those that are made anew.
func TestTapsAreKept(t *testing.T) {
	for _, quantise := range []bool{false, true} {
		r := NewRenderer(&Augment{Size: 24, Quantise: quantise})
		for _, in := range []int{1, 2, 23, 24, 25, keptSide} {
			kept := r.taps(in)
			if len(kept) != 24 || &r.taps(in)[0] != &kept[0] {
				t.Fatalf("%d taps of %d are kept", len(kept), in)
			}
			for i := range kept {
				if want := makeTap(i, in, 24, quantise); kept[i] != want {
					t.Errorf("tap %d of %d: %+v, want %+v", i, in, kept[i], want)
				}
			}
		}
		if r.taps(keptSide+1) != nil || NewRenderer(&Augment{Size: keptSide + 1}).taps(3) != nil {
			t.Error("taps of large sizes are kept")
		}
	}
}
