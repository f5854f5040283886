package pjrt

import (
	"fmt"
	"slices"

	"byol/model/engine"
	"byol/model/pjrt/capi"
	"byol/model/pjrt/hlo"
)

var types = map[hlo.Type]capi.Type{hlo.Bool: capi.Bool, hlo.I32: capi.I32, hlo.F32: capi.F32, hlo.BF16: capi.BF16}

// shapeOf is the shape of a value's buffer.
func shapeOf(v *hlo.Value) capi.Shape {
	s := capi.Shape{Type: types[v.Type]}
	for _, d := range v.Shape {
		s.Dims = append(s.Dims, int64(d))
	}
	return s
}

// upload copies what the host gives.
func (e *Engine) upload(v *hlo.Value, x []float32) (*capi.Buffer, error) {
	return e.uploadBytes(v, bytesOf(x))
}

func (e *Engine) uploadBytes(v *hlo.Value, data []byte) (*capi.Buffer, error) {
	e.count(Counts{Up: int64(len(data))})
	return e.device.Upload(shapeOf(v), data)
}

// put makes b the value's buffer in values.
func put(values map[*hlo.Value]*capi.Buffer, v *hlo.Value, b *capi.Buffer) {
	if old := values[v]; old != nil {
		_ = old.Destroy() // a fault comes with what is launched
	}
	values[v] = b
}

// run launches a segment on values, of which some are shared, and puts its results there.
func (e *Engine) run(s *hlo.Segment, values, shared map[*hlo.Value]*capi.Buffer) error {
	args := make([]*capi.Buffer, len(s.Parameters))
	for i, v := range s.Parameters {
		if args[i] = values[v]; args[i] == nil {
			args[i] = shared[v]
		}
		if args[i] == nil {
			panic(fmt.Sprintf("pjrt: %s is launched before %s is there", s.Name, v.Name))
		}
	}
	out, err := e.programs.of[s].Run(e.device, args)
	if err != nil {
		return err
	}
	e.count(Counts{Launches: 1})
	for i, v := range s.Results {
		put(values, v, out[i])
	}
	return nil
}

// Load gives the images of all local shards.
func (e *Engine) Load(view1, view2 []float32, labels []int32) {
	if e.fault() != nil {
		return
	}
	if err := e.plan.load(view1, view2, labels); err != nil {
		_ = e.fail("take images", err) // told by the next call that waits
	}
}

func (p *plan) load(view1, view2 []float32, labels []int32) error {
	s, b := p.step, p.cut.Images
	for i, shard := range p.shards {
		part := func(x []float32) []float32 { return x[i*len(x)/len(p.shards) : (i+1)*len(x)/len(p.shards)] }
		for v, x := range map[*hlo.Value][]float32{s.View1: view1, s.View2: view2} {
			if len(x) != v.Len()*len(p.shards) {
				panic(fmt.Sprintf("pjrt: %d values of images, want %d", len(x), v.Len()*len(p.shards)))
			}
			buffer, err := p.e.upload(v, part(x))
			if err != nil {
				return err
			}
			put(shard.values, v, buffer)
		}
		if s.Labels != nil {
			own := make([]int32, b)
			for j := range own {
				own[j] = -1
			}
			if labels != nil {
				copy(own, labels[i*b:(i+1)*b])
			}
			buffer, err := p.e.uploadBytes(s.Labels, bytesOf(own))
			if err != nil {
				return err
			}
			put(shard.values, s.Labels, buffer)
		}
		if err := p.e.run(s.Load, shard.values, nil); err != nil {
			return err
		}
		for _, v := range []*hlo.Value{s.View1, s.View2} {
			_ = shard.values[v].Destroy() // a fault comes with what is launched
			delete(shard.values, v)
		}
	}
	return nil
}

// Use says whose parameters are read from now on.
func (e *Engine) Use(s engine.State) { e.plan.state, e.plan.prepared = s, [2]bool{} }

// Launch begins a stage for all local shards.
func (e *Engine) Launch(s *engine.Stage, totals []float64) {
	if e.fault() != nil {
		return
	}
	p := e.plan
	if len(totals) != s.Totals {
		panic(fmt.Sprintf("pjrt: %d totals, want %d", len(totals), s.Totals))
	}
	if err := p.launch(s.Index, totals); err != nil {
		doing := "begin a stage"
		if segment := p.emitted[s.Index].Segment; segment != nil {
			doing = "begin stage " + segment.Name
		}
		_ = e.fail(doing, err) // told by the next call that waits
	}
}

