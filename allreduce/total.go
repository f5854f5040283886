package allreduce

import (
	"math/bits"
	"time"

	"byol/allreduce/link"
	"byol/internal/vector"
)

// totals is memory that totals reuse: nodes that follow one another, and the values of each.
type totals struct {
	memory []float64
	nodes  []vector.Node
	rows   [][]float64
	rounds []round // nil: not made yet
}

// begin forgets the nodes of the total before, and has memory for n values.
func (t *totals) begin(n int) {
	if cap(t.memory) < n {
		t.memory = make([]float64, n)
	}
	t.memory = t.memory[:n]
	t.set(nil, nil)
}

// set has these nodes in place of those that are there: values holds them one after another.
func (t *totals) set(nodes []vector.Node, values []float64) {
	t.nodes, t.rows = t.nodes[:0], t.rows[:0]
	t.add(nodes, values)
}

// add has more nodes behind those that are there.
func (t *totals) add(nodes []vector.Node, values []float64) {
	for i, node := range nodes {
		n := len(values) / len(nodes)
		t.nodes, t.rows = append(t.nodes, node), append(t.rows, values[i*n:][:n])
	}
}

// fold adds nodes that are the halves of others, and puts what is left into dst, one after another.
func (t *totals) fold(tree vector.Tree, dst []float64) {
	for _, row := range t.rows[:vector.AddTree(tree, t.nodes, t.rows)] {
		dst = dst[copy(dst, row):]
	}
}

// foldOwn puts this rank's nodes of n values into dst. local is overwritten.
func (g *Group) foldOwn(local, dst []float64) {
	g.totals.set(g.order.own, local)
	g.totals.fold(g.order.tree, dst)
}

// foldAll sums the nodes of all ranks, which lie in memory one after another.
func (g *Group) foldAll(sum []float64) error {
	t, o := &g.totals, &g.order.nodes
	t.set(nil, nil)
	for r, nodes := range o.of {
		t.add(nodes, part(o, t.memory, r, len(sum)))
	}
	t.fold(g.order.tree, sum)
	return nil
}

// totalAlone is Total in a group of one rank.
func (g *Group) totalAlone(_ *operation, local, sum []float64) error {
	g.foldOwn(local, sum)
	return nil
}

// totalMesh is Total over the mesh.
func (g *Group) totalMesh(op *operation, local, sum []float64) error {
	n, o, t := len(sum), &g.order.nodes, &g.totals
	if g.tuning.inRounds(g.Size(), 8*n) {
		return g.totalRounds(op, local, sum)
	}
	t.begin(n * o.all())
	own := part(o, t.memory, g.Rank(), n)
	g.foldOwn(local, own)
	size := func(r int) int { return 8 * n * o.count(r) }
	err := op.exchange(link.Node, vector.Bytes(own), size, func(r int, data []byte) {
		copy(vector.Bytes(part(o, t.memory, r, n)), data)
	})
	if err != nil {
		return err
	}
	return g.foldAll(sum)
}

// hopFrame is what a processor spends on a frame, on both sides of a connection: measured at 10 to 14 µs.
const hopFrame = 14 * time.Microsecond

// inRounds decides how a total of nodes of so many bytes goes: everybody to everybody in one hop, at a frame to each
// rank, or in rounds, at a hop and a frame each. Alpha is the time of the first with next to no bytes.
func (t Tuning) inRounds(size, bytes int) bool {
	if size < 4 { // as many frames either way
		return false
	}
	frame := hopFrame.Seconds() + float64(bytes)/t.Rate
	hop := max((t.Alpha - time.Duration(size-1)*hopFrame).Seconds(), hopFrame.Seconds())
	rounds := bits.Len(uint(size - 1))
	return float64(rounds)*(hop+frame) < hop+float64(size-1)*frame
}

// totalRounds is Total over the mesh in rounds: after each, a rank has the nodes of a block of ranks twice as large.
func (g *Group) totalRounds(op *operation, local, sum []float64) error {
	n, t := len(sum), &g.totals
	nodes := func(from, to int) []vector.Node { return g.order.tree.Nodes(g.first(from), g.first(to)) }
	if t.rounds == nil {
		t.rounds = roundsOf(g.Rank(), g.Size())
	}
	most := g.order.nodes.count(g.Rank())
	for _, r := range t.rounds {
		most = max(most, len(nodes(r.Begin, r.Middle)), len(nodes(r.Middle, r.End)))
	}
	t.begin(3 * n * most)
	have, came, next := t.memory[:n*most], t.memory[n*most:2*n*most], t.memory[2*n*most:]
	g.foldOwn(local, have)
	for _, r := range t.rounds {
		left, right := nodes(r.Begin, r.Middle), nodes(r.Middle, r.End)
		mine, theirs := left, right
		if g.Rank() >= r.Middle {
			mine, theirs = right, left
		}
		if !op.trade(r, vector.Bytes(have[:n*len(mine)]), vector.Bytes(came[:n*len(theirs)])) {
			return op.result()
		}
		a, b := have[:n*len(left)], came[:n*len(right)]
		if g.Rank() >= r.Middle {
			a, b = came[:n*len(left)], have[:n*len(right)]
		}
		t.set(left, a)
		t.add(right, b)
		t.fold(g.order.tree, next)
		have, next = next, have
	}
	copy(sum, have)
	return nil
}

// trade sends payload to the ranks of a round, and fills dst with what the one has that sends to this rank.
func (op *operation) trade(r round, payload, dst []byte) bool {
	g := op.g
	head := op.header(link.Node, uint32(r.Level))
	head.Length, head.Sum = uint32(len(payload)), link.Checksum(payload)
	for _, to := range r.To {
		if err := g.mesh[to].link.Send(head, payload); err != nil {
			g.linkFailed(to, err)
			return false
		}
	}
	p := g.mesh[r.From]
	m, ok := op.take(p, link.Node)
	want := op.header(link.Node, uint32(r.Level))
	want.Length = uint32(len(dst))
	if !ok || !op.expect(r.From, m.head, want) {
		return false
	}
	copy(dst, m.data)
	p.recycle(m.data)
	return true
}
