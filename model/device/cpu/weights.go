package cpu

import (
	"unsafe"

	"byol/model/device"
)

const (
	weightPixels = 256     // pixels of a block
	weightRows   = 12      // panels of input channels that share one pass over a block
	partPixels   = 2048    // least pixels of a part
	partElements = 1 << 20 // most elements of all parts together, unless one part is larger
	mostParts    = 32

	// Packed panels are a cache line more than their size apart, so that not all begin in the same set.
	panelStride = weightPixels*tileCols + tileCols
)

// gemmWeights is backward-weights as outer products over the output pixels: rows are input channels, columns are
// output channels, both packed into panels of 16. The pixels are cut into parts, each with sums of its own, which are
// added from first to last. How many parts there are follows from the shape and the number of images.
type gemmWeights struct {
	d *Device
	s device.ConvShape
	gather
	quads int // of input channels per group
	// The running call.
	x, dy, acc    *float32 // acc: [part][panel][group][quads][4][16]
	dw            []float32
	pixels        int
	parts, blocks int
	split         int // jobs per part, by panels
	add           bool
}

func newWeights(d *Device, s device.ConvShape) (*gemmWeights, error) {
	p := &gemmWeights{d: d, s: s, gather: gather{
		k: d.k, h: s.H, w: s.W, c: s.C, gh: s.OH, gw: s.OW, step: s.Stride, groups: forwardGroups(s), ld: weightPixels,
	}}
	p.quads = (p.elements() + quadRows - 1) / quadRows
	zero, err := d.mem.floats(p.elements())
	if err != nil {
		return nil, err
	}
	p.zero = unsafe.SliceData(zero)
	need := demand{a: p.ld * len(p.groups), edge: p.edgeElements(), panel: p.panels() * panelStride,
		tiles: weightRows * panelStride}
	if err := d.reserve(need); err != nil {
		return nil, err
	}
	return p, d.reservePartial(p.partsOf(s.N*s.OH*s.OW) * p.partSize())
}

func (p *gemmWeights) panels() int { return (p.s.K + tileCols - 1) / tileCols }

// panelSize and partSize are the elements of the sums of one panel and of one part.
func (p *gemmWeights) panelSize() int { return len(p.groups) * p.quads * quadRows * tileCols }
func (p *gemmWeights) partSize() int  { return p.panels() * p.panelSize() }

// partsOf is the number of parts for a number of pixels: one, or an even number, which keeps two threads busy to the
// end.
func (p *gemmWeights) partsOf(pixels int) int {
	return max(1, min(pixels/partPixels, partElements/p.partSize(), mostParts)&^1)
}

func (p *gemmWeights) run(x, dy *float32, dw []float32, n int, add bool) {
	if n == 0 {
		if !add {
			clear(dw)
		}
		return
	}
	p.x, p.dy, p.dw, p.add = x, dy, dw, add
	p.acc = unsafe.SliceData(p.d.partial)
	p.pixels = n * p.gh * p.gw
	p.blocks = (p.pixels + weightPixels - 1) / weightPixels
	p.parts = p.partsOf(p.pixels)
	const jobsPerThread = 4
	p.split = 1
	if want := jobsPerThread * p.d.pool.threads(); want > jobsPerThread && p.parts < want {
		split := min(p.panels(), (want+p.parts-1)/p.parts)
		p.split = evenSplit(p.parts, split, p.panels(), p.d.pool.threads())
	}
	p.d.pool.run(p, p.parts*p.split)
	p.d.pool.run((*weightsSum)(p), p.panels())
}

// do sums some panels over one part of the pixels.
func (p *gemmWeights) do(worker, job int) {
	part, q := job/p.split, job%p.split
	firstPanel, endPanel := p.panels()*q/p.split, p.panels()*(q+1)/p.split
	firstBlock, endBlock := p.blocks*part/p.parts, p.blocks*(part+1)/p.parts
	acc := at(p.acc, part*p.partSize())
	for b := firstBlock; b < endBlock; b++ {
		p.block(&p.d.scratch[worker], acc, b, [2]int{firstPanel, endPanel}, b > firstBlock)
	}
}

// block adds the outer products of one block of pixels to the panels of acc, or sets them without add.
func (p *gemmWeights) block(s *scratch, acc *float32, b int, panels [2]int, add bool) {
	m0 := b * weightPixels
	px := min(weightPixels, p.pixels-m0)
	padded := (px + 3) &^ 3
	p.fill(s, p.x, m0, px, padded)
	first, count := panels[0], panels[1]-panels[0]
	p.k.packRows(px, count, at(p.dy, m0*p.s.K+first*tileCols), p.s.K, &s.panel[0], panelStride)
	for q := range count {
		clear(s.panel[q*panelStride:][px*tileCols : padded*tileCols])
	}
	for g := range p.groups {
		const most = weightRows * tileCols / quadRows
		for t := 0; t < p.quads; t += most {
			quads := min(most, p.quads-t)
			p.k.gatherRows(padded, (quads*quadRows+tileCols-1)/tileCols, &s.a[g*p.ld], t*quadRows, &s.tiles[0], panelStride)
			c := at(acc, first*p.panelSize()+(g*p.quads+t)*quadRows*tileCols)
			p.k.outer(padded, &s.tiles[0], panelStride, &s.panel[0], panelStride, c, p.panelSize(), quads, count, add)
		}
	}
}

// weightsSum adds the parts of one panel and writes the weights of its 16 output channels.
type weightsSum gemmWeights

func (t *weightsSum) do(_, pn int) {
	p := (*gemmWeights)(t)
	s := &p.s
	stride := s.KH * s.KW * s.C
	channels := min(tileCols, s.K-pn*tileCols)
	for g := range p.groups {
		group := &p.groups[g]
		size := p.quads * quadRows * tileCols // [input channel][output channel]
		acc := at(p.acc, pn*p.panelSize()+g*size)
		for part := 1; part < p.parts; part++ {
			p.k.addMasked(size, acc, at(acc, part*p.partSize()), nil, acc)
		}
		dst := &p.dw[pn*tileCols*stride+(group.ky*s.KW+group.kx[0])*s.C]
		p.k.transpose(p.elements(), channels, acc, tileCols, dst, stride, p.add)
	}
}
