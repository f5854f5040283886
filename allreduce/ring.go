package allreduce

import (
	"fmt"
	"slices"
	"sync"
	"unsafe"

	"byol/allreduce/link"
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

// planCache keeps the plans of lengths seen before: a model has few bucket sizes.
type planCache struct {
	chains map[int]Plan
	direct map[int][]Deal
	spans  []Span
	pass   Plan
}

func (c *planCache) chain(rank, size, n, chunk int) Plan {
	p, ok := c.chains[n]
	if !ok {
		p = Chain(rank, size, n, chunk, size+chainSlack)
		if c.chains == nil || len(c.chains) > 256 {
			c.chains = map[int]Plan{}
		}
		c.chains[n] = p
	}
	return p
}

func (c *planCache) deals(rank, size, n, chunk int) []Deal {
	p, ok := c.direct[n]
	if !ok {
		p = Direct(rank, size, n, chunk)
		if c.direct == nil || len(c.direct) > 256 {
			c.direct = map[int][]Deal{}
		}
		c.direct[n] = p
	}
	return p
}

func (c *planCache) shares(rank int, spans []Span) Plan {
	if !slices.Equal(c.spans, spans) {
		c.spans, c.pass = slices.Clone(spans), Pass(rank, spans, shareElements)
	}
	return c.pass
}

// chainSlack is how many chunks results run behind partial sums beyond the way round the ring.
const chainSlack = 2

// allReduce is AllReduce for more than one rank.
func (g *Group) allReduce(op *operation, shards [][]float32, out []float32) error {
	n, size := len(out), g.Size()
	small := 4*n*g.mostShards() <= g.tuning.SmallBytes
	switch {
	case small && g.shared != nil:
		return g.reduceSmallShared(op, shards, out)
	case small:
		return g.reduceSmall(op, shards, out)
	case g.shared != nil:
		if g.shared.homes != nil {
			if done, err := g.reduceInPlace(op, shards, out); done || err != nil {
				return err
			}
		}
		return g.reduceShared(op, shards, out)
	}
	chunk := g.tuning.chunk(n, size, g.oneHost())
	if g.cfg.Wire == BF16 {
		return g.reduceDirect(op, shards, out, chunk)
	}
	t := transfer{op: op, plan: g.plans.chain(g.Rank(), size, n, chunk), buf: out, shards: shards}
	return t.run()
}

// share is Share for more than one rank.
func (g *Group) share(op *operation, buf []float32, spans []Span) error {
	if g.shared != nil {
		if g.shared.homes != nil {
			if done, err := g.shareInPlace(op, buf, spans); done || err != nil {
				return err
			}
		}
		return g.shareShared(op, buf, spans)
	}
	t := transfer{op: op, plan: g.plans.shares(g.Rank(), spans), buf: buf}
	return t.run()
}

// transfer carries out a plan on the ring: the caller's goroutine receives and adds, a second one sends.
type transfer struct {
	op     *operation
	plan   Plan
	buf    []float32
	shards [][]float32 // what partial sums are increased by; nil for Share

	sums    []uint32      // checksum of the elements each receive left in buf; read after its token
	arrived chan struct{} // one token per receive
	left    chan struct{} // one token per send
}

// run returns when both directions are done. Errors are the group's.
func (t *transfer) run() error {
	t.sums = make([]uint32, len(t.plan.Recv))
	t.arrived = make(chan struct{}, len(t.plan.Recv))
	t.left = make(chan struct{}, len(t.plan.Send))
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
	for i, m := range t.plan.Recv {
		t.op.waiting.begin(t.op, from)
		h, err := g.prev.RecvHeader()
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
		if err != nil {
			g.linkFailed(from, err)
			return
		}
		if got != h.Sum {
			g.corrupt(from, h)
			return
		}
		t.arrived <- struct{}{}
	}
}

// add receives the partial sum of m piece by piece and sets the chunk to it plus this rank's shards. It returns
// the checksums of what came in and of what is in the chunk now.
func (t *transfer) add(m Move) (in, out uint32, err error) {
	g := t.op.g
	var came, left link.Sum
	piece := g.bufs.floats(pieceElements)
	for lo := m.Off; lo < m.Off+m.Len; lo += pieceElements {
		hi := min(lo+pieceElements, m.Off+m.Len)
		p, dst := piece[:hi-lo], t.buf[lo:hi]
		if err := g.prev.RecvPayload(bytesOf(p)); err != nil {
			return 0, 0, err
		}
		for at := 0; at < len(p); at += addElements { // what one step leaves in cache, the next finds there
			end := min(at+addElements, len(p))
			came.Add(bytesOf(p[at:end]))
			sumShards(dst[at:end], p[at:end], t.shards, lo+at)
			left.Add(bytesOf(dst[at:end]))
		}
	}
	return came.Value(), left.Value(), nil
}

// take receives a finished chunk and returns its checksum.
func (t *transfer) take(m Move) (sum uint32, err error) {
	var came link.Sum
	for lo := m.Off; lo < m.Off+m.Len; lo += pieceElements {
		p := bytesOf(t.buf[lo:min(lo+pieceElements, m.Off+m.Len)])
		if err := t.op.g.prev.RecvPayload(p); err != nil {
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
	for _, m := range t.plan.Send {
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
func (t *transfer) payload(m Move) []byte {
	if m.Kind == link.Reduce && m.After == 0 {
		if len(t.shards) == 1 {
			return bytesOf(t.shards[0][m.Off : m.Off+m.Len])
		}
		sumShards(t.buf[m.Off:m.Off+m.Len], nil, t.shards, m.Off)
	}
	return bytesOf(t.buf[m.Off : m.Off+m.Len])
}

// littleEndian says whether memory and wire have the same order of bytes.
func littleEndian() error {
	one := uint16(1)
	if *(*byte)(unsafe.Pointer(&one)) != 1 {
		return fmt.Errorf("this machine is big-endian; vectors travel as little-endian memory")
	}
	return nil
}
