package allreduce

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"byol/allreduce/link"
)

// memGroups makes a group of n ranks, one shard each, over links in memory. wrap may put a fault into the link on
// which rank from sends to rank to.
func memGroups(t *testing.T, n int, wire Wire, wrap func(from, to int, l link.Link) link.Link) []*Group {
	t.Helper()
	const timeout = 20 * time.Second
	before := runtime.NumGoroutine()
	cuts := make([]int, n)
	for r := range cuts {
		cuts[r] = r + 1
	}
	groups := linkGroups(GroupConfig{Generation: 7, Timeout: timeout, Wire: wire}, cuts, wrap)
	t.Cleanup(func() {
		for _, g := range groups {
			_ = g.Close()
		}
		noLeak(t, before)
	})
	return groups
}

// edited is a link whose frames pass through edit before they are sent.
type edited struct {
	link.Link
	edit func(h *link.Header, payload *[]byte)
}

func (f edited) Send(h link.Header, payload []byte) error {
	f.edit(&h, &payload)
	return f.Link.Send(h, payload)
}

// sumLoop all-reduces until an error, and returns it with the time of its return.
func sumLoop(g *Group, n int) (time.Time, error) {
	in, out := room(g, n), room(g, n)
	for step := uint64(0); ; step++ {
		if err := g.AllReduce(context.Background(), Key{Step: step}, [][]float32{in}, out); err != nil {
			return time.Now(), err
		}
	}
}

// totalLoop totals until an error, and returns it with the time of its return.
func totalLoop(g *Group) (time.Time, error) {
	local, sum := make([]float64, 10*g.own()), make([]float64, 10)
	for step := uint64(0); ; step++ {
		if err := g.Total(context.Background(), Key{Step: step}, local, sum); err != nil {
			return time.Now(), err
		}
	}
}

func TestFrameFaults(t *testing.T) {
	const size, n, bad = 4, 300_000, 5 // the fault is in the bad-th matching frame
	for _, c := range []struct {
		name string
		kind link.Kind
		from int
		edit func(h *link.Header, payload *[]byte)
		want error
	}{
		{"flipped bit in a part", link.Part, 1, flip, ErrCorrupt},
		{"flipped bit in a sum", link.Total, 3, flip, ErrCorrupt},
		{"flipped bit in a node", link.Node, 2, flip, ErrCorrupt},
		{"generation of the past", link.Part, 0, func(h *link.Header, _ *[]byte) { h.Generation-- }, ErrStale},
		{"step of the past", link.Part, 2, func(h *link.Header, _ *[]byte) { h.Step-- }, ErrStale},
		{"step of the future", link.Total, 0, func(h *link.Header, _ *[]byte) { h.Step++ }, ErrStale},
		{"another bucket", link.Node, 1, func(h *link.Header, _ *[]byte) { h.Bucket++ }, ErrStale},
		{"generation of the past in a node", link.Node, 1,
			func(h *link.Header, _ *[]byte) { h.Generation-- }, ErrStale},
		{"chunk out of turn", link.Part, 1, func(h *link.Header, _ *[]byte) { h.Chunk++ }, ErrStale},
		{"wrong length", link.Part, 1, func(h *link.Header, p *[]byte) {
			*p = append(bytes.Clone(*p), 0, 0, 0, 0)
			h.Length, h.Sum = uint32(len(*p)), link.Checksum(*p)
		}, ErrStale},
		{"truncated chunk", link.Part, 1, func(_ *link.Header, p *[]byte) { *p = (*p)[:len(*p)/2] }, ErrLost},
		{"truncated node", link.Node, 3,
			func(_ *link.Header, p *[]byte) { *p = (*p)[:len(*p)/2] }, ErrLost},
	} {
		t.Run(c.name, func(t *testing.T) {
			var seen atomic.Int32
			groups := memGroups(t, size, Float32, func(from, _ int, l link.Link) link.Link {
				if from != c.from {
					return l
				}
				return edited{l, func(h *link.Header, payload *[]byte) {
					if h.Kind == c.kind && seen.Add(1) == bad {
						c.edit(h, payload)
					}
				}}
			})
			errs := onAll(size, func(r int) error {
				var totals sync.WaitGroup
				totals.Go(func() {
					if _, err := totalLoop(groups[r]); !errors.Is(err, c.want) {
						t.Errorf("rank %d total: got %v, want %v", r, err, c.want)
					}
				})
				defer totals.Wait()
				_, err := sumLoop(groups[r], n)
				return err
			})
			for r, err := range errs {
				var pe *PeerError
				if !errors.As(err, &pe) || !errors.Is(err, c.want) || pe.Rank != c.from || pe.Op != "all-reduce" {
					t.Errorf("rank %d: got %v; want %v about rank %d", r, err, c.want, c.from)
				}
			}
		})
	}
}

