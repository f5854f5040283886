package coordinator

import (
	"time"

	"go.uber.org/zap"

	"byol/coordinator/lead"
	"byol/coordinator/run"
	"byol/coordinator/trace"
	"byol/internal/network"
	pb "byol/proto"
)

// clocks are what is known of a worker's clock beside ours. It belongs to the goroutine that receives from the worker.
type clocks struct {
	lag    network.Lag   // of its heartbeats
	theirs time.Duration // of what we send, as it says; 0: it has not said
}

// beat takes up a heartbeat that came now.
func (k *clocks) beat(h *pb.Heartbeat, now time.Time) {
	if sent := h.GetSentUnixNanos(); sent > 0 {
		k.lag.Saw(time.Unix(0, sent), now)
		k.theirs = time.Duration(h.GetAliveLagNanos())
	}
}

// offset is how far our clock is before the worker's.
func (k *clocks) offset() (offset, uncertain time.Duration) {
	ours, known := k.lag.Least()
	if !known || k.theirs == 0 {
		return 0, 0
	}
	return network.ClockOffset(ours, k.theirs)
}

// traced has what a worker did shown and written down, where it takes part. Nobody waits for it.
func (c *Coordinator) traced(a *attachment, host string, r *pb.StepResult) {
	t := r.GetTrace()
	rank, takesPart := c.intake.rank(a.id, r.GetGeneration())
	name := a.name.Load()
	if !takesPart || name == nil || !trace.Whole(t) {
		return
	}
	for i, n := range t.GetNames() {
		t.Names[i] = lead.Plain(n, run.MaxName)
	}
	record := &pb.TraceRecord{Worker: *name, Rank: int32(rank), Host: lead.Plain(host, run.MaxName),
		Generation: r.GetGeneration(), Step: r.GetStep(), Trace: t}
	offset, uncertain := a.clocks.offset()
	record.OffsetNanos, record.UncertainNanos = offset.Nanoseconds(), uncertain.Nanoseconds()
	c.opts.Board.Traced(record, time.Now())
	c.scribe.do(func() { c.keepTrace(record) })
}

// keepTrace writes a record down. It belongs to the scribe, as the file does. What cannot be written is told once.
func (c *Coordinator) keepTrace(r *pb.TraceRecord) {
	var err error
	if c.trace == nil {
		c.trace, err = trace.Open(c.runDir)
	}
	if err == nil {
		err = c.trace.Add(r)
	}
	if err != nil && !c.traceLost {
		c.opts.Log.Warn("the trace cannot be written", zap.Error(err))
	}
	c.traceLost = err != nil
}
