package nn

import (
	"fmt"
	"testing"

	"byol/model/arch"
	"byol/model/device"
	"byol/model/device/reference"
	"byol/model/engine"
	"byol/model/nn/gradtest"
)

// bench is a Pair in float64 with all shards on board, around one layer.
type bench struct {
	l        *Pair
	forward  *Forward
	backward *Backward
	theta    []float64
	x        []float64 // inputs of both views, one after the other
	r        []float64 // the loss is Σ r·y over the outputs of both views
	in       Views
	x0       Streams
	flat     [networks]device.Buffer
	stats    []float32
	outs     int // elements per image
}

// layer is what a case declares: what it does, and where its outputs are.
type layer struct {
	plan     func(x *Streams)
	forward  func(f *Forward)
	backward func(b *Backward)
	y        func() *Streams
	out      int  // elements per image
	relu     bool // backward expects a gradient that has passed the output's ReLU
	noInput  bool // no gradient of the input
	positive bool // the input is the output of a ReLU
	oneView  bool // only view 1 reaches the output
}

// plot lays layers out as engine.Describe does whole networks.
type plot struct {
	engine.Layout
	padding string
}

func (p *plot) param(kind engine.Kind, shape ...int) int {
	q := engine.Param{Name: fmt.Sprint("p", len(p.Params)), Kind: kind, Shape: shape}
	q.Off, q.Len = p.Size, 1
	for _, n := range shape {
		q.Len *= n
	}
	p.Params, p.Size = append(p.Params, q), p.Size+q.Len
	return len(p.Params) - 1
}

func (p *plot) conv(size, in, out, kernel, stride int) engine.Conv {
	c := engine.Conv{Name: "conv", Size: size, In: in, Out: out, Kernel: kernel, Stride: stride, Bias: -1, Norm: -1,
		Weight: p.param(engine.Weight, out, in, kernel, kernel)}
	if p.padding == "same" {
		c.Next = (size + stride - 1) / stride
		c.Pad = max((c.Next-1)*stride+kernel-size, 0) / 2
	} else {
		c.Pad = (kernel - 1) / 2
		c.Next = (size+2*c.Pad-kernel)/stride + 1
	}
	return c
}

func (p *plot) unit(c engine.Conv) engine.Conv {
	c.Norm = len(p.Norms)
	at := p.Statistics
	p.Norms = append(p.Norms, engine.Norm{C: c.Out, PerImage: c.Next * c.Next, Gamma: p.param(engine.Gamma, c.Out),
		Beta: p.param(engine.Beta, c.Out), Mean: engine.Span{Off: at, Len: c.Out},
		Var: engine.Span{Off: at + c.Out, Len: c.Out}})
	p.Statistics += 2 * c.Out
	return c
}

func newBench(t *testing.T, local bool, in int, layout *engine.Layout, declare func(l *Pair) layer) (*bench, layer) {
	t.Helper()
	l := New(reference.New(64), layout, Options{Cut: engine.Cut{Shards: 2, Local: 2, Images: 3}, LocalBatchNorm: local})
	l.need(in)
	a := declare(l)
	l.Plan()
	b := &bench{l: l, outs: a.out, stats: make([]float32, layout.Statistics)}
	n := l.opt.Cut.Batch()
	for v := range b.in {
		b.in[v] = l.alloc(n * in)
	}
	b.x0 = Streams{b.in[0], b.in[1], b.in[0], b.in[1], b.in[0]}
	b.flat = [networks]device.Buffer{l.alloc(layout.Size), l.alloc(layout.Size)}
	a.plan(&b.x0)
	if l.Err() != nil {
		t.Fatal(l.Err())
	}
	b.forward, b.backward = NewForward(l), NewBackward(l)
	a.forward(b.forward)
	a.backward(b.backward)
	b.theta = gradtest.Normals(1, layout.Size)
	b.x = gradtest.Normals(2, 2*n*in)
	if a.positive {
		for i, x := range b.x {
			b.x[i] = max(x, -x) + 0.01
		}
	}
	b.r = gradtest.Normals(3, 2*n*a.out)
	return b, a
}

