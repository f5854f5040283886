package simulate

import (
	"fmt"
	"math"
	"slices"
	"time"

	"byol/coordinator/lead"
	"byol/coordinator/run"
)

// group is a worker's part of one generation: peers that never change, and what was got from them.
type group struct {
	p          *process
	generation int64
	rank       int
	peers      []run.Peer
	phase      string
	busy       bool
	evaluated  int64
	hellos     []bool
	own        []uint64 // the worker's own gradients, as it gave them
	parts      []uint64 // gradients by shard
	have       []bool
	spans      []uint64 // ξ' by rank
	came       []bool
	early      []letter      // parts of a step that has not begun here
	waits      int           // counts waits, so that an old alarm is known
	until      time.Duration // when the wait for peers is over
}

// letter is a message from rank to rank.
type letter struct {
	generation, step int64
	from             int
	kind             string // hello, part, span or close
	shards           []uint64
	value            uint64
	suspect          int
}

// enter forms the group of a plan.
func (p *process) enter(plan run.Plan) {
	n := len(plan.Peers)
	g := &group{p: p, generation: plan.Generation, rank: plan.Rank, peers: plan.Peers,
		phase: "form", busy: true, evaluated: -1, hellos: make([]bool, n)}
	p.group = g
	p.w.moment("form", p)
	if p.group != g {
		return
	}
	g.hellos[g.rank] = true
	g.tell(letter{kind: "hello"})
	g.wait()
	waiting := p.mail
	p.mail = nil
	for _, l := range waiting {
		p.deliver(l)
	}
	g.formed()
}

// peer is the process that has a rank, nil if it is no more.
func (g *group) peer(rank int) *process {
	var slot, incarnation int
	if _, err := fmt.Sscanf(g.peers[rank].Address, "w%d:%d", &slot, &incarnation); err != nil {
		return nil
	}
	q := g.p.w.slots[slot]
	if q.incarnation != incarnation || !q.alive {
		return nil
	}
	return q
}

// tell sends all others a letter. A peer that is no more refuses it.
func (g *group) tell(l letter) {
	l.generation, l.from = g.generation, g.rank
	for rank := range g.peers {
		if rank != g.rank {
			g.tellOne(rank, l)
		}
	}
}

func (g *group) tellOne(rank int, l letter) {
	w, p := g.p.w, g.p
	q := g.peer(rank)
	if q == nil {
		p.on(w.between(time.Millisecond, 20*time.Millisecond), func() { p.breaks(g.generation, rank) })
		return
	}
	w.lines(p.host, q.host).send(func() { q.here(func() { q.deliver(l) }) })
}

// lines is the connection between two hosts. All groups use one here, which keeps the order.
func (w *World) lines(from, to int) *pipe {
	p := &w.faults.lines[from][to]
	if *p == nil {
		*p = w.pipe(from, to, func(m any) { m.(func())() })
	}
	return *p
}

// deliver takes a letter of the present group, and keeps one of a later group.
func (p *process) deliver(l letter) {
	g := p.group
	switch {
	case g == nil || g.generation < l.generation:
		if l.generation > p.broken {
			p.mail = append(p.mail, l)
			p.mail = p.mail[max(0, len(p.mail)-64):]
		}
		return
	case g.generation > l.generation:
		return
	}
	g.progress()
	switch l.kind {
	case "hello":
		g.hellos[l.from] = true
		g.formed()
	case "part":
		g.part(l)
	case "span":
		g.span(piece{l.generation, l.step, l.from, l.value}, false)
	case "close":
		p.breaks(l.generation, l.suspect)
	}
}

// wait begins to wait for peers: who waits longer than the failure timeout complains.
func (g *group) wait() {
	g.waits++
	g.progress()
	g.alarm(g.waits)
}

func (g *group) progress() { g.until = g.p.w.now + failureTimeout }

// done ends a wait.
func (g *group) done() { g.waits++ }

func (g *group) alarm(of int) {
	p := g.p
	p.on(g.until-p.w.now, func() {
		switch {
		case p.group != g || g.waits != of:
		case p.w.now < g.until:
			g.alarm(of)
		default:
			g.complain(g.missing())
		}
	})
}

// missing is a rank that is waited for, −1 for none.
func (g *group) missing() int {
	if g.phase == "form" {
		return slices.Index(g.hellos, false)
	}
	if g.phase == "share" {
		return slices.Index(g.came, false)
	}
	for v, have := range g.have {
		if !have {
			return slices.IndexFunc(g.peers, func(o run.Peer) bool { return v < o.ShardEnd })
		}
	}
	return -1
}

// breaks ends a worker's group, if it is that of the generation.
func (p *process) breaks(generation int64, suspect int) {
	if g := p.group; g != nil && g.generation == generation {
		g.complain(suspect)
	}
}

