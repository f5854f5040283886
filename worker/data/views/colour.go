package views

// brightness adds delta, the same for all channels.
func (r *Renderer) brightness(delta float32) {
	for _, p := range r.plane {
		r.k.brightness(p, delta)
	}
}

// contrast scales the distance from each channel's mean by f.
func (r *Renderer) contrast(f float32) {
	for _, p := range r.plane {
		s := &r.sums
		clear(s[:])
		r.k.sum(p, s)
		mean := (((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]))) / float64(len(p))
		r.k.contrast(p, f, float32(mean))
	}
}

// saturation multiplies S of HSV by f.
func (r *Renderer) saturation(f float32) { r.k.saturation(r.plane[0], r.plane[1], r.plane[2], f) }

// hue adds delta to H of HSV, in turns.
func (r *Renderer) hue(delta float32) { r.k.hue(r.plane[0], r.plane[1], r.plane[2], 6*delta) }

// grayscale replaces all channels by the luma.
func (r *Renderer) grayscale() { r.k.grayscale(r.plane[0], r.plane[1], r.plane[2]) }

// solarize inverts what is 1/2 or brighter.
func (r *Renderer) solarize() {
	for _, p := range r.plane {
		r.k.solarize(p)
	}
}
