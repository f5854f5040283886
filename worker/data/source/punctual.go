package source

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// late is the error of what does not come: a disk or a server that hangs says nothing by itself.
func late(what string, patience time.Duration) error {
	return failed(what, fmt.Sprintf("nothing has come for %v", patience),
		"look whether the disk or the server that holds it answers; --data-timeout waits longer", nil)
}

// punctual is src whose Bytes return in time. What the system does cannot be called back: a read that does not come is
// left behind with its buffer, and ends, with its goroutine, when the system lets it, or with the process.
func punctual(src Source, patience time.Duration) Source {
	if patience <= 0 {
		return src
	}
	return &punctualSource{Source: src, patience: patience}
}

type punctualSource struct {
	Source
	patience time.Duration

	mu     sync.Mutex // guards all below
	idle   []*reader
	lost   int // readers that were left behind and have not come back
	closed bool
}

// reader is a goroutine that reads one image after another.
type reader struct {
	ask    chan request
	answer chan answer // room for one
	timer  *time.Timer
	lost   bool // guarded by the source's mu
}

type request struct {
	ctx context.Context
	i   int
	buf []byte
}

type answer struct {
	buf []byte
	err error
}

// Bytes implements Source. After an error buf may still be written to: it is nobody's.
func (p *punctualSource) Bytes(ctx context.Context, i int, buf []byte) ([]byte, error) {
	r, err := p.take()
	if err != nil {
		return nil, err
	}
	r.timer.Reset(p.patience)
	r.ask <- request{ctx, i, buf}
	select {
	case a := <-r.answer:
		r.timer.Stop()
		p.give(r)
		return a.buf, a.err
	case <-r.timer.C:
		p.leave(r)
		return nil, late("read image "+p.Name(i), p.patience)
	case <-ctx.Done():
		p.leave(r)
		return nil, context.Cause(ctx)
	}
}

func (p *punctualSource) take() (*reader, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	if n := len(p.idle); n > 0 {
		r := p.idle[n-1]
		p.idle = p.idle[:n-1]
		return r, nil
	}
	r := &reader{ask: make(chan request), answer: make(chan answer, 1), timer: time.NewTimer(p.patience)}
	go p.serve(r)
	return r, nil
}

// serve reads what r is asked for, until it is left behind or no more is asked.
func (p *punctualSource) serve(r *reader) {
	for q := range r.ask {
		buf, err := p.Source.Bytes(q.ctx, q.i, q.buf)
		r.answer <- answer{buf, err}
		if p.back(r) {
			return
		}
	}
}

// back ends the count of a reader that was left behind; the last one closes what was closed meanwhile.
func (p *punctualSource) back(r *reader) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !r.lost {
		return false
	}
	if p.lost--; p.lost == 0 && p.closed {
		_ = p.Source.Close()
	}
	return true
}

func (p *punctualSource) give(r *reader) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		close(r.ask)
		return
	}
	p.idle = append(p.idle, r)
}

// leave gives a reader up. One whose answer has come meanwhile ends here.
func (p *punctualSource) leave(r *reader) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-r.answer:
		close(r.ask)
	default:
		r.lost = true
		p.lost++
	}
}

// Close implements Source. Files that a lost reader may still use are closed by it.
func (p *punctualSource) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	for _, r := range p.idle {
		close(r.ask)
	}
	p.idle = nil
	if p.lost > 0 {
		return nil
	}
	return p.Source.Close()
}
