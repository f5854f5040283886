package simulate

import (
	"fmt"
	"slices"
	"time"

	"byol/coordinator/lead"
	"byol/coordinator/run"
)

// process is a worker: what it holds outlives groups and streams, and ends with it.
type process struct {
	machine
	slot, incarnation int
	spare             bool // a machine in place of one that is not let in any more
	id                run.WorkerID
	stream            *stream
	asked             int // coordinators
	welcome           bool
	deaf              time.Duration // since when the coordinator was not reached
	away              time.Duration // since when there is no coordinator
	opened            bool
	has               bool
	held              state
	computed          bool
	next              computed
	plan              run.Plan
	planned           bool
	group             *group
	broken            int64 // the newest generation whose group broke
	said              []statement
	old               []any // what it said of late, for those that repeat it
	mail              []letter
	savedAt           int64         // the last order of a checkpoint that was carried out
	writes            time.Duration // when the last checkpoint is written
	reports           []int64       // steps of the last checkpoints, which are told on each stream
	leaving           bool
}

// statement is what is said on every stream until a plan shows that it has been heard.
type statement struct {
	messages []any
	settled  func(run.Plan) bool
}

// start has a new process in a slot.
func (w *World) start(slot int) {
	p := &process{slot: slot, broken: -1, asked: w.rng.IntN(coordinators)}
	if old := w.slots[slot]; old != nil {
		p.incarnation, p.spare = old.incarnation+1, old.spare
	}
	p.machine = machine{w: w, host: coordinators + slot, alive: true}
	w.slots[slot], w.hosts[coordinators+slot] = p, p
	p.away = w.now
	p.on(w.between(0, 300*time.Millisecond), p.attach)
	p.on(time.Second, p.beat)
	p.on(w.between(100*time.Millisecond, 700*time.Millisecond), func() {
		p.opened = true
		p.say(nil, p.heartbeat())
	})
}

func (p *process) address() string { return fmt.Sprintf("w%d:%d", p.slot, p.incarnation) }

func (p *process) name() string { return fmt.Sprintf("w%d.%d", p.slot, p.incarnation) }

func (p *process) situation() string {
	text := p.name()
	switch {
	case !p.alive:
		return text + " dead"
	case p.stopped:
		text += " stopped"
	}
	text += fmt.Sprintf(" is %q, holds %v step %d, attached %v, plan g%d %s rank %d step %d", p.id, p.has, p.held.step,
		p.welcome, p.plan.Generation, p.plan.Phase, p.plan.Rank, p.plan.Step)
	if g := p.group; g != nil {
		text += fmt.Sprintf(", in g%d %s", g.generation, g.phase)
	}
	return text
}

// reach reports whether a coordinator hears and answers.
func (p *process) reach(c *coordinator) bool {
	return c.alive && !c.stopped && !p.w.cuts[p.host][c.host] && !p.w.cuts[c.host][p.host]
}

// attach asks the next coordinator to be let in.
func (p *process) attach() {
	w := p.w
	if p.stream != nil {
		return
	}
	if w.now-p.away > awayTimeout {
		w.note("%s gives up to look for a coordinator", p.name())
		p.exit(2 * time.Second)
		return
	}
	c := w.coords[p.asked%coordinators]
	p.asked++
	switch {
	case !p.reach(c):
		p.on(w.between(300*time.Millisecond, time.Second), p.attach)
		return
	case c.term == nil:
		if w.raft.leader >= 0 {
			p.asked = w.raft.leader // it says who leads
		}
		p.on(w.between(50*time.Millisecond, 300*time.Millisecond), p.attach)
		return
	}
	w.streams++
	s := &stream{id: lead.Stream(w.streams), t: c.term, p: p, heard: w.clock()}
	s.up = w.pipe(p.host, c.host, func(m any) { c.here(func() { s.hear(m) }) })
	s.down = w.pipe(c.host, p.host, func(m any) { p.here(func() { p.receive(s, m) }) })
	p.stream, p.deaf, p.welcome = s, w.now, false
	j := lead.Join{ID: string(p.id), Index: -1, Address: p.address(), Host: fmt.Sprint("h", p.slot),
		Incarnation: p.name(), PID: p.incarnation, Held: -1}
	if w.indexed && !p.spare {
		j.Index = p.slot
	}
	if p.has {
		j.Held = p.held.step
	}
	s.up.send(j)
}

// receive is what comes down a stream.
func (p *process) receive(s *stream, m any) {
	if s.lost || p.stream != s {
		return
	}
	w := p.w
	switch m := m.(type) {
	case ended:
		p.hangUp(w.between(0, 200*time.Millisecond))
	case lead.Refused:
		p.hangUp(w.between(500*time.Millisecond, 1500*time.Millisecond))
		if !m.Temporary {
			w.note("%s is refused for good: %s", p.name(), m.Reason)
			p.spare = true
			p.exit(w.between(time.Second, 3*time.Second))
		}
	case lead.Welcome:
		p.id, p.welcome = m.ID, true
		w.moment("welcome", p)
		if p.opened {
			s.up.send(p.heartbeat())
		}
	case run.Plan:
		p.said = slices.DeleteFunc(p.said, func(s statement) bool { return s.settled(m) })
		if !s.planned { // by the plan it is known what need not be said again
			s.planned = true
			for _, said := range p.said {
				for _, message := range said.messages {
					s.up.send(message)
				}
			}
		}
		p.obey(m)
	case piece:
		if g := p.group; g != nil {
			g.span(m, true)
		}
	}
}

