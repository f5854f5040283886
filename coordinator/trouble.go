package coordinator

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"byol/coordinator/run"
	pb "byol/proto"
)

// When one worker dies, all of them complain: the ring breaks everywhere at once. Trouble gathers the signs for a
// moment, so that the run's failure names the cause and not a victim.
type trouble struct {
	since time.Time // of the first sign
	signs []sign
	// accused counts by rank who was named by the others.
	accused map[int]int
}

// signs of a lost worker, the most telling first.
type kind int

const (
	killed  kind = iota // its process was ended by a signal
	broke               // it said what broke, or its process ended without a word
	silent              // it was not heard for the failure timeout
	cut                 // its stream ended without a word
	asked               // it was asked to leave
	accuser             // it left because of another
)

type sign struct {
	kind   kind
	worker string
	rank   int
	at     time.Time
	f      *Failure
}

const (
	settle     = 300 * time.Millisecond // for the other signs of the same cause
	exitNotice = 2 * time.Second        // for the exit status of a process whose stream ended
)

func (d *driver) sign(s sign) {
	s.at = time.Now()
	if len(d.trouble.signs) == 0 {
		d.trouble.since = s.at
	}
	d.trouble.signs = append(d.trouble.signs, s)
	d.event("worker-lost", s.worker, s.f.Error())
}

// hearLeave takes a worker's last words.
func (d *driver) hearLeave(m *member, l *pb.Leave) error {
	again := m.left != nil
	m.left = l
	if d.view.Phase.Final() || again {
		return nil
	}
	f := &Failure{What: d.lostText(m, "left"), Why: l.Reason, Try: l.Hint, Code: exitCode(int(l.ExitCode))}
	if f.Try == "" {
		f.Try = d.resumeHint()
	}
	s := sign{kind: broke, worker: string(m.id), rank: int(m.rank.Load()), f: f}
	switch {
	case !l.Failed:
		s.kind = asked
	case l.SuspectRank >= 0 && int(l.SuspectRank) != s.rank:
		s.kind = accuser
		d.accuse(int(l.SuspectRank))
	}
	d.sign(s)
	return nil
}

func (d *driver) accuse(rank int) {
	if d.trouble.accused == nil {
		d.trouble.accused = map[int]int{}
	}
	d.trouble.accused[rank]++
}

// exitCode keeps a worker's exit code where it says what is wrong with the run's input.
func exitCode(code int) int {
	if slices.Contains([]int{ExitUsage, ExitData, ExitCheckpoint}, code) {
		return code
	}
	return ExitTraining
}

// departed takes the end of a member's stream.
func (d *driver) departed(m *member, why string) error {
	m.gone = true
	m.outbox.close()
	switch {
	case d.members[m.id] != m || d.view.Phase.Final():
		return nil
	case d.view.Phase == run.Waiting && d.local == nil:
		delete(d.members, m.id)
		d.event("worker-left", string(m.id), fmt.Sprintf("%s left before the run began: %s", m.id, why))
		return d.propose(run.Leave{Worker: m.id, Reason: why})
	case m.left != nil:
		return nil
	}
	d.sign(sign{kind: cut, worker: string(m.id), rank: int(m.rank.Load()), f: &Failure{
		What: d.lostText(m, "was lost"), Why: why, Try: d.resumeHint(), Code: ExitTraining}})
	return nil
}

// childEnded takes the end of a process of the local launcher.
type childEnded struct{ exit exit }

func (e *childEnded) happen(d *driver) error {
	x := e.exit
	if d.view.Phase.Final() {
		return nil
	}
	i := slices.IndexFunc(d.view.Members, func(m run.Member) bool { return m.Wished == x.index })
	name, rank := fmt.Sprintf("worker-%d", x.index), -1
	what := fmt.Sprintf("%s ended before it joined: %s", name, x.status)
	if i >= 0 {
		m := d.members[d.view.Members[i].ID]
		if m == nil || m.left != nil && !x.signalled {
			return nil // it said why
		}
		name, rank = string(m.id), int(m.rank.Load())
		what = d.lostText(m, "ended ("+x.status+")")
	}
	f := &Failure{What: what, Why: "its log ends with: " + x.tail, Try: d.resumeHint(), Code: exitCode(x.code)}
	for _, r := range d.refusals {
		if strings.HasPrefix(r, name+" ") {
			f.Why = r
		}
	}
	if x.tail == "" {
		f.Why = "its log " + x.log + " is empty"
	}
	s := sign{kind: broke, worker: name, rank: rank, f: f}
	if x.signalled {
		s.kind = killed
		f.Try = "if the machine ran out of memory: fewer workers or a smaller batch; " + f.Try
	}
	d.sign(s)
	return nil
}

// lostText names a worker, what became of it, and where it was.
func (d *driver) lostText(m *member, verb string) string {
	text := fmt.Sprintf("%s %s at step %d", m.id, verb, d.view.Step)
	if b := m.beat; b != nil && b.Phase != "" {
		text += " in phase " + b.Phase
	}
	return text
}

// checkSilence notices workers that have not been heard for the failure timeout.
func (d *driver) checkSilence(now time.Time) error {
	limit := d.c.opts.FailureTimeout
	for _, m := range d.ranked() {
		quiet := time.Duration(d.c.sinceStart() - m.seen.Load())
		if m.gone || m.left != nil || quiet < limit || d.has(silent, m) {
			continue
		}
		d.sign(sign{kind: silent, worker: string(m.id), rank: int(m.rank.Load()), f: &Failure{
			What: d.lostText(m, fmt.Sprintf("was not heard for %v", quiet.Round(100*time.Millisecond))),
			Why:  "last heard: " + doing(m), Try: d.resumeHint(), Code: ExitTraining}})
	}
	return nil
}

func (d *driver) has(k kind, m *member) bool {
	return slices.ContainsFunc(d.trouble.signs, func(s sign) bool { return s.kind == k && s.worker == string(m.id) })
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

// judge ends the run once the signs tell the cause.
func (d *driver) judge(now time.Time) error {
	t := &d.trouble
	if len(t.signs) == 0 || now.Sub(t.since) < settle {
		return nil
	}
	best := slices.MinFunc(t.signs, func(a, b sign) int {
		return cmp.Or(cmp.Compare(d.weight(a), d.weight(b)), a.at.Compare(b.at))
	})
	switch {
	case best.kind == cut && d.local != nil && now.Sub(t.since) < exitNotice:
		return nil
	case best.kind == accuser && now.Sub(t.since) < d.c.opts.FailureTimeout+time.Second:
		return nil // the accused will be found silent, or will speak
	case best.kind == accuser:
		best.f.Why += "; " + d.accusations()
	}
	return d.fail(best.f)
}

// weight orders signs: of those that explain others, the accused first, then the most telling.
func (d *driver) weight(s sign) int {
	w := 2 * int(s.kind)
	if s.kind != accuser && d.trouble.accused[s.rank] == 0 {
		w++
	}
	return w
}

func (d *driver) accusations() string {
	var parts []string
	for _, m := range d.ranked() {
		if n := d.trouble.accused[int(m.rank.Load())]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d of %d workers blame %s", n, len(d.members), m.id))
		}
	}
	return strings.Join(parts, ", ")
}
