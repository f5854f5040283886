package simulate

import (
	"fmt"
	"slices"
	"time"

	"byol/coordinator/lead"
	"byol/coordinator/run"
	"byol/internal/failure"
)

// coordinator is one process of the control plane: a copy of the state, and while it leads a term.
type coordinator struct {
	machine
	w       *World
	id      int
	state   run.State
	applied int
	answers []error
	leads   int64 // the term that it believes to lead, 0 for none
	term    *term
}

// term is the shell of one term's leader: it has the streams and the vectors, and asks one question at a time.
type term struct {
	w       *World
	c       *coordinator
	number  int64
	version int64 // of the state that the leader knows
	lead    *lead.Lead
	streams map[lead.Stream]*stream
	inbox   []any // events, and slices with the streams they came on
	asks    bool
	intake  intake
	sent    *lead.Release
}

// intake is what workers' slices make, and the target.
type intake struct {
	open         lead.Open
	taking       bool
	ranks        []lead.Stream // of what was opened last
	slices       []uint64
	came         []bool
	target, next uint64 // ξ and ξ'
}

// stream is a worker's line to a coordinator. gone and lost say that it has ended at this end and at that.
type stream struct {
	id         lead.Stream
	t          *term
	p          *process
	up, down   *pipe
	gone, lost bool
	planned    bool // a plan has come down it
	heard      time.Time
}

// ended is the end of a stream, as it comes out of a pipe.
type ended struct{ why string }

// piece is a worker's slice of a vector, on its way up or down.
type piece struct {
	generation, step int64
	rank             int
	value            uint64
}

// kill ends the process: all that is left of it is on its disk.
func (c *coordinator) kill() {
	if !c.alive {
		return
	}
	c.w.note("coordinator %d is killed", c.id)
	c.alive, c.stopped, c.backlog = false, false, nil
	if t := c.term; t != nil {
		for _, s := range t.all() {
			s.down.send(ended{"the coordinator died"})
		}
	}
	if c.leads == c.w.raft.term {
		c.w.raft.leader = -1
	}
	c.leads, c.term = 0, nil
}

// restart begins again with the log.
func (c *coordinator) restart() *coordinator {
	if c.alive {
		return c
	}
	n := &coordinator{w: c.w, id: c.id}
	n.machine = machine{w: c.w, host: c.id, alive: true}
	c.w.coords[c.id], c.w.hosts[c.id] = n, n
	c.w.note("coordinator %d is started again", c.id)
	n.on(c.w.between(0, 50*time.Millisecond), func() { n.apply(len(c.w.raft.entries)) })
	return n
}

// lead begins a term, once all of the log is applied, and takes up a run that stood still.
func (c *coordinator) lead(number int64) {
	c.leads = number
	c.on(c.w.between(5*time.Millisecond, 20*time.Millisecond), func() {
		if c.leads != number {
			return
		}
		c.apply(len(c.w.raft.entries)) // the barrier
		var first run.Command
		switch {
		case c.state.Phase == "":
			first = run.Create{Settings: c.w.settings}
		case c.w.raft.down && !c.state.Phase.Final():
			first = run.TakeUp{Settings: c.w.settings}
		}
		if first == nil {
			c.begin(number)
			return
		}
		c.w.raft.propose(c, first, func(_ error, lost bool) {
			if lost || c.leads != number {
				c.depose()
				return
			}
			c.w.raft.down = false
			c.begin(number)
		})
	})
}

func (c *coordinator) begin(number int64) {
	w := c.w
	set := lead.Settings{Rates: w.model.rates, JoinTimeout: joinTimeout, FailureTimeout: failureTimeout, Grace: grace,
		Keep: 3, OnNaN: "skip", MaxSkips: 3, Address: "c:1", Replayed: map[int64]run.Record{}}
	t := &term{w: w, c: c, number: number, version: -1, streams: map[lead.Stream]*stream{},
		lead: lead.New(set, c.state.Clone(), w.clock())}
	c.term = t
	t.work()
	t.tick()
}