// slowToSpeak is a link whose last word takes its time, as on a host without a processor to spare.
type slowToSpeak struct{ link.Link }

func (l slowToSpeak) CloseWith(h link.Header, payload []byte) error {
	time.Sleep(8 * link.Grace)
	return l.Link.CloseWith(h, payload)
}

func TestTheMessengerIsNotBlamed(t *testing.T) {
	const messenger = 2
	allBlame(t, 1, messenger, func(from, _ int, l link.Link) link.Link {
		if from == messenger {
			return slowToSpeak{l}
		}
		return l
	})
}

// allBlame has one of four ranks damage a part for another, who says so, and all blame it. wrap makes links what they
// are beside that.
func allBlame(t *testing.T, culprit, finder int, wrap func(from, to int, l link.Link) link.Link) {
	t.Helper()
	const size = 4
	var seen atomic.Int32
	groups := memGroups(t, size, Float32, func(from, to int, l link.Link) link.Link {
		if from != culprit || to != finder {
			return wrap(from, to, l)
		}
		return edited{l, func(h *link.Header, payload *[]byte) {
			if h.Kind == link.Part && seen.Add(1) == 3 {
				flip(h, payload)
			}
		}}
	})
	for r, err := range onAll(size, func(r int) error {
		_, err := sumLoop(groups[r], 300_000)
		return wantRank(err, culprit, ErrCorrupt)
	}) {
		if err != nil {
			t.Errorf("rank %d: %v", r, err)
		}
	}
}

// tornAtTheEnd is a link whose last word stays behind half a frame.
type tornAtTheEnd struct{ link.Link }

func (l tornAtTheEnd) CloseWith(h link.Header, _ []byte) error {
	h.Kind, h.Length = link.Node, 64
	return errors.Join(l.Send(h, make([]byte, 32)), l.Close())
}

// later is a link whose last word comes within the time that others are given.
type later struct{ link.Link }

func (l later) CloseWith(h link.Header, payload []byte) error {
	time.Sleep(link.Grace / 2)
	return l.Link.CloseWith(h, payload)
}

// TestWhoCouldNotSayWhyIsNotBlamed: a rank leaves because of another, and half a frame is on its line. Whom it leaves
// so waits for the word of a third.
func TestWhoCouldNotSayWhyIsNotBlamed(t *testing.T) {
	const left, witness = 2, 3
	allBlame(t, 1, left, func(from, to int, l link.Link) link.Link {
		switch {
		case from == left && to == witness:
			return tornAtTheEnd{l}
		case to == witness:
			return later{l}
		}
		return l
	})
}

func flip(_ *link.Header, payload *[]byte) {
	*payload = bytes.Clone(*payload)
	(*payload)[len(*payload)/3] ^= 4
}

// kill ends all connections of g as the death of its process would: without a word.
func kill(g *Group) {
	if !g.finish(blame{rank: g.Rank(), err: errors.New("killed")}) {
		return
	}
	defer close(g.shutDone)
	for _, p := range g.mesh {
		if p != nil {
			_ = p.link.Close()
		}
	}
	_ = g.next.Close()
	_ = g.prev.Close()
}

func TestSurvivorsOfAKillReturnPromptly(t *testing.T) {
	onAllWays(t, testSurvivorsOfAKillReturnPromptly)
}

