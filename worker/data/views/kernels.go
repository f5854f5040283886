package views

// kernels are the loops over pixels that views are made of. The sets give the same bits: each element is
// computed by the same rounded operations in the same order.
type kernels struct {
	name         string
	blendRows    func(dst []float32, src *[4][]byte, w *[4]float32)
	blendColumns func(red, green, blue, row []float32, taps []tap)
	convolve     func(dst, src []float32, stride int, k []float32)
	brightness   func(p []float32, delta float32)
	contrast     func(p []float32, f, mu float32)
	sum          func(p []float32, sums *[8]float64)
	saturation   func(red, green, blue []float32, f float32)
	hue          func(red, green, blue []float32, turn float32)
	grayscale    func(red, green, blue []float32)
	solarize     func(p []float32)
	normalise    func(out []float32, plane *[3][]float32, shift, scale *[3]float32)
}

// generic are the kernels in plain Go.
func generic() *kernels {
	return &kernels{name: "go", blendRows: blendRows, blendColumns: blendColumns, convolve: convolve,
		brightness: brightness, contrast: contrast, sum: sum, saturation: saturation, hue: hue,
		grayscale: grayscale, solarize: solarize, normalise: normalise}
}

// clip holds x within [0, 1].
func clip(x float32) float32 { return min(max(x, 0), 1) }

// blendRows is dst[i] = (w[0]·src[0][i] + w[1]·src[1][i]) + (w[2]·src[2][i] + w[3]·src[3][i]).
func blendRows(dst []float32, src *[4][]byte, w *[4]float32) {
	s0, s1, s2, s3 := src[0][:len(dst)], src[1][:len(dst)], src[2][:len(dst)], src[3][:len(dst)]
	w0, w1, w2, w3 := w[0], w[1], w[2], w[3]
	for i := range dst {
		a := float32(w0*float32(s0[i])) + float32(w1*float32(s1[i]))
		b := float32(w2*float32(s2[i])) + float32(w3*float32(s3[i]))
		dst[i] = a + b
	}
}

// blendColumns makes one row of each plane from a blended row of pixels, by the same sum, and clips it.
func blendColumns(red, green, blue, row []float32, taps []tap) {
	red, green, blue = red[:len(taps)], green[:len(taps)], blue[:len(taps)]
	for i := range taps {
		t := &taps[i]
		p0, p1, p2, p3 := row[t.at[0]:][:3], row[t.at[1]:][:3], row[t.at[2]:][:3], row[t.at[3]:][:3]
		w0, w1, w2, w3 := t.w[0], t.w[1], t.w[2], t.w[3]
		red[i] = clip((float32(w0*p0[0]) + float32(w1*p1[0])) + (float32(w2*p2[0]) + float32(w3*p3[0])))
		green[i] = clip((float32(w0*p0[1]) + float32(w1*p1[1])) + (float32(w2*p2[1]) + float32(w3*p3[1])))
		blue[i] = clip((float32(w0*p0[2]) + float32(w1*p1[2])) + (float32(w2*p2[2]) + float32(w3*p3[2])))
	}
}

// convolve is dst[i] = k[0]·src[c] + Σ k[j]·(src[c-j·stride] + src[c+j·stride]), c = i + (len(k)-1)·stride.
func convolve(dst, src []float32, stride int, k []float32) {
	reach := len(k) - 1
	mid := src[reach*stride:][:len(dst)]
	for i, v := range mid {
		dst[i] = k[0] * v
	}
	for j := 1; j <= reach; j++ {
		a, b := src[(reach-j)*stride:][:len(dst)], src[(reach+j)*stride:][:len(dst)]
		w := k[j]
		for i := range dst {
			dst[i] += float32(w * (a[i] + b[i]))
		}
	}
}

// brightness is x + delta.
func brightness(p []float32, delta float32) {
	for i, x := range p {
		p[i] = clip(x + delta)
	}
}

// contrast is f·(x-μ) + μ.
func contrast(p []float32, f, mu float32) {
	for i, x := range p {
		p[i] = clip(float32(f*(x-mu)) + mu)
	}
}

// sum adds element i to sums[i mod 8].
func sum(p []float32, sums *[8]float64) {
	for ; len(p) >= 8; p = p[8:] {
		for k := range sums {
			sums[k] += float64(p[k])
		}
	}
	for k, x := range p {
		sums[k] += float64(x)
	}
}

// saturation multiplies S of HSV by f, at most to 1. With value v and range d of a pixel, S = d/v, hue and value
// stay, and so every channel becomes v - (v-x)·min(f, v/d): no conversion is needed.
func saturation(red, green, blue []float32, f float32) {
	green, blue = green[:len(red)], blue[:len(red)]
	for i, x := range red {
		y, z := green[i], blue[i]
		v := max(x, y, z)
		d := v - min(x, y, z)
		if d <= 0 {
			continue
		}
		k := f
		if float32(f*d) > v {
			k = v / d
		}
		red[i] = clip(v - float32((v-x)*k))
		green[i] = clip(v - float32((v-y)*k))
		blue[i] = clip(v - float32((v-z)*k))
	}
}

// hue turns H of HSV by turn sixths, at most 3. H by the largest channel (ties: red, then green); back with
// channel = v - d·clip(min(k, 4-k)), k = (n + H) mod 6, n = 5, 3, 1 for red, green, blue.
func hue(red, green, blue []float32, turn float32) {
	green, blue = green[:len(red)], blue[:len(red)]
	for i, x := range red {
		y, z := green[i], blue[i]
		v := max(x, y, z)
		d := v - min(x, y, z)
		if d <= 0 {
			continue
		}
		var h float32
		switch v {
		case x:
			h = (y - z) / d
		case y:
			h = (z-x)/d + 2
		default:
			h = (x-y)/d + 4
		}
		if h += turn; h < 0 { // in [-4, 8)
			h += 6
		} else if h >= 6 {
			h -= 6
		}
		h++
		blue[i] = clip(v - float32(d*sector(h)))
		h += 2
		green[i] = clip(v - float32(d*sector(h)))
		h += 2
		red[i] = clip(v - float32(d*sector(h)))
	}
}

// sector is clip(min(k, 4-k)) for k mod 6, k in [0, 12).
func sector(k float32) float32 {
	if k >= 6 {
		k -= 6
	}
	return clip(min(k, 4-k))
}

// grayscale replaces all channels by the luma.
func grayscale(red, green, blue []float32) {
	green, blue = green[:len(red)], blue[:len(red)]
	for i, x := range red {
		g := float32(0.2989*x) + float32(0.5870*green[i]) + float32(0.1140*blue[i])
		red[i], green[i], blue[i] = g, g, g
	}
}

// solarize inverts what is 1/2 or brighter.
func solarize(p []float32) {
	for i, x := range p {
		if x >= 0.5 {
			p[i] = 1 - x
		}
	}
}

// normalise clips to [0, 1] and writes (x - shift)·scale, pixel by pixel.
func normalise(out []float32, plane *[3][]float32, shift, scale *[3]float32) {
	red, green, blue := plane[0], plane[1][:len(plane[0])], plane[2][:len(plane[0])]
	for i, x := range red {
		o := out[:3]
		o[0] = (clip(x) - shift[0]) * scale[0]
		o[1] = (clip(green[i]) - shift[1]) * scale[1]
		o[2] = (clip(blue[i]) - shift[2]) * scale[2]
		out = out[3:]
	}
}
