package allreduce

import (
	"slices"
	"sync"

	"byol/allreduce/link"
	"byol/internal/vector"
)

const (
	// pieceElements is how much of a chunk is received before it is checked and added.
	pieceElements = 64 << 10
	// addElements is how much of it is checked and added at a time: it stays in the cache of one core.
	addElements = 4 << 10
)

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
	chains map[int]schedule
	direct map[int][]deal
	spans  []vector.Span
	shared schedule // of spans
}

// mostSchedules is how many lengths are remembered: far more than a model has.
const mostSchedules = 256

func (c *schedules) chain(g *Group, n int) schedule {
	return remember(&c.chains, n, func() schedule {
		return chainOf(g.Rank(), g.Size(), n, g.chunk(n), g.Size()+chainSlack)
	})
}

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

// chainSlack is how many chunks results run behind partial sums beyond the way round the ring.
const chainSlack = 2

// sumChain is AllReduce for a long vector round the ring, in shard order.
func (g *Group) sumChain(op *operation, shards [][]float32, out []float32) (taken bool, err error) {
	t := transfer{op: op, schedule: g.schedules.chain(g, len(out)), buf: out, shards: shards}
	return true, t.run()
}

// shareRing is Share round the ring.
func (g *Group) shareRing(op *operation, buf []float32, spans []vector.Span) (taken bool, err error) {
	t := transfer{op: op, schedule: g.schedules.spread(g.Rank(), spans), buf: buf}
	return true, t.run()
}

// transfer carries out a schedule on the ring: the caller's goroutine receives and adds, a second one sends.
type transfer struct {
	op *operation
	schedule
	buf    []float32
	shards [][]float32 // what partial sums are increased by; nil for Share

	sums    []uint32      // checksum of the elements each receive left in buf; read after its token
	arrived chan struct{} // one token per receive
	left    chan struct{} // one token per send
}

// run returns when both directions are done. Errors are the group's.
func (t *transfer) run() error {
	t.sums = make([]uint32, len(t.Recv))
	t.arrived = make(chan struct{}, len(t.Recv))
	t.left = make(chan struct{}, len(t.Send))
	var sender sync.WaitGroup
	sender.Go(t.send)
	t.receive()
	t.op.waiting.end()
	sender.Wait()
	return t.op.result()
}

func (t *transfer) receive() {
	g := t.op.g
	from, sent := (g.Rank()+g.Size()-1)%g.Size(), 0
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
		if !t.await(&sent, m.After, t.left) {
			return
		}
		var got uint32
		if m.Kind == link.Reduce {
			got, t.sums[i], err = t.add(m)
		} else {
			got, err = t.take(m)
			t.sums[i] = got
		}
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

// add receives the partial sum of m piece by piece and sets the chunk to it plus this rank's shards. It returns
// the checksums of what came in and of what is in the chunk now.
func (t *transfer) add(m move) (in, out uint32, err error) {
	g := t.op.g
	var came, left link.Sum
	piece := g.bufs.floats(pieceElements)
	for lo := m.Off; lo < m.Off+m.Len; lo += pieceElements {
		hi := min(lo+pieceElements, m.Off+m.Len)
		p, dst := piece[:hi-lo], t.buf[lo:hi]
		if err := g.receive(vector.Bytes(p)); err != nil {
			return 0, 0, err
		}
		for at := 0; at < len(p); at += addElements { // what one step leaves in cache, the next finds there
			end := min(at+addElements, len(p))
			came.Add(vector.Bytes(p[at:end]))
			sumShards(dst[at:end], p[at:end], t.shards, lo+at)
			left.Add(vector.Bytes(dst[at:end]))
		}
	}
	return came.Value(), left.Value(), nil
}

// receive fills p with what comes next on the ring.
func (g *Group) receive(p []byte) error {
	g.ring.reading.Store(true)
	err := g.prev.RecvPayload(p)
	g.ring.reading.Store(false)
	g.ring.heard.Add(1)
	return err
}

// take receives a finished chunk and returns its checksum.
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
		if !t.await(&received, m.After, t.arrived) {
			return
		}
		h := t.op.header(m.Kind, m.Chunk)
		payload := t.payload(m)
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
		t.left <- struct{}{}
	}
}

// await takes tokens until n have been taken in all. It returns false when the group broke.
func (t *transfer) await(taken *int, n int, tokens <-chan struct{}) bool {
	for ; *taken < n; *taken++ {
		select {
		case <-tokens:
		case <-t.op.g.done:
			return false
		}
	}
	return true
}

// payload is what m carries. A partial sum that waits for nothing is the first: this rank's own shards.
func (t *transfer) payload(m move) []byte {
	if m.Kind == link.Reduce && m.After == 0 {
		if len(t.shards) == 1 {
			return vector.Bytes(t.shards[0][m.Off : m.Off+m.Len])
		}
		sumShards(t.buf[m.Off:m.Off+m.Len], nil, t.shards, m.Off)
	}
	return vector.Bytes(t.buf[m.Off : m.Off+m.Len])
}