// run computes the loss at (theta, x).
func (b *bench) run(a layer, theta, x []float64) float64 {
	l := b.l
	l.dev.Upload64(b.flat[Online], theta)
	l.dev.Upload64(b.flat[Target], theta)
	l.Use(b.flat[Online], b.flat[Target], b.stats)
	for v := range b.in {
		l.dev.Upload64(b.in[v], x[v*b.in[v].Len:(v+1)*b.in[v].Len])
	}
	for network := range networks {
		ahead(b.forward, network)
	}
	sum := 0.0
	for v := range views {
		if v == 1 && a.oneView {
			break
		}
		n := l.opt.Cut.Batch() * b.outs
		y := make([]float64, n)
		l.dev.Download64(y, a.y()[v].Slice(0, n))
		for i, value := range y {
			sum += b.r[v*n+i] * value
		}
	}
	return sum
}

// ahead runs a network's forward half, all of whose shards are here.
func ahead(f *Forward, network int) {
	var totals []float64
	for k, s := range f.Stages(network) {
		f.Launch(k, network, totals)
		if f.pair.opt.LocalBatchNorm {
			continue
		}
		sums := added(f.pair, s.Sums, func(to [][]float64) { f.Sums(&s, network, to) })
		totals = make([]float64, len(sums))
		for at, norms := 0, s.Norms; len(norms) > 0; norms = norms[1:] {
			b := f.pair.norms[norms[0]]
			for range views {
				engine.Moments(b.count(), sums[at:at+2*b.c], totals[at:at+b.c], totals[at+b.c:at+2*b.c])
				at += 2 * b.c
			}
		}
	}
}

// back runs a backward half.
func back(b *Backward) {
	var totals []float64
	stages, _ := b.Stages()
	for k, s := range stages {
		b.Launch(k, totals)
		b.LaunchWeights(k)
		totals = added(b.pair, s.Sums, func(to [][]float64) { b.Sums(k, to) })
	}
}

// added are n sums over all shards.
func added(l *Pair, n int, read func(to [][]float64)) []float64 {
	rows := make([][]float64, l.opt.Cut.Local)
	for i := range rows {
		rows[i] = make([]float64, n)
	}
	if n > 0 {
		read(rows)
	}
	for _, row := range rows[1:] {
		for j, x := range row {
			rows[0][j] += x
		}
	}
	return rows[0]
}

// check runs the layer backward and compares the gradients of its parameters and inputs.
func (b *bench) check(t *testing.T, a layer) {
	t.Helper()
	l, size := b.l, b.l.layout.Size
	b.run(a, b.theta, b.x)
	g, n := l.Scratch(0), l.opt.Cut.Batch()*b.outs
	for v := range views {
		l.dev.Upload64(g[v].Slice(0, n), b.r[v*n:(v+1)*n])
		if a.relu {
			l.dev.AddMasked(g[v], device.Buffer{}, a.y()[v], g[v], n)
		}
	}
	back(b.backward)
	dtheta, shard := make([]float64, size), make([]float64, size)
	for _, buffer := range l.grads {
		l.dev.Download64(shard, buffer)
		for i, x := range shard {
			dtheta[i] += x
		}
	}
	dx := make([]float64, 0, len(b.x))
	for v := range views {
		host := make([]float64, b.in[v].Len)
		l.dev.Download64(host, g[v].Slice(0, len(host)))
		dx = append(dx, host...)
	}
	gradtest.Check(t, gradtest.Problem{Name: "parameters", X: b.theta, Gradient: dtheta, Places: 60,
		Loss: func(theta []float64) float64 { return b.run(a, theta, b.x) }})
	if !a.noInput {
		gradtest.Check(t, gradtest.Problem{Name: "inputs", X: b.x, Gradient: dx, Places: 40,
			Loss: func(x []float64) float64 { return b.run(a, b.theta, x) }})
	}
}

// convLayer is a convolution alone.
func convLayer(g engine.Conv) func(l *Pair) layer {
	return func(l *Pair) layer {
		c := newConv(l, g)
		var x, y Streams
		return layer{
			plan:    func(in *Streams) { x, y = *in, l.activations(c.out(), 0) },
			forward: func(f *Forward) { f.do(func(p pass) { c.forward(p, &x, &y) }) },
			backward: func(b *Backward) {
				g, dx := l.Scratch(0), l.Scratch(1)
				b.gradient(c.weight, func() { c.backwardWeights(&x, &g, views) })
				b.Do(func() {
					c.backwardData(&g, &dx)
					l.mask(&dx, nil, nil, &g, c.in())
				})
			},
			y: func() *Streams { return &y }, out: c.out(),
		}
	}
}

