package data

import (
	"context"
	"slices"
	"testing"

	"byol/worker/data/source"
	"byol/worker/data/views"
)

// TestPairsAreWhatTrainingSees: what Pairs makes of an image is, to the last bit, what a Loader puts into the batch in
// which the image stands.
func TestPairsAreWhatTrainingSees(t *testing.T) {
	src, err := source.Open(t.Context(), "synthetic:12,size=40", source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	a, err := views.ParseAugment("byol", 24)
	if err != nil {
		t.Fatal(err)
	}
	const batch = 8
	order := Sampler{Seed: 9, Batch: batch, Len: src.Len()}
	loader := NewLoader(src, LoaderConfig{Sampler: order, Shards: 2, ShardEnd: 2, Augment: a, Threads: 2})
	defer loader.Close()
	pairs := Pairs{Source: src, Augment: a, Seed: 9}
	n := 3 * a.Size * a.Size
	for step := range int64(4) { // which takes it into the third epoch
		b, err := loader.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i := range batch {
			index, epoch := order.Image(step*batch + int64(i))
			p, err := pairs.Make(t.Context(), index, epoch)
			if err != nil || p.Unreadable != nil || p.Index != b.Images[i] || p.Picture.Width != 40 {
				t.Fatalf("pair of image %d: %+v, %v", index, p, err)
			}
			if !slices.Equal(p.Pixels[0], b.View1[i*n:][:n]) || !slices.Equal(p.Pixels[1], b.View2[i*n:][:n]) {
				t.Errorf("step %d, image %d in epoch %d: other pixels than training sees", step, index, epoch)
			}
		}
		loader.Recycle(b)
	}
}

// TestPairsUnreadable: an image that cannot be decoded is said, a source that cannot be read is an error.
func TestPairsUnreadable(t *testing.T) {
	a, err := views.ParseAugment("byol", 16)
	if err != nil {
		t.Fatal(err)
	}
	broken := &damaged{}
	pairs := Pairs{Source: broken, Augment: a}
	if p, err := pairs.Make(t.Context(), 0, 0); err != nil || p.Unreadable == nil || p.Picture != nil {
		t.Errorf("no picture at all: %+v, %v", p, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := pairs.Make(ended, 0, 0); err == nil {
		t.Error("a source that cannot be read made a pair")
	}
}

// damaged has one image that is none.
type damaged struct{ source.Source }

func (damaged) Name(int) string { return "x" }

func (damaged) Bytes(ctx context.Context, _ int, _ []byte) ([]byte, error) {
	return []byte("no picture"), ctx.Err()
}
