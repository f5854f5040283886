package model

import "byol/model/engine"

// Bucket is the part [Off, Off+Len) of the flat gradient, which is summed over the ranks as one.
type Bucket struct{ Index, Off, Len int }

// Span is where a bucket is.
func (b Bucket) Span() engine.Span { return engine.Span{Off: b.Off, Len: b.Len} }

// buckets reports buckets of the gradient as they become complete. They are cut from the end of the layout, because
// the backward pass completes parameters roughly in reverse order; a bucket is complete when it and all behind it are.
type buckets struct {
	list   []Bucket
	report func(Bucket) error
	next   int   // first bucket that was not reported
	err    error // of report, which is not called again
}

// cut cuts a gradient of size elements into buckets of elements; 0: one bucket.
func (b *buckets) cut(size, elements int) {
	b.list = nil
	if elements <= 0 {
		elements = size
	}
	for end := size; end > 0; end -= elements {
		off := max(0, end-elements)
		b.list = append(b.list, Bucket{Index: len(b.list), Off: off, Len: end - off})
	}
}

func (b *buckets) begin(report func(Bucket) error) {
	b.report, b.next, b.err = report, 0, nil
}

// complete says that everything from off on is complete for all local shards.
func (b *buckets) complete(off int) error {
	for b.err == nil && b.next < len(b.list) && b.list[b.next].Off >= off {
		whole := b.list[b.next]
		b.next++
		if b.report != nil {
			b.err = b.report(whole)
		}
	}
	return b.err
}

// completeFrom says for each of the stages, which are launched in this order, from where on a gradient of size
// elements is complete behind it.
func completeFrom(size int, order []*engine.Stage) []int {
	begins, off := map[int]int{}, size // where a complete part begins, by its end
	list := make([]int, len(order))
	for i, s := range order {
		for _, part := range s.Done {
			begins[part.End()] = part.Off
		}
		for {
			begin, ok := begins[off]
			if !ok || begin == off {
				break
			}
			off = begin
		}
		list[i] = off
	}
	if off != 0 {
		panic("model: the stages of an engine do not complete the gradient")
	}
	return list
}
