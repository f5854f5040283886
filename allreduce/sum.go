package allreduce

import "unsafe"

// sumBlock is how many elements are summed over all vectors before the next are touched: the sums under way then stay
// in the first caches.
const sumBlock = 4 << 10

// outputs are where a sum goes.
type outputs struct {
	all []*float32 // the first elements; outputs may be summands
	// near of them come first and are summands, or wanted in cache; the others are written past the caches.
	near int
}

// at is the address of the i-th element after p.
func at(p *float32, i int) *float32 { return (*float32)(unsafe.Add(unsafe.Pointer(p), 4*i)) }

// starts are the addresses of elements off of vectors.
func starts(vectors [][]float32, off int) []*float32 {
	list := make([]*float32, len(vectors))
	for i, v := range vectors {
		list[i] = &v[off]
	}
	return list
}

// sumGo sums elements [lo, hi) from left to right. It is what the faster way must equal bit for bit.
func sumGo(outs, srcs []*float32, lo, hi int) {
	for i := lo; i < hi; i++ {
		x := *at(srcs[0], i)
		for _, p := range srcs[1:] {
			x += *at(p, i)
		}
		for _, p := range outs {
			*at(p, i) = x
		}
	}
}

// sumTreeGo sums elements [lo, hi) of 4 or 8 vectors two by two. It is what the faster way must equal bit for bit.
func sumTreeGo(outs, srcs []*float32, lo, hi int) {
	four := func(s []*float32, i int) float32 {
		return (*at(s[0], i) + *at(s[1], i)) + (*at(s[2], i) + *at(s[3], i))
	}
	for i := lo; i < hi; i++ {
		x := four(srcs, i)
		if len(srcs) == widestGroup {
			x += four(srcs[4:], i)
		}
		for _, p := range outs {
			*at(p, i) = x
		}
	}
}
