//go:build !break_fsync

package atomicfile

// flushes says that content is flushed before its file is renamed. The tag break_fsync leaves that out, to see that the
// crash tests notice.
const flushes = true
