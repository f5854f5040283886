package worker

import (
	"sync"

	"byol/allreduce"
	"byol/internal/vector"
	"byol/model/device"
)

// digestAll hashes each vector, in parallel where that is wished.
func digestAll(parallel bool, vectors [][]float32) []uint64 {
	out := make([]uint64, len(vectors))
	if !parallel {
		for i, x := range vectors {
			out[i] = vector.Digest(x)
		}
		return out
	}
	var wg sync.WaitGroup
	for i, x := range vectors {
		wg.Go(func() { out[i] = vector.Digest(x) })
	}
	wg.Wait()
	return out
}

// window shows device buffers to the host: their memory itself where the device allows it, else a copy in memory
// that is kept from call to call. slot tells apart copies that are needed at the same time.
type window struct {
	dev    device.Device
	host   device.HostMemory // nil: copies
	copies map[int][]float32
	peers  *allreduce.Memory // where copies are that other workers read; nil: anywhere
}

func newWindow(dev device.Device, peers *allreduce.Memory) *window {
	host, _ := dev.(device.HostMemory)
	return &window{dev: dev, host: host, copies: map[int][]float32{}, peers: peers}
}

// direct reports whether writes to a view reach the device without flush.
func (w *window) direct() bool { return w.host != nil }

// view returns the elements of b for reading. The device must have been synchronised.
func (w *window) view(slot int, b device.Buffer) []float32 {
	if w.host != nil {
		return w.host.Host(b)
	}
	x := w.room(slot, b.Len)
	w.dev.Download(x, b)
	return x
}

// blank returns memory to be filled and flushed to b.
func (w *window) blank(slot int, b device.Buffer) []float32 {
	if w.host != nil {
		return w.host.Host(b)
	}
	return w.room(slot, b.Len)
}

// flush makes what was written to a view of b the device's.
func (w *window) flush(b device.Buffer, x []float32) {
	if w.host == nil {
		w.dev.Upload(b, x)
	}
}

func (w *window) room(slot, n int) []float32 {
	if cap(w.copies[slot]) < n {
		w.copies[slot] = w.make(slot, n)
	}
	return w.copies[slot][:n]
}

// make returns memory for a copy: where other workers reach it, if they will.
func (w *window) make(slot, n int) []float32 {
	if w.peers != nil && (slot == slotXiNext || slot >= slotGradient) {
		if x, err := w.peers.Floats(n); err == nil {
			return x
		}
	}
	return make([]float32, n)
}
