package allreduce

import (
	"fmt"
	"sync/atomic"
	"time"

	"byol/allreduce/link"
	"byol/internal/network"
)

// Whether a peer lives, and whether what it sends gets here, is asked apart from what operations wait for: a peer may
// compute for as long as it likes. Each rank sends each other one a pulse over the mesh, several to a timeout, and who
// hears nothing of a peer for the whole of it breaks the group. A line that is cut in one way or both, a machine that
// is off, a process that is stopped: all are silent. Frames of operations count as well.
//
// Bulk goes over connections of its own, of which one may die while the mesh lives: so the pulse says how many frames
// its sender has begun there. Who waits for one that was begun, and gets no byte of it for the timeout, knows.

// ringCount is what went over the bulk connections.
type ringCount struct {
	begun   atomic.Uint64 // frames that this rank began to send
	taken   atomic.Uint64 // frames that it has received
	heard   atomic.Uint64 // changes with what it receives
	reading atomic.Bool   // it waits for bytes
}

// pulse tells p that this rank lives, until the group is done. It has a goroutine for each peer, because a send waits
// where a line is full.
func (g *Group) pulse(p *peer) {
	tick := time.NewTicker(network.TimeoutsOf(g.cfg.Timeout).Heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-g.done:
			return
		case <-p.left:
			return
		case <-tick.C:
		}
		h := link.Header{Kind: link.Pulse, Generation: uint32(g.cfg.Generation), Step: g.ring.begun.Load(),
			Sum: link.Checksum(nil)}
		if p.link.Send(h, nil) != nil {
			return // who receives from p learns why
		}
	}
}

// life is how long something has not changed.
type life struct {
	count uint64
	since time.Time
}

// silent is how long count has stood still, at now.
func (l *life) silent(count uint64, now time.Time) time.Duration {
	if count != l.count || l.since.IsZero() {
		l.count, l.since = count, now
	}
	return now.Sub(l.since)
}

// watch breaks the group when a peer, or what it sends on the ring, is silent for too long.
func (g *Group) watch() {
	limits := network.TimeoutsOf(g.cfg.Timeout)
	tick := time.NewTicker(limits.Heartbeat / 2)
	defer tick.Stop()
	peers, ring, last := make([]life, g.Size()), life{}, time.Now()
	for {
		select {
		case <-g.done:
			return
		case <-tick.C:
		}
		now := time.Now()
		if now.Sub(last) > limits.Stall { // it was this process that stood still
			clear(peers)
			ring = life{}
		}
		last = now
		if b := g.silence(peers, now); b.err != nil {
			g.fail(b)
			return
		}
		if b := g.ringSilence(&ring, now); b.err != nil {
			g.fail(b)
			return
		}
	}
}

// silence blames a peer of which nothing has come for the timeout. Where nothing comes from any of several peers, it is
// this rank that is cut off.
func (g *Group) silence(lives []life, now time.Time) (b blame) {
	limits := network.TimeoutsOf(g.cfg.Timeout)
	longest, quiet, others := time.Duration(0), 0, 0
	for r, p := range g.mesh {
		if p == nil || p.hasLeft() {
			continue
		}
		others++
		d := lives[r].silent(p.heard.Load(), now)
		if d > 2*limits.Heartbeat {
			quiet++
		}
		if d >= limits.Line && d > longest {
			longest = d
			b = g.observed(r, fmt.Errorf("%w: nothing came from it for %v", ErrTimeout, d.Round(time.Millisecond)))
		}
	}
	if b.err != nil && quiet == others && others > 1 {
		return g.observed(g.Rank(), fmt.Errorf("%w: nothing came from anybody for %v: this host is cut off", ErrTimeout,
			longest.Round(time.Millisecond)))
	}
	return b
}

// ringSilence blames the rank before this one when what it sends on the ring does not arrive.
func (g *Group) ringSilence(l *life, now time.Time) (b blame) {
	from := (g.Rank() + g.Size() - 1) % g.Size()
	p := g.mesh[from]
	if !g.ring.reading.Load() || int64(p.begun.Load()-g.ring.taken.Load()) <= 0 {
		*l = life{}
		return b
	}
	if l.since.IsZero() { // the pulse that says so may be as old as the one after it is due
		*l = life{count: g.ring.heard.Load(), since: now.Add(-network.TimeoutsOf(g.cfg.Timeout).Heartbeat)}
	}
	if d := l.silent(g.ring.heard.Load(), now); d >= g.cfg.Timeout {
		return g.observed(from, fmt.Errorf("%w: a long message that it sends has not come for %v, while short ones do: "+
			"large packets are lost on the way (look for a smaller MTU), or that connection is cut", ErrTimeout,
			d.Round(time.Millisecond)))
	}
	return b
}
