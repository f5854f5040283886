package main

import (
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"byol/internal/failure"
)

func usage(what, why, try string) *failure.Failure {
	return &failure.Failure{What: what, Why: why, Try: try, Code: failure.Usage}
}

// unforeseen is what an error is shown as that came up from below without words for people.
var unforeseen = failure.Failure{What: "something broke", Code: failure.Internal,
	Try: "--log-level debug shows more; if this looks like a bug, report it with the run's log directory"}

// fromRPC turns an error of a call to the coordinator at addr into a failure.
func fromRPC(addr string, err error) *failure.Failure {
	s, ok := status.FromError(err)
	if !ok {
		return failure.Of(err, unforeseen)
	}
	switch s.Code() {
	case codes.Unavailable, codes.DeadlineExceeded:
		return &failure.Failure{What: "no coordinator answers at " + addr, Why: s.Message(), Code: failure.Unreachable,
			Try: "is the run still going? -s HOST:PORT names another address, --run-dir DIR another run"}
	case codes.Aborted: // a checkpoint that was asked for
		return &failure.Failure{What: s.Message(), Code: failure.Checkpoint,
			Try: "make room or mend the disk: it is tried again by itself; coordinator status tells"}
	case codes.FailedPrecondition, codes.InvalidArgument, codes.AlreadyExists, codes.NotFound:
		return &failure.Failure{What: s.Message(), Code: failure.Usage,
			Try: "coordinator status shows the state of the run"}
	case codes.Unimplemented:
		return &failure.Failure{What: fmt.Sprintf("what answers at %s is not this program's coordinator", addr),
			Why: s.Message(), Code: failure.Unreachable, Try: "check -s HOST:PORT, and that both ends are of one build"}
	}
	return &failure.Failure{What: "the coordinator reports: " + s.Message(), Why: s.Code().String(),
		Code: failure.Internal, Try: "the log of the run directory says more"}
}
