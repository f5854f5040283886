package cpu

// The matrices of F(4×4, 3×3), interpolation points 0, 1, −1, 2, −2, ∞ (Lavin and Gray 2016).
var (
	winoB = transform{ // Bᵀ
		{4, 0, -5, 0, 1, 0},
		{0, -4, -4, 1, 1, 0},
		{0, 4, -4, -1, 1, 0},
		{0, -2, -1, 2, 1, 0},
		{0, 2, -1, -2, 1, 0},
		{0, 4, 0, -5, 0, 1},
	}
	winoG = transform{
		{1. / 4, 0, 0},
		{-1. / 6, -1. / 6, -1. / 6},
		{-1. / 6, 1. / 6, -1. / 6},
		{1. / 24, 1. / 12, 1. / 6},
		{1. / 24, -1. / 12, 1. / 6},
		{0, 0, 1},
	}
	winoA = transform{ // Aᵀ
		{1, 1, 1, 1, 1, 0},
		{0, 1, -1, 2, -2, 0},
		{0, 1, 1, 4, 4, 0},
		{0, 1, -1, 8, -8, 1},
	}
)

// transform is one side of a two-dimensional transform m·x·mᵀ.
type transform [][]float32

// transposed is mᵀ.
func (m transform) transposed() transform {
	t := make(transform, len(m[0]))
	for i := range t {
		for _, line := range m {
			t[i] = append(t[i], line[i])
		}
	}
	return t
}

// both returns m·x·mᵀ, columns first, where get and put name the elements of one channel.
func (m transform) both(get, put func(r, c int) *float32) {
	var half [6][6]float32
	for i, line := range m {
		for c := range line {
			for r, f := range line {
				half[i][c] += f * *get(r, c)
			}
		}
	}
	for i := range m {
		for j, line := range m {
			sum := float32(0)
			for c, f := range line {
				sum += f * half[i][c]
			}
			*put(i, j) = sum
		}
	}
}

// strided are the elements of channel j of an operand whose positions are stride elements apart.
func strided(p *float32, stride, side, j int) func(r, c int) *float32 {
	return func(r, c int) *float32 { return at(p, (r*side+c)*stride+j) }
}

// tabled are those of an operand whose positions a table names.
func tabled(table **float32, ld, j int) func(r, c int) *float32 {
	return func(r, c int) *float32 { return at(entry(table, r*ld+c), j) }
}

func (m transform) fromTable(steps int, in **float32, ldin int, out *float32, outStride, panel int) {
	for j := range steps * lanes {
		m.both(tabled(in, ldin, j), strided(out, outStride, len(m), j/tileCols*panel+j%tileCols))
	}
}

func genericWinoInput(steps int, in **float32, ldin int, out *float32, outStride, panel int) {
	winoB.fromTable(steps, in, ldin, out, outStride, panel)
}

func genericWinoGrad(steps int, in **float32, ldin int, out *float32, outStride, panel int) {
	winoA.transposed().fromTable(steps, in, ldin, out, outStride, panel)
}

func genericWinoOutput(steps int, in *float32, inStride int, out **float32, ldout int) {
	for j := range steps * lanes {
		winoA.both(strided(in, inStride, len(winoB), j), tabled(out, ldout, j))
	}
}

func genericWinoFilter(steps int, in *float32, inStride int, out *float32, outStride int) {
	for j := range steps * lanes {
		winoG.both(strided(in, inStride, 3, j), strided(out, outStride, len(winoG), j))
	}
}

func genericWinoFilterGrad(steps int, in *float32, inStride int, out *float32, outStride int) {
	m := winoG.transposed()
	for j := range steps * lanes {
		m.both(strided(in, inStride, len(winoG), j), strided(out, outStride, len(m), j))
	}
}
