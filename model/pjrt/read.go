package pjrt

import (
	"context"
	"fmt"
	"math"

	"byol/model/engine"
	"byol/model/pjrt/capi"
	"byol/model/pjrt/emit"
	"byol/model/pjrt/hlo"
)

// Sums waits for a stage's sums.
func (e *Engine) Sums(s *engine.Stage, to [][]float64) error {
	p := e.plan
	for i, shard := range p.shards {
		if err := p.arrived(shard, s.Index); err != nil {
			return err
		}
		from := floats(shard.memory)[p.places[s.Index]:]
		if p.kinds[s.Index] == losses {
			from = from[p.step.Report.Len()-s.Sums:]
		}
		for j := range to[i][:s.Sums] {
			to[i][j] = float64(from[j])
		}
		if p.kinds[s.Index] == forward {
			p.shiftBack(s.Index, to[i])
		}
	}
	return e.fault()
}

// arrived waits for the sums of a shard.
func (p *plan) arrived(s *shard, index int) error {
	if err := p.e.fault(); err != nil {
		return err
	}
	if s.sums[index] == nil {
		panic("pjrt: sums of a stage that was not launched")
	}
	return s.sums[index].wait()
}

// shiftBack makes [Σx, Σx²] of [Σ(x−r), Σ(x−r)²], r the running mean.
func (p *plan) shiftBack(index int, sums []float64) {
	for _, k := range p.emitted[index].Norms {
		n := p.step.Layout.Norms[k]
		count := float64(p.cut.Images * n.PerImage)
		mean := p.running[p.network[index]*p.step.Layout.Statistics+n.Mean.Off:]
		for range 2 {
			for j := range n.C {
				r, x := float64(mean[j]), sums[j]
				sums[j] = x + float64(count*r)
				sums[n.C+j] += float64(2*r*x) + float64(count*float64(r*r))
			}
			sums = sums[2*n.C:]
		}
	}
}

// ReadLosses waits for the losses stage.
func (e *Engine) ReadLosses(to []engine.Losses) error {
	p := e.plan
	index, b := p.stages.Losses.Index, p.cut.Images
	for i, shard := range p.shards {
		if err := p.arrived(shard, index); err != nil {
			return err
		}
		from := floats(shard.memory)[p.places[index]:]
		l := engine.Losses{Loss: total(from[:2*b])}
		if p.step.Labels != nil {
			l.Probe = total(from[2*b : 3*b])
			l.Correct = int(total(from[3*b : 4*b]))
		}
		to[i] = l
	}
	return e.fault()
}

func total(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v)
	}
	return sum
}

// Gradient is that of a local shard.
func (e *Engine) Gradient(shard int) engine.Vector { return e.plan.shards[shard].gradient }

// Update applies LARS with the gradient that is on the host.
func (e *Engine) Update(now, next engine.State, rate float64) (float64, error) {
	if err := e.fault(); err != nil {
		return 0, err
	}
	squares, err := e.plan.apply(now, next, rate)
	if err != nil {
		return 0, e.fail("update the parameters", err)
	}
	return squares, nil
}

func (p *plan) apply(now, next engine.State, rate float64) (float64, error) {
	e, u := p.e, p.update
	p.settle()
	if err := e.fault(); err != nil {
		return 0, err
	}
	values := map[*hlo.Value]*capi.Buffer{}
	var err error
	if values[u.Theta], err = now.Theta.(*vector).current(); err != nil {
		return 0, err
	}
	if values[u.Momentum], err = now.Momentum.(*vector).current(); err != nil {
		return 0, err
	}
	gradient, sent, err := e.send(p.shards[0].gradient.memory, p.step.Layout.Size)
	if err != nil {
		return 0, err
	}
	step, err := e.upload(u.Rate, []float32{float32(rate)})
	if err != nil {
		return 0, err
	}
	values[u.Gradient], values[u.Rate] = gradient, step
	results := map[*hlo.Value]*capi.Buffer{}
	err = e.run(u.Segment, results, values)
	for _, b := range []*capi.Buffer{gradient, step} {
		_ = b.Destroy() // a fault comes with what is launched
	}
	if err != nil {
		return 0, err
	}
	next.Theta.(*vector).set(results[u.NewTheta])
	next.Momentum.(*vector).set(results[u.NewMomentum])
	squares, err := e.read(u.Squares, results[u.Squares])
	_ = results[u.Squares].Destroy() // it was read
	if waited := sent.wait(); err == nil {
		err = waited
	}
	return total(squares), err
}

