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
	// ErrTimeout is the cause when nothing came from a peer for as long as GroupConfig.Timeout.
	ErrTimeout = errors.New("allreduce: silence")
	// ErrLost is the cause when the connection to a peer ended without a goodbye: its process died, or the network.
	ErrLost = errors.New("allreduce: peer lost")
)

// Nobody is PeerError.Rank when no peer is to blame: the caller's context ended, or the arguments were wrong.
const Nobody = -1

// PeerError says which peer broke an operation, and how long this rank had waited for it.
type PeerError struct {
	Rank    int           // whom the error is about, or Nobody
	Name    string        // the Peer's, "" where it has none
	Address string        // at which it is reached, "" where Rank is Nobody
	Witness int           // the rank that saw it: this one, or one that said so when it left
	Op      string        // "form", "all-reduce", "total", "share"
	Phase   string        // of forming: "connect", "agree on memory", "measure"; else as Op
	Key     Key           // of the operation that returned the error
	Waited  time.Duration // since the operation's last progress
	Err     error
}

func (e *PeerError) Error() string {
	who := "this rank"
	if e.Rank != Nobody {
		who = called(e.Rank, e.Name)
	}
	what := fmt.Sprintf("%s %v", e.Op, e.Key)
	if e.Op == opForm.String() {
		what = "form group, " + e.Phase
	}
	return fmt.Sprintf("%s: %s after %v: %v", what, who, e.Waited.Round(time.Millisecond), e.Err)
}

// called is what a rank is called in messages.
func called(rank int, name string) string {
	if name == "" {
		return fmt.Sprintf("rank %d", rank)
	}
	return fmt.Sprintf("%s (rank %d)", name, rank)
}

// Unwrap returns the cause.
func (e *PeerError) Unwrap() error { return e.Err }

// blame is a cause with the rank it is about, before it is told for one operation.
type blame struct {
	rank    int
	witness int // the rank that saw it
	err     error
	text    string // the witness's words, "" for those of err
}

// observed is the blame for what this rank has seen itself.
func (g *Group) observed(rank int, err error) blame {
	return blame{rank: rank, witness: g.Rank(), err: err}
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
