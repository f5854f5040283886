package replica

import (
	"byol/model"
	"byol/model/device"
)

// Copies of device vectors that are needed at the same time.
const (
	slotOnline = iota
	slotMomentum
	slotTarget
	slotTargetNext
	slotGradient // the first of the shards' gradients
)

// hostView shows device buffers to the host: their memory itself where the device allows it, else a copy in memory
// that is kept from call to call. slot tells apart copies that are needed at the same time.
type hostView struct {
	dev    device.Device
	direct device.HostMemory // nil: copies
	copies map[int][]float32
	shared func(n int) ([]float32, error) // memory for copies that other workers read; nil: any memory will do
}

func newHostView(dev device.Device, shared func(n int) ([]float32, error)) *hostView {
	direct, _ := dev.(device.HostMemory)
	return &hostView{dev: dev, direct: direct, copies: map[int][]float32{}, shared: shared}
}

// view returns the elements of b for reading. The device must have been synchronised.
func (v *hostView) view(slot int, b device.Buffer) []float32 {
	if v.direct != nil {
		return v.direct.Host(b)
	}
	x := v.room(slot, b.Len)
	v.dev.Download(x, b)
	return x
}

// blank returns memory to be filled and flushed to b.
func (v *hostView) blank(slot int, b device.Buffer) []float32 {
	if v.direct != nil {
		return v.direct.Host(b)
	}
	return v.room(slot, b.Len)
}

// flush makes what was written to a view of b the device's.
func (v *hostView) flush(b device.Buffer, x []float32) {
	if v.direct == nil {
		v.dev.Upload(b, x)
	}
}

func (v *hostView) room(slot, n int) []float32 {
	if cap(v.copies[slot]) < n {
		v.copies[slot] = v.make(slot, n)
	}
	return v.copies[slot][:n]
}

// make returns memory for a copy: where other workers reach it, if they will.
func (v *hostView) make(slot, n int) []float32 {
	if v.shared != nil && slot >= slotTargetNext {
		if x, err := v.shared(n); err == nil {
			return x
		}
	}
	return make([]float32, n)
}

// Gradients shows the shards' gradients of one step to the host, bucket by bucket, so that they can be summed while
// the device computes the next ones.
type Gradients struct {
	r      *Replica
	copies [][]float32 // by shard; nil where the host sees the device's memory
}

// Gradients begins a step's. What Next showed is void.
func (r *Replica) Gradients() *Gradients {
	r.computed = nil
	g := &Gradients{r: r}
	if r.host.direct == nil {
		for i := range r.local {
			g.copies = append(g.copies, r.host.room(slotGradient+i, r.learner.Parameters()))
		}
	}
	return g
}

// Fetch makes a bucket that is complete for all shards readable. Only the owner of the device calls it.
func (g *Gradients) Fetch(b model.Bucket) {
	for i, x := range g.copies {
		g.r.dev.Download(x[b.Off:][:b.Len], g.r.learner.ShardGradient(i).Slice(b.Off, b.Len))
	}
}

// Shards are the gradients in a bucket that was fetched, by shard. The sum over all shards goes into the first.
func (g *Gradients) Shards(b model.Bucket) [][]float32 {
	out := make([][]float32, g.r.local)
	for i := range out {
		if g.copies != nil {
			out[i] = g.copies[i][b.Off:][:b.Len]
		} else {
			out[i] = g.r.host.direct.Host(g.r.learner.ShardGradient(i).Slice(b.Off, b.Len))
		}
	}
	return out
}

// Put gives the device the sums of all buckets. Only its owner calls it.
func (g *Gradients) Put() {
	if g.copies != nil {
		g.r.dev.Upload(g.r.learner.Gradient(), g.copies[0])
	}
}
