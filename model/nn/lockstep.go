package nn

import (
	"fmt"
	"slices"

	"byol/model/device"
)

// Options fixes how a Lockstep runs.
type Options struct {
	Cut            Cut
	LocalBatchNorm bool // normalise each shard by itself
	BucketElements int  // of the gradient's buckets; 0: one bucket
	Sync           Syncer
}

// Lockstep is what the layers of the two networks share: the device, the cut of the batch, the flat layout,
// scratch memory, messages, and the gradients of the local shards.
type Lockstep struct {
	dev device.Device
	opt Options
	err error // the first error of planning

	params   []*Param
	size     int // elements of the flat layout
	convs    []*Conv
	norms    []*BatchNorm
	channels int // of all batch norms
	largest  int // elements of the largest activation of one image
	inner    int // of the largest one inside a block

	flat        [networks]device.Buffer
	packed      [networks]bool
	stats, next []float32 // running statistics: online, then target
	grads       []device.Buffer
	arena       [views][3]device.Buffer // activations of the target network; then gradients of activations
	again       Views                   // an activation inside a block, which the backward pass computes once more
	bias        device.Buffer           // gradient of one bias

	message message
	lead    lead
	buckets buckets
	hook    func(phase string)
	phase   string
}

// New returns a Lockstep without layers.
func New(dev device.Device, opt Options) *Lockstep { return &Lockstep{dev: dev, opt: opt} }

// Err is the first error of declaring or planning layers.
func (l *Lockstep) Err() error { return l.err }

// Plan allocates what the declared layers share. Each layer's own Plan comes after it.
func (l *Lockstep) Plan() {
	n := l.opt.Cut.Batch()
	for v := range views {
		for i := range l.arena[v] {
			l.arena[v][i] = l.alloc(n * l.largest)
		}
		l.again[v] = l.alloc(n * l.inner)
	}
	widest := 0
	for _, p := range l.params {
		if p.Kind == Bias {
			widest = max(widest, p.Len)
		}
	}
	l.bias = l.alloc(widest)
	for range l.opt.Cut.Local {
		l.grads = append(l.grads, l.allocBy(device.AllocPeer, l.size))
	}
	l.message.allocate(l)
	l.buckets.cut(l.params, l.size, l.opt.BucketElements)
}

// Use makes theta and xi the parameters of the networks and stats their running statistics; a pass writes the
// new statistics to next.
func (l *Lockstep) Use(theta, xi device.Buffer, stats, next []float32) {
	l.flat = [networks]device.Buffer{theta, xi}
	l.stats, l.next = stats, next
	l.packed = [networks]bool{}
}

// Changed says that the elements of the parameters have changed since Use.
func (l *Lockstep) Changed() { l.packed = [networks]bool{} }

// Params lists the parameters in the order of the flat layout.
func (l *Lockstep) Params() []*Param { return l.params }

// Size is the length of the flat layout.
func (l *Lockstep) Size() int { return l.size }

// Gradients holds the flat gradient of each local shard.
func (l *Lockstep) Gradients() []device.Buffer { return l.grads }

// Buckets lists the buckets of the gradient in the order in which they become complete.
func (l *Lockstep) Buckets() []Bucket { return l.buckets.list }

// SetBuckets cuts the gradient into buckets of that many elements, from the next pass on; 0: one bucket.
func (l *Lockstep) SetBuckets(elements int) { l.buckets.cut(l.params, l.size, elements) }

// StatisticsSize is the length of the running statistics of both networks.
func (l *Lockstep) StatisticsSize() int { return networks * 2 * l.channels }

// Statistics lists the running vectors of one network; those of the target lie StatisticsSize/2 further on.
func (l *Lockstep) Statistics() []Statistic {
	var list []Statistic
	for _, b := range l.norms {
		list = append(list,
			Statistic{Name: b.name + ".running_mean", Off: b.at, Len: b.c},
			Statistic{Name: b.name + ".running_var", Off: b.at + b.c, Len: b.c, Variance: true})
	}
	return list
}

// Scratch is memory for one gradient of activations per view, slots 0 and 1; slot 0 is where a layer's Backward finds
// the gradient of its output and leaves that of its input. It is the memory of the target network's activations, which
// are dead when the backward pass begins.
func (l *Lockstep) Scratch(slot int) Views { return Views{l.arena[0][slot], l.arena[1][slot]} }

// SetHook has f called whenever a phase begins.
func (l *Lockstep) SetHook(f func(phase string)) { l.hook = f }

// Phase says that a phase begins.
func (l *Lockstep) Phase(name string) {
	l.phase = name
	if l.hook != nil {
		l.hook(name)
	}
}

// train is a pass of all streams, trainOnline one of the online network's.
func (l *Lockstep) train() pass       { return pass{Online1, Eval, l.opt.Cut.Batch()} }
func (l *Lockstep) trainOnline() pass { return pass{Online1, Target1, l.opt.Cut.Batch()} }

func (l *Lockstep) fail(err error) {
	if l.err == nil {
		l.err = err
	}
}

// alloc returns n elements; after an error, the zero Buffer.
func (l *Lockstep) alloc(n int) device.Buffer { return l.allocBy(device.Device.Alloc, n) }

func (l *Lockstep) allocBy(how func(device.Device, int) (device.Buffer, error), n int) device.Buffer {
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
func (l *Lockstep) need(n int) { l.largest = max(l.largest, n) }

// declare appends a parameter to the layout.
func (l *Lockstep) declare(name string, kind Kind, shape ...int) *Param {
	p := &Param{Name: name, Kind: kind, Shape: slices.Clone(shape), Off: l.size, Len: 1, index: len(l.params)}
	for _, d := range shape {
		p.Len *= d
	}
	l.params = append(l.params, p)
	l.size += p.Len
	return p
}

// param is where a network has p.
func (l *Lockstep) param(network int, p *Param) device.Buffer {
	return l.flat[network].Slice(p.Off, p.Len)
}

// pack gives the weights of a network to its convolutions unless they have them.
func (l *Lockstep) pack(network int) {
	if l.packed[network] {
		return
	}
	for _, c := range l.convs {
		c.pack(network)
	}
	l.packed[network] = true
}

// part is shard i of a batch of activations of n elements per image.
func (l *Lockstep) part(b device.Buffer, i, n int) device.Buffer {
	n *= l.opt.Cut.Images
	return b.Slice(i*n, n)
}
