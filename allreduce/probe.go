package allreduce

import (
	"encoding/binary"
	"time"

	"byol/allreduce/link"
)

// prober finds the rank that holds up a ring. When one rank stalls, all the others come to wait, each for its
// neighbour, and all lose patience at the same moment; the one to blame waits for nobody, or does not answer.
type prober struct {
	gate   // held by the one search at a time; guards number
	number uint32
}

// answerLimit is how long a live rank may take to answer: its listening goroutine does so whatever else it does.
const answerLimit = 2 * link.Grace

// culprit follows who waits for whom from rank on, and returns the rank at the end.
func (g *Group) culprit(rank int) int {
	g.probes.lock()
	defer g.probes.unlock()
	asked := map[int]bool{g.Rank(): true}
	for at := rank; ; {
		asked[at] = true
		next, ok := g.ask(g.mesh[at])
		switch {
		case !ok || next == Nobody:
			return at
		case next < 0 || next >= g.Size() || asked[next]: // in a circle: our own neighbour is as good as any
			return rank
		}
		at = next
	}
}

// ask returns the rank p waits for, or Nobody. It is not ok when p does not answer in time.
func (g *Group) ask(p *peer) (rank int, ok bool) {
	g.probes.number++
	h := link.Header{Kind: link.Probe, Generation: uint32(g.cfg.Generation), Chunk: g.probes.number}
	if p.link.Send(h, nil) != nil {
		return Nobody, false
	}
	limit := time.NewTimer(answerLimit)
	defer limit.Stop()
	for {
		select {
		case m := <-p.queues[link.Answer]:
			if m.head.Chunk == g.probes.number && len(m.data) == 4 {
				return int(int32(binary.LittleEndian.Uint32(m.data))), true
			}
		case <-g.done:
			return Nobody, false
		case <-limit.C:
			return Nobody, false
		}
	}
}

// answer tells p whom this rank waits for.
func (g *Group) answer(p *peer, probe link.Header) {
	rank := Nobody
	if w, waiting := g.waitsFor(); waiting {
		rank = w.Rank
	}
	payload := binary.LittleEndian.AppendUint32(nil, uint32(rank))
	h := link.Header{
		Kind: link.Answer, Generation: probe.Generation, Chunk: probe.Chunk,
		Length: uint32(len(payload)), Sum: link.Checksum(payload),
	}
	_ = p.link.Send(h, payload) // a failure shows where it matters
}
