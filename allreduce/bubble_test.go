package allreduce

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"byol/allreduce/link"
	"byol/allreduce/tcplink"
	"byol/internal/fault"
	"byol/internal/network"
	"byol/internal/network/faulty"
	"byol/internal/network/memory"
)

// hosts are the ranks of a group, each on a host of its own, in fake time and without sockets.
type hosts struct {
	t         *testing.T
	lines     *faulty.Network
	networks  []network.Network
	listeners []*Listener
	peers     []Peer
}

// inBubble runs f with n hosts, named a, b, c, ….
func inBubble(t *testing.T, n int, f func(t *testing.T, h *hosts)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		inner, lines := memory.New(), faulty.New(nil)
		h := &hosts{t: t, lines: lines}
		for r := range n {
			name := string(rune('a' + r))
			h.networks = append(h.networks, lines.Host(name, inner.Host(name)))
			l, err := Listen(t.Context(), h.networks[r], name+":0")
			if err != nil {
				t.Fatal(err)
			}
			h.listeners = append(h.listeners, l)
			h.peers = append(h.peers, Peer{Address: l.Addr(), ShardBegin: r, ShardEnd: r + 1, Host: name})
		}
		f(t, h)
		for _, l := range h.listeners {
			_ = l.Close()
		}
		lines.Close()
	})
}

func (h *hosts) config(r int) GroupConfig {
	return GroupConfig{RunID: "r", Generation: 5, Rank: r, Peers: h.peers, Listener: h.listeners[r],
		Timeout: 10 * time.Second}
}

// happen lets something happen to the lines.
func (h *hosts) happen(text string) {
	p, err := fault.Parse(text)
	if err != nil {
		h.t.Fatal(err)
	}
	h.lines.Begin(p)
}

// form forms the group on all hosts.
func (h *hosts) form(edit func(r int, cfg *GroupConfig)) ([]*Group, []error) {
	groups := make([]*Group, len(h.peers))
	errs := onAll(len(h.peers), func(r int) error {
		cfg := h.config(r)
		if edit != nil {
			edit(r, &cfg)
		}
		var err error
		groups[r], err = Form(h.t.Context(), cfg)
		return err
	})
	return groups, errs
}

// whole is form where it must succeed.
func (h *hosts) whole() []*Group {
	h.t.Helper()
	groups, errs := h.form(nil)
	if err := errors.Join(errs...); err != nil {
		h.t.Fatal(err)
	}
	return groups
}

func closeAll(groups []*Group) {
	for _, g := range groups {
		if g != nil {
			_ = g.Close()
		}
	}
}

func TestAGroupFormsAndSumsWithoutSockets(t *testing.T) {
	for _, size := range []int{2, 3, 5} {
		inBubble(t, size, func(t *testing.T, h *hosts) {
			groups := h.whole()
			defer closeAll(groups)
			checkWay(t, fmt.Sprint(size, " hosts"), groups, 20_000, false)
			checkWay(t, fmt.Sprint(size, " hosts, short"), groups, 3, false)
			if got := groups[0].Transport(); got != "tcp (no shared memory: the ranks are on several hosts)" {
				t.Errorf("connected by %q", got)
			}
		})
	}
}

func TestRanksMayComeLate(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, h *hosts) {
		start := time.Now()
		groups, errs := h.form(func(r int, _ *GroupConfig) { time.Sleep(time.Duration(r) * 4 * time.Second) })
		defer closeAll(groups)
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 8*time.Second || took > 9*time.Second {
			t.Errorf("formed after %v, want 8s", took)
		}
	})
}

