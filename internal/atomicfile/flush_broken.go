//go:build break_fsync

package atomicfile

const flushes = false
