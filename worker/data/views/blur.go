package views

// gaussian returns the weights of a blur from the centre outwards, in mem: exp(-i²/2σ²) for i = 0 … radius,
// over the sum of all 2·radius+1. Weights under 2^-26 of the centre's are left out: they cannot move a value by
// more than float32 rounds it.
func gaussian(mem []float32, radius int, sigma float64) []float32 {
	sum := 0.0
	for i := -radius; i <= radius; i++ {
		sum += exp(float64(-i*i) / (2 * sigma * sigma))
	}
	mem = mem[:0]
	for i := 0; i <= radius; i++ {
		w := exp(float64(-i*i) / (2 * sigma * sigma))
		if w < 1.0/(1<<26) {
			break
		}
		mem = append(mem, float32(w/sum))
	}
	return mem
}

// blur is separable: horizontally, then vertically, with zeros around the image. Radius trunc(size/10/2).
func (r *Renderer) blur(sigma float64) {
	radius := r.size / 10 / 2
	r.kernel = gaussian(r.kernel, radius, sigma)
	k := r.kernel
	reach := len(k) - 1
	if reach == 0 {
		return
	}
	if len(r.line) < r.size+2*radius {
		r.line = make([]float32, r.size+2*radius)
	}
	n := r.size
	clear(r.line)
	line := r.line[:n+2*reach]
	for _, p := range r.plane {
		for y := 0; y < n; y++ {
			copy(line[reach:], p[y*n:(y+1)*n])
			r.k.convolve(r.spare[y*n:(y+1)*n], line, 1, k)
		}
		r.blurDown(p, r.spare, k)
	}
}

// blurDown blurs the columns of src into dst. Rows beyond the image are zero: near the edges a row is made from
// those that exist.
func (r *Renderer) blurDown(dst, src []float32, k []float32) {
	n, reach := r.size, len(k)-1
	for y := 0; y < n; y++ {
		out := dst[y*n : (y+1)*n]
		if y >= reach && y+reach < n {
			r.k.convolve(out, src[(y-reach)*n:(y+reach+1)*n], n, k)
			continue
		}
		for x, v := range src[y*n : (y+1)*n] {
			out[x] = k[0] * v
		}
		for i := 1; i < len(k); i++ {
			if y >= i {
				addScaled(out, src[(y-i)*n:(y-i+1)*n], k[i])
			}
			if y+i < n {
				addScaled(out, src[(y+i)*n:(y+i+1)*n], k[i])
			}
		}
	}
}

// addScaled is dst += k·src.
func addScaled(dst, src []float32, k float32) {
	src = src[:len(dst)]
	for i := range dst {
		dst[i] += float32(k * src[i])
	}
}
