package engine

import (
	"fmt"

	"byol/model/arch"
)

// Network describes both networks of a run and their update. It is the same on all ranks.
type Network struct {
	Encoder           arch.Encoder // widened as it is to be
	Padding           string       // symmetric (PyTorch) | same (the reference's)
	ImageSize         int
	ZeroInitLastGamma bool

	ProjectorHidden, ProjectorOut int
	PredictorHidden               int
	Classes                       int // of the probe; 0: no probe

	NoPredictor    bool // ablation: the prediction is the projection
	NoStopGradient bool // ablation: a view's target is the online projection of the other, with gradient
	// TargetPredictor also runs the target's predictor, whose output nothing uses, so that its running statistics move.
	TargetPredictor bool
	LocalBatchNorm  bool // normalise each shard by itself

	Rule Rule
}

// Rule holds the constants of LARS (Grill et al. 2020, released code): u = g + Decay·w and trust = Eta·‖w‖/‖u‖ for
// weights, where both norms are positive, else trust = 1; u = g and trust = 1 for all other parameters; then
// m' = Momentum·m + trust·u and w' = w − rate·m'.
type Rule struct{ Momentum, Decay, Eta float64 }

// EncoderPrefix is before torchvision's names of an encoder's parameters and batch norms.
const EncoderPrefix = "encoder."

// Layout is how a network lies in flat vectors, and what it is made of: the same for online and target network,
// gradients and momentum, on all engines. Parameters of the encoder have torchvision's names behind EncoderPrefix.
type Layout struct {
	Params     []Param
	Norms      []Norm
	Size       int // elements of the parameters
	Statistics int // elements of the running statistics of one network

	Stem       Conv
	Pool       *Pool // nil for the cifar stem
	Blocks     []Block
	Positions  int // of the last block's output, over which its mean is taken
	Features   int // of an image
	Projector  Head
	Predictor  Head
	Classifier *Conv // nil without a probe
}

// Norm is a batch norm.
type Norm struct {
	Name        string // of its module: encoder.layer1.0.bn1
	Mean, Var   Span   // of one network's running statistics
	C           int    // channels
	PerImage    int    // values of a channel in an image of one view
	Gamma, Beta int    // indices of Params; Beta's elements follow Gamma's
	OnlineOnly  bool   // the target network does not run it
}

// Conv is a convolution without bias or a linear layer (Size = 1, Kernel = 1), and the batch norm behind it: x
// [n][Size][Size][In], y [n][Next][Next][Out]. Output row oy, tap ky reads input row oy·Stride + ky − Pad; rows
// outside are zero.
type Conv struct {
	Name              string // of its module: encoder.layer1.0.conv1
	Weight            int    // index of Params
	Bias              int    // −1: none
	Norm              int    // index of Norms; −1: none
	Size, In          int    // height and width of the input, its channels
	Next, Out         int    // of the output
	Kernel, Stride    int
	Pad               int  // above and to the left
	First, OnlineOnly bool // nothing before it has parameters; the target network does not run it
}

// Pool is the 3×3 max pooling with stride 2 behind the ImageNet stem: x [n][Size][Size][c], y [n][Next][Next][c];
// padding is −∞. The gradient goes to the first maximum of a window in row-major order.
type Pool struct{ Size, Next, Pad int }

// Block is a residual block: relu(main(x) + shortcut(x)), with a ReLU behind each of Main but the last.
type Block struct {
	Main     []Conv
	Shortcut *Conv // nil: the identity
}

// Head is a linear layer with bias, batch norm, ReLU, and a linear layer without bias.
type Head struct{ Hidden, Out Conv }

// Describe lays a network out. An error says which images are too small.
func Describe(n Network) (*Layout, error) {
	d := describer{n: n, l: &Layout{}}
	d.encoder()
	l := d.l
	l.Projector = d.head("projector", l.Features, n.ProjectorHidden, false)
	l.Predictor = d.head("predictor", n.ProjectorOut, n.PredictorHidden, !n.TargetPredictor)
	if n.Classes > 0 {
		c := d.linear("classifier", l.Features, n.Classes, true)
		c.First, c.Bias = true, d.param("classifier.bias", Bias, n.Classes)
		l.Classifier = &c
	}
	return l, d.err
}

// describer builds a Layout.
type describer struct {
	n   Network
	l   *Layout
	err error
}

func (d *describer) param(name string, kind Kind, shape ...int) int {
	p := Param{Name: name, Kind: kind, Shape: shape, Span: Span{Off: d.l.Size, Len: 1}}
	for _, k := range shape {
		p.Len *= k
	}
	d.l.Params = append(d.l.Params, p)
	d.l.Size += p.Len
	return len(d.l.Params) - 1
}

// outSize is the height and width of the output, and the padding above and to the left of the input.
//
// symmetric (PyTorch): p = (k−1)/2 on every side, (n+2p−k)/s+1 outputs.
// same (the reference): ceil(n/s) outputs; the padding they need in all, the smaller half first.
func (d *describer) outSize(size, kernel, stride int) (next, pad int) {
	if d.n.Padding == "same" {
		next = (size + stride - 1) / stride
		return next, max((next-1)*stride+kernel-size, 0) / 2
	}
	pad = (kernel - 1) / 2
	return (size+2*pad-kernel)/stride + 1, pad
}

