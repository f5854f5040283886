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
	winoAT, winoGT = winoA.transposed(), winoG.transposed()
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

// grid is where the elements of one channel of an operand are: in rows of ld, stride elements apart from p on, or,
// with table, where that says.
type grid struct {
	p       *float32
	stride  int
	table   **float32
	ld      int
	channel int
}

func (g grid) at(r, c int) *float32 {
	if g.table != nil {
		return at(entry(g.table, r*g.ld+c), g.channel)
	}
	return at(g.p, (r*g.ld+c)*g.stride+g.channel)
}

// both sets out = m·in·mᵀ, columns first.
func (m transform) both(in, out grid) {
	var half [6][6]float32
	for i, line := range m {
		for c := range line {
			for r, f := range line {
				half[i][c] += f * *in.at(r, c)
			}
		}
	}
	for i := range m {
		for j, line := range m {
			sum := float32(0)
			for c, f := range line {
				sum += f * half[i][c]
			}
			*out.at(i, j) = sum
		}
	}
}

func (m transform) fromTable(channels int, in **float32, ldin int, out *float32, outStride, panel int) {
	for j := range channels {
		m.both(grid{table: in, ld: ldin, channel: j},
			grid{p: out, stride: outStride, ld: len(m), channel: j/tileCols*panel + j%tileCols})
	}
}

// strided is for operands whose positions are inStride and outStride elements apart.
func (m transform) strided(channels int, in *float32, inStride int, out *float32, outStride int) {
	for j := range channels {
		m.both(grid{p: in, stride: inStride, ld: len(m[0]), channel: j},
			grid{p: out, stride: outStride, ld: len(m), channel: j})
	}
}

func genericWinoInput(channels int, in **float32, ldin int, out *float32, outStride, panel int) {
	winoB.fromTable(channels, in, ldin, out, outStride, panel)
}

func genericWinoGrad(channels int, in **float32, ldin int, out *float32, outStride, panel int) {
	winoAT.fromTable(channels, in, ldin, out, outStride, panel)
}

func genericWinoOutput(channels int, in *float32, inStride int, out **float32, ldout int) {
	for j := range channels {
		winoA.both(grid{p: in, stride: inStride, ld: len(winoB), channel: j}, grid{table: out, ld: ldout, channel: j})
	}
}

func genericWinoFilter(channels int, in *float32, inStride int, out *float32, outStride int) {
	winoG.strided(channels, in, inStride, out, outStride)
}

func genericWinoFilterGrad(channels int, in *float32, inStride int, out *float32, outStride int) {
	winoGT.strided(channels, in, inStride, out, outStride)
}