// complain gives up the group and says whom it holds for the cause.
func (g *group) complain(suspect int) {
	p := g.p
	p.broken = max(p.broken, g.generation)
	p.w.note("%s: the group of generation %d broke in %s, by rank %d", p.name(), g.generation, g.phase, suspect)
	c := lead.Complaint{Generation: g.generation, Step: p.held.step, Phase: g.phase, Suspect: suspect, Reason: "broken"}
	g.close(suspect)
	p.say(func(n run.Plan) bool { return n.Generation > g.generation || n.Phase.Final() }, c)
}

// close ends the worker's part. Its peers notice, and may take it for the cause.
func (g *group) close(suspect int) {
	p, w := g.p, g.p.w
	p.group = nil
	if suspect < 0 || w.chance(30) {
		suspect = g.rank
	}
	l := letter{kind: "close", suspect: suspect, generation: g.generation, from: g.rank}
	for rank := range g.peers {
		if q := g.peer(rank); rank != g.rank && q != nil {
			w.lines(p.host, q.host).send(func() { q.here(func() { q.deliver(l) }) })
		}
	}
}

// formed goes on once all have said hello.
func (g *group) formed() {
	if g.p.group != g || g.phase != "form" || slices.Contains(g.hellos, false) {
		return
	}
	g.done()
	g.phase = "restore"
	g.p.w.moment("restore", g.p)
	g.restore(g.p.w.now + failureTimeout)
}

// restore makes the worker hold the state of the plan's step.
func (g *group) restore(until time.Duration) {
	p, w, plan := g.p, g.p.w, g.p.plan
	if p.group != g || plan.Generation != g.generation {
		return
	}
	if how := p.recover(plan); how != "" {
		g.phase = "ready"
		p.on(w.between(0, 10*time.Millisecond), g.ready)
		return
	}
	if w.now >= until {
		g.phase = "lacks"
		p.say(func(n run.Plan) bool { return n.Generation > g.generation || n.Phase.Final() },
			lead.Ready{Generation: g.generation, Step: plan.Step, Lacks: true, Problem: "nobody gives the state"})
		return
	}
	p.on(w.between(50*time.Millisecond, 150*time.Millisecond), func() { g.restore(until) })
}

// recover looks for the state of a plan's step: the worker's own, the step that it computed where that was committed,
// the seed, the checkpoint, and the peers. It says where it was, "" for nowhere.
func (p *process) recover(plan run.Plan) string {
	w, want := p.w, plan.Committed
	if p.has && p.held.matches(plan.Step, want) {
		return "own"
	}
	if s := p.held; p.has && want.Parts && s.matches(s.step, want) { // a step that changed nothing
		s.step = plan.Step
		p.adopt(s, "unchanged")
		return "unchanged"
	}
	if c := p.next; p.has && p.computed && p.held.step == plan.Step-1 && c.step == p.held.step && want.Parts &&
		c.online == want.Online && c.momentum == want.Momentum && c.statistics == want.Statistics {
		s := w.model.adopt(p.held, c, w.model.average(c.step, p.held.target, c.online))
		if s.matches(plan.Step, want) {
			p.adopt(s, "roll forward")
			return "roll forward"
		}
	}
	if plan.Step == 0 && plan.Restore.Path == "" {
		p.adopt(w.model.truth[0], "seed")
		return "seed"
	}
	if f, ok := w.disk.files[plan.Restore.Path]; ok && plan.Restore.Step == plan.Step && !f.damaged {
		p.adopt(f.state, "checkpoint")
		return "checkpoint"
	}
	if !want.Parts {
		return ""
	}
	for rank := range plan.Peers {
		q := p.group.peer(rank)
		if q == nil || q == p || q.stopped || w.cuts[p.host][q.host] || w.cuts[q.host][p.host] {
			continue
		}
		if q.has && q.held.matches(plan.Step, want) {
			p.adopt(q.held, "peer")
			return "peer"
		}
	}
	return ""
}

// ready says what the worker holds.
func (g *group) ready() {
	if g.p.group != g {
		return
	}
	g.at("ready", g.sayReady)
}

// at goes on in a moment in which faults may strike: not if it ends the group, and later if it stops the worker.
func (g *group) at(moment string, on func()) {
	g.p.w.moment(moment, g.p)
	g.p.here(func() {
		if g.p.group == g {
			on()
		}
	})
}

func (g *group) sayReady() {
	p, w, s := g.p, g.p.w, g.p.held
	w.proof.say("ready", g.generation, s.step, p.id)
	d := lead.Digests{Online: s.online, Momentum: s.momentum, Statistics: s.statistics, Target: s.target,
		Slice: sliceDigest(s.target, g.rank, len(g.peers))}
	p.say(func(n run.Plan) bool { return n.Generation != g.generation || n.Started },
		lead.Ready{Generation: g.generation, Step: s.step, Digests: d, Fingerprint: "k", Manifest: "m", Parameters: 64},
		piece{g.generation, s.step, g.rank, s.target})
	g.busy = false
	p.act()
}

