package nn

import "byol/model/engine"

// Classifier is the linear probe: logits [n][classes] of the online network's first view from features [n][in], behind
// a stop-gradient.
type Classifier struct {
	conv *Conv
	x, y Streams
}

// NewClassifier declares a linear layer with bias.
func NewClassifier(l *Pair, g engine.Conv) *Classifier { return &Classifier{conv: newConv(l, g)} }

// Plan allocates the logits for the given features.
func (c *Classifier) Plan(in Streams) Streams {
	c.x = in
	c.y[Online1] = c.conv.pair.alloc(c.conv.pair.opt.Cut.Batch() * c.conv.out())
	return c.y
}

// Forward computes the logits of view 1.
func (c *Classifier) Forward() {
	c.conv.forward(pass{Online1, Online1 + 1, c.conv.pair.opt.Cut.Batch()}, &c.x, &c.y)
}

// Backward takes the gradient of the logits [n][classes] in slot 0 of the scratch memory; none of the features is
// computed.
func (c *Classifier) Backward() {
	dy := c.conv.pair.Scratch(0)
	c.conv.backwardWeights(&c.x, &dy, 1)
	c.conv.backwardBias(&dy, 1)
}

// Done is where the gradients are.
func (c *Classifier) Done() []engine.Span {
	params := c.conv.pair.layout.Params
	return []engine.Span{params[c.conv.weight].Span, params[c.conv.bias].Span}
}
