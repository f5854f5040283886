package allreduce

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"byol/allreduce/link"
	"byol/internal/vector"
)

// wire is the frames between two neighbours in a simulation: what was sent and not yet received.
type wire struct{ frames []simFrame }

type simFrame struct {
	move move
	data []int
}

// simRank is one rank of a simulated ring.
type simRank struct {
	order      schedule
	buf        []int
	sent, recv int
}

// simulate runs the schedules of all ranks in one loop, with room frames on each wire, until no rank can move. It
// returns an error when something is left to do then, or when a frame is not the one the receiver expects.
func simulate(ranks []simRank, room int) error {
	size := len(ranks)
	wires := make([]wire, size) // wires[r] goes from r to r+1
	for moved := true; moved; {
		moved = false
		for r := range ranks {
			s, out, in := &ranks[r], &wires[r], &wires[(r+size-1)%size]
			if s.sent < len(s.order.Send) && s.order.Send[s.sent].After <= s.recv && len(out.frames) < room {
				m := s.order.Send[s.sent]
				data := append([]int(nil), s.buf[m.Off:m.Off+m.Len]...)
				out.frames = append(out.frames, simFrame{m, data})
				s.sent, moved = s.sent+1, true
			}
			if len(in.frames) > 0 {
				f := in.frames[0]
				m := s.order.Recv[s.recv]
				if f.move.Kind != m.Kind || f.move.Chunk != m.Chunk || f.move.Off != m.Off || f.move.Len != m.Len {
					return fmt.Errorf("rank %d expects %+v, got %+v", r, m, f.move)
				}
				copy(s.buf[m.Off:], f.data)
				in.frames = in.frames[1:]
				s.recv, moved = s.recv+1, true
			}
		}
	}
	for r, s := range ranks {
		if s.sent < len(s.order.Send) || s.recv < len(s.order.Recv) {
			return fmt.Errorf("rank %d is stuck: sent %d of %d, received %d of %d",
				r, s.sent, len(s.order.Send), s.recv, len(s.order.Recv))
		}
	}
	return nil
}

func TestPassCompletesAllRanks(t *testing.T) {
	for size := 1; size <= 9; size++ {
		for _, n := range []int{0, 1, 5, 64, 101} {
			for _, chunk := range []int{1, 8, 300} {
				spans := make([]vector.Span, size)
				for r := range spans {
					lo, hi := n*r/size, n*(r+1)/size
					spans[(r+1)%size] = vector.Span{Off: lo, Len: hi - lo} // not in rank order
				}
				ranks := make([]simRank, size)
				for r := range ranks {
					ranks[r] = simRank{order: spreadOf(r, spans, chunk), buf: make([]int, n)}
					for i := spans[r].Off; i < spans[r].Off+spans[r].Len; i++ {
						ranks[r].buf[i] = i + 1
					}
				}
				if err := simulate(ranks, 1); err != nil {
					t.Errorf("size %d, n %d, chunk %d: %v", size, n, chunk, err)
				}
				for r := range ranks {
					for i, x := range ranks[r].buf {
						if x != i+1 {
							t.Fatalf("size %d, n %d, chunk %d: rank %d element %d: got %d, want %d", size, n, chunk, r, i, x, i+1)
						}
					}
				}
			}
		}
	}
}

// dealer is one rank of a simulated Direct: a place in its schedule, and what every other rank has sent to it.
type dealer struct {
	order  []deal
	at     int
	queues []map[link.Kind][]move // by sender
	have   []int                  // by element: how many parts came, and 100 for the total
}

func (d dealer) busy() bool { return d.at < len(d.order) }

// step does the next deal of rank if it can, and returns false otherwise. It fails where a frame is not the one that is
// expected, or a queue is longer than a peer's.
func (d *dealer) step(rank int, all []dealer) (bool, error) {
	m := d.order[d.at]
	elements := d.have[m.Off : m.Off+m.Len]
	if m.Send {
		if m.Kind == link.Total {
			for i := range elements {
				if elements[i]%100 != len(all)-1 {
					return false, fmt.Errorf("rank %d sends a total of %d parts", rank, elements[i])
				}
				elements[i] = 100 + len(all) - 1
			}
		}
		q := all[m.Peer].queues[rank]
		if q[m.Kind] = append(q[m.Kind], m.move); len(q[m.Kind]) > ahead {
			return false, fmt.Errorf("rank %d is %d frames ahead of rank %d", rank, len(q[m.Kind]), m.Peer)
		}
		d.at++
		return true, nil
	}
	q := d.queues[m.Peer]
	if len(q[m.Kind]) == 0 {
		return false, nil
	}
	if got := q[m.Kind][0]; got != m.move {
		return false, fmt.Errorf("rank %d expects %+v of rank %d, got %+v", rank, m.move, m.Peer, got)
	}
	q[m.Kind] = q[m.Kind][1:]
	for i := range elements {
		elements[i]++
		if m.Kind == link.Total {
			elements[i] += 99
		}
	}
	d.at++
	return true, nil
}

