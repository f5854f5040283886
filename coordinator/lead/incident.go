package lead

import (
	"fmt"
	"time"

	"byol/coordinator/run"
)

// Incident is a step that was dropped: what happened, and what every member last did. It is for people who look for
// the cause afterwards.
type Incident struct {
	Generation, Step int64
	Kind             string // worker-lost, group-broken, …
	Culprit          string // "" where nobody is to blame
	Why              string
	Workers          []Witness
}

// Witness is what a member was last known to do.
type Witness struct {
	ID         string
	Rank       int
	Host       string
	PID        int
	Phase      string
	WaitingFor string        `json:",omitempty"`
	Quiet      time.Duration // how long it was not heard
	History    []string      // its last phases, the newest last
	Complaint  string        `json:",omitempty"`
	Waited     time.Duration `json:",omitempty"` // for whom it complains of
	Stacks     string        `json:"-"`          // of its goroutines, where it sent them
}

// Ask has a worker send its stacks.
type Ask struct{ Stream Stream }

// Rewound says that committed steps from Step on are run again.
type Rewound struct{ Step int64 }

func (Incident) action() {}
func (Ask) action()      {}
func (Rewound) action()  {}

const historyKept = 16

// notes adds what a heartbeat tells to a member's history.
func (m *member) notes(now time.Time, b *Beat) {
	text := fmt.Sprintf("step %d %s", b.Step, b.Phase)
	if b.WaitingFor != "" {
		text += ", waiting for " + b.WaitingFor
	}
	if text == m.lastNote {
		return
	}
	m.lastNote = text
	m.history = append(m.history, now.UTC().Format("15:04:05.000 ")+text)
	if n := len(m.history); n > historyKept {
		m.history = m.history[n-historyKept:]
	}
}

// incident tells of a group that breaks.
func (l *Lead) incident(kind, culprit, why string) {
	if l.collecting.what == nothing || l.view.Phase.Final() {
		return
	}
	e := Incident{Generation: l.view.Generation, Step: l.view.Step, Kind: kind, Culprit: culprit, Why: why}
	for _, m := range l.group() {
		w := Witness{ID: string(m.id), Rank: m.rank, Host: m.join.Host, PID: m.join.PID, Quiet: l.now.Sub(m.seen),
			History: m.history, Stacks: m.stacks}
		if m.beat != nil {
			w.Phase, w.WaitingFor = m.beat.Phase, m.beat.WaitingFor
		}
		if c := m.complaint; c != nil && c.Generation == l.view.Generation {
			w.Phase, w.Complaint, w.Waited = Plain(c.Phase, run.MaxName), Plain(c.Reason, run.MaxText), c.Waiting
		}
		e.Workers = append(e.Workers, w)
		m.stacks, m.complaint = "", nil
	}
	l.do(e)
}

// heard keeps the stacks for the incident that they may belong to.
func (s Stacks) heard(_ *Lead, m *member) { m.stacks = s.Text }