// read waits for a value and gives it as float32.
func (e *Engine) read(v *hlo.Value, b *capi.Buffer) ([]float32, error) {
	data := make([]byte, b.Shape().Bytes())
	if err := b.Download(e.wait, data); err != nil {
		return nil, err
	}
	e.count(Counts{Waits: 1, Down: int64(len(data))})
	out := make([]float32, v.Len())
	if v.Type == hlo.F32 {
		copy(bytesOf(out), data)
		return out, nil
	}
	for i := range out { // bfloat16
		out[i] = math.Float32frombits(uint32(data[2*i])<<16 | uint32(data[2*i+1])<<24)
	}
	return out, nil
}

// Average sets out = xi + rate·(theta − xi) on the host, because a device may fuse the product and the sum.
func (e *Engine) Average(out, theta, xi engine.Vector, rate float64) {
	all := engine.Span{Len: e.plan.step.Layout.Size}
	for _, v := range []engine.Vector{theta, xi} {
		if v.Fetch(all).Wait() != nil {
			return // told by the next call that waits
		}
	}
	to, t, r := out.Host(), theta.Host(), float32(rate)
	for i, x := range xi.Host() {
		to[i] = x + float32(r*(t[i]-x))
	}
	out.Store(all)
}

// Encode runs the encoder over as many images at once as it takes; the rest of the last ones are zero.
func (e *Engine) Encode(ctx context.Context, x []float32, n int, features []float32) error {
	if err := e.fault(); err != nil {
		return err
	}
	p := e.plan
	at, size, dim := 0, len(x)/max(n, 1), p.step.Layout.Features
	values := map[*hlo.Value]*capi.Buffer{}
	theta, err := p.state.Theta.(*vector).current()
	if err != nil {
		return e.fail("encode images", err)
	}
	statistics, err := e.upload(p.encoder.Statistics, p.state.Statistics[:p.step.Layout.Statistics])
	if err != nil {
		return e.fail("encode images", err)
	}
	given := map[*hlo.Value]*capi.Buffer{p.encoder.Theta: theta, p.encoder.Statistics: statistics}
	defer func() {
		_ = statistics.Destroy() // everything was waited for
		for _, b := range values {
			_ = b.Destroy()
		}
	}()
	batch := make([]float32, p.config.Encoded()*size)
	for at < n {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("encode: %w", context.Cause(ctx))
		}
		m := min(p.config.Encoded(), n-at)
		clear(batch[copy(batch, x[at*size:(at+m)*size]):])
		got, err := p.encode(values, given, batch)
		if err != nil {
			return e.fail("encode images", err)
		}
		copy(features[at*dim:(at+m)*dim], got)
		at += m
	}
	return nil
}

// encode encodes one batch.
func (p *plan) encode(values, given map[*hlo.Value]*capi.Buffer, batch []float32) ([]float32, error) {
	images, err := p.e.upload(p.encoder.Images, batch)
	if err != nil {
		return nil, err
	}
	put(values, p.encoder.Images, images)
	if err := p.e.run(p.encoder.Segment, values, given); err != nil {
		return nil, err
	}
	return p.e.read(p.encoder.Features, values[p.encoder.Features])
}

// The tile of Products.
const (
	tileQueries = 256
	tileRows    = 1024
)

// products are a tile of vectors of that length.
func (p *plan) products(dim int) *emit.Products {
	if p.tiles[dim] == nil {
		p.tiles[dim] = emit.NewProducts(tileQueries, tileRows, dim)
	}
	return p.tiles[dim]
}

