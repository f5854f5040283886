package cpu

import (
	"unsafe"

	"byol/model/device"
)

const (
	blockTiles = 32  // tiles of 6 pixels that share one pass over the weights
	panelRows  = 384 // rows of 16 weights that stay in the first-level cache
)

// gemmConv is forward or backward-data as an indirect matrix product: a tile is 6 output pixels, each tap a
// table of 6 addresses in the input, and the weights are packed into panels of 16 output channels.
type gemmConv struct {
	d         *Device
	s         device.ConvShape
	classes   []gemmClass // one, or stride² for backward-data: output positions that share their taps
	co        int         // output channels
	oh, ow    int         // output size
	transpose bool        // backward-data: the output channels are the C of the weights
	weights   *float32    // that pack was given
	in, out   *float32    // only during run
	sums      *outputSums // of the output, optional; only during run
}

// gemmClass is the product for the output positions (oy0 + i·ostep, ox0 + j·ostep) of the grid.
type gemmClass struct {
	gather
	oy0, ox0, ostep int
	kc              int       // elements of a group in a chunk
	first           int       // element of the packed weights
	packed          []float32 // [chunk][panel][group][kc][16]; void once another pass has packed
	// The division of the running call into jobs.
	pixels, tiles int // in all, per job
	blocks, split int // jobs by pixels, by panels
}

func newForward(d *Device, s device.ConvShape) (*gemmConv, error) {
	p := &gemmConv{d: d, s: s, co: s.K, oh: s.OH, ow: s.OW}
	p.classes = []gemmClass{{ostep: 1, gather: gather{
		k: d.k, h: s.H, w: s.W, c: s.C, gh: s.OH, gw: s.OW, step: s.Stride, groups: forwardGroups(s),
	}}}
	return p, p.plan()
}

func newBackwardData(d *Device, s device.ConvShape) (*gemmConv, error) {
	p := &gemmConv{d: d, s: s, co: s.C, oh: s.H, ow: s.W, transpose: true}
	for py := range min(s.Stride, s.H) {
		for px := range min(s.Stride, s.W) {
			p.classes = append(p.classes, gemmClass{oy0: py, ox0: px, ostep: s.Stride, gather: gather{
				k: d.k, h: s.OH, w: s.OW, c: s.K, step: 1, groups: classGroups(s, py, px),
				gh: (s.H - py + s.Stride - 1) / s.Stride, gw: (s.W - px + s.Stride - 1) / s.Stride,
			}})
		}
	}
	return p, p.plan()
}

// panels is the number of panels of 16 output channels.
func (p *gemmConv) panels() int { return (p.co + tileCols - 1) / tileCols }

// weightsOf is the number of packed weights of a class.
func (p *gemmConv) weightsOf(cl *gemmClass) int {
	return len(cl.groups) * cl.elements() * p.panels() * tileCols
}

// plan reserves memory for the packed weights and for what the threads need.
func (p *gemmConv) plan() error {
	packed := 0
	for i := range p.classes {
		cl := &p.classes[i]
		cl.ld = blockTiles * tileRows
		cl.kc = chunk(cl.elements(), len(cl.groups))
		cl.first = packed
		packed = roundUp(packed+p.weightsOf(cl)+slack/4, tileCols)
		zero, err := p.d.mem.floats(cl.elements())
		if err != nil {
			return err
		}
		cl.zero = unsafe.SliceData(zero)
		err = p.d.reserve(demand{
			a: cl.ld * len(cl.groups), c: cl.ld, edge: cl.edgeElements(), trash: p.panels() * tileCols,
		})
		if err != nil {
			return err
		}
	}
	return p.d.reservePacked(packed)
}

// chunk is how many elements of each group are summed in one pass over the pixels of a block, so that the weights
// of a panel stay in the first-level cache. It is a function of the shape alone: it orders the sum.
func chunk(elements, groups int) int {
	if groups == 0 {
		return 0
	}
	most := max(panelRows/groups&^15, 16)
	chunks := (elements + most - 1) / most
	kc := (elements + chunks - 1) / chunks
	return min((kc+3)&^3, elements)
}

func (p *gemmConv) run(in, out *float32, n int) {
	if p.d.packs(p, p.weights) {
		for i := range p.classes {
			cl := &p.classes[i]
			cl.packed = p.d.packed.mem[cl.first:][:p.weightsOf(cl)]
		}
		p.d.pool.run((*packTask)(p), len(p.classes)*p.panels())
	}
	jobs := 0
	for i := range p.classes {
		cl := &p.classes[i]
		cl.pixels = n * cl.gh * cl.gw
		tiles := (cl.pixels + tileRows - 1) / tileRows
		cl.divide(tiles, p.panels(), p.d.pool.threads())
		jobs += cl.blocks * cl.split
	}
	p.in, p.out = in, out
	p.d.pool.run(p, jobs)
}

