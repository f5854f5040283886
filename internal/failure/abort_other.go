//go:build !unix

package failure

// AbortOnPanic does nothing here: there is no SIGABRT, and a panic keeps its status 2.
func AbortOnPanic() {}
