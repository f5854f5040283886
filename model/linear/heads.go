package linear

import (
	"fmt"

	"byol/model/device"
	"byol/model/engine"
	"byol/model/optim"
)

// shape is what the heads' memory follows from.
type shape struct{ heads, classes, dim, batch int }

// outputs is how many logits a row has: those of head 0, then head 1, …
func (s shape) outputs() int { return s.heads * s.classes }

// heads are linear layers of the same features: logits [n][heads][classes] = x [n][dim] · wᵀ + b, w
// [heads][classes][dim], b [heads][classes]. To the device they are one layer of heads·classes outputs, and a batch of
// n rows is one of n·heads rows of classes for the loss.
type heads struct {
	shape
	dev  device.Device
	conv device.Conv

	theta, momentum, gradient []float32 // [heads][classes][dim], then [heads][classes]
	logits                    []float32 // [batch][heads][classes]
	labels                    []int32   // [batch][heads]

	x, y, dy     device.Buffer
	params, grad device.Buffer // as theta
}

func newHeads(dev device.Device, s shape) (*heads, error) {
	h := &heads{shape: s, dev: dev, labels: make([]int32, s.batch*s.heads), logits: make([]float32, s.batch*s.outputs())}
	n := s.outputs() * (s.dim + 1)
	h.theta, h.momentum, h.gradient = make([]float32, n), make([]float32, n), make([]float32, n)
	var err error
	h.conv, err = dev.Conv(device.ConvShape{N: s.batch, H: 1, W: 1, C: s.dim, OH: 1, OW: 1, K: s.outputs(), KH: 1, KW: 1,
		Stride: 1, NoBackwardData: true})
	if err != nil {
		return nil, fmt.Errorf("plan %d outputs of %d features: %w", s.outputs(), s.dim, err)
	}
	for _, b := range []struct {
		buffer *device.Buffer
		n      int
	}{{&h.x, s.batch * s.dim}, {&h.y, s.batch * s.outputs()}, {&h.dy, s.batch * s.outputs()}, {&h.params, n},
		{&h.grad, n}} {
		if *b.buffer, err = dev.Alloc(b.n); err != nil {
			return nil, fmt.Errorf("allocate %d outputs of %d features: %w", s.outputs(), s.dim, err)
		}
	}
	return h, nil
}

// weights is the length of theta without biases.
func (h *heads) weights() int { return h.outputs() * h.dim }

// draw gives all heads the same first weights, as the released code draws those of a linear layer.
func (h *heads) draw(seed uint64) {
	clear(h.theta)
	clear(h.momentum)
	n := h.classes * h.dim
	p := engine.Param{Name: "weight", Kind: engine.Weight, Shape: []int{h.classes, h.dim}, Span: engine.Span{Len: n}}
	one := h.theta[:n]
	p.Draw(one, seed, "linear")
	for i := 1; i < h.heads; i++ {
		copy(h.theta[i*len(one):], one)
	}
}

func (h *heads) head(i int) (weight, bias []float32) {
	n := h.classes * h.dim
	weight = append(weight, h.theta[i*n:][:n]...)
	return weight, append(bias, h.theta[h.weights()+i*h.classes:][:h.classes]...)
}

// forward computes the logits of rows x.
func (h *heads) forward(x []float32, rows int) {
	h.dev.Upload(h.params, h.theta)
	h.dev.Upload(h.x.Slice(0, rows*h.dim), x[:rows*h.dim])
	h.conv.Pack(h.params.Slice(0, h.weights()))
	h.conv.Forward(h.x, h.y, rows)
	h.dev.AddBias(h.y, h.params.Slice(h.weights(), h.outputs()), rows, h.outputs())
}

// update is a step of Nesterov's momentum.
type update struct {
	rates    []float32 // by head
	momentum float32
}

// step makes one, with the gradient of the mean cross entropy of the rows that have a label, present in number.
func (h *heads) step(x []float32, labels []int32, present int, u update) error {
	rows := len(labels)
	h.forward(x, rows)
	for i, l := range labels {
		for k := range h.heads {
			h.labels[i*h.heads+k] = l
		}
	}
	h.dev.CrossEntropy(h.y, h.labels, h.dy, rows*h.heads, h.classes, 1/float64(present))
	h.conv.BackwardWeights(h.x, h.dy, h.grad.Slice(0, h.weights()), rows, false)
	h.dev.BiasGrad(h.dy, h.grad.Slice(h.weights(), h.outputs()), rows, h.outputs())
	h.dev.Download(h.gradient, h.grad)
	if err := h.dev.Sync(); err != nil {
		return fmt.Errorf("compute gradient: %w", err)
	}
	for i, rate := range u.rates {
		n, b := h.classes*h.dim, h.weights()
		h.move(i*n, n, rate, u.momentum)
		h.move(b+i*h.classes, h.classes, rate, u.momentum)
	}
	return nil
}

// move updates elements [off, off+n).
func (h *heads) move(off, n int, rate, momentum float32) {
	optim.Nesterov(h.theta[off:][:n], h.momentum[off:][:n], h.gradient[off:][:n], rate, momentum)
}

// score adds to counts, by head, what the logits of rows say.
func (h *heads) score(x []float32, labels []int32, counts []Counts) error {
	rows := len(labels)
	h.forward(x, rows)
	logits := h.logits[:rows*h.outputs()]
	h.dev.Download(logits, h.y.Slice(0, len(logits)))
	if err := h.dev.Sync(); err != nil {
		return fmt.Errorf("compute logits: %w", err)
	}
	for i, label := range labels {
		for k := range h.heads {
			if label >= 0 {
				counts[k].Add(logits[(i*h.heads+k)*h.classes:][:h.classes], int(label))
			}
		}
	}
	return nil
}