func testSurvivorsOfAKillReturnPromptly(t *testing.T) {
	const size, victim, promise = 5, 2, 100 * time.Millisecond
	var worst time.Duration
	for range 6 { // a busy machine may take its time; a group that hangs does so each time
		groups := testGroups(t, size, size, nil)
		var killed time.Time
		ends := make([]time.Time, size)
		errs := onAll(size+1, func(r int) error {
			if r == size {
				time.Sleep(50 * time.Millisecond)
				killed = time.Now()
				kill(groups[victim])
				return nil
			}
			var totals sync.WaitGroup
			var totalErr error
			var totalEnd time.Time
			totals.Go(func() { totalEnd, totalErr = totalLoop(groups[r]) })
			end, err := sumLoop(groups[r], 2_000_000)
			totals.Wait()
			if r == victim {
				return nil
			}
			ends[r] = end
			if totalEnd.After(end) {
				ends[r] = totalEnd
			}
			return errors.Join(wantRank(err, victim, ErrLost), wantRank(totalErr, victim, ErrLost))
		})
		for r, err := range errs {
			if err != nil {
				t.Errorf("rank %d: %v", r, err)
			}
		}
		worst = slices.MaxFunc(ends, time.Time.Compare).Sub(killed)
		if worst <= promise {
			t.Logf("last survivor returned %v after the kill", worst)
			return
		}
	}
	t.Errorf("last survivor returned %v after the kill, want at most %v", worst, promise)
}

// wantRank says what is wrong with err, which should be want about rank.
func wantRank(err error, rank int, want error) error {
	var pe *PeerError
	if !errors.As(err, &pe) || pe.Rank != rank || !errors.Is(err, want) {
		return fmt.Errorf("got %v, want %v about rank %d", err, want, rank)
	}
	return nil
}

func TestAPeerThatComputesIsWaitedFor(t *testing.T) { onAllWays(t, testAPeerThatComputesIsWaitedFor) }

// One rank comes to each operation long after the timeout: it lives, and what it does is its own affair.
func testAPeerThatComputesIsWaitedFor(t *testing.T) {
	const size, busy, limit = 4, 2, 500 * time.Millisecond
	ctx := context.Background()
	const long = 1_000_000
	for _, c := range []struct {
		op   string
		call func(g *Group) error
	}{
		{"total", func(g *Group) error { return g.Total(ctx, Key{Step: 9}, make([]float64, 1), make([]float64, 1)) }},
		{"all-reduce", func(g *Group) error { // a long vector
			v := room(g, long)
			return g.AllReduce(ctx, Key{Step: 9}, [][]float32{v}, v)
		}},
		{"all-reduce", func(g *Group) error { // a short one
			v := make([]float32, 10)
			return g.AllReduce(ctx, Key{Step: 9}, [][]float32{v}, v)
		}},
		{"share", func(g *Group) error {
			spans := spans(0, 1000, 3000, 3500, 4000)
			return g.Share(ctx, Key{Step: 9}, room(g, 4000), spans)
		}},
	} {
		groups := testGroups(t, size, size, func(c *GroupConfig) { c.Timeout = limit })
		start := time.Now()
		errs := onAll(size, func(r int) error {
			if r == busy {
				time.Sleep(limit + limit/2)
				return c.call(groups[r])
			}
			var seen Waiting
			returned := make(chan struct{})
			var watch sync.WaitGroup
			watch.Go(func() {
				for tick := time.Tick(limit / 50); ; {
					select {
					case <-returned:
						return
					case <-tick:
						if w, ok := groups[r].waitsFor(); ok {
							seen = w
						}
					}
				}
			})
			err := c.call(groups[r])
			close(returned)
			watch.Wait()
			if seen.Op != c.op || seen.Key.Step != 9 {
				return fmt.Errorf("reported %+v while it waited in %s step 9", seen, c.op)
			}
			return err
		})
		for r, err := range errs {
			if err != nil {
				t.Errorf("%s: rank %d: %v", c.op, r, err)
			}
		}
		if took := time.Since(start); took < limit+limit/2 {
			t.Errorf("%s: took %v, want %v", c.op, took, limit+limit/2)
		}
	}
}

func TestDisagreementIsStale(t *testing.T) { onAllWays(t, testDisagreementIsStale) }

