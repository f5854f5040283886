package emit

import "byol/model/pjrt/hlo"

// losses emits both losses of the shard and the gradients of prediction and logits.
func (b *builder) losses() {
	s := b.step
	s.Losses.Segment = b.Cut("losses")
	prediction, projection := s.Prediction.As(b.acc), s.Projection[online].As(b.acc)
	goal := s.Projection[target].As(b.acc)
	if b.NoStopGradient {
		goal = projection
	}
	b.Note("‖p̂−ẑ‖² of each view's prediction and the other's target")
	loss, dp := b.regress(prediction, b.swap(goal))
	b.dp = dp.As(b.act).Named("dprediction")
	if b.NoStopGradient {
		b.Note("its gradient on the other side")
		_, dz := b.regress(projection, b.swap(prediction))
		b.dz = dz.As(b.act).Named("dprojection")
	}
	report := []*hlo.Value{loss}
	if b.Classes > 0 {
		report = append(report, b.probe()...)
	}
	b.Note("sums of the projections of unit length, and of their squares")
	hat, _, _ := b.unitLength(projection)
	hat = hat.Reshape(views, b.Images, b.ProjectorOut)
	report = append(report, hlo.Concat(1, hat.Sum(1), hat.Mul(hat).Sum(1)).Reshape(views*2*b.ProjectorOut))
	s.Report = b.Export(hlo.Concat(0, report...).Named("report"))
}

// unitLength is v̂ = v·r by row with r = 1/√max(Σv², 1e-12), r, and where r is no bound: [n][d], [n], [n].
func (b *builder) unitLength(v *hlo.Value) (hat, r, free *hlo.Value) {
	square := v.Mul(v).Sum(1)
	r = square.AtLeast(minimum).Rsqrt()
	return v.Mul(r.Spread(v.Shape, 0)), r, square.Below(minimum).Not()
}

// regress is ‖x̂−ŷ‖² by row, and the gradient of x: 2r·(e − x̂·(x̂·e))·scale with e = x̂−ŷ.
func (b *builder) regress(x, y *hlo.Value) (loss, dx *hlo.Value) {
	hat, r, free := b.unitLength(x)
	other, _, _ := b.unitLength(y)
	e := hat.Sub(other)
	along := hat.Mul(e).Sum(1).OrZero(free)
	factor := r.Scale(2).Mul(b.step.Scale.Spread(r.Shape))
	dx = e.Sub(hat.Mul(along.Spread(x.Shape, 0))).Mul(factor.Spread(x.Shape, 0))
	return e.Mul(e).Sum(1), dx
}

// swap exchanges the views.
func (b *builder) swap(v *hlo.Value) *hlo.Value {
	return hlo.Concat(0, v.Slice(0, b.Images, b.rows()), v.Slice(0, 0, b.Images))
}

// probe emits the classifier on the features of view 1, which get no gradient: its losses, and whether it is right.
func (b *builder) probe() []*hlo.Value {
	s, t, n := b.step, b.tensors[online], b.Images
	b.Note("probe")
	x := s.Embedding.Slice(0, 0, n).As(b.act)
	y := x.Dot(t.factor(b.Classifier.Weight), 1, 1).As(b.acc)
	y = y.Add(t.vector(b.Classifier.Bias).Spread(y.Shape, 1)).Named("logits")
	s.Logits = y
	label := s.Labels.Spread(y.Shape, 0)
	class := b.Iota(hlo.I32, 1, y.Shape...)
	one := b.Const(1, b.acc, y.Shape...)
	hot, labelled := one.OrZero(label.Equals(class)), s.Labels.Below(0).Not()

	peak := y.Most(1)
	first := y.Equals(peak.Spread(y.Shape, 0)).Where(class, b.Const(float64(b.Classes), hlo.I32, y.Shape...)).
		Least(float64(b.Classes), 1)
	right := first.Equals(s.Labels).Where(b.Const(1, b.acc, n), b.Const(0, b.acc, n))

	y = y.Sub(peak.Spread(y.Shape, 0))
	e := y.Exp()
	sum := e.Sum(1)
	loss := sum.Log().Sub(y.Mul(hot).Sum(1)).OrZero(labelled)
	dy := e.Div(sum.Spread(e.Shape, 0)).Sub(hot).Mul(s.Scale.Spread(e.Shape)).OrZero(labelled.Spread(e.Shape, 0))

	b.gradient(&s.Losses, b.Classifier.Weight, dy.As(b.act).Dot(x, 0, 0).As(b.acc))
	b.gradient(&s.Losses, b.Classifier.Bias, dy.Sum(0))
	return []*hlo.Value{loss, right}
}

// gradient makes g the gradient of a parameter, which a stage computes.
func (b *builder) gradient(s *Stage, param int, g *hlo.Value) {
	p := b.Params[param]
	g = g.Reshape(shape(p)...).Named("d." + p.Name)
	s.Gradients = append(s.Gradients, Gradient{Param: param, Value: b.Export(g)})
}
