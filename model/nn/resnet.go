package nn

// ResNet is an encoder: post-activation residual blocks with the stride on the first 3×3 convolution, and the
// mean over positions: images [n][size][size][3], features [n][features].
type ResNet struct {
	pair   *Pair
	stem   *unit
	pool   *maxPool // nil for the cifar stem
	blocks []*block
	avg    *avgPool
	images Streams
}

// NewResNet declares the encoder of a layout.
func NewResNet(l *Pair) *ResNet {
	g := l.layout
	r := &ResNet{pair: l, stem: newUnit(l, g.Stem)}
	if g.Pool != nil {
		r.pool = newMaxPool(l, *g.Pool, g.Stem.Out)
	}
	for _, b := range g.Blocks {
		r.blocks = append(r.blocks, newBlock(l, b))
	}
	r.avg = &avgPool{pair: l, hw: g.Positions, c: g.Features}
	l.need(g.Features)
	return r
}

// Plan allocates the activations and returns the features. images holds [n][size][size][3] of each view.
func (r *ResNet) Plan(images Views) Streams {
	r.images = Streams{images[0], images[1], images[0], images[1], images[0]}
	r.stem.plan(1, 2)
	x, slot := &r.stem.y, 2
	if r.pool != nil {
		r.pool.plan(0)
		x, slot = &r.pool.y, 0
	}
	for i, b := range r.blocks {
		b.plan(x, slot)
		b.behindReLU = i > 0 || r.pool == nil
		x, slot = &b.last().y, (slot+2)%3
	}
	r.avg.y = r.pair.kept(r.avg.c, networks)
	return r.avg.y
}

// Forward tells f the encoder. In an evaluation the features are in stream Eval.
func (r *ResNet) Forward(f *Forward) {
	r.stem.forward(f, &r.images)
	f.normalise(r.stem)
	r.stem.apply(f, output{relu: true})
	if r.pool != nil {
		f.do(func(p pass) { r.pool.forward(p, &r.stem.y) })
	}
	for _, b := range r.blocks {
		b.forward(f)
	}
	f.do(func(p pass) { r.avg.forward(p, &r.blocks[len(r.blocks)-1].last().y) })
}

// Backward tells b the encoder, which takes the gradient of the features [n][features] in slot 0 of the scratch
// memory.
func (r *ResNet) Backward(b *Backward) {
	g, d := r.pair.Scratch(0), r.pair.Scratch(1)
	last := r.blocks[len(r.blocks)-1].last()
	b.Do(func() {
		r.avg.backward(&g, &d)
		r.pair.mask(&d, nil, &last.y, &g, last.conv.out())
	})
	for i := len(r.blocks) - 1; i >= 0; i-- {
		r.blocks[i].backward(b)
	}
	norm := normGrad{u: r.stem, dy: g, dx: r.stem.dz()}
	if r.pool != nil {
		b.Do(func() { r.pool.backward(&r.stem.y, &g, &d) })
		norm.masked, norm.dy = true, d
	}
	b.normalise(norm)
	b.gradient(r.stem.conv.weight, r.stem.weights(&r.images))
}