func testDisagreementIsStale(t *testing.T) {
	ctx := context.Background()
	sum := func(g *Group, key Key, n int) error {
		v := room(g, n)
		return g.AllReduce(ctx, key, [][]float32{v}, v)
	}
	for _, c := range []struct {
		name string
		call func(g *Group, odd bool, key Key) error // key is another one where odd
	}{
		{"total", func(g *Group, _ bool, key Key) error {
			return g.Total(ctx, key, make([]float64, 5), make([]float64, 5))
		}},
		{"short sum", func(g *Group, _ bool, key Key) error { return sum(g, key, 100) }},
		{"long sum", func(g *Group, _ bool, key Key) error { return sum(g, key, 200_000) }},
		{"length", func(g *Group, odd bool, _ Key) error {
			if odd {
				return sum(g, Key{}, 200_001)
			}
			return sum(g, Key{}, 200_000)
		}},
		{"share", func(g *Group, _ bool, key Key) error {
			return g.Share(ctx, key, room(g, 30), spans(0, 10, 20, 30))
		}},
		{"total of another length", func(g *Group, odd bool, _ Key) error {
			n := 5
			if odd {
				n = 6
			}
			return g.Total(ctx, Key{}, make([]float64, n), make([]float64, n))
		}},
	} {
		groups := testGroups(t, 3, 3, nil)
		errs := onAll(3, func(r int) error {
			key := Key{Step: 8, Bucket: 1}
			if r == 1 {
				key.Bucket = 2
			}
			return c.call(groups[r], r == 1, key)
		})
		for r, err := range errs {
			if !errors.Is(err, ErrStale) {
				t.Errorf("%s: rank %d: got %v, want %v", c.name, r, err, ErrStale)
			}
		}
	}
}

func TestOnWaitNamesTheRank(t *testing.T) {
	heard := make(chan Waiting, 10)
	groups := testGroups(t, 2, 2, func(c *GroupConfig) {
		c.OnWait = func(w Waiting) {
			select {
			case heard <- w:
			default:
			}
		}
	})
	go func() {
		_ = groups[0].Total(context.Background(), Key{Step: 4, Bucket: 2}, []float64{1}, make([]float64, 1))
	}()
	w := <-heard
	if want := (Waiting{Rank: 1, Op: "total", Key: Key{Step: 4, Bucket: 2}, Since: w.Since}); w != want {
		t.Errorf("got %+v, want %+v", w, want)
	}
	if got, want := w.Describe(w.Since.Add(1400*time.Millisecond)), "rank 1, total bucket 2, 1.4s"; got != want {
		t.Errorf("described as %q, want %q", got, want)
	}
}

func TestCancelAndCloseReachEveryRank(t *testing.T) { onAllWays(t, testCancelAndCloseReachEveryRank) }

func testCancelAndCloseReachEveryRank(t *testing.T) {
	for _, c := range []struct {
		name string
		act  func(cancel context.CancelFunc, g *Group)
		here error // on the rank where it happens
		rank int   // whom that rank names

	}{
		{"cancel", func(cancel context.CancelFunc, _ *Group) { cancel() }, context.Canceled, Nobody},
		{"close", func(_ context.CancelFunc, g *Group) { _ = g.Close() }, ErrClosed, 1},
	} {
		groups := testGroups(t, 3, 3, nil)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		time.AfterFunc(30*time.Millisecond, func() { c.act(cancel, groups[1]) })
		errs := onAll(3, func(r int) error {
			if r != 1 {
				_, err := sumLoop(groups[r], 500_000)
				var pe *PeerError
				if !errors.As(err, &pe) || pe.Rank != 1 {
					return fmt.Errorf("got %v, want an error about rank 1", err)
				}
				return nil
			}
			in, out := room(groups[r], 500_000), room(groups[r], 500_000)
			for step := uint64(0); ; step++ {
				if err := groups[r].AllReduce(ctx, Key{Step: step}, [][]float32{in}, out); err != nil {
					return wantRank(err, c.rank, c.here)
				}
			}
		})
		for r, err := range errs {
			if err != nil {
				t.Errorf("%s: rank %d: %v", c.name, r, err)
			}
		}
	}
}

func TestLeavingAfterTheLastOperationIsNoError(t *testing.T) {
	onAllWays(t, testLeavingAfterTheLastOperationIsNoError)
}

func testLeavingAfterTheLastOperationIsNoError(t *testing.T) {
	for range 20 {
		groups := testGroups(t, 4, 4, nil)
		errs := onAll(4, func(r int) error {
			g := groups[r]
			in, out := room(g, 100_000), room(g, 100_000)
			if err := g.AllReduce(context.Background(), Key{}, [][]float32{in}, out); err != nil {
				return err
			}
			if err := g.Total(context.Background(), Key{}, make([]float64, 3), make([]float64, 3)); err != nil {
				return err
			}
			return g.Close() // while others may still be reading
		})
		for r, err := range errs {
			if err != nil {
				t.Fatalf("rank %d: %v", r, err)
			}
		}
	}
}
