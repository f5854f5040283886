package allreduce

// add2 sets dst[i] = a[i] + b[i]. dst may be a or b.
//
// The kernel is plain SSE, which every amd64 has: the sum is bound by memory, and 16 bytes at a time fill it.
func add2(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	m := len(dst) &^ 15
	if m > 0 {
		add2SSE(&dst[0], &a[0], &b[0], m)
	}
	for i := m; i < len(dst); i++ {
		dst[i] = a[i] + b[i]
	}
}

// add2SSE sums n elements; n is a multiple of 16.
//
//go:noescape
func add2SSE(dst, a, b *float32, n int)
