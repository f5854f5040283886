package train

import (
	"time"

	pb "byol/proto"
)

// stopwatch adds up where the time of a step goes. It is used by one goroutine.
type stopwatch struct {
	now   func() time.Time
	show  func(phase string) // told each change
	phase string
	since time.Time
	order []string
	spent map[string]time.Duration
	whole map[string]time.Duration // of phases that other ones hide in part
}

func newStopwatch(now func() time.Time, show func(string)) stopwatch {
	return stopwatch{now: now, show: show, spent: map[string]time.Duration{}, whole: map[string]time.Duration{}}
}

// begin enters a phase and leaves the one before. "" and "idle" count nowhere.
func (s *stopwatch) begin(phase string) {
	now := s.now()
	if s.phase != "" && s.phase != "idle" {
		if _, seen := s.spent[s.phase]; !seen {
			s.order = append(s.order, s.phase)
		}
		s.spent[s.phase] += now.Sub(s.since)
	}
	s.phase, s.since = phase, now
	s.show(phase)
}

// took says that a phase lasted d in all, of which begin counts what nothing else was done in.
func (s *stopwatch) took(phase string, d time.Duration) { s.whole[phase] += d }

// report returns what was spent since the last report, and forgets it.
func (s *stopwatch) report() []*pb.PhaseSeconds {
	s.begin(s.phase)
	out := make([]*pb.PhaseSeconds, 0, len(s.order))
	for _, phase := range s.order {
		out = append(out, &pb.PhaseSeconds{Phase: phase, Seconds: s.spent[phase].Seconds(),
			LatencySeconds: s.whole[phase].Seconds()})
	}
	s.order = s.order[:0]
	clear(s.spent)
	clear(s.whole)
	return out
}
