package simulate

import (
	"fmt"
	"time"

	"byol/coordinator/run"
)

// raft is the log as hashicorp/raft keeps it, seen from outside: what is committed is the same everywhere and stays;
// what a leader that is lost had proposed may have been committed or not; one leader at a time gets anything committed,
// and an old one may not know yet that it is none.
type raft struct {
	w       *World
	entries []entry
	term    int64
	leader  int // −1 while nobody leads
	pending []*proposal
	since   time.Duration // when the leader was last seen by a majority
	elects  bool
	down    bool // all coordinators were down at one time
}

// entry is a command that was agreed on, and the answer of the state to it.
type entry struct {
	command run.Command
	answer  string
}

// proposal is a command that is not agreed on yet. done is called where it was proposed, with the answer of the state;
// lost says that the outcome is not known there.
type proposal struct {
	term    int64
	command run.Command
	done    func(err error, lost bool)
}

// Bounds of elections, as coordinators have them.
const (
	lease    = 500 * time.Millisecond
	election = time.Second
)

// healthy reports whether a coordinator runs and reaches another one.
func (r *raft) healthy(id int) bool {
	c := r.w.coords[id]
	if !c.alive || c.stopped {
		return false
	}
	for _, o := range r.w.coords {
		if o.id != id && o.alive && !o.stopped && !r.w.cuts[id][o.id] && !r.w.cuts[o.id][id] {
			return true
		}
	}
	return false
}

// look is the pulse of all of raft: leases that end, and elections.
func (r *raft) look() {
	w := r.w
	if r.leader >= 0 && r.healthy(r.leader) && w.coords[r.leader].leads == r.term {
		r.since = w.now
	}
	alive := 0
	for _, c := range w.coords {
		if c.alive {
			alive++
		}
		if c.alive && !c.stopped && c.leads > 0 && (c.leads != r.term || w.now-r.since > lease) {
			c.depose()
		}
	}
	r.down = r.down || alive == 0
	if r.elects || w.now-r.since < election {
		return
	}
	r.elects = true
	w.after(w.between(0, election), func() {
		r.elects = false
		if r.leader < 0 || w.now-r.since >= election {
			r.elect()
		}
	})
}

// elect makes any coordinator the leader that a majority can vote for.
func (r *raft) elect() {
	w := r.w
	var able []int
	for _, c := range w.coords {
		if r.healthy(c.id) {
			able = append(able, c.id)
		}
	}
	if len(able) > 0 {
		r.enthrone(able[w.rng.IntN(len(able))])
	}
}

// enthrone begins the next term: what was proposed in earlier ones is decided by then.
func (r *raft) enthrone(id int) {
	w := r.w
	r.term++
	r.leader, r.since = id, w.now
	for _, p := range r.pending {
		if w.chance(50) { // it had reached whoever leads now
			r.append(p.command)
		}
	}
	r.pending = nil
	w.note("coordinator %d leads term %d", id, r.term)
	w.coords[id].lead(r.term)
}

// propose has the log agree on a command. A coordinator that leads no more learns that later.
func (r *raft) propose(c *coordinator, command run.Command, done func(err error, lost bool)) {
	w := r.w
	if c.leads != r.term {
		c.on(w.between(time.Millisecond, 20*time.Millisecond), func() { done(nil, true) })
		return
	}
	p := &proposal{r.term, command, done}
	r.pending = append(r.pending, p)
	w.moment("propose", c)
	c.on(w.between(time.Millisecond, 5*time.Millisecond)+w.faults.diskLag(c), func() { r.commit(c, p) })
}

// commit agrees on p, as soon as a majority can be reached; where another term has begun it was decided then.
func (r *raft) commit(c *coordinator, p *proposal) {
	w := r.w
	if p.term != r.term {
		p.done(nil, true)
		return
	}
	if !r.healthy(c.id) {
		c.on(20*time.Millisecond, func() { r.commit(c, p) })
		return
	}
	for i, o := range r.pending {
		if o == p {
			r.pending = append(r.pending[:i:i], r.pending[i+1:]...)
			break
		}
	}
	r.append(p.command)
	at := len(r.entries)
	w.moment("committed", c)
	c.here(func() {
		c.apply(at)
		err := c.answers[at-1]
		c.on(w.between(0, 2*time.Millisecond), func() { p.done(err, false) })
	})
}

// append adds an entry to what is committed. Everybody learns of it, sooner or later.
func (r *raft) append(command run.Command) {
	w := r.w
	r.entries = append(r.entries, entry{command: command})
	at := len(r.entries)
	w.judge(command)
	for _, c := range w.coords {
		if c.id != r.leader {
			c.on(w.between(time.Millisecond, 100*time.Millisecond), func() { c.apply(at) })
		}
	}
}

// apply brings a coordinator's state up to so many entries, and compares each answer with those of the others.
func (c *coordinator) apply(upTo int) {
	r := &c.w.raft
	for c.applied < upTo {
		e := &r.entries[c.applied]
		err := c.state.Apply(e.command)
		c.applied++
		c.answers = append(c.answers, err)
		answer := fmt.Sprint(err, " ", c.state.Version, " ", c.state.Generation, " ", c.state.Step, " ", c.state.Phase)
		if e.answer == "" {
			e.answer = answer
			if broken := c.state.Check(); broken != nil {
				c.w.problem("after %T%+v: %v", e.command, e.command, broken)
			}
			c.w.note("%d: %T: %s", c.applied, e.command, answer)
		}
		if e.answer != answer {
			c.w.problem("entry %d %T makes %q of coordinator %d, and %q of another", c.applied, e.command, answer, c.id,
				e.answer)
		}
	}
}

// lastState is the state with all that is committed.
func (w *World) lastState() *run.State {
	best := &w.proof.state
	for w.proof.applied < len(w.raft.entries) {
		_ = best.Apply(w.raft.entries[w.proof.applied].command) // a refusal changes nothing
		w.proof.applied++
	}
	return best
}
