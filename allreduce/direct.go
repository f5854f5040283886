package allreduce

import (
	"byol/allreduce/link"
	"byol/internal/vector"
)

// directBlock is how many elements of a chunk are unpacked for all shards before they are added: they stay in cache.
const directBlock = 1 << 10

// direct carries out the deals of a sum in bfloat16 over the mesh.
type direct struct {
	op     *operation
	shards [][]float32
	out    []float32

	packed   []float32 // memory of the Part that is sent
	total    []float32 // memory of the Total that is sent
	unpacked []float32 // directBlock elements for each shard of another rank
	parts    []message // by rank: what came for the chunk that is summed next
	head     link.Header
	payload  []byte // of the Total that is sent, once it is summed
}

// sumDirect is AllReduce for a long vector in bfloat16.
func (g *Group) sumDirect(op *operation, shards [][]float32, out []float32) (taken bool, err error) {
	chunk := max(1, min(g.chunk(len(out)), maxMessage/(2*g.mostShards())))
	far := directBlock * (g.shards - len(shards))
	part := (chunk*len(shards) + 1) / 2
	memory := g.bufs.floats(far + part + (chunk+1)/2)
	d := direct{op: op, shards: shards, out: out, parts: make([]message, g.Size()),
		unpacked: memory[:far], packed: memory[far : far+part], total: memory[far+part:]}
	for _, next := range g.schedules.deals(g, len(out), chunk) {
		if !d.do(next) {
			break
		}
	}
	return true, op.result()
}

// do returns false when the group broke.
func (d *direct) do(m deal) bool {
	switch {
	case m.Send && m.Kind == link.Part:
		d.pack(m.move)
		return d.send(m.Peer)
	case m.Send:
		if d.payload == nil || d.head.Kind != m.Kind || d.head.Chunk != m.Chunk {
			d.sum(m.move)
		}
		return d.send(m.Peer)
	}
	g := d.op.g
	p := g.mesh[m.Peer]
	got, ok := d.op.take(p, m.Kind)
	if !ok {
		return false
	}
	want := d.op.header(m.Kind, m.Chunk)
	want.Length = uint32(2 * m.Len)
	if m.Kind == link.Part {
		want.Length *= uint32(g.owned(m.Peer))
	}
	if !d.op.expect(m.Peer, got.head, want) {
		return false
	}
	if m.Kind == link.Part {
		d.parts[m.Peer] = got
		return true
	}
	unpackBF16(d.out[m.Off:m.Off+m.Len], got.data)
	p.recycle(got.data)
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

// ready makes payload the one that is sent.
func (d *direct) ready(m move, payload []byte) {
	d.head, d.payload = d.op.header(m.Kind, m.Chunk), payload
	d.head.Length, d.head.Sum = uint32(len(payload)), link.Checksum(payload)
}

// pack makes the Part of this rank's shards ready, one shard after another.
func (d *direct) pack(m move) {
	b := vector.Bytes(d.packed)[:2*m.Len*len(d.shards)]
	for i, s := range d.shards {
		packBF16(b[2*m.Len*i:], s[m.Off:m.Off+m.Len])
	}
	d.ready(m, b)
}

// sum adds the shards of all ranks for a chunk of this rank's, and makes the Total ready.
func (d *direct) sum(m move) {
	g := d.op.g
	b := vector.Bytes(d.total)[:2*m.Len]
	srcs := make([]*float32, 0, g.shards)
	for lo := 0; lo < m.Len; lo += directBlock {
		n := min(directBlock, m.Len-lo)
		srcs = srcs[:0]
		room := d.unpacked
		for r, part := range d.parts {
			if r == g.Rank() {
				for _, s := range d.shards {
					srcs = append(srcs, &s[m.Off+lo])
				}
				continue
			}
			for i := range g.owned(r) {
				unpackBF16(room[:n], part.data[2*(m.Len*i+lo):])
				srcs, room = append(srcs, &room[0]), room[directBlock:]
			}
		}
		dst := d.out[m.Off+lo:][:n]
		sumRounded(outputs{[]*float32{&dst[0]}, 1}, srcs, n, rounding{})
		packBF16(b[2*lo:], dst)
	}
	for r, part := range d.parts {
		if r != g.Rank() {
			g.mesh[r].recycle(part.data)
		}
	}
	d.ready(m, b)
}
