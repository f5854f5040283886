package allreduce

import (
	"fmt"
	"sync"
	"time"
)

// Waiting says whom an operation of this rank waits for.
type Waiting struct {
	Rank  int
	Op    string
	Key   Key
	Since time.Time
}

// Describe puts w in words, as of now: "rank 3, all-reduce bucket 2, 1.4s".
func (w Waiting) Describe(now time.Time) string {
	took := now.Sub(w.Since).Round(100 * time.Millisecond)
	return fmt.Sprintf("rank %d, %s bucket %d, %v", w.Rank, w.Op, w.Key.Bucket, took)
}

// The places where a call can wait at the same time.
const (
	slotReceive = iota // AllReduce and Share, for what they receive
	slotSend           // AllReduce and Share, for the next rank to take what they send
	slotTotal
	waitSlots
)

// waitSlot is what one goroutine waits for now.
type waitSlot struct {
	mu     sync.Mutex // guards what follows
	active bool
	now    Waiting
	ended  time.Duration // how long the last wait took
}

func (s *waitSlot) begin(op *operation, rank int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active = true
	s.now = Waiting{Rank: rank, Op: op.kind.String(), Key: op.key, Since: time.Now()}
}

// waitsFor reports whether rank is waited for.
func (s *waitSlot) waitsFor(rank int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.active && s.now.Rank == rank
}

func (s *waitSlot) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.active {
		s.active, s.ended = false, time.Since(s.now.Since)
	}
}

// last is how long the wait that goes on, or else the one before, has taken.
func (s *waitSlot) last() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.active {
		return time.Since(s.now.Since)
	}
	return s.ended
}

// waitsFor returns whom this rank waits for, the longest wait if there are several; ok is false when it waits for
// nobody.
func (g *Group) waitsFor() (w Waiting, ok bool) {
	for i := range g.waits {
		s := &g.waits[i]
		s.mu.Lock()
		if s.active && (!ok || s.now.Since.Before(w.Since)) {
			w, ok = s.now, true
		}
		s.mu.Unlock()
	}
	return w, ok
}

// waitReport is how long a wait takes before OnWait hears of it, and how often it does.
const waitReport = 500 * time.Millisecond

// reportWaits calls OnWait until the group is done.
func (g *Group) reportWaits() {
	tick := time.NewTicker(waitReport)
	defer tick.Stop()
	for {
		select {
		case <-g.done:
			return
		case now := <-tick.C:
			if w, ok := g.waitsFor(); ok && now.Sub(w.Since) >= waitReport {
				g.cfg.OnWait(w)
			}
		}
	}
}