// step computes the next step, and sends its part to the others.
func (g *group) step() {
	p, w := g.p, g.p.w
	g.busy, g.phase = true, "forward"
	n := w.model.shards
	g.parts, g.have = make([]uint64, n), make([]bool, n)
	g.spans, g.came = make([]uint64, len(g.peers)), make([]bool, len(g.peers))
	early := g.early
	g.early = nil
	for _, l := range early {
		g.part(l)
	}
	w.moment("forward", p)
	p.on(w.between(10*time.Millisecond, 60*time.Millisecond)+w.faults.slowness(p), func() {
		if p.group != g {
			return
		}
		g.phase = "ring"
		g.at("ring", g.sum)
	})
}

// sum sends the worker's part to the others.
func (g *group) sum() {
	p := g.p
	me := g.peers[g.rank]
	l := letter{kind: "part", step: p.held.step, from: g.rank, generation: g.generation}
	for v := me.ShardBegin; v < me.ShardEnd; v++ {
		l.shards = append(l.shards, p.w.faults.distort(p, v, p.w.model.gradient(p.held, v)))
	}
	g.own = l.shards
	g.wait()
	g.tell(l)
	g.part(l)
}

// part is a peer's part of the sum. One that comes before the worker has begun the step waits for it.
func (g *group) part(l letter) {
	p := g.p
	if l.step != p.held.step || g.phase != "forward" && g.phase != "ring" {
		if l.step > p.held.step || l.step == p.held.step && !g.busy {
			g.early = append(g.early, l)
		}
		return
	}
	begin := g.peers[l.from].ShardBegin
	for i, value := range l.shards {
		if g.have[begin+i] {
			p.w.problem("%s adds shard %d twice", p.name(), begin+i)
		}
		g.parts[begin+i], g.have[begin+i] = value, true
	}
	if g.phase == "ring" && !slices.Contains(g.have, false) {
		g.done()
		g.phase = "update"
		g.update()
	}
}

// update makes the next state of the sum, and says what the worker would commit.
func (g *group) update() {
	p, w := g.p, g.p.w
	step := p.held.step
	odd := step == w.model.odd || w.faults.spoils(p, step)
	if odd && w.chance(50) {
		p.broken = max(p.broken, g.generation)
		g.close(-1)
		p.say(func(n run.Plan) bool { return n.Generation > g.generation || n.Phase.Final() },
			lead.Complaint{Generation: g.generation, Step: step, Phase: "update", Suspect: -1, NotFinite: true, Reason: "NaN"})
		return
	}
	p.next, p.computed = w.model.update(p.held, g.parts), true
	sent := w.faults.flip(p)
	c := p.next
	r := lead.Result{Generation: g.generation, Step: step, Digests: lead.Digests{Online: c.online, Momentum: c.momentum,
		Statistics: c.statistics, Target: p.held.target, Slice: sliceDigest(c.online, g.rank, len(g.peers))}}
	me := g.peers[g.rank]
	for v := me.ShardBegin; v < me.ShardEnd; v++ {
		s := lead.Shard{Shard: v, Loss: 1, Images: 2, Samples: sample(step, v),
			Gradient: g.own[v-me.ShardBegin]}
		if odd {
			s.Loss = math.NaN()
		}
		r.Shards = append(r.Shards, s)
	}
	g.phase = "commit"
	g.at("result", func() {
		w.proof.say("result", g.generation, step, p.id)
		p.say(func(n run.Plan) bool { return n.Generation != g.generation || n.Step > step },
			r, piece{g.generation, step, g.rank, c.online ^ sent})
		w.moment("said", p)
	})
}

// span is a rank's span of ξ': the worker's own comes from the coordinator, and goes on to the others.
func (g *group) span(m piece, own bool) {
	p := g.p
	if m.generation != g.generation || !p.has || m.step != p.held.step || g.phase != "commit" && g.phase != "share" {
		return
	}
	if own && m.rank != g.rank {
		return
	}
	if own && g.phase == "commit" {
		g.phase = "share"
		g.at("span", func() {
			g.wait()
			g.tell(letter{kind: "span", step: m.step, value: m.value})
			g.got(m)
		})
		return
	}
	g.got(m)
}

// got has one more span. With all of them the step is committed.
func (g *group) got(m piece) {
	p := g.p
	if p.held.step != m.step {
		return
	}
	g.spans[m.rank], g.came[m.rank] = m.value, true
	if slices.Contains(g.came, false) {
		return
	}
	g.done()
	p.adopt(p.w.model.adopt(p.held, p.next, gathered(g.spans)), "commit")
	g.busy, g.phase = false, "idle"
	p.act()
}

// evaluate measures the committed state.
func (g *group) evaluate(plan run.Plan) {
	p, w := g.p, g.p.w
	g.busy, g.phase = true, "evaluate"
	w.moment("evaluate", p)
	p.on(w.between(20*time.Millisecond, 80*time.Millisecond), func() {
		if p.group != g {
			return
		}
		g.busy, g.phase, g.evaluated = false, "idle", plan.Step
		p.say(func(n run.Plan) bool { return n.Generation != g.generation || n.Version > plan.Version && !n.Evaluate },
			lead.Measured{Generation: g.generation, Step: plan.Step, Counts: []run.Count{{Name: "knn", Correct: 1, Total: 2}}})
		p.act()
	})
}
