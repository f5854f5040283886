package admin

import (
	"slices"
	"time"
)

// stretchesKept bounds a timeline: of more the oldest go.
const stretchesKept = 400

// stretch is a time in which a run did one thing in one generation.
type stretch struct {
	Kind       string `json:"kind"` // as State on the page: running, restoring, waiting …
	Generation int64  `json:"generation"`
	Begin      int64  `json:"begin"` // Unix milliseconds
	End        int64  `json:"end"`   // of what was seen of it
	Step       int64  `json:"step"`  // at its end
	Why        string `json:"why,omitempty"`
}

// timeline is what a run did since this coordinator looks.
type timeline struct {
	stretches []stretch
}

// saw notes what the run does at a time.
func (t *timeline) saw(s stretch, now time.Time) {
	s.Begin, s.End = now.UnixMilli(), now.UnixMilli()
	if n := len(t.stretches); n > 0 {
		last := &t.stretches[n-1]
		if last.End = max(last.End, s.End); last.Kind == s.Kind && last.Generation == s.Generation {
			last.Step = s.Step
			if s.Why != "" {
				last.Why = s.Why
			}
			return
		}
	}
	if t.stretches = append(t.stretches, s); len(t.stretches) > stretchesKept {
		t.stretches = slices.Delete(t.stretches, 0, len(t.stretches)-stretchesKept)
	}
}
