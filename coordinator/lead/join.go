package lead

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"byol/coordinator/run"
	"byol/internal/failure"
)

// settleJoins is how long those that stand by wait for others, so that all enter at once.
const settleJoins = time.Second

// refusalsKept is how many refused joins are remembered, to explain a worker that never came.
const refusalsKept = 64

func (e Joining) happen(l *Lead) {
	m := &member{id: l.nameFor(e.Join), stream: e.Stream, join: e.Join, rank: -1, seen: l.now}
	if r := l.objection(m); r.Reason != "" {
		l.refuse(m, r)
		return
	}
	l.joining = m
	if v, g := m.join.SeenVersion, m.join.SeenGeneration; v > l.view.Version || g > l.view.Generation {
		l.tell("log-lost", string(m.id), "%s has plan %d of generation %d, and the log ends at plan %d of generation %d: "+
			"it was begun anew, and goes on above both", m.id, v, g, l.view.Version, l.view.Generation)
		l.propose(run.Surpass{Version: v, Generation: g})
		return
	}
	l.enter(m)
}

// surpassed is the answer to a proposed Surpass.
func (l *Lead) surpassed(err error) {
	if m := l.joining; err == nil {
		l.enter(m)
	} else {
		l.joining = nil
		l.refuse(m, Refused{Reason: err.Error(), Hint: "start the worker again: it has numbers that nobody can go on above"})
	}
}

// enter has the log let in who asks for it.
func (l *Lead) enter(m *member) {
	// It is gone, and was not missed yet.
	if old := l.members[m.id]; old != nil && old.join.Incarnation != m.join.Incarnation {
		l.signs = slices.DeleteFunc(l.signs, func(s Sign) bool { return s.Worker == string(m.id) }) // they are of who is gone
		if old.rank >= 0 {
			l.tell("worker-lost", string(m.id), "%s: another process of that name has come", l.lostText(old, "was lost"))
		}
		l.later(joinOf(m))
		l.propose(run.Leave{Worker: m.id, Reason: Plain(fmt.Sprintf("%s was started again", m.id), run.MaxText)})
		return
	}
	l.propose(joinOf(m))
}

func joinOf(m *member) run.Join {
	return run.Join{Member: run.Member{ID: m.id, Wished: max(m.join.Index, -1), Address: m.join.Address,
		Host: m.join.Host, Incarnation: m.join.Incarnation, Workers: m.join.Workers}}
}

// nameFor is the id a worker asks for, or the one it has and was not told, or one made of its index, or the next free
// one: that of its index may have been given to a worker without. A name that is in quarantine is not free.
func (l *Lead) nameFor(j Join) run.WorkerID {
	if id := run.WorkerID(j.ID); id != "" && !l.overtaken(id, j) {
		return id
	}
	for _, o := range l.view.Members {
		if o.Incarnation != "" && o.Incarnation == j.Incarnation && o.Wished == max(j.Index, -1) {
			return o.ID
		}
	}
	if j.Index >= 0 {
		id := numbered(j.Index)
		if old := l.members[id]; old == nil || l.wished(id) == j.Index {
			return id
		}
	}
	for n := 0; ; n++ {
		id := numbered(n)
		banned := slices.ContainsFunc(l.view.Quarantine, func(b run.Ban) bool { return b.Worker == id })
		if l.members[id] == nil && !banned {
			return id
		}
	}
}

// overtaken reports whether a name that a coordinator gave to this worker has been given to another one since: after a
// run was taken up nobody is known, and who comes first chooses first.
func (l *Lead) overtaken(id run.WorkerID, j Join) bool {
	n, err := strconv.Atoi(strings.TrimPrefix(j.ID, "worker-"))
	given := err == nil && id == numbered(n) && j.Index < 0
	old := l.members[id]
	return given && old != nil && old.join.Incarnation != j.Incarnation
}

func numbered(n int) run.WorkerID { return run.WorkerID(fmt.Sprintf("worker-%d", n)) }

// wished is the index that a member asked for, −1 for none.
func (l *Lead) wished(id run.WorkerID) int {
	for _, o := range l.view.Members {
		if o.ID == id {
			return o.Wished
		}
	}
	return -1
}

