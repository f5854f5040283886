// Package failure is how errors reach people: what happened, why, what to try, and the exit code that says to scripts
// which kind it was. Coordinator, worker and both programs use this one type; what is below them returns plain errors.
//
// A Failure is a value; nothing is owned or shared.
//
// When it fails: it does not. Guard catches panics of the goroutine it runs on; those of others end the process as the
// Go runtime does it, with status 2, which OfStatus tells from a failure of usage by what the process wrote.
package failure

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// Code is an exit code of both programs, as docs/operating.md lists them.
type Code = int

// The exit codes. Success is 0.
const (
	Internal    = 1   // a bug of ours, or something nobody foresaw
	Usage       = 2   // wrong flags or settings, or refused by the coordinator
	Unreachable = 3   // no coordinator answers, or it went away
	Training    = 4   // training failed: a loss that is not a number, replicas that disagree, a step no group survives
	Data        = 5   // data missing or corrupt
	TooFew      = 6   // too few workers
	Checkpoint  = 7   // a checkpoint cannot be read or written
	Temporary   = 75  // stopped by a signal with the state saved, or refused for now: run again
	Interrupted = 130 // ended at once by a second signal
)

// Failure is an error for a person.
type Failure struct {
	What string // what happened
	Why  string // may be empty
	Try  string // may be empty
	Code Code
	Err  error // the cause, where a caller may ask for it with errors.Is or errors.As; not printed
}

// Error joins what and why on one line.
func (f *Failure) Error() string {
	if f.Why == "" {
		return f.What
	}
	return f.What + ": " + f.Why
}

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Of is err as a Failure: the one it wraps, or otherwise one that says what broke, with err's text as the reason.
func Of(err error, otherwise Failure) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	otherwise.Why, otherwise.Err = err.Error(), err
	refused(err, &otherwise)
	return &otherwise
}

// refused says what to try where the system refused something that has nothing to do with what was asked for.
func refused(err error, f *Failure) {
	var call *os.SyscallError
	switch {
	case errors.As(err, &call) && call.Syscall == "getwd":
		f.What, f.Try, f.Code = "the current directory cannot be found", "cd to one that is there", Usage
	case f.Try == "" && errors.Is(err, syscall.ENOMEM):
		f.Try = "more memory, or a higher limit of it: ulimit -v, or that of a container"
	}
}

// Print writes the failure as both programs show it: a line each for what, why, and what to try with the exit code.
func (f *Failure) Print(w io.Writer) {
	fmt.Fprintf(w, "error: %s\n", oneLine(f.What))
	if f.Why != "" {
		fmt.Fprintf(w, "  why: %s\n", oneLine(f.Why))
	}
	if f.Try != "" {
		fmt.Fprintf(w, "  try: %s   [exit %d]\n", oneLine(f.Try), f.Code)
	} else {
		fmt.Fprintf(w, "  [exit %d]\n", f.Code)
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
