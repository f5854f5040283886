package lead

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"byol/coordinator/run"
	"byol/internal/failure"
)

// When one worker dies, all of them complain: the ring breaks everywhere at once. Signs are gathered for a moment, so
// that the cause is removed and not a victim.

// Kind tells how a worker was seen to be lost, the most telling first.
type Kind int

// The kinds of signs.
const (
	Killed  Kind = iota // its process was ended by a signal
	Broke               // it said what broke, or its process ended without a word
	Silent              // it was not heard for the failure timeout
	Cut                 // its stream ended without a word
	Accuser             // it complains of another, or of its group
)

// Sign is one sign of a lost worker.
type Sign struct {
	Kind    Kind
	Worker  string
	Rank    int
	Accused int // the rank that an Accuser names, −1 for none
	At      time.Time
	Failure *failure.Failure
}

// Signs are all there are, and what is to be known to judge them.
type Signs struct {
	All []Sign
	// Timeout is how long a worker may be silent.
	Timeout time.Duration
}

// settle is for the other signs of the same cause.
const settle = 300 * time.Millisecond

// absence is how long a worker has whose stream ended: one that lives attaches again at once, and one that was removed
// too early comes back at a boundary.
func (s Signs) absence() time.Duration { return min(s.Timeout, max(400*time.Millisecond, s.Timeout/8)) }

// Ruling is what signs mean: a Culprit that is lost, and why; or a group that Broke without one; or neither, as long as
// Wait lasts.
type Ruling struct {
	Culprit string
	Why     *failure.Failure
	Broke   bool
	Wait    time.Duration
}

// Verdict judges signs. Without any it rules nothing.
func Verdict(s Signs, now time.Time) Ruling {
	if len(s.All) == 0 {
		return Ruling{}
	}
	since := s.All[0].At
	accused := map[int]int{}
	for _, sign := range s.All {
		if sign.At.Before(since) {
			since = sign.At
		}
		if sign.Kind == Accuser {
			accused[sign.Accused]++
		}
	}
	best := slices.MinFunc(s.All, func(a, b Sign) int {
		return cmp.Or(cmp.Compare(weight(a, accused), weight(b, accused)), a.At.Compare(b.At))
	})
	limit := time.Duration(0) // its end was seen, or it has been waited for
	absent := best.Kind == Cut && accused[best.Rank] == 0
	switch {
	case absent:
		limit = s.absence() // its line broke, which the ring has not noticed: it may attach again
	case best.Kind >= Cut:
		limit = settle
	}
	if wait := since.Add(limit).Sub(now); wait > 0 {
		return Ruling{Wait: wait}
	}
	if best.Kind == Accuser {
		return Ruling{Broke: true, Why: best.Failure}
	}
	f := *best.Failure
	if absent {
		f.Why += fmt.Sprintf("; it did not attach again within %v", s.absence())
	}
	return Ruling{Culprit: best.Worker, Why: &f}
}

// weight orders signs: of those that explain others, the accused first, then the most telling.
func weight(s Sign, accused map[int]int) int {
	w := 2 * int(s.Kind)
	if s.Kind != Accuser && accused[s.Rank] == 0 {
		w++
	}
	return w
}

func (l *Lead) sign(s Sign) {
	s.At = l.now
	l.signs = append(l.signs, s)
	l.judge()
}

func (l *Lead) has(k Kind, m *member) bool {
	return slices.ContainsFunc(l.signs, func(s Sign) bool { return s.Kind == k && s.Worker == string(m.id) })
}

// judge acts once the signs tell the cause. Complaints without another sign wait for members that this leader has not
// heard yet: a group in which one is missing breaks for all others.
func (l *Lead) judge() {
	switch r := Verdict(Signs{All: l.signs, Timeout: l.set.FailureTimeout}, l.now); {
	case r.Culprit != "":
		l.lose(r.Culprit, "worker-lost", r.Why)
	case r.Broke && !slices.ContainsFunc(l.group(), func(m *member) bool { return m.gone }):
		l.broke(r.Why)
	}
}

