package nn

import (
	"context"
	"fmt"
	"testing"

	"byol/model/arch"
	"byol/model/device"
	"byol/model/device/reference"
	"byol/model/nn/gradtest"
)

// bench is a Lockstep in float64 with all shards on board, around one layer.
type bench struct {
	l     *Lockstep
	theta []float64
	x     []float64 // inputs of both views, one after the other
	r     []float64 // the loss is Σ r·y over the outputs of both views
	in    Views
	x0    Streams
	outs  int // elements per image
}

// layer is what a case builds: how to run it, and where its outputs are.
type layer struct {
	plan     func(x *Streams)
	forward  func(ctx context.Context) error
	backward func(ctx context.Context) error
	y        func() *Streams
	out      int  // elements per image
	relu     bool // backward expects a gradient that has passed the output's ReLU
	noInput  bool // no gradient of the input
	positive bool // the input is the output of a ReLU
	oneView  bool // only view 1 reaches the output
}

func newBench(t *testing.T, local bool, in int, build func(l *Lockstep) layer) (*bench, layer) {
	t.Helper()
	l := New(reference.New(64), Options{Cut: Cut{Shards: 2, Local: 2, Images: 3}, LocalBatchNorm: local})
	l.need(in)
	a := build(l)
	l.Plan()
	b := &bench{l: l, outs: a.out}
	n := l.opt.Cut.Batch()
	for v := range b.in {
		b.in[v] = l.alloc(n * in)
	}
	b.x0 = Streams{b.in[0], b.in[1], b.in[0], b.in[1], b.in[0]}
	stats := make([]float32, l.StatisticsSize())
	l.Use(l.alloc(l.size), l.alloc(l.size), stats, make([]float32, len(stats)))
	a.plan(&b.x0)
	if l.Err() != nil {
		t.Fatal(l.Err())
	}
	b.theta = gradtest.Normals(1, l.size)
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
func (b *bench) run(t *testing.T, a layer, theta, x []float64) float64 {
	t.Helper()
	l := b.l
	l.dev.Upload64(l.flat[online], theta)
	l.dev.Upload64(l.flat[target], theta)
	l.Changed()
	for v := range b.in {
		l.dev.Upload64(b.in[v], x[v*b.in[v].Len:(v+1)*b.in[v].Len])
	}
	l.Begin(nil)
	l.pack(target)
	if err := a.forward(context.Background()); err != nil {
		t.Fatal(err)
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

// check runs the layer backward and compares the gradients of its parameters and inputs.
func (b *bench) check(t *testing.T, a layer) {
	t.Helper()
	l := b.l
	b.run(t, a, b.theta, b.x)
	g, n := l.Scratch(0), l.opt.Cut.Batch()*b.outs
	for v := range views {
		l.dev.Upload64(g[v].Slice(0, n), b.r[v*n:(v+1)*n])
		if a.relu {
			l.dev.AddMasked(g[v], device.Buffer{}, a.y()[v], g[v], n)
		}
	}
	if err := a.backward(context.Background()); err != nil {
		t.Fatal(err)
	}
	dtheta, shard := make([]float64, l.size), make([]float64, l.size)
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
		Loss: func(theta []float64) float64 { return b.run(t, a, theta, b.x) }})
	if !a.noInput {
		gradtest.Check(t, gradtest.Problem{Name: "inputs", X: b.x, Gradient: dx, Places: 40,
			Loss: func(x []float64) float64 { return b.run(t, a, b.theta, x) }})
	}
}

// convLayer is a convolution alone.
func convLayer(l *Lockstep, g geometry) layer {
	c := newConv(l, "conv", g)
	var x, y Streams
	return layer{
		plan:    func(in *Streams) { x, y = *in, l.activations(c.out(), 0) },
		forward: func(context.Context) error { c.forward(l.train(), &x, &y); return nil },
		backward: func(context.Context) error {
			g, dx := l.Scratch(0), l.Scratch(1)
			if err := c.backwardWeights(&x, &g); err != nil {
				return err
			}
			c.backwardData(&g, &dx)
			l.mask(&dx, nil, nil, &g, c.in())
			return nil
		},
		y: func() *Streams { return &y }, out: c.out(),
	}
}

func blockLayer(l *Lockstep, s blockShape, behindReLU bool) layer {
	b := newBlock(l, "b.", s)
	b.behindReLU = behindReLU
	return layer{
		plan:     func(in *Streams) { b.plan(in, 0) },
		forward:  func(ctx context.Context) error { return b.forward(ctx, l.train()) },
		backward: b.backward, y: func() *Streams { return &b.last().y }, out: b.last().conv.out(), relu: true,
		positive: behindReLU,
	}
}

func poolLayer(l *Lockstep, size, channels int, padding string) layer {
	m := newMaxPool(l, size, channels, padding)
	a := &avgPool{l: l, hw: m.shape.OH * m.shape.OW, c: channels}
	l.declare("unused", Gamma, 1)
	var x Streams
	return layer{
		plan: func(in *Streams) { x = *in; m.plan(0); a.y = l.kept(channels, networks) },
		forward: func(context.Context) error {
			m.forward(l.train(), &x)
			a.forward(l.train(), &m.y)
			return nil
		},
		backward: func(context.Context) error {
			g, d := l.Scratch(0), l.Scratch(1)
			a.backward(&g, &d)
			m.backward(&x, &d, &g)
			return nil
		},
		y: func() *Streams { return &a.y }, out: channels,
	}
}

func mlpLayer(l *Lockstep) layer {
	m := NewMLP(l, "head", MLPShape{In: 5, Hidden: 7, Out: 4})
	var y Streams
	return layer{plan: func(in *Streams) { y = m.Plan(*in) },
		forward: func(ctx context.Context) error { return l.Run(ctx, m.Stages(), 0) }, backward: m.Backward,
		y: func() *Streams { return &y }, out: 4}
}

func classifierLayer(l *Lockstep) layer {
	c := NewClassifier(l, "probe", 5, 3)
	var y Streams
	return layer{plan: func(in *Streams) { y = c.Plan(*in) },
		forward:  func(context.Context) error { c.Forward(); return nil },
		backward: func(context.Context) error { return c.Backward() },
		y:        func() *Streams { return &y }, out: 3, noInput: true, oneView: true}
}

func resnetLayer(l *Lockstep, s ResNetShape) layer {
	r := NewResNet(l, "", s)
	var y Streams
	return layer{plan: func(in *Streams) { y = r.Plan(Views{in[0], in[1]}) },
		forward: func(ctx context.Context) error { return l.Run(ctx, r.Stages(), 0) }, backward: r.Backward,
		y: func() *Streams { return &y }, out: r.FeatureDim(), noInput: true}
}

func TestGradients(t *testing.T) {
	type build = func(l *Lockstep) layer
	conv := func(g geometry) build { return func(l *Lockstep) layer { return convLayer(l, g) } }
	block := func(s blockShape, behind bool) build {
		return func(l *Lockstep) layer { return blockLayer(l, s, behind) }
	}
	net := func(s ResNetShape) build { return func(l *Lockstep) layer { return resnetLayer(l, s) } }
	for _, c := range []struct {
		name  string
		in    int
		build build
	}{
		{"conv 3x3", 5 * 5 * 2, conv(geometry{size: 5, in: 2, out: 3, kernel: 3, stride: 1, padding: "symmetric"})},
		{"conv 3x3 stride 2", 6 * 6 * 2, conv(geometry{size: 6, in: 2, out: 3, kernel: 3, stride: 2, padding: "symmetric"})},
		{"conv 3x3 stride 2 same", 6 * 6 * 2, conv(geometry{size: 6, in: 2, out: 3, kernel: 3, stride: 2, padding: "same"})},
		{"conv 7x7 stride 2 same", 9 * 9, conv(geometry{size: 9, in: 1, out: 2, kernel: 7, stride: 2, padding: "same"})},
		{"conv 1x1 stride 2", 5 * 5 * 2, conv(geometry{size: 5, in: 2, out: 3, kernel: 1, stride: 2, padding: "symmetric"})},
		{"linear", 5, conv(geometry{size: 1, in: 5, out: 3, kernel: 1, stride: 1, padding: "linear"})},
		{"pools", 7 * 7 * 2, func(l *Lockstep) layer { return poolLayer(l, 7, 2, "symmetric") }},
		{"pools same", 6 * 6 * 2, func(l *Lockstep) layer { return poolLayer(l, 6, 2, "same") }},
		{"basic identity", 4 * 4 * 3, block(blockShape{size: 4, in: 3, width: 3, stride: 1, padding: "symmetric"}, true)},
		{"basic projection", 5 * 5 * 2, block(blockShape{size: 5, in: 2, width: 3, stride: 2, padding: "symmetric"}, true)},
		{"basic behind a pool", 4 * 4 * 3, block(blockShape{size: 4, in: 3, width: 3, stride: 1, padding: "same"}, false)},
		{"bottleneck identity", 4 * 4 * 8,
			block(blockShape{size: 4, in: 8, width: 2, stride: 1, bottleneck: true, padding: "symmetric"}, true)},
		{"bottleneck projection", 4 * 4 * 3,
			block(blockShape{size: 4, in: 3, width: 2, stride: 2, bottleneck: true, padding: "same"}, true)},
		{"head", 5, mlpLayer},
		{"probe", 5, classifierLayer},
		{"cifar net", 8 * 8 * 3, net(ResNetShape{Encoder: arch.Encoder{Blocks: []int{1, 1}, Base: 2, Stem: arch.CIFAR},
			Padding: "symmetric", ImageSize: 8})},
		{"imagenet net", 18 * 18 * 3, net(ResNetShape{
			Encoder: arch.Encoder{Bottleneck: true, Blocks: []int{1, 1}, Base: 2, Stem: arch.ImageNet},
			Padding: "same", ImageSize: 18})},
	} {
		for _, local := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s local=%v", c.name, local), func(t *testing.T) {
				b, a := newBench(t, local, c.in, c.build)
				b.check(t, a)
			})
		}
	}
}
