package jpeg

import (
	"errors"

	"byol/worker/data/picture"
)

// Baseline decodes the JPEG files that nearly all are: baseline, grey or YCbCr, chroma whole or halved in either
// direction, in one scan. Those are the plain files, and of them its word is final: it reads all of a file's entropy
// code, whatever the region, and a file that is damaged anywhere is an error, on every processor and whatever library
// there is. It makes pixels of the region alone. They are libjpeg-turbo's to the bit (version 2.1 with its vectors: the
// accurate inverse transform, smoothed chroma). Of any other file it says that it is not for it.
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
	nowhere       [blockSize]byte // samples of blocks that are outside of the region
	blended       []uint16        // a row of chroma between two, and one sample more at either end
	smooth        [2][]byte       // rows of chroma as wide as the region
	grey          []byte          // a row of 128
}

// NewBaseline makes a Baseline.
func NewBaseline() *Baseline { return &Baseline{k: best()} }

// Fast reports whether there are vector kernels for this processor; without, libjpeg-turbo is the faster one.
func (b *Baseline) Fast() bool { return b.k.name != generic().name }

// reset forgets a file, but for its Huffman tables, which the next often has too.
func (b *Baseline) reset() {
	b.n, b.restart, b.haveQuant, b.haveTable = 0, 0, [4]bool{}, [2][maxTables]bool{}
}

// What can be wrong with a plain file.
var (
	errCode   = errors.New("decode jpeg: the entropy code is damaged")
	errShort  = errors.New("decode jpeg: the entropy code is cut short")
	errValues = errors.New("decode jpeg: coefficients that no picture of 8 bits has")
)

// Decode fills dst with the region of a JPEG file that is info.Width × info.Height; the zero Rect asks for all of it.
// It says whether it did: if not, and there is no error, the file is for another decoder.
func (b *Baseline) Decode(data []byte, info picture.Info, region picture.Rect, dst *picture.Image) (bool, error) {
	if region == (picture.Rect{}) {
		region = picture.Rect{W: info.Width, H: info.Height}
	}
	if plain, err := b.read(data, info, region); !plain || err != nil {
		return false, err
	}
	dst.Reset(b.width, b.height, region)
	b.pixels(region, dst.Pix)
	return true, nil
}

// Examine says of a file what Decode does, without making pixels: whether it is plain, and what is wrong with it.
func (b *Baseline) Examine(data []byte, info picture.Info) (plain bool, err error) {
	return b.read(data, info, picture.Rect{})
}

// read makes the samples that a region needs, none for the zero Rect.
func (b *Baseline) read(data []byte, info picture.Info, region picture.Rect) (plain bool, err error) {
	if info.Format != picture.JPEG || !b.parse(data) || b.width != info.Width || b.height != info.Height {
		return false, nil
	}
	b.keep(region)
	return true, b.blocks()
}

// keep makes room for the samples that a region needs: its own and, of smoothed chroma, those around it.
func (b *Baseline) keep(r picture.Rect) {
	luma := &b.comp[0]
	for i := range b.n {
		c := &b.comp[i]
		c.last = 0
		c.x0, c.x1 = needed(r.X, r.W, luma.h/c.h, c.width)
		c.y0, c.y1 = needed(r.Y, r.H, luma.v/c.v, c.height)
		if r == (picture.Rect{}) {
			c.x1, c.y1 = c.x0, c.y0
		}
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

// blocks reads the entropy code and makes samples. Bytes that are left over at the end of a span are no damage, as they
// are none to the libraries.
func (b *Baseline) blocks() error {
	luma := &b.comp[0]
	across := (b.width + 8*luma.h - 1) / (8 * luma.h)
	down := (b.height + 8*luma.v - 1) / (8 * luma.v)
	left, span := b.restart, 0
	r := bitReader{data: b.clean[:cap(b.clean)], end: 8 * b.spans[0]}
	for y := range down {
		for x := range across {
			if b.restart > 0 && left == 0 {
				if r.position() > r.end || span+1 >= len(b.spans) {
					return errShort
				}
				r.at, r.window, r.count = b.spans[span], 0, 0
				left = b.restart
				span++
				r.end = 8 * b.spans[span]
				for i := range b.comp {
					b.comp[i].last = 0
				}
			}
			left--
			if err := b.mcu(&r, x, y); err != nil {
				return err
			}
		}
	}
	if r.position() > r.end {
		return errShort
	}
	return nil
}

// mcu reads the blocks of all components at one place.
func (b *Baseline) mcu(r *bitReader, x, y int) error {
	for i := range b.n {
		c := &b.comp[i]
		for v := range c.v {
			for h := range c.h {
				if err := b.block(r, c, 8*(x*c.h+h), 8*(y*c.v+v)); err != nil {
					b.coef = [blockSize]int16{}
					return err
				}
			}
		}
	}
	return nil
}

// block reads one block of a component and makes its samples, if (x, y), where they belong, is kept. What is wrong with
// it is found either way.
func (b *Baseline) block(r *bitReader, c *component, x, y int) error {
	if r.position() > r.end {
		return errShort
	}
	quant := &b.quant[c.quant]
	got, ok := r.block(&b.tables[0][c.dc], &b.tables[1][c.ac], &b.coef, quant)
	if !ok {
		return errCode
	}
	c.last += got.diff
	if c.last != int32(int16(c.last)) {
		return errValues
	}
	dc := c.last * int32(quant[0])
	sum := max(dc, -dc) + got.sum
	if sum >= 1<<15 { // so that no product below wraps
		return errValues
	}
	kept := x >= c.x0 && x < c.x1 && y >= c.y0 && y < c.y1
	out, stride := b.nowhere[:], 8
	if kept {
		out, stride = c.pix[(y-c.y0)*c.stride+x-c.x0:], c.stride
	}
	switch {
	case got.n == 0 && (kept || sum > narrow):
		ok = flat(out, stride, int16(dc))
	case kept || sum > narrow:
		b.coef[0] = int16(c.last)
		ok = b.k.inverse(out, stride, &b.coef, quant)
	case got.n > 0:
		b.coef = [blockSize]int16{}
	}
	if !ok {
		return errValues
	}
	return nil
}

// narrow is a sum of a block's dequantised magnitudes up to which the inverse transform need not be made to know that
// it stays within its 14 bits: the first pass multiplies by 4 · 11363/8192 at most.
const narrow = 2900

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
