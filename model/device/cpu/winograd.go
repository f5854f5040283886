package cpu

import (
	"unsafe"

	"byol/model/device"
)

// Winograd's F(4×4, 3×3): a tile of 4×4 output pixels is Aᵀ[ Σ_c (G·g·Gᵀ) ⊙ (Bᵀ·d·B) ]A, where d are the 6×6 input
// pixels it sees, g is a filter and ⊙ multiplies position by position. For each of the 36 positions, the sum over the
// input channels is a matrix product of tiles by output channels, so a pixel costs 36/16 multiplications a channel
// instead of 9. The transforms add roundings; docs/bench/cpu-kernels.md has the measured error.
const (
	winoOut       = 4 // side of an output tile
	winoIn        = 6 // side of the input it sees
	winoPositions = winoIn * winoIn
	filterSide    = 3
	filterTaps    = filterSide * filterSide
)

const (
	// winoScratch is what the transformed inputs and outputs of a block of tiles may take, unless the filters are
	// more than winoFilters: then a block is at least winoLong tiles, so that these are read less often.
	winoScratch = 1400 << 10
	winoFilters = 4 << 20
	winoLong    = 96
	winoMost    = 192
)

// winograd reports whether a convolution has the form of a tile. Channels are whole panels.
func winograd(s device.ConvShape) bool {
	return s.KH == filterSide && s.KW == filterSide && s.Stride == 1 && s.C%tileCols == 0 && s.K%tileCols == 0
}

// tiling is how an image is cut into tiles of output, and what they see of the input.
type tiling struct {
	k       *kernels
	h, w, c int // input
	oh, ow  int // output
	co      int // output channels
	top     int // padding
	left    int
	th, tw  int      // tiles of an image
	zero    *float32 // stands for everything outside the input
}

func newTiling(d *Device, s device.ConvShape, backward bool) (tiling, error) {
	t := tiling{k: d.k, h: s.H, w: s.W, c: s.C, oh: s.OH, ow: s.OW, co: s.K, top: s.PadTop, left: s.PadLeft}
	if backward { // dx is dy convolved with the filters turned by half a turn
		t.h, t.w, t.c, t.oh, t.ow, t.co = s.OH, s.OW, s.K, s.H, s.W, s.C
		t.top, t.left = filterSide-1-s.PadTop, filterSide-1-s.PadLeft
	}
	t.th, t.tw = (t.oh+winoOut-1)/winoOut, (t.ow+winoOut-1)/winoOut
	zero, err := d.mem.floats(max(t.c, t.co))
	t.zero = unsafe.SliceData(zero)
	return t, err
}

// ldin and ldout are the entries of one row of the tables of a row of tiles.
func (t *tiling) ldin() int  { return t.tw*winoOut + winoIn - winoOut }
func (t *tiling) ldout() int { return t.tw * winoOut }

// inputs writes where the pixels that row ty of image n's tiles sees are: winoIn rows of ldin addresses.
func (t *tiling) inputs(table []*float32, x *float32, n, ty int) {
	t.window(table[:winoIn*t.ldin()], winoIn, at(x, n*t.h*t.w*t.c), [2]int{ty*winoOut - t.top, -t.left}, t.zero)
}

// outputs does so for the output pixels: winoOut rows of ldout addresses, outside for those beyond the image.
func (t *tiling) outputs(table []*float32, y *float32, n, ty int, outside *float32) {
	o := tiling{k: t.k, h: t.oh, w: t.ow, c: t.co}
	o.window(table[:winoOut*t.ldout()], winoOut, at(y, n*t.oh*t.ow*t.co), [2]int{ty * winoOut, 0}, outside)
}

// window writes the addresses of rows of an image from position first on.
func (t *tiling) window(table []*float32, rows int, image *float32, first [2]int, outside *float32) {
	ld := len(table) / rows
	for r := range rows {
		line, y := table[r*ld:][:ld], first[0]+r
		lo, hi := min(max(-first[1], 0), ld), min(max(t.w-first[1], 0), ld)
		if y < 0 || y >= t.h || lo >= hi {
			lo, hi = ld, ld
		} else {
			t.k.spread(hi-lo, &line[lo], at(image, (y*t.w+first[1]+lo)*t.c), t.c)
		}
		for i := range line[:lo] {
			line[i] = outside
		}
		for i := range line[hi:] {
			line[hi+i] = outside
		}
	}
}

// eachRow calls f for the rows of tiles that [t0, t0+n) covers: i is the first tile counted from t0, and the tiles
// are [tx, tx+run) of row ty of an image.
func (t *tiling) eachRow(t0, n int, f func(i, image, ty, tx, run int)) {
	per := t.th * t.tw
	for i := 0; i < n; {
		image, r := (t0+i)/per, (t0+i)%per
		run := min(t.tw-r%t.tw, n-i)
		f(i, image, r/t.tw, r%t.tw, run)
		i += run
	}
}

// winoConv is forward or backward-data.
type winoConv struct {
	d *Device
	s device.ConvShape
	tiling
	transpose bool      // backward-data
	kc        int       // input channels of a chunk
	filters   []float32 // [position][chunk][panel][kc][16]; void once another pass has packed
	lv, lm    int       // elements of a tile in one position of the transformed input and output
	lf        int       // elements of a position of the filters
	weights   *float32  // that pack was given
	// The running call.
	in, out      *float32
	tiles, block int
	sums         *outputSums // of the output, optional
}

