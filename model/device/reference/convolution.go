package reference

import (
	"fmt"

	"byol/model/device"

	"gorgonia.org/tensor"
)

// convolution turns each image into a matrix whose row p holds what the kernel sees at output position p
// (im2col), and multiplies: with cols [OH·OW][KH·KW·C] and w [K][KH·KW·C],
//
//	forward           y     = cols · wᵀ
//	backward data     dcols = dy · w, added back to the pixels it came from
//	backward weights  dw    = Σ over images of dyᵀ · cols
type convolution[T real] struct {
	d *engine[T]
	s device.ConvShape
	w []T // [K][KH·KW·C], a copy made by Pack
	t []T // [KH·KW·C][K], the same transposed
}

// Conv plans a convolution.
func (d *engine[T]) Conv(s device.ConvShape) (device.Conv, error) {
	if err := check(s); err != nil {
		return nil, fmt.Errorf("plan convolution: %w", err)
	}
	c := &convolution[T]{d: d, s: s}
	d.elements += c.copies()
	if d.scope {
		d.plans = append(d.plans, c)
	}
	return c, nil
}

// copies is how many elements Pack keeps.
func (c *convolution[T]) copies() int { return 2 * c.s.K * c.taps() }

// check tells why s is no convolution.
func check(s device.ConvShape) error {
	for _, f := range []struct {
		name   string
		v, min int
	}{
		{"N", s.N, 1}, {"H", s.H, 1}, {"W", s.W, 1}, {"C", s.C, 1}, {"OH", s.OH, 1}, {"OW", s.OW, 1}, {"K", s.K, 1},
		{"KH", s.KH, 1}, {"KW", s.KW, 1}, {"Stride", s.Stride, 1}, {"PadTop", s.PadTop, 0}, {"PadLeft", s.PadLeft, 0},
	} {
		if f.v < f.min {
			return fmt.Errorf("%s is %d, want at least %d", f.name, f.v, f.min)
		}
	}
	if s.PadTop >= s.KH || (s.OH-1)*s.Stride-s.PadTop >= s.H {
		return fmt.Errorf("a row of output sees only padding: %+v", s)
	}
	if s.PadLeft >= s.KW || (s.OW-1)*s.Stride-s.PadLeft >= s.W {
		return fmt.Errorf("a column of output sees only padding: %+v", s)
	}
	return nil
}

func (c *convolution[T]) in() int   { return c.s.H * c.s.W * c.s.C }
func (c *convolution[T]) out() int  { return c.s.OH * c.s.OW * c.s.K }
func (c *convolution[T]) taps() int { return c.s.KH * c.s.KW * c.s.C }

// pointwise reports whether an image is its own im2col matrix. The batch is one matrix then: rows of a
// product do not see each other, so its bits are those of image by image.
func (c *convolution[T]) pointwise() bool {
	s := c.s
	return s.KH == 1 && s.KW == 1 && s.Stride == 1 && s.OH == s.H && s.OW == s.W
}

// batch returns how many matrices of how many rows a call works on.
func (c *convolution[T]) batch(n int) (images, rows int) {
	if n < 0 || n > c.s.N {
		panic(fmt.Sprintf("reference: convolution of %d images, planned for %d", n, c.s.N))
	}
	if n > 0 && c.pointwise() {
		return 1, n * c.s.OH * c.s.OW
	}
	return n, c.s.OH * c.s.OW
}

// Pack copies the weights, as they are and transposed.
func (c *convolution[T]) Pack(w device.Buffer) {
	k, taps := c.s.K, c.taps()
	src := c.d.elems(w, k*taps, "convolution weights")
	c.w = append(c.w[:0], src...)
	c.t = grown(c.t, k*taps)
	transpose(c.t, src, k, taps)
}

func (c *convolution[T]) packed() {
	if c.w == nil {
		panic("reference: convolution before Pack")
	}
}

// Forward computes y[n][OH][OW][K] = x[n][H][W][C] * w.
func (c *convolution[T]) Forward(x, y device.Buffer, n int) {
	c.packed()
	images, rows := c.batch(n)
	xs, ys := c.d.elems(x, n*c.in(), "convolution input"), c.d.elems(y, n*c.out(), "convolution output")
	for i := range images {
		cols := c.gather(xs, i, rows)
		product(ys[i*rows*c.s.K:], cols, c.t, rows, c.taps(), c.s.K)
	}
}

