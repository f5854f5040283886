package lead

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"byol/coordinator/run"
	"byol/internal/failure"
)

// activity is what is gathered from all workers.
type activity int

const (
	nothing activity = iota
	readiness
	results
	evaluations
	activities
)

// String names messages of the activity, for people.
func (a activity) String() string {
	return [...]string{"nothing", "readiness", "results", "evaluations"}[a]
}

// collecting says what is gathered now.
type collecting struct {
	stamp
	what activity
}

// phasesKept bounds the parts of a step that are told apart.
const phasesKept = 32

// refusalsTold is how many misplaced messages of a worker are told of in a generation.
const refusalsTold = 8

func (e Changed) happen(l *Lead) { l.see(e.State) }

// prepare begins to collect what the state now waits for.
func (l *Lead) prepare() {
	s := &l.view
	want := collecting{stamp: stamp{s.Generation, s.Step}}
	switch {
	case s.Phase.Final() || s.Phase == run.Waiting:
	case !s.Started:
		want.what = readiness
	case !l.restored:
	case s.InFlight:
		want.what = results
	case s.Phase == run.Evaluating:
		want.what = evaluations
	}
	have := l.collecting
	if want == have {
		return
	}
	if have.what == readiness || have.what == results {
		l.do(Shut{})
	}
	if want.generation != have.generation {
		l.regroup()
	}
	l.collecting = want
	l.begun = l.now
	l.gotOn()
	for _, m := range l.members {
		m.result, m.measured, m.whole = nil, nil, false
		if want.what == readiness {
			m.ready = nil
		}
	}
	switch want.what {
	case readiness:
		l.restored, l.parameters = false, 0
	case results:
		l.do(Open{Generation: s.Generation, Step: s.Step, Rate: float32(l.set.Rates.OneMinusTau(s.Step)), Ranks: l.ranks()})
	}
}

// regroup takes over the ranks of a new generation. Complaints were of the one before, and whoever could not do its
// part tries again.
func (l *Lead) regroup() {
	l.signs = slices.DeleteFunc(l.signs, func(s Sign) bool {
		m := l.members[run.WorkerID(s.Worker)]
		return s.Kind == Accuser || m != nil && m.unfit != nil
	})
	for _, m := range l.members {
		m.rank, m.refused, m.paced, m.unfit = -1, 0, nil, nil
	}
	for _, o := range l.view.Members {
		if m := l.members[o.ID]; m != nil {
			m.rank = o.Rank
		}
	}
}

// ranks are the streams of the members in rank order.
func (l *Lead) ranks() []Stream {
	var all []Stream
	for _, m := range l.group() {
		all = append(all, m.stream)
	}
	return all
}

func (e Said) happen(l *Lead) {
	m := l.streams[e.Stream]
	if m == nil {
		return
	}
	m.seen = l.now
	e.Message.heard(l, m)
}

func (b Beat) heard(l *Lead, m *member) {
	for _, text := range []*string{&b.Phase, &b.WaitingFor, &b.Device} {
		*text = Plain(*text, run.MaxName)
	}
	m.beat = &b
	m.notes(l.now, &b)
	at := slices.IndexFunc(l.view.Members, func(o run.Member) bool { return o.ID == m.id })
	if b.Device != "" && at >= 0 && !l.view.Members[at].Prepared && !l.view.Phase.Final() {
		l.growAt = l.now.Add(settleJoins)
		l.later(run.Prepare{Worker: m.id})
	}
}

// takes reports whether a message belongs to what is collected. One that comes a second time or too late is dropped;
// what never was asked for is told.
func (l *Lead) takes(m *member, what activity, of stamp) bool {
	last := m.taken[what]
	switch {
	case l.view.Phase.Final() || of.generation < l.view.Generation: // it had not heard of this one
		return false
	case fences && of.generation == last.generation && of.step <= last.step && last != (stamp{}):
		return false
	case what == l.collecting.what && (of == l.collecting.stamp || !fences):
		m.taken[what] = of
		return true
	}
	l.misplaced(m, what.String(), of)
	return false
}

// misplaced tells of a message that came at the wrong time.
func (l *Lead) misplaced(m *member, what string, of stamp) {
	m.refused++
	if m.refused > refusalsTold {
		return
	}
	have, last := l.collecting, ""
	if m.refused == refusalsTold {
		last = " (no more of these are listed)"
	}
	l.tell("message-refused", string(m.id),
		"refused a message of %s: got %s of generation %d step %d, waiting for %s of generation %d step %d%s",
		m.id, what, of.generation, of.step, have.what, have.generation, have.step, last)
}

