package data

// brightness is x + delta.
func (r *Renderer) brightness(delta float32) {
	for _, p := range r.plane {
		for i, x := range p {
			p[i] = clip(x + delta)
		}
	}
}

// contrast is f·(x - μ) + μ, with μ the mean of the channel.
func (r *Renderer) contrast(f float32) {
	for _, p := range r.plane {
		mu := mean(p)
		for i, x := range p {
			p[i] = clip(float32(f*(x-mu)) + mu)
		}
	}
}

// mean of p, in four float64 sums.
func mean(p []float32) float32 {
	var s [4]float64
	n := len(p)
	for len(p) >= 4 {
		s[0] += float64(p[0])
		s[1] += float64(p[1])
		s[2] += float64(p[2])
		s[3] += float64(p[3])
		p = p[4:]
	}
	for i, x := range p {
		s[i] += float64(x)
	}
	return float32(((s[0] + s[1]) + (s[2] + s[3])) / float64(n))
}

// saturation multiplies S of HSV by f, at most to 1. With value v and range d of a pixel, S = d/v, hue and
// value stay, and so every channel becomes v - (v-x)·min(f, v/d): no conversion is needed.
func (r *Renderer) saturation(f float32) {
	red, green, blue := r.plane[0], r.plane[1], r.plane[2]
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

// hue turns H of HSV by delta turns, at most half of one. H by the largest channel (ties: red, then green), in
// sixths of a turn; back with channel = v - d·clip(min(k, 4-k)), k = (n + H) mod 6, n = 5, 3, 1 for red, green,
// blue.
func (r *Renderer) hue(delta float32) {
	turn := 6 * delta
	red, green, blue := r.plane[0], r.plane[1], r.plane[2]
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
		red[i] = clip(v - float32(d*sector(h+5)))
		green[i] = clip(v - float32(d*sector(h+3)))
		blue[i] = clip(v - float32(d*sector(h+1)))
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
func (r *Renderer) grayscale() {
	red, green, blue := r.plane[0], r.plane[1], r.plane[2]
	green, blue = green[:len(red)], blue[:len(red)]
	for i, x := range red {
		g := float32(0.2989*x) + float32(0.5870*green[i]) + float32(0.1140*blue[i])
		red[i], green[i], blue[i] = g, g, g
	}
}

// solarize inverts what is 1/2 or brighter.
func (r *Renderer) solarize() {
	for _, p := range r.plane {
		for i, x := range p {
			if x >= 0.5 {
				p[i] = 1 - x
			}
		}
	}
}
