package data

import (
	"context"
	"errors"
	"io/fs"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"byol/worker/data/picture"
	"byol/worker/data/source"
)

// Unreadable is an image that a run would have to replace, or that cannot be read at all.
type Unreadable struct {
	Index int
	Name  string
	Err   error
	Ends  bool // the run: it is no picture that another one replaces
}

// VerifyCommand is the worker program's command that says, line by line in JSON, what Verify finds: Said.
const VerifyCommand = "verify-data"

// Said is a line of it: how many images are done, one that cannot be decoded, or that it is over.
type Said struct {
	Done  int      `json:"done,omitempty"`
	Total int      `json:"total,omitempty"`
	Bad   *Verdict `json:"bad,omitempty"`
	Over  bool     `json:"over,omitempty"`
}

// Verdict is an Unreadable as text.
type Verdict struct {
	Index int    `json:"index"`
	Name  string `json:"name"`
	Error string `json:"error"`
	Ends  bool   `json:"ends,omitempty"`
}

// Verify reads and decodes every image of a source with all processors, and lists those that fail, in the
// source's order: those that training with this decoder replaces, and those whose file ends it. progress, if not nil,
// is told now and then how many are done; calls come one at a time. The error is ctx's.
func Verify(ctx context.Context, src source.Source, dec picture.Decoder, progress func(done, total int)) ([]Unreadable,
	error) {
	var (
		wg   sync.WaitGroup
		next atomic.Int64
		mu   sync.Mutex // guards the two below, and serialises progress
		bad  []Unreadable
		done int
	)
	total := src.Len()
	work := func() {
		var buf []byte
		var m picture.Image
		for ctx.Err() == nil {
			i := int(next.Add(1)) - 1
			if i >= total {
				return
			}
			data, err := src.Bytes(ctx, i, buf)
			ends := err != nil && !errors.Is(err, fs.ErrPermission) // as a fetcher sees it
			if err == nil {
				buf = data
				err = decode(dec, data, picture.Limits{}, picture.Rect{}, &m)
			}
			mu.Lock()
			if err != nil && ctx.Err() == nil {
				bad = append(bad, Unreadable{Index: i, Name: src.Name(i), Err: err, Ends: ends})
			}
			done++
			if progress != nil && (done%256 == 0 || done == total) {
				progress(done, total)
			}
			mu.Unlock()
		}
	}
	for range min(runtime.GOMAXPROCS(0), total) {
		wg.Go(work)
	}
	wg.Wait()
	slices.SortFunc(bad, func(a, b Unreadable) int { return a.Index - b.Index })
	return bad, context.Cause(ctx)
}
