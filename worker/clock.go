package worker

import (
	"time"

	pb "byol/proto"
)

// clock adds up where the time of a step goes. It is used by one goroutine.
type clock struct {
	now   func() time.Time
	show  func(phase string) // told each change
	phase string
	since time.Time
	order []string
	spent map[string]time.Duration
	whole map[string]time.Duration // of phases that other ones hide in part
}

func newClock(now func() time.Time, show func(string)) clock {
	return clock{now: now, show: show, spent: map[string]time.Duration{}, whole: map[string]time.Duration{}}
}

// begin enters a phase and leaves the one before. "" and "idle" count nowhere.
func (c *clock) begin(phase string) {
	now := c.now()
	if c.phase != "" && c.phase != "idle" {
		if _, seen := c.spent[c.phase]; !seen {
			c.order = append(c.order, c.phase)
		}
		c.spent[c.phase] += now.Sub(c.since)
	}
	c.phase, c.since = phase, now
	c.show(phase)
}

// took says that a phase lasted d in all, of which begin counts what nothing else was done in.
func (c *clock) took(phase string, d time.Duration) { c.whole[phase] += d }

// report returns what was spent since the last report, and forgets it.
func (c *clock) report() []*pb.PhaseSeconds {
	c.begin(c.phase)
	out := make([]*pb.PhaseSeconds, 0, len(c.order))
	for _, phase := range c.order {
		out = append(out, &pb.PhaseSeconds{Phase: phase, Seconds: c.spent[phase].Seconds(),
			LatencySeconds: c.whole[phase].Seconds()})
	}
	c.order = c.order[:0]
	clear(c.spent)
	clear(c.whole)
	return out
}
