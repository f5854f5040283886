package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"byol/worker/data/source"
)

func sorted(entries []source.Entry) []source.Entry {
	slices.SortFunc(entries, func(a, b source.Entry) int { return strings.Compare(a.Name, b.Name) })
	return slices.Compact(entries)
}

// object is an open file.
type object struct {
	in   *Store
	name string
	meta meta
}

// Stat implements source.File: an object stays the one that it was.
func (o *object) Stat() (source.Info, error) {
	return source.Info{Kind: source.Regular, Size: o.meta.size, Version: o.meta.version()}, nil
}

// Close implements source.File.
func (o *object) Close() error { return nil }

// ReadAt implements io.ReaderAt: from the cache, or else from the server, while the cache fetches the object.
func (o *object) ReadAt(p []byte, off int64) (int, error) {
	if off >= o.meta.size {
		return 0, io.EOF
	}
	short := int64(len(p)) > o.meta.size-off
	if short {
		p = p[:o.meta.size-off]
	}
	if c := o.in.cache; c == nil || !c.read(o, p, off) {
		if c != nil {
			c.want(o)
		}
		if err := o.in.fill(o, p, off); err != nil {
			return 0, err
		}
	}
	if short {
		return len(p), io.EOF
	}
	return len(p), nil
}

// fill reads a part from the server. A cut connection is taken up where it broke.
func (s *Store) fill(o *object, p []byte, off int64) error {
	b, key, err := s.of(o.name)
	if err != nil {
		return err
	}
	return s.retry(s.ctx, "read", o.name, func(ctx context.Context) (bool, error) {
		ctx, end := context.WithCancel(ctx)
		defer end()
		body, err := b.get(ctx, key, o.meta, off, int64(len(p)))
		if err != nil {
			return false, err
		}
		body = watch(body, end, stall(s.cfg.Patience))
		n, err := io.ReadFull(body, p)
		_ = body.Close()
		p, off = p[n:], off+int64(n)
		if len(p) == 0 {
			return true, nil
		}
		return n > 0, err
	})
}

// Sequential gives the object to be read from its start to its end: out of the cache if it has room, so that what is
// fetched now need not be fetched again, else as a stream. Close ends it.
func (o *object) Sequential(ctx context.Context) (io.ReaderAt, func(), error) {
	if c := o.in.cache; c != nil && c.fetch(ctx, o) {
		return o, func() {}, nil
	}
	s := &stream{ctx: ctx, of: o}
	return s, s.close, context.Cause(ctx)
}

// stream reads an object forwards. It belongs to one goroutine.
type stream struct {
	ctx  context.Context
	of   *object
	body io.ReadCloser
	end  context.CancelFunc
	at   int64
}

// skip is how many bytes are read over rather than asked for anew.
const skip = 1 << 20

func (s *stream) close() {
	if s.body != nil {
		_ = s.body.Close()
		s.end()
		s.body = nil
	}
}

// ReadAt implements io.ReaderAt.
func (s *stream) ReadAt(p []byte, off int64) (int, error) {
	if off >= s.of.meta.size {
		return 0, io.EOF
	}
	n := min(int64(len(p)), s.of.meta.size-off)
	done := int64(0)
	b, key, err := s.of.in.of(s.of.name)
	if err != nil {
		return 0, err
	}
	err = s.of.in.retry(s.ctx, "read", s.of.name, func(context.Context) (bool, error) {
		from := off + done
		if s.body != nil && (s.at > from || from-s.at > skip) {
			s.close()
		}
		if s.body == nil {
			ctx, end := context.WithCancel(s.ctx)
			body, err := b.get(ctx, key, s.of.meta, from, s.of.meta.size-from)
			if err != nil {
				end()
				return false, err
			}
			s.body, s.end, s.at = watch(body, end, stall(s.of.in.cfg.Patience)), end, from
		}
		skipped, err := io.CopyN(io.Discard, s.body, from-s.at)
		s.at += skipped
		if err == nil {
			var got int
			got, err = io.ReadFull(s.body, p[done:n])
			s.at += int64(got)
			done += int64(got)
		}
		if err != nil {
			s.close()
		}
		return done > 0, err
	})
	if err == nil && n < int64(len(p)) {
		err = io.EOF
	}
	return int(done), err
}

// watch ends a body that stands still.
func watch(body io.ReadCloser, end context.CancelFunc, still time.Duration) io.ReadCloser {
	return &watched{ReadCloser: body, timer: time.AfterFunc(still, end), still: still}
}

type watched struct {
	io.ReadCloser
	timer *time.Timer
	still time.Duration
	late  bool
}

// Read implements io.Reader.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	if !w.timer.Stop() {
		w.late = true
	}
	if err != nil && w.late {
		return n, fmt.Errorf("nothing came for %v: %w", w.still, errors.Join(err, errStill))
	}
	w.timer.Reset(w.still)
	return n, err
}

// Close implements io.Closer.
func (w *watched) Close() error {
	w.timer.Stop()
	return w.ReadCloser.Close()
}

var errStill = errors.New("the server stands still")
