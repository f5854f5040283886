package data

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"byol/worker/data/jpeg"
	"byol/worker/data/picture"
	"byol/worker/data/source"
	"byol/worker/data/views"
)

// Evaluator makes the images that evaluation looks at: the centre of each, resized and normalised, with no
// randomness, unless View says otherwise. Its fields are set before the first call; after that it is safe for
// concurrent use.
type Evaluator struct {
	Source  source.Source
	Decoder picture.Decoder // nil: jpeg.NewDecoder
	Limits  picture.Limits
	Augment views.Augment // for Size, Quantise and Plain
	Threads int           // at least 1
	// View is how image i of w × h pixels is looked at, a function of these alone; nil: by Augment.EvalView.
	View func(i, w, h int) views.View
	// OnUnreadable, if not nil, is told each image that cannot be decoded, each time it is asked for. Calls come from
	// EvalBatch's goroutines, one at a time for each EvalBatch.
	OnUnreadable func(i int, name string, err error)
}

// EvalBatch writes the images with these indices to out, Size × Size × 3 floats each, channels last, and says in
// readable, which is as long as indices, which of them could be decoded. One that could not is told to OnUnreadable and
// leaves zeros. No other takes its place, as one would in training: a figure about labelled images must not count an
// image twice, so an evaluation leaves it out of queries and bank. An error means that the source cannot be read.
func (e *Evaluator) EvalBatch(ctx context.Context, indices []int, out []float32, readable []bool) error {
	n := e.Augment.Size * e.Augment.Size * 3
	if len(out) != n*len(indices) || len(readable) != len(indices) {
		panic(fmt.Sprintf("data: evaluate %d images into %d floats and %d flags", len(indices), len(out), len(readable)))
	}
	f := fetcher{src: e.Source, decoder: e.Decoder, limits: e.Limits}
	if f.decoder == nil {
		f.decoder = jpeg.NewDecoder()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	var next atomic.Int64
	var telling sync.Mutex // serialises OnUnreadable
	for range min(max(e.Threads, 1), len(indices)) {
		wg.Go(func() {
			w := worker{render: views.NewRenderer(&e.Augment)}
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(indices) {
					return
				}
				why, err := e.one(ctx, &f, &w, indices[i], out[i*n:(i+1)*n])
				if err != nil {
					cancel(err)
					return
				}
				readable[i] = why == nil
				if why != nil && e.OnUnreadable != nil {
					telling.Lock()
					e.OnUnreadable(indices[i], e.Source.Name(indices[i]), why)
					telling.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// one makes image i, or zeros of it and says why.
func (e *Evaluator) one(ctx context.Context, f *fetcher, w *worker, i int, out []float32) (unreadable, err error) {
	var view views.View
	m, unreadable, err := f.read(ctx, w, i, func(width, height int) picture.Rect {
		if e.View != nil {
			view = e.View(i, width, height)
		} else {
			view = e.Augment.EvalView(width, height)
		}
		return view.Crop
	})
	switch {
	case err != nil:
	case unreadable != nil:
		clear(out)
	default:
		w.render.Render(m, &view, out)
	}
	return unreadable, err
}
