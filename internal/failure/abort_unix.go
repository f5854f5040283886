//go:build unix

package failure

import (
	"os"
	"runtime/debug"
	"syscall"
)

// AbortOnPanic has a panic of any goroutine end the process by SIGABRT, which a shell or a container shows as status
// 134, after the stacks are written. The runtime's own way is status 2, which says Usage: a Job that gives up on wrong
// flags would give up on a bug. A program calls it first of all. No core file is left, unless GOTRACEBACK asks for one.
func AbortOnPanic() {
	if os.Getenv("GOTRACEBACK") != "crash" {
		var limit syscall.Rlimit
		if syscall.Getrlimit(syscall.RLIMIT_CORE, &limit) == nil {
			limit.Cur = 0
			_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &limit) // a core file too many is no reason not to run
		}
	}
	debug.SetTraceback("crash")
}