// depose ends what it believed to be its term.
func (c *coordinator) depose() {
	if c.leads == 0 {
		return
	}
	c.w.note("coordinator %d leads no more", c.id)
	if t := c.term; t != nil {
		for _, s := range t.all() {
			s.drop("the coordinator leads no more")
		}
	}
	c.leads, c.term = 0, nil
}

// all are the streams in the order in which they came.
func (t *term) all() []*stream {
	var all []*stream
	for _, s := range t.streams {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *stream) int { return int(a.id - b.id) })
	return all
}

func (t *term) tick() {
	t.c.on(tickPeriod, func() {
		if t.c.term != t {
			return
		}
		if !t.asks {
			heard := map[lead.Stream]time.Time{}
			for id, s := range t.streams {
				heard[id] = s.heard
			}
			t.post(lead.Tick{Heard: heard})
		}
		t.tick()
	})
}

// post tells the leader of an event, when what it asks is answered. A slice waits as long: a stream is read on when
// what came before is carried out.
func (t *term) post(e any) {
	if t.c.term != t {
		return
	}
	t.inbox = append(t.inbox, e)
	t.work()
}

// work tells the leader what waits, and of a state that others changed first, until it asks.
func (t *term) work() {
	for !t.asks && t.c.term == t {
		switch {
		case t.version != t.c.state.Version:
			t.version = t.c.state.Version
			t.happen(lead.Changed{State: t.c.state.Clone()})
		case len(t.inbox) == 0:
			return
		default:
			next := t.inbox[0]
			t.inbox = t.inbox[1:]
			if s, ok := next.(slice); ok {
				next = t.take(s)
			}
			if e, ok := next.(lead.Event); ok {
				t.happen(e)
			}
		}
	}
}

// happen carries out what the leader says to an event.
func (t *term) happen(e lead.Event) {
	for e != nil && t.c.term == t {
		actions := t.lead.Step(t.w.clock(), e)
		e = nil
		for _, a := range actions {
			e = t.do(a)
		}
	}
}

func (t *term) do(a lead.Action) lead.Event {
	w := t.w
	switch a := a.(type) {
	case lead.Propose:
		t.propose(a.Command)
	case lead.Weigh:
		return t.intake.weigh(&w.model)
	case lead.Open:
		t.open(a)
	case lead.Shut:
		t.intake.taking = false
	case lead.Adopt:
		t.intake.target = t.intake.next
	case lead.Release:
		t.intake.target, t.sent = t.intake.next, &a
		w.moment("release", t.c)
		for rank := range t.intake.ranks {
			t.sendSpan(rank)
		}
	case lead.Resume:
		t.resume(a)
	case lead.Send:
		t.send(a)
	case lead.Drop:
		if s := t.streams[a.Stream]; s != nil {
			s.drop(a.Why)
		}
	case lead.Tell:
		w.note("tell %s %s: %s", a.Kind, a.Worker, a.Text)
	case lead.Inspect:
		t.inspect(a)
	case lead.Seek:
		t.seek()
	case lead.Prune:
		w.disk.prune(a.Keep)
	case lead.End:
		w.end(t.c.state.Phase, a.Failure)
	}
	return nil
}

func (t *term) propose(command run.Command) {
	t.w.checkProposal(t.c, command)
	t.asks = true
	t.w.raft.propose(t.c, command, func(err error, lost bool) {
		if t.c.term != t {
			return
		}
		if lost || t.c.leads != t.number {
			t.c.depose()
			return
		}
		t.asks = false
		t.version = t.c.state.Version
		t.happen(lead.Answered{Command: command, Err: err, State: t.c.state.Clone()})
		t.work()
	})
}

// operate carries out what an operator asks for: the leader sees another state.
func (t *term) operate(command run.Command) {
	t.w.raft.propose(t.c, command, func(_ error, lost bool) {
		if !lost {
			t.work()
		}
	})
}

func (t *term) open(o lead.Open) {
	i := &t.intake
	if o.Restore {
		i.target, t.sent = 0, nil
	}
	i.open, i.taking, i.ranks = o, true, slices.Clone(o.Ranks)
	i.slices, i.came = make([]uint64, len(o.Ranks)), make([]bool, len(o.Ranks))
}

