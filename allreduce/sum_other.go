//go:build !amd64

package allreduce

// sumOnce sums the first n elements of at most sweep vectors at once.
func sumOnce(to outputs, srcs []*float32, n int) { sumGo(to.all, srcs, 0, n) }