func newWinoConv(d *Device, s device.ConvShape, backward bool) (*winoConv, error) {
	t, err := newTiling(d, s, backward)
	if err != nil {
		return nil, err
	}
	p := &winoConv{d: d, s: s, tiling: t, transpose: backward, kc: chunk(t.c, 1), lv: t.c + tileCols, lm: t.co + tileCols,
		lf: oddLines(t.c * t.co)}
	if err := d.reservePacked(winoPositions * p.lf); err != nil {
		return nil, err
	}
	block := p.mostTiles()
	return p, d.reserve(demand{
		a: winoIn*t.ldin() + block, c: winoOut*t.ldout() + block, trash: t.co,
		tiles: max(winoPositions*(oddLines(block*p.lv)+oddLines(block*p.lm)), filterTaps*t.c*tileCols),
	})
}

// oddLines rounds n up to an odd number of cache lines, so that the positions of a tile begin in different sets.
func oddLines(n int) int {
	lines := (n + tileCols - 1) / tileCols
	return (lines | 1) * tileCols
}

// mostTiles is the number of tiles of a block, a multiple of tileRows.
func (p *winoConv) mostTiles() int {
	n := min(winoScratch/(4*winoPositions*(p.c+p.co)), winoMost)
	if 4*winoPositions*p.lf > winoFilters {
		n = max(n, winoLong)
	}
	return max(n/tileRows, 2) * tileRows
}

func (p *winoConv) run(in, out *float32, n int) {
	if p.d.packs(p, p.weights) {
		p.filters = p.d.packed.mem[:winoPositions*p.lf]
		p.d.pool.run((*winoPack)(p), p.co/tileCols)
	}
	p.in, p.out, p.tiles = in, out, n*p.th*p.tw
	p.block = p.blockFor(p.d.pool.threads())
	p.d.pool.run(p, (p.tiles+p.block-1)/p.block)
}

// blockFor is the number of tiles of a job of the running call: the largest that keeps the thread with most jobs about
// as short as any does. Every job reads all filters, so smaller blocks must pay. No block changes a bit.
func (p *winoConv) blockFor(threads int) int {
	most := p.mostTiles()
	longest := func(block int) int {
		jobs := (p.tiles + block - 1) / block
		return (jobs + threads - 1) / threads * block
	}
	best := most
	for b := most - tileRows; b >= 2*tileRows; b -= tileRows {
		if 16*longest(b) < 15*longest(best) {
			best = b
		}
	}
	return best
}

// do computes one block of tiles.
func (p *winoConv) do(worker, job int) {
	s, t0 := &p.d.scratch[worker], job*p.block
	n := min(p.block, p.tiles-t0)
	vs, ms := oddLines(p.block*p.lv), oddLines(p.block*p.lm)
	v, m := &s.tiles[0], &s.tiles[winoPositions*vs]
	table := s.a[:winoIn*p.ldin()]
	p.eachRow(t0, n, func(i, image, ty, tx, run int) {
		p.inputs(table, p.in, image, ty)
		for j := range run {
			p.k.winoInput(p.c, &table[(tx+j)*winoOut], p.ldin(), at(v, (i+j)*p.lv), vs, tileCols)
		}
	})
	p.multiply(s, n, [2]*float32{v, m}, [2]int{vs, ms})
	table = s.c[:winoOut*p.ldout()]
	p.eachRow(t0, n, func(i, image, ty, tx, run int) {
		p.outputs(table, p.out, image, ty, &s.trash[0])
		for j := range run {
			p.k.winoOutput(p.co, at(m, (i+j)*p.lm), ms, &table[(tx+j)*winoOut], p.ldout())
		}
		if p.sums != nil {
			p.told(worker, image, ty, tx, run)
		}
	})
}

// multiply is the matrix product of n tiles in each position, from operand[0] to operand[1]; the positions are
// stride apart. Rows up to the next whole tile of the kernel are computed from what is there, and not used.
func (p *winoConv) multiply(s *scratch, n int, operand [2]*float32, stride [2]int) {
	tiles := (n + tileRows - 1) / tileRows
	rows, to := s.a[winoIn*p.ldin():][:tiles*tileRows], s.c[winoOut*p.ldout():][:tiles*tileRows]
	p.k.spread(len(rows), &rows[0], operand[0], p.lv)
	p.k.spread(len(to), &to[0], operand[1], p.lm)
	for pos := range winoPositions {
		filters := p.filters[pos*p.lf:]
		for c0 := 0; c0 < p.c; c0 += p.kc {
			kc := min(p.kc, p.c-c0)
			p.k.gemm(1, kc, &rows[0], 0, pos*stride[0]+c0, &filters[c0*p.co], kc*tileCols, &to[0], pos*stride[1],
				tiles, p.co, c0 > 0)
		}
	}
}

// pack takes the weights w [K][3][3][C].
func (p *winoConv) pack(w *float32) {
	p.weights = w
	p.d.repack(p)
}

// winoPack transforms the filters of one panel.
type winoPack winoConv

func (t *winoPack) do(worker, pn int) {
	p := (*winoConv)(t)
	taps := p.d.scratch[worker].tiles // [9][c][16]
	for i := range filterTaps {
		dst := taps[i*p.c*tileCols:][:p.c*tileCols]
		if p.transpose {
			turned := (filterTaps-1-i)*p.co + pn*tileCols // row k is output channel k of the weights, columns input channels
			p.k.packRows(p.c, 1, at(p.weights, turned), filterTaps*p.co, &dst[0], 0)
			continue
		}
		src := at(p.weights, pn*tileCols*filterTaps*p.c+i*p.c)
		p.k.transpose(tileCols, p.c, src, filterTaps*p.c, &dst[0], tileCols, false)
	}
	for c0 := 0; c0 < p.c; c0 += p.kc {
		kc := min(p.kc, p.c-c0)
		p.k.winoFilter(kc*tileCols, &taps[c0*tileCols], p.c*tileCols, &p.filters[c0*p.co+pn*kc*tileCols], p.lf)
	}
}
