package reference

import (
	"fmt"
	"math"

	"byol/model/device"
)

// minSquare is the smallest squared length a vector is divided by.
const minSquare = 1e-12

// rsqrt is 1/√(max(square, 1e-12)): the inverse length of a vector, bounded for vectors near zero.
func rsqrt(square float64) float64 { return 1 / math.Sqrt(max(square, minSquare)) }

// Regression: Σ_n ‖p̂−ẑ‖². With r = rsqrt(Σp²) and e = p̂−ẑ, its gradient with respect to p is
// 2r·(e − p̂·(p̂·e)); where Σp² is below the bound, r is a constant and the second term is absent.
func (d *engine[T]) Regression(p, z, dp device.Buffer, n, dim int, scale float64, add bool) float64 {
	ps, zs := d.elems(p, n*dim, "regression p"), d.elems(z, n*dim, "regression z")
	dps := d.elems(dp, n*dim, "regression dp")
	total := 0.0
	for i := range n {
		pr, zr, dr := ps[i*dim:(i+1)*dim], zs[i*dim:(i+1)*dim], dps[i*dim:(i+1)*dim]
		square := sumSquares(pr)
		r, rz := rsqrt(square), rsqrt(sumSquares(zr))
		loss, along := 0.0, 0.0
		for j := range pr {
			hat := float64(float64(pr[j]) * r)
			e := hat - float64(float64(zr[j])*rz)
			loss += float64(e * e)
			along += float64(hat * e)
		}
		if square < minSquare {
			along = 0
		}
		for j := range pr {
			hat := float64(float64(pr[j]) * r)
			e := hat - float64(float64(zr[j])*rz)
			g := T(scale * 2 * r * (e - float64(hat*along)))
			if add {
				g += dr[j]
			}
			dr[j] = g
		}
		total += loss
	}
	return total
}

// NormalizedSums: with x̂ = x·rsqrt(Σx²) row by row, out[j] = Σ x̂_j, out[d+j] = Σ x̂_j².
func (d *engine[T]) NormalizedSums(x device.Buffer, n, dim int, out []float64) {
	xs := d.elems(x, n*dim, "normalized sums x")
	need(len(out), 2*dim, "normalized sums")
	clear(out[:2*dim])
	for i := range n {
		row := xs[i*dim : (i+1)*dim]
		r := rsqrt(sumSquares(row))
		for j, v := range row {
			hat := float64(float64(v) * r)
			out[j] += hat
			out[dim+j] += float64(hat * hat)
		}
	}
}

// CrossEntropy: Σ_n −log softmax(x)[label], dx = scale·(softmax(x) − onehot(label)). Of equal logits the first
// is the argmax.
func (d *engine[T]) CrossEntropy(
	x device.Buffer, labels []int32, dx device.Buffer, n, classes int, scale float64,
) (loss float64, correct int) {
	xs, dxs := d.elems(x, n*classes, "cross entropy x"), d.elems(dx, n*classes, "cross entropy dx")
	need(len(labels), n, "cross entropy labels")
	for _, label := range labels[:n] {
		if int(label) >= classes {
			panic(fmt.Sprintf("reference: label %d of %d classes", label, classes))
		}
	}
	for i, label := range labels[:n] {
		row, dr := xs[i*classes:(i+1)*classes], dxs[i*classes:(i+1)*classes]
		if label < 0 {
			clear(dr)
			continue
		}
		top := 0
		for j, v := range row {
			if v > row[top] {
				top = j
			}
		}
		if top == int(label) {
			correct++
		}
		peak, sum := float64(row[top]), 0.0
		for _, v := range row {
			sum += math.Exp(float64(v) - peak)
		}
		loss += math.Log(sum) - (float64(row[label]) - peak)
		for j, v := range row {
			g := math.Exp(float64(v)-peak) / sum
			if j == int(label) {
				g--
			}
			dr[j] = T(scale * g)
		}
	}
	return loss, correct
}

func sumSquares[T real](x []T) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(float64(v) * float64(v))
	}
	return sum
}
