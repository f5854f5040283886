package nn

import "byol/model/engine"

// block is a residual block: y = relu(main(x) + shortcut(x)), x [n][h][w][in], y [n][h/stride][w/stride][out].
type block struct {
	pair       *Pair
	main       []*unit // two 3×3, or 1×1, 3×3, 1×1
	shortcut   *unit   // 1×1 and batch norm where the shape changes; nil: the identity
	x          *Streams
	behindReLU bool // x is the output of a ReLU, whose mask the gradient of x goes through here
}

func newBlock(l *Pair, g engine.Block) *block {
	b := &block{pair: l}
	for i, c := range g.Main {
		u := newUnit(l, c)
		b.main = append(b.main, u)
		if i+1 < len(g.Main) {
			l.inner = max(l.inner, u.conv.out())
		}
	}
	if g.Shortcut != nil {
		b.shortcut = newUnit(l, *g.Shortcut)
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

func (b *block) forward(f *Forward) {
	x := b.x
	for _, u := range b.main[:len(b.main)-1] {
		u.forward(f, x)
		f.normalise(u)
		u.apply(f, output{relu: true})
		x = &u.y
	}
	u, s := b.last(), b.shortcut
	u.forward(f, x)
	if s == nil {
		f.normalise(u)
		u.apply(f, output{residual: b.x, relu: true})
		return
	}
	s.forward(f, b.x)
	f.normalise(u, s)
	s.apply(f, output{})
	u.apply(f, output{residual: &s.y, relu: true})
}

// backward takes the gradient of y before its ReLU in slot 0 of the scratch memory, [n][h/stride][w/stride][out], and
// leaves there that of x, [n][h][w][in], before the ReLU that x comes from if there is one. Weight gradients are
// computed while sums travel, and before them once more what they need of the forward half.
func (b *block) backward(to *Backward) {
	g, dx := b.pair.Scratch(0), b.pair.Scratch(1)
	list := []normGrad{{u: b.last(), dy: g, dx: b.last().dz()}}
	if b.shortcut != nil {
		list = append(list, normGrad{u: b.shortcut, dy: g, dx: b.shortcut.dz()})
	}
	to.normalise(list...)
	for i := len(b.main) - 1; i > 0; i-- {
		u, before := b.main[i], b.main[i-1]
		dz := u.dz()
		norm := normGrad{u: before, masked: true, dy: dx, dx: before.dz()}
		to.Do(func() { u.conv.backwardDataFor(norm, &dz) })
		to.normalise(norm)
		weights := u.weights(&before.y)
		to.meanwhile(u.conv.weight, func() {
			before.again()
			weights()
		})
	}
	first, dz := b.main[0], b.main[0].dz()
	to.gradient(first.conv.weight, first.weights(b.x))
	to.Do(func() { first.conv.backwardData(&dz, &dx) })
	if s := b.shortcut; s != nil {
		ds := s.dz()
		to.Do(func() { s.conv.backwardData(&ds, &g) })
		to.gradient(s.conv.weight, s.weights(b.x))
	}
	mask := b.x
	if !b.behindReLU {
		mask = nil
	}
	to.Do(func() { b.pair.mask(&dx, &g, mask, &g, first.conv.in()) })
}
