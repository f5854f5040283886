package lead

import (
	"time"

	"byol/coordinator/run"
)

// Worker is what is known of a member, for those who watch.
type Worker struct {
	ID        string
	Rank      int
	Join      Join
	Beat      Beat // zero before the first heartbeat
	Seen      time.Time
	Gone      bool // its stream has ended
	Left      bool // it said goodbye
	LastError string
}

// View is what there is to know about a run beyond its state.
type View struct {
	State   run.State
	Workers []Worker // in rank order
	// Recent is the mean duration of the last steps, Median and P99 are over some more of them; 0 before the first.
	Steps               int // of which the durations are known
	Recent, Median, P99 time.Duration
	// Unreadable counts images, each once, and LastUnreadable names the last.
	Unreadable     int
	LastUnreadable string
	// Warnings are what somebody should look at although the run goes on.
	Warnings []string
	Faults   Faults
}

// View shows what the leader knows. It shares nothing with it but the State.
func (l *Lead) View() View {
	v := View{State: l.view, Steps: len(l.pace.durations), Recent: l.pace.recent(), Median: l.pace.quantile(0.5),
		P99: l.pace.quantile(0.99), Unreadable: len(l.unreadable), LastUnreadable: l.lastUnreadable, Warnings: l.warnings(),
		Faults: l.ledger.faults(l.now)}
	for _, m := range l.ranked() {
		w := Worker{ID: string(m.id), Rank: m.rank, Join: m.join, Seen: m.seen, Gone: m.gone, Left: m.left != nil}
		if m.beat != nil {
			w.Beat = *m.beat
		}
		for _, s := range l.signs {
			if s.Worker == w.ID {
				w.LastError = s.Failure.Error()
			}
		}
		v.Workers = append(v.Workers, w)
	}
	return v
}
