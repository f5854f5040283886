package pjrt

import (
	"context"
	"crypto/sha256"
	"fmt"

	"byol/model/engine"
	"byol/model/pjrt/capi"
	"byol/model/pjrt/emit"
	"byol/model/pjrt/hlo"
)

// The networks, as package emit numbers them.
const (
	online = 0
	target = 1
)

// kind says how a stage's sums are read, and its totals made.
type kind int

const (
	forward kind = iota
	losses
	backward
)

// plan is what Plan compiled and allocated.
type plan struct {
	e       *Engine
	cut     engine.Cut
	config  emit.Config
	step    *emit.Step
	update  *emit.Update
	encoder *emit.Encoder
	tiles   map[int]*emit.Products // by the length of the vectors
	digest  digest
	peak    int64 // bytes of the device's memory that a step is planned to need
	fixed   int64 // of those, what no number of images decides over

	stages   *engine.Stages
	emitted  []emit.Stage                // by engine.Stage.Index
	kinds    []kind                      // likewise
	network  []int                       // likewise: whose stage it is
	places   []int                       // likewise: where its sums are in a shard's memory
	shared   map[*hlo.Value]*capi.Buffer // values of all shards
	shards   []*shard
	state    engine.State
	prepared [2]bool   // the network's parameters are cut out of state
	running  []float32 // state.Statistics, as the pass at hand began with them
	trace    func(norm, view int, y []float32)
}

// shard is what one local shard has on the device and on the host.
type shard struct {
	values   map[*hlo.Value]*capi.Buffer
	gradient *gradient
	memory   *capi.HostMemory // sums of all stages
	sums     []*arrival       // by engine.Stage.Index
}

// Plan compiles all programs and allocates the memory of sums and gradients.
func (e *Engine) Plan(ctx context.Context, n engine.Network, c engine.Cut) (*engine.Stages, error) {
	if err := e.Sync(); err != nil {
		return nil, err
	}
	e.drop()
	e.wait = context.WithoutCancel(ctx)
	p := &plan{e: e, cut: c, config: emit.Config{Network: n, Images: c.Images, Precision: e.o.Precision},
		shared: map[*hlo.Value]*capi.Buffer{}, tiles: map[int]*emit.Products{}}
	if err := p.compile(ctx); err != nil {
		return nil, fmt.Errorf("plan on %s: %w", e.name, err)
	}
	if err := p.allocate(); err != nil {
		p.free()
		return nil, fmt.Errorf("plan on %s: %w", e.name, err)
	}
	e.plan = p
	return p.stages, nil
}

// compile emits and compiles everything.
func (p *plan) compile(ctx context.Context) (err error) {
	if p.step, err = emit.New(p.config); err != nil {
		return err
	}
	if p.update, err = emit.NewUpdate(p.config); err != nil {
		return err
	}
	if p.encoder, err = emit.NewEncoder(p.config, p.config.Encoded()); err != nil {
		return err
	}
	all := append([]*hlo.Segment{p.update.Segment, p.encoder.Segment, p.products(p.step.Layout.Features).Segment},
		p.step.Program.Segments...)
	h := sha256.New()
	for _, s := range all {
		d := s.Digest()
		h.Write(d[:])
	}
	h.Sum(p.digest[:0])
	p.list()
	return p.e.programs.compile(ctx, all)
}

// list makes the stages of the seam of those that were emitted.
func (p *plan) list() {
	s := p.step
	p.stages = &engine.Stages{Online: p.add(forward, online, s.Online), Target: p.add(forward, target, s.Target)}
	p.stages.Losses = p.add(losses, online, []emit.Stage{s.Losses})[0]
	p.stages.Losses.Sums = 4 * p.config.ProjectorOut
	p.stages.Backward = p.add(backward, online, s.Backward)
	p.stages.Weights = p.add(backward, online, s.Weights)
	p.stages.Losses.Done = append(p.stages.Losses.Done, p.without()...)
}

