package allreduce

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"byol/allreduce/link"
)

// TestAbortsAreToldWithTheirCause: a rank that is told of an abort can test for the cause as the one that saw it, and
// reads who says so.
func TestAbortsAreToldWithTheirCause(t *testing.T) {
	for _, c := range []struct {
		cause error
		is    error // nil: none of ours
	}{
		{ErrClosed, ErrClosed}, {fmt.Errorf("%w: step 3", ErrStale), ErrStale}, {ErrCorrupt, ErrCorrupt},
		{fmt.Errorf("send: %w", ErrTimeout), ErrTimeout}, {classify(link.ErrTruncated), ErrLost},
		{errors.New("disk on fire"), nil}, {context.Canceled, nil},
	} {
		got := decodeAbort(4, 6, encodeAbort(blame{rank: 2, witness: 5, err: c.cause}))
		if got.rank != 2 || got.witness != 5 || !strings.Contains(got.err.Error(), c.cause.Error()) ||
			!strings.Contains(got.err.Error(), "rank 5 says") {
			t.Errorf("%v: told as rank %d, %v", c.cause, got.rank, got.err)
		}
		for _, known := range causes {
			if known != nil && errors.Is(got.err, known) != (known == c.is) {
				t.Errorf("%v: told as %v: is %v: %v", c.cause, got.err, known, known != c.is)
			}
		}
		if again := decodeAbort(0, 6, encodeAbort(got)); again.rank != 2 || again.witness != 5 ||
			again.err.Error() != got.err.Error() {
			t.Errorf("%v: passed on as rank %d, witness %d, %v", got.err, again.rank, again.witness, again.err)
		}
	}
}

func TestAbortsOfAnyBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "payload")
		got := decodeAbort(3, 5, p)
		if got.err == nil {
			t.Fatalf("%x: no cause", p)
		}
		if got.rank < 0 || got.rank >= 5 || got.witness < 0 || got.witness >= 5 {
			t.Fatalf("%x: rank %d, witness %d of 5", p, got.rank, got.witness)
		}
		none := len(p) < 9 || int(p[8]) >= len(causes)
		if none && (got.rank != 3 || got.err.Error() != "aborted without a reason") {
			t.Fatalf("%x: rank %d, %v; want rank 3 without a reason", p, got.rank, got.err)
		}
	})
	long := encodeAbort(blame{rank: 1, err: errors.New(strings.Repeat("x", 5000))})
	if len(long) > 1009 {
		t.Errorf("a long reason takes %d bytes", len(long))
	}
}

func TestLinkErrorsHaveCauses(t *testing.T) {
	for _, c := range []struct{ err, want error }{
		{link.ErrClosed, ErrClosed}, {link.ErrEnded, ErrLost}, {fmt.Errorf("receive: %w", link.ErrTruncated), ErrLost},
		{link.ErrFrame, link.ErrFrame},
	} {
		if got := classify(c.err); !errors.Is(got, c.want) {
			t.Errorf("%v: got %v, want %v", c.err, got, c.want)
		}
	}
}

// TestErrorsReadWell: who, what, and for how long.
func TestErrorsReadWell(t *testing.T) {
	e := &PeerError{Rank: 3, Op: "all-reduce", Key: Key{Step: 12, Bucket: 4}, Waited: 1500 * time.Millisecond,
		Err: ErrLost}
	if got, want := e.Error(), "all-reduce step 12 bucket 4: rank 3 after 1.5s: allreduce: peer lost"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	e = &PeerError{Rank: Nobody, Op: "share", Err: context.Canceled}
	if got, want := e.Error(), "share step 0 bucket 0: this rank after 0s: context canceled"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	e = &PeerError{Rank: 1, Name: "worker-1", Op: "form", Phase: "measure", Waited: 5 * time.Second, Err: ErrLost}
	if got, want := e.Error(), "form group, measure: worker-1 (rank 1) after 5s: allreduce: peer lost"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(e, ErrLost) {
		t.Errorf("%v is not its cause", e)
	}
}

// TestTheFirstCauseCounts, whatever comes after it.
func TestTheFirstCauseCounts(t *testing.T) {
	groups := memGroups(t, 3, Float32, nil)
	g := groups[0]
	for i, b := range []blame{{rank: 1, err: ErrStale}, {rank: 2, err: ErrLost},
		{rank: Nobody, err: context.Canceled}} {
		if first := g.finish(b); first != (i == 0) {
			t.Errorf("cause %d is the first: %v", i, first)
		}
	}
	g.shut(link.Bye, nil)
	for _, call := range []func() error{
		func() error { return g.AllReduce(t.Context(), Key{}, [][]float32{{1}}, []float32{1}) },
		func() error { return g.Total(t.Context(), Key{}, []float64{1}, make([]float64, 1)) },
		func() error { return g.Share(t.Context(), Key{}, []float32{1, 2, 3}, spans(0, 1, 2, 3)) },
	} {
		if bad := wantRank(call(), 1, ErrStale); bad != nil {
			t.Error(bad)
		}
	}
}

func TestWaitsAreTimedAndDescribed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(GroupConfig{Peers: []Peer{{ShardEnd: 1}}})
		if w, ok := g.waitsFor(); ok {
			t.Errorf("a new group waits for %+v", w)
		}
		send, total := &g.waits[slotSend], &g.waits[slotTotal]
		send.begin(&operation{g: g, kind: opAllReduce, key: Key{Step: 1, Bucket: 2}}, 5)
		time.Sleep(time.Second)
		total.begin(&operation{g: g, kind: opTotal, key: Key{Step: 1}}, 6)
		time.Sleep(time.Second)
		if w, ok := g.waitsFor(); !ok || w.Rank != 5 || w.Describe(time.Now()) != "rank 5, all-reduce bucket 2, 2s" {
			t.Errorf("waits for %+v, ok %v; want the longest wait, for rank 5", w, ok)
		}
		if got := total.last(); got != time.Second {
			t.Errorf("the wait that goes on has taken %v, want 1s", got)
		}
		send.end()
		send.end() // no wait goes on
		if w, ok := g.waitsFor(); !ok || w.Rank != 6 || send.last() != 2*time.Second {
			t.Errorf("waits for %+v, the wait before took %v; want rank 6 and 2s", w, send.last())
		}
	})
}

func TestBuffersAreReused(t *testing.T) {
	p := newPeer(1, nil)
	a := p.buffer(100)
	p.recycle(a)
	if b := p.buffer(50); &b[0] != &a[0] || len(b) != 50 {
		t.Errorf("got a fresh buffer of %d bytes", len(b))
	}
	p.recycle(a[:10])
	if b := p.buffer(1000); len(b) != 1000 {
		t.Errorf("got %d bytes, want 1000", len(b))
	}
	if b := p.buffer(60); &b[0] != &a[0] {
		t.Error("the short buffer was lost beside a long one")
	}
	for range 10 * ahead { // more than are kept
		p.recycle(make([]byte, 8))
	}
	if n := len(p.spare); n != cap(p.spare) {
		t.Errorf("%d buffers are kept, want %d", n, cap(p.spare))
	}
}

func TestScratchIsCutIntoRows(t *testing.T) {
	var s scratch
	v := s.floats(12)
	for i := range v {
		v[i] = float32(i)
	}
	rows := s.rows(v, 4)
	if len(rows) != 3 || !slices.Equal(rows[1], []float32{4, 5, 6, 7}) {
		t.Errorf("got %v", rows)
	}
	if again := s.floats(6); &again[0] != &v[0] || len(again) != 6 {
		t.Error("the memory is not reused")
	}
}