// heard takes a worker's last words.
func (e Leave) heard(l *Lead, m *member) {
	again := m.left != nil
	m.left = &e
	if l.view.Phase.Final() || again {
		return
	}
	l.sign(Sign{Kind: Broke, Worker: string(m.id), Rank: m.rank, Accused: -1, Failure: &failure.Failure{
		What: l.lostText(m, "left"), Why: Plain(e.Reason, run.MaxText),
		Try: cmp.Or(Plain(e.Hint, run.MaxText), l.resumeHint()), Code: exitCode(e.Code)}})
}

// exitCode keeps a worker's exit code where it says what is wrong with the run's input.
func exitCode(code int) int {
	if slices.Contains([]int{failure.Usage, failure.Data, failure.Checkpoint}, code) {
		return code
	}
	return failure.Training
}

func (e Exited) happen(l *Lead) {
	if l.view.Phase.Final() || l.drainedExit(e) {
		return
	}
	name := fmt.Sprintf("worker-%d", e.Index)
	i := slices.IndexFunc(l.view.Members, func(m run.Member) bool { return m.Wished == e.Index })
	var m *member
	if i >= 0 {
		m = l.members[l.view.Members[i].ID]
	}
	f := l.exitFailure(e, name, m)
	switch {
	case m == nil && !e.Restarting:
		l.leftOut(name, f)
	case m == nil:
		l.tell("worker-exited", name, "%s; it is started again in %v", f.Error(), e.After)
	default:
		if !e.Restarting {
			l.mending.out[name] = f
			if f.Code != failure.Temporary {
				l.tell("worker-left-out", name, "%s is not started again", name)
			}
		}
		if m.left == nil || e.Signalled { // otherwise it said why
			kind := Broke
			if e.Signalled {
				kind = Killed
			}
			l.sign(Sign{Kind: kind, Worker: string(m.id), Rank: m.rank, Accused: -1, Failure: f})
		}
	}
}

// exitFailure puts the end of a process in words; m is nil where it is no member.
func (l *Lead) exitFailure(e Exited, name string, m *member) *failure.Failure {
	who := name
	if e.Index < len(l.set.Processes) {
		who = run.Named(name, l.set.Processes[e.Index])
	}
	what, does := fmt.Sprintf("%s ended before it joined: %s", who, e.Status), ""
	if l.mending.known[name] {
		what = fmt.Sprintf("%s ended: %s", who, e.Status)
	}
	if m != nil {
		what = l.lostText(m, "ended ("+e.Status+")")
		does = "; last heard: " + doing(m)
	}
	f := &failure.Failure{What: what, Why: "its log ends with: " + Plain(e.Tail, run.MaxText/2), Try: l.resumeHint(),
		Code: exitCode(e.Code)}
	if e.Tail == "" {
		f.Why = "its log " + e.Log + " names no error" + does
	}
	for _, r := range l.refusals {
		if strings.HasPrefix(r, name+" ") {
			f.Why = r
		}
	}
	if e.Code == failure.Temporary && !e.Signalled {
		f.Code = failure.Temporary
	}
	if e.Signalled {
		if e.Tail == "" || strings.Contains(e.Status, "killed") { // its log is about what was before
			f.Why = "somebody or the system killed its process" + does
		}
		f.Try = "if the machine ran out of memory: fewer workers or a smaller batch; " + f.Try
	}
	return f
}

// lostText names a worker, what became of it, and where it was.
func (l *Lead) lostText(m *member, verb string) string {
	text := fmt.Sprintf("%s %s at step %d", m.named(), verb, l.view.Step)
	if b := m.beat; b != nil && b.Phase != "" {
		text += " in phase " + b.Phase
	}
	return text
}

// doing says what a worker last reported.
func doing(m *member) string {
	b := m.beat
	if b == nil {
		return "no heartbeat yet"
	}
	text := fmt.Sprintf("step %d, phase %s", b.Step, cmp.Or(b.Phase, "none"))
	if b.WaitingFor != "" {
		text += ", waiting for " + b.WaitingFor
	}
	return text
}