// TestFormNamesThePairThatDoesNotMeet: one of three ranks forms, or all do, and something is wrong with the way to
// another. The error comes within the timeout, names both and the address, and says what happened there.
func TestFormNamesThePairThatDoesNotMeet(t *testing.T) {
	for _, c := range []struct {
		name, faults string
		do           func(h *hosts)
		ctx          time.Duration  // of the caller, 0: none
		ranks        []int          // who forms
		want         map[int]string // by rank, all of it separated by "…"
		blame        map[int]int
		took         time.Duration
	}{
		{name: "the caller's patience ends", ctx: 3 * time.Second, ranks: []int{1}, took: 3 * time.Second,
			want: map[int]string{1: "form group, connect: w0 (rank 0) after 3s…w1 (rank 1) waits for w0 (rank 0) at a:40000…" +
				"w1 (rank 1) waits for w2 (rank 2) at c:40000"}, blame: map[int]int{1: 0}},
		{name: "nobody listens there", do: func(h *hosts) { _ = h.listeners[0].Close() }, ranks: []int{1, 2},
			took: 10 * time.Second, blame: map[int]int{1: 0, 2: 0}, want: map[int]string{
				1: "w1 (rank 1) cannot reach w0 (rank 0) at a:40000…connection refused",
				2: "w2 (rank 2) cannot reach w0 (rank 0) at a:40000…connection refused"}},
		{name: "nothing gets there", faults: "cut b<->a; cut c<->a", ranks: []int{1, 2}, took: 10 * time.Second,
			blame: map[int]int{1: 0, 2: 0}, want: map[int]string{1: "cannot reach w0 (rank 0) at a:40000…deadline exceeded"}},
		{name: "one of a pair has an address that leads to nobody",
			do:    func(h *hosts) { h.peers[0].Address = "127.0.0.1:40000" },
			ranks: []int{0, 1, 2}, took: 10 * time.Second, blame: map[int]int{1: 0, 2: 0}, want: map[int]string{
				1: "w1 (rank 1) cannot reach w0 (rank 0) at 127.0.0.1:40000",
				2: "w2 (rank 2) cannot reach w0 (rank 0) at 127.0.0.1:40000",
				0: "answers at …but does not get through to w0 (rank 0) at 127.0.0.1:40000"}},
		{name: "what is sent there is lost, answers would not be", faults: "cut b->a after=200", ranks: []int{0, 1, 2},
			took: 10 * time.Second, blame: map[int]int{0: 1, 1: 1, 2: 1}, want: map[int]string{
				0: "w1 (rank 1)…nothing came from it for 10s", 1: "rank 0 says…nothing came from it for 10s",
				2: "rank 0 says…nothing came from it for 10s"}},
	} {
		inBubble(t, 3, func(t *testing.T, h *hosts) {
			for r := range h.peers {
				h.peers[r].Name = fmt.Sprint("w", r)
			}
			h.happen(c.faults)
			if c.do != nil {
				c.do(h)
			}
			ctx, cancel := context.WithTimeout(t.Context(), cmp.Or(c.ctx, time.Hour))
			defer cancel()
			start := time.Now()
			onAll(len(c.ranks), func(i int) error {
				r := c.ranks[i]
				g, err := Form(ctx, h.config(r))
				if g != nil {
					_ = g.Close()
				}
				var pe *PeerError
				if !errors.As(err, &pe) || pe.Op != "form" || pe.Witness < 0 {
					t.Errorf("%s: rank %d: got %v", c.name, r, err)
					return nil
				}
				if want, set := c.blame[r]; set && (pe.Rank != want || pe.Address != h.peers[want].Address) {
					t.Errorf("%s: rank %d blames rank %d at %s, want %d: %v", c.name, r, pe.Rank, pe.Address, want, err)
				}
				for _, part := range strings.Split(c.want[r], "…") {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("%s: rank %d: got %q, want it to contain %q", c.name, r, err, part)
					}
				}
				took := time.Since(start) - c.took
				if took < 0 || took > 1500*time.Millisecond {
					t.Errorf("%s: rank %d took %v more than %v: %v", c.name, r, took, c.took, err)
				}
				return nil
			})
		})
	}
}

// TestWhoGivesUpFormingSaysWhy to those who may have formed the group by then.
func TestWhoGivesUpFormingSaysWhy(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, h *hosts) {
		_ = h.listeners[1].Close() // so that rank 0 never gets through to rank 1, which this test is
		conn, err := h.networks[1].Dial(t.Context(), h.peers[0].Address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		me := former{g: newGroup(h.config(1))}
		errs := onAll(2, func(r int) error {
			if r == 0 {
				_, err := Form(t.Context(), h.config(0))
				return err
			}
			if err := greet(conn, me.hello(roleMesh, 0), time.Minute, func() {}); err != nil {
				return err
			}
			l := tcplink.New(conn, link.Options{})
			head, err := l.RecvHeader()
			if err != nil {
				return err
			}
			said := make([]byte, head.Length)
			if err := l.RecvPayload(said); err != nil {
				return err
			}
			b := decodeAbort(0, 2, said)
			if head.Kind != link.Abort || b.rank != 1 || b.witness != 0 || !strings.Contains(b.text, "connection refused") {
				t.Errorf("rank 0 says %v: %+v", head, b)
			}
			return nil
		})
		var pe *PeerError
		if !errors.As(errs[0], &pe) || pe.Rank != 1 || errs[1] != nil {
			t.Errorf("got %v and %v, want an error that names rank 1, and none", errs[0], errs[1])
		}
	})
}

