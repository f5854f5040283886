// Package jpeg decodes the JPEG files that nearly all are, in the region that is wanted and without allocating
// (Baseline), and leaves all others to Go's library (NewDecoder).
//
// A Decoder is safe for concurrent use; a Baseline owns its memory and belongs to one goroutine.
//
// # When it fails
//
// Damaged files give errors. Nothing that stands in a file makes it panic; a region outside the picture does.
package jpeg

import (
	"fmt"
	"sync"

	"byol/worker/data/picture"
)

// NewDecoder decodes without libraries that must be installed: JPEG (baseline and progressive; grey, colour, CMYK,
// YCCK) and what package picture decodes. Files for Baseline are decoded by it, in the region alone and without
// allocating; all others by the Go library, which does not smooth chroma when it is scaled up.
func NewDecoder() picture.Decoder { return &goDecoder{} }

type goDecoder struct {
	mu   sync.Mutex // guards free
	free []*Baseline
}

// Name tells versions apart: "go" left all JPEG to the Go library, "go2" those plain files that are damaged; "go3" knew
// JPEG, PNG and PPM alone.
func (*goDecoder) Name() string { return "go4" }

func (d *goDecoder) take() *Baseline {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := len(d.free)
	if n == 0 {
		return NewBaseline()
	}
	b := d.free[n-1]
	d.free = d.free[:n-1]
	return b
}

func (d *goDecoder) give(b *Baseline) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.free = append(d.free, b)
}

func (d *goDecoder) Decode(data []byte, limits picture.Limits, region picture.Rect, dst *picture.Image) error {
	info, err := picture.Probe(data)
	if err != nil {
		return err
	}
	if err := limits.CheckFile(info.Width, info.Height, len(data)); err != nil {
		return err
	}
	whole := picture.Rect{W: info.Width, H: info.Height}
	if region == (picture.Rect{}) {
		region = whole
	}
	if !whole.Contains(region) || region.W <= 0 || region.H <= 0 {
		panic(fmt.Sprintf("jpeg: region %v of a %d × %d image", region, info.Width, info.Height))
	}
	if info.Format == picture.JPEG {
		b := d.take()
		done, err := b.Decode(data, info, region, dst)
		d.give(b)
		if done || err != nil {
			return err
		}
	}
	return picture.Decode(data, info, region, dst)
}
