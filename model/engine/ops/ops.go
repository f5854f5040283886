// Package ops is an engine over a device that knows single operations (model/device): the cpu and the reference, with
// the layers of model/nn.
//
// Ownership. The engine owns its device, which Close closes. Vectors are the device's memory, and the host sees them
// in place where the device allows it. All memory of a plan is in a scope of the device, which the next plan gives
// back.
//
// When it fails: as package engine says. Devices report their faults when they are synchronised; what they reported
// once is reported for ever.
package ops

import (
	"context"
	"errors"
	"fmt"

	"byol/model/device"
	"byol/model/engine"
	"byol/model/nn"
)

// Engine computes on a device.
type Engine struct {
	dev    device.Device
	memory engine.PeerMemory
	broken error // the first fault

	store device.Device // of what outlives plans
	tiles map[int]*tile // for products, by length of a row
	plan  *plan         // nil before the first and after an error
}

// plan is what a network and a cut decide.
type plan struct {
	network engine.Network
	cut     engine.Cut
	layout  *engine.Layout
	scope   device.Device
	free    func() error

	pair       *nn.Pair
	encoder    *nn.ResNet
	projector  *nn.MLP
	predictor  *nn.MLP
	classifier *nn.Classifier // nil without a probe

	images                  nn.Views   // [n][H][W][3]
	embedding, z, p, logits nn.Streams // [n][features], [n][d], [n][d], [n][classes]

	stages   engine.Stages
	forward  *nn.Forward
	backward *nn.Backward
	evaluate *nn.Forward // the encoder alone

	gradients []*vector
	labels    []int32
	losses    []engine.Losses
	squares   []float64 // scratch of the gradient's norm
}

// New returns an engine on dev. memory, where set, is where vectors lie that other processes of the host reach.
func New(dev device.Device, memory engine.PeerMemory) *Engine {
	e := &Engine{dev: dev, memory: memory, tiles: map[int]*tile{}}
	e.store, _ = device.Scope(dev)
	if p, ok := dev.(device.PeerMemory); ok && memory != nil {
		p.UsePeerMemory(memory)
	}
	return e
}

// Device is what it computes on, for those who ask it for operations of their own between two passes.
func (e *Engine) Device() device.Device { return e.dev }

// Name is the device's.
func (e *Engine) Name() string { return e.dev.Name() }

// Fingerprint is the device's: what it computes depends on nothing else.
func (e *Engine) Fingerprint() string { return e.dev.Fingerprint() }

// Close closes the device.
func (e *Engine) Close() error { return e.dev.Close() }

// Sync implements engine.Engine.
func (e *Engine) Sync() error { return e.sync("compute") }

// sync waits for the device. doing says what it was asked for.
func (e *Engine) sync(doing string) error {
	if e.broken != nil {
		return e.broken
	}
	if err := e.dev.Sync(); err != nil {
		e.broken = engine.Broken(e.dev.Name(), doing, err)
	}
	return e.broken
}

// Plan implements engine.Engine.
func (e *Engine) Plan(_ context.Context, n engine.Network, c engine.Cut) (*engine.Stages, error) {
	if old := e.plan; old != nil {
		e.plan = nil
		for _, g := range old.gradients {
			g.hide()
		}
		if err := old.free(); err != nil {
			return nil, fmt.Errorf("give memory back: %w", err)
		}
	}
	p, err := build(e.dev, n, c)
	if err != nil {
		return nil, err
	}
	for _, g := range p.pair.Gradients() {
		p.gradients = append(p.gradients, e.vector(g, true))
	}
	e.plan = p
	return &p.stages, nil
}

// build declares and plans everything in a scope of its own.
func build(dev device.Device, n engine.Network, c engine.Cut) (_ *plan, err error) {
	p := &plan{network: n, cut: c}
	if p.layout, err = engine.Describe(n); err != nil {
		return nil, err
	}
	p.scope, p.free = device.Scope(dev)
	p.declare()
	if err := p.allocate(); err != nil {
		return nil, errors.Join(err, p.free())
	}
	p.tell()
	return p, nil
}

// declare lays the networks out: encoder, projector, predictor, classifier.
func (p *plan) declare() {
	p.pair = nn.New(p.scope, p.layout, nn.Options{Cut: p.cut, LocalBatchNorm: p.network.LocalBatchNorm})
	p.encoder = nn.NewResNet(p.pair)
	p.projector, p.predictor = nn.NewMLP(p.pair, p.layout.Projector), nn.NewMLP(p.pair, p.layout.Predictor)
	if p.layout.Classifier != nil {
		p.classifier = nn.NewClassifier(p.pair, *p.layout.Classifier)
	}
}