// objection is why m cannot be let in, and what to do about it; its Reason is "" where there is none. It is found
// without the log, so that whoever knocks in vain leaves no trace in it.
func (l *Lead) objection(m *member) Refused {
	j := m.join
	for _, text := range []string{string(m.id), j.Address, j.Host, j.Incarnation, j.Build} {
		if Plain(text, run.MaxName) != text {
			return Refused{Reason: fmt.Sprintf("%q is no name", Plain(text, 64)),
				Hint: fmt.Sprintf("ids and addresses are printable and have at most %d bytes", run.MaxName)}
		}
	}
	switch {
	case l.set.Build != "" && j.Build != l.set.Build && !l.set.Relaxed:
		return Refused{Reason: fmt.Sprintf("the worker is of build %q, the coordinator of %q", j.Build, l.set.Build),
			Hint: "use binaries of one build, or --determinism relaxed"}
	case l.view.Phase.Final():
		return Refused{Reason: "the run has ended: " + l.endText(), Hint: "run the coordinator again", Temporary: true}
	case j.Address == "":
		return Refused{Reason: "the worker has no address for its peers", Hint: "use binaries of one build"}
	}
	if until := l.mending.benched[m.id]; l.now.Before(until) {
		return Refused{Temporary: true, Reason: fmt.Sprintf("%s was left out because others could not work with it", m.id),
			Hint: fmt.Sprintf("it may come back in %v", until.Sub(l.now).Round(time.Second))}
	}
	if r := l.stranded(m); r.Reason != "" {
		return r
	}
	trial := l.view.Clone()
	if old := l.members[m.id]; old != nil && old.join.Incarnation != j.Incarnation {
		if !old.gone {
			return taken(m)
		}
		if err := trial.Apply(run.Leave{Worker: m.id}); err != nil {
			return l.joinRefusal(m, err)
		}
	}
	if err := trial.Apply(joinOf(m)); err != nil {
		return l.joinRefusal(m, err)
	}
	return Refused{}
}

// stranded refuses m where it, or a member on another host, tells the others a loopback address: nobody would reach it.
func (l *Lead) stranded(m *member) Refused {
	const hint = "worker --advertise HOST:PORT, or give --coordinator an address of the network between hosts"
	for _, o := range l.view.Members {
		if o.ID == m.id || o.Host == m.join.Host || loopback(o.Address) == loopback(m.join.Address) {
			continue
		}
		if loopback(m.join.Address) {
			return Refused{Hint: hint, Reason: fmt.Sprintf("%s tells its peers the address %s, which leads %s "+
				"on another host nowhere",
				m.id, m.join.Address, o.ID)}
		}
		return Refused{Hint: "start " + string(o.ID) + " again: " + hint, Temporary: true,
			Reason: fmt.Sprintf("%s, which joined first, tells its peers the address %s, which leads %s on another host nowhere",
				o.ID, o.Address, m.id)}
	}
	return Refused{}
}

func loopback(address string) bool {
	return slices.ContainsFunc([]string{"localhost:", "127.", "[::1]:", "[::ffff:127."}, func(prefix string) bool {
		return strings.HasPrefix(address, prefix)
	})
}

// joinRefusal puts the state's refusal in words.
func (l *Lead) joinRefusal(m *member, err error) Refused {
	workers := l.view.Settings.Workers
	switch {
	case errors.Is(err, run.ErrFull):
		if have := run.Together(l.view.Members); have < workers {
			return Refused{Temporary: true,
				Reason: fmt.Sprintf("it stands for %d workers, and the run has %d of %d", m.join.Workers, have, workers),
				Hint:   fmt.Sprintf("worker --workers %d, or start the run with more --workers", workers-have)}
		}
		return Refused{Reason: fmt.Sprintf("the run has all its %d workers", workers),
			Hint: "start the run with more --workers", Temporary: true}
	case errors.Is(err, run.ErrDuplicate):
		return taken(m)
	case errors.Is(err, run.ErrIndexTaken):
		return indexTaken(m)
	case errors.Is(err, run.ErrBanned):
		return Refused{Reason: strings.TrimPrefix(err.Error(), "run: "), Hint: "another machine, under another id"}
	}
	return Refused{Reason: err.Error(), Hint: fmt.Sprintf("indexes are 0 to %d", workers-1)}
}

// taken refuses a worker whose name another has, in the words in which it asked for it.
func taken(m *member) Refused {
	if m.join.ID == "" && m.join.Index >= 0 {
		return indexTaken(m)
	}
	return Refused{Reason: fmt.Sprintf("a worker with the name %s has joined already", m.id),
		Hint: "give each worker its own id", Temporary: true}
}

func indexTaken(m *member) Refused {
	return Refused{Reason: fmt.Sprintf("a worker with index %d has joined already", m.join.Index),
		Hint: "give each worker its own --index", Temporary: true}
}