// Products multiplies tile by tile; tiles at the ends have zeros behind.
func (e *Engine) Products(ctx context.Context, queries, bank []float32, dim int,
	got func(products []float32, query, row, width int)) error {
	if err := e.fault(); err != nil {
		return err
	}
	t := &tiles{e: e, dim: dim, program: e.plan.products(dim)}
	err := t.all(ctx, queries, bank, got)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("multiply features: %w", context.Cause(ctx))
	case err != nil:
		return e.fail("multiply features", err)
	}
	return nil
}

// tiles are the products of one call.
type tiles struct {
	e       *Engine
	dim     int
	program *emit.Products
}

func (t *tiles) all(ctx context.Context, queries, bank []float32,
	got func(products []float32, query, row, width int)) error {
	values := map[*hlo.Value]*capi.Buffer{}
	defer func() {
		for _, b := range values {
			_ = b.Destroy() // everything was waited for
		}
	}()
	if err := t.e.programs.also(ctx, t.program.Segment); err != nil {
		return err
	}
	nq, nb := len(queries)/t.dim, len(bank)/t.dim
	for q := 0; q < nq; q += tileQueries {
		rows := min(tileQueries, nq-q)
		if err := t.fill(values, t.program.Queries, queries[q*t.dim:(q+rows)*t.dim]); err != nil {
			return err
		}
		for b := 0; b < nb && ctx.Err() == nil; b += tileRows {
			width := min(tileRows, nb-b)
			if err := t.fill(values, t.program.Bank, bank[b*t.dim:(b+width)*t.dim]); err != nil {
				return err
			}
			if err := t.e.run(t.program.Segment, values, nil); err != nil {
				return err
			}
			all, err := t.e.read(t.program.Result, values[t.program.Result])
			if err != nil {
				return err
			}
			for i := range rows {
				copy(all[i*width:(i+1)*width], all[i*tileRows:])
			}
			got(all[:rows*width], q, b, width)
		}
	}
	return nil
}

// fill gives a tile, with zeros behind.
func (t *tiles) fill(values map[*hlo.Value]*capi.Buffer, v *hlo.Value, x []float32) error {
	whole := make([]float32, v.Len())
	copy(whole, x)
	b, err := t.e.upload(v, whole)
	if err == nil {
		put(values, v, b)
	}
	return err
}

// Trace has f told what the online network gives behind each batch norm and its ReLU, as each stage is launched, which
// then waits for it.
func (e *Engine) Trace(f func(norm, view int, y []float32)) { e.plan.trace = f }

// Outputs waits and returns what the networks gave in the last pass.
func (e *Engine) Outputs() (engine.Outputs, error) {
	if err := e.fault(); err != nil {
		return engine.Outputs{}, err
	}
	o, err := e.plan.outputs()
	if err != nil {
		return engine.Outputs{}, e.fail("read outputs", err)
	}
	return o, nil
}

func (p *plan) outputs() (o engine.Outputs, err error) {
	s := p.step
	for _, shard := range p.shards {
		// The rows of both views of a value, to the views' own.
		both := func(v *hlo.Value, to *[2][]float32) {
			if err != nil {
				return
			}
			var rows []float32
			rows, err = p.e.read(v, shard.values[v])
			for view := range to {
				to[view] = append(to[view], rows[view*len(rows)/2:(view+1)*len(rows)/2]...)
			}
		}
		embedding := [2][]float32{o.Embedding}
		both(s.Embedding, &embedding)
		o.Embedding = embedding[0]
		both(s.Projection[online], &o.Projection)
		both(s.Prediction, &o.Prediction)
		both(s.Projection[target], &o.Target)
		if s.Logits != nil && err == nil {
			var logits []float32
			logits, err = p.e.read(s.Logits, shard.values[s.Logits])
			o.Logits = append(o.Logits, logits...)
		}
	}
	return o, err
}