// TestARankThatIsNotReadyIsWaitedFor: its process lives, but opens its data for much longer than the timeout.
func TestARankThatIsNotReadyIsWaitedFor(t *testing.T) {
	for late := range 3 {
		inBubble(t, 3, func(t *testing.T, h *hosts) {
			var heard []Waiting
			groups, errs := h.form(func(r int, cfg *GroupConfig) {
				if r == late {
					time.Sleep(time.Minute)
				}
				if r == (late+1)%3 {
					cfg.OnWait = func(w Waiting) { heard = append(heard, w) }
				}
			})
			defer closeAll(groups)
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
			checkWay(t, "after a minute", groups, 5000, false)
			closeAll(groups) // and who reports
			if len(heard) < 100 || heard[50].Rank != late || heard[50].Op != "form" {
				t.Errorf("heard %d times of waits, such as %v; want for rank %d", len(heard), heard, late)
			}
		})
	}
}

// TestAForeignPeerIsTurnedAway: the rank that does not belong learns why at once or by its deadline, and the others
// form with whoever comes in its place.
func TestAForeignPeerIsTurnedAway(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(cfg *GroupConfig)
		want string
		soon bool // it need not wait for its deadline
	}{
		{"of another run", func(cfg *GroupConfig) { cfg.RunID = "other" }, "it belongs to another run", false},
		{"of a generation of the past", func(cfg *GroupConfig) { cfg.Generation-- }, "it is in a later generation: 5", true},
		{"of another wire", func(cfg *GroupConfig) { cfg.Wire = BF16 }, "another wire", false},
		{"of other members", func(cfg *GroupConfig) {
			cfg.Peers = slices.Clone(cfg.Peers)
			cfg.Peers[2].ShardEnd++
		}, "other members", false},
	} {
		inBubble(t, 3, func(t *testing.T, h *hosts) {
			start := time.Now()
			groups, errs := h.form(func(r int, cfg *GroupConfig) {
				cfg.Timeout = time.Minute
				if r != 2 {
					return
				}
				foreign := *cfg
				foreign.Timeout = 5 * time.Second
				c.edit(&foreign)
				_, err := Form(t.Context(), foreign)
				var pe *PeerError
				if !errors.As(err, &pe) || pe.Rank == Nobody || !strings.Contains(err.Error(), c.want) ||
					errors.Is(err, ErrStale) != c.soon {
					t.Errorf("%s: got %v, want %q", c.name, err, c.want)
				}
				if took := time.Since(start); (took < 5*time.Second) != c.soon {
					t.Errorf("%s: took %v, soon is %v", c.name, took, c.soon)
				}
			})
			defer closeAll(groups)
			if err := errors.Join(errs...); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			checkWay(t, c.name, groups, 5000, false)
		})
	}
}

// TestASilentCallerDoesNotHoldUpAForm, though it keeps its connection for hours.
func TestASilentCallerDoesNotHoldUpAForm(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, h *hosts) {
		var callers []net.Conn
		for range 5 {
			conn, err := h.networks[1].Dial(t.Context(), h.peers[0].Address)
			if err != nil {
				t.Fatal(err)
			}
			callers = append(callers, conn)
		}
		start := time.Now()
		groups := h.whole()
		if took := time.Since(start); took > helloLimit {
			t.Errorf("formed after %v, want at once", took)
		}
		closeAll(groups)
		for i, conn := range callers {
			_ = conn.SetReadDeadline(time.Now().Add(time.Hour))
			if _, err := conn.Read(make([]byte, 1)); err == nil || time.Since(start) > helloLimit+time.Second {
				t.Errorf("caller %d: %v after %v, want its end within %v", i, err, time.Since(start), helloLimit)
			}
			_ = conn.Close()
		}
	})
}

