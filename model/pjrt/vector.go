package pjrt

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"unsafe"

	"byol/model/engine"
	"byol/model/pjrt/capi"
)

// floatBytes is the size of a float32.
const floatBytes = 4

// floats are the float32 of a host memory.
func floats(m *capi.HostMemory) []float32 {
	b := m.Bytes()
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/floatBytes)
}

// bytesOf are the bytes of a slice.
func bytesOf[T any](x []T) []byte {
	var one T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), len(x)*int(unsafe.Sizeof(one)))
}

// arrival is a copy between host and device that several may wait for, on any goroutine.
type arrival struct {
	e     *Engine
	doing string

	mu    sync.Mutex // guards the rest
	event *capi.Event
	then  func() // what is done with what has arrived
	end   func() // what is done in any case
	err   error
}

// wait returns when the copy is complete, or with the engine's fault.
func (a *arrival) wait() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.event == nil {
		return a.err
	}
	err := a.event.Await(a.e.wait)
	a.event = nil
	a.e.count(Counts{Waits: 1})
	if err != nil {
		a.err = a.e.fail(a.doing, err)
	} else if a.then != nil {
		a.then()
	}
	if a.end != nil {
		a.end()
	}
	return a.err
}

// arrived says whether somebody has waited for the copy.
func (a *arrival) arrived() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.event == nil
}

// track has Sync wait for a copy, unless somebody else does before.
func (e *Engine) track(a *arrival) {
	e.copies = append(slices.DeleteFunc(e.copies, (*arrival).arrived), a)
}

// transfer waits for arrivals.
type transfer struct {
	e    *Engine
	list []*arrival
}

// Wait waits for all. Of an engine that is broken it returns the fault, whatever arrived.
func (t *transfer) Wait() error {
	for _, a := range t.list {
		_ = a.wait() // kept as the fault
	}
	return t.e.fault()
}

// vector is a flat vector on the device, and its copy on the host.
type vector struct {
	e      *Engine
	n      int
	buffer *capi.Buffer // nil: all zero
	memory *capi.HostMemory
	stored []engine.Span // that the device does not have yet
	sent   *arrival      // the copy of all of memory to the device that may be under way
	fresh  bool          // memory has all that the device has, but for what is stored
	whole  *arrival      // the copy of all to memory that may be under way
}

// NewVector returns a vector of the plan's layout. Other processes do not reach its host memory, which is the device's
// to copy from and to.
func (e *Engine) NewVector(bool) (engine.Vector, error) {
	n := e.plan.step.Layout.Size
	memory, err := e.client.NewHostMemory(n * floatBytes)
	if err != nil {
		return nil, fmt.Errorf("allocate a vector: %w", err)
	}
	v := &vector{e: e, n: n, memory: memory, fresh: true}
	e.vectors = append(e.vectors, v)
	return v, nil
}

// Host is the copy on the host.
func (v *vector) Host() []float32 { return floats(v.memory)[:v.n] }

// Store makes elements of Host the vector's, when it is next used.
func (v *vector) Store(s engine.Span) { v.stored = append(v.stored, s) }

// Fetch begins to bring elements to Host, unless all are there or on their way. A part comes by way of a copy of the
// whole.
func (v *vector) Fetch(s engine.Span) engine.Transfer {
	b, err := v.current()
	if err == nil && v.fresh {
		if v.whole == nil {
			return &transfer{e: v.e}
		}
		return &transfer{e: v.e, list: []*arrival{v.whole}}
	}
	if err == nil && v.sent != nil {
		err = v.sent.wait()
	}
	if err != nil {
		_ = v.e.fail("fetch parameters", err) // returned by Wait
		return &transfer{e: v.e}
	}
	a, err := v.fetch(b, s)
	if err != nil {
		_ = v.e.fail("fetch parameters", err) // returned by Wait
		return &transfer{e: v.e}
	}
	v.e.track(a)
	return &transfer{e: v.e, list: []*arrival{a}}
}

func (v *vector) fetch(b *capi.Buffer, s engine.Span) (*arrival, error) {
	if s.Len == v.n {
		a, err := v.e.download(b, v.memory, 0, "fetch parameters")
		v.whole, v.fresh = a, err == nil
		return a, err
	}
	all, err := v.e.client.NewHostMemory(v.n * floatBytes)
	if err != nil {
		return nil, err
	}
	a, err := v.e.download(b, all, 0, "fetch parameters")
	if err != nil {
		return nil, errors.Join(err, all.Free())
	}
	a.then = func() { copy(v.Host()[s.Off:s.End()], floats(all)[s.Off:s.End()]) }
	a.end = func() { _ = all.Free() } // the copy has ended
	return a, nil
}