// slice is a piece that came on a stream.
type slice struct {
	from lead.Stream
	piece
}

// take is a slice that came, nil if nothing comes of it. A span comes in one piece here.
func (t *term) take(p slice) any {
	i := &t.intake
	rank := slices.Index(i.ranks, p.from)
	switch {
	case !i.taking || rank < 0 || p.generation != i.open.Generation || p.step != i.open.Step:
		return lead.Misplaced{Stream: p.from, Generation: p.generation, Step: p.step}
	case i.came[rank]:
		return nil
	}
	i.slices[rank], i.came[rank] = p.value, true
	return lead.Whole{Stream: p.from, Generation: p.generation, Step: p.step}
}

// weigh digests what came.
func (i *intake) weigh(m *model) lead.Event {
	i.taking = false
	w := lead.Weighed{Whole: gathered(i.slices)}
	for rank, v := range i.slices {
		w.Slices = append(w.Slices, sliceDigest(v, rank, len(i.slices)))
	}
	if i.next = w.Whole; !i.open.Restore {
		i.next = m.average(i.open.Step, i.target, w.Whole)
	}
	w.Target = i.next
	return w
}

// sliceDigest is that of one rank's slice of a vector.
func sliceDigest(whole uint64, rank, size int) uint64 { return mix(whole, uint64(rank), uint64(size)) }

func (t *term) resume(r lead.Resume) {
	rank := slices.Index(t.intake.ranks, r.Was)
	if rank < 0 {
		return
	}
	t.intake.ranks[rank] = r.Stream
	if t.sent != nil {
		t.sendSpan(rank)
	}
}

func (t *term) sendSpan(rank int) {
	if s := t.streams[t.intake.ranks[rank]]; s != nil {
		s.down.send(piece{t.sent.Generation, t.sent.Step, rank, t.intake.target})
	}
}

func (t *term) send(a lead.Send) {
	s := t.streams[a.Stream]
	if s == nil {
		return
	}
	s.down.send(a.Message)
	if _, refused := a.Message.(lead.Refused); refused {
		delete(t.streams, a.Stream)
		s.gone = true
		s.down.send(ended{"refused"})
	}
}

func (t *term) inspect(i lead.Inspect) {
	t.c.on(t.w.between(time.Millisecond, 50*time.Millisecond), func() {
		e := lead.Inspected{Inspect: i}
		if _, there := t.w.disk.files[i.Saved.Path]; !there {
			e.Problem = "no such file"
		}
		t.post(e)
	})
}

func (t *term) seek() {
	t.c.on(t.w.between(10*time.Millisecond, 300*time.Millisecond), func() {
		path, f := t.w.disk.newest()
		if path == "" {
			t.post(lead.Sought{Why: "no checkpoint verifies"})
			return
		}
		t.post(lead.Sought{Checkpoint: &run.Checkpoint{Step: f.state.step, Path: path, SHA256: fmt.Sprint(f.state.target)}})
	})
}

// drop hangs up on a worker.
func (s *stream) drop(why string) {
	delete(s.t.streams, s.id)
	s.gone = true
	s.down.send(ended{why})
}

// hear is what comes up a stream.
func (s *stream) hear(m any) {
	t := s.t
	if s.gone {
		return
	}
	if t.c.term != t {
		s.drop("the coordinator leads no more")
		return
	}
	s.heard = t.w.clock()
	switch m := m.(type) {
	case ended:
		s.gone = true
		delete(t.streams, s.id)
		t.post(lead.Gone{Stream: s.id, Why: m.why})
	case lead.Join:
		t.streams[s.id] = s
		t.post(lead.Joining{Stream: s.id, Join: m})
	case piece:
		t.post(slice{s.id, m})
	case lead.Message:
		t.post(lead.Said{Stream: s.id, Message: m})
	}
}

// end is the last thing that a leader says.
func (w *World) end(phase run.Phase, f *failure.Failure) {
	w.out.End = string(phase)
	if f != nil {
		w.out.End += ": " + f.Error()
	}
	w.note("the run ends: %s", w.out.End)
	w.judgeEnd(phase, f)
	w.over = true
}