// without are the parameters that nothing has a gradient for: theirs is zero, on the host, from the start.
func (p *plan) without() []engine.Span {
	has := make([]bool, len(p.step.Layout.Params))
	for _, s := range p.emitted {
		for _, g := range s.Gradients {
			has[g.Param] = true
		}
		for _, k := range s.Norms {
			n := p.step.Layout.Norms[k]
			has[n.Gamma], has[n.Beta] = true, true
		}
	}
	var spans []engine.Span
	for i, param := range p.step.Layout.Params {
		if !has[i] {
			spans = append(spans, param.Span)
		}
	}
	return spans
}

// add lists stages. With local batch norm the backward pass has no sums for others.
func (p *plan) add(k kind, network int, emitted []emit.Stage) []engine.Stage {
	var list []engine.Stage
	for _, s := range emitted {
		stage := engine.Stage{Index: len(p.emitted)}
		if s.Sums != nil && !(p.config.LocalBatchNorm && k == backward) {
			stage.Norms, stage.Sums = s.Norms, s.Sums.Len()
		}
		if s.Totals != nil {
			stage.Totals = s.Totals.Len()
		}
		l := p.step.Layout
		for _, g := range s.Gradients {
			stage.Done = append(stage.Done, l.Params[g.Param].Span)
		}
		if k == backward {
			for _, n := range s.Norms {
				stage.Done = append(stage.Done, l.Params[l.Norms[n].Gamma].Span, l.Params[l.Norms[n].Beta].Span)
			}
		}
		p.emitted, p.kinds, p.network = append(p.emitted, s), append(p.kinds, k), append(p.network, network)
		list = append(list, stage)
	}
	return list
}

// sums is what a stage leaves for the host, nil for nothing.
func (p *plan) sums(index int) *hlo.Value {
	if p.kinds[index] == losses {
		return p.step.Report
	}
	return p.emitted[index].Sums
}

// allocate makes room for sums and gradients on the host.
func (p *plan) allocate() error {
	n := 0
	for i := range p.emitted {
		p.places = append(p.places, n)
		if v := p.sums(i); v != nil {
			n += v.Len()
		}
	}
	for range p.cut.Local {
		s := &shard{values: map[*hlo.Value]*capi.Buffer{}, sums: make([]*arrival, len(p.emitted))}
		p.shards = append(p.shards, s)
		var err error
		if s.memory, err = p.e.client.NewHostMemory(n * floatBytes); err != nil {
			return err
		}
		l := p.step.Layout
		memory, err := p.e.client.NewHostMemory(l.Size * floatBytes)
		if err != nil {
			return err
		}
		s.gradient = &gradient{plan: p, memory: memory, arrivals: make([]*arrival, len(l.Params))}
	}
	p.peak, p.fixed = p.measure()
	scale, err := p.e.upload(p.step.Scale, []float32{float32(1 / float64(p.cut.Shards*p.cut.Images))})
	if err == nil {
		put(p.shared, p.step.Scale, scale)
	}
	return err
}

// settle waits for everything that is on its way to the host.
func (p *plan) settle() {
	for _, s := range p.shards {
		for _, list := range [][]*arrival{s.sums, s.gradientArrivals()} {
			for _, a := range list {
				if a != nil {
					_ = a.wait() // kept as the fault
				}
			}
		}
	}
}

func (s *shard) gradientArrivals() []*arrival {
	if s.gradient == nil {
		return nil
	}
	return s.gradient.arrivals
}

// free gives everything back.
func (p *plan) free() {
	p.settle()
	for _, b := range p.shared {
		_ = b.Destroy() // nothing is left to do about it
	}
	for _, s := range p.shards {
		for _, b := range s.values {
			_ = b.Destroy()
		}
		for _, m := range []*capi.HostMemory{s.memory, s.gradientMemory()} {
			if m != nil {
				_ = m.Free()
			}
		}
	}
}

func (s *shard) gradientMemory() *capi.HostMemory {
	if s.gradient == nil {
		return nil
	}
	return s.gradient.memory
}
