package simulate

import (
	"fmt"
	"time"

	"byol/coordinator/run"
)

// faults are what goes wrong in a run: drawn before it begins, by a time or by a moment of the protocol.
type faults struct {
	w       *World
	events  int
	lines   [coordinators + slots][coordinators + slots]*pipe
	planned []*fault
	counts  map[string]int
	slow    [coordinators + slots]time.Duration // what the host's messages or work take longer
	stall   time.Duration                       // of the leader's disk
	flips   string                              // what is damaged next
	flipped *process                            // whose results were
	lie     bool                                // the next gradient of a worker is wrong
	lied    *process                            // whose was
	odd     bool                                // the next gradient is no number
	oddAt   [2]int64                            // generation and step in which it was
}

// fault is one thing that goes wrong, at a time or in the nth such moment.
type fault struct {
	kind   string
	at     time.Duration
	moment string
	nth    int
	lasts  time.Duration
	done   bool
}

func (f *fault) String() string {
	if f.moment == "" {
		return fmt.Sprintf("%s at %v for %v", f.kind, f.at, f.lasts)
	}
	return fmt.Sprintf("%s in %s %d for %v", f.kind, f.moment, f.nth, f.lasts)
}

// kinds are all faults. Those that are listed more often come more often.
var kinds = []string{"kill worker", "kill worker", "kill worker", "stop worker", "stop worker", "kill leader",
	"kill leader", "stop leader", "stop leader", "kill coordinator", "cut host", "cut host", "cut line", "cut line",
	"cut way", "cut way", "break stream", "break stream", "slow host", "full disk", "stall disk", "flip", "gradient",
	"odd",
	"leave",
	"leave",
	"repeat",
	"repeat", "damage checkpoint", "pause", "save", "transfer", "kill coordinators", "kill workers", "kill all"}

// moments are where a fault may strike who has come there.
var moments = []string{"propose", "committed", "release", "welcome", "form", "restore", "ready", "forward", "ring",
	"result",
	"said", "span", "evaluate", "save"}

// plan draws what will go wrong.
func (w *World) plan() {
	f := &w.faults
	f.w, f.counts, f.oddAt = w, map[string]int{}, [2]int64{-1, -1}
	if w.o.Calm {
		return
	}
	once := map[string]bool{}
	for range 1 + w.rng.IntN(9) {
		x := &fault{kind: kinds[w.rng.IntN(len(kinds))], lasts: w.between(50*time.Millisecond, 9*time.Second)}
		single := x.kind == "flip" || x.kind == "odd" || x.kind == "gradient"
		if single && once[x.kind] || x.kind == "gradient" && !w.lies {
			continue
		}
		once[x.kind] = true
		if w.chance(60) {
			x.moment, x.nth = moments[w.rng.IntN(len(moments))], 1+w.rng.IntN(60)
		} else {
			x.at = w.between(300*time.Millisecond, healAt-2*time.Second)
			w.after(x.at, func() { w.carry(x, nil) })
		}
		f.planned = append(f.planned, x)
	}
}

// moment tells the faults where somebody has come.
func (w *World) moment(name string, who machineRef) {
	f := &w.faults
	f.counts[name]++
	for _, x := range f.planned {
		if x.moment == name && x.nth == f.counts[name] {
			w.carry(x, who)
		}
	}
}

// carry carries a fault out, on whoever came to its moment if that makes sense.
func (w *World) carry(x *fault, who machineRef) {
	if x.done || w.now >= healAt {
		return
	}
	x.done = true
	w.note("FAULT %v", x)
	w.out.Faults = append(w.out.Faults, x.kind+" in "+x.moment)
	p, _ := who.(*process)
	if p == nil {
		p = w.slots[w.rng.IntN(slots)]
	}
	c, _ := who.(*coordinator)
	if c == nil {
		c = w.coords[w.rng.IntN(coordinators)]
		if w.raft.leader >= 0 && x.kind != "kill coordinator" {
			c = w.coords[w.raft.leader]
		}
	}
	switch x.kind {
	case "kill worker", "stop worker", "leave", "repeat", "break stream":
		w.strikeWorker(x, p)
	case "kill leader", "stop leader", "kill coordinator", "transfer", "stall disk", "kill coordinators", "kill workers",
		"kill all":
		w.strikeCoordinator(x, c)
	case "cut host", "cut line", "cut way", "slow host":
		w.strikeLine(x)
	default:
		w.strikeState(x)
	}
}

func (w *World) strikeWorker(x *fault, p *process) {
	switch x.kind {
	case "kill worker":
		p.die("is killed")
		w.after(x.lasts, func() { w.revive(p) })
	case "stop worker":
		w.stop(&p.machine, x.lasts)
	case "leave":
		p.leave()
	case "break stream":
		if p.stream != nil && !p.stopped {
			s := p.stream
			s.up.closed = true // what was on its way is lost
			c := s.t.c
			c.on(w.between(0, 100*time.Millisecond), func() { s.hear(ended{"reset"}) })
			p.hangUp(0)
		}
	case "repeat":
		if n := len(p.old); n > 0 && p.welcome && !p.stopped {
			m := p.old[w.rng.IntN(n)]
			w.note("%s says again %T%+v", p.name(), m, m)
			p.stream.up.send(m)
		}
	}
}

// revive starts a slot's worker again that was killed.
func (w *World) revive(p *process) {
	if w.slots[p.slot] == p && !p.alive {
		w.start(p.slot)
	}
}