func (p *plan) launch(index int, totals []float64) error {
	s := p.emitted[index]
	switch index {
	case p.stages.Online[0].Index:
		p.settle() // a pass that was dropped may have copies under way
		if err := p.prepare(online); err != nil {
			return err
		}
	case p.stages.Target[0].Index:
		if err := p.prepare(target); err != nil {
			return err
		}
	}
	if s.Totals != nil {
		b, err := p.e.upload(s.Totals, p.totals(index, totals))
		if err != nil {
			return err
		}
		put(p.shared, s.Totals, b)
	}
	if s.Segment == nil {
		return nil
	}
	for _, shard := range p.shards {
		if err := p.e.run(s.Segment, shard.values, p.shared); err != nil {
			return err
		}
		if err := p.collect(index, shard); err != nil {
			return err
		}
	}
	if err := p.tell(index); err != nil {
		return err
	}
	for _, shard := range p.shards {
		for _, v := range p.step.Dead[s.Segment] {
			_ = shard.values[v].Destroy() // a fault comes with what is launched
			delete(shard.values, v)
		}
	}
	return nil
}

// tell tells who asked for it what a stage of the online network gave behind a batch norm and its ReLU.
func (p *plan) tell(index int) error {
	if p.trace == nil || p.kinds[index] != forward {
		return nil
	}
	for norm, v := range p.step.Behind {
		if v == nil || !slices.Contains(p.emitted[index].Segment.Results, v) {
			continue
		}
		var both [2][]float32
		for _, shard := range p.shards {
			rows, err := p.e.read(v, shard.values[v])
			if err != nil {
				return err
			}
			for view := range both {
				both[view] = append(both[view], rows[view*len(rows)/2:(view+1)*len(rows)/2]...)
			}
		}
		for view, y := range both {
			p.trace(norm, view, y)
		}
	}
	return nil
}

// totals are what a stage begins with, as its program takes them: backward, the sums divided by what they are of.
func (p *plan) totals(index int, totals []float64) []float32 {
	out := make([]float32, len(totals))
	for i, x := range totals {
		out[i] = float32(x)
	}
	if p.kinds[index] != backward {
		return out
	}
	at := 0
	for _, k := range p.emitted[index-1].Norms {
		n := p.step.Layout.Norms[k]
		count := float64(p.cut.Shards * p.cut.Images * n.PerImage)
		for end := at + 4*n.C; at < end; at++ {
			out[at] = float32(totals[at] / count)
		}
	}
	return out
}

// prepare cuts a network's parameters out of its vector.
func (p *plan) prepare(network int) error {
	if p.prepared[network] {
		return nil
	}
	from, n := p.state.Theta, p.step.Layout.Statistics
	if network == target {
		from = p.state.Xi
	}
	parameters, err := from.(*vector).current()
	if err != nil {
		return err
	}
	if network == online {
		p.running = append(p.running[:0], p.state.Statistics...)
	}
	statistics, err := p.e.upload(p.step.Statistics[network], p.running[network*n:(network+1)*n])
	if err != nil {
		return err
	}
	put(p.shared, p.step.Statistics[network], statistics)
	given := map[*hlo.Value]*capi.Buffer{p.step.Parameters[network]: parameters}
	for v, b := range p.shared {
		given[v] = b
	}
	segment := p.step.Prepare[network]
	results := map[*hlo.Value]*capi.Buffer{}
	if err := p.e.run(segment, results, given); err != nil {
		return err
	}
	for v, b := range results {
		put(p.shared, v, b)
	}
	p.prepared[network] = true
	return nil
}

// collect begins to copy to the host what a stage has for it.
func (p *plan) collect(index int, s *shard) error {
	if v := p.sums(index); v != nil {
		a, err := p.e.download(s.values[v], s.memory, p.places[index], "compute sums")
		if err != nil {
			return err
		}
		s.sums[index] = a
		if p.kinds[index] == backward {
			p.ownGradient(index, s)
		}
	}
	l := p.step.Layout
	for _, g := range p.emitted[index].Gradients {
		a, err := p.e.download(s.values[g.Value], s.gradient.memory, l.Params[g.Param].Off, "compute a gradient")
		if err != nil {
			return err
		}
		s.gradient.arrivals[g.Param] = a
	}
	return nil
}

// ownGradient has the backward sums of a shard, added over both views, become its gradients of offsets and scales.
func (p *plan) ownGradient(index int, s *shard) {
	l, a, to := p.step.Layout, s.sums[index], s.gradient.Host()
	norms, from := p.emitted[index].Norms, floats(s.memory)[p.places[index]:]
	a.then = func() {
		for _, k := range norms {
			n := l.Norms[k]
			beta, gamma := to[l.Params[n.Beta].Off:], to[l.Params[n.Gamma].Off:]
			for j := range n.C {
				beta[j] = float32(float64(from[j]) + float64(from[2*n.C+j]))
				gamma[j] = float32(float64(from[n.C+j]) + float64(from[3*n.C+j]))
			}
			from = from[4*n.C:]
		}
	}
	for _, k := range norms {
		s.gradient.arrivals[l.Norms[k].Gamma], s.gradient.arrivals[l.Norms[k].Beta] = a, a
	}
}
