package lead

import (
	"cmp"
	"slices"
	"time"

	"byol/coordinator/run"
)

// ledger counts what failures cost: the time from when a group broke to the next committed step, by cause.
type ledger struct {
	began    time.Time     // when the first group began to work, or was left by another leader
	worked   time.Duration // in which committed steps were computed
	broken   time.Time     // when the group broke that has not recovered yet, zero if all is well
	cause    string
	lost     map[string]time.Duration
	recovery time.Duration // of the last time
}

func newLedger() ledger { return ledger{lost: map[string]time.Duration{}} }

// breaks notes that a group is no more, because of cause; a second cause before it has recovered changes nothing.
func (b *ledger) breaks(now time.Time, cause string) {
	if b.broken.IsZero() {
		b.broken, b.cause = now, cause
	}
}

// inherits notes that another leader's group is taken over, who was heard last at that time; zero: it is not known.
func (b *ledger) inherits(now, heard time.Time) {
	if heard.IsZero() || heard.After(now) {
		heard = now
	}
	b.began = heard
	b.breaks(heard, "leader-changed")
}

// works notes a committed step that took so long, and returns what it has put an end to, if anything.
func (b *ledger) works(now time.Time, took time.Duration) Recovery {
	b.worked += took
	if b.began.IsZero() {
		b.began = now.Add(-took)
	}
	if b.broken.IsZero() {
		return Recovery{}
	}
	r := Recovery{Cause: b.cause, Began: b.broken}
	b.mends(now, took)
	return r
}

// rests notes that the group is whole again, and paused: what an operator waits for is not lost.
func (b *ledger) rests(now time.Time) {
	if !b.broken.IsZero() {
		b.mends(now, 0)
	}
}

// mends ends what broke last, of which a step took so long.
func (b *ledger) mends(now time.Time, took time.Duration) {
	b.recovery = now.Sub(b.broken)
	b.lost[b.cause] += max(0, b.recovery-took)
	b.broken = time.Time{}
}

// Recovery is why a group broke, and when, before the step that was committed; zero where none did.
type Recovery struct {
	Cause string
	Began time.Time
}

// Lost is time that was lost by a cause.
type Lost struct {
	Cause string
	Time  time.Duration
}

// Faults is what failures have cost in this term.
type Faults struct {
	// Goodput is the share of the time since the first step, or since another leader was heard last, in which committed
	// steps were computed.
	Goodput  float64
	Recovery time.Duration // from the last broken group to the next committed step, or to its pause
	Lost     []Lost        // by cause, the most first
}

func (b *ledger) faults(now time.Time) Faults {
	f := Faults{Recovery: b.recovery}
	for cause, t := range b.lost {
		f.Lost = append(f.Lost, Lost{cause, t})
	}
	slices.SortFunc(f.Lost, func(a, b Lost) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(a.Cause, b.Cause))
	})
	if all := now.Sub(b.began); !b.began.IsZero() && all > 0 {
		f.Goodput = min(1, b.worked.Seconds()/all.Seconds())
	}
	return f
}

// causeOf names why a command ends the group before, which another follows.
func causeOf(c run.Command, before, after []run.Member) string {
	switch c := c.(type) {
	case run.Commit:
		if c.Record.Skipped {
			return "step-skipped"
		}
	case run.Leave:
		if c.Quarantine {
			return "worker-quarantined"
		}
		return "worker-lost"
	case run.Depart:
		return "worker-left"
	case run.Form:
		return "worker-joined"
	case run.Limit:
		return "memory"
	case run.Rewind:
		return "state-lost"
	case run.Regroup:
		if c.Turn && c.Reason == "" {
			return "verification"
		}
		if c.Turn {
			return "step-repeated"
		}
		return "group-broken"
	}
	switch {
	case lacks(after, before):
		return "worker-left"
	case lacks(before, after):
		return "worker-joined"
	}
	return "shards-dealt"
}

// lacks reports whether somebody of these is missing in group.
func lacks(group, these []run.Member) bool {
	return slices.ContainsFunc(these, func(m run.Member) bool {
		return !slices.ContainsFunc(group, func(o run.Member) bool { return o.ID == m.ID })
	})
}
