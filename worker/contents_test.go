package worker

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"byol/internal/failure"
	"byol/worker/data/source"
)

// TestContents: what is read is told once a generation, in messages of bounded size; an image that comes with other
// bytes the second time is a data error that names it.
func TestContents(t *testing.T) {
	images, err := source.Open(t.Context(), "synthetic:3000,size=16", source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var c contents
	told := func() (n int) {
		for _, some := range c.take() {
			if len(some) > mostContents {
				t.Errorf("%d at once", len(some))
			}
			for _, i := range some {
				if i.Crc32C != uint32(7*i.Index) || i.Name != images.Name(int(i.Index)) {
					t.Errorf("told %v", i)
				}
			}
			n += len(some)
		}
		return n
	}
	for generation := range 2 {
		c.again()
		for range 2 {
			for i := range images.Len() {
				if err := c.read(i, images, uint32(7*i)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if n, after := told(), told(); n != images.Len() || after != 0 {
			t.Errorf("generation %d: told of %d images, and of %d again", generation, n, after)
		}
	}
	err = c.read(5, images, 1)
	var f *failure.Failure
	if !errors.As(err, &f) || !errors.Is(err, source.ErrChanged) || f.Code != failure.Data ||
		f.What != "read image "+images.Name(5) || !strings.Contains(f.Why, fmt.Sprintf("%08x, it was %08x", 1, 35)) {
		t.Errorf("other bytes: %v", err)
	}
}
