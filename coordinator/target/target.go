// Package target computes BYOL's target network: ξ' = ξ + (1−τ)(θ'−ξ), from slices of θ' as workers send them.
//
// The network is one flat vector of which each rank owns a span of whole blocks (vector.PartOfBlocks), an empty one
// where there are fewer blocks than ranks. Each rank's slices arrive in order on a stream of their own, so that the
// spans are folded in at the same time by the goroutines that receive them: Write may be called concurrently for
// different ranks, and by one goroutine at a time for the same rank. All other methods belong to one owner, which must
// not call Begin or Commit while a Write is under way. Two vectors are kept, ξ and the ξ' that is being computed;
// Commit swaps them, so that slices of the committed one may be sent while the next is computed.
//
// # When it fails
//
// Write refuses bytes that don't continue the rank's span and leaves everything as it was; the caller decides what
// becomes of the sender. Begin drops what was written since the last Commit, so that a step may be run again.
package target

import (
	"fmt"
	"math"

	"byol/internal/vector"
)

// Target is ξ, and ξ' while a step is under way.
type Target struct {
	current, next []float32
	rate          float32
	restoring     bool
	spans         []span
}

// span is one rank's part: [begin, end), of which everything before at is written.
type span struct {
	begin, end, at int64
	hash           vector.Hasher
	_              [64]byte // ranks write side by side; keep them off each other's cache lines
}

// New returns a target of so many parameters in spans for so many ranks. Its ξ is zero until it is restored.
func New(parameters int64, ranks int) (*Target, error) {
	if parameters < 1 || parameters > math.MaxInt32 || ranks < 1 {
		return nil, fmt.Errorf("allocate target: %d parameters for %d ranks", parameters, ranks)
	}
	t := &Target{current: make([]float32, parameters), next: make([]float32, parameters), spans: make([]span, ranks)}
	for r := range t.spans {
		part := vector.PartOfBlocks(int(parameters), r, ranks)
		t.spans[r].begin, t.spans[r].end = int64(part.Off), int64(part.End())
	}
	t.rewind()
	return t, nil
}

func (t *Target) rewind() {
	for r := range t.spans {
		t.spans[r].rewind()
	}
}

func (s *span) rewind() {
	s.at = s.begin
	s.hash.Reset()
}

// Restart has rank's span come again from its start, if it is not complete, and reports whether it does. No Write for
// the rank may be under way.
func (t *Target) Restart(rank int) bool {
	s := &t.spans[rank]
	if s.at == s.end {
		return false
	}
	s.rewind()
	return true
}

// Span returns the range that rank owns.
func (t *Target) Span(rank int) (begin, end int64) { return t.spans[rank].begin, t.spans[rank].end }

// BeginRestore has the next slices taken as ξ itself.
func (t *Target) BeginRestore() {
	t.restoring = true
	t.rewind()
}

// Begin has the next slices taken as θ', with this rate 1−τ.
func (t *Target) Begin(rate float32) {
	t.restoring, t.rate = false, rate
	t.rewind()
}

// Write folds in little-endian float32 values that begin at element offset of rank's span. It reports whether the
// span is complete.
func (t *Target) Write(rank int, offset int64, data []byte) (complete bool, err error) {
	s := &t.spans[rank]
	n := int64(len(data) / 4)
	if len(data) == 0 || len(data)%4 != 0 || offset != s.at || n > s.end-s.at {
		return false, fmt.Errorf("slice of rank %d: %d bytes at element %d, want at most %d at %d of [%d,%d)",
			rank, len(data), offset, (s.end-s.at)*4, s.at, s.begin, s.end)
	}
	s.hash.Write(data)
	if t.restoring {
		copy(t.next[offset:offset+n], vector.Floats(data))
	} else {
		vector.Average(t.next[offset:offset+n], t.current[offset:offset+n], vector.Floats(data), t.rate)
	}
	s.at += n
	return s.at == s.end, nil
}

// Complete reports whether all spans are written.
func (t *Target) Complete() bool {
	for r := range t.spans {
		if t.spans[r].at != t.spans[r].end {
			return false
		}
	}
	return true
}

// Received returns the digest of what each rank has written, and that of all of it together: ξ or θ' as it came in.
func (t *Target) Received() (slices []uint64, whole uint64) {
	var all []uint64
	for r := range t.spans {
		first := len(all)
		all = t.spans[r].hash.AppendBlocks(all)
		slices = append(slices, vector.Fold(all[first:]))
	}
	return slices, vector.Fold(all)
}

// NextDigest returns the digest of ξ' once it is complete.
func (t *Target) NextDigest() uint64 {
	if !t.Complete() {
		panic("target: digest of an incomplete target")
	}
	return vector.Digest(t.next)
}

// Commit makes ξ' the new ξ.
func (t *Target) Commit() {
	if !t.Complete() {
		panic("target: commit of an incomplete target")
	}
	t.current, t.next = t.next, t.current
}

// Current returns ξ. It stays as it is until the second Commit from now.
func (t *Target) Current() []float32 { return t.current }
