// Package link is the seam between a group of ranks and its wires: the frame, and the ordered link to one peer.
//
// A Link belongs to the group that was given it. One goroutine receives on it; any number may send. Package
// linktest is the exam every implementation passes.
//
// When it fails: a link that returned an error is finished, whatever the error was. Nothing is retried here,
// because a byte that was lost in a sum cannot be told from one that was added twice.
package link

import (
	"errors"
	"time"
)

// Grace is how long CloseWith tries to get its last frame out before it closes.
const Grace = 20 * time.Millisecond

var (
	// ErrClosed is the error of a link that this side closed.
	ErrClosed = errors.New("link: closed")
	// ErrEnded is the error of a receive when the peer closed between two frames.
	ErrEnded = errors.New("link: ended by the peer")
	// ErrTruncated is the error of a receive when the link ended in the middle of a frame.
	ErrTruncated = errors.New("link: ended inside a frame")
	// ErrTimeout is the error of a send or a receive that made no progress for as long as the link allows.
	ErrTimeout = errors.New("link: no progress within the deadline")
	// ErrFrame is the error for bytes that are not a frame of this version.
	ErrFrame = errors.New("link: not a frame of this version")
	// ErrCorrupt is the error for a payload that does not match its checksum.
	ErrCorrupt = errors.New("link: checksum mismatch")
)

// Link carries frames to and from one peer, in order, each exactly once.
type Link interface {
	// Send sends one frame. h.Length is the length of payload and h.Sum its Checksum. The payload is not kept
	// after Send returned. Frames of concurrent calls do not mix.
	Send(h Header, payload []byte) error
	// RecvHeader waits for the next frame and returns its header, unchecked but for its version and its check.
	RecvHeader() (Header, error)
	// RecvPayload fills p with the next bytes of the payload. Its calls sum up to h.Length.
	RecvPayload(p []byte) error
	// CloseWith sends one last frame if it can within Grace, even where a Send is stuck, then closes.
	CloseWith(h Header, payload []byte) error
	// Close ends the link. Calls that wait return ErrClosed; the peer's receive returns ErrEnded or ErrTruncated.
	Close() error
}

// Options are limits of a link.
type Options struct {
	// RecvTimeout and SendTimeout bound the time without progress of one call; 0 is no bound.
	RecvTimeout, SendTimeout time.Duration
}