func (l *Lead) refuse(m *member, r Refused) {
	id := Plain(string(m.id), 64)
	text := fmt.Sprintf("%s was refused: %s", id, r.Reason)
	if len(l.refusals) == refusalsKept {
		l.refusals = slices.Delete(l.refusals, 0, 1)
	}
	if !slices.Contains(l.refusals, text) { // who asks again and again is told of once
		l.refusals = append(l.refusals, text)
		l.tell("worker-refused", id, "%s", text)
	}
	l.do(Send{Stream: m.stream, Message: r})
}

// admit is the answer to a proposed Join.
func (l *Lead) admit(err error) {
	m := l.joining
	l.joining = nil
	if err != nil {
		l.refuse(m, l.joinRefusal(m, err))
		return
	}
	verb := "joined"
	l.joinedAt = l.now
	old := l.members[m.id]
	if old != nil && old.join.Incarnation != m.join.Incarnation {
		old = nil // another process, whose place was freed
	}
	if old != nil {
		verb = "attached again"
		m.takeOver(old)
		l.signs = slices.DeleteFunc(l.signs, func(s Sign) bool { return s.Kind == Cut && s.Worker == string(m.id) })
	}
	l.members[m.id], l.streams[m.stream] = m, m
	l.mending.known[string(m.id)] = true
	l.tell("worker-joined", string(m.id), "%s %s from %s (%s, process %d): %d of %d", m.named(), verb, m.join.Address,
		m.join.Host, m.join.PID, run.Together(l.view.Members), l.view.Settings.Workers)
	l.do(Send{Stream: m.stream, Message: Welcome{ID: m.id, RunID: l.view.Settings.RunID}})
	if old == nil {
		return
	}
	if !old.gone { // the worker knows before us that the stream is lost
		delete(l.streams, old.stream)
		l.do(Drop{Stream: old.stream, Why: "the worker attached again"})
	}
	l.do(Resume{Was: old.stream, Stream: m.stream})
}

// takeOver gives the member what it had said on another stream.
func (m *member) takeOver(old *member) {
	m.rank, m.beat, m.refused, m.saved, m.leaving = old.rank, old.beat, old.refused, old.saved, old.leaving
	m.ready, m.result, m.measured, m.whole, m.taken = old.ready, old.result, old.measured, old.whole, old.taken
}

func (e Gone) happen(l *Lead) {
	m := l.streams[e.Stream]
	delete(l.streams, e.Stream)
	if m == nil || m.gone {
		return
	}
	m.gone = true
	switch why := Plain(e.Why, run.MaxText); {
	case l.view.Phase.Final() || m.left != nil:
	case m.rank < 0:
		l.free(m, "left: "+why)
	default:
		l.sign(Sign{Kind: Cut, Worker: string(m.id), Rank: m.rank, Accused: -1, Failure: &failure.Failure{
			What: l.lostText(m, "was lost"), Why: why, Try: l.resumeHint(), Code: failure.Training}})
	}
}

// free gives back the place of a member that is not of the group.
func (l *Lead) free(m *member, why string) {
	l.tell("worker-left", string(m.id), "%s %s", m.named(), why)
	l.later(run.Leave{Worker: m.id, Reason: Plain(why, run.MaxText)})
}

// failJoin ends a run whose workers did not come in time.
func (l *Lead) failJoin() {
	have, want := run.Together(l.view.Members), l.view.Settings.Workers
	processes := want
	if l.set.Processes != nil {
		processes = len(l.set.Processes)
	}
	var missing []string
	for i := range processes {
		if slices.ContainsFunc(l.view.Members, func(m run.Member) bool { return m.Wished == i }) {
			continue
		}
		name := fmt.Sprint(i)
		if processes < want {
			name = run.Named(string(numbered(i)), l.set.Processes[i])
		}
		missing = append(missing, name)
	}
	anyIndex := slices.ContainsFunc(l.view.Members, func(m run.Member) bool {
		return m.Wished < 0 || l.set.Processes == nil && m.StandsFor() > 1
	})
	f := &failure.Failure{Code: failure.TooFew, What: fmt.Sprintf("only %d of %d workers joined within %v", have, want,
		l.set.JoinTimeout), Why: "the others never connected to " + l.set.Address,
		Try: fmt.Sprintf("start the missing workers (worker --coordinator %s), a longer --join-timeout, or --workers %d",
			l.set.Address, max(1, have))}
	if !anyIndex {
		f.What += fmt.Sprintf(" (missing: %s)", strings.Join(missing, ", "))
	}
	if n := len(l.refusals); n > 0 {
		f.Why = l.refusals[n-1]
	}
	l.fail(f)
}
