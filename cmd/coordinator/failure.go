package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"byol/coordinator"
	"byol/coordinator/lead"
	"byol/internal/failure"
)

func usage(what, why, try string) *failure.Failure {
	return &failure.Failure{What: what, Why: why, Try: try, Code: failure.Usage}
}

// unforeseen is what an error is shown as that came up from below without words for people.
var unforeseen = failure.Failure{What: "something broke", Code: failure.Internal,
	Try: "--log-level debug shows more; if this looks like a bug, report it with the run's log directory"}

// saidBytes is the most of an answer that is shown.
const saidBytes = 4096

// fromRPC turns an error of a call to the coordinator at addr into a failure.
func fromRPC(addr string, err error) *failure.Failure {
	s, ok := status.FromError(err)
	if !ok {
		return failure.Of(err, unforeseen)
	}
	said := lead.Plain(s.Message(), saidBytes) // whoever it is that answers
	switch s.Code() {
	case codes.Unavailable, codes.DeadlineExceeded:
		return unavailable(addr, said)
	case codes.PermissionDenied:
		return &failure.Failure{What: said, Code: failure.Usage,
			Try: "--tls-dir with the certificates of an operator (coordinator certs issue --role operator)"}
	case codes.Aborted: // a checkpoint that was asked for
		return &failure.Failure{What: said, Code: failure.Checkpoint,
			Try: "make room or mend the disk: it is tried again by itself; coordinator status tells"}
	case codes.FailedPrecondition, codes.InvalidArgument, codes.AlreadyExists, codes.NotFound:
		return &failure.Failure{What: said, Code: failure.Usage,
			Try: "coordinator status shows the state of the run"}
	case codes.Unimplemented:
		return &failure.Failure{What: fmt.Sprintf("what answers at %s is not this program's coordinator", addr),
			Why: said, Code: failure.Unreachable, Try: "check -s HOST:PORT, and that both ends are of one build"}
	}
	return &failure.Failure{What: "the coordinator reports: " + said, Why: s.Code().String(),
		Code: failure.Internal, Try: "the log of the run directory says more"}
}

// checkPlace refuses a file to write that cannot be where it is to be, before anything is computed for it.
func checkPlace(output string) error {
	dir := filepath.Dir(output)
	what := "cannot write " + output
	switch info, err := os.Stat(dir); {
	case errors.Is(err, os.ErrNotExist):
		return usage(what, "there is no folder "+dir, "mkdir -p "+quoted(dir))
	case err == nil && !info.IsDir():
		return usage(what, dir+" is no folder", "-o in another folder")
	case isDir(output):
		return usage(what, "it is a folder", "-o with another name")
	}
	return nil
}

// unavailable is what it means that the coordinator at addr cannot be asked, of which the call said this.
func unavailable(addr, said string) *failure.Failure {
	f := &failure.Failure{What: "no coordinator answers at " + addr, Why: said, Code: failure.Unreachable,
		Try: "is the run still going? -s HOST:PORT names another address, --run-dir DIR another run"}
	switch {
	case said == coordinator.NoLeader || said == coordinator.LeaderChanging:
		f.What = "the coordinator at " + addr + " does not lead, and knows of nobody who does"
		f.Try = "ask again once one leads: coordinator status tells whom it waits for"
	case strings.Contains(said, "server preface"):
		f.Try = "it may want TLS: --run-dir DIR of a run of this user, --tls-dir DIR with certificates, or --token-file FILE"
	case strings.Contains(said, "dial tls"):
		f.Try = "the keys of that run: --run-dir DIR of a run of this user, the coordinator's --token-file, or --tls-dir " +
			"with a certificate of its authority"
	}
	return f
}
