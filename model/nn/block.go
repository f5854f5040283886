package nn

import (
	"context"
	"fmt"
)

// block is a residual block: y = relu(main(x) + shortcut(x)), x [n][h][w][in], y [n][h/stride][w/stride][out].
type block struct {
	l          *Lockstep
	main       []*unit // two 3×3, or 1×1, 3×3, 1×1
	shortcut   *unit   // 1×1 and batch norm where the shape changes; nil: the identity
	x          *Streams
	behindReLU bool // x is the output of a ReLU, whose mask the gradient of x goes through here
}

type blockShape struct {
	size, in, width, stride int
	bottleneck              bool
	padding                 string
}

func newBlock(l *Lockstep, prefix string, s blockShape) *block {
	kernels, widths, strided := []int{3, 3}, []int{s.width, s.width}, 0
	if s.bottleneck {
		kernels, widths, strided = []int{1, 3, 1}, []int{s.width, s.width, 4 * s.width}, 1
	}
	b := &block{l: l}
	size, in := s.size, s.in
	for i, k := range kernels {
		g := geometry{size: size, in: in, out: widths[i], kernel: k, stride: 1, padding: s.padding}
		if i == strided {
			g.stride = s.stride
		}
		u := newUnit(l, fmt.Sprintf("%sconv%d", prefix, i+1), fmt.Sprintf("%sbn%d", prefix, i+1), g)
		b.main = append(b.main, u)
		if i+1 < len(kernels) {
			l.inner = max(l.inner, u.conv.out())
		}
		size, in = u.size(), g.out
	}
	if s.stride != 1 || s.in != in {
		b.shortcut = newUnit(l, prefix+"downsample.0", prefix+"downsample.1",
			geometry{size: s.size, in: s.in, out: in, kernel: 1, stride: s.stride, padding: s.padding})
	}
	return b
}

func (b *block) last() *unit { return b.main[len(b.main)-1] }

// plan places the activations. Streams that are not kept use three slots in turn: x is in slot, the main
// branch alternates between the two others and ends in the second, (slot+2)%3; a shortcut is computed when the
// second is free and normalised into x's.
func (b *block) plan(x *Streams, slot int) {
	b.x = x
	z, y := (slot+1)%3, (slot+2)%3
	for _, u := range b.main[:len(b.main)-1] {
		u.planAgain(z, y)
	}
	b.last().plan(z, y)
	if b.shortcut != nil {
		b.shortcut.planAside(y, slot, b.last())
	}
}

func (b *block) forward(ctx context.Context, p pass) error {
	x := b.x
	for _, u := range b.main[:len(b.main)-1] {
		u.conv.forward(p, x, &u.z)
		if err := b.l.normalise(ctx, p, u); err != nil {
			return err
		}
		u.bn.forward(p, &u.z, &u.y, output{relu: true})
		x = &u.y
	}
	u, s := b.last(), b.shortcut
	u.conv.forward(p, x, &u.z)
	if s == nil {
		if err := b.l.normalise(ctx, p, u); err != nil {
			return err
		}
		u.bn.forward(p, &u.z, &u.y, output{residual: b.x, relu: true})
		return nil
	}
	s.conv.forward(p, b.x, &s.z)
	if err := b.l.normalise(ctx, p, u, s); err != nil {
		return err
	}
	s.bn.forward(p, &s.z, &s.y, output{})
	u.bn.forward(p, &u.z, &u.y, output{residual: &s.y, relu: true})
	return nil
}

// backward takes the gradient of y before its ReLU in slot 0 of the scratch memory, [n][h/stride][w/stride][out], and
// leaves there that of x, [n][h][w][in], before the ReLU that x comes from if there is one. While a message is under
// way, weight gradients are computed, and before them once more what they need of the forward pass.
func (b *block) backward(ctx context.Context) error {
	g, dx := b.l.Scratch(0), b.l.Scratch(1)
	if err := b.backwardSum(ctx, g); err != nil {
		return err
	}
	for i := len(b.main) - 1; i > 0; i-- {
		u, before := b.main[i], b.main[i-1]
		dz := u.dz()
		norm := normGrad{u: before, masked: true, dy: dx, dx: before.dz()}
		u.conv.backwardDataFor(norm, &dz)
		b.l.postNormGrads(ctx, norm)
		before.bn.forward(b.l.trainOnline(), &before.z, &before.y, output{relu: true})
		weights := u.conv.backwardWeights(&before.y, &dz)
		if err := b.l.finishNormGrads(norm); err != nil {
			return err
		}
		if weights != nil {
			return weights
		}
	}
	first, dz := b.main[0].conv, b.main[0].dz()
	if err := first.backwardWeights(b.x, &dz); err != nil {
		return err
	}
	first.backwardData(&dz, &dx)
	if s := b.shortcut; s != nil {
		ds := s.dz()
		s.conv.backwardData(&ds, &g)
		if err := s.conv.backwardWeights(b.x, &ds); err != nil {
			return err
		}
	}
	mask := b.x
	if !b.behindReLU {
		mask = nil
	}
	b.l.mask(&dx, &g, mask, &g, first.in())
	return nil
}

// backwardSum passes g through the batch norm that ends the main branch, and through the shortcut's.
func (b *block) backwardSum(ctx context.Context, g Views) error {
	list := append(make([]normGrad, 0, 2), normGrad{u: b.last(), dy: g, dx: b.last().dz()})
	if b.shortcut != nil {
		list = append(list, normGrad{u: b.shortcut, dy: g, dx: b.shortcut.dz()})
	}
	b.l.postNormGrads(ctx, list...)
	return b.l.finishNormGrads(list...)
}
