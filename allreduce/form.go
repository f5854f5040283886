package allreduce

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"byol/allreduce/link"
	"byol/allreduce/tcplink"
	"byol/internal/vector"
)

// redial is the pause before another try.
const redial = 30 * time.Millisecond

// Form makes this rank's end of the group of one generation. All ranks call it at about the same time; it returns
// when this rank is connected with every other, or, at ctx's deadline (without one, after cfg.Timeout), with the
// ranks that are missing in the error.
func Form(ctx context.Context, cfg GroupConfig) (*Group, error) {
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	if err := cfg.check(); err != nil {
		return nil, &PeerError{Rank: Nobody, Op: "form", Err: err}
	}
	g := newGroup(cfg)
	if g.Size() > 1 {
		f := former{g: g, start: time.Now(), found: make(chan found), culprit: Nobody}
		if err := f.run(ctx); err != nil {
			return nil, err
		}
	}
	if err := g.settle(ctx); err != nil {
		_ = g.Close()
		return nil, err
	}
	if cfg.OnWait != nil {
		g.wg.Go(g.reportWaits)
	}
	return g, nil
}

// newGroup is the group of a checked configuration, without its links.
func newGroup(cfg GroupConfig) *Group {
	last := cfg.Peers[len(cfg.Peers)-1]
	return &Group{cfg: cfg, shards: last.ShardEnd, tuning: untuned(), bulk: newGate(), small: newGate(),
		probes: prober{gate: newGate()}, done: make(chan struct{}), shutDone: make(chan struct{})}
}

// linkOptions are those of the ring's and the mesh's links. The mesh may be silent for as long as nobody gathers.
func (g *Group) linkOptions() (ring, mesh link.Options) {
	limit := g.cfg.Timeout
	return link.Options{RecvTimeout: limit, SendTimeout: limit}, link.Options{SendTimeout: limit}
}

// start gives the group its links, those of the mesh by rank, and listens to its peers.
func (g *Group) start(mesh []link.Link, next, prev link.Link) {
	g.next, g.prev = next, prev
	g.mesh = make([]*peer, g.Size())
	for r, l := range mesh {
		if l != nil {
			g.mesh[r] = newPeer(r, l)
		}
	}
	for _, p := range g.mesh {
		if p != nil {
			g.wg.Go(func() { g.listen(p) })
		}
	}
}

func (cfg *GroupConfig) check() error {
	if !vector.LittleEndian() {
		return errors.New("this machine is big-endian; vectors travel as little-endian memory")
	}
	if cfg.Rank < 0 || cfg.Rank >= len(cfg.Peers) {
		return fmt.Errorf("rank %d of %d peers", cfg.Rank, len(cfg.Peers))
	}
	if len(cfg.RunID) > maxRunID {
		return fmt.Errorf("run id of %d bytes: at most %d", len(cfg.RunID), maxRunID)
	}
	if int(cfg.Wire) >= len(wires) {
		return fmt.Errorf("unknown %v", cfg.Wire)
	}
	next := 0
	for r, p := range cfg.Peers {
		if p.ShardBegin != next || p.ShardEnd <= p.ShardBegin {
			return fmt.Errorf("rank %d owns shards [%d, %d): ranges must follow one another from 0 and not be empty; "+
				"use at least as many shards as ranks", r, p.ShardBegin, p.ShardEnd)
		}
		next = p.ShardEnd
	}
	if len(cfg.Peers) > 1 && cfg.Listener == nil {
		return errors.New("a group of several ranks needs a listener")
	}
	return nil
}

// found is a connection that has shaken hands, or the reason why one has not.
type found struct {
	role role
	rank int
	out  bool // we connected
	conn net.Conn
	err  error
}

// former gathers the connections of a group.
type former struct {
	g     *Group
	start time.Time
	found chan found

	mesh       []net.Conn
	next, prev net.Conn
	reasons    map[int]error // last error of connecting to a rank
	culprit    int           // the rank whose answer ends it all, or Nobody
}

// run fills in the group's links and starts its goroutines.
func (f *former) run(ctx context.Context) error {
	g := f.g
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, g.cfg.Timeout)
		defer cancel()
	}
	select {
	case <-g.cfg.Listener.turn:
	case <-ctx.Done():
		return f.missing(fmt.Errorf("listener is in use by another form: %w", context.Cause(ctx)))
	}
	defer func() { g.cfg.Listener.turn <- struct{}{} }()

	f.mesh, f.reasons = make([]net.Conn, g.Size()), map[int]error{}
	err := f.collect(ctx)
	if err != nil {
		for _, c := range append(f.mesh, f.next, f.prev) {
			if c != nil {
				_ = c.Close()
			}
		}
		return f.missing(err)
	}
	ring, mesh := g.linkOptions()
	links := make([]link.Link, g.Size())
	for r, c := range f.mesh {
		if c != nil {
			links[r] = tcplink.New(c, mesh)
		}
	}
	g.start(links, tcplink.New(f.next, ring), tcplink.New(f.prev, ring))
	return nil
}