func (r Ready) heard(l *Lead, m *member) {
	of := stamp{r.Generation, r.Step}
	if r.Lacks {
		of.step = l.collecting.step // it holds none
	}
	if !l.takes(m, readiness, of) {
		return
	}
	r.Fingerprint, r.Manifest = Plain(r.Fingerprint, run.MaxText), Plain(r.Manifest, run.MaxName)
	m.ready = &r
	if r.Lacks {
		l.progress()
		return
	}
	if l.parameters == 0 {
		if r.Parameters < 1 || r.Parameters > math.MaxInt32 {
			l.expel(m, &failure.Failure{What: fmt.Sprintf("%s has a network that cannot be shared", m.id), Code: failure.Usage,
				Why: fmt.Sprintf("it has %d parameters", r.Parameters), Try: "use binaries of one build"})
			return
		}
		if l.worked != 0 && r.Parameters != l.worked {
			l.otherNetwork(m, l.worked)
			return
		}
		l.parameters = r.Parameters
		l.do(Open{Generation: r.Generation, Step: r.Step, Restore: true, Parameters: r.Parameters, Ranks: l.ranks()})
	}
	if r.Parameters != l.parameters {
		l.otherNetwork(m, l.parameters)
		return
	}
	l.progress()
}

// otherNetwork has a worker go whose network is not the one of the group, of so many parameters.
func (l *Lead) otherNetwork(m *member, want int64) {
	l.expel(m, &failure.Failure{What: fmt.Sprintf("%s has %d parameters, others %d", m.id, m.ready.Parameters, want),
		Why: "workers build different networks from one configuration", Try: "use binaries of one build",
		Code: failure.Usage})
}

func (r Result) heard(l *Lead, m *member) {
	if l.takes(m, results, stamp{r.Generation, r.Step}) {
		r.Phases = r.Phases[:min(len(r.Phases), phasesKept)]
		for i := range r.Phases {
			r.Phases[i].Name = Plain(r.Phases[i].Name, run.MaxName)
		}
		m.result = &r
		l.progress()
	}
}

func (e Measured) heard(l *Lead, m *member) {
	if len(e.Counts) > run.MaxCounts {
		l.expel(m, &failure.Failure{What: fmt.Sprintf("%s broke the protocol", m.id), Code: failure.Internal,
			Why: fmt.Sprintf("it sent %d measures of an evaluation, at most %d make sense", len(e.Counts), run.MaxCounts),
			Try: "use binaries of one build; " + l.resumeHint()})
		return
	}
	if l.takes(m, evaluations, stamp{e.Generation, e.Step}) {
		m.measured = &e
		l.progress()
	}
}

func (e Whole) happen(l *Lead) {
	m := l.streams[e.Stream]
	what := l.collecting.what
	if m == nil || (what != readiness && what != results) || l.collecting.stamp != (stamp{e.Generation, e.Step}) {
		return
	}
	m.seen, m.whole = l.now, true
	l.progress()
}

func (e Misplaced) happen(l *Lead) {
	m := l.streams[e.Stream]
	if m == nil || l.view.Phase.Final() {
		return
	}
	of := stamp{e.Generation, e.Step}
	m.seen = l.now
	switch {
	case e.Why != "":
		l.expel(m, &failure.Failure{What: fmt.Sprintf("%s broke the protocol", m.id), Why: Plain(e.Why, run.MaxText),
			Try: "use binaries of one build; " + l.resumeHint(), Code: failure.Internal})
	case of.generation > l.collecting.generation ||
		of.generation == l.collecting.generation && of.step > l.collecting.step:
		l.misplaced(m, "a slice", of)
	}
}

func (s Strange) heard(l *Lead, m *member) {
	l.expel(m, &failure.Failure{What: fmt.Sprintf("%s broke the protocol", m.id), Code: failure.Internal,
		Why: fmt.Sprintf("it sent %s while a member", Plain(s.Type, run.MaxName)), Try: "use binaries of one build"})
}

// answered reports whether m has sent what is being collected.
func (l *Lead) answered(m *member) bool {
	switch l.collecting.what {
	case readiness:
		return m.ready != nil && (m.whole || m.ready.Lacks)
	case results:
		return m.result != nil && m.whole
	case evaluations:
		return m.measured != nil
	}
	return false
}

// progress goes on if everybody has answered.
func (l *Lead) progress() {
	l.gotOn()
	lacks := false
	for _, m := range l.group() {
		if !l.answered(m) {
			return
		}
		lacks = lacks || m.ready != nil && m.ready.Lacks
	}
	switch {
	case l.collecting.what == evaluations:
		l.evaluated()
		return
	case lacks:
		l.lacking()
		return
	}
	l.ask(Weigh{})
}

// image names an unreadable image.
type image struct {
	index      int64
	evaluation bool
}

// unreadableKept bounds the images that are told apart; a set with so many is not one to train on.
const unreadableKept = 1 << 20

func (u Unreadable) heard(l *Lead, m *member) {
	at := image{u.Index, u.Evaluation}
	if l.unreadable[at] || len(l.unreadable) >= unreadableKept {
		return // another worker, or another epoch, came upon it
	}
	l.unreadable[at] = true
	what, fate := "image", "is replaced"
	if u.Evaluation {
		what, fate = "evaluation image", "is left out"
	}
	l.lastUnreadable = Plain(u.Name, run.MaxText)
	l.tell("image-unreadable", string(m.id), "%s %d %s cannot be read and %s: %s", what, u.Index, l.lastUnreadable, fate,
		strings.TrimPrefix(Plain(u.Error, run.MaxText), l.lastUnreadable+": "))
}
