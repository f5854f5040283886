package coordinator

import (
	"slices"
	"time"

	"go.uber.org/zap"

	pb "byol/proto"
)

// warnEvery is how often the log is told that something is wrong with the protection.
const warnEvery = time.Minute

// protect adds to a status how this coordinator is protected.
func (c *Coordinator) protect(s *pb.Status) {
	if c.opts.Protection == nil {
		return
	}
	s.Protection = c.opts.Protection()
	if w := s.Protection.Warning; w != "" {
		s.Warnings = append(slices.Clone(s.Warnings), w)
	}
}

// watchProtection tells the log what is wrong with it, at once and again and again.
func (c *Coordinator) watchProtection() {
	if c.opts.Protection == nil {
		return
	}
	tick := time.NewTicker(warnEvery)
	defer tick.Stop()
	for {
		if p := c.opts.Protection(); p.Warning != "" {
			c.scribe.do(func() { c.opts.Log.Warn(p.Warning, zap.String("protection", p.By)) })
		}
		select {
		case <-tick.C:
		case <-c.ended:
			return
		}
	}
}
