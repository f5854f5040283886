package nn

// Span is a part of the flat layout.
type Span struct{ Off, Len int }

// buckets reports spans of the gradient as they become complete. Spans are cut from the end of the layout,
// because the backward pass completes parameters roughly in reverse order; a span is complete when it and all
// behind it are.
type buckets struct {
	params []*Param
	spans  []Span
	report func(index, off, n int) error

	done []bool // by parameter
	left int    // parameters [0, left) are not all complete
	next int    // first span that was not reported
	err  error  // of report, which is not called again
}

func (b *buckets) plan(params []*Param, size, elements int) {
	b.params, b.done, b.spans = params, make([]bool, len(params)), nil
	if elements <= 0 {
		elements = size
	}
	for end := size; end > 0; end -= elements {
		off := max(0, end-elements)
		b.spans = append(b.spans, Span{off, end - off})
	}
}

func (b *buckets) begin(report func(index, off, n int) error) {
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
	for b.next < len(b.spans) && b.spans[b.next].Off >= complete {
		s := b.spans[b.next]
		b.next++
		if b.report == nil {
			continue
		}
		if b.err = b.report(b.next-1, s.Off, s.Len); b.err != nil {
			return b.err
		}
	}
	return nil
}
