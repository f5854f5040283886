package cpu

import (
	"fmt"
	"sync/atomic"

	"byol/model/device"
)

var _ device.SummingConv = (*conv)(nil)

// outputSums sums the columns of a convolution's output while they are in the cache: the job that writes the last
// element of a unit of rows sums that unit. Which job that is changes no bit, for a unit is one sum in row order.
type outputSums struct {
	columnSums // of one shard; x is the whole output
	units      int
	left       []atomic.Int32 // of each unit of each shard: pixels times panels that are still to be written
}

// begin prepares for shards of rows rows each, of c channels in panels. It reports whether there was memory.
func (t *outputSums) begin(d *Device, y *float32, shards, rows, c, panels int) bool {
	t.columnSums = columnSums{d: d, rows: rows, c: c, x: y}
	t.units = unitsOf(rows)
	n := shards * t.units
	if !d.reserveUnits(n * 2 * c) {
		return false
	}
	t.partial = d.ops.units
	if len(t.left) < n {
		t.left = make([]atomic.Int32, n)
	}
	for i := range n {
		u := i % t.units
		t.left[i].Store(int32(min(unitRows, rows-u*unitRows) * panels))
	}
	return true
}

// done says that panels of the output pixels [lo, hi) are written. It is called by any thread, once for each panel
// of each pixel.
func (t *outputSums) done(worker, lo, hi, panels int) {
	for lo < hi {
		shard, u := lo/t.rows, lo%t.rows/unitRows
		first := shard*t.rows + u*unitRows
		rows := min(unitRows, t.rows-u*unitRows)
		end := min(first+rows, hi)
		i := shard*t.units + u
		if t.left[i].Add(-int32((end-lo)*panels)) == 0 {
			for j := 0; j < t.c; j += stripCols {
				t.unit(&t.d.scratch[worker], first, rows, j, t.partial[2*i*t.c:][:2*t.c])
			}
		}
		lo = end
	}
}

// finish adds the units of each shard: out is [shard][2][c].
func (t *outputSums) finish(out []float64) {
	for s := 0; s*2*t.c < len(out); s++ {
		to := out[s*2*t.c:][:2*t.c]
		addUnits(t.partial[2*s*t.units*t.c:], t.units, t.c, to[:t.c], to[t.c:])
	}
}

// ForwardSums is Forward, and BatchNormSums of each shard of the output.
func (c *conv) ForwardSums(x, y device.Buffer, n, shards int, out []float64) {
	const op = "convolution forward with sums"
	if shards <= 0 || n%shards != 0 {
		panic(fmt.Sprintf("cpu: %s: %d images in %d shards", op, n, shards))
	}
	in, to := c.operands(op, x, y, n)
	out = vector(op, out, shards*2*c.s.K)
	rows := c.images(op, n) / shards * c.s.OH * c.s.OW
	sums := &c.d.ops.output
	if !sums.begin(c.d, to, shards, rows, c.s.K, c.forward.parts()) {
		return
	}
	c.forward.tell(sums)
	c.forward.run(in, to, n)
	c.forward.tell(nil)
	sums.finish(out)
}

// parts is the number of panels that jobs may share out, and tell sets who is told what is written.
func (p *gemmPass) parts() int         { return p.panels() }
func (p *gemmPass) tell(s *outputSums) { p.sums = s }
func (p *winoPass) parts() int         { return 1 }
func (p *winoPass) tell(s *outputSums) { p.sums = s }

// told says that the tiles [tx, tx+run) of row ty of an image are written.
func (p *winoPass) told(worker, image, ty, tx, run int) {
	first, last := tx*winoOut, min((tx+run)*winoOut, p.ow)
	for y := ty * winoOut; y < min((ty+1)*winoOut, p.oh); y++ {
		line := (image*p.oh + y) * p.ow
		p.sums.done(worker, line+first, line+last, 1)
	}
}
