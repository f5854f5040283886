package faulty

import (
	"context"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"byol/internal/fault"
)

// parts is into how many parts a limit cuts the second.
const parts = 100

// line is one way from a host to another.
type line struct {
	way way

	mu      sync.Mutex // guards what follows
	changed chan struct{}
	cut     bool
	delay   time.Duration
	rate    int64     // bytes in a second, 0 for as many as come
	free    time.Time // when the line, at its rate, has sent what it took
	passed  int64     // bytes, of all connections
	ahead   []trigger // what happens when more have passed
	timers  []*time.Timer
	closed  bool
}

// trigger is a fault that waits until so many bytes have passed.
type trigger struct {
	at    int64
	fault fault.Fault
}

func newLine(w way) *line { return &line{way: w, changed: make(chan struct{})} }

// in reports whether the line is part of l.
func (l *line) in(whole fault.Line) bool { return whole.Covers(l.way.from, l.way.to) }

// begin lets f happen to the line; it began at a time, which may be past.
func (l *line) begin(f fault.Fault, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	left := f.For
	if f.After > 0 || f.Action == "flip" {
		l.ahead = append(l.ahead, trigger{l.passed + f.After, f})
		return
	}
	if f.For > 0 {
		if left = time.Until(at.Add(f.For)); left <= 0 {
			return
		}
	}
	l.takeEffectLocked(f, left)
}

// takeEffectLocked changes the line, for a time or, where that is 0, for good.
func (l *line) takeEffectLocked(f fault.Fault, left time.Duration) {
	switch f.Action {
	case "cut":
		l.cut = true
	case "delay":
		l.delay = f.By
	case "limit":
		l.rate, l.free = f.Rate, time.Time{}
	case "heal":
		l.cut, l.delay, l.rate, l.ahead = false, 0, 0, nil
	}
	if left > 0 && !l.closed {
		l.timers = append(l.timers, time.AfterFunc(left, func() { l.end(f.Action) }))
	}
	l.changeLocked()
}

// end ends what lasted for a time.
func (l *line) end(action string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch action {
	case "cut":
		l.cut = false
	case "delay":
		l.delay = 0
	case "limit":
		l.rate = 0
	}
	l.changeLocked()
}

func (l *line) changeLocked() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// close ends everything that waits for the line.
func (l *line) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, t := range l.timers {
		t.Stop()
	}
	l.changeLocked()
}

// cross waits as a greeting without bytes does: until the line is whole, and for its delay.
func (l *line) cross(ctx context.Context) error {
	_, err := l.admit(piece{came: time.Now()}, ctx.Done())
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// admit waits until bytes of p may arrive, damages them, and returns how many they are. It ends with net.ErrClosed when
// done is closed or the line is, and with ETIMEDOUT when a cut holds p up for longer than it has patience.
func (l *line) admit(p piece, done <-chan struct{}) (int, error) {
	for {
		n, hold, err := l.look(p)
		if err != nil || hold.changed == nil {
			return n, err
		}
		if err := hold.wait(done); err != nil {
			return 0, err
		}
	}
}

// look is one try of admit. The zero hold means that nothing holds p up.
func (l *line) look(p piece) (int, hold, error) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cutLocked()
	due := p.came.Add(l.delay)
	switch {
	case l.closed:
		return 0, hold{}, net.ErrClosed
	case l.cut && !p.patience.IsZero() && !now.Before(p.patience):
		return 0, hold{}, syscall.ETIMEDOUT
	case l.cut:
		return 0, hold{p.patience, l.changed}, nil
	case now.Before(due):
		return 0, hold{due, l.changed}, nil
	case len(p.bytes) > 0 && l.rate > 0 && now.Before(l.free):
		return 0, hold{l.free, l.changed}, nil
	}
	return l.takeLocked(p.bytes, now), hold{}, nil
}

// cutLocked begins the cuts that waited for the bytes that have passed.
func (l *line) cutLocked() {
	due := func(t trigger) bool { return t.fault.Action == "cut" && t.at <= l.passed }
	for _, t := range l.ahead {
		if due(t) {
			l.takeEffectLocked(t.fault, t.fault.For)
		}
	}
	l.ahead = slices.DeleteFunc(l.ahead, due)
}

// takeLocked lets as much of p pass as the line takes at once: up to the next cut, and no more than its rate allows.
func (l *line) takeLocked(p []byte, now time.Time) int {
	n := len(p)
	if l.rate > 0 && n > 0 {
		n = min(n, max(1, int(l.rate/parts)))
	}
	for _, t := range l.ahead {
		if t.fault.Action == "cut" {
			n = min(n, int(t.at-l.passed))
		}
	}
	if l.rate > 0 && n > 0 {
		l.free = now.Add(time.Duration(n) * time.Second / time.Duration(l.rate))
	}
	l.ahead = slices.DeleteFunc(l.ahead, func(t trigger) bool {
		at := t.at - l.passed
		if t.fault.Action != "flip" || at >= int64(n) {
			return false
		}
		p[at] ^= 1 << t.fault.Bit
		return true
	})
	l.passed += int64(n)
	return n
}

// hold is what holds something up: until a time (zero: for ever), or until the line changes.
type hold struct {
	until   time.Time
	changed <-chan struct{}
}

func (h hold) wait(done <-chan struct{}) error {
	var timer <-chan time.Time
	if !h.until.IsZero() {
		t := time.NewTimer(time.Until(h.until))
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-timer:
	case <-h.changed:
	case <-done:
		return net.ErrClosed
	}
	return nil
}
