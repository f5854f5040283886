package coordinator

import (
	"context"
	"crypto/rand"
	"time"

	"byol/coordinator/run"
)

// partingLook is how long a coordinator that is asked to go, and does not lead, looks whether all are: then who leads
// has a checkpoint written, for which it needs the others.
const partingLook = time.Second

// part begins this coordinator's going while others can lead: where workers hold what no checkpoint has, one is
// written first. The others may have been asked to go at the same moment, and the workers, too.
func (t *term) part() error {
	c := t.c
	c.leaving(time.Now())
	view, _ := c.node.View()
	_, stored := view.Stored(view.Step)
	if view.Phase.Final() || len(view.Group()) == 0 || !view.Busy() && (stored || view.Step == 0) {
		return nil
	}
	ctx, cancel := context.WithTimeout(c.life, c.opts.FailureTimeout)
	defer cancel()
	err := c.node.Propose(ctx, run.RequestSave{Request: rand.Text()})
	if leads, _ := c.node.Leadership(); err != nil && !refused(err) && leads != t.number {
		return errDeposed
	}
	return nil // without one it goes all the same
}

// leaving takes note of when this coordinator was asked to go first.
func (c *Coordinator) leaving(now time.Time) {
	if c.asked.IsZero() {
		c.asked = now
	}
}

// parted reports whether a coordinator that was asked to go may: nobody waits for a checkpoint, or its grace is over.
func (c *Coordinator) parted(now time.Time, look time.Duration) bool {
	if c.asked.IsZero() {
		return false
	}
	view, _ := c.node.View()
	waited := now.Sub(c.asked)
	return waited >= c.opts.Grace || waited >= look && !view.Owed()
}
