package allreduce

import (
	"byol/allreduce/link"
	"byol/internal/vector"
)

// exchange sends payload to every peer and hands what each of them sent, in rank order, to use. size is the
// length of rank r's part.
func (op *operation) exchange(
	kind link.Kind, payload []byte, size func(r int) int, use func(r int, data []byte),
) error {
	g := op.g
	head := op.header(kind, 0)
	head.Length, head.Sum = uint32(len(payload)), link.Checksum(payload)
	for i := 1; i < g.Size(); i++ {
		p := g.mesh[(g.Rank()+i)%g.Size()]
		if err := p.link.Send(head, payload); err != nil {
			g.linkFailed(p.rank, err)
			return op.result()
		}
	}
	for r, p := range g.mesh {
		if p == nil {
			continue
		}
		m, ok := op.take(p, kind)
		if !ok {
			return op.result()
		}
		want := op.header(kind, 0)
		want.Length = uint32(size(r))
		if !op.expect(r, m.head, want) {
			return op.result()
		}
		use(r, m.data)
		p.recycle(m.data)
	}
	return nil
}

// gatherMesh is Gather over the mesh; this rank's own part is in all already.
func (g *Group) gatherMesh(op *operation, local, all []float64) error {
	dst, width := vector.Bytes(all), 8*len(all)/g.shards
	size := func(r int) int { return width * g.owned(r) }
	return op.exchange(link.Gather, vector.Bytes(local), size, func(r int, data []byte) {
		copy(dst[width*g.first(r):], data)
	})
}

// sumShort is AllReduce for a short vector over the mesh: everybody gets all shards and sums them.
func (g *Group) sumShort(op *operation, shards [][]float32, out []float32) (taken bool, err error) {
	if !g.short(len(out)) {
		return false, nil
	}
	n, w := len(out), g.cfg.Wire
	memory := g.bufs.floats(n*g.shards + (n*len(shards)+1)/2)
	all, scratch := memory[:n*g.shards], memory[n*g.shards:]
	table := g.bufs.rows(all, n)
	mine := g.first(g.Rank())
	for i, s := range shards {
		copy(table[mine+i], s)
	}
	payload := w.encode(scratch, all[mine*n:(mine+len(shards))*n])
	size := func(r int) int { return w.bytes() * n * g.owned(r) }
	err = op.exchange(link.Small, payload, size, func(r int, data []byte) {
		w.decode(all[g.first(r)*n:g.first(r+1)*n], data)
	})
	if err == nil {
		w.sum(out, nil, table, 0, false)
	}
	return true, err
}
