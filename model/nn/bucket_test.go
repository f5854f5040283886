package nn

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// ends returns parameters of the given lengths, one behind the other.
func ends(lengths ...int) (list []*Param, size int) {
	for i, n := range lengths {
		list = append(list, &Param{Off: size, Len: n, index: i})
		size += n
	}
	return list, size
}

func TestBuckets(t *testing.T) {
	for _, c := range []struct {
		name     string
		lengths  []int
		elements int
		order    []int    // in which parameters become ready
		want     []string // buckets reported after each
	}{
		{"reverse", []int{4, 4, 4}, 4, []int{2, 1, 0}, []string{"0:8+4", "1:4+4", "2:0+4"}},
		{"one bucket", []int{4, 4}, 0, []int{1, 0}, []string{"", "0:0+8"}},
		{"cut inside a parameter", []int{5, 5}, 4, []int{1, 0}, []string{"0:6+4", "1:2+4 2:0+2"}},
		{"out of order", []int{3, 3, 3}, 3, []int{0, 2, 1}, []string{"", "0:6+3", "1:3+3 2:0+3"}},
		{"larger than all", []int{2, 2}, 100, []int{1, 0}, []string{"", "0:0+4"}},
	} {
		var b buckets
		params, size := ends(c.lengths...)
		b.cut(params, size, c.elements)
		got := ""
		b.begin(func(part Bucket) error {
			if got != "" {
				got += " "
			}
			got += fmt.Sprintf("%d:%d+%d", part.Index, part.Off, part.Len)
			return nil
		})
		var all []string
		for _, i := range c.order {
			got = ""
			if err := b.ready(params[i]); err != nil {
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

func TestBucketsAreCutAnew(t *testing.T) {
	params, size := ends(4, 4)
	l := &Lockstep{params: params, size: size}
	for _, c := range []struct {
		elements int
		want     []Bucket
	}{{4, []Bucket{{0, 4, 4}, {1, 0, 4}}}, {0, []Bucket{{0, 0, 8}}}, {3, []Bucket{{0, 5, 3}, {1, 2, 3}, {2, 0, 2}}}} {
		if l.SetBuckets(c.elements); !slices.Equal(l.Buckets(), c.want) {
			t.Errorf("buckets of %d elements: got %v, want %v", c.elements, l.Buckets(), c.want)
		}
	}
}

func TestBucketErrorEnds(t *testing.T) {
	var b buckets
	params, size := ends(4)
	b.cut(params, size, 2)
	broken, calls := errors.New("ring broken"), 0
	b.begin(func(Bucket) error { calls++; return broken })
	if err := b.ready(params[0]); !errors.Is(err, broken) || calls != 1 {
		t.Errorf("error %v after %d calls, want %v after 1", err, calls, broken)
	}
}
