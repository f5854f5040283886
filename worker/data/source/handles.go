package source

import (
	"context"
	"errors"
	"slices"
	"sync"
	"syscall"
)

const (
	fewFiles  = 64   // open where the limit is not known
	manyFiles = 1024 // no more gain anything
)

// handles keeps some of a set's files open, the last used ones, so that any number of them can be read under any limit
// of open files. Safe for concurrent use.
type handles struct {
	from  Files
	paths []string
	most  int // how many may be open with nobody using them

	mu   sync.Mutex // guards all below
	open []handleOf
	idle []int // open and used by nobody, the least used first
	shut bool
}

type handleOf struct {
	file  File // nil: not open
	users int
}

func (h *handles) init(from Files, paths []string, most int) {
	h.from, h.paths, h.most, h.open = from, paths, max(most, 1), make([]handleOf, len(paths))
}

// take gives file i, open until give.
func (h *handles) take(ctx context.Context, i int) (File, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.shut {
		return nil, ErrClosed
	}
	o := &h.open[i]
	if o.file == nil {
		f, err := h.from.Open(ctx, h.paths[i])
		for len(h.idle) > 0 && (errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)) {
			h.drop()
			f, err = h.from.Open(ctx, h.paths[i])
		}
		if err != nil {
			return nil, err
		}
		o.file = f
	} else if o.users == 0 {
		h.idle = slices.DeleteFunc(h.idle, func(j int) bool { return j == i })
	}
	o.users++
	return o.file, nil
}

// give ends the use of file i.
func (h *handles) give(i int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o := &h.open[i]
	if o.users--; o.users > 0 || o.file == nil {
		return
	}
	h.idle = append(h.idle, i)
	for len(h.idle) > h.most {
		h.drop()
	}
}

// drop closes the least used of those that nobody uses. What closing a file that was only read says is nobody's
// concern.
func (h *handles) drop() {
	i := h.idle[0]
	h.idle = h.idle[1:]
	_ = h.open[i].file.Close()
	h.open[i].file = nil
}

// close closes all. No call may run beside it.
func (h *handles) close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.shut, h.idle = true, nil
	var errs []error
	for i := range h.open {
		if f := h.open[i].file; f != nil {
			errs = append(errs, f.Close())
		}
		h.open[i] = handleOf{}
	}
	return errors.Join(errs...)
}
