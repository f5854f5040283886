package network

import (
	"sync"
	"time"
)

// lagSpan is for how long a lag counts at least, and at most twice that: clocks drift.
const lagSpan = 30 * time.Second

// Lag is how much later messages arrive, by one clock, than they were sent by another: the least of the last minute.
// What they were under way for is in it, so the clocks differ by no more than that. The zero Lag has seen none; it may
// be used from any goroutine.
type Lag struct {
	mu            sync.Mutex // guards what follows
	since         time.Time  // of newer
	newer, before time.Duration
	seen, had     bool // whether newer and before are of anything
}

// Saw notes a message that was sent at a time, and came now.
func (l *Lag) Saw(sent, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.seen || now.Sub(l.since) >= lagSpan {
		l.before, l.had = l.newer, l.seen && now.Sub(l.since) < 2*lagSpan
		l.since, l.seen, l.newer = now, true, now.Round(0).Sub(sent)
		return
	}
	l.newer = min(l.newer, now.Round(0).Sub(sent)) // by the clock that people see, not by the monotonic one
}

// Least is the least lag; known is false where no message was seen.
func (l *Lag) Least() (least time.Duration, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.had {
		return min(l.newer, l.before), true
	}
	return l.newer, l.seen
}

// ClockOffset is how far our clock is before another one, where ours hears theirs after lag, and they hear ours after
// theirs; uncertain is how far off that may be. Clocks that may agree are taken to agree: those of one machine do.
func ClockOffset(lag, theirs time.Duration) (offset, uncertain time.Duration) {
	uncertain = max(0, (lag+theirs)/2)
	if lag >= 0 && theirs >= 0 {
		return 0, uncertain
	}
	return (lag - theirs) / 2, uncertain
}