// conv declares a convolution's weights. shape has name, size, channels, kernel and stride.
func (d *describer) conv(shape Conv) Conv {
	c := shape
	c.Next, c.Pad = d.outSize(c.Size, c.Kernel, c.Stride)
	if (c.Size < 1 || c.Next < 1) && d.err == nil {
		d.err = fmt.Errorf("%s: no output for an input of %d positions: the images are too small", c.Name, c.Size)
	}
	c.Weight, c.Bias, c.Norm = d.param(c.Name+".weight", Weight, c.Out, c.In, c.Kernel, c.Kernel), -1, -1
	return c
}

func (d *describer) linear(name string, in, out int, onlineOnly bool) Conv {
	return Conv{Name: name, Weight: d.param(name+".weight", Weight, out, in), Bias: -1, Norm: -1, Size: 1, In: in, Next: 1,
		Out: out, Kernel: 1, Stride: 1, OnlineOnly: onlineOnly}
}

// norm declares the batch norm behind c.
func (d *describer) norm(name string, c *Conv) {
	at := d.l.Statistics
	c.Norm = len(d.l.Norms)
	d.l.Norms = append(d.l.Norms, Norm{Name: name, C: c.Out, PerImage: c.Next * c.Next, OnlineOnly: c.OnlineOnly,
		Mean: Span{at, c.Out}, Var: Span{at + c.Out, c.Out},
		Gamma: d.param(name+".weight", Gamma, c.Out), Beta: d.param(name+".bias", Beta, c.Out)})
	d.l.Statistics += 2 * c.Out
}

// unit is a convolution and its batch norm, in torchvision's order.
func (d *describer) unit(norm string, shape Conv) Conv {
	c := d.conv(shape)
	d.norm(norm, &c)
	return c
}

func (d *describer) encoder() {
	e, l := d.n.Encoder, d.l
	stem := Conv{Name: EncoderPrefix + "conv1", Size: d.n.ImageSize, In: 3, Out: e.Base, Kernel: 3, Stride: 1, First: true}
	if e.Stem == arch.ImageNet {
		stem.Kernel, stem.Stride = 7, 2
	}
	l.Stem = d.unit(EncoderPrefix+"bn1", stem)
	size, in := l.Stem.Next, e.Base
	if e.Stem == arch.ImageNet {
		next, pad := d.outSize(size, 3, 2)
		l.Pool = &Pool{Size: size, Next: next, Pad: pad}
		size = next
	}
	for group, blocks := range e.Blocks {
		for i := range blocks {
			stride := 1
			if group > 0 && i == 0 {
				stride = 2
			}
			b := d.block(fmt.Sprintf("%slayer%d.%d.", EncoderPrefix, group+1, i),
				Conv{Size: size, In: in, Out: e.Base << group, Stride: stride})
			l.Blocks = append(l.Blocks, b)
			last := b.Main[len(b.Main)-1]
			l.Params[l.Norms[last.Norm].Gamma].Zero = d.n.ZeroInitLastGamma
			size, in = last.Next, last.Out
		}
	}
	l.Positions, l.Features = size*size, in
}

// block declares a block; shape has the input's size and channels, the width within, and the stride.
func (d *describer) block(prefix string, shape Conv) Block {
	kernels, widths, strided := []int{3, 3}, []int{shape.Out, shape.Out}, 0
	if d.n.Encoder.Bottleneck {
		kernels, widths, strided = []int{1, 3, 1}, []int{shape.Out, shape.Out, 4 * shape.Out}, 1
	}
	var b Block
	size, in := shape.Size, shape.In
	for i, k := range kernels {
		c := Conv{Name: fmt.Sprintf("%sconv%d", prefix, i+1), Size: size, In: in, Out: widths[i], Kernel: k, Stride: 1}
		if i == strided {
			c.Stride = shape.Stride
		}
		c = d.unit(fmt.Sprintf("%sbn%d", prefix, i+1), c)
		b.Main = append(b.Main, c)
		size, in = c.Next, c.Out
	}
	if shape.Stride != 1 || shape.In != in {
		c := d.unit(prefix+"downsample.1", Conv{Name: prefix + "downsample.0", Size: shape.Size, In: shape.In, Out: in,
			Kernel: 1, Stride: shape.Stride})
		b.Shortcut = &c
	}
	return b
}

// head declares a head: name.0, name.1 and name.3, as in a torch.nn.Sequential.
func (d *describer) head(name string, in, hidden int, onlineOnly bool) Head {
	h := Head{Hidden: d.linear(name+".0", in, hidden, onlineOnly)}
	h.Hidden.Bias = d.param(name+".0.bias", Bias, hidden)
	d.norm(name+".1", &h.Hidden)
	h.Out = d.linear(name+".3", hidden, d.n.ProjectorOut, onlineOnly)
	return h
}