// BackwardData overwrites dx with the gradient with respect to x.
func (c *convolution[T]) BackwardData(dy, dx device.Buffer, n int) {
	c.packed()
	if c.s.NoBackwardData || c.s.NoBackward {
		panic("reference: backward data of a plan without it")
	}
	images, rows := c.batch(n)
	ds, xs := c.d.elems(dy, n*c.out(), "convolution dy"), c.d.elems(dx, n*c.in(), "convolution dx")
	if c.pointwise() {
		if n > 0 {
			product(xs, ds, c.w, rows, c.s.K, c.s.C)
		}
		return
	}
	clear(xs)
	c.d.cols = grown(c.d.cols, rows*c.taps())
	for i := range images {
		product(c.d.cols, ds[i*c.out():], c.w, rows, c.s.K, c.taps())
		c.scatter(xs[i*c.in():(i+1)*c.in()], c.d.cols)
	}
}

// BackwardWeights computes dw [K][KH][KW][C], image after image; with add, the sum is added to dw.
func (c *convolution[T]) BackwardWeights(x, dy, dw device.Buffer, n int, add bool) {
	if c.s.NoBackward {
		panic("reference: backward weights of a plan without it")
	}
	images, rows := c.batch(n)
	k, taps := c.s.K, c.taps()
	xs, ds := c.d.elems(x, n*c.in(), "convolution input"), c.d.elems(dy, n*c.out(), "convolution dy")
	ws := c.d.elems(dw, k*taps, "convolution dw")
	c.d.turned, c.d.sum = grown(c.d.turned, rows*k), grown(c.d.sum, 2*k*taps)
	sum, one := c.d.sum[:k*taps], c.d.sum[k*taps:]
	clear(sum)
	for i := range images {
		cols := c.gather(xs, i, rows)
		transpose(c.d.turned, ds[i*rows*k:(i+1)*rows*k], rows, k)
		product(one, c.d.turned, cols, k, rows, taps)
		for j, v := range one {
			sum[j] += v
		}
	}
	if !add {
		copy(ws, sum)
		return
	}
	for j, v := range sum {
		ws[j] += v
	}
}

// gather returns the matrix of image i: the image itself, or its windows copied side by side.
func (c *convolution[T]) gather(xs []T, i, rows int) []T {
	if c.pointwise() {
		return xs
	}
	x := xs[i*c.in() : (i+1)*c.in()]
	c.d.cols = grown(c.d.cols, rows*c.taps())
	clear(c.d.cols)
	c.windows(func(pixel, tap int) { copy(c.d.cols[tap:tap+c.s.C], x[pixel:pixel+c.s.C]) })
	return c.d.cols
}

// scatter adds the windows back to the pixels they were gathered from.
func (c *convolution[T]) scatter(dx, cols []T) {
	c.windows(func(pixel, tap int) {
		for j, v := range cols[tap : tap+c.s.C] {
			dx[pixel+j] += v
		}
	})
}

// windows visits every tap of every output position that lies inside the image: the offset of its pixel in the
// image, and its offset in the im2col matrix.
func (c *convolution[T]) windows(visit func(pixel, tap int)) {
	s := c.s
	tap := 0
	for oy := range s.OH {
		for ox := range s.OW {
			for ky := range s.KH {
				for kx := range s.KW {
					y, x := oy*s.Stride+ky-s.PadTop, ox*s.Stride+kx-s.PadLeft
					if y >= 0 && y < s.H && x >= 0 && x < s.W {
						visit((y*s.W+x)*s.C, tap)
					}
					tap += s.C
				}
			}
		}
	}
}

// product computes out[m][n] = a[m][k] · b[k][n] on the leading elements of the slices.
func product[T real](out, a, b []T, m, k, n int) {
	matrix := func(data []T, rows, cols int) *tensor.Dense {
		return tensor.New(tensor.WithShape(rows, cols), tensor.WithBacking(data[:rows*cols:rows*cols]))
	}
	if _, err := matrix(a, m, k).MatMul(matrix(b, k, n), tensor.WithReuse(matrix(out, m, n))); err != nil {
		panic(fmt.Sprintf("reference: product of [%d][%d] and [%d][%d]: %v", m, k, k, n, err))
	}
}

// transpose writes src [rows][cols] to dst [cols][rows].
func transpose[T real](dst, src []T, rows, cols int) {
	for r := range rows {
		for c, v := range src[r*cols : (r+1)*cols] {
			dst[c*rows+r] = v
		}
	}
}
