package network

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestLag is the least of a minute at most, and of half a minute at least.
func TestLag(t *testing.T) {
	var l Lag
	if _, known := l.Least(); known {
		t.Error("of nothing something is known")
	}
	now := time.Unix(1000, 0)
	for _, c := range []struct{ later, lag, want time.Duration }{
		{0, 9, 9}, {time.Second, 5, 5}, {time.Second, 7, 5},
		{29 * time.Second, 8, 5}, // of the half minute before
		{29 * time.Second, 6, 5},
		{2 * time.Second, 7, 6}, // 5 is over
		{3 * time.Minute, 100, 100},
	} {
		now = now.Add(c.later)
		l.Saw(now.Add(-c.lag), now)
		if got, known := l.Least(); !known || got != c.want {
			t.Errorf("after a lag of %d: %d, want %d", c.lag, got, c.want)
		}
	}
}

// TestClockOffset: whatever messages took either way, the offset is within what it says of the truth, and clocks that
// agree are not moved.
func TestClockOffset(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		truth := time.Duration(rapid.Int64Range(-1e12, 1e12).Draw(t, "truth"))
		there := time.Duration(rapid.Int64Range(1, 1e9).Draw(t, "there"))
		back := time.Duration(rapid.Int64Range(1, 1e9).Draw(t, "back"))
		got, uncertain := ClockOffset(truth+there, back-truth)
		if d := (got - truth).Abs(); d > 2*uncertain || (got != 0 && d > uncertain+1) {
			t.Fatalf("truth %v, %v there and %v back: %v ± %v", truth, there, back, got, uncertain)
		}
		if got, _ := ClockOffset(there, back); got != 0 {
			t.Fatalf("clocks that agree are moved by %v", got)
		}
	})
}
