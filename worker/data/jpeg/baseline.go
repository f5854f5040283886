package jpeg

import "byol/worker/data/picture"

// Baseline decodes the JPEG files that nearly all are: baseline, grey or YCbCr, chroma whole or halved in either
// direction, in one scan. It reads all of a file, but makes pixels of the region alone. They are libjpeg-turbo's to
// the bit (version 2.1 with its vectors: the accurate inverse transform, smoothed chroma), on every processor. Of any
// other file, or one with the least thing wrong, it says that it is not for it.
//
// It owns the memory for it and allocates nothing after the first few images; use one per goroutine.
type Baseline struct {
	k             *kernels
	width, height int
	n             int // components; 0: no frame header yet
	comp          [3]component
	restart       int // MCUs between restart markers; 0: none
	quant         [4][blockSize]int16
	haveQuant     [4]bool
	tables        [2][maxTables]huffman // DC, AC
	haveTable     [2][maxTables]bool
	clean         []byte // the entropy code
	spans         []int  // ends of what restart markers divide it into
	coef          [blockSize]int16
	blended       []uint16  // a row of chroma between two, and one sample more at either end
	smooth        [2][]byte // rows of chroma as wide as the region
	grey          []byte    // a row of 128
}

// NewBaseline makes a Baseline.
func NewBaseline() *Baseline { return &Baseline{k: best()} }

// Fast reports whether there are vector kernels for this processor; without, libjpeg-turbo is the faster one.
func (b *Baseline) Fast() bool { return b.k.name != generic().name }

// reset forgets a file, but for its Huffman tables, which the next often has too.
func (b *Baseline) reset() {
	b.n, b.restart, b.haveQuant, b.haveTable = 0, 0, [4]bool{}, [2][maxTables]bool{}
}

// Decode fills dst with the region of a JPEG file that is info.Width × info.Height; the zero Rect asks for all of it.
// It reports whether it did: if not, the file is for another decoder, which may find it damaged.
func (b *Baseline) Decode(data []byte, info picture.Info, region picture.Rect, dst *picture.Image) bool {
	if info.Format != picture.JPEG || !b.parse(data) || b.width != info.Width || b.height != info.Height {
		return false
	}
	if region == (picture.Rect{}) {
		region = picture.Rect{W: b.width, H: b.height}
	}
	b.keep(region)
	if !b.blocks() {
		return false
	}
	dst.Reset(b.width, b.height, region)
	b.pixels(region, dst.Pix)
	return true
}

// keep makes room for the samples that a region needs: its own and, of smoothed chroma, those around it.
func (b *Baseline) keep(r picture.Rect) {
	luma := &b.comp[0]
	for i := range b.n {
		c := &b.comp[i]
		c.last = 0
		c.x0, c.x1 = needed(r.X, r.W, luma.h/c.h, c.width)
		c.y0, c.y1 = needed(r.Y, r.H, luma.v/c.v, c.height)
		c.stride = c.x1 - c.x0
		if n := c.stride*(c.y1-c.y0) + 64; cap(c.pix) < n {
			c.pix = make([]byte, n+n/4)
		}
		c.pix = c.pix[:cap(c.pix)]
	}
}

// needed gives the samples that n pixels from x on are made of, rounded to whole blocks; there are size in all.
func needed(x, n, scale, size int) (from, to int) {
	from, to = x/scale, (x+n-1)/scale+1
	if scale > 1 {
		from, to = max(from-1, 0), min(to+1, size)
	}
	return from &^ 7, (to + 7) &^ 7
}

// blocks reads the entropy code and makes samples.
func (b *Baseline) blocks() bool {
	luma := &b.comp[0]
	across := (b.width + 8*luma.h - 1) / (8 * luma.h)
	down := (b.height + 8*luma.v - 1) / (8 * luma.v)
	left, span := b.restart, 0
	r := bitReader{data: b.clean[:cap(b.clean)]}
	for y := range down {
		for x := range across {
			if b.restart > 0 && left == 0 {
				if !b.spanEnds(&r, span) || span+1 >= len(b.spans) {
					return false
				}
				r.at, r.window, r.count = b.spans[span], 0, 0
				left = b.restart
				span++
				for i := range b.comp {
					b.comp[i].last = 0
				}
			}
			left--
			if r.position() > 8*b.spans[span] || !b.mcu(&r, x, y) {
				return false
			}
		}
	}
	return b.spanEnds(&r, span) && span == len(b.spans)-1
}

// spanEnds reports whether a span was read to its end, less than a byte short of it.
func (b *Baseline) spanEnds(r *bitReader, span int) bool {
	left := 8*b.spans[span] - r.position()
	return left >= 0 && left < 8
}

