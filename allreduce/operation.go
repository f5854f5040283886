package allreduce

import (
	"context"
	"errors"
	"fmt"
	"time"

	"byol/allreduce/link"
)

// gate is a mutex that is held while an operation waits for peers. It is a channel, because in a testing/synctest
// bubble who waits for a sync.Mutex keeps the time from going on.
type gate chan struct{}

func newGate() gate { return make(gate, 1) }

func (g gate) lock() { g <- struct{}{} }

func (g gate) unlock() { <-g }

// tryLock does not wait.
func (g gate) tryLock() bool {
	select {
	case g <- struct{}{}:
		return true
	default:
		return false
	}
}

// opKind says which operation runs.
type opKind int

const (
	opAllReduce opKind = iota
	opTotal
	opShare
	opForm
)

func (k opKind) String() string { return [...]string{"all-reduce", "total", "share", "form"}[k] }

// operation is one call of AllReduce, Total or Share.
type operation struct {
	g       *Group
	kind    opKind
	key     Key
	waiting *waitSlot // of the calling goroutine
	phase   string    // while a group forms; else the kind says it
	lock    gate
	detach  func() bool // from the caller's context
}

// begin takes the operation's turn. The group breaks when ctx ends before the operation does, because its peers
// can no longer finish theirs.
func (g *Group) begin(ctx context.Context, kind opKind, key Key) (*operation, error) {
	op := &operation{g: g, kind: kind, key: key, lock: g.bulk, waiting: &g.waits[slotReceive]}
	if kind == opTotal {
		op.lock, op.waiting = g.small, &g.waits[slotTotal]
	}
	op.lock.lock()
	if ctx.Done() != nil {
		op.detach = context.AfterFunc(ctx, func() { g.fail(g.observed(Nobody, context.Cause(ctx))) })
	}
	if err := op.result(); err != nil {
		op.end()
		return nil, err
	}
	return op, nil
}

func (op *operation) end() {
	if op.detach != nil {
		op.detach()
	}
	op.lock.unlock()
}

// result is nil while the group is whole, and else the group's cause as this operation tells it.
func (op *operation) result() error {
	select {
	case <-op.g.done:
	default:
		return nil
	}
	b := op.g.why()
	e := &PeerError{Rank: b.rank, Witness: b.witness, Op: op.kind.String(), Phase: op.phase, Key: op.key,
		Waited: op.waiting.last(), Err: b.err}
	if e.Phase == "" {
		e.Phase = e.Op
	}
	if b.rank != Nobody {
		p := op.g.cfg.Peers[b.rank]
		e.Name, e.Address = p.Name, p.Address
	}
	return e
}

// misuse breaks the group for a call that no peer can match.
func (op *operation) misuse(err error) error {
	op.g.fail(op.g.observed(Nobody, err))
	return op.result()
}

// header is the head of a frame of this operation, but for what it carries.
func (op *operation) header(kind link.Kind, chunk uint32) link.Header {
	return link.Header{
		Kind:       kind,
		Generation: uint32(op.g.cfg.Generation),
		Step:       op.key.Step,
		Bucket:     op.key.Bucket,
		Chunk:      chunk,
	}
}

// expect breaks the group unless a frame from rank has the head the schedule says, its checksum aside.
func (op *operation) expect(rank int, got, want link.Header) bool {
	got.Sum, want.Sum = 0, 0
	if got == want {
		return true
	}
	op.g.fail(op.g.observed(rank, fmt.Errorf("%w: got frame %v, want %v", ErrStale, got, want)))
	return false
}

// corrupt breaks the group for a payload from rank whose checksum, sum, is not that in its head.
func (g *Group) corrupt(rank int, h link.Header, sum uint32) {
	g.fail(g.observed(rank, fmt.Errorf("%w: frame %v: have %08x, want %08x", ErrCorrupt, h, sum, h.Sum)))
}

// linkFailed breaks the group for an error of a link to rank. Where the link just ended, the peer may have left
// because of a third rank; its word on that, or the third rank's own end, is on the mesh within moments.
func (g *Group) linkFailed(rank int, err error) {
	cause := classify(err)
	if !errors.Is(cause, ErrLost) {
		g.fail(g.observed(rank, cause))
		return
	}
	g.hearOrBlame(2*link.Grace, g.observed(rank, cause))
}

// hearOrBlame gives the word of others limit to arrive, then breaks the group for b.
func (g *Group) hearOrBlame(limit time.Duration, b blame) {
	verdict := time.NewTimer(limit)
	defer verdict.Stop()
	select {
	case <-g.done:
	case <-verdict.C:
		g.fail(b)
	}
}
