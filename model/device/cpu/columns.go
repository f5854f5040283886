package cpu

import (
	"fmt"
	"unsafe"

	"byol/model/device"
)

// operations holds one task of each kind, so that starting one allocates nothing.
type operations struct {
	columns columnSums
	output  outputSums
	rows    rowwise
	vector  elementwise
	images  imagewise
	coef    []float32 // per-channel operands of batch norm
	units   []float64 // sums of units of rows
	perRow  []float64
	err     error // the first error since the last Sync
}

// columnSums sums over rows: float32 within a block of blockRows, float64 over the blocks of a unit, then over the
// units, all in row order. A strip of columns is a job of its own, which changes no sum.
type columnSums struct {
	d       *Device
	rows, c int
	strips  int      // of stripCols columns
	dy, x   *float32 // dy is nil for the forward sums
	gate    gate     // with dy, and mean, too
	mean    *float32
	partial []float64 // [unit][2][c]
}

const (
	stripCols = 256
	// blockRows bounds the rounding of a float32 sum: with 64 rows and more, the outputs of golden/byol-bottleneck
	// are 1.1e-5 from the float64 ones, with 32 they are 7.7e-6.
	blockRows = 32
	unitRows  = 6 * blockRows
)

// unitsOf is how many units a number of rows has.
func unitsOf(rows int) int { return (rows + unitRows - 1) / unitRows }

func (t *columnSums) do(worker, job int) {
	u, j := job/t.strips, job%t.strips*stripCols
	t.unit(&t.d.scratch[worker], u*unitRows, min(unitRows, t.rows-u*unitRows), j, t.partial[2*u*t.c:][:2*t.c])
}

// unit sums the strip that begins at column j over some rows from lo on, into to [2][c].
func (t *columnSums) unit(s *scratch, lo, rows, j int, to []float64) {
	k, cols := t.d.k, min(stripCols, t.c-j)
	a, b := to[j:][:cols], to[t.c+j:][:cols]
	clear(a)
	clear(b)
	sum, other := &s.sums[0], &s.sums[stripCols] // all zero between blocks
	for r := 0; r < rows; r += blockRows {
		n, off := min(blockRows, rows-r), (lo+r)*t.c+j
		if t.dy == nil {
			k.colSums(n, cols, t.c, at(t.x, off), sum, other)
		} else {
			g := t.gate.row((lo + r) * t.c).at(j)
			k.gradSums(n, cols, t.c, at(t.dy, off), at(t.x, off), g, at(t.mean, j), sum, other)
		}
		k.fold(cols, sum, &a[0])
		k.fold(cols, other, &b[0])
	}
}

// sumColumns runs t and adds the units: first[j], second[j] for the two sums. It reports whether there was memory.
func (d *Device) sumColumns(t columnSums, first, second []float64) bool {
	t.d = d
	t.strips = (t.c + stripCols - 1) / stripCols
	units := unitsOf(t.rows)
	if !d.reserveUnits(units * 2 * t.c) {
		return false
	}
	t.partial = d.ops.units
	d.ops.columns = t
	d.pool.run(&d.ops.columns, units*t.strips)
	addUnits(t.partial, units, t.c, first, second)
	return true
}

// addUnits adds the sums of units of c columns, first to last; second may be shorter.
func addUnits(partial []float64, units, c int, first, second []float64) {
	clear(first)
	clear(second)
	for u := range units {
		part := partial[2*u*c:][:2*c]
		for j, v := range part[:len(first)] {
			first[j] += v
		}
		for j, v := range part[c:][:len(second)] {
			second[j] += v
		}
	}
}

// reserveUnits makes the memory for the sums of units large enough and reports whether it could.
func (d *Device) reserveUnits(n int) bool {
	if n <= len(d.ops.units) {
		return true
	}
	old := unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(d.ops.units))), 2*len(d.ops.units))
	f, err := d.spare.grow(old, 2*n)
	if err != nil {
		d.fail(fmt.Errorf("sum columns: %w", err))
		return false
	}
	d.ops.units = unsafe.Slice((*float64)(unsafe.Pointer(unsafe.SliceData(f))), n)
	return true
}

// fail keeps the first error for Sync.
func (d *Device) fail(err error) {
	if d.ops.err == nil {
		d.ops.err = err
	}
}

// rowwise runs a kernel over blocks of whole rows.
type rowwise struct {
	k       *kernels
	op      func(t *rowwise, lo, rows int)
	rows, c int
	block   int
	in      [3]*float32 // rows×c
	out     *float32    // rows×c
	coef    [4]*float32 // c
	gate    gate
	relu    bool
	past    bool // out is not read again soon
}

const rowElements = 16384

func (t *rowwise) do(_, job int) {
	lo := job * t.block
	t.op(t, lo, min(t.block, t.rows-lo))
}

func (d *Device) runRows(t rowwise) {
	t.k, t.block = d.k, max(1, rowElements/t.c)
	d.ops.rows = t
	d.pool.run(&d.ops.rows, (t.rows+t.block-1)/t.block)
}

// channelVectors returns n vectors of c elements of scratch memory.
func (d *Device) channelVectors(n, c int) []float32 {
	if len(d.ops.coef) < n*c {
		d.ops.coef = make([]float32, n*c)
	}
	return d.ops.coef[:n*c]
}

// vector checks the length of a per-channel operand on the host.
func vector(op string, v []float64, n int) []float64 {
	if len(v) < n {
		panic(fmt.Sprintf("cpu: %s: %d numbers needed, operand has %d", op, n, len(v)))
	}
	return v[:n]
}

// matrix checks the size of a rows×c operation.
func matrix(op string, rows, c int) {
	if rows < 0 || c <= 0 {
		panic(fmt.Sprintf("cpu: %s: %d rows of %d columns", op, rows, c))
	}
}

// AddBias adds bias to each row of y.
func (d *Device) AddBias(y, bias device.Buffer, rows, c int) {
	const op = "add bias"
	matrix(op, rows, c)
	d.runRows(rowwise{
		op: addBias, rows: rows, c: c,
		out: d.operand(op, y, rows*c), coef: [4]*float32{d.operand(op, bias, c)},
	})
}

func addBias(t *rowwise, lo, rows int) { t.k.addRows(rows, t.c, t.c, at(t.out, lo*t.c), t.coef[0]) }

// BiasGrad sums the columns of dy.
func (d *Device) BiasGrad(dy, db device.Buffer, rows, c int) {
	const op = "bias gradient"
	matrix(op, rows, c)
	out := d.need(op, db, c)
	x := d.operand(op, dy, rows*c)
	sums := d.rowNumbers(c)
	if !d.sumColumns(columnSums{rows: rows, c: c, x: x}, sums, nil) {
		return
	}
	for j, v := range sums {
		out[j] = float32(v)
	}
}

// rowNumbers returns n float64s of scratch memory.
func (d *Device) rowNumbers(n int) []float64 {
	if len(d.ops.perRow) < n {
		d.ops.perRow = make([]float64, n)
	}
	return d.ops.perRow[:n]
}

// first is the address of a vector of scratch memory.
func first(v []float32) *float32 { return unsafe.SliceData(v) }