func blockLayer(g engine.Block, behindReLU bool) func(l *Pair) layer {
	return func(l *Pair) layer {
		b := newBlock(l, g)
		b.behindReLU = behindReLU
		return layer{
			plan:    func(in *Streams) { b.plan(in, 0) },
			forward: b.forward, backward: b.backward, y: func() *Streams { return &b.last().y },
			out: b.last().conv.out(), relu: true, positive: behindReLU,
		}
	}
}

func poolLayer(g engine.Pool, channels int) func(l *Pair) layer {
	return func(l *Pair) layer {
		m := newMaxPool(l, g, channels)
		a := &avgPool{pair: l, hw: g.Next * g.Next, c: channels}
		var x Streams
		return layer{
			plan: func(in *Streams) { x = *in; m.plan(0); a.y = l.kept(channels, networks) },
			forward: func(f *Forward) {
				f.do(func(p pass) {
					m.forward(p, &x)
					a.forward(p, &m.y)
				})
			},
			backward: func(b *Backward) {
				g, d := l.Scratch(0), l.Scratch(1)
				b.Do(func() {
					a.backward(&g, &d)
					m.backward(&x, &d, &g)
				})
			},
			y: func() *Streams { return &a.y }, out: channels,
		}
	}
}

func mlpLayer(g engine.Head) func(l *Pair) layer {
	return func(l *Pair) layer {
		m := NewMLP(l, g)
		return layer{plan: func(in *Streams) { m.Plan(*in) }, forward: m.Forward, backward: m.Backward,
			y: func() *Streams { return &m.y }, out: g.Out.Out}
	}
}

func classifierLayer(g engine.Conv) func(l *Pair) layer {
	return func(l *Pair) layer {
		c := NewClassifier(l, g)
		l.need(g.In)
		return layer{plan: func(in *Streams) { c.Plan(*in) },
			forward: func(f *Forward) {
				f.do(func(p pass) {
					if p.from == Online1 {
						c.Forward()
					}
				})
			},
			backward: func(b *Backward) { b.Do(c.Backward) },
			y:        func() *Streams { return &c.y }, out: g.Out, noInput: true, oneView: true}
	}
}

func resnetLayer(l *Pair) layer {
	r := NewResNet(l)
	return layer{plan: func(in *Streams) { r.Plan(Views{in[0], in[1]}) }, forward: r.Forward, backward: r.Backward,
		y: func() *Streams { return &r.avg.y }, out: r.avg.c, noInput: true}
}

// described is the layout of a whole network, of which a case takes a part.
func described(e arch.Encoder, padding string, size int) *engine.Layout {
	l, err := engine.Describe(engine.Network{Encoder: e, Padding: padding, ImageSize: size, ProjectorHidden: 7,
		ProjectorOut: 4, PredictorHidden: 3, Classes: 3})
	if err != nil {
		panic(err)
	}
	return l
}

// basic is a block of two 3×3 convolutions.
func (p *plot) basic(size, in, width, stride int) engine.Block {
	b := engine.Block{Main: []engine.Conv{p.unit(p.conv(size, in, width, 3, stride))}}
	b.Main = append(b.Main, p.unit(p.conv(b.Main[0].Next, width, width, 3, 1)))
	if in != width || stride != 1 {
		c := p.unit(p.conv(size, in, width, 1, stride))
		b.Shortcut = &c
	}
	return b
}

// bottleneck is a block of 1×1, 3×3 and 1×1 convolutions.
func (p *plot) bottleneck(size, in, width, stride int) engine.Block {
	b := engine.Block{Main: []engine.Conv{p.unit(p.conv(size, in, width, 1, 1)),
		p.unit(p.conv(size, width, width, 3, stride))}}
	b.Main = append(b.Main, p.unit(p.conv(b.Main[1].Next, width, 4*width, 1, 1)))
	if in != 4*width || stride != 1 {
		c := p.unit(p.conv(size, in, 4*width, 1, stride))
		b.Shortcut = &c
	}
	return b
}