// TestACutLineIsNamedAfterTheTimeout: nothing arrives from one host, so that it has all others wait.
func TestACutLineIsNamedAfterTheTimeout(t *testing.T) {
	const cut = 2
	for _, c := range []struct {
		op   string
		call func(ctx context.Context, g *Group) error
	}{
		{"all-reduce", func(ctx context.Context, g *Group) error {
			v := make([]float32, 50_000)
			return g.AllReduce(ctx, Key{Step: 3}, [][]float32{v}, v)
		}},
		{"total", func(ctx context.Context, g *Group) error {
			return g.Total(ctx, Key{Step: 3}, make([]float64, 1), make([]float64, 1))
		}},
		{"share", func(ctx context.Context, g *Group) error {
			return g.Share(ctx, Key{Step: 3}, make([]float32, 4000), spans(0, 1000, 2000, 3000, 4000))
		}},
	} {
		inBubble(t, 4, func(t *testing.T, h *hosts) {
			groups := h.whole()
			defer closeAll(groups)
			h.happen("cut c<->*")
			start := time.Now()
			errs := onAll(4, func(r int) error { return c.call(t.Context(), groups[r]) })
			for r, err := range errs {
				var pe *PeerError
				if !errors.As(err, &pe) || !errors.Is(err, ErrTimeout) || pe.Op != c.op || pe.Key.Step != 3 {
					t.Errorf("%s, rank %d: got %v, want %v of step 3", c.op, r, err, ErrTimeout)
				} else if r != cut && pe.Rank != cut {
					t.Errorf("%s, rank %d blames rank %d, want %d: %v", c.op, r, pe.Rank, cut, err)
				}
			}
			if took := time.Since(start); took < 10*time.Second || took > 11*time.Second {
				t.Errorf("%s: took %v, want the timeout of 10s and a second of asking around", c.op, took)
			}
		})
	}
}

// TestALineThatIsCutOneWayIsNamed, by the rank that hears nothing: the others believe it, and say who saw it.
func TestALineThatIsCutOneWayIsNamed(t *testing.T) {
	for _, wire := range []Wire{Float32, BF16} {
		for _, n := range []int{3, 100_000} {
			for _, line := range []struct{ from, to int }{{2, 3}, {3, 2}, {0, 2}, {2, 0}} { // neighbours, and not
				inBubble(t, 4, func(t *testing.T, h *hosts) {
					groups, errs := h.form(func(_ int, cfg *GroupConfig) { cfg.Wire = wire })
					defer closeAll(groups)
					if err := errors.Join(errs...); err != nil {
						t.Fatal(err)
					}
					h.happen(fmt.Sprintf("delay *->* by=50ms; cut %c->%c", 'a'+line.from, 'a'+line.to))
					start := time.Now()
					for r, err := range onAll(4, func(r int) error { _, err := sumLoop(groups[r], n); return err }) {
						var pe *PeerError
						if !errors.As(err, &pe) || !errors.Is(err, ErrTimeout) || pe.Rank != line.from || pe.Witness != line.to ||
							pe.Address != h.peers[line.from].Address {
							t.Errorf("%v of %d elements, cut %v, rank %d: got %v (witness %+v)", wire, n, line, r, err, pe)
						}
					}
					if took := time.Since(start); took < 9*time.Second || took > 11*time.Second {
						t.Errorf("%v of %d elements, cut %v: took %v, want 10s", wire, n, line, took)
					}
				})
			}
		}
	}
}

// stuck is a link on which bulk is lost from some frame on, as where only its connection is dead.
type stuck struct {
	link.Link
	dead atomic.Bool
}

func (s *stuck) Send(h link.Header, payload []byte) error {
	if h.Kind == link.Share && h.Chunk > 2 {
		s.dead.Store(true)
	}
	if s.dead.Load() {
		return nil
	}
	return s.Link.Send(h, payload)
}

// TestABulkConnectionThatIsDeadIsNamed, though everybody lives and says so.
func TestABulkConnectionThatIsDeadIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		groups := linkGroups(GroupConfig{Timeout: 10 * time.Second}, []int{1, 2, 3, 4},
			func(from, to int, l link.Link) link.Link {
				if from == 1 && to == 2 {
					return &stuck{Link: l}
				}
				return l
			})
		defer closeAll(groups)
		start := time.Now()
		for r, err := range onAll(4, func(r int) error {
			v := make([]float32, 2_000_000)
			return groups[r].Share(t.Context(), Key{}, v, spans(0, 500_000, 1_000_000, 1_500_000, 2_000_000))
		}) {
			if r == 1 && err == nil { // it has all, before the others miss anything
				continue
			}
			var pe *PeerError
			if !errors.As(err, &pe) || pe.Rank != 1 || pe.Witness != 2 || !errors.Is(err, ErrTimeout) ||
				!strings.Contains(err.Error(), "MTU") {
				t.Errorf("rank %d: got %v", r, err)
			}
		}
		if took := time.Since(start); took < 9*time.Second || took > 11*time.Second {
			t.Errorf("took %v, want 10s", took)
		}
	})
}

func TestALineThatHealsInTimeLosesNothing(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, h *hosts) {
		groups := h.whole()
		defer closeAll(groups)
		h.happen("cut b->c for=8s; delay a->b by=300ms")
		start := time.Now()
		checkWay(t, "after a cut of 8s", groups, 60_000, false)
		if took := time.Since(start); took < 8*time.Second {
			t.Errorf("took %v: the line was not cut", took)
		}
	})
}

