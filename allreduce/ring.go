package allreduce

import (
	"slices"
	"sync"

	"byol/allreduce/link"
	"byol/internal/vector"
)

// pieceElements is how much of a chunk is received at a time: signs of life are counted by it.
const pieceElements = 64 << 10

// shareElements is the chunk of Share.
const shareElements = 1 << 20 / 4

// scratch is memory that operations of one turn reuse.
type scratch struct {
	memory []float32
	table  [][]float32
}

// floats returns n elements, valid until the next call.
func (s *scratch) floats(n int) []float32 {
	if cap(s.memory) < n {
		s.memory = make([]float32, n)
	}
	return s.memory[:n]
}

// rows cuts v into rows of n elements.
func (s *scratch) rows(v []float32, n int) [][]float32 {
	s.table = s.table[:0]
	for lo := 0; lo < len(v); lo += n {
		s.table = append(s.table, v[lo:lo+n])
	}
	return s.table
}

// schedules keeps those of lengths seen before: a model has few bucket sizes.
type schedules struct {
	direct map[int][]deal
	spans  []vector.Span
	shared schedule // of spans
}

// mostSchedules is how many lengths are remembered: far more than a model has.
const mostSchedules = 256

func (c *schedules) deals(g *Group, n, chunk int) []deal {
	return remember(&c.direct, n, func() []deal { return dealsOf(g.Rank(), g.Size(), n, chunk) })
}

func (c *schedules) spread(rank int, spans []vector.Span) schedule {
	if !slices.Equal(c.spans, spans) {
		c.spans, c.shared = slices.Clone(spans), spreadOf(rank, spans, shareElements)
	}
	return c.shared
}

// remember returns what known has for n, or makes it.
func remember[T any](known *map[int]T, n int, makeIt func() T) T {
	if have, ok := (*known)[n]; ok {
		return have
	}
	if *known == nil || len(*known) >= mostSchedules {
		*known = map[int]T{}
	}
	fresh := makeIt()
	(*known)[n] = fresh
	return fresh
}

// chunk is how many elements of a long vector travel at once.
func (g *Group) chunk(n int) int { return g.tuning.chunk(n, g.Size(), g.oneHost()) }

// shareRing is Share round the ring.
func (g *Group) shareRing(op *operation, buf []float32, spans []vector.Span) (taken bool, err error) {
	t := transfer{op: op, schedule: g.schedules.spread(g.Rank(), spans), buf: buf}
	return true, t.run()
}

// transfer carries out a schedule on the ring: the caller's goroutine receives, a second one sends.
type transfer struct {
	op *operation
	schedule
	buf []float32

	sums    []uint32      // checksum of the elements each receive left in buf; read after its token
	arrived chan struct{} // one token per receive
}

// run returns when both directions are done. Errors are the group's.
func (t *transfer) run() error {
	t.sums = make([]uint32, len(t.Recv))
	t.arrived = make(chan struct{}, len(t.Recv))
	var sender sync.WaitGroup
	sender.Go(t.send)
	t.receive()
	t.op.waiting.end()
	sender.Wait()
	return t.op.result()
}

func (t *transfer) receive() {
	g := t.op.g
	from := (g.Rank() + g.Size() - 1) % g.Size()
	for i, m := range t.Recv {
		t.op.waiting.begin(t.op, from)
		g.ring.reading.Store(true)
		h, err := g.prev.RecvHeader()
		g.ring.reading.Store(false)
		g.ring.heard.Add(1)
		if err != nil {
			g.linkFailed(from, err) // and still waiting, should another rank ask
			return
		}
		t.op.waiting.end()
		want := t.op.header(m.Kind, m.Chunk)
		want.Length = uint32(4 * m.Len)
		if !t.op.expect(from, h, want) {
			return
		}
		got, err := t.take(m)
		t.sums[i] = got
		g.ring.taken.Add(1)
		if err != nil {
			g.linkFailed(from, err)
			return
		}
		if got != h.Sum {
			g.corrupt(from, h, got)
			return
		}
		t.arrived <- struct{}{}
	}
}

// receive fills p with what comes next on the ring.
func (g *Group) receive(p []byte) error {
	g.ring.reading.Store(true)
	err := g.prev.RecvPayload(p)
	g.ring.reading.Store(false)
	g.ring.heard.Add(1)
	return err
}

// take receives a chunk and returns its checksum.
func (t *transfer) take(m move) (sum uint32, err error) {
	var came link.Sum
	for lo := m.Off; lo < m.Off+m.Len; lo += pieceElements {
		p := vector.Bytes(t.buf[lo:min(lo+pieceElements, m.Off+m.Len)])
		if err := t.op.g.receive(p); err != nil {
			return 0, err
		}
		came.Add(p)
	}
	return came.Value(), nil
}

func (t *transfer) send() {
	g := t.op.g
	to, received := (g.Rank()+1)%g.Size(), 0
	slot := &g.waits[slotSend]
	for _, m := range t.Send {
		if !t.await(&received, m.After) {
			return
		}
		h := t.op.header(m.Kind, m.Chunk)
		payload := vector.Bytes(t.buf[m.Off : m.Off+m.Len])
		h.Length = uint32(len(payload))
		if m.After > 0 {
			h.Sum = t.sums[m.After-1]
		} else {
			h.Sum = link.Checksum(payload)
		}
		g.ring.begun.Add(1)
		slot.begin(t.op, to)
		err := g.next.Send(h, payload)
		slot.end()
		if err != nil {
			g.linkFailed(to, err)
			return
		}
	}
}

// await waits until n receives are done in all, of which so many have been waited for. It returns false when the group
// broke.
func (t *transfer) await(taken *int, n int) bool {
	for ; *taken < n; *taken++ {
		select {
		case <-t.arrived:
		case <-t.op.g.done:
			return false
		}
	}
	return true
}