func TestGradients(t *testing.T) {
	conv := func(size, in, out, kernel, stride int) func(p *plot) func(l *Pair) layer {
		return func(p *plot) func(l *Pair) layer { return convLayer(p.conv(size, in, out, kernel, stride)) }
	}
	for _, c := range []struct {
		name, padding string
		in            int
		layout        func(p *plot) func(l *Pair) layer
	}{
		{"conv 3x3", "symmetric", 5 * 5 * 2, conv(5, 2, 3, 3, 1)},
		{"conv 3x3 stride 2", "symmetric", 6 * 6 * 2, conv(6, 2, 3, 3, 2)},
		{"conv 3x3 stride 2 same", "same", 6 * 6 * 2, conv(6, 2, 3, 3, 2)},
		{"conv 7x7 stride 2 same", "same", 9 * 9, conv(9, 1, 2, 7, 2)},
		{"conv 1x1 stride 2", "symmetric", 5 * 5 * 2, conv(5, 2, 3, 1, 2)},
		{"linear", "symmetric", 5, conv(1, 5, 3, 1, 1)},
		{"pools", "symmetric", 7 * 7 * 2, func(p *plot) func(l *Pair) layer {
			p.param(engine.Gamma, 1)
			return poolLayer(engine.Pool{Size: 7, Next: 4, Pad: 1}, 2)
		}},
		{"pools same", "same", 6 * 6 * 2, func(p *plot) func(l *Pair) layer {
			p.param(engine.Gamma, 1)
			return poolLayer(engine.Pool{Size: 6, Next: 3, Pad: 0}, 2)
		}},
		{"basic identity", "symmetric", 4 * 4 * 3, func(p *plot) func(l *Pair) layer {
			return blockLayer(p.basic(4, 3, 3, 1), true)
		}},
		{"basic projection", "symmetric", 5 * 5 * 2, func(p *plot) func(l *Pair) layer {
			return blockLayer(p.basic(5, 2, 3, 2), true)
		}},
		{"basic behind a pool", "same", 4 * 4 * 3, func(p *plot) func(l *Pair) layer {
			return blockLayer(p.basic(4, 3, 3, 1), false)
		}},
		{"bottleneck identity", "symmetric", 4 * 4 * 8, func(p *plot) func(l *Pair) layer {
			return blockLayer(p.bottleneck(4, 8, 2, 1), true)
		}},
		{"bottleneck projection", "same", 4 * 4 * 3, func(p *plot) func(l *Pair) layer {
			return blockLayer(p.bottleneck(4, 3, 2, 2), true)
		}},
		{"head", "", 4, func(p *plot) func(l *Pair) layer {
			p.Layout = *described(arch.Encoder{Blocks: []int{1, 1}, Base: 2, Stem: arch.CIFAR}, "symmetric", 8)
			return mlpLayer(p.Projector)
		}},
		{"probe", "", 4, func(p *plot) func(l *Pair) layer {
			p.Layout = *described(arch.Encoder{Blocks: []int{1, 1}, Base: 2, Stem: arch.CIFAR}, "symmetric", 8)
			return classifierLayer(*p.Classifier)
		}},
		{"cifar net", "", 8 * 8 * 3, func(p *plot) func(l *Pair) layer {
			p.Layout = *described(arch.Encoder{Blocks: []int{1, 1}, Base: 2, Stem: arch.CIFAR}, "symmetric", 8)
			return resnetLayer
		}},
		{"imagenet net", "", 18 * 18 * 3, func(p *plot) func(l *Pair) layer {
			e := arch.Encoder{Bottleneck: true, Blocks: []int{1, 1}, Base: 2, Stem: arch.ImageNet}
			p.Layout = *described(e, "same", 18)
			return resnetLayer
		}},
	} {
		for _, local := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s local=%v", c.name, local), func(t *testing.T) {
				p := &plot{padding: c.padding}
				declare := c.layout(p)
				b, a := newBench(t, local, c.in, &p.Layout, declare)
				b.check(t, a)
			})
		}
	}
}