// collect accepts and connects until nothing is missing. All its goroutines have ended when it returns.
func (f *former) collect(ctx context.Context) error {
	g := f.g
	ctx, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	deadline, _ := ctx.Deadline()
	all.Go(func() { f.accept(ctx, &all) })
	for r := range g.Rank() {
		all.Go(func() { f.connect(ctx, f.hello(roleMesh, r), deadline) })
	}
	all.Go(func() { f.connect(ctx, f.hello(roleRing, (g.Rank()+1)%g.Size()), deadline) })
	for !f.complete() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case c := <-f.found:
			if c.err != nil {
				f.note(c.rank, c.err)
				if errors.Is(c.err, ErrStale) || c.rank == Nobody {
					f.culprit = c.rank
					return c.err
				}
				continue
			}
			f.keep(c)
		}
	}
	return nil
}

// note keeps err as the reason why rank is missing. A timeout only says that time is over, which is known: it does not
// replace what was learned before.
func (f *former) note(rank int, err error) {
	var timeout interface{ Timeout() bool }
	if f.reasons[rank] != nil && errors.As(err, &timeout) && timeout.Timeout() {
		return
	}
	f.reasons[rank] = err
}

// keep notes a connection. A peer that connects again has given up the connection before.
func (f *former) keep(c found) {
	slot := &f.mesh[c.rank]
	if c.role == roleRing {
		slot = &f.prev
		if c.out {
			slot = &f.next
		}
	}
	if *slot != nil {
		_ = (*slot).Close()
	}
	*slot = c.conn
}

func (f *former) complete() bool { return f.next != nil && f.prev != nil && len(f.absent()) == 0 }

// absent lists the ranks of which a connection is missing.
func (f *former) absent() []int {
	g := f.g
	var ranks []int
	for r := range g.cfg.Peers {
		switch {
		case r == g.Rank():
		case f.mesh == nil || f.mesh[r] == nil,
			r == (g.Rank()+1)%g.Size() && f.next == nil,
			r == (g.Rank()+g.Size()-1)%g.Size() && f.prev == nil:
			ranks = append(ranks, r)
		}
	}
	return ranks
}

// missing is the error of a group that did not come together.
func (f *former) missing(cause error) error {
	e := &PeerError{Rank: f.culprit, Op: "form", Waited: time.Since(f.start)}
	var list []string
	for _, r := range f.absent() {
		if e.Rank == Nobody {
			e.Rank = r
		}
		text := fmt.Sprintf("rank %d (%s)", r, f.g.cfg.Peers[r].Address)
		if why := f.reasons[r]; why != nil {
			text += ": " + why.Error()
		}
		list = append(list, text)
	}
	e.Err = fmt.Errorf("generation %d of run %q: %w; missing: %s",
		f.g.cfg.Generation, f.g.cfg.RunID, cause, strings.Join(list, "; "))
	return e
}

func (f *former) hello(as role, to int) hello {
	cfg := &f.g.cfg
	return hello{
		role: as, generation: cfg.Generation, members: membersHash(cfg.Peers, cfg.Wire),
		rank: cfg.Rank, want: to, size: len(cfg.Peers), run: cfg.RunID,
	}
}

// deliver hands over c, or closes its connection when nobody wants it any more.
func (f *former) deliver(ctx context.Context, c found) {
	select {
	case f.found <- c:
	case <-ctx.Done():
		if c.conn != nil {
			_ = c.conn.Close()
		}
	}
}

// connect tries until the peer welcomes h.
func (f *former) connect(ctx context.Context, h hello, deadline time.Time) {
	for {
		conn, err := f.g.cfg.Listener.network.Dial(ctx, f.g.cfg.Peers[h.want].Address)
		if err == nil {
			detach := context.AfterFunc(ctx, func() { _ = conn.Close() })
			err = greet(conn, h, deadline)
			if !detach() && err == nil {
				err = context.Cause(ctx)
			}
			if err == nil {
				f.deliver(ctx, found{role: h.role, rank: h.want, out: true, conn: conn})
				return
			}
			_ = conn.Close()
		}
		f.deliver(ctx, found{rank: h.want, err: err})
		pause := time.NewTimer(redial)
		select {
		case <-ctx.Done():
			pause.Stop()
			return
		case <-pause.C:
		}
	}
}

// accept takes connections until ctx ends.
func (f *former) accept(ctx context.Context, all *sync.WaitGroup) {
	for {
		conn, err := f.g.cfg.Listener.next(ctx)
		switch {
		case ctx.Err() != nil:
			if conn != nil {
				_ = conn.Close()
			}
			return
		case err != nil:
			f.deliver(ctx, found{rank: Nobody, err: fmt.Errorf("accept: %w", err)})
			return
		}
		all.Go(func() { f.receive(ctx, conn) })
	}
}

// receive answers the hello of a connection and keeps the welcome ones.
func (f *former) receive(ctx context.Context, conn net.Conn) {
	detach := context.AfterFunc(ctx, func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(helloLimit))
	h, err := receiveHello(conn)
	v := otherRun
	if err == nil {
		v = f.hello(0, 0).judge(h)
		err = answer(conn, v, f.g.cfg.Generation)
	}
	if !detach() {
		_ = conn.Close()
		return
	}
	if v != welcome || err != nil {
		_ = conn.Close()
		return
	}
	_ = conn.SetDeadline(time.Time{})
	f.deliver(ctx, found{role: h.role, rank: h.rank, conn: conn})
}
