package lead

import (
	"reflect"
	"testing"
)

func TestVote(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values   []uint64
		odd      []int
		majority bool
	}{
		{[]uint64{1, 1, 1}, nil, false}, {[]uint64{5}, nil, false},
		{[]uint64{1, 2, 1}, []int{1}, true}, {[]uint64{2, 1, 1, 1}, []int{0}, true},
		{[]uint64{1, 2}, []int{0, 1}, false}, {[]uint64{1, 1, 2, 2}, []int{0, 1, 2, 3}, false},
		{[]uint64{1, 1, 2, 3}, []int{2, 3}, false}, {[]uint64{1, 2, 3}, []int{0, 1, 2}, false},
	} {
		v := vote("x", c.values)
		if c.odd == nil {
			if v != nil {
				t.Errorf("%v: %+v, want agreement", c.values, v)
			}
			continue
		}
		if v == nil || !reflect.DeepEqual(v.odd, c.odd) || v.majority != c.majority {
			t.Errorf("%v: %+v, want odd %v, majority %v", c.values, v, c.odd, c.majority)
		}
	}
}

// TestDiffering covers texts, of which the most frequent is taken for right.
func TestDiffering(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		texts []string
		odd   []int
	}{
		{[]string{"a", "a"}, nil}, {[]string{"a", "b", "a"}, []int{1}}, {[]string{"b", "a", "a"}, []int{0}},
		{[]string{"a", "b"}, []int{1}},
	} {
		odd := differing(c.texts)
		if !reflect.DeepEqual(odd, c.odd) {
			t.Errorf("%q: %v, want %v", c.texts, odd, c.odd)
		}
		if odd != nil && c.texts[firstOther(odd)] == c.texts[odd[0]] {
			t.Errorf("%q: rank %d is no other than %d", c.texts, firstOther(odd), odd[0])
		}
	}
}
