package ops

import (
	"byol/model/device"
	"byol/model/engine"
	"byol/model/nn"
)

// spreadSums is how many sums of the embedding's spread a shard has for each dimension: Σẑ and Σẑ² of two views.
const spreadSums = 4

// computeLosses computes both losses of each shard, the whole gradient of the probe, and that of the predictions in
// the scratch memory.
func (p *plan) computeLosses() {
	clear(p.losses)
	p.probe()
	p.regression()
	if p.network.NoPredictor {
		p.predictor.Skip()
	}
}

// probe runs the classifier on the embedding of view 1, forward and backward. Nothing flows into the encoder.
func (p *plan) probe() {
	if p.classifier == nil {
		return
	}
	p.classifier.Forward()
	logits, grad, classes := p.logits[nn.Online1], p.pair.Scratch(0)[0], p.network.Classes
	for i := range p.losses {
		s, own := &p.losses[i], p.labels[i*p.cut.Images:(i+1)*p.cut.Images]
		s.Probe, s.Correct = p.scope.CrossEntropy(p.part(logits, i, classes), own, p.part(grad, i, classes), p.cut.Images,
			classes, p.scale())
	}
	p.classifier.Backward()
}

// scale is that of every gradient: the loss is the mean over the global batch.
func (p *plan) scale() float64 { return 1 / float64(p.cut.Shards*p.cut.Images) }

// regression sums ‖p̂1−ẑ'2‖² + ‖p̂2−ẑ'1‖² over each shard and puts the gradients of p1 and p2 into the scratch
// memory. z' are the target's projections; without stop-gradient, the online network's.
func (p *plan) regression() {
	d, dp := p.network.ProjectorOut, p.pair.Scratch(0)
	goal := [2]device.Buffer{p.z[nn.Target2], p.z[nn.Target1]}
	if p.network.NoStopGradient {
		goal = [2]device.Buffer{p.z[nn.Online2], p.z[nn.Online1]}
	}
	for i := range p.losses {
		for v := range goal {
			p.losses[i].Loss += p.scope.Regression(p.part(p.p[v], i, d), p.part(goal[v], i, d), p.part(dp[v], i, d),
				p.cut.Images, d, p.scale(), false)
		}
	}
}

// targetRegression adds what the loss says to its other side, z2 and z1, when no stop-gradient keeps it out.
// The loss is symmetric, so it is the gradient with the operands exchanged.
func (p *plan) targetRegression() {
	d, dz := p.network.ProjectorOut, p.pair.Scratch(0)
	for i := range p.losses {
		for v := range dz {
			p.scope.Regression(p.part(p.z[v], i, d), p.part(p.p[1-v], i, d), p.part(dz[v], i, d), p.cut.Images, d,
				p.scale(), true)
		}
	}
}

// spread writes what the spread of the embedding is made of, shard by shard.
func (p *plan) spread(to [][]float64) {
	d := p.network.ProjectorOut
	for i, sums := range to {
		for v := range 2 {
			p.scope.NormalizedSums(p.part(p.z[v], i, d), p.cut.Images, d, sums[v*2*d:(v+1)*2*d])
		}
	}
}

// ReadLosses implements engine.Engine.
func (e *Engine) ReadLosses(to []engine.Losses) error {
	if err := e.sync("compute the losses"); err != nil {
		return err
	}
	copy(to, e.plan.losses)
	return nil
}

// Outputs implements engine.Engine.
func (e *Engine) Outputs() (engine.Outputs, error) {
	if err := e.sync("compute both networks"); err != nil {
		return engine.Outputs{}, err
	}
	p, d := e.plan, e.plan.network.ProjectorOut
	read := func(b device.Buffer, width int) []float32 { return e.read(b.Slice(0, p.cut.Batch()*width)) }
	o := engine.Outputs{Embedding: read(p.embedding[nn.Online1], p.layout.Features)}
	for v := range 2 {
		o.Projection[v], o.Prediction[v] = read(p.z[nn.Online1+v], d), read(p.p[nn.Online1+v], d)
		o.Target[v] = read(p.z[nn.Target1+v], d)
	}
	if p.classifier != nil {
		o.Logits = read(p.logits[nn.Online1], p.network.Classes)
	}
	return o, nil
}

// Trace implements engine.Engine.
func (e *Engine) Trace(f func(norm, view int, y []float32)) {
	e.plan.pair.Trace = nil
	if f != nil {
		e.plan.pair.Trace = func(norm, view int, y device.Buffer) { f(norm, view, e.read(y)) }
	}
}

// read copies a buffer to the host.
func (e *Engine) read(b device.Buffer) []float32 {
	x := make([]float32, b.Len)
	e.dev.Download(x, b)
	return x
}
