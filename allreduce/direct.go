package allreduce

import (
	"byol/allreduce/link"
	"byol/internal/vector"
)

// directBlock is how many elements of a chunk are unpacked for all shards before they are added: they stay in cache.
const directBlock = 1 << 10

// sumStep is how many elements of a Total are added before their checksum is made.
const sumStep = 16 << 10

// direct carries out the deals of a sum over the mesh.
type direct struct {
	op     *operation
	shards [][]float32
	out    []float32

	packed  []float32 // memory of the Part that is sent
	total   []float32 // memory of the Total that is sent, where that is rounded
	scratch []float32
	// unpacked has directBlock elements for each row of another rank's parcel, where they come rounded.
	unpacked []float32
	parts    []message // by rank: what came for the chunk that is summed next
	head     link.Header
	payload  []byte // of the Total that is sent, once it is summed
}

// sumDirect is AllReduce for a long vector.
func (g *Group) sumDirect(op *operation, shards [][]float32, out []float32) (taken bool, err error) {
	o, w := &g.order, g.cfg.Wire
	own := o.parcels.count(g.Rank())
	chunk := max(1, min(g.chunk(len(out)), maxMessage/(w.bytes()*o.parcels.most())))
	d := direct{op: op, shards: shards, out: out, parts: make([]message, g.Size())}
	sizes := []int{chunk * own, 0, 0, max(o.joined.scratch(0), o.pack.scratch(own))}
	if w == BF16 {
		sizes = []int{(chunk*own + 1) / 2, (chunk + 1) / 2, directBlock * (o.parcels.all() - own), o.joined.scratch(0)}
	}
	memory := g.bufs.floats(sizes[0] + sizes[1] + sizes[2] + sizes[3])
	for i, p := range []*[]float32{&d.packed, &d.total, &d.unpacked, &d.scratch} {
		*p, memory = memory[:sizes[i]], memory[sizes[i]:]
	}
	defer d.end()
	for _, next := range g.schedules.deals(g, len(out), chunk) {
		if !d.do(next) {
			break
		}
	}
	return true, op.result()
}

// end has nobody write into the vector any more.
func (d *direct) end() {
	for _, p := range d.op.g.mesh {
		if p != nil {
			p.due.clear()
		}
	}
}

// do returns false when the group broke.
func (d *direct) do(m deal) bool {
	switch {
	case m.Send && m.Kind == link.Part:
		d.pack(m.move)
		if !d.send(m.Peer) {
			return false
		}
		d.expect(m)
		return true
	case m.Send:
		if d.payload == nil || d.head.Kind != m.Kind || d.head.Chunk != m.Chunk {
			d.sum(m.move)
		}
		return d.send(m.Peer)
	}
	return d.take(m)
}

// expect has the total of a chunk land where it belongs, if it comes as it is stored.
func (d *direct) expect(m deal) {
	if g := d.op.g; g.cfg.Wire == Float32 {
		head := d.op.header(link.Total, m.Chunk)
		head.Length = uint32(4 * m.Len)
		g.mesh[m.Peer].due.expect(head, vector.Bytes(d.out[m.Off:m.Off+m.Len]))
	}
}

// take receives a Part or a Total.
func (d *direct) take(m deal) bool {
	g := d.op.g
	p := g.mesh[m.Peer]
	got, ok := d.op.take(p, m.Kind)
	if !ok {
		return false
	}
	want := d.op.header(m.Kind, m.Chunk)
	want.Length = uint32(g.cfg.Wire.bytes() * m.Len)
	if m.Kind == link.Part {
		want.Length *= uint32(g.order.parcels.count(m.Peer))
	}
	if !d.op.expect(m.Peer, got.head, want) {
		return false
	}
	switch {
	case m.Kind == link.Part:
		d.parts[m.Peer] = got
	case !got.landed:
		if g.cfg.Wire == Float32 {
			p.due.miss()
		}
		g.cfg.Wire.decode(d.out[m.Off:m.Off+m.Len], got.data)
		p.recycle(got.data)
	}
	return true
}

