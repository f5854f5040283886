package allreduce

import (
	"errors"
	"fmt"
	"time"

	"byol/allreduce/link"
)

var (
	// ErrClosed is the cause when a group was closed in good order, here or by a peer.
	ErrClosed = errors.New("allreduce: group closed")
	// ErrStale is the cause when a peer sent a frame of another generation, step or bucket, or shook
	// hands for another run.
	ErrStale = errors.New("allreduce: stale peer")
	// ErrCorrupt is the cause when a payload did not match its checksum.
	ErrCorrupt = link.ErrCorrupt
	// ErrTimeout is the cause when a peer made no progress for as long as GroupConfig.Timeout allows.
	ErrTimeout = link.ErrTimeout
	// ErrLost is the cause when the connection to a peer ended without a goodbye: its process died, or the network.
	ErrLost = errors.New("allreduce: peer lost")
)

// Nobody is PeerError.Rank when no peer is to blame: the caller's context ended, or the arguments were wrong.
const Nobody = -1

// PeerError says which peer broke an operation, and how long this rank had waited for it.
type PeerError struct {
	Rank   int           // whom the error is about, or Nobody
	Op     string        // "form", "all-reduce", "gather", "share"
	Key    Key           // of the operation that returned the error
	Waited time.Duration // since the operation's last progress
	Err    error
}

func (e *PeerError) Error() string {
	who := fmt.Sprintf("rank %d", e.Rank)
	if e.Rank == Nobody {
		who = "this rank"
	}
	return fmt.Sprintf("%s %v: %s after %v: %v", e.Op, e.Key, who, e.Waited.Round(time.Millisecond), e.Err)
}

// Unwrap returns the cause.
func (e *PeerError) Unwrap() error { return e.Err }

// blame is a cause with the rank it is about, before it is told for one operation.
type blame struct {
	rank int
	err  error
}

// classify gives an error of a link the cause callers test for.
func classify(err error) error {
	switch {
	case errors.Is(err, link.ErrClosed):
		return ErrClosed
	case errors.Is(err, link.ErrEnded), errors.Is(err, link.ErrTruncated):
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	return err
}