func TestABrokenLineIsNamedAtOnce(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, h *hosts) {
		groups := h.whole()
		defer closeAll(groups)
		h.happen("break a<->b")
		start := time.Now()
		for r, err := range onAll(3, func(r int) error {
			_, err := sumLoop(groups[r], 1000)
			return err
		}) {
			var pe *PeerError
			if !errors.As(err, &pe) || pe.Rank != 0 && pe.Rank != 1 { // whose word was first: each blames the other
				t.Errorf("rank %d: got %v, want an error about an end of the broken line", r, err)
			}
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("took %v, want at once", took)
		}
	})
}

// TestDamageOnTheWayIsSeen flips a bit at many places of what one rank sends to the next, in heads and in payloads.
func TestDamageOnTheWayIsSeen(t *testing.T) {
	for _, after := range []int{0, 3, 7, 9, 21, 31, 32, 400, 4031, 4064, 9000} {
		inBubble(t, 3, func(t *testing.T, h *hosts) {
			groups := h.whole()
			defer closeAll(groups)
			all := testShards(3, 3, 30_000)
			want := plain(all)
			h.happen(fmt.Sprintf("flip a->b after=%d bit=%d", after, after%8))
			for r, err := range onAll(3, func(r int) error {
				out := make([]float32, len(want))
				if err := groups[r].AllReduce(t.Context(), Key{}, all[r:r+1], out); err != nil {
					return err
				}
				if at := differ(out, want); at >= 0 {
					return fmt.Errorf("element %d: got %v, want %v", at, out[at], want[at])
				}
				return nil
			}) {
				var pe *PeerError
				if !errors.As(err, &pe) || pe.Rank != 0 || !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrStale) &&
					!errors.Is(err, link.ErrFrame) && !strings.Contains(err.Error(), link.ErrFrame.Error()) {
					t.Errorf("after %d bytes, rank %d: got %v, want damage of rank 0", after, r, err)
				}
			}
		})
	}
}

// TestAnIdleGroupLives: silence between operations is no failure, however long.
func TestAnIdleGroupLives(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, h *hosts) {
		groups := h.whole()
		defer closeAll(groups)
		time.Sleep(time.Hour)
		checkWay(t, "after an hour", groups, 40_000, false)
	})
}

// TestOperationsTakeTurns on one rank, the second waiting for the first's turn while that waits for the line.
func TestOperationsTakeTurns(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, h *hosts) {
		groups := h.whole()
		defer closeAll(groups)
		h.happen("delay a->b by=2s; delay b->a by=2s")
		errs := onAll(3, func(i int) error {
			v := make([]float32, 30_000)
			sum := func(g *Group) error { return g.AllReduce(t.Context(), Key{Step: 1}, [][]float32{v}, v) }
			share := func(g *Group) error { return g.Share(t.Context(), Key{Step: 2}, v, spans(0, 10_000, 30_000)) }
			switch i {
			case 0:
				return sum(groups[0])
			case 1:
				time.Sleep(time.Millisecond)
				return share(groups[0])
			}
			if err := sum(groups[1]); err != nil {
				return err
			}
			return share(groups[1])
		})
		if err := errors.Join(errs...); err != nil {
			t.Error(err)
		}
	})
}

func TestWaitsAreReportedTwiceASecond(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, h *hosts) {
		var heard []Waiting
		groups, errs := h.form(func(r int, cfg *GroupConfig) {
			if r == 0 {
				cfg.OnWait = func(w Waiting) { heard = append(heard, w) }
			}
		})
		defer closeAll(groups)
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		errs = onAll(2, func(r int) error {
			time.Sleep(time.Duration(r) * 2600 * time.Millisecond)
			return groups[r].Total(t.Context(), Key{Step: 8, Bucket: 3}, []float64{1}, make([]float64, 1))
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if w, waits := groups[0].waitsFor(); waits {
			t.Errorf("still waits for %+v", w)
		}
		if took := groups[0].waits[slotTotal].last(); took != 2600*time.Millisecond {
			t.Errorf("the last wait took %v, want 2.6s", took)
		}
		closeAll(groups) // and who reports
		if len(heard) != 4 && len(heard) != 5 {
			t.Errorf("heard %d times of a wait of 2.6s, want 4 or 5", len(heard))
		}
		for _, w := range heard {
			if want := (Waiting{Rank: 1, Op: "total", Key: Key{Step: 8, Bucket: 3}, Since: began}); w != want {
				t.Errorf("heard %+v, want %+v", w, want)
			}
		}
	})
}
