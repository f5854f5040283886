package failure

import (
	"fmt"
	"io"
	"regexp"
	"runtime/debug"
)

// Guard runs f. A panic in it becomes an Internal failure, with the stack written to log: the process ends as after any
// other error, and not with the runtime's status 2, which says Usage.
func Guard(log io.Writer, f func() error) (err error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		fmt.Fprintf(log, "panic: %v\n\n%s", v, debug.Stack())
		cause, _ := v.(error)
		err = &Failure{What: "the program broke", Why: fmt.Sprint(v), Code: Internal, Err: cause,
			Try: "this is a bug: please report it with the stack above and the log directory of the run"}
	}()
	return f()
}

// Exit runs a program: it guards f, prints what went wrong, and returns the exit status. An error without words for
// people is shown as otherwise, with its text as the reason.
func Exit(stderr io.Writer, otherwise Failure, f func() error) int {
	err := Guard(stderr, f)
	if err == nil {
		return 0
	}
	told := *Of(err, otherwise)
	if told.Code == 0 {
		told.Code = Internal
	}
	told.Print(stderr)
	return int(told.Code)
}

// lastWords begin what the Go runtime writes when it ends a process: a panic, or an error that it found itself.
var lastWords = regexp.MustCompile(`(?m)^(?:panic: |fatal error: |runtime: out of memory|SIG[A-Z]+: ).*$`)

// goroutine heads a stack, which follows.
var goroutine = regexp.MustCompile(`(?m)^goroutine \d+ .*:$`)

// Panic is the line in which the Go runtime said why it ended a process that wrote output; ok is false when it didn't.
// A text that merely speaks of a panic is none: a stack must follow.
func Panic(output string) (line string, ok bool) {
	at := lastWords.FindStringIndex(output)
	if at == nil || !goroutine.MatchString(output[at[1]:]) {
		return "", false
	}
	return output[at[0]:at[1]], true
}

// frame is a line of a stack as the Go runtime writes it; our programs write none otherwise, except when they end with
// another status.
var frame = regexp.MustCompile(`(?m)^\t\S+\.(?:go|s):\d+ \+0x[0-9a-f]+$`)

// OfStatus is the kind of failure that ended a process of ours, from its exit status and the end of what it wrote. The
// status of a panic is that of wrong flags; a line of its stack tells them apart.
func OfStatus(status int, output string) Code {
	switch code := Code(status); code {
	case Usage:
		if _, ok := Panic(output); ok || frame.MatchString(output) {
			return Internal
		}
		return code
	case Unreachable, Training, Data, TooFew, Checkpoint, Temporary, Interrupted:
		return code
	}
	return Internal
}
