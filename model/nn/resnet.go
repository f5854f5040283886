package nn

import (
	"context"
	"fmt"

	"byol/model/arch"
	"byol/model/device"
)

// ResNetShape fixes an encoder.
type ResNetShape struct {
	arch.Encoder
	Padding   string // symmetric | same
	ImageSize int

	ZeroInitLastGamma bool
}

// ResNet is an encoder: post-activation residual blocks with the stride on the first 3×3 convolution, and the
// mean over positions: images [n][size][size][3], features [n][features]. Its parameters have torchvision's names.
type ResNet struct {
	l      *Lockstep
	stem   *unit
	pool   *maxPool // nil for the cifar stem
	blocks []*block
	avg    *avgPool
	images Streams
}

// NewResNet declares an encoder; all names begin with prefix.
func NewResNet(l *Lockstep, prefix string, s ResNetShape) *ResNet {
	g := geometry{size: s.ImageSize, in: 3, out: s.Base, kernel: 3, stride: 1, padding: s.Padding, first: true}
	if s.Stem == arch.ImageNet {
		g.kernel, g.stride = 7, 2
	}
	r := &ResNet{l: l, stem: newUnit(l, prefix+"conv1", prefix+"bn1", g)}
	size, in := r.stem.size(), s.Base
	if s.Stem == arch.ImageNet {
		r.pool = newMaxPool(l, size, in, s.Padding)
		size = r.pool.shape.OH
	}
	for i, n := range s.Blocks {
		for j := range n {
			a := blockShape{size: size, in: in, width: s.Base << i, stride: 1, bottleneck: s.Bottleneck, padding: s.Padding}
			if i > 0 && j == 0 {
				a.stride = 2
			}
			b := newBlock(l, fmt.Sprintf("%slayer%d.%d.", prefix, i+1, j), a)
			b.last().bn.gamma.Zero = s.ZeroInitLastGamma
			r.blocks = append(r.blocks, b)
			size, in = b.last().size(), b.last().conv.shape.K
		}
	}
	r.avg = &avgPool{l: l, hw: size * size, c: in}
	l.need(in)
	return r
}

// FeatureDim is the number of features of an image.
func (r *ResNet) FeatureDim() int { return r.avg.c }

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
	r.avg.y = r.l.kept(r.avg.c, networks)
	return r.avg.y
}

// Encode runs the online network with its running statistics over the first n images of view 1; the features
// are in stream Eval.
func (r *ResNet) Encode(ctx context.Context, n int) error {
	return through(ctx, r.Stages(), pass{Eval, Eval + 1, n})
}

// Stages are the stem, each block, and the mean.
func (r *ResNet) Stages() []Stage {
	stages := []Stage{r.forwardStem}
	for _, b := range r.blocks {
		stages = append(stages, b.forward)
	}
	return append(stages, r.forwardMean)
}

func (r *ResNet) forwardStem(ctx context.Context, p pass) error {
	r.stem.conv.forward(p, &r.images, &r.stem.z)
	if err := r.l.normalise(ctx, p, r.stem); err != nil {
		return err
	}
	r.stem.bn.forward(p, &r.stem.z, &r.stem.y, output{relu: true})
	if r.pool != nil {
		r.pool.forward(p, &r.stem.y)
	}
	return nil
}

func (r *ResNet) forwardMean(_ context.Context, p pass) error {
	r.avg.forward(p, &r.blocks[len(r.blocks)-1].last().y)
	return nil
}

// Backward takes the gradient of the features [n][features] in slot 0 of the scratch memory.
func (r *ResNet) Backward(ctx context.Context) error {
	g, d := r.l.Scratch(0), r.l.Scratch(1)
	last := r.blocks[len(r.blocks)-1].last()
	r.avg.backward(&g, &d)
	r.l.mask(&d, nil, &last.y, &g, last.conv.out())
	for i := len(r.blocks) - 1; i >= 0; i-- {
		if err := r.blocks[i].backward(ctx); err != nil {
			return err
		}
	}
	norm := normGrad{u: r.stem, dy: g, dx: r.stem.dz()}
	if r.pool != nil {
		r.pool.backward(&r.stem.y, &g, &d)
		norm.masked, norm.dy = true, d
	}
	r.l.postNormGrads(ctx, norm)
	if err := r.l.finishNormGrads(norm); err != nil {
		return err
	}
	return r.stem.conv.backwardWeights(&r.images, &norm.dx)
}

// mask sets out = a [+ b] where y is positive (everywhere without y) and 0 elsewhere, for n elements per image.
func (l *Lockstep) mask(a, b *Views, y *Streams, out *Views, n int) {
	n *= l.opt.Cut.Batch()
	for v := range views {
		var bv, yv device.Buffer
		if b != nil {
			bv = b[v]
		}
		if y != nil {
			yv = y[v]
		}
		l.dev.AddMasked(a[v], bv, yv, out[v], n)
	}
}