// download begins a copy of a buffer to host memory.
func (e *Engine) download(b *capi.Buffer, to *capi.HostMemory, off int, doing string) (*arrival, error) {
	event, err := b.DownloadTo(to, off*floatBytes)
	if err != nil {
		return nil, err
	}
	e.count(Counts{Down: int64(b.Shape().Bytes())})
	return &arrival{e: e, doing: doing, event: event}, nil
}

// send begins a copy of n elements of host memory to the device; Sync waits for it.
func (e *Engine) send(m *capi.HostMemory, n int) (*capi.Buffer, *arrival, error) {
	b, event, err := e.device.UploadFrom(capi.Shape{Type: capi.F32, Dims: []int64{int64(n)}}, m, 0)
	if err != nil {
		return nil, nil, err
	}
	e.count(Counts{Up: int64(n * floatBytes)})
	a := &arrival{e: e, doing: "take parameters", event: event}
	e.track(a)
	return b, a, nil
}

// current is the buffer with everything that was stored.
func (v *vector) current() (*capi.Buffer, error) {
	if len(v.stored) == 0 && v.buffer != nil {
		return v.buffer, nil
	}
	fresh := v.fresh
	if covers(v.stored, v.n) {
		b, err := v.adopt(v.memory)
		v.fresh = err == nil
		return b, err
	}
	all, err := v.e.client.NewHostMemory(v.n * floatBytes)
	if err != nil {
		return nil, err
	}
	b, err := v.merge(all)
	if freed := all.Free(); err == nil {
		err = freed
	}
	if err != nil {
		return nil, err
	}
	v.sent, v.fresh = nil, fresh
	return b, nil
}

// merge makes what the device has, with what was stored, the vector's, by way of a host memory that nobody uses behind
// it.
func (v *vector) merge(all *capi.HostMemory) (*capi.Buffer, error) {
	if v.buffer != nil {
		a, err := v.e.download(v.buffer, all, 0, "fetch parameters")
		if err == nil {
			err = a.wait()
		}
		if err != nil {
			return nil, err
		}
	}
	for _, s := range v.stored {
		copy(floats(all)[s.Off:s.End()], v.Host()[s.Off:s.End()])
	}
	b, err := v.adopt(all)
	if err == nil {
		err = v.sent.wait()
	}
	return b, err
}

// adopt makes the elements of a host memory the vector's.
func (v *vector) adopt(m *capi.HostMemory) (*capi.Buffer, error) {
	b, a, err := v.e.send(m, v.n)
	if err != nil {
		return nil, err
	}
	v.set(b)
	v.sent = a
	return b, nil
}

// set makes a buffer the vector's.
func (v *vector) set(b *capi.Buffer) {
	if v.buffer != nil {
		_ = v.buffer.Destroy() // a fault comes with what is launched
	}
	v.buffer, v.stored, v.sent, v.whole, v.fresh = b, nil, nil, nil, false
}

func (v *vector) free() {
	v.set(nil)
	_ = v.memory.Free() // all copies were waited for
}

// covers says whether spans have all of n elements.
func covers(list []engine.Span, n int) bool {
	end := 0
	for found := true; found && end < n; {
		found = false
		for _, s := range list {
			if s.Off <= end && s.End() > end {
				end, found = s.End(), true
			}
		}
	}
	return end >= n
}

// gradient is that of one local shard. It lives on the host: every part is copied there when it is computed.
type gradient struct {
	plan     *plan
	memory   *capi.HostMemory
	arrivals []*arrival // by parameter; nil: none was launched
}

// Host is the gradient.
func (g *gradient) Host() []float32 { return floats(g.memory)[:g.plan.step.Layout.Size] }

// Fetch waits for the parameters that a span touches.
func (g *gradient) Fetch(s engine.Span) engine.Transfer {
	t := &transfer{e: g.plan.e}
	for i, p := range g.plan.step.Layout.Params {
		if a := g.arrivals[i]; a != nil && p.Off < s.End() && s.Off < p.End() {
			t.list = append(t.list, a)
		}
	}
	return t
}

// Store does nothing: Update takes what is on the host.
func (g *gradient) Store(engine.Span) {}