// mcu reads the blocks of all components at one place.
func (b *Baseline) mcu(r *bitReader, x, y int) bool {
	for i := range b.n {
		c := &b.comp[i]
		dc, ac, quant := &b.tables[0][c.dc], &b.tables[1][c.ac], &b.quant[c.quant]
		for v := range c.v {
			for h := range c.h {
				diff, n, ok := r.block(dc, ac, &b.coef)
				if !ok {
					b.coef = [blockSize]int16{}
					return false
				}
				c.last += diff
				px, py := 8*(x*c.h+h), 8*(y*c.v+v)
				if px < c.x0 || px >= c.x1 || py < c.y0 || py >= c.y1 {
					if n > 0 {
						b.coef = [blockSize]int16{}
					}
					continue
				}
				out := c.pix[(py-c.y0)*c.stride+px-c.x0:]
				if n == 0 {
					if !flat(out, c.stride, int16(c.last)*quant[0]) {
						return false
					}
					continue
				}
				b.coef[0] = int16(c.last)
				if !b.k.inverse(out, c.stride, &b.coef, quant) {
					return false
				}
			}
		}
	}
	return true
}

// flat is inverse for a block whose DC coefficient, dequantised, is all there is.
func flat(out []byte, stride int, dc int16) bool {
	v := byte(min(max((int32(dc)+4)>>3, -128), 127) + 128)
	eight := uint64(v) * 0x0101010101010101
	for y := range 8 {
		putEight(out[y*stride:], eight)
	}
	return max(dc, -dc) < 1<<12 && dc != -1<<15
}

// pixels makes the region's from the samples, row by row. A row but the last may run over into the next.
func (b *Baseline) pixels(r picture.Rect, out []byte) {
	for i := range b.smooth {
		b.smooth[i] = roomy(b.smooth[i], r.W+64)
	}
	if cap(b.blended) < r.W+64 {
		b.blended = make([]uint16, r.W+r.W/4+64)
	}
	luma := &b.comp[0]
	if b.n == 1 && len(b.grey) < r.W+64 {
		b.grey = roomy(b.grey, r.W+64)
		for i := range b.grey {
			b.grey[i] = 128
		}
	}
	for y := range r.H {
		bright := luma.pix[(r.Y+y-luma.y0)*luma.stride+r.X-luma.x0:]
		cb, cr := b.grey, b.grey
		if b.n == 3 {
			cb, cr = b.chroma(0, r, r.Y+y), b.chroma(1, r, r.Y+y)
		}
		b.k.colours(out[y*r.W*3:], bright, cb, cr, r.W)
	}
}

// roomy gives at least n bytes, mem if it has them.
func roomy(mem []byte, n int) []byte {
	if cap(mem) < n {
		return make([]byte, n+n/4)
	}
	return mem[:cap(mem)]
}

// chroma gives row y of a chroma component, from the region's first column on, at the size of luma.
func (b *Baseline) chroma(i int, r picture.Rect, y int) []byte {
	c, luma := &b.comp[1+i], &b.comp[0]
	at, beside := y, y // the row of samples, and the one that it is mixed with
	if luma.v == 2 {
		at = y / 2
		beside = min(max(at-1+2*(y%2), 0), c.height-1)
	}
	row := c.pix[(at-c.y0)*c.stride:]
	other := c.pix[(beside-c.y0)*c.stride:]
	out := b.smooth[i]
	if luma.h == 1 {
		row, other = row[r.X-c.x0:], other[r.X-c.x0:]
		if luma.v == 1 {
			return row
		}
		bias := 1 + uint16(y%2)
		for x := range r.W {
			out[x] = byte((3*uint16(row[x]) + uint16(other[x]) + bias) >> 2)
		}
		return out
	}
	first, last := r.X/2, (r.X+r.W-1)/2
	from, to := max(first-1, 0), min(last+1, c.width-1)
	n := to - from + 1
	mix := b.blended[:cap(b.blended)]
	at = 1 + from - first // where sample from goes: mix[1] is sample first
	b.k.blendChroma(mix[at:], row[from-c.x0:], other[from-c.x0:], n)
	if at == 1 {
		mix[0] = mix[1]
	}
	if to == last {
		mix[last-first+2] = mix[last-first+1]
	}
	biases := [2]uint16{8, 7}
	if luma.v == 1 {
		biases = [2]uint16{4, 8}
	}
	b.k.spreadChroma(out, mix, last-first+1, biases)
	return out[r.X-2*first:]
}
