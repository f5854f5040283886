package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"byol/internal/pause"
	pb "byol/proto"
)

// maxInit is the longest file of an encoder that is taken: four times the largest network that has been published.
const maxInit = 16 << 30

// Initial fetches the encoder that the run starts from, as the file that the coordinator has of it. It tries again
// for as long as a worker may be away from the coordinators, on each new stream, and answers the last reason. The
// caller verifies what came.
func (l *Line) Initial(ctx context.Context, sha256 string) ([]byte, error) {
	limited, cancel := context.WithTimeout(ctx, l.times.Coordinators)
	defer cancel()
	var last error // what a coordinator says, not that our time is over
	for {
		file, err := l.initial(limited, sha256)
		switch {
		case err == nil:
			return file, nil
		case last == nil || status.Code(err) != codes.DeadlineExceeded && status.Code(err) != codes.Canceled:
			last = err
		}
		if !pause.For(limited, retryPause) {
			return nil, fmt.Errorf("fetch the encoder that the run starts from: %w", plain(last))
		}
	}
}

// errNoStream is that there is no coordinator to ask just now.
var errNoStream = errors.New("control: no coordinator is there to ask")

// initial asks whom the stream of the moment leads to. A call that gets nothing for as long as a line may be silent is
// given up.
func (l *Line) initial(ctx context.Context, sha256 string) ([]byte, error) {
	s := l.outbox.current()
	if s == nil {
		return nil, errNoStream
	}
	asking, cancel := context.WithCancel(ctx)
	defer cancel()
	silence := time.AfterFunc(l.times.Line, cancel)
	defer silence.Stop()
	pieces, err := pb.NewWorkerPlaneClient(s.conn).Init(asking, &pb.InitRequest{Sha256: sha256})
	if err != nil {
		return nil, err
	}
	var file []byte
	for {
		p, err := pieces.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return file, nil
		case err != nil:
			return nil, err
		case len(file)+len(p.GetData()) > maxInit:
			return nil, fmt.Errorf("it is longer than %d bytes", maxInit)
		}
		silence.Reset(l.times.Line)
		file = append(file, p.GetData()...)
	}
}
