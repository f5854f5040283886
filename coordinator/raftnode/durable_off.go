//go:build bench_unguarded

package raftnode

const durable = false