// send sends the payload that is ready.
func (d *direct) send(to int) bool {
	g := d.op.g
	slot := &g.waits[slotSend]
	slot.begin(d.op, to)
	defer slot.end()
	if err := g.mesh[to].link.Send(d.head, d.payload); err != nil {
		g.linkFailed(to, err)
		return false
	}
	return true
}

// ready makes payload, with that checksum, the one that is sent.
func (d *direct) ready(m move, payload []byte, sum uint32) {
	d.head, d.payload = d.op.header(m.Kind, m.Chunk), payload
	d.head.Length, d.head.Sum = uint32(len(payload)), sum
}

// pack makes the Part of this rank ready, one row of its parcel after another.
func (d *direct) pack(m move) {
	if d.op.g.cfg.Wire != BF16 {
		b := vector.Bytes(d.nodes(m))
		d.ready(m, b, link.Checksum(b))
		return
	}
	b := vector.Bytes(d.packed)[:2*m.Len*len(d.shards)]
	for i, s := range d.shards {
		packBF16(b[2*m.Len*i:], s[m.Off:m.Off+m.Len])
	}
	d.ready(m, b, link.Checksum(b))
}

// nodes are this rank's nodes of a chunk, one after another: its one shard as it lies, or in packed.
func (d *direct) nodes(m move) []float32 {
	g := d.op.g
	if len(d.shards) == 1 {
		return d.shards[0][m.Off : m.Off+m.Len]
	}
	own := d.packed[:m.Len*g.order.parcels.count(g.Rank())]
	var rows []*float32
	for at := 0; at < len(own); at += m.Len {
		rows = append(rows, &own[at])
	}
	g.cfg.Wire.foldInto(rows, g.order.pack, starts(d.shards, m.Off), m.Len, d.scratch)
	return own
}

// sum adds the parcels of all ranks for a chunk of this rank's, and makes the Total ready.
func (d *direct) sum(m move) {
	g := d.op.g
	if g.cfg.Wire == BF16 {
		d.sumRounded(m)
	} else {
		var rows []*float32
		for r, part := range d.parts {
			own := vector.Floats(part.data)
			if r == g.Rank() {
				own = d.nodes(m)
			}
			for ; len(own) > 0; own = own[m.Len:] {
				rows = append(rows, &own[0])
			}
		}
		d.sumRows(m, rows)
	}
	for r, part := range d.parts {
		if r != g.Rank() {
			g.mesh[r].recycle(part.data)
		}
	}
}

// sumRows adds rows, one for each node, and makes the checksum of the Total while its elements are in cache.
func (d *direct) sumRows(m move, rows []*float32) {
	dst := d.out[m.Off:][:m.Len]
	var sum link.Sum
	next := make([]*float32, len(rows))
	for lo := 0; lo < m.Len; lo += sumStep {
		n := min(sumStep, m.Len-lo)
		for i, p := range rows {
			next[i] = at(p, lo)
		}
		d.op.g.cfg.Wire.sumInto(outputs{[]*float32{&dst[lo]}, 1}, d.op.g.order.joined, next, n, d.scratch)
		sum.Add(vector.Bytes(dst[lo : lo+n]))
	}
	d.ready(m, vector.Bytes(dst), sum.Value())
}

// sumRounded is sum where the shards of others come rounded, and the sum goes out rounded.
func (d *direct) sumRounded(m move) {
	g := d.op.g
	b := vector.Bytes(d.total)[:2*m.Len]
	srcs := make([]*float32, 0, g.shards)
	for lo := 0; lo < m.Len; lo += directBlock {
		n := min(directBlock, m.Len-lo)
		srcs = srcs[:0]
		room := d.unpacked
		for r, part := range d.parts {
			if r == g.Rank() {
				srcs = append(srcs, starts(d.shards, m.Off+lo)...)
				continue
			}
			for i := range g.owned(r) {
				unpackBF16(room[:n], part.data[2*(m.Len*i+lo):])
				srcs, room = append(srcs, &room[0]), room[directBlock:]
			}
		}
		dst := d.out[m.Off+lo:][:n]
		BF16.sumInto(outputs{[]*float32{&dst[0]}, 1}, g.order.joined, srcs, n, d.scratch)
		packBF16(b[2*lo:], dst)
	}
	d.ready(m, b, link.Checksum(b))
}