// stop holds a process for a while.
func (w *World) stop(m *machine, lasts time.Duration) {
	if !m.alive || m.stopped {
		return
	}
	w.note("host %d is stopped for %v", m.host, lasts)
	m.stopped = true
	w.after(lasts, m.resume)
}

func (w *World) strikeCoordinator(x *fault, c *coordinator) {
	switch x.kind {
	case "kill leader", "kill coordinator":
		c.kill()
		w.after(x.lasts, func() { w.coords[c.id].restart() })
	case "stop leader":
		w.stop(&c.machine, x.lasts)
	case "transfer":
		if next := (c.id + 1) % coordinators; w.raft.healthy(next) {
			w.raft.enthrone(next)
		}
	case "stall disk":
		w.faults.stall = x.lasts
		w.after(x.lasts, func() { w.faults.stall = 0 })
	default:
		if x.kind != "kill workers" {
			for _, o := range w.coords {
				o.kill()
				w.after(w.between(x.lasts/2, x.lasts), func() { w.coords[o.id].restart() })
			}
		}
		if x.kind != "kill coordinators" {
			for _, p := range w.slots {
				p.die("is killed")
				w.after(w.between(x.lasts/2, x.lasts), func() { w.revive(p) })
			}
		}
	}
}

func (w *World) strikeLine(x *fault) {
	a, b := w.rng.IntN(len(w.hosts)), w.rng.IntN(len(w.hosts))
	if x.kind == "slow host" {
		w.faults.slow[a] = w.between(20*time.Millisecond, 400*time.Millisecond)
		w.after(x.lasts, func() { w.faults.slow[a] = 0 })
		return
	}
	set := func(from, to int, cut bool) { w.cuts[from][to] = cut && from != to }
	for other := range w.hosts {
		if x.kind != "cut host" && other != b {
			continue
		}
		set(a, other, true)
		set(other, a, x.kind != "cut way")
	}
	w.after(x.lasts, func() {
		for other := range w.hosts {
			set(a, other, false)
			set(other, a, false)
		}
	})
}

func (w *World) strikeState(x *fault) {
	switch x.kind {
	case "full disk":
		w.disk.full = true
		w.after(x.lasts, func() { w.disk.full = false })
	case "flip":
		w.faults.flips = []string{"online", "momentum", "statistics", "sent"}[w.rng.IntN(4)]
	case "gradient":
		w.faults.lie = true
	case "odd":
		w.faults.odd = true
	case "damage checkpoint":
		if path, f := w.disk.newest(); path != "" {
			f.damaged = true
			w.disk.files[path] = f
		}
	case "pause":
		w.operate(run.Pause{})
		w.after(x.lasts/3, func() { w.operate(run.Resume{}) })
	case "save":
		w.operate(run.RequestSave{})
	}
}

// operate brings an operator's command to the leader, once there is one.
func (w *World) operate(command run.Command) {
	for _, c := range w.coords {
		if c.alive && !c.stopped && c.term != nil && c.leads == w.raft.term {
			c.term.operate(command)
			return
		}
	}
	w.after(500*time.Millisecond, func() { w.operate(command) })
}

// heal ends all that is wrong.
func (w *World) heal() {
	w.note("all is healed")
	w.cuts = [coordinators + slots][coordinators + slots]bool{}
	w.faults.slow, w.faults.stall = [coordinators + slots]time.Duration{}, 0
	w.disk.full = false
	w.operate(run.Resume{})
	for _, c := range w.coords {
		c.restart().resume()
	}
	for _, p := range w.slots {
		p.resume()
		w.revive(p)
	}
	w.proof.healed(w)
}

// lag is how much longer a message takes.
func (f *faults) lag(from, to int) time.Duration { return (f.slow[from] + f.slow[to]) / 10 }

// slowness is how much longer a worker computes.
func (f *faults) slowness(p *process) time.Duration { return f.slow[p.host] }

// diskLag is how much longer an entry of the log takes.
func (f *faults) diskLag(*coordinator) time.Duration { return f.stall / 2 }

// spoils reports whether the sum of all gradients is no number this time, as it is on all ranks.
func (f *faults) spoils(p *process, step int64) bool {
	at := [2]int64{p.group.generation, step}
	if f.odd {
		f.odd, f.oddAt = false, at
		f.w.note("the gradient of step %d in generation %d is no number", step, p.group.generation)
	}
	return f.oddAt == at
}

// distort damages the gradient of a shard before it is summed: nobody can tell from the sum.
func (f *faults) distort(p *process, shard int, gradient uint64) uint64 {
	if !f.lie {
		return gradient
	}
	f.lie, f.lied = false, p
	f.w.note("%s has a bit flipped in the gradient of shard %d", p.name(), shard)
	return gradient ^ 1
}

// flip damages what a worker would commit, or what it sends of it, where others can tell.
func (f *faults) flip(p *process) (sent uint64) {
	what := f.flips
	if what == "" || len(p.group.peers) < 2 {
		return 0
	}
	f.flips, f.flipped = "", p
	f.w.note("%s has a bit flipped in %s", p.name(), what)
	switch what {
	case "online":
		p.next.online ^= 1
	case "momentum":
		p.next.momentum ^= 1
	case "statistics":
		p.next.statistics ^= 1
	case "sent":
		return 1
	}
	return 0
}
