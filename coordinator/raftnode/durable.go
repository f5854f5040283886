//go:build !bench_unguarded

package raftnode

// durable is left out by the build that make bench-faults compares with: its log does not wait for the disk.
const durable = true