// allocate allocates what a step needs beside the state.
func (p *plan) allocate() error {
	p.pair.Plan()
	n := p.cut.Batch()
	for v := range p.images {
		var err error
		if p.images[v], err = p.scope.Alloc(n * p.imageLen()); err != nil {
			return fmt.Errorf("allocate %d images on %s: %w", n, p.scope.Name(), err)
		}
	}
	p.embedding = p.encoder.Plan(p.images)
	p.z = p.projector.Plan(p.embedding)
	p.p = p.predictor.Plan(p.z)
	if p.network.NoPredictor {
		p.p = p.z
	}
	if p.classifier != nil {
		p.logits = p.classifier.Plan(p.embedding)
	}
	p.labels, p.losses = make([]int32, n), make([]engine.Losses, p.cut.Local)
	p.squares = make([]float64, 2*normColumns)
	return p.pair.Err()
}

// tell tells both halves of a pass what they do.
func (p *plan) tell() {
	p.forward, p.evaluate, p.backward = nn.NewForward(p.pair), nn.NewForward(p.pair), nn.NewBackward(p.pair)
	p.encoder.Forward(p.evaluate)
	p.encoder.Forward(p.forward)
	p.projector.Forward(p.forward)
	if !p.network.NoPredictor {
		p.predictor.Forward(p.forward)
		p.predictor.Backward(p.backward)
	}
	if p.network.NoStopGradient {
		p.backward.Do(p.targetRegression)
	}
	p.projector.Backward(p.backward)
	p.encoder.Backward(p.backward)
	s := &p.stages
	s.Synchronous = true
	s.Online, s.Target = p.forward.Stages(nn.Online), p.forward.Stages(nn.Target)
	s.Backward, s.Weights = p.backward.Stages()
	s.Losses = engine.Stage{Sums: spreadSums * p.network.ProjectorOut}
	if p.classifier != nil {
		s.Losses.Done = p.classifier.Done()
	}
	if p.network.NoPredictor {
		s.Losses.Done = append(s.Losses.Done, p.predictor.Done()...)
	}
}

// imageLen is the number of elements of one image.
func (p *plan) imageLen() int { return p.network.ImageSize * p.network.ImageSize * 3 }

// part is shard i of n elements per image.
func (p *plan) part(b device.Buffer, i, n int) device.Buffer {
	return b.Slice(i*p.cut.Images*n, p.cut.Images*n)
}

// Load implements engine.Engine.
func (e *Engine) Load(view1, view2 []float32, labels []int32) {
	p := e.plan
	if e.broken != nil {
		return
	}
	e.dev.Upload(p.images[0], view1)
	e.dev.Upload(p.images[1], view2)
	copy(p.labels, labels)
}

// Use implements engine.Engine.
func (e *Engine) Use(s engine.State) {
	e.plan.pair.Use(buffer(s.Theta), buffer(s.Xi), s.Statistics[:e.plan.layout.Statistics])
}

// Launch implements engine.Engine.
func (e *Engine) Launch(s *engine.Stage, totals []float64) {
	if e.broken != nil {
		return
	}
	if len(totals) != s.Totals {
		panic(fmt.Sprintf("ops: %d totals for a stage that takes %d", len(totals), s.Totals))
	}
	p := e.plan
	half, k := p.find(s)
	if len(s.Done) > 0 {
		for _, g := range p.gradients {
			g.stale = true
		}
	}
	switch half {
	case online:
		p.forward.Launch(k, nn.Online, totals)
	case target:
		p.forward.Launch(k, nn.Target, totals)
	case losses:
		p.computeLosses()
	case backward:
		p.backward.Launch(k, totals)
	case weights:
		p.backward.LaunchWeights(k)
	}
}

// Sums implements engine.Engine.
func (e *Engine) Sums(s *engine.Stage, to [][]float64) error {
	if err := e.sync("compute the sums of a batch norm"); err != nil {
		return err
	}
	p := e.plan
	switch half, k := p.find(s); half {
	case online:
		p.forward.Sums(s, nn.Online, to)
	case target:
		p.forward.Sums(s, nn.Target, to)
	case losses:
		p.spread(to)
	case backward:
		p.backward.Sums(k, to)
	default:
		panic("ops: this stage has no sums")
	}
	return nil
}

// The kinds of stages.
const (
	online = iota
	target
	losses
	backward
	weights
)

// find says what a stage of the plan is.
func (p *plan) find(s *engine.Stage) (half, k int) {
	if s == &p.stages.Losses {
		return losses, 0
	}
	for half, list := range [...][]engine.Stage{online: p.stages.Online, target: p.stages.Target,
		backward: p.stages.Backward, weights: p.stages.Weights} {
		if s.Index < len(list) && s == &list[s.Index] {
			return half, s.Index
		}
	}
	panic("ops: a stage of another plan")
}