// divide chooses the jobs. Any division gives the same bits; this one balances the threads.
func (cl *gemmClass) divide(tiles, panels, threads int) {
	cl.split = 1
	cl.blocks = (tiles + blockTiles - 1) / blockTiles
	if cl.blocks == 0 {
		cl.tiles = 0
		return
	}
	const jobsPerThread = 4
	if want := jobsPerThread * threads; threads > 1 && cl.blocks < want && len(cl.groups) > 0 {
		cl.split = evenSplit(cl.blocks, min(panels, (want+cl.blocks-1)/cl.blocks), panels, threads)
	} else {
		cl.blocks = min(roundUp(cl.blocks, threads), tiles)
	}
	cl.tiles = (tiles + cl.blocks - 1) / cl.blocks
	cl.blocks = (tiles + cl.tiles - 1) / cl.tiles
}

// do computes some panels of one block of pixels.
func (p *gemmConv) do(worker, job int) {
	i := 0
	for job >= p.classes[i].blocks*p.classes[i].split {
		job -= p.classes[i].blocks * p.classes[i].split
		i++
	}
	cl, s := &p.classes[i], &p.d.scratch[worker]
	m0 := job / cl.split * cl.tiles * tileRows
	px := min(cl.tiles*tileRows, cl.pixels-m0)
	tiles := (px + tileRows - 1) / tileRows
	p.outputs(cl, s, m0, px, tiles*tileRows)
	if len(cl.groups) == 0 {
		for _, c := range s.c[:px] {
			clear(row(c, 0, p.co))
		}
		return
	}
	cl.fill(s, p.in, m0, px, tiles*tileRows)
	part, panels := job%cl.split, p.panels()
	first, end := panels*part/cl.split, panels*(part+1)/cl.split
	groups, elements := len(cl.groups), cl.elements()
	for c0 := 0; c0 < elements; c0 += cl.kc {
		kc := min(cl.kc, elements-c0)
		b, ldb := &cl.packed[(c0*panels+first*kc)*groups*tileCols], kc*groups*tileCols
		cols := min(end*tileCols, p.co) - first*tileCols
		p.d.k.gemm(groups, kc, &s.a[0], cl.ld, c0, b, ldb, &s.c[0], first*tileCols, tiles, cols, c0 > 0)
	}
	if p.sums != nil {
		p.sums.done(worker, m0, m0+px, end-first)
	}
}

// outputs writes the addresses of the output pixels; rows beyond the last go to the trash.
func (p *gemmConv) outputs(cl *gemmClass, s *scratch, m0, px, total int) {
	table := s.c[:total]
	n, rest := m0/(cl.gh*cl.gw), m0%(cl.gh*cl.gw)
	i, j := rest/cl.gw, rest%cl.gw
	for r := 0; r < px; {
		run := min(cl.gw-j, px-r)
		first := at(p.out, ((n*p.oh+cl.oy0+i*cl.ostep)*p.ow+cl.ox0+j*cl.ostep)*p.co)
		cl.k.spread(run, &table[r], first, cl.ostep*p.co)
		r += run
		j = 0
		if i++; i == cl.gh {
			i = 0
			n++
		}
	}
	for r := px; r < total; r++ {
		table[r] = &s.trash[0]
	}
}

// pack takes the weights w [K][KH][KW][C].
func (p *gemmConv) pack(w *float32) {
	p.weights = w
	p.d.repack(p)
}

// packTask lays out one panel of one class.
type packTask gemmConv

func (t *packTask) do(_, job int) {
	p := (*gemmConv)(t)
	panels := p.panels()
	cl, pn := &p.classes[job/panels], job%panels
	groups, elements := len(cl.groups), cl.elements()
	for c0 := 0; c0 < elements; c0 += cl.kc {
		kc := min(cl.kc, elements-c0)
		dst := cl.packed[(c0*panels+pn*kc)*groups*tileCols:][:groups*kc*tileCols]
		for i := range cl.groups {
			part := dst[i*kc*tileCols:][:kc*tileCols]
			if p.transpose {
				p.packTransposed(&cl.groups[i], pn, c0, part)
			} else {
				p.packForward(&cl.groups[i], pn, c0, part)
			}
		}
	}
}

// packForward: column j of the panel is output channel k = 16·pn+j, whose weights for a group are contiguous.
func (p *gemmConv) packForward(t *tapGroup, pn, c0 int, dst []float32) {
	s := &p.s
	k, stride := pn*tileCols, s.KH*s.KW*s.C
	src := at(p.weights, k*stride+(t.ky*s.KW+t.kx[0])*s.C+c0)
	p.d.k.transpose(min(tileCols, s.K-k), len(dst)/tileCols, src, stride, &dst[0], tileCols, false)
}

// packTransposed: row i of the panel is tap (c0+i)/K of the group and output channel (c0+i) mod K.
func (p *gemmConv) packTransposed(t *tapGroup, pn, c0 int, dst []float32) {
	s := &p.s
	cols, stride := min(tileCols, s.C-pn*tileCols), s.KH*s.KW*s.C
	for i, n := 0, 0; i < len(dst)/tileCols; i += n {
		kx, k := t.kx[(c0+i)/s.K], (c0+i)%s.K
		n = min(s.K-k, len(dst)/tileCols-i)
		to, first := dst[i*tileCols:][:n*tileCols], k*stride+(t.ky*s.KW+kx)*s.C+pn*tileCols
		if cols == tileCols {
			p.d.k.packRows(n, 1, at(p.weights, first), stride, &to[0], 0)
			continue
		}
		for r := range n {
			copy(to[r*tileCols:][:cols], row(p.weights, first+r*stride, cols))
		}
	}
}
