package pjrt

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"byol/model/pjrt/capi"
	"byol/model/pjrt/hlo"
	"byol/model/pjrt/share"
)

// limits are how long other machines are counted on, and again is how often they are asked.
var limits = share.Limits{Silence: 20 * time.Second, Patience: 2 * time.Minute, Whole: 15 * time.Minute}

const again = 200 * time.Millisecond

// shelf is what other machines are told and given. It implements share.Shelf.
type shelf struct {
	store    *store
	platform share.Platform

	mu     sync.Mutex // guards the rest
	wanted map[key]bool
	runs   map[key]share.Seal
}

func newShelf(s *store, about string) *shelf {
	return &shelf{store: s, platform: sha256.Sum256([]byte(about)), wanted: map[key]bool{}, runs: map[key]share.Seal{}}
}

// Platform implements share.Shelf.
func (s *shelf) Platform() share.Platform { return s.platform }

// Look implements share.Shelf.
func (s *shelf) Look(keys []key) []share.Entry {
	entries := make([]share.Entry, len(keys))
	for i, k := range keys {
		seal, stored := s.store.seal(k)
		s.mu.Lock()
		running, runs := s.runs[k]
		switch {
		case stored && runs && running == seal:
			entries[i] = share.Entry{State: share.Runs, Seal: seal}
		case stored:
			entries[i] = share.Entry{State: share.Stored, Seal: seal}
		case s.wanted[k]:
			entries[i].State = share.Working
		}
		s.mu.Unlock()
	}
	return entries
}

// Code implements share.Shelf.
func (s *shelf) Code(k key, seal share.Seal) []byte {
	if s.store.dir == "" {
		return nil
	}
	if code := s.store.load(k); share.SealOf(code) == seal {
		return code
	}
	return nil
}

// begin says what this machine wants, besides what it runs already; nil: nothing any more.
func (s *shelf) begin(wanted map[key]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted = wanted
}

// ran says that a program runs, as it is stored.
func (s *shelf) ran(k key) {
	seal, stored := s.store.seal(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.wanted, k)
	if stored {
		s.runs[k] = seal
	}
}

// keep forgets all running programs but those.
func (s *shelf) keep(wanted map[key]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.runs, func(k key, _ share.Seal) bool { return !wanted[k] })
}

// gathered is what is known of other machines in one compilation, and what came from them.
type gathered struct {
	mu      sync.Mutex // guards the rest
	table   *share.Table
	missing map[key]bool
	arrived map[key]arrived
	taken   int // programs that came and run
}

// arrived is a program that came from another machine, with its seal.
type arrived struct {
	host string
	code []byte
}

// gather begins to ask other machines for what is missing, where there are any. What it returns ends that, and waits
// for it.
func (c *compilation) gather(ctx context.Context) (end func()) {
	if c.exchange == nil {
		return func() {}
	}
	g := &gathered{missing: map[key]bool{}, arrived: map[key]arrived{}}
	for _, s := range c.queue {
		g.missing[c.key(s.Digest())] = true
	}
	c.shelf.begin(maps.Clone(g.missing))
	self, others := c.exchange.Hosts()
	if len(others) == 0 || len(g.missing) == 0 {
		return func() { c.shelf.begin(nil) }
	}
	g.table = share.NewTable(self, others, limits, time.Now())
	c.gathered = g
	slices.SortStableFunc(c.queue, func(a, b *hlo.Segment) int { // this machine's turns come first
		return turn(g.table.Mine(c.key(b.Digest()))) - turn(g.table.Mine(c.key(a.Digest())))
	})
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	for _, host := range others {
		group.Go(func() { c.follow(ctx, host) })
	}
	return func() {
		cancel()
		group.Wait()
		c.shelf.begin(nil)
		if g.taken > 0 {
			c.store.note(fmt.Sprintf("%d of %d programs came from other machines", g.taken, c.all))
		}
	}
}

func turn(mine bool) int {
	if mine {
		return 1
	}
	return 0
}

// follow asks one machine again and again, as long as something is missing and it is counted on.
func (c *compilation) follow(ctx context.Context, host string) {
	g := c.gathered
	timer := time.NewTimer(again)
	defer timer.Stop()
	for {
		g.mu.Lock()
		keys := slices.SortedFunc(maps.Keys(g.missing), func(a, b key) int { return slices.Compare(a[:], b[:]) })
		asks := g.table.Asks(host, time.Now())
		g.mu.Unlock()
		if len(keys) == 0 || !asks || ctx.Err() != nil {
			return
		}
		entries, err := c.exchange.Look(ctx, host, c.shelf.platform, keys)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			c.distrust(host, err)
		default:
			g.mu.Lock()
			g.table.Heard(host, keys, entries, time.Now())
			g.mu.Unlock()
			for _, k := range keys {
				c.fetch(ctx, host, k)
			}
		}
		timer.Reset(again)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

// fetch takes a program from a machine, if that is where it is to come from.
func (c *compilation) fetch(ctx context.Context, host string, k key) {
	step := c.decide(k)
	if _, here := c.arrival(k); here || step.What != share.Take || step.Host != host || ctx.Err() != nil {
		return
	}
	code, err := c.exchange.Fetch(ctx, host, c.shelf.platform, k, step.Seal)
	g := c.gathered
	switch {
	case err == nil:
		g.mu.Lock()
		g.arrived[k] = arrived{host, code}
		g.mu.Unlock()
	case ctx.Err() == nil:
		g.mu.Lock()
		g.table.Failed(host)
		g.mu.Unlock()
		c.distrust(host, err)
	}
}

// distrust gives a machine up where an error says that it is of no use. Others come to nothing, or to its silence.
func (c *compilation) distrust(host string, err error) {
	if !errors.Is(err, share.ErrOther) && !errors.Is(err, share.ErrDamaged) {
		return
	}
	c.gathered.mu.Lock()
	counted := c.gathered.table.Drop(host)
	c.gathered.mu.Unlock()
	if counted {
		c.store.note("programs of another machine are not taken: " + err.Error())
	}
}

// decide says what to do about a program now.
func (c *compilation) decide(k key) share.Step {
	var own share.Entry
	if seal, ok := c.store.seal(k); ok {
		own = share.Entry{State: share.Stored, Seal: seal}
	}
	c.gathered.mu.Lock()
	defer c.gathered.mu.Unlock()
	if !c.gathered.missing[k] {
		return share.Step{What: share.Use}
	}
	return c.gathered.table.Decide(k, own, time.Now())
}

func (c *compilation) arrival(k key) (a arrived, ok bool) {
	c.gathered.mu.Lock()
	defer c.gathered.mu.Unlock()
	a, ok = c.gathered.arrived[k]
	return a, ok
}

// take loads what came from another machine, and keeps it; nil where it is of no use: then that machine is none.
func (c *compilation) take(k key, a arrived) *capi.Executable {
	x, err := c.client.Load(a.code)
	g := c.gathered
	if err != nil {
		g.mu.Lock()
		delete(g.arrived, k)
		g.mu.Unlock()
		c.distrust(a.host, fmt.Errorf("what came from %s cannot be loaded: %w: %w", a.host, share.ErrDamaged, err))
		return nil
	}
	if c.store.dir != "" {
		c.store.keep(k, a.code)
	}
	g.mu.Lock()
	g.taken++
	g.mu.Unlock()
	c.has(k)
	return x
}

// has says that a program is missing no more.
func (c *compilation) has(k key) {
	c.gathered.mu.Lock()
	defer c.gathered.mu.Unlock()
	delete(c.gathered.missing, k)
	delete(c.gathered.arrived, k)
}
