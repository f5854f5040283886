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
	"byol/internal/network"
	"byol/internal/pause"
	"byol/internal/vector"
)

// redial is the pause before another try.
const redial = 30 * time.Millisecond

// Form makes this rank's end of the group of one generation. All ranks call it; it returns when this rank is connected
// with every other, or with an error that names who is missing: when one gave no sign of life for cfg.Timeout, or when
// ctx ended. A rank whose process lives but does not form yet is waited for.
func Form(ctx context.Context, cfg GroupConfig) (*Group, error) {
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	if err := cfg.check(); err != nil {
		return nil, &PeerError{Rank: Nobody, Op: "form", Err: err}
	}
	g := newGroup(cfg)
	if cfg.OnWait != nil {
		g.wg.Go(g.reportWaits)
	}
	if g.Size() > 1 {
		f := former{g: g, start: time.Now(), found: make(chan found), culprit: Nobody}
		if err := f.run(ctx); err != nil {
			g.fail(g.observed(f.culprit, err)) // others may have formed it
			g.wg.Wait()
			return nil, err
		}
	}
	if err := g.settle(ctx); err != nil {
		_ = g.Close()
		return nil, err
	}
	return g, nil
}

// newGroup is the group of a checked configuration, without its links.
func newGroup(cfg GroupConfig) *Group {
	last := cfg.Peers[len(cfg.Peers)-1]
	return &Group{cfg: cfg, shards: last.ShardEnd, order: orderOf(&cfg), tuning: untuned(), bulk: newGate(),
		small: newGate(), done: make(chan struct{}), shutDone: make(chan struct{})}
}

// attach gives the group its links, those of the mesh by rank.
func (g *Group) attach(mesh []link.Link, next, prev link.Link) {
	g.next, g.prev = next, prev
	g.mesh = make([]*peer, g.Size())
	for r, l := range mesh {
		if l != nil {
			g.mesh[r] = newPeer(r, l)
		}
	}
}

