//go:build !amd64

package allreduce

// sumOnce sums the first n elements of vectors from left to right.
func sumOnce(to outputs, srcs []*float32, n int) { sumGo(to.all, srcs, 0, n) }

// sumTreeOnce sums the first n elements of 4 or 8 vectors two by two.
func sumTreeOnce(to outputs, srcs []*float32, n int) { sumTreeGo(to.all, srcs, 0, n) }
