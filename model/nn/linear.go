package nn

// Classifier is the linear probe: logits [n][classes] of the online network's first view from features [n][in], behind
// a stop-gradient.
type Classifier struct {
	conv *Conv
	bias *Param
	x, y Streams
}

// NewClassifier declares a linear layer called name, with bias.
func NewClassifier(l *Lockstep, name string, in, classes int) *Classifier {
	c := &Classifier{conv: newConv(l, name, geometry{size: 1, in: in, out: classes, kernel: 1, stride: 1,
		padding: "linear", onlineOnly: true, first: true})}
	c.bias = l.declare(name+".bias", Bias, classes)
	l.need(in)
	return c
}

// Plan allocates the logits for the given features.
func (c *Classifier) Plan(in Streams) Streams {
	c.x = in
	c.y[Online1] = c.conv.l.alloc(c.conv.l.opt.Cut.Batch() * c.conv.out())
	return c.y
}

// Forward computes the logits of view 1.
func (c *Classifier) Forward() {
	p := pass{Online1, Online1 + 1, c.conv.l.opt.Cut.Batch()}
	c.conv.forward(p, &c.x, &c.y)
	c.conv.addBias(p, c.bias, &c.y)
}

// Backward takes the gradient of the logits [n][classes] in slot 0 of the scratch memory; none of the features is
// computed.
func (c *Classifier) Backward() error {
	l := c.conv.l
	dy := l.Scratch(0)
	for i := range l.opt.Cut.Local {
		dw := l.grads[i].Slice(c.conv.weight.Off, c.conv.weight.Len)
		c.conv.plans[online].BackwardWeights(l.part(c.x[Online1], i, c.conv.in()), l.part(dy[0], i, c.conv.out()), dw,
			l.opt.Cut.Images, false)
	}
	if err := l.buckets.ready(c.conv.weight); err != nil {
		return err
	}
	return c.conv.biasGrad(c.bias, &dy, 1)
}
