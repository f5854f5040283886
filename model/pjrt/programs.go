package pjrt

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"byol/internal/pause"
	"byol/model/pjrt/capi"
	"byol/model/pjrt/hlo"
	"byol/model/pjrt/share"
)

// programs are compiled segments, by what they compute.
type programs struct {
	client   *capi.Client
	options  capi.CompileOptions
	about    string // everything besides the text that decides what is compiled
	store    store
	exchange share.Exchange // nil: nobody else is asked
	shelf    *shelf         // what others are given; nil without an exchange
	threads  int
	progress func(done, total int)
	known    map[digest]*capi.Executable
	of       map[*hlo.Segment]*capi.Executable // of the segments of the last compilation
}

// compile compiles those of the segments that are not known yet, and gives up the others. An end of ctx is noticed
// between two programs.
func (p *programs) compile(ctx context.Context, segments []*hlo.Segment) error {
	wanted, missing := map[digest]bool{}, []*hlo.Segment(nil)
	for _, s := range segments {
		d := s.Digest()
		if !wanted[d] && p.known[d] == nil {
			missing = append(missing, s)
		}
		wanted[d] = true
	}
	p.keep(wanted)
	c := &compilation{programs: p, queue: missing, all: len(missing), progress: p.progress,
		waited: map[*hlo.Segment]bool{}}
	if c.progress != nil && c.all > 0 {
		c.progress(0, c.all)
	}
	end := c.gather(ctx)
	var group sync.WaitGroup
	for range min(p.threads, len(missing)) {
		group.Go(func() { c.work(ctx) })
	}
	group.Wait()
	end()
	p.of = map[*hlo.Segment]*capi.Executable{}
	for _, s := range segments {
		p.of[s] = p.known[s.Digest()]
	}
	used := map[key]bool{}
	for d := range wanted {
		used[p.key(d)] = true
	}
	p.store.prune(used)
	if p.shelf != nil {
		p.shelf.keep(used)
	}
	return errors.Join(c.errs...)
}

// keep gives up all programs but those.
func (p *programs) keep(wanted map[digest]bool) {
	for d, x := range p.known {
		if !wanted[d] {
			_ = x.Destroy() // nothing is left to do about it
			delete(p.known, d)
		}
	}
}

// compilation is several programs on the way.
type compilation struct {
	*programs
	all      int
	progress func(done, total int) // optional

	mu       sync.Mutex // guards the rest, and known
	queue    []*hlo.Segment
	waited   map[*hlo.Segment]bool // that another process compiles
	finished int
	gathered *gathered // nil: nobody else is asked
	errs     []error
}

// elsewherePause is how long another process that compiles a program is left to it.
const elsewherePause = 50 * time.Millisecond

// work compiles what is left. What another process is compiling comes last: by then it can be loaded.
func (c *compilation) work(ctx context.Context) {
	for s := c.next(ctx); s != nil; s = c.next(ctx) {
		x, err := c.one(s)
		if !errors.Is(err, errElsewhere) {
			c.done(s, x, err)
			continue
		}
		if c.later(s) {
			pause.For(ctx, elsewherePause)
		}
	}
}

func (c *compilation) next(ctx context.Context) *hlo.Segment {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := ctx.Err(); err != nil && len(c.errs) == 0 {
		c.errs = append(c.errs, context.Cause(ctx))
	}
	if len(c.queue) == 0 || len(c.errs) > 0 {
		return nil
	}
	s := c.queue[0]
	c.queue = c.queue[1:]
	return s
}

// later puts a program back that another process compiles, and reports whether it was before.
func (c *compilation) later(s *hlo.Segment) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	again := c.waited[s]
	c.queue, c.waited[s] = append(c.queue, s), true
	return again
}

func (c *compilation) done(s *hlo.Segment, x *capi.Executable, err error) {
	if c.shelf != nil && err == nil {
		c.shelf.ran(c.key(s.Digest()))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.errs = append(c.errs, fmt.Errorf("program %s: %w", s.Name, err))
		return
	}
	c.known[s.Digest()] = x
	c.finished++
	if c.progress != nil {
		c.progress(c.finished, c.all)
	}
}

// key is what a program is kept as: everything that decides what is compiled.
func (p *programs) key(d digest) (k key) {
	all := sha256.Sum256(slices.Concat([]byte(p.about), d[:]))
	copy(k[:], all[:])
	return k
}

// errElsewhere says that another process is compiling a program.
var errElsewhere = errors.New("another process compiles it")

// one gets a segment: from another machine, from the store, or by compiling it.
func (c *compilation) one(s *hlo.Segment) (*capi.Executable, error) {
	k := c.key(s.Digest())
	if c.gathered == nil {
		return c.here(s, k)
	}
	if a, ok := c.arrival(k); ok {
		if x := c.take(k, a); x != nil {
			return x, nil
		}
	}
	if what := c.decide(k).What; what == share.Wait || what == share.Take {
		return nil, errElsewhere
	}
	x, err := c.here(s, k)
	if err == nil {
		c.has(k)
	}
	return x, err
}

// here loads a segment that this or another process of this machine compiled, or compiles it.
func (p *programs) here(s *hlo.Segment, k key) (*capi.Executable, error) {
	if p.store.dir == "" {
		return p.client.Compile([]byte(s.Text()), p.options)
	}
	if x := p.loaded(k); x != nil {
		return x, nil
	}
	release, ok := p.store.claim(k)
	if !ok {
		return nil, errElsewhere
	}
	defer release()
	if x := p.loaded(k); x != nil { // it was finished in between
		return x, nil
	}
	x, err := p.client.Compile([]byte(s.Text()), p.options)
	if err != nil {
		return nil, err
	}
	code, err := x.Serialize()
	if err != nil {
		p.store.lacks(err)
		return x, nil
	}
	p.store.keep(k, code)
	return x, nil
}

// loaded is a program of the store, nil where it has none that can be used.
func (p *programs) loaded(k key) *capi.Executable {
	code := p.store.load(k)
	if code == nil {
		return nil
	}
	x, err := p.client.Load(code)
	if err != nil {
		p.store.drop(k, err.Error())
		return nil
	}
	return x
}

// also compiles a segment beside the others, unless it is known.
func (p *programs) also(ctx context.Context, s *hlo.Segment) error {
	d := s.Digest()
	if p.known[d] == nil {
		c := &compilation{programs: p, queue: []*hlo.Segment{s}, all: 1, waited: map[*hlo.Segment]bool{}}
		c.work(ctx)
		if len(c.errs) > 0 {
			return c.errs[0]
		}
	}
	p.of[s] = p.known[d]
	return nil
}
