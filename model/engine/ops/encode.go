package ops

import (
	"context"
	"fmt"

	"byol/model/device"
	"byol/model/nn"
)

// Encode implements engine.Engine.
func (e *Engine) Encode(ctx context.Context, x []float32, n int, features []float32) error {
	if e.broken != nil {
		return e.broken
	}
	p := e.plan
	size, dim, most := p.imageLen(), p.layout.Features, p.cut.Batch()
	for at := 0; at < n; at += most {
		m := min(most, n-at)
		e.dev.Upload(p.images[0].Slice(0, m*size), x[at*size:(at+m)*size])
		p.evaluate.Evaluate(m)
		e.dev.Download(features[at*dim:(at+m)*dim], p.embedding[nn.Eval].Slice(0, m*dim))
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return e.sync("encode images")
}

// A device multiplies a tile of this many queries with this many rows of the bank at once.
const (
	tileBank    = 1024
	tileQueries = 256
)

// tile is a linear layer of the device whose weights are rows of the bank. Its memory is kept for the next evaluation.
type tile struct {
	e        *Engine
	dim      int
	conv     device.Conv
	w        device.Buffer // [tileBank][dim]
	x        device.Buffer // [tileQueries][dim]
	y        device.Buffer // [tileQueries][tileBank]
	zeros    []float32
	products []float32
}

// Products implements engine.Engine.
func (e *Engine) Products(ctx context.Context, queries, bank []float32, dim int,
	got func(products []float32, query, row, width int)) error {
	if e.broken != nil {
		return e.broken
	}
	t := e.tiles[dim]
	if t == nil {
		var err error
		if t, err = e.newTile(dim); err != nil {
			return err
		}
		e.tiles[dim] = t
	}
	return t.each(ctx, queries, bank, got)
}

func (e *Engine) newTile(dim int) (*tile, error) {
	t := &tile{e: e, dim: dim, zeros: make([]float32, tileBank*dim), products: make([]float32, tileQueries*tileBank)}
	var err error
	t.conv, err = e.dev.Conv(device.ConvShape{N: tileQueries, H: 1, W: 1, C: dim, OH: 1, OW: 1, K: tileBank, KH: 1, KW: 1,
		Stride: 1, NoBackwardData: true, NoBackward: true})
	if err != nil {
		return nil, fmt.Errorf("plan products of %d elements: %w", dim, err)
	}
	for _, b := range []struct {
		buffer *device.Buffer
		n      int
	}{{&t.w, tileBank * dim}, {&t.x, tileQueries * dim}, {&t.y, tileQueries * tileBank}} {
		if *b.buffer, err = e.dev.Alloc(b.n); err != nil {
			return nil, fmt.Errorf("allocate products of %d elements: %w", dim, err)
		}
	}
	return t, nil
}

func (t *tile) each(ctx context.Context, queries, bank []float32,
	got func(products []float32, query, row, width int)) error {
	dev, nq, nb := t.e.dev, len(queries)/t.dim, len(bank)/t.dim
	for b := 0; b < nb; b += tileBank {
		n := min(tileBank, nb-b)
		dev.Upload(t.w.Slice(0, n*t.dim), bank[b*t.dim:][:n*t.dim])
		if n < tileBank {
			dev.Upload(t.w.Slice(n*t.dim, (tileBank-n)*t.dim), t.zeros[:(tileBank-n)*t.dim])
		}
		t.conv.Pack(t.w)
		for q := 0; q < nq; q += tileQueries {
			m := min(tileQueries, nq-q)
			dev.Upload(t.x.Slice(0, m*t.dim), queries[q*t.dim:][:m*t.dim])
			t.conv.Forward(t.x, t.y, m)
			if err := t.e.sync("multiply features"); err != nil {
				return err
			}
			dev.Download(t.products[:m*tileBank], t.y.Slice(0, m*tileBank))
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
