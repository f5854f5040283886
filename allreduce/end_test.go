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
		got := decodeAbort(4, encodeAbort(blame{2, c.cause}))
		if got.rank != 2 || !strings.Contains(got.err.Error(), c.cause.Error()) ||
			!strings.Contains(got.err.Error(), "rank 4 says") {
			t.Errorf("%v: told as rank %d, %v", c.cause, got.rank, got.err)
		}
		for _, known := range causes {
			if known != nil && errors.Is(got.err, known) != (known == c.is) {
				t.Errorf("%v: told as %v: is %v: %v", c.cause, got.err, known, known != c.is)
			}
		}
	}
}

func TestAbortsOfAnyBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "payload")
		got := decodeAbort(3, p)
		if got.err == nil {
			t.Fatalf("%x: no cause", p)
		}
		none := len(p) < 5 || int(p[4]) >= len(causes)
		if none && (got.rank != 3 || got.err.Error() != "aborted without a reason") {
			t.Fatalf("%x: rank %d, %v; want rank 3 without a reason", p, got.rank, got.err)
		}
	})
	long := encodeAbort(blame{1, errors.New(strings.Repeat("x", 5000))})
	if len(long) > 1005 {
		t.Errorf("a long reason takes %d bytes", len(long))
	}
}

func TestLinkErrorsHaveCauses(t *testing.T) {
	for _, c := range []struct{ err, want error }{
		{link.ErrClosed, ErrClosed}, {link.ErrEnded, ErrLost}, {fmt.Errorf("receive: %w", link.ErrTruncated), ErrLost},
		{link.ErrTimeout, ErrTimeout}, {link.ErrFrame, link.ErrFrame},
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
	if !errors.Is(e, context.Canceled) {
		t.Errorf("%v is not its cause", e)
	}
}

// TestTheFirstCauseCounts, whatever comes after it.
func TestTheFirstCauseCounts(t *testing.T) {
	groups := memGroups(t, 3, Float32, nil)
	g := groups[0]
	for i, b := range []blame{{1, ErrStale}, {2, ErrLost}, {Nobody, context.Canceled}} {
		if first := g.finish(b); first != (i == 0) {
			t.Errorf("cause %d is the first: %v", i, first)
		}
	}
	g.shut(link.Bye, nil)
	for _, call := range []func() error{
		func() error { return g.AllReduce(t.Context(), Key{}, [][]float32{{1}}, []float32{1}) },
		func() error { return g.Gather(t.Context(), Key{}, []float64{1}, make([]float64, 3)) },
		func() error { return g.Share(t.Context(), Key{}, []float32{1, 2, 3}, spans(0, 1, 2, 3)) },
	} {
		if bad := wantRank(call(), 1, ErrStale); bad != nil {
			t.Error(bad)
		}
	}
}

// TestTheCulpritIsAtTheEndOfTheChain has ranks wait for each other as given, and asks rank 0 who holds up its
// neighbour.
func TestTheCulpritIsAtTheEndOfTheChain(t *testing.T) {
	for _, c := range []struct {
		name  string
		waits []int // by rank: for whom it waits, or Nobody
		dead  int   // answers nobody, or Nobody
		want  int
	}{
		{"a neighbour that waits for nobody", []int{3, Nobody, Nobody, Nobody}, Nobody, 3},
		{"one further", []int{3, Nobody, Nobody, 2}, Nobody, 2},
		{"two further", []int{3, Nobody, 1, 2}, Nobody, 1},
		{"all in a circle", []int{3, 0, 1, 2}, Nobody, 3},
		{"a circle without us", []int{3, 2, 1, 2}, Nobody, 3},
		{"a dead one", []int{3, Nobody, Nobody, 2}, 2, 2},
		{"a dead neighbour", []int{3, Nobody, Nobody, Nobody}, 3, 3},
		{"waits for itself", []int{3, Nobody, Nobody, 3}, Nobody, 3},
	} {
		synctest.Test(t, func(t *testing.T) {
			cuts := []int{1, 2, 3, 4}
			groups := linkGroups(GroupConfig{Timeout: time.Minute}, cuts, func(from, _ int, l link.Link) link.Link {
				if from == c.dead {
					return silent{l}
				}
				return l
			})
			for r, whom := range c.waits {
				if whom != Nobody {
					groups[r].waits[slotReceive].begin(&operation{g: groups[r], kind: opShare}, whom)
				}
			}
			if got := groups[0].culprit(3); got != c.want {
				t.Errorf("%s: rank %d is to blame, want %d", c.name, got, c.want)
			}
			closeAll(groups)
		})
	}
}

// silent is a link whose end answers nobody.
type silent struct{ link.Link }

func (s silent) Send(h link.Header, payload []byte) error {
	if h.Kind == link.Answer {
		return nil
	}
	return s.Link.Send(h, payload)
}

func TestLateAnswersDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		groups := linkGroups(GroupConfig{Timeout: time.Minute}, []int{1, 2}, nil)
		defer closeAll(groups)
		p := groups[0].mesh[1]
		stale := link.Header{Kind: link.Answer, Chunk: 77, Length: 4}
		for range 2 * ahead { // more than the queue takes
			stale.Sum = link.Checksum([]byte{0, 0, 0, 0})
			if err := groups[1].mesh[0].link.Send(stale, []byte{0, 0, 0, 0}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		for range ahead {
			<-p.queues[link.Answer]
		}
		if rank, ok := groups[0].ask(p); !ok || rank != Nobody {
			t.Errorf("got rank %d, ok %v; want nobody", rank, ok)
		}
		select {
		case <-groups[0].done:
			t.Errorf("answers to questions of long ago broke the group: %v", groups[0].why().err)
		default:
		}
	})
}

func TestWaitsAreTimedAndDescribed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(GroupConfig{Peers: []Peer{{ShardEnd: 1}}})
		if w, ok := g.waitsFor(); ok {
			t.Errorf("a new group waits for %+v", w)
		}
		send, gather := &g.waits[slotSend], &g.waits[slotGather]
		send.begin(&operation{g: g, kind: opAllReduce, key: Key{Step: 1, Bucket: 2}}, 5)
		time.Sleep(time.Second)
		gather.begin(&operation{g: g, kind: opGather, key: Key{Step: 1}}, 6)
		time.Sleep(time.Second)
		if w, ok := g.waitsFor(); !ok || w.Rank != 5 || w.Describe(time.Now()) != "rank 5, all-reduce bucket 2, 2s" {
			t.Errorf("waits for %+v, ok %v; want the longest wait, for rank 5", w, ok)
		}
		if got := gather.last(); got != time.Second {
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
