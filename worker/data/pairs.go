package data

import (
	"context"
	"fmt"

	"byol/worker/data/jpeg"
	"byol/worker/data/picture"
	"byol/worker/data/source"
	"byol/worker/data/views"
)

// Pair is what training makes of an image in an epoch, and the image itself.
type Pair struct {
	Index   int // of the image
	Epoch   int64
	Picture *picture.Image // all of it
	Views   [2]views.View  // how they were drawn
	Pixels  [2][]float32   // the views, Size × Size × 3, normalised
	// Unreadable says why there is nothing but the index.
	Unreadable error
}

// Pairs makes pairs of views as a Loader does, one image after another.
type Pairs struct {
	Source  source.Source
	Augment views.Augment
	Seed    uint64
	Decoder picture.Decoder // nil: jpeg.NewDecoder
	Limits  picture.Limits
}

// Make makes the pair of an image in an epoch. An error says that the source cannot be read.
func (p *Pairs) Make(ctx context.Context, index int, epoch int64) (Pair, error) {
	f := fetcher{src: p.Source, decoder: p.Decoder, limits: p.Limits}
	if f.decoder == nil {
		f.decoder = jpeg.NewDecoder()
	}
	pair := Pair{Index: index, Epoch: epoch}
	w := worker{render: views.NewRenderer(&p.Augment)}
	m, unreadable, err := f.read(ctx, &w, index, func(width, height int) picture.Rect {
		pair.Views = both(&p.Augment, views.Identity{Seed: p.Seed, Epoch: epoch, Image: index}, width, height)
		return picture.Rect{W: width, H: height}
	})
	if err != nil {
		return Pair{}, fmt.Errorf("make views: %w", err)
	}
	if pair.Unreadable = unreadable; unreadable != nil {
		return pair, nil
	}
	pair.Picture = m
	for v := range pair.Views {
		pair.Pixels[v] = make([]float32, 3*p.Augment.Size*p.Augment.Size)
		w.render.Render(m, &pair.Views[v], pair.Pixels[v])
	}
	return pair, nil
}

// both draws the two views of a width × height image, whatever the View of its identity.
func both(a *views.Augment, id views.Identity, width, height int) (drawn [2]views.View) {
	for v := range drawn {
		id.View = v + 1
		drawn[v] = a.Draw(id, width, height)
	}
	return drawn
}
