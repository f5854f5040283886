package finetune

// SetHead sets the linear layer.
func (t *Training) SetHead(weight, bias []float32) {
	p, c := t.net.layout.Params, t.net.layout.Classifier
	copy(t.theta[p[c.Weight].Off:], weight)
	copy(t.theta[p[c.Bias].Off:], bias)
}
