package simulate

import "time"

// event is something that happens at a time; of two at one time the one that was thought of first.
type event struct {
	at  time.Duration
	seq int
	do  func()
}

// queue is a heap of events.
type queue []event

func (q queue) before(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}

func (q *queue) push(e event) {
	*q = append(*q, e)
	h := *q
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h.before(i, parent) {
			return
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

func (q *queue) pop() event {
	h := *q
	first, last := h[0], len(h)-1
	h[0] = h[last]
	h[last] = event{}
	h = h[:last]
	*q = h
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			return first
		}
		if child+1 < last && h.before(child+1, child) {
			child++
		}
		if !h.before(child, i) {
			return first
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}

// after has something happen later, whoever lives then.
func (w *World) after(d time.Duration, do func()) {
	w.faults.events++
	w.queue.push(event{w.now + d, w.faults.events, do})
}

// every has something happen again and again.
func (w *World) every(d time.Duration, do func()) {
	w.after(d, func() {
		do()
		w.every(d, do)
	})
}

// machine is a process: it lives, is stopped, and is continued with all that came meanwhile.
type machine struct {
	w              *World
	host           int
	alive, stopped bool
	backlog        []func()
}

func (m *machine) is() *machine { return m }

// on has something happen to a process, unless it has died. While it is stopped that waits.
func (m *machine) on(d time.Duration, do func()) {
	m.w.after(d, func() { m.here(do) })
}

func (m *machine) here(do func()) {
	switch {
	case !m.alive:
	case m.stopped:
		m.backlog = append(m.backlog, do)
	default:
		do()
	}
}

// resume continues a stopped process.
func (m *machine) resume() {
	if !m.alive || !m.stopped {
		return
	}
	m.stopped = false
	waiting := m.backlog
	m.backlog = nil
	for _, do := range waiting {
		m.on(0, do)
	}
}

// pipe is one direction of a connection: what is sent arrives in order, and what meets a cut line waits for it.
type pipe struct {
	w        *World
	from, to int // hosts
	deliver  func(any)
	free     time.Duration // when what was sent last arrives
	stuck    []any
	closed   bool
}

func (w *World) pipe(from, to int, deliver func(any)) *pipe {
	return &pipe{w: w, from: from, to: to, deliver: deliver}
}

func (p *pipe) send(m any) {
	if p.closed {
		return
	}
	w := p.w
	p.free = max(p.free, w.now+w.between(200*time.Microsecond, 4*time.Millisecond)+w.faults.lag(p.from, p.to))
	w.after(p.free-w.now, func() { p.arrive(m) })
}

func (p *pipe) arrive(m any) {
	if p.closed {
		return
	}
	if p.stuck = append(p.stuck, m); len(p.stuck) == 1 {
		p.flush()
	}
}

// flush delivers what waits, or tries again.
func (p *pipe) flush() {
	w := p.w
	if p.closed {
		return
	}
	if w.cuts[p.from][p.to] {
		w.after(50*time.Millisecond, p.flush)
		return
	}
	waiting := p.stuck
	p.stuck = nil
	for _, m := range waiting {
		p.deliver(m)
	}
}
