package coordinator

import (
	"fmt"
	"sync"
	"time"
)

// linesKept bounds what waits to be written while a disk stands still.
const linesKept = 1 << 14

// scribe writes what nobody waits for, in order, on a goroutine of its own: a disk that stands still keeps nobody from
// hearing workers. What waits longer than linesKept others is lost, and counted.
type scribe struct {
	mu     sync.Mutex // guards what follows
	queue  []func()
	lost   int
	since  time.Time // when what is being written was begun; zero while nothing is
	closed bool

	wake  chan struct{} // has a token when there is something to see
	ended chan struct{}
}

// newScribe starts one, which finish ends.
func newScribe() *scribe {
	s := &scribe{wake: make(chan struct{}, 1), ended: make(chan struct{})}
	go s.write()
	return s
}

// do has f write something later.
func (s *scribe) do(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) >= linesKept {
		s.lost++
		return
	}
	s.queue = append(s.queue, f)
	s.nudgeLocked()
}

func (s *scribe) nudgeLocked() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// finish returns when all that was to be written is.
func (s *scribe) finish() {
	s.mu.Lock()
	s.closed = true
	s.nudgeLocked()
	s.mu.Unlock()
	<-s.ended
}

func (s *scribe) write() {
	defer close(s.ended)
	for {
		f, ok := s.next()
		if !ok {
			return
		}
		if f == nil {
			<-s.wake
			continue
		}
		f()
	}
}

// next is what to write now, nil when nothing is; ok is false when all is written and nothing will come.
func (s *scribe) next() (f func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.since = time.Time{}
	if len(s.queue) == 0 {
		return nil, !s.closed
	}
	f, s.queue = s.queue[0], s.queue[1:]
	s.since = time.Now()
	return f, true
}

// stands is how long what is being written has been under way, and how much was lost meanwhile.
func (s *scribe) stands(now time.Time) (d time.Duration, lost int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since.IsZero() {
		return 0, s.lost
	}
	return now.Sub(s.since), s.lost
}

// watchDisk tells of a disk under the run directory that stands still, from goroutines that do not write: what is
// reported, and the log that coordinators agree on. It returns when the run has ended.
func (c *Coordinator) watchDisk() {
	tick := time.NewTicker(c.period())
	defer tick.Stop()
	var d diskWatch
	for {
		select {
		case <-tick.C:
		case <-c.ended:
			return
		}
		now := time.Now()
		stands, lost := c.scribe.stands(now)
		if begun := c.proposing.Load(); begun > 0 {
			stands = max(stands, now.Sub(c.started.Add(time.Duration(begun))))
		}
		warning, event := d.look(stands, c.opts.FailureTimeout/2, c.opts.RunDir, lost)
		c.stalled.Store(&warning)
		if event != "" {
			c.tell("disk-stalled", "", event)
		}
	}
}

// diskWatch notices when a disk begins and ceases to stand still.
type diskWatch struct{ worst time.Duration }

// look takes how long a disk has stood still. warning is what to show now, event what to write down, "" for nothing.
func (d *diskWatch) look(stands, limit time.Duration, dir string, lost int) (warning, event string) {
	began := d.worst
	if stands <= limit {
		d.worst = 0
		if began > 0 {
			event = fmt.Sprintf("the disk under %s answers again after %.1f s", dir, began.Seconds())
			if lost > 0 {
				event += fmt.Sprintf("; %d lines of reports are lost", lost)
			}
		}
		return "", event
	}
	d.worst = stands
	warning = fmt.Sprintf("the disk under %s has not answered for %.1f s", dir, stands.Seconds())
	if began == 0 {
		event = warning
	}
	return warning, event
}