// hangUp ends the stream at this end, and looks for the next one.
func (p *process) hangUp(after time.Duration) {
	if p.stream == nil {
		return
	}
	p.stream.lost = true
	p.stream.up.send(ended{"its socket was closed"})
	p.stream.down.closed = true
	p.stream, p.welcome, p.away = nil, false, p.w.now
	p.on(after, p.attach)
}

// say tells the coordinator something. With settled it is said again on other streams until then.
func (p *process) say(settled func(run.Plan) bool, messages ...any) {
	if settled != nil {
		p.said = append(p.said, statement{messages, settled})
		p.old = append(p.old, messages[0]) // a span is never repeated on one stream: it is a part of what came before it
		p.old = p.old[max(0, len(p.old)-24):]
	}
	if p.welcome && (settled == nil || p.stream.planned) {
		for _, m := range messages {
			p.stream.up.send(m)
		}
	}
}

func (p *process) heartbeat() lead.Beat {
	b := lead.Beat{Phase: "idle", Step: p.held.step}
	if p.opened {
		b.Device = "sim"
	}
	if g := p.group; g != nil {
		b.Phase = g.phase
	}
	return b
}

// beat is the pulse of a worker.
func (p *process) beat() {
	w := p.w
	p.on(time.Second, p.beat)
	if p.stream == nil {
		return
	}
	if p.reach(p.stream.t.c) {
		p.deaf = w.now
	}
	if w.now-p.deaf >= failureTimeout {
		w.note("%s hears its coordinator no more", p.name())
		p.hangUp(0)
		return
	}
	p.say(nil, p.heartbeat())
}

// obey takes a plan.
func (p *process) obey(plan run.Plan) {
	if p.planned && plan.Version < p.plan.Version {
		return
	}
	if p.planned && plan.Version == p.plan.Version && plan.Generation < p.plan.Generation {
		return
	}
	p.plan, p.planned = plan, true
	p.act()
}

// act does what the newest plan asks for and has not been done.
func (p *process) act() {
	plan, g := p.plan, p.group
	if plan.Phase.Final() {
		p.w.note("%s ends: %s %s", p.name(), plan.Phase, plan.Reason)
		p.exit(p.w.between(time.Second, 4*time.Second))
		return
	}
	if g != nil && g.generation != plan.Generation {
		g.close(-1)
		g = nil
	}
	if g == nil {
		if plan.Generation > p.broken && plan.Phase == run.Running && plan.Rank >= 0 && len(plan.Peers) > 0 {
			p.enter(plan)
		}
		return
	}
	if g.busy || !plan.Started || p.has && plan.Step < p.held.step {
		return // there is nothing to do, or the plan of what comes next is on its way
	}
	if !p.has || p.held.step != plan.Step {
		p.w.problem("%s is to go on at step %d and holds step %d", p.name(), plan.Step, p.held.step)
		return
	}
	if plan.Save && plan.SaveOrder > p.savedAt {
		p.save(plan)
	}
	switch {
	case plan.Evaluate && g.evaluated != plan.Step:
		g.evaluate(plan)
	case !plan.Evaluate && plan.Phase == run.Running:
		g.step()
	}
}

// save writes a checkpoint, while the training goes on.
func (p *process) save(plan run.Plan) {
	w, s := p.w, p.held
	p.savedAt = plan.SaveOrder
	w.moment("save", p)
	p.writes = max(p.writes, w.now) + w.between(20*time.Millisecond, 200*time.Millisecond) // one after the other
	p.on(p.writes-w.now, func() {
		said := lead.Saved{Step: s.step, Order: plan.SaveOrder, SHA256: fmt.Sprint(s.target), Bytes: 9}
		if w.disk.full {
			said.Error = "no space left on device"
		} else {
			w.disk.saved++
			said.Path = fmt.Sprintf("step-%d-%d", s.step, w.disk.saved)
			w.disk.files[said.Path] = file{state: s}
			w.checkStored(p, s)
		}
		p.reports = append(p.reports, s.step)
		p.reports = p.reports[max(0, len(p.reports)-run.MaxSaving):]
		p.say(func(run.Plan) bool { return !slices.Contains(p.reports, said.Step) }, said)
	})
}

// adopt holds a state that was committed.
func (p *process) adopt(s state, how string) {
	p.w.checkAdopted(p, s, how)
	p.held, p.has, p.computed = s, true, false
}

// leave asks to go.
func (p *process) leave() {
	if !p.alive || p.stopped || p.leaving {
		return
	}
	p.leaving = true
	p.w.note("%s is asked to go", p.name())
	p.say(func(n run.Plan) bool { return n.Phase.Final() }, lead.Leaving{Reason: "asked"})
}

// exit ends the process in good order. Another one takes its place later, while the run lasts.
func (p *process) exit(again time.Duration) {
	if !p.alive {
		return
	}
	p.die("ends")
	slot := p.slot
	p.w.after(again, func() {
		if p.w.slots[slot] == p {
			p.w.start(slot)
		}
	})
}

// die is the end, however it comes: the system closes what it held.
func (p *process) die(verb string) {
	if !p.alive {
		return
	}
	w := p.w
	w.note("%s %s", p.name(), verb)
	if p.group != nil {
		p.group.close(p.group.rank)
	}
	p.alive, p.backlog = false, nil
	if p.stream != nil {
		p.stream.up.send(ended{"its socket was closed"})
		p.stream.lost, p.stream.down.closed = true, true
	}
}
