package emit

import (
	"fmt"
	"slices"

	"byol/model/pjrt/hlo"
)

// Update is the update of the online network by LARS.
type Update struct {
	Program               *hlo.Program
	Segment               *hlo.Segment
	Theta, Momentum       *hlo.Value // the flat layout
	Gradient              *hlo.Value // summed over all shards
	Rate                  *hlo.Value // of learning
	NewTheta, NewMomentum *hlo.Value
	Squares               *hlo.Value // Σ of the squares of the gradient, by parameter
}

// NewUpdate emits m' = μ·m + trust·u and w' = w − rate·m' with u = g + decay·w and trust = η·‖w‖/‖u‖ for what is
// adapted, where both norms are positive, and u = g and trust = 1 for the rest.
func NewUpdate(c Config) (*Update, error) {
	b, err := newBuilder(c)
	if err != nil {
		return nil, fmt.Errorf("emit the update: %w", err)
	}
	u := &Update{Program: b.Program, Theta: b.Input("theta", b.acc, b.Size), Momentum: b.Input("momentum", b.acc, b.Size),
		Gradient: b.Input("gradient", b.acc, b.Size), Rate: b.Input("rate", b.acc)}
	u.Segment = b.Cut("update")
	var theta, momentum, squares []*hlo.Value
	for _, p := range b.Params {
		b.Note(p.Name)
		of := func(v *hlo.Value) *hlo.Value { return v.Slice(0, p.Off, p.End()) }
		w, g := of(u.Theta), of(u.Gradient)
		squares = append(squares, g.Mul(g).Sum(0).Reshape(1))
		if p.Adapted() {
			g = b.adapt(w, g)
		}
		m := of(u.Momentum).Scale(c.Rule.Momentum).Add(g)
		theta = append(theta, w.Sub(m.Mul(u.Rate.Spread(m.Shape))))
		momentum = append(momentum, m)
	}
	u.NewTheta = b.Export(hlo.Concat(0, theta...).Named("theta.next"))
	u.NewMomentum = b.Export(hlo.Concat(0, momentum...).Named("momentum.next"))
	u.Squares = b.Export(hlo.Concat(0, squares...).Named("squares"))
	return u, nil
}

// adapt is trust·(g + decay·w).
func (b *builder) adapt(w, g *hlo.Value) *hlo.Value {
	g = g.Add(w.Scale(b.Rule.Decay))
	wn, gn := w.Mul(w).Sum(0).Sqrt(), g.Mul(g).Sum(0).Sqrt()
	both := wn.Above(0).And(gn.Above(0))
	trust := both.Where(wn.Scale(b.Rule.Eta).Div(gn), b.Const(1, b.acc))
	return g.Mul(trust.Spread(g.Shape))
}

// Encoder gives the features of images by the online network and its running statistics.
type Encoder struct {
	Program           *hlo.Program
	Segment           *hlo.Segment
	Images            *hlo.Value // [n][height][width][3]
	Theta, Statistics *hlo.Value
	Features          *hlo.Value // [n][features]
}

// NewEncoder emits it for so many images at once.
func NewEncoder(c Config, images int) (*Encoder, error) {
	b, err := newBuilder(c)
	if err != nil {
		return nil, fmt.Errorf("emit the encoder: %w", err)
	}
	e := &Encoder{Program: b.Program, Images: b.Input("images", b.acc, images, b.ImageSize, b.ImageSize, colours),
		Theta: b.Input("theta", b.acc, b.Size), Statistics: b.Input("statistics", b.acc, b.Layout.Statistics)}
	e.Segment = b.Cut("encode")
	t := newTensors(b, e.Segment, e.Theta, e.Statistics)
	p := &pass{builder: b, tensors: t, role: "encode", views: 1, frozen: true}
	e.Features = b.Export(p.encode(e.Images.As(b.act)).Named("features"))
	return e, nil
}

// Products multiplies features: products [q][b] of queries [q][dim] and a bank [b][dim], in float32.
type Products struct {
	Program               *hlo.Program
	Segment               *hlo.Segment
	Queries, Bank, Result *hlo.Value
}

// NewProducts emits it.
func NewProducts(queries, bank, dim int) *Products {
	p := &hlo.Program{Precise: true}
	r := &Products{Program: p}
	r.Queries, r.Bank = p.Input("queries", hlo.F32, queries, dim), p.Input("bank", hlo.F32, bank, dim)
	r.Segment = p.Cut("products")
	r.Result = p.Export(r.Queries.Dot(r.Bank, 1, 1).Named("products"))
	return r
}

// All are the segments of a configuration in the order of their use: the step, the update, and the encoder.
func All(c Config) ([]*hlo.Segment, error) {
	s, err := New(c)
	if err != nil {
		return nil, err
	}
	u, err := NewUpdate(c)
	if err != nil {
		return nil, err
	}
	e, err := NewEncoder(c, c.Encoded())
	if err != nil {
		return nil, err
	}
	return append(slices.Clone(s.Program.Segments), u.Segment, e.Segment), nil
}
