package allreduce

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"byol/allreduce/link"
	"byol/internal/vector"
)

// TestALandingIsForTheTotalThatIsDue, and for no other.
func TestALandingIsForTheTotalThatIsDue(t *testing.T) {
	l := landing{taken: newGate()}
	head := func(chunk uint32) link.Header {
		return link.Header{Kind: link.Total, Step: 3, Chunk: chunk, Length: 4}
	}
	sum := func(h link.Header) link.Header { h.Sum = 77; return h }
	first, second := []byte("abcd"), []byte("efgh")
	if l.take(head(1)) != nil {
		t.Error("nothing is expected, and there was a place")
	}
	l.expect(head(1), first)
	l.expect(head(2), second)
	for _, other := range []link.Header{head(2), {Kind: link.Total, Step: 4, Chunk: 1, Length: 4},
		{Kind: link.Part, Step: 3, Chunk: 1, Length: 4}, {Kind: link.Total, Step: 3, Chunk: 1, Length: 5}} {
		if l.take(other) != nil {
			t.Errorf("%v is not due, and there was a place", other)
		}
	}
	if got := l.take(sum(head(1))); !slices.Equal(got, first) {
		t.Errorf("the place of the first is %q", got)
	}
	l.leave()
	l.expect(head(3), first)
	l.miss() // the second came before it was expected
	if got := l.take(head(3)); !slices.Equal(got, first) {
		t.Errorf("the place of the third is %q", got)
	}
	l.leave()
	l.expect(head(4), second)
	l.clear()
	if l.take(head(4)) != nil {
		t.Error("a place was left behind")
	}
}

// watched is a link that tells of payloads that are received into out, and takes its time with them.
type watched struct {
	link.Link
	out    []byte
	takes  time.Duration
	landed *atomic.Int32 // how many were
	inside *atomic.Int32 // how many are
}

func (w *watched) RecvPayload(p []byte) error {
	lands := func() bool {
		for i := range w.out {
			if len(p) > 0 && &w.out[i] == &p[0] {
				return true
			}
		}
		return false
	}
	if !lands() {
		return w.Link.RecvPayload(p)
	}
	w.landed.Add(1)
	w.inside.Add(1)
	defer w.inside.Add(-1)
	time.Sleep(w.takes)
	return w.Link.RecvPayload(p)
}

// TestTotalsLandInTheVector, with no buffer between, where they are not rounded.
func TestTotalsLandInTheVector(t *testing.T) {
	for wire, least := range map[Wire]int32{Float32: 3, BF16: 0} {
		synctest.Test(t, func(t *testing.T) {
			var landed, inside atomic.Int32
			outs := [][]float32{make([]float32, 50_000), make([]float32, 50_000), make([]float32, 50_000)}
			groups := linkGroups(GroupConfig{Wire: wire, Timeout: 10 * time.Second}, []int{1, 3, 4},
				func(from, _ int, l link.Link) link.Link {
					return &watched{Link: l, out: vector.Bytes(outs[from]), landed: &landed, inside: &inside}
				})
			defer closeAll(groups)
			all := testShards(5, 4, 50_000)
			want := wire.oracle(all)
			for r, err := range onAll(3, func(r int) error {
				shards := copied(groups[r], mine(groups[r], all))
				copy(outs[r], shards[0]) // onto which the sum goes
				shards[0] = outs[r]
				return groups[r].AllReduce(t.Context(), Key{}, shards, outs[r])
			}) {
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(outs[r], want) {
					t.Errorf("%v: rank %d has another sum", wire, r)
				}
			}
			if got := landed.Load(); got < least || least == 0 && got > 0 {
				t.Errorf("%v: %d totals landed, want %d at least, 0 only if 0", wire, got, least)
			}
		})
	}
}

// TestNobodyWritesIntoAVectorThatIsGivenBack: a rank that is told to leave while a total lands returns once it has.
func TestNobodyWritesIntoAVectorThatIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var landed, inside atomic.Int32
		out := make([]float32, 50_000)
		groups := linkGroups(GroupConfig{Timeout: 10 * time.Second}, []int{1, 2},
			func(from, _ int, l link.Link) link.Link {
				if from == 0 {
					return &watched{Link: l, out: vector.Bytes(out), takes: time.Second, landed: &landed, inside: &inside}
				}
				return l
			})
		defer closeAll(groups)
		told := errors.New("told to leave")
		onAll(2, func(r int) error {
			if r == 1 {
				v := make([]float32, len(out))
				_ = groups[1].AllReduce(t.Context(), Key{}, [][]float32{v}, v)
				return nil
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			time.AfterFunc(100*time.Millisecond, func() { cancel(told) })
			err := groups[0].AllReduce(ctx, Key{}, [][]float32{out}, out)
			if !errors.Is(err, told) || landed.Load() != 1 || inside.Load() != 0 {
				t.Errorf("got %v after %d totals have landed, want %v after 1, while %d land", err, landed.Load(), told,
					inside.Load())
			}
			return nil
		})
	})
}
