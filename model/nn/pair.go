package nn

import (
	"fmt"

	"byol/model/device"
	"byol/model/engine"
)

// Options fixes how a Pair runs.
type Options struct {
	Cut            engine.Cut
	LocalBatchNorm bool // normalise each shard by itself
}

// Pair is what the layers of the two networks share: the device, the cut of the batch, the flat layout, scratch
// memory, and the gradients of the local shards.
type Pair struct {
	// Trace, where set, is told what the online network gives behind each batch norm and its ReLU, for all local shards,
	// as soon as that is computed. It may not keep y.
	Trace func(norm, view int, y device.Buffer)

	dev    device.Device
	opt    Options
	layout *engine.Layout
	err    error // the first error of planning

	convs   []*Conv
	norms   []*BatchNorm // by index of the layout; nil where none was declared
	largest int          // elements of the largest activation of one image
	inner   int          // of the largest one inside a block

	flat    [networks]device.Buffer
	packed  [networks]bool
	running []float32 // statistics of the online network
	grads   []device.Buffer
	arena   [views][3]device.Buffer // activations of the target network; then gradients of activations
	again   Views                   // an activation inside a block, which the backward pass computes once more
	bias    device.Buffer           // gradient of one bias
}

// New returns a Pair without layers.
func New(dev device.Device, layout *engine.Layout, opt Options) *Pair {
	return &Pair{dev: dev, layout: layout, opt: opt, norms: make([]*BatchNorm, len(layout.Norms))}
}

// Err is the first error of declaring or planning layers.
func (l *Pair) Err() error { return l.err }

// Plan allocates what the declared layers share. Each layer's own Plan comes after it.
func (l *Pair) Plan() {
	n := l.opt.Cut.Batch()
	for v := range views {
		for i := range l.arena[v] {
			l.arena[v][i] = l.alloc(n * l.largest)
		}
		l.again[v] = l.alloc(n * l.inner)
	}
	widest := 0
	for _, p := range l.layout.Params {
		if p.Kind == engine.Bias {
			widest = max(widest, p.Len)
		}
	}
	l.bias = l.alloc(widest)
	for range l.opt.Cut.Local {
		l.grads = append(l.grads, l.allocBy(device.AllocPeer, l.layout.Size))
	}
}

// Use makes theta and xi the parameters of the networks, and running the online network's running statistics. Their
// elements are read when the first stage of a network is launched.
func (l *Pair) Use(theta, xi device.Buffer, running []float32) {
	l.flat, l.running = [networks]device.Buffer{theta, xi}, running
	l.packed = [networks]bool{}
}

// Gradients holds the flat gradient of each local shard.
func (l *Pair) Gradients() []device.Buffer { return l.grads }

// Scratch is memory for one gradient of activations per view, slots 0 and 1; slot 0 is where a layer's backward half
// finds the gradient of its output and leaves that of its input. It is the memory of the target network's activations,
// which are dead when the backward half begins.
func (l *Pair) Scratch(slot int) Views { return Views{l.arena[0][slot], l.arena[1][slot]} }

// train is a pass of one network over both views.
func (l *Pair) train(network int) pass {
	return pass{network * views, (network + 1) * views, l.opt.Cut.Batch()}
}

func (l *Pair) fail(err error) {
	if l.err == nil {
		l.err = err
	}
}

// alloc returns n elements; after an error, the zero Buffer.
func (l *Pair) alloc(n int) device.Buffer { return l.allocBy(device.Device.Alloc, n) }

func (l *Pair) allocBy(how func(device.Device, int) (device.Buffer, error), n int) device.Buffer {
	if l.err != nil || n == 0 {
		return device.Buffer{}
	}
	b, err := how(l.dev, n)
	if err != nil {
		l.fail(fmt.Errorf("allocate %d elements on %s: %w", n, l.dev.Name(), err))
	}
	return b
}

// need makes room for activations of n elements per image.
func (l *Pair) need(n int) { l.largest = max(l.largest, n) }

// param is where a network has a parameter.
func (l *Pair) param(network, index int) device.Buffer {
	p := &l.layout.Params[index]
	return l.flat[network].Slice(p.Off, p.Len)
}

// grad is where a local shard has the gradient of a parameter.
func (l *Pair) grad(shard, index int) device.Buffer {
	p := &l.layout.Params[index]
	return l.grads[shard].Slice(p.Off, p.Len)
}

// pack hands the weights of a network to its convolutions unless they have them.
func (l *Pair) pack(network int) {
	if l.packed[network] {
		return
	}
	for _, c := range l.convs {
		c.pack(network)
	}
	l.packed[network] = true
}

// part is shard i of a batch of activations of n elements per image.
func (l *Pair) part(b device.Buffer, i, n int) device.Buffer {
	n *= l.opt.Cut.Images
	return b.Slice(i*n, n)
}

// activations places an activation of n elements per image: own memory for the online streams, slot for the
// others.
func (l *Pair) activations(n, slot int) Streams {
	n *= l.opt.Cut.Batch()
	return Streams{l.alloc(n), l.alloc(n), l.arena[0][slot], l.arena[1][slot], l.arena[0][slot]}
}

// kept is an activation with memory of its own in every stream that nets networks run.
func (l *Pair) kept(n, nets int) Streams {
	n *= l.opt.Cut.Batch()
	var s Streams
	for i := range nets * views {
		s[i] = l.alloc(n)
	}
	s[Eval] = s[Online1]
	return s
}

// mask sets out = a [+ b] where y is positive (everywhere without y) and 0 elsewhere, for n elements per image.
func (l *Pair) mask(a, b *Views, y *Streams, out *Views, n int) {
	n *= l.opt.Cut.Batch()
	for v := range views {
		var bv, yv device.Buffer
		if b != nil {
			bv = b[v]
		}
		if y != nil {
			yv = y[v]
		}
		l.dev.AddMasked(a[v], bv, yv, out[v], n)
	}
}
