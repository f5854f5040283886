package cpu

// tapGroup is a run of taps that lie side by side in the input: their width·c elements are contiguous, so one
// address serves them all.
type tapGroup struct {
	dy, dx int   // the input row and first column for grid position (0, 0)
	width  int   // input columns
	ky     int   // kernel row
	kx     []int // kernel column of each input column
}

// gather finds, for each pixel of a grid and each group of taps, where in an NHWC tensor the group's input lies.
// Grid position (i, j) and group g read row i·step+g.dy, columns from j·step+g.dx.
type gather struct {
	k       *kernels
	h, w, c int // the tensor read
	gh, gw  int // the grid
	step    int
	groups  []tapGroup
	ld      int      // most pixels in a table
	zero    *float32 // stands for everything outside the tensor; as long as the longest group
}

// edgeElements is the scratch memory for windows that are partly outside the tensor.
func (g *gather) edgeElements() int {
	n := 0
	for _, t := range g.groups {
		if t.width > 1 {
			n += t.width * g.c * g.ld
		}
	}
	return n
}

// elements is the number of elements of a group. All groups of a gather are equally wide.
func (g *gather) elements() int {
	if len(g.groups) == 0 {
		return 0
	}
	return g.groups[0].width * g.c
}

// dense reports whether pixel r of the grid is pixel r of the tensor.
func (g *gather) dense() bool {
	if len(g.groups) != 1 || g.step != 1 || g.gh != g.h || g.gw != g.w {
		return false
	}
	t := g.groups[0]
	return t.width == 1 && t.dx == 0 && t.dy == 0
}

// fill writes the addresses of pixels m0 … m0+px−1 of all images to s.a[group·ld+r], and zeros' for r in
// [px, total). base is the first element of the tensor.
func (g *gather) fill(s *scratch, base *float32, m0, px, total int) {
	s.edgeUsed = 0
	for i := range g.groups {
		table := s.a[i*g.ld:][:total]
		if g.dense() {
			g.k.spread(px, &table[0], at(base, m0*g.c), g.c)
		} else {
			g.fillGroup(s, &g.groups[i], base, m0, table[:px])
		}
		g.outside(table[px:])
	}
}

func (g *gather) outside(table []*float32) {
	for r := range table {
		table[r] = g.zero
	}
}

// fillGroup goes along the rows of the grid.
func (g *gather) fillGroup(s *scratch, t *tapGroup, base *float32, m0 int, table []*float32) {
	n, rest := m0/(g.gh*g.gw), m0%(g.gh*g.gw)
	i, j := rest/g.gw, rest%g.gw
	for len(table) > 0 {
		run := min(g.gw-j, len(table))
		y := i*g.step + t.dy
		if y < 0 || y >= g.h {
			g.outside(table[:run])
		} else {
			g.fillRow(s, t, at(base, (n*g.h+y)*g.w*g.c), j*g.step+t.dx, table[:run])
		}
		table = table[run:]
		j = 0
		if i++; i == g.gh {
			i = 0
			n++
		}
	}
}

// fillRow: line is the row of the tensor, x the column that the first entry reads from.
func (g *gather) fillRow(s *scratch, t *tapGroup, line *float32, x int, table []*float32) {
	last := g.w - t.width // the last column where a window lies inside
	for r := 0; r < len(table); {
		switch {
		case x >= 0 && x <= last:
			inside := min(len(table)-r, (last-x)/g.step+1)
			g.k.spread(inside, &table[r], at(line, x*g.c), g.step*g.c)
			r += inside
			x += inside * g.step
			continue
		case x+t.width <= 0 || x >= g.w:
			table[r] = g.zero
		default:
			table[r] = g.edge(s, t, line, x)
		}
		r++
		x += g.step
	}
}

// edge copies a window that is partly outside the row.
func (g *gather) edge(s *scratch, t *tapGroup, line *float32, x int) *float32 {
	n := t.width * g.c
	window := s.edge[s.edgeUsed : s.edgeUsed+n]
	s.edgeUsed += n
	clear(window)
	lo, hi := max(x, 0), min(x+t.width, g.w)
	copy(window[(lo-x)*g.c:], row(line, lo*g.c, (hi-lo)*g.c))
	return &window[0]
}

// scratch is the memory of one thread.
type scratch struct {
	a        []*float32 // addresses of input pixels
	c        []*float32 // addresses of output pixels
	edge     []float32
	edgeUsed int
	trash    []float32 // takes the rows of a tile that are beyond the last pixel
	panel    []float32 // packed panels
	tiles    []float32 // packed or transformed tiles
	// sums is where the columns of a block of rows are summed.
	sums [2 * stripCols]float32
}

// demand is what a plan needs of each thread's scratch.
type demand struct{ a, c, edge, trash, panel, tiles int }

// reserve makes each thread's scratch large enough.
func (d *machine) reserve(n demand) error {
	for i := range d.scratch {
		s := &d.scratch[i]
		if len(s.a) < n.a {
			s.a = make([]*float32, n.a)
		}
		if len(s.c) < n.c {
			s.c = make([]*float32, n.c)
		}
		for _, f := range []struct {
			mem *[]float32
			n   int
		}{{&s.edge, n.edge}, {&s.trash, n.trash}, {&s.panel, n.panel}, {&s.tiles, n.tiles}} {
			grown, err := d.spare.grow(*f.mem, f.n)
			if err != nil {
				return err
			}
			*f.mem = grown
		}
	}
	return nil
}

// reservePartial makes the memory for partial sums large enough.
func (d *machine) reservePartial(n int) error {
	grown, err := d.spare.grow(d.partial, n)
	if err == nil {
		d.partial = grown
	}
	return err
}
