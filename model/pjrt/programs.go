package pjrt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"byol/internal/atomicfile"
	"byol/model/pjrt/capi"
	"byol/model/pjrt/hlo"
)

// programs are compiled segments, by what they compute.
type programs struct {
	client   *capi.Client
	options  capi.CompileOptions
	about    string // everything besides the text that decides what is compiled
	cache    string
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
	c := &compilation{programs: p, missing: missing}
	var group sync.WaitGroup
	for range min(p.threads, len(missing)) {
		group.Go(func() {
			for s := c.next(ctx); s != nil; s = c.next(ctx) {
				x, err := p.one(s)
				c.done(s, x, err)
			}
		})
	}
	group.Wait()
	p.of = map[*hlo.Segment]*capi.Executable{}
	for _, s := range segments {
		p.of[s] = p.known[s.Digest()]
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
	mu       sync.Mutex // guards the rest, and known
	missing  []*hlo.Segment
	begun    int
	finished int
	errs     []error
}

func (c *compilation) next(ctx context.Context) *hlo.Segment {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := ctx.Err(); err != nil && len(c.errs) == 0 {
		c.errs = append(c.errs, context.Cause(ctx))
	}
	if c.begun == len(c.missing) || len(c.errs) > 0 {
		return nil
	}
	c.begun++
	return c.missing[c.begun-1]
}

func (c *compilation) done(s *hlo.Segment, x *capi.Executable, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.errs = append(c.errs, fmt.Errorf("program %s: %w", s.Name, err))
		return
	}
	c.known[s.Digest()] = x
	c.finished++
	if c.progress != nil {
		c.progress(c.finished, len(c.missing))
	}
}

// one compiles a segment, or loads what another process compiled.
func (p *programs) one(s *hlo.Segment) (*capi.Executable, error) {
	if p.cache == "" {
		return p.client.Compile([]byte(s.Text()), p.options)
	}
	d := s.Digest()
	key := sha256.Sum256(slices.Concat([]byte(p.about), d[:]))
	path := filepath.Join(p.cache, fmt.Sprintf("%x.program", key[:16]))
	if code := readSealed(path); code != nil {
		if x, err := p.client.Load(code); err == nil {
			return x, nil
		}
	}
	x, err := p.client.Compile([]byte(s.Text()), p.options)
	if err != nil {
		return nil, err
	}
	code, err := x.Serialize()
	if err == nil {
		err = writeSealed(path, code)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("keep it in %s: %w", p.cache, err), x.Destroy())
	}
	return x, nil
}

// A sealed file is a digest and what it is of: plugins need not survive a damaged program.

func writeSealed(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	seal := sha256.Sum256(content)
	return atomicfile.Write(path, slices.Concat(seal[:], content))
}

// readSealed is the content of a file, nil if it is not there or is damaged.
func readSealed(path string) []byte {
	all, err := os.ReadFile(path)
	if err != nil || len(all) < sha256.Size {
		return nil
	}
	seal := sha256.Sum256(all[sha256.Size:])
	if !bytes.Equal(all[:sha256.Size], seal[:]) {
		return nil
	}
	return all[sha256.Size:]
}

// also compiles a segment beside the others, unless it is known.
func (p *programs) also(s *hlo.Segment) error {
	d := s.Digest()
	if p.known[d] == nil {
		x, err := p.one(s)
		if err != nil {
			return err
		}
		p.known[d] = x
	}
	p.of[s] = p.known[d]
	return nil
}
