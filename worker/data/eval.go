package data

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"byol/internal/failure"
	"byol/worker/data/jpeg"
	"byol/worker/data/picture"
	"byol/worker/data/source"
	"byol/worker/data/views"
)

// Evaluator makes the images that evaluation looks at: the centre of each, resized and normalised, with no
// randomness.
type Evaluator struct {
	Source  source.Source
	Decoder picture.Decoder // nil: jpeg.NewDecoder
	Limits  picture.Limits
	Augment views.Augment // for Size, Quantise and Plain
	Threads int           // at least 1
}

// EvalBatch writes the images with these indices to out, Size × Size × 3 floats each, channels last. An image
// that cannot be decoded is replaced by the next in the source's order that can. If labels is not nil it gets
// the labels of the images really shown, -1 where there is none.
func (e *Evaluator) EvalBatch(ctx context.Context, indices []int, out []float32, labels []int32) error {
	n := e.Augment.Size * e.Augment.Size * 3
	if len(out) != n*len(indices) || labels != nil && len(labels) != len(indices) {
		panic(fmt.Sprintf("data: evaluate %d images into %d floats and %d labels", len(indices), len(out), len(labels)))
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	var next atomic.Int64
	for range min(max(e.Threads, 1), len(indices)) {
		wg.Go(func() {
			w := worker{render: views.NewRenderer(&e.Augment)}
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(indices) {
					return
				}
				read, err := e.one(ctx, &w, indices[i], out[i*n:(i+1)*n])
				if err != nil {
					cancel(err)
					return
				}
				if labels != nil {
					labels[i] = int32(e.Source.Label(read))
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

// one makes image i or its replacement, and says which it is.
func (e *Evaluator) one(ctx context.Context, w *worker, i int, out []float32) (int, error) {
	f := fetcher{src: e.Source, decoder: e.Decoder, limits: e.Limits}
	if f.decoder == nil {
		f.decoder = jpeg.NewDecoder()
	}
	var view views.View
	plan := func(width, height int) picture.Rect {
		view = e.Augment.EvalView(width, height)
		return view.Crop
	}
	var last error
	for try := range min(maxTries, e.Source.Len()) {
		index := (i + try) % e.Source.Len()
		m, unreadable, err := f.read(ctx, w, index, plan)
		if err != nil {
			return 0, err
		}
		if unreadable == nil {
			w.render.Render(m, &view, out)
			return index, nil
		}
		last = unreadable
	}
	return 0, &failure.Failure{What: "read images from " + e.Source.Name(i), Code: failure.Data, Err: last,
		Why: "too many in a row cannot be decoded", Try: "coordinator data verify, to see which"}
}
