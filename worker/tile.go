package worker

import (
	"context"
	"fmt"

	"byol/model/device"
	"byol/worker/knn"
)

// Sizes of a product on the device.
const (
	tileBank    = 1024
	tileQueries = 256
)

// tile multiplies queries with the bank on the device: a linear layer whose weights are bank images. A product of
// one query and one bank image does not depend on the others in the tile.
type tile struct {
	dev      device.Device
	dim      int
	conv     device.Conv
	w, x, y  device.Buffer
	zeros    []float32
	products []float32
}

// tile returns the tile for features of dim elements; its memory is the device's and kept for later evaluations.
func (f *fixture) tile(dim int) (*tile, error) {
	if t := f.tiles[dim]; t != nil {
		return t, nil
	}
	t := &tile{dev: f.dev, dim: dim, zeros: make([]float32, tileBank*dim), products: make([]float32, tileQueries*tileBank)}
	var err error
	t.conv, err = f.dev.Conv(device.ConvShape{N: tileQueries, H: 1, W: 1, C: dim, OH: 1, OW: 1, K: tileBank, KH: 1, KW: 1,
		Stride: 1, NoBackwardData: true, NoBackward: true})
	if err != nil {
		return nil, fmt.Errorf("plan products of %d elements: %w", dim, err)
	}
	for _, b := range []struct {
		buffer *device.Buffer
		n      int
	}{{&t.w, tileBank * dim}, {&t.x, tileQueries * dim}, {&t.y, tileQueries * tileBank}} {
		if *b.buffer, err = f.dev.Alloc(b.n); err != nil {
			return nil, fmt.Errorf("allocate products of %d elements: %w", dim, err)
		}
	}
	f.tiles[dim] = t
	return t, nil
}

// score adds the cosines of all queries with a part of the bank, whose first image has index base, to scorer.
func (t *tile) score(ctx context.Context, queries, bank []float32, base int, scorer *knn.Scorer) error {
	nq, nb := len(queries)/t.dim, len(bank)/t.dim
	for b := 0; b < nb; b += tileBank {
		n := min(tileBank, nb-b)
		t.dev.Upload(t.w.Slice(0, n*t.dim), bank[b*t.dim:][:n*t.dim])
		if n < tileBank {
			t.dev.Upload(t.w.Slice(n*t.dim, (tileBank-n)*t.dim), t.zeros[:(tileBank-n)*t.dim])
		}
		t.conv.Pack(t.w)
		for q := 0; q < nq; q += tileQueries {
			m := min(tileQueries, nq-q)
			t.dev.Upload(t.x.Slice(0, m*t.dim), queries[q*t.dim:][:m*t.dim])
			t.conv.Forward(t.x, t.y, m)
			if err := t.dev.Sync(); err != nil {
				return fmt.Errorf("multiply features on %s: %w", t.dev.Name(), err)
			}
			t.dev.Download(t.products[:m*tileBank], t.y.Slice(0, m*tileBank))
			scorer.Add(compact(t.products[:m*tileBank], m, n), q, n, base+b)
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

// compact moves the first n of each row of tileBank products together.
func compact(x []float32, rows, n int) []float32 {
	if n == tileBank {
		return x
	}
	for i := 1; i < rows; i++ {
		copy(x[i*n:(i+1)*n], x[i*tileBank:][:n])
	}
	return x[:rows*n]
}
