package cpu

// tileRows and tileCols are the shape of a tile of the matrix kernels.
const (
	tileRows = 6
	tileCols = 16
)

// quadRows is the number of rows that the outer product computes at a time.
const quadRows = 4

// gate is where a gradient passes the ReLU behind a batch norm: everywhere, where y > 0, or, with scale and shift,
// where (x−mean)·scale + shift > 0, computed as normalize does. y has rows, scale and shift have columns.
type gate struct{ y, scale, shift *float32 }

// at is the gate of the columns from j on.
func (g gate) at(j int) gate { return gate{at(g.y, j), at(g.scale, j), at(g.shift, j)} }

// row is the gate of the rows from element o on.
func (g gate) row(o int) gate { return gate{at(g.y, o), g.scale, g.shift} }

// coefficients are the per-column operands of gradApply.
type coefficients struct{ mean, ka, kb, kd *float32 }

func (c coefficients) at(j int) coefficients {
	return coefficients{at(c.mean, j), at(c.ka, j), at(c.kb, j), at(c.kd, j)}
}

// kernels is a set of micro-kernels. Sets of one name agree in every bit. Others agree up to rounding; in every bit
// where nothing but sums or rounded products are added: transpose, maxPool, addMasked, addRows, ema and lars. Pointers
// are into device memory, strides and offsets count elements. Counts are positive.
type kernels struct {
	isa  string // what Options.ISA calls it
	name string // in fingerprints

	// gemm runs tiles of 6 rows by cols columns, in panels of 16. Row r of the tiles reads kc elements at
	// a[t·lda+r]+aoff for each tap t and writes at c[r]+coff, adding to what is there with add. A panel of b is
	// [taps][kc][16], the next begins ldb elements after it. The order of the sum is taps, then kc.
	gemm func(taps, kc int, a **float32, lda, aoff int, b *float32, ldb int, c **float32, coff, tiles, cols int, add bool)
	// outer multiplies panels: c[i][j] = Σ_p a[i/16·lda+16·p+i%16]·b[p][j], adding to what is there with add, for
	// panels of b [px][16] that begin ldb elements apart, of c [quads][4][16] ldc elements. px is a multiple of 4.
	outer func(px int, a *float32, lda int, b *float32, ldb int, c *float32, ldc, quads, panels int, add bool)
	// gatherRows: dst[p·ldp+16·r:][0:16] = a[r][aoff+16·p:][0:16] for the panels p.
	gatherRows func(rows, panels int, a **float32, aoff int, dst *float32, ldp int)
	// packRows: dst[p·ldp+16·r:][0:16] = src[r·stride+16·p:][0:16] for the panels p.
	packRows func(rows, panels int, src *float32, stride int, dst *float32, ldp int)
	// spread: table[i] = the address of element i·stride after first.
	spread func(n int, table **float32, first *float32, stride int)
	// transpose: dst[j·ldd+i] = src[i·lds+j], or += with add.
	transpose func(rows, cols int, src *float32, lds int, dst *float32, ldd int, add bool)

	// The transforms of Winograd's F(4×4, 3×3), see winograd.go. Channels are whole panels. Positions of an operand are
	// where a table says, in rows of ldin or ldout addresses, or inStride or outStride elements apart.
	// winoInput: Bᵀ·d·B of 6×6 elements; winoGrad: A·dy·Aᵀ of 4×4. After each 16 channels the output goes on
	// panel elements after where these began.
	winoInput, winoGrad func(channels int, in **float32, ldin int, out *float32, outStride, panel int)
	// winoOutput: Aᵀ·m·A, 4×4 elements.
	winoOutput func(channels int, in *float32, inStride int, out **float32, ldout int)
	// winoFilter: G·g·Gᵀ of 3×3 elements; winoFilterGrad: Gᵀ·u·G, its adjoint.
	winoFilter, winoFilterGrad func(channels int, in *float32, inStride int, out *float32, outStride int)

	// colSums: sum[j] += Σ_r x, square[j] += Σ_r x², in row order.
	colSums func(rows, cols, stride int, x, sum, square *float32)
	// gradSums: with g = dy·gate, sum[j] += Σ_r g, dot[j] += Σ_r g·(x−mean), in row order.
	gradSums func(rows, cols, stride int, dy, x *float32, g gate, mean, sum, dot *float32)
	// fold: sum[j] += v[j] in float64, and v[j] = 0.
	fold func(n int, v *float32, sum *float64)
	// normalize: y = relu?((x−mean)·scale + shift [+ residual]). past says that y is not read again soon.
	normalize func(rows, cols, stride int, x, residual, y, mean, scale, shift *float32, relu, past bool)
	// gradApply: dx = ka·g + kb·(x−mean) + kd with g as in gradSums, past as in normalize.
	gradApply func(rows, cols, stride int, dy, x *float32, g gate, dx *float32, c coefficients, past bool)
	// addRows: y[r][j] += bias[j].
	addRows func(rows, cols, stride int, y, bias *float32)

	// maxPool: y[j] = max_t x[t][j], where a NaN is the largest.
	maxPool func(taps, cols int, x **float32, y *float32)
	// maxPoolGrad: dx[t][j] += dy[j] for the first t where x[t][j] is the maximum; one tap where that is a NaN.
	maxPoolGrad func(taps, cols int, x **float32, dy *float32, dx **float32)

	// addMasked: out = (a [+ b])·[y > 0 or y is nil]; b or y is not nil.
	addMasked func(n int, a, b, y, out *float32)
	// ema: out = xi + rate·(theta−xi), product and sum rounded separately.
	ema func(n int, xi, theta, out *float32, rate float32)
	// larsNorms: sums[l] = Σ w², sums[8+l] = Σ (g+decay·w)² over the elements ≡ l mod 8.
	larsNorms func(n int, w, g *float32, decay float32, sums *float64)
	// larsUpdate: m2 = momentum·m + trust·(g+decay·w), w2 = w − rate·m2, each product rounded.
	larsUpdate func(n int, w, g, m, w2, m2 *float32, rate, momentum, decay, trust float32)

	// pause waits for n times some ten nanoseconds.
	pause func(n int)
}
