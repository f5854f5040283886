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
	columnSums // of one shard; its operands are those of all
	units      int
	left       []atomic.Int32 // of each unit of each shard: pixels times panels that are still to be written
}

// begin prepares for the sums of t over shards of t.rows rows each, in panels. It reports whether there was memory.
func (o *outputSums) begin(d *Device, t columnSums, shards, panels int) bool {
	t.d = d
	o.columnSums, o.units = t, unitsOf(t.rows)
	n := shards * o.units
	if !d.reserveUnits(n * 2 * t.c) {
		return false
	}
	o.partial = d.ops.units
	if len(o.left) < n {
		o.left = make([]atomic.Int32, n)
	}
	for i := range n {
		u := i % o.units
		o.left[i].Store(int32(min(unitRows, t.rows-u*unitRows) * panels))
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
	in, to := c.operands(op, x, y, n)
	rows := c.shardRows(op, n, shards, c.s.OH*c.s.OW)
	c.runSums(c.forward, [2]*float32{in, to}, n, columnSums{rows: rows, c: c.s.K, x: to}, vector(op, out, shards*2*c.s.K))
}

// BackwardDataSums is BackwardData, and BatchNormGradSums of each shard of the result.
func (c *conv) BackwardDataSums(dy, dx device.Buffer, n, shards int, a device.BatchNormGrad, out []float64) {
	const op = "convolution backward-data with sums"
	if c.data == nil {
		panic("cpu: " + op + ": planned without")
	}
	to, from := c.operands(op, dx, dy, n)
	rows, k := c.shardRows(op, n, shards, c.s.H*c.s.W), c.s.C
	out = vector(op, out, shards*2*k)
	a.Rows, a.C = n*c.s.H*c.s.W, k
	v := c.d.channelVectors(3, k)
	t := columnSums{rows: rows, c: k, dy: to, x: c.d.operand(op, a.X, a.Rows*k), mean: first(v)}
	t.gate = c.d.gateOf(op, &a, v[:k], v[k:])
	if !c.runSums(c.data, [2]*float32{from, to}, n, t, out) {
		return
	}
	for s := range shards {
		gradSumsOf(out[s*2*k:][:2*k], v[:k], a.Mean, a.InvStd)
	}
}

// shardRows checks the division of a call into shards and returns the rows of one.
func (c *conv) shardRows(op string, n, shards, positions int) int {
	if shards <= 0 || c.images(op, n)%shards != 0 {
		panic(fmt.Sprintf("cpu: %s: %d images in %d shards", op, n, shards))
	}
	return n / shards * positions
}

// runSums runs a direction, and the sums t of its output on the way where it can tell, else behind it. It reports
// whether there was memory.
func (c *conv) runSums(p direction, operand [2]*float32, n int, t columnSums, out []float64) bool {
	if p.parts() == 0 {
		p.run(operand[0], operand[1], n)
		return c.d.sumShards(t, out)
	}
	sums := &c.d.ops.output
	if !sums.begin(c.d, t, len(out)/(2*t.c), p.parts()) {
		return false
	}
	p.tell(sums)
	p.run(operand[0], operand[1], n)
	p.tell(nil)
	sums.finish(out)
	return true
}

// sumShards runs the sums of t over one shard after another.
func (d *Device) sumShards(t columnSums, out []float64) bool {
	all := t
	for s := range len(out) / (2 * t.c) {
		o, to := s*t.rows*t.c, out[s*2*t.c:][:2*t.c]
		t.dy, t.x, t.gate = at(all.dy, o), at(all.x, o), all.gate.row(o)
		if !d.sumColumns(t, to[:t.c], to[t.c:]) {
			return false
		}
	}
	return true
}

// parts is the number of panels that jobs may share out, or 0 for a direction that does not tell; tell sets who is told
// what is written.
func (p *gemmConv) parts() int {
	if len(p.classes) > 1 {
		return 0 // a job writes every second pixel
	}
	return p.panels()
}

func (p *gemmConv) tell(s *outputSums) { p.sums = s }
func (p *winoConv) parts() int         { return 1 }
func (p *winoConv) tell(s *outputSums) { p.sums = s }

// told says that the tiles [tx, tx+run) of row ty of an image are written.
func (p *winoConv) told(worker, image, ty, tx, run int) {
	first, last := tx*winoOut, min((tx+run)*winoOut, p.ow)
	for y := ty * winoOut; y < min((ty+1)*winoOut, p.oh); y++ {
		line := (image*p.oh + y) * p.ow
		p.sums.done(worker, line+first, line+last, 1)
	}
}
