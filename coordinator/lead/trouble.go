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
// that the run's failure names the cause and not a victim.

// Kind tells how a worker was seen to be lost, the most telling first.
type Kind int

// The kinds of signs.
const (
	Killed  Kind = iota // its process was ended by a signal
	Broke               // it said what broke, or its process ended without a word
	Silent              // it was not heard for the failure timeout
	Cut                 // its stream ended without a word
	Asked               // it was asked to leave
	Accuser             // it left because of another
)

// Sign is one sign of a lost worker.
type Sign struct {
	Kind    Kind
	Worker  string
	Rank    int
	Accused int // the rank that an Accuser names
	At      time.Time
	Failure *failure.Failure
}

// Signs are all there are, and what is to be known to judge them.
type Signs struct {
	All []Sign
	// Local says that the end of each process will be told.
	Local bool
	// Timeout is how long a worker may be silent.
	Timeout time.Duration
	// Workers are the members by rank.
	Workers []string
}

const (
	settle     = 300 * time.Millisecond // for the other signs of the same cause
	exitNotice = 2 * time.Second        // for the exit status of a process whose stream ended
	patience   = time.Second            // beyond the timeout, for an accused worker to be found silent
)

// Verdict names the worker that is to blame and why, or how long to wait for more signs. Without signs it is neither.
func Verdict(s Signs, now time.Time) (culprit string, why *failure.Failure, wait time.Duration) {
	if len(s.All) == 0 {
		return "", nil, 0
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
	limit := settle
	absent := best.Kind == Cut && accused[best.Rank] == 0
	switch {
	case absent:
		limit = s.Timeout // its line broke, which the ring has not noticed: it may attach again
	case best.Kind == Cut && s.Local:
		limit = exitNotice
	case best.Kind == Accuser:
		limit = s.Timeout + patience // the accused will be found silent, or will speak
	}
	if wait = since.Add(limit).Sub(now); wait > 0 {
		return "", nil, wait
	}
	f := *best.Failure
	switch {
	case absent:
		f.Why += fmt.Sprintf("; it did not attach again within %v", s.Timeout)
	case best.Kind == Accuser:
		f.Why += "; " + s.accusations(accused)
	}
	return best.Worker, &f, 0
}

// weight orders signs: of those that explain others, the accused first, then the most telling.
func weight(s Sign, accused map[int]int) int {
	w := 2 * int(s.Kind)
	if s.Kind != Accuser && accused[s.Rank] == 0 {
		w++
	}
	return w
}

func (s Signs) accusations(accused map[int]int) string {
	var parts []string
	for rank, id := range s.Workers {
		if n := accused[rank]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d of %d workers blame %s", n, len(s.Workers), id))
		}
	}
	return strings.Join(parts, ", ")
}

func (l *Lead) sign(s Sign) {
	s.At = l.now
	l.signs = append(l.signs, s)
}

func (l *Lead) has(k Kind, m *member) bool {
	return slices.ContainsFunc(l.signs, func(s Sign) bool { return s.Kind == k && s.Worker == string(m.id) })
}

// judge ends the run once the signs tell the cause.
func (l *Lead) judge() {
	all := Signs{All: l.signs, Local: l.set.Local, Timeout: l.set.FailureTimeout}
	for _, m := range l.ranked() {
		all.Workers = append(all.Workers, string(m.id))
	}
	culprit, why, _ := Verdict(all, l.now)
	if why == nil {
		return
	}
	l.tellLost(culprit, why)
	l.fail(why)
}

// tellLost writes down each lost worker once, with what says most about it, the culprit first. Workers that left
// because of another are told of as such.
func (l *Lead) tellLost(culprit string, why *failure.Failure) {
	l.tell("worker-lost", culprit, "%s", why.Error())
	told := map[string]bool{culprit: true}
	byKind := slices.SortedStableFunc(slices.Values(l.signs), func(a, b Sign) int { return cmp.Compare(a.Kind, b.Kind) })
	for _, s := range byKind {
		if told[s.Worker] {
			continue
		}
		told[s.Worker] = true
		kind := "worker-lost"
		if s.Kind == Accuser {
			kind = "worker-left"
		}
		l.tell(kind, s.Worker, "%s", s.Failure.Error())
	}
}

// heard takes a worker's last words.
func (e Leave) heard(l *Lead, m *member) {
	again := m.left != nil
	m.left = &e
	if l.view.Phase.Final() || again {
		return
	}
	f := &failure.Failure{What: l.lostText(m, "left"), Why: Plain(e.Reason, run.MaxText),
		Try: cmp.Or(Plain(e.Hint, run.MaxText), l.resumeHint()), Code: exitCode(e.Code)}
	s := Sign{Kind: Broke, Worker: string(m.id), Rank: m.rank, Failure: f}
	switch {
	case !e.Failed:
		s.Kind = Asked
	case e.Suspect >= 0 && e.Suspect != m.rank:
		s.Kind, s.Accused = Accuser, e.Suspect
	}
	l.sign(s)
}

// exitCode keeps a worker's exit code where it says what is wrong with the run's input.
func exitCode(code int) int {
	if slices.Contains([]int{failure.Usage, failure.Data, failure.Checkpoint}, code) {
		return code
	}
	return failure.Training
}

func (e Exited) happen(l *Lead) {
	if l.view.Phase.Final() {
		return
	}
	i := slices.IndexFunc(l.view.Members, func(m run.Member) bool { return m.Wished == e.Index })
	name, rank := fmt.Sprintf("worker-%d", e.Index), -1
	what := fmt.Sprintf("%s ended before it joined: %s", name, e.Status)
	does := ""
	if i >= 0 {
		m := l.members[l.view.Members[i].ID]
		if m == nil || m.left != nil && !e.Signalled {
			return // it said why
		}
		name, rank = string(m.id), m.rank
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
	s := Sign{Kind: Broke, Worker: name, Rank: rank, Failure: f}
	if e.Signalled {
		s.Kind = Killed
		if e.Tail == "" {
			f.Why = "somebody or the system killed its process" + does
		}
		f.Try = "if the machine ran out of memory: fewer workers or a smaller batch; " + f.Try
	}
	l.sign(s)
}

// lostText names a worker, what became of it, and where it was.
func (l *Lead) lostText(m *member, verb string) string {
	text := fmt.Sprintf("%s %s at step %d", m.id, verb, l.view.Step)
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
