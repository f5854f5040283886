//go:build bench_unguarded

package vector

const hashing = false
