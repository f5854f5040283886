package nn

import "byol/model/engine"

// MLP is a head: linear with bias, batch norm, ReLU, linear without bias; x [n][in], y [n][out].
type MLP struct {
	pair   *Pair
	hidden *unit
	out    *Conv
	in, y  Streams
}

// NewMLP declares a head.
func NewMLP(l *Pair, g engine.Head) *MLP {
	return &MLP{pair: l, hidden: newUnit(l, g.Hidden), out: newConv(l, g.Out)}
}

// Plan allocates the head's activations for the given inputs and returns its outputs.
func (m *MLP) Plan(in Streams) Streams {
	m.in = in
	m.hidden.plan(0, 1)
	m.y = m.pair.kept(m.out.out(), m.out.nets)
	return m.y
}

// Forward tells f the head.
func (m *MLP) Forward(f *Forward) {
	u := m.hidden
	if m.out.nets == 1 {
		f.onlineAlone()
	}
	u.forward(f, &m.in)
	f.normalise(u)
	u.apply(f, output{relu: true})
	f.do(func(p pass) { m.out.forward(p, &u.y, &m.y) })
}

// Backward tells b the head, which turns the gradient of the outputs [n][out], in slot 0 of the scratch memory, into
// that of the inputs [n][in].
func (m *MLP) Backward(b *Backward) {
	dy, dz, u := m.pair.Scratch(0), m.pair.Scratch(1), m.hidden
	norm := normGrad{u: u, masked: true, dy: dz, dx: dz}
	b.Do(func() { m.out.backwardDataFor(norm, &dy) })
	b.normalise(norm)
	b.meanwhile(m.out.weight, func() { m.out.backwardWeights(&u.y, &dy, views) })
	b.gradient(u.conv.bias, func() { u.conv.backwardBias(&dz, views) })
	b.Do(func() { u.conv.backwardData(&dz, &dy) })
	b.gradient(u.conv.weight, func() { u.conv.backwardWeights(&m.in, &dz, views) })
}

// Skip sets the head's gradients to zero, for a pass that leaves it out.
func (m *MLP) Skip() {
	for i := range m.pair.grads {
		for _, s := range m.Done() {
			m.pair.dev.Fill(m.pair.grads[i].Slice(s.Off, s.Len), 0)
		}
	}
}

// Done is where the gradients are.
func (m *MLP) Done() []engine.Span {
	g := m.pair.layout
	var done []engine.Span
	for _, p := range []int{m.hidden.conv.weight, m.hidden.conv.bias, m.hidden.bn.gamma, m.hidden.bn.beta, m.out.weight} {
		done = append(done, g.Params[p].Span)
	}
	return done
}
