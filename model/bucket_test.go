package model

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"byol/model/engine"
)

// ends returns a stage for each length, in the order of a layout in which they lie one behind the other.
func ends(lengths ...int) (list []*engine.Stage, size int) {
	for _, n := range lengths {
		list = append(list, &engine.Stage{Done: []engine.Span{{Off: size, Len: n}}})
		size += n
	}
	return list, size
}

func TestBucketsComplete(t *testing.T) {
	for _, c := range []struct {
		name     string
		lengths  []int
		elements int
		order    []int    // in which parameters become complete
		want     []string // buckets reported after each
	}{
		{"reverse", []int{4, 4, 4}, 4, []int{2, 1, 0}, []string{"0:8+4", "1:4+4", "2:0+4"}},
		{"one bucket", []int{4, 4}, 0, []int{1, 0}, []string{"", "0:0+8"}},
		{"cut inside a parameter", []int{5, 5}, 4, []int{1, 0}, []string{"0:6+4", "1:2+4 2:0+2"}},
		{"out of order", []int{3, 3, 3}, 3, []int{0, 2, 1}, []string{"", "0:6+3", "1:3+3 2:0+3"}},
		{"larger than all", []int{2, 2}, 100, []int{1, 0}, []string{"", "0:0+4"}},
	} {
		var b buckets
		stages, size := ends(c.lengths...)
		b.cut(size, c.elements)
		got := ""
		b.begin(func(part Bucket) error {
			if got != "" {
				got += " "
			}
			got += fmt.Sprintf("%d:%d+%d", part.Index, part.Off, part.Len)
			return nil
		})
		var order []*engine.Stage
		for _, i := range c.order {
			order = append(order, stages[i])
		}
		var all []string
		for _, off := range completeFrom(size, order) {
			got = ""
			if err := b.complete(off); err != nil {
				t.Fatal(err)
			}
			all = append(all, got)
		}
		if !slices.Equal(all, c.want) {
			t.Errorf("%s: lengths %v, buckets of %d, order %v: reported %q, want %q", c.name, c.lengths, c.elements,
				c.order, all, c.want)
		}
	}
}

// TestIncompleteGradient: an engine whose stages leave a part out is a bug, and is found before the first step.
func TestIncompleteGradient(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a gradient of which nothing completes the beginning is taken for complete")
		}
	}()
	stages, size := ends(4, 4)
	completeFrom(size, stages[1:])
}

func TestBucketsAreCutAnew(t *testing.T) {
	var b buckets
	for _, c := range []struct {
		elements int
		want     []Bucket
	}{{4, []Bucket{{0, 4, 4}, {1, 0, 4}}}, {0, []Bucket{{0, 0, 8}}}, {3, []Bucket{{0, 5, 3}, {1, 2, 3}, {2, 0, 2}}}} {
		if b.cut(8, c.elements); !slices.Equal(b.list, c.want) {
			t.Errorf("buckets of %d elements: got %v, want %v", c.elements, b.list, c.want)
		}
	}
}

func TestBucketErrorEnds(t *testing.T) {
	var b buckets
	b.cut(4, 2)
	broken, calls := errors.New("ring broken"), 0
	b.begin(func(Bucket) error { calls++; return broken })
	for range 2 {
		if err := b.complete(0); !errors.Is(err, broken) || calls != 1 {
			t.Errorf("error %v after %d calls, want %v after 1", err, calls, broken)
		}
	}
}
