package cpu

import "byol/model/device"

// winoWeights is backward-weights by the adjoint of the forward pass: Gᵀ[ Σ_tiles (Bᵀ·d·B) ⊙ (A·dy·Aᵀ) ]G. The tiles
// go through in groups; for each position the sum over the tiles of a group is a product of outer products, whose rows
// are input channels and whose columns are output channels. A position is summed by one job, group after group.
type winoWeights struct {
	d *Device
	s device.ConvShape
	tiling
	// The running call.
	x, dy     *float32
	v, g, sum *float32 // [position][panel][tile][16] twice, [position][panel][c][16]
	dw        []float32
	group     int // tiles, or fewer in the last
	first     int // tile of the group at hand
	count     int // tiles of it
	split     int // jobs of a position, by panels
	add       bool
}

const (
	winoGroupBytes = 8 << 20 // of the transformed operands of a group
	winoGroupLeast = 64
	winoPixels     = 128 // tiles that are summed before the sums go back to memory
	winoTilesLeast = 8   // with fewer, going through the sums of all positions takes longer than the definition
)

func newWinoWeights(d *Device, s device.ConvShape) (*winoWeights, error) {
	t, err := newTiling(d, s, false)
	if err != nil {
		return nil, err
	}
	p := &winoWeights{d: d, s: s, tiling: t}
	group := p.groupOf(s.N * t.th * t.tw)
	if err := d.reserve(demand{
		a: max(winoIn*t.ldin(), winoOut*t.ldout()), tiles: filterTaps * t.channelElements(),
	}); err != nil {
		return nil, err
	}
	return p, d.reservePartial(winoPositions * (p.operand(group, t.c) + p.operand(group, t.co) + p.sumStride()))
}

// channelElements are those of one tap of a panel's filters.
func (t *tiling) channelElements() int { return t.c * tileCols }

func (p *winoWeights) panels() int { return p.co / tileCols }

// panelSize and sumStride are the elements of the sums of one panel, and of one position.
func (p *winoWeights) panelSize() int { return p.c * tileCols }
func (p *winoWeights) sumStride() int { return oddLines(p.panels() * p.panelSize()) }

// panel and operand are the elements of a panel, and of a position of a group's operand.
func (p *winoWeights) panel(group int) int             { return oddLines(group * tileCols) }
func (p *winoWeights) operand(group, channels int) int { return channels / tileCols * p.panel(group) }

// groupOf is the number of tiles of a group: a function of the shape and of the tiles in all, for it orders the sum.
func (p *winoWeights) groupOf(tiles int) int {
	most := max(winoGroupBytes/(4*winoPositions*(p.c+p.co))&^3, winoGroupLeast)
	groups := max((tiles+most-1)/most, 1)
	return ((tiles+groups-1)/groups + 3) &^ 3
}

// pays reports whether n images are enough: a function of the shape and n, for it orders the sum.
func (p *winoWeights) pays(n int) bool { return n*p.th*p.tw >= winoTilesLeast }

func (p *winoWeights) run(x, dy *float32, dw []float32, n int, add bool) {
	if n == 0 {
		if !add {
			clear(dw)
		}
		return
	}
	tiles := n * p.th * p.tw
	p.x, p.dy, p.dw, p.add, p.group = x, dy, dw, add, p.groupOf(tiles)
	p.v = &p.d.partial[0]
	p.g = at(p.v, winoPositions*p.operand(p.group, p.c))
	p.sum = at(p.g, winoPositions*p.operand(p.group, p.co))
	p.split = min(p.panels(), 2)
	for p.first = 0; p.first < tiles; p.first += p.group {
		p.count = min(p.group, tiles-p.first)
		p.d.pool.run((*winoOperands)(p), (p.count+winoBatch-1)/winoBatch)
		p.d.pool.run((*winoSums)(p), winoPositions*p.split)
	}
	p.d.pool.run((*winoFinish)(p), p.panels())
}

// winoBatch is the number of tiles that one job transforms.
const winoBatch = 32

// winoOperands transforms some tiles of a group. The last ones are filled up with zeros to a multiple of 4.
type winoOperands winoWeights

func (t *winoOperands) do(worker, job int) {
	p, s := (*winoWeights)(t), &t.d.scratch[worker]
	begin, n := job*winoBatch, min(winoBatch, p.count-job*winoBatch)
	panel, vs, gs := p.panel(p.group), p.operand(p.group, p.c), p.operand(p.group, p.co)
	table := s.a[:winoIn*p.ldin()]
	p.eachRow(p.first+begin, n, func(i, image, ty, tx, run int) {
		p.inputs(table, p.x, image, ty)
		for j := range run {
			p.k.winoInput(p.c, &table[(tx+j)*winoOut], p.ldin(), at(p.v, (begin+i+j)*tileCols), vs, panel)
		}
	})
	grads := s.a[:winoOut*p.ldout()]
	p.eachRow(p.first+begin, n, func(i, image, ty, tx, run int) {
		p.outputs(grads, p.dy, image, ty, p.zero)
		for j := range run {
			p.k.winoGrad(p.co, &grads[(tx+j)*winoOut], p.ldout(), at(p.g, (begin+i+j)*tileCols), gs, panel)
		}
	})
	if begin+n < p.count {
		return
	}
	for i := p.count; i < (p.count+3)&^3; i++ {
		for pn := range winoPositions * p.c / tileCols {
			clear(row(p.v, pn*panel+i*tileCols, tileCols))
		}
		for pn := range winoPositions * p.panels() {
			clear(row(p.g, pn*panel+i*tileCols, tileCols))
		}
	}
}

// winoSums adds a group to the sums of some panels in one position.
type winoSums winoWeights

func (t *winoSums) do(_, job int) {
	p := (*winoWeights)(t)
	pos, q := job/p.split, job%p.split
	first := p.panels() * q / p.split
	count := p.panels()*(q+1)/p.split - first
	tiles, panel := (p.count+3)&^3, p.panel(p.group)
	for i := 0; i < tiles; i += winoPixels {
		v := at(p.v, pos*p.operand(p.group, p.c)+i*tileCols)
		g := at(p.g, pos*p.operand(p.group, p.co)+first*panel+i*tileCols)
		sum := at(p.sum, pos*p.sumStride()+first*p.panelSize())
		p.k.outer(min(winoPixels, tiles-i), v, panel, g, panel, sum, p.panelSize(), p.c/quadRows, count,
			p.first > 0 || i > 0)
	}
}

// winoFinish transforms the sums of one panel and writes the weights of its 16 output channels.
type winoFinish winoWeights

func (t *winoFinish) do(worker, pn int) {
	p, taps := (*winoWeights)(t), t.d.scratch[worker].tiles // [9][c][16]
	size := p.channelElements()
	p.k.winoFilterGrad(size, at(p.sum, pn*p.panelSize()), p.sumStride(), &taps[0], size)
	for i := range filterTaps {
		dst := &p.dw[(pn*tileCols*filterTaps+i)*p.c]
		p.k.transpose(p.c, tileCols, &taps[i*size], tileCols, dst, filterTaps*p.c, p.add)
	}
}
