package nn

import "context"

// MLP is a head: linear with bias, batch norm, ReLU, linear without bias; x [n][in], y [n][out].
type MLP struct {
	l      *Lockstep
	hidden *unit
	out    *Conv
	in, y  Streams
}

// MLPShape are the widths of a head. OnlineOnly leaves out the target network's.
type MLPShape struct {
	In, Hidden, Out int
	OnlineOnly      bool
}

// NewMLP declares a head called name: name.0, name.1 and name.3, as in a torch.nn.Sequential.
func NewMLP(l *Lockstep, name string, s MLPShape) *MLP {
	u := &unit{conv: newLinear(l, name+".0", s.In, s.Hidden, s.OnlineOnly)}
	u.bias = l.declare(name+".0.bias", Bias, s.Hidden)
	u.bn = newBatchNorm(l, name+".1", s.Hidden, 1, u.conv.nets)
	return &MLP{l: l, hidden: u, out: newLinear(l, name+".3", s.Hidden, s.Out, s.OnlineOnly)}
}

// Plan allocates the head's activations for the given inputs and returns its outputs.
func (m *MLP) Plan(in Streams) Streams {
	m.in = in
	m.hidden.plan(0, 1)
	m.y = m.l.kept(m.out.out(), m.out.nets)
	return m.y
}

// Stages are the whole head.
func (m *MLP) Stages() []Stage { return []Stage{m.forward} }

func (m *MLP) forward(ctx context.Context, p pass) error {
	u := m.hidden
	u.conv.forward(p, &m.in, &u.z)
	u.addBias(p)
	if err := m.l.normalise(ctx, p, u); err != nil {
		return err
	}
	u.bn.forward(p, &u.z, &u.y, output{relu: true})
	m.out.forward(p, &u.y, &m.y)
	return nil
}

// Backward turns the gradient of the outputs [n][out], in slot 0 of the scratch memory, into that of the inputs
// [n][in].
func (m *MLP) Backward(ctx context.Context) error {
	dy, dz, u := m.l.Scratch(0), m.l.Scratch(1), m.hidden
	norm := normGrad{u: u, masked: true, dy: dz, dx: dz}
	m.out.backwardDataFor(norm, &dy)
	m.l.postNormGrads(ctx, norm)
	weights := m.out.backwardWeights(&u.y, &dy)
	if err := m.l.finishNormGrads(norm); err != nil {
		return err
	}
	if weights != nil {
		return weights
	}
	if err := u.conv.biasGrad(u.bias, &dz, views); err != nil {
		return err
	}
	u.conv.backwardData(&dz, &dy)
	return u.conv.backwardWeights(&m.in, &dz)
}

// Skip sets the head's gradients to zero, for a pass that leaves it out.
func (m *MLP) Skip() error {
	u := m.hidden
	for _, p := range []*Param{u.conv.weight, u.bias, u.bn.gamma, u.bn.beta, m.out.weight} {
		for _, g := range m.l.grads {
			m.l.dev.Fill(g.Slice(p.Off, p.Len), 0)
		}
		if err := m.l.buckets.ready(p); err != nil {
			return err
		}
	}
	return nil
}
