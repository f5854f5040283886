package ops

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"byol/model/device/cpu"
)

// onCPU is an engine on the cpu device.
func onCPU(t *testing.T) *Engine {
	t.Helper()
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	return New(dev, nil)
}

// TestProducts compares the device with plain sums, over sizes that do and do not fill tiles, and looks that each
// product comes once.
func TestProducts(t *testing.T) {
	p := onCPU(t)
	for _, c := range []struct{ queries, bank, dim int }{
		{tileQueries, tileBank, 8}, {tileQueries + 3, tileBank + 5, 24}, {1, 1, 8}, {3, 2*tileBank - 1, 8},
		{0, 5, 8}, {5, 0, 8},
	} {
		r := rand.New(rand.NewPCG(uint64(c.queries), uint64(c.bank)))
		draw := func(n int) []float32 {
			x := make([]float32, n)
			for i := range x {
				x[i] = float32(r.NormFloat64())
			}
			return x
		}
		queries, bank := draw(c.queries*c.dim), draw(c.bank*c.dim)
		seen, worst := make([]int, c.queries*c.bank), 0.0
		err := p.Products(t.Context(), queries, bank, c.dim, func(products []float32, query, row, width int) {
			for k, got := range products {
				q, b := query+k/width, row+k%width
				seen[q*c.bank+b]++
				want := 0.0
				for d := range c.dim {
					want += float64(queries[q*c.dim+d]) * float64(bank[b*c.dim+d])
				}
				worst = max(worst, math.Abs(float64(got)-want))
			}
		})
		if err != nil || worst > 1e-5*float64(c.dim) {
			t.Errorf("%+v: off by up to %v, %v", c, worst, err)
		}
		if i := slices.IndexFunc(seen, func(n int) bool { return n != 1 }); i >= 0 {
			t.Errorf("%+v: product %d came %d times", c, i, seen[i])
		}
	}
	if len(p.tiles) != 2 {
		t.Errorf("%d tiles for 2 lengths of rows", len(p.tiles))
	}
}

func TestProductsEnd(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	calls := 0
	err := onCPU(t).Products(ctx, make([]float32, 8), make([]float32, 8*3*tileBank), 8,
		func([]float32, int, int, int) {
			if calls++; calls == 2 {
				cancel(enough)
			}
		})
	if !errors.Is(err, enough) || calls != 2 {
		t.Errorf("%v after %d tiles", err, calls)
	}
}