// TestDirectBringsEveryPartToOneRank runs the schedules of all ranks, three sums in a row, in random order, and with
// one rank far slower than the others.
func TestDirectBringsEveryPartToOneRank(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 2))
	for size := 1; size <= 9; size++ {
		for _, n := range []int{0, 1, 2, 5, 16, 17, 101} {
			for _, chunk := range []int{1, 4, 7, 200} {
				for slow := range 2 * size { // half of the time nobody
					if err := simulateDirect(rng, []int{size, n, chunk, slow}); err != nil {
						t.Fatalf("size %d, n %d, chunk %d, slow %d: %v", size, n, chunk, slow, err)
					}
				}
			}
		}
	}
}

func simulateDirect(rng *rand.Rand, c []int) error {
	size, n, chunk, slow := c[0], c[1], c[2], c[3]
	all := make([]dealer, size)
	for r := range all {
		d := &all[r]
		order := dealsOf(r, size, n, chunk)
		for k := range 3 {
			for _, m := range order {
				m.Off += k * n
				m.Chunk += uint32(k * n)
				d.order = append(d.order, m)
				if m.Len > chunk || m.Len < 1 {
					return fmt.Errorf("rank %d has a chunk of %d elements", r, m.Len)
				}
			}
		}
		d.have = make([]int, 3*n)
		for range size {
			d.queues = append(d.queues, map[link.Kind][]move{})
		}
	}
	for idle := 0; idle < 3000*size && slices.ContainsFunc(all, dealer.busy); idle++ {
		r := rng.IntN(size)
		if r == slow && rng.IntN(50) > 0 {
			continue
		}
		for burst := 1 + rng.IntN(20); burst > 0 && all[r].at < len(all[r].order); burst-- {
			moved, err := all[r].step(r, all)
			if err != nil {
				return err
			}
			if !moved {
				break
			}
			idle = 0
		}
	}
	for r, d := range all {
		if d.at < len(d.order) {
			return fmt.Errorf("rank %d is stuck at %+v", r, d.order[d.at])
		}
		for i, x := range d.have {
			if x < 100 && size > 1 {
				return fmt.Errorf("rank %d has no total of element %d", r, i)
			}
		}
	}
	return nil
}

func TestDirectLoad(t *testing.T) {
	const n, chunk = 100, 10
	for size := 2; size <= 9; size++ {
		total := 0
		for r := range size {
			for _, m := range dealsOf(r, size, n, chunk) {
				if m.Send {
					total += m.Len
				}
			}
		}
		if want := 2 * (size - 1) * n; total != want {
			t.Errorf("size %d: %d elements on all links, want %d", size, total, want)
		}
	}
}

// TestTurnsLeadChunksThroughAWindow runs the turns of all ranks in one loop, each as far as it can go.
func TestTurnsLeadChunksThroughAWindow(t *testing.T) {
	for ranks := 1; ranks <= 9; ranks++ {
		for _, chunks := range []int{0, 1, 2, 15, 16, 17, 100} {
			for _, cells := range []int{2, 3, 4, 7, 16, 32} {
				turns := turnsOf(chunks, cells)
				at, written, read := make([]int, ranks), make([]int, chunks), make([]int, chunks)
				for moved := true; moved; {
					moved = false
					for r := range ranks {
						for at[r] < len(turns) {
							k := turns[at[r]].Chunk
							if turns[at[r]].Read {
								if written[k] < ranks {
									break
								}
								read[k]++
							} else {
								if written[k] != r || k >= cells && read[k-cells] < ranks {
									break
								}
								written[k]++
							}
							at[r], moved = at[r]+1, true
						}
					}
				}
				for k := range chunks {
					if written[k] != ranks || read[k] != ranks {
						t.Fatalf("%d ranks, %d chunks, %d cells: chunk %d was written %d and read %d times",
							ranks, chunks, cells, k, written[k], read[k])
					}
				}
			}
		}
	}
}
