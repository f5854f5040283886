package allreduce

import "byol/allreduce/link"

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

// sumShort is AllReduce for a short vector over the mesh: everybody gets all parcels and sums them.
func (g *Group) sumShort(op *operation, shards [][]float32, out []float32) (taken bool, err error) {
	if !g.short(len(out)) {
		return false, nil
	}
	n, w, o := len(out), g.cfg.Wire, &g.order
	mine, count := o.parcels.firsts[g.Rank()], o.parcels.count(g.Rank())
	spare := max(o.joined.scratch(0), o.pack.scratch(count))
	memory := g.bufs.floats(spare + n*o.parcels.all() + (n*count+1)/2)
	scratch, all, packed := memory[:spare], memory[spare:][:n*o.parcels.all()], memory[spare+n*o.parcels.all():]
	table := starts(g.bufs.rows(all, n), 0)
	if w == BF16 {
		for i, s := range shards {
			copy(all[(mine+i)*n:], s)
		}
	} else {
		w.foldInto(table[mine:mine+count], o.pack, starts(shards, 0), n, scratch)
	}
	payload := w.encode(packed, part(&o.parcels, all, g.Rank(), n))
	size := func(r int) int { return w.bytes() * n * o.parcels.count(r) }
	err = op.exchange(link.Small, payload, size, func(r int, data []byte) {
		w.decode(part(&o.parcels, all, r, n), data)
	})
	if err == nil {
		w.sumInto(outputs{[]*float32{&out[0]}, 1}, o.joined, table, n, scratch)
	}
	return true, err
}
