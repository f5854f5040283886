package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"byol/coordinator"
)

// failure is what every error of this program ends as: what happened, why, what to try, and the exit code.
type failure = coordinator.Failure

func usage(what, why, try string) *failure {
	return &failure{What: what, Why: why, Try: try, Code: coordinator.ExitUsage}
}

// asFailure gives an error that came up from below the three parts and the exit code.
func asFailure(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	return &failure{What: err.Error(), Code: coordinator.ExitInternal,
		Try: "--log-level debug shows more; if this looks like a bug, report it with the run's log directory"}
}

// fromRPC turns an error of a call to the coordinator at addr into a failure.
func fromRPC(addr string, err error) *failure {
	s, ok := status.FromError(err)
	if !ok {
		return asFailure(err)
	}
	switch s.Code() {
	case codes.Unavailable, codes.DeadlineExceeded:
		return &failure{What: "no coordinator answers at " + addr, Why: s.Message(), Code: coordinator.ExitUnreachable,
			Try: "is the run still going? -s HOST:PORT names another address, --run-dir DIR another run"}
	case codes.FailedPrecondition, codes.InvalidArgument, codes.AlreadyExists, codes.NotFound:
		return &failure{What: s.Message(), Code: coordinator.ExitUsage, Try: "coordinator status shows the state of the run"}
	case codes.Unimplemented:
		return &failure{What: fmt.Sprintf("what answers at %s is not this program's coordinator", addr), Why: s.Message(),
			Code: coordinator.ExitUnreachable, Try: "check -s HOST:PORT, and that both ends are of one build"}
	}
	return &failure{What: "the coordinator reports: " + s.Message(), Why: s.Code().String(),
		Code: coordinator.ExitInternal, Try: "the log of the run directory says more"}
}

// printFailure writes the three lines.
func printFailure(w io.Writer, f *failure) {
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
