package nn

// Bucket is the part [Off, Off+Len) of the flat gradient, which is summed over the ranks as one.
type Bucket struct{ Index, Off, Len int }

// buckets reports buckets of the gradient as they become complete. They are cut from the end of the layout,
// because the backward pass completes parameters roughly in reverse order; a bucket is complete when it and all
// behind it are.
type buckets struct {
	params []*Param
	list   []Bucket
	report func(Bucket) error

	done []bool // by parameter
	left int    // parameters [0, left) are not all complete
	next int    // first bucket that was not reported
	err  error  // of report, which is not called again
}

// cut cuts the layout of some parameters, which has size elements, into buckets of elements; 0: one bucket.
func (b *buckets) cut(params []*Param, size, elements int) {
	b.params, b.done, b.list = params, make([]bool, len(params)), nil
	if elements <= 0 {
		elements = size
	}
	for end := size; end > 0; end -= elements {
		off := max(0, end-elements)
		b.list = append(b.list, Bucket{Index: len(b.list), Off: off, Len: end - off})
	}
}

func (b *buckets) begin(report func(Bucket) error) {
	clear(b.done)
	b.report, b.left, b.next, b.err = report, len(b.params), 0, nil
}

// ready says that the gradient of p is complete for all local shards.
func (b *buckets) ready(p *Param) error {
	if b.err != nil {
		return b.err
	}
	b.done[p.index] = true
	for b.left > 0 && b.done[b.left-1] {
		b.left--
	}
	complete := 0 // everything from here on
	if b.left > 0 {
		complete = b.params[b.left-1].Off + b.params[b.left-1].Len
	}
	for b.next < len(b.list) && b.list[b.next].Off >= complete {
		whole := b.list[b.next]
		b.next++
		if b.report == nil {
			continue
		}
		if b.err = b.report(whole); b.err != nil {
			return b.err
		}
	}
	return nil
}
