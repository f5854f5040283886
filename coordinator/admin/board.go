// Package admin is the port on which a coordinator is looked at: a page that is live, metrics for Prometheus, and the
// answers to probes. A Board is what is shown. The coordinator fills it while it runs; metrics, the page's JSON and the
// answer to whether it is ready are functions of what is on it, and a Handler serves them over HTTP.
//
// Who may look and who may steer is decided by the Handler for each request: see Guard. What changes the run goes the
// way of an operator's call, with its rights and its line in the audit log.
//
// # Ownership
//
// A Board may be used from any goroutine. A nil Board takes everything and shows nothing. A Handler starts no
// goroutine; those of the HTTP server are of internal/network/web.
//
// # When it fails
//
// Nothing here can hold up or end a run: the coordinator waits for nobody who looks. A reader that is slower than the
// run misses what was between.
package admin

import (
	"math"
	"slices"
	"sync"
	"time"

	"byol/coordinator/report"
	"byol/coordinator/trace"
	pb "byol/proto"
)

// eventsShown is how many events a page that was just opened gets.
const eventsShown = 300

// Raft is what this coordinator knows of the log that coordinators share.
type Raft struct {
	LeaderID        string
	Leads           bool
	Term            uint64
	Commit, Applied uint64
	Peers           int
}

// Board is what is shown of a run.
type Board struct {
	// Build is this program's version.
	Build string

	mu       sync.Mutex // guards what follows
	status   *pb.Status
	raft     Raft
	leader   string // the last that there was, of term led
	led      uint64
	leaders  int64 // changes of the leader
	curves   *curves
	timeline timeline
	tally    *tally
	events   []report.Event // the newest
	step     report.Step    // the last that was committed
	gathered trace.Gathering
	chart    *trace.Chart // the newest; never changed
	metrics  *observed
	changed  chan struct{}
}

// NewBoard returns an empty one.
func NewBoard(build string) *Board {
	return &Board{Build: build, status: &pb.Status{}, curves: newCurves(), tally: newTally(), metrics: newObserved(),
		changed: make(chan struct{})}
}

// newsLocked wakes those who look.
func (b *Board) newsLocked() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// change changes the board, and tells those who look.
func (b *Board) change(f func()) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
	b.newsLocked()
}

// Show puts up a status; restoring says that workers make their states equal. The status is never changed.
func (b *Board) Show(s *pb.Status, restoring bool) {
	b.change(func() {
		b.status = s
		at := time.Now()
		if s.GetAsOf().IsValid() {
			at = s.GetAsOf().AsTime()
		}
		doing := stretch{Kind: stateWord(s.GetState()), Generation: s.GetGeneration(), Step: s.GetProgress().GetStep(),
			Why: s.GetStateReason()}
		if restoring {
			doing.Kind = "restoring"
		}
		b.timeline.saw(doing, at)
	})
}

// Agree puts up what is known of the log.
func (b *Board) Agree(r Raft) {
	b.change(func() {
		if r.LeaderID != "" && (r.LeaderID != b.leader || r.Term != b.led) {
			b.leader, b.led = r.LeaderID, r.Term
			b.leaders++
		}
		b.raft = r
	})
}

// Committed adds a step.
func (b *Board) Committed(s report.Step) {
	b.change(func() {
		b.curves.add(&report.Past{Step: s})
		b.step = s
		b.tally.looked(s.Std, s.Epoch)
		b.metrics.committed(&s, b.status.GetConfig().GetBatchSize())
	})
}

// Traced adds what a worker did in a step. Those who look are told of steps that all have told of, not of each.
func (b *Board) Traced(r *pb.TraceRecord, now time.Time) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.gathered.Add(r, now); c != nil {
		b.chart = c
		b.newsLocked()
	}
}

// Evaluated adds an evaluation.
func (b *Board) Evaluated(e report.Evaluation) {
	b.change(func() { b.curves.evaluated(e) })
}

// Rewound says that the steps after step are run again.
func (b *Board) Rewound(step int64) {
	b.change(func() { b.curves.rewind(step) })
}

// Saved says that a checkpoint took so long.
func (b *Board) Saved(took time.Duration) {
	b.change(func() { b.metrics.saved.Observe(took.Seconds()) })
}

// Proposed says that the log took so long to agree on an entry.
func (b *Board) Proposed(took time.Duration) {
	b.change(func() { b.metrics.proposed.Observe(took.Seconds()) })
}

// Happened adds an event.
func (b *Board) Happened(e report.Event) {
	b.change(func() {
		b.tally.happened(e)
		b.events = append(b.events, e)
		if len(b.events) >= 2*eventsShown {
			b.events = slices.Clone(b.events[len(b.events)-eventsShown:])
		}
	})
}

// Recall takes up what the files in dir tell of a run that goes on: its curves, and its last events. What cannot be
// read is not shown.
func (b *Board) Recall(dir string) {
	if b == nil {
		return
	}
	h, _ := report.Read(dir)
	b.change(func() {
		was := b.curves
		b.curves = &curves{width: 1, epoch: was.epoch + 1, version: was.version + 1}
		for i := range h.Steps {
			b.curves.add(&h.Steps[i])
		}
		for _, e := range h.Evaluations {
			b.curves.evaluated(e)
		}
		b.events = slices.Clone(h.Events[max(0, len(h.Events)-eventsShown):])
	})
}

// Status is the newest one. Nobody may change it.
func (b *Board) Status() *pb.Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status
}

// NotReady says why the coordinator should not be asked anything now, "" where it may.
func (b *Board) NotReady(now time.Time) string { return notReady(b.Status(), now) }

// cursor is what a reader has seen.
type cursor struct {
	status  *pb.Status
	epoch   int64
	version int64
	points  int // the last of them may have changed
	event   int64
	chart   *trace.Chart
}

func newCursor() cursor { return cursor{epoch: -1, version: -1, event: math.MinInt64} }

// news is what a reader has not seen: parts that are nil have nothing new.
type news struct {
	View     *view          `json:"view,omitempty"`
	Curves   *columns       `json:"curves,omitempty"`
	Events   []report.Event `json:"events,omitempty"`
	Timeline []stretch      `json:"timeline,omitempty"`
	Chart    *trace.Chart   `json:"chart,omitempty"`
}

// since is what has come since c, which it moves on, and a channel that closes when there is more.
func (b *Board) since(c *cursor) (news, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var n news
	if b.status != c.status {
		c.status = b.status
		v := viewOf(b.status, b.raft, b.tally)
		v.Build = b.Build
		n.View, n.Timeline = &v, slices.Clone(b.timeline.stretches)
	}
	if b.chart != c.chart {
		c.chart, n.Chart = b.chart, b.chart
	}
	from := max(0, c.points-1)
	if c.epoch != b.curves.epoch {
		from = 0
	}
	if c.version != b.curves.version {
		all := b.curves.since(from)
		n.Curves = &all
		c.epoch, c.version, c.points = b.curves.epoch, b.curves.version, len(b.curves.points)
	}
	for _, e := range b.events {
		if e.ID > c.event {
			n.Events = append(n.Events, e)
		}
	}
	if len(b.events) > 0 {
		c.event = b.events[len(b.events)-1].ID
	}
	return n, b.changed
}
