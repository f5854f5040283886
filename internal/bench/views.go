package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"

	"byol/internal/bench/measure"
	"byol/worker/data"
	"byol/worker/data/jpeg"
	"byol/worker/data/picture"
	"byol/worker/data/source"
	"byol/worker/data/turbo"
	"byol/worker/data/views"
)

// viewsPart is the side of ours in the data part: it turns images into both views on one core, and prints the speed.
func viewsPart(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("views", flag.ContinueOnError)
	uri := f.String("data", "", "images")
	size := f.Int("size", 224, "side of the views")
	name := f.String("augment", "byol", "augmentation")
	images := f.Int("images", 400, "how many images")
	plain := f.Bool("plain", false, "take each view for itself, from all of the image")
	decoderName := f.String("decoder", "best", "best: libjpeg-turbo where it is; go")
	if err := measure.Parse(f, args, os.Stderr); err != nil {
		return err
	}
	runtime.GOMAXPROCS(1)
	all, err := source.Open(ctx, *uri, source.Options{})
	if err != nil {
		return err
	}
	defer all.Close()
	augment, err := views.ParseAugment(*name, *size)
	if err != nil {
		return err
	}
	decoder := jpeg.NewDecoder()
	if *decoderName == "best" {
		decoder, _ = turbo.Best()
	}
	src := newSubset(all, *images)
	if err := src.read(ctx); err != nil {
		return err
	}
	render := loaderViews
	if *plain {
		render = plainViews
	}
	took, err := render(ctx, src, augment, decoder)
	if err != nil {
		return err
	}
	n := float64(src.Len())
	return json.NewEncoder(out).Encode(map[string]any{"images_per_second": n / took.Clock.Seconds(),
		"images_per_cpu_second": n / took.CPU.Seconds(), "decoder": decoder.Name()})
}

// subset is n images of a source, evenly spread over it.
type subset struct {
	source.Source
	n int
}

func newSubset(src source.Source, n int) *subset {
	return &subset{Source: src, n: min(max(n, 1), src.Len())}
}

// Len is the number of images taken.
func (s *subset) Len() int { return s.n }

// Name is that of image i of the subset.
func (s *subset) Name(i int) string { return s.Source.Name(s.at(i)) }

// Label is that of image i of the subset.
func (s *subset) Label(i int) int { return s.Source.Label(s.at(i)) }

// Bytes are those of image i of the subset.
func (s *subset) Bytes(ctx context.Context, i int, buf []byte) ([]byte, error) {
	return s.Source.Bytes(ctx, s.at(i), buf)
}

func (s *subset) at(i int) int { return i * s.Source.Len() / s.n }

// read brings all bytes into the operating system's cache.
func (s *subset) read(ctx context.Context) error {
	var buf []byte
	for i := range s.n {
		var err error
		if buf, err = s.Bytes(ctx, i, buf); err != nil {
			return fmt.Errorf("read %s: %w", s.Name(i), err)
		}
	}
	return nil
}

// loaderViews takes each image once through a worker's loader. The time is that between the first batch of an
// epoch and the first of the next, when as many batches are ready ahead as before.
func loaderViews(ctx context.Context, src *subset, a views.Augment, d picture.Decoder) (measure.Cost, error) {
	batch := 1
	for _, b := range []int{2, 4, 5, 8, 10, 16, 20, 25, 32, 40, 50} {
		if src.n%b == 0 {
			batch = b
		}
	}
	var unreadable error
	l := data.NewLoader(src, data.LoaderConfig{Sampler: data.Sampler{Seed: 1, Batch: batch, Len: src.n}, Shards: 1,
		ShardEnd: 1, Augment: a, Decoder: d, Threads: 1, OnUnreadable: func(_ int, name string, err error) {
			unreadable = fmt.Errorf("decode %s: %w", name, err)
		}})
	defer l.Close()
	var spent func() measure.Cost
	for step := range src.n/batch + 1 {
		b, err := l.Next(ctx)
		if err != nil {
			return measure.Cost{}, err
		}
		l.Recycle(b)
		if step == 0 {
			spent = measure.Stopwatch()
		}
	}
	return spent(), unreadable
}

// plainViews reads, decodes, crops and augments for each view anew.
func plainViews(ctx context.Context, src *subset, a views.Augment, d picture.Decoder) (measure.Cost, error) {
	r, out := views.NewRenderer(&a), make([]float32, 3*a.Size*a.Size)
	spent := measure.Stopwatch()
	for i := range src.n {
		for view := 1; view <= 2; view++ {
			text, err := src.Bytes(ctx, i, nil)
			if err != nil {
				return measure.Cost{}, err
			}
			var m picture.Image
			if err := d.Decode(text, picture.Limits{}, picture.Rect{}, &m); err != nil {
				return measure.Cost{}, fmt.Errorf("decode %s: %w", src.Name(i), err)
			}
			v := a.Draw(views.Identity{Seed: 1, Image: i, View: view}, m.Width, m.Height)
			r.Render(&m, &v, out)
		}
	}
	return spent(), nil
}