// start listens to the group's peers.
func (g *Group) start() {
	for _, p := range g.mesh {
		if p != nil {
			g.wg.Go(func() { g.listen(p) })
			g.wg.Go(func() { g.pulse(p) })
		}
	}
	g.wg.Go(g.watch)
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

// found is what became of a try: a connection that has shaken hands, a sign of life, or the reason why there is none.
type found struct {
	role  role
	rank  int
	out   bool // we connected
	conn  net.Conn
	err   error
	alive bool // the rank's process has answered
}

// former gathers the connections of a group.
type former struct {
	g     *Group
	start time.Time
	found chan found

	mesh       []net.Conn
	next, prev net.Conn
	reasons    map[int]error // last error of connecting to a rank
	heard      []time.Time   // last sign of life, by rank
	knocked    []time.Time   // when a rank first said that it forms this group, too, by rank
	culprit    int           // the rank whose answer ends it all, or Nobody
}

// run fills in the group's links and starts its goroutines.
func (f *former) run(ctx context.Context) error {
	g := f.g
	select {
	case <-g.cfg.Listener.turn:
	case <-ctx.Done():
		return f.missing(fmt.Errorf("listener is in use by another form: %w", context.Cause(ctx)))
	}
	defer func() { g.cfg.Listener.turn <- struct{}{} }()

	f.mesh, f.reasons = make([]net.Conn, g.Size()), map[int]error{}
	f.heard, f.knocked = make([]time.Time, g.Size()), make([]time.Time, g.Size())
	for r := range f.heard {
		f.heard[r] = time.Now()
	}
	err := f.collect(ctx)
	links := make([]link.Link, g.Size())
	for r, c := range f.mesh {
		links[r] = f.over(c)
	}
	g.attach(links, f.over(f.next), f.over(f.prev))
	if err != nil {
		return f.missing(err)
	}
	g.start()
	return nil
}

// over is the link over a connection, nil where there is none.
func (f *former) over(c net.Conn) link.Link {
	if c == nil {
		return nil
	}
	return f.g.cfg.Traffic.over(tcplink.New(c, link.Options{}))
}

// Why a group did not come together.
var (
	errMissing = errors.New("no sign of life")
	errGaveUp  = errors.New("a rank has given this group up")
)

// collect accepts and connects until nothing is missing. All its goroutines have ended when it returns.
func (f *former) collect(ctx context.Context) error {
	g := f.g
	ctx, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	all.Go(func() { f.accept(ctx, &all) })
	for r := range g.Size() {
		switch {
		case r < g.Rank():
			all.Go(func() { f.connect(ctx, f.hello(roleMesh, r)) })
		case r > g.Rank():
			all.Go(func() { f.knock(ctx, f.hello(roleKnock, r)) })
		}
	}
	all.Go(func() { f.connect(ctx, f.hello(roleRing, (g.Rank()+1)%g.Size())) })
	tick := time.NewTicker(network.TimeoutsOf(g.cfg.Timeout).Heartbeat / 4)
	defer tick.Stop()
	slot := &g.waits[slotReceive]
	defer slot.end()
	for !f.complete() {
		if absent := f.absent(); !slot.waitsFor(absent[0]) {
			slot.begin(&operation{kind: opForm}, absent[0])
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case now := <-tick.C:
			if err := f.overdue(now); err != nil {
				return err
			}
		case c := <-f.found:
			if err := f.take(c); err != nil {
				return err
			}
		}
	}
	return nil
}

// take notes what became of a try. An error ends it all.
func (f *former) take(c found) error {
	switch {
	case c.alive:
		now := time.Now()
		period := network.TimeoutsOf(f.g.cfg.Timeout).Heartbeat
		if since := f.knocked[c.rank]; !since.IsZero() && now.Sub(since) > period { // and not an answer from before
			f.culprit = c.rank
			return errGaveUp
		}
		f.heard[c.rank] = now
		return nil
	case c.conn != nil:
		f.keep(c)
		return nil
	case errors.Is(c.err, ErrStale) || c.rank == Nobody:
		f.culprit = c.rank
		f.note(c.rank, c.err)
		return c.err
	case errors.Is(c.err, errForming): // and fails, on its side, when it cannot get through to this rank
		if f.knocked[c.rank].IsZero() {
			f.knocked[c.rank] = time.Now()
			f.heard[c.rank] = f.knocked[c.rank]
		}
	}
	f.note(c.rank, c.err)
	return nil
}

// overdue is an error once a rank that is missing has given no sign of life for the timeout.
func (f *former) overdue(now time.Time) error {
	for _, r := range f.absent() {
		if d := now.Sub(f.heard[r]); d >= f.g.cfg.Timeout {
			f.culprit = r
			return errMissing
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
	f.heard[c.rank] = time.Now()
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

// missing is the error of a group that did not come together. It names the pair, and the address that was tried.
func (f *former) missing(cause error) error {
	g := f.g
	e := &PeerError{Rank: f.culprit, Witness: g.Rank(), Op: opForm.String(), Phase: "connect", Waited: time.Since(f.start)}
	absent := f.absent()
	if e.Rank == Nobody && len(absent) > 0 {
		e.Rank = absent[0]
	}
	me := called(g.Rank(), g.cfg.Peers[g.Rank()].Name)
	var list []string
	for _, r := range absent {
		list = append(list, f.missed(me, r))
	}
	if e.Rank != Nobody {
		e.Name, e.Address = g.cfg.Peers[e.Rank].Name, g.cfg.Peers[e.Rank].Address
	}
	if len(list) == 0 {
		list = append(list, "nobody")
	}
	e.Err = fmt.Errorf("generation %d of run %q: %w: %s", g.cfg.Generation, g.cfg.RunID, cause, strings.Join(list, "; "))
	return e
}

// missed says in words that there is no connection with rank r.
func (f *former) missed(me string, r int) string {
	p := f.g.cfg.Peers[r]
	them, why := called(r, p.Name), f.reasons[r]
	switch {
	case errors.Is(why, errForming) && r > f.g.Rank():
		return fmt.Sprintf("%s answers at %s, but does not get through to %s at %s", them, p.Address, me,
			f.g.cfg.Peers[f.g.Rank()].Address)
	case why == nil:
		return fmt.Sprintf("%s waits for %s at %s", me, them, p.Address)
	}
	return fmt.Sprintf("%s cannot reach %s at %s: %v", me, them, p.Address, why)
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

// try connects to the rank that h wants, and returns the connection once it welcomes h.
func (f *former) try(ctx context.Context, h hello) (net.Conn, error) {
	limit := f.g.cfg.Timeout
	dialling, cancel := context.WithTimeout(ctx, limit/2)
	peer := f.g.cfg.Peers[h.want]
	conn, err := f.g.cfg.Listener.network.Dial(dialling, peer.Address)
	cancel()
	if err != nil {
		return nil, err
	}
	if !calls(conn, peer.Name) {
		_ = conn.Close()
		return nil, fmt.Errorf("%w: whoever is there has no certificate as %s", errRefused, peer.Name)
	}
	detach := context.AfterFunc(ctx, func() { _ = conn.Close() })
	err = greet(conn, h, limit, func() { f.deliver(ctx, found{rank: h.want, alive: true}) })
	if !detach() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// calls reports whether the other end of a connection may have that name: always, where the network does not know.
func calls(conn net.Conn, name string) bool {
	known, ok := conn.(interface{ Calls(name string) bool })
	return !ok || known.Calls(name)
}

// connect tries until the peer welcomes h.
func (f *former) connect(ctx context.Context, h hello) {
	for {
		conn, err := f.try(ctx, h)
		if err == nil {
			f.deliver(ctx, found{role: h.role, rank: h.want, out: true, conn: conn})
			return
		}
		f.deliver(ctx, found{rank: h.want, err: err, alive: errors.Is(err, errEarly)})
		if !pause.For(ctx, redial) {
			return
		}
	}
}

// knock asks a rank that is to connect to this one for signs of life, once it takes its time.
func (f *former) knock(ctx context.Context, h hello) {
	period := network.TimeoutsOf(f.g.cfg.Timeout).Heartbeat
	for pause.For(ctx, period) {
		conn, err := f.try(ctx, h)
		if err == nil {
			_ = conn.Close()
			err = errForming
		}
		f.deliver(ctx, found{rank: h.want, err: err, alive: errors.Is(err, errEarly)})
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
		if v = f.hello(0, 0).judge(h); v == welcome && !calls(conn, f.g.cfg.Peers[h.rank].Name) {
			v = notForMe
		}
		err = answer(conn, v, f.g.cfg.Generation)
	}
	if !detach() {
		_ = conn.Close()
		return
	}
	if v != welcome || err != nil || h.role == roleKnock {
		_ = conn.Close()
		return
	}
	_ = conn.SetDeadline(time.Time{})
	f.deliver(ctx, found{role: h.role, rank: h.rank, conn: conn})
}
