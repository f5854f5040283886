package eval

import (
	"context"
	"fmt"

	"byol/model/device"
)

// A device multiplies a tile of this many queries with this many rows of the bank at once.
const (
	tileBank    = 1024
	tileQueries = 256
)

// Products multiplies features on a device. Its memory is the device's, and kept for the next evaluation; it is used
// by the device's owner.
type Products struct {
	dev   device.Device
	tiles map[int]*tile // by length of a row
}

// NewProducts returns Products on dev, without memory yet.
func NewProducts(dev device.Device) *Products { return &Products{dev: dev, tiles: map[int]*tile{}} }

// Each tells got the products of all queries [nq][dim] with all rows of the bank [nb][dim], tile by tile: products
// [·][width] of the queries from query on and the rows from row on. got must not keep them. A product does not depend
// on the others of its tile.
func (p *Products) Each(ctx context.Context, queries, bank []float32, dim int,
	got func(products []float32, query, row, width int)) error {
	t := p.tiles[dim]
	if t == nil {
		var err error
		if t, err = newTile(p.dev, dim); err != nil {
			return err
		}
		p.tiles[dim] = t
	}
	return t.each(ctx, queries, bank, got)
}

// tile is a linear layer of the device whose weights are rows of the bank.
type tile struct {
	dev      device.Device
	dim      int
	conv     device.Conv
	w        device.Buffer // [tileBank][dim]
	x        device.Buffer // [tileQueries][dim]
	y        device.Buffer // [tileQueries][tileBank]
	zeros    []float32
	products []float32
}

func newTile(dev device.Device, dim int) (*tile, error) {
	t := &tile{dev: dev, dim: dim, zeros: make([]float32, tileBank*dim), products: make([]float32, tileQueries*tileBank)}
	var err error
	t.conv, err = dev.Conv(device.ConvShape{N: tileQueries, H: 1, W: 1, C: dim, OH: 1, OW: 1, K: tileBank, KH: 1, KW: 1,
		Stride: 1, NoBackwardData: true, NoBackward: true})
	if err != nil {
		return nil, fmt.Errorf("plan products of %d elements: %w", dim, err)
	}
	for _, b := range []struct {
		buffer *device.Buffer
		n      int
	}{{&t.w, tileBank * dim}, {&t.x, tileQueries * dim}, {&t.y, tileQueries * tileBank}} {
		if *b.buffer, err = dev.Alloc(b.n); err != nil {
			return nil, fmt.Errorf("allocate products of %d elements: %w", dim, err)
		}
	}
	return t, nil
}

func (t *tile) each(ctx context.Context, queries, bank []float32,
	got func(products []float32, query, row, width int)) error {
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
			got(compact(t.products[:m*tileBank], m, n), q, b, n)
			if ctx.Err() != nil {
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
