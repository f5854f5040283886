package allreduce

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"byol/allreduce/link"
	"byol/allreduce/memlink"
	"byol/internal/vector"
)

// spy counts which entry of a way's lists took a vector.
type spy struct{ sums, shares []int }

// watch puts a spy into g's way.
func watch(g *Group) *spy {
	s := &spy{make([]int, len(g.way.sums)), make([]int, len(g.way.shares))}
	for i, f := range g.way.sums {
		g.way.sums[i] = func(op *operation, shards [][]float32, out []float32) (bool, error) {
			taken, err := f(op, shards, out)
			if taken {
				s.sums[i]++
			}
			return taken, err
		}
	}
	for i, f := range g.way.shares {
		g.way.shares[i] = func(op *operation, buf []float32, spans []vector.Span) (bool, error) {
			taken, err := f(op, buf, spans)
			if taken {
				s.shares[i]++
			}
			return taken, err
		}
	}
	return s
}

// oracle is the plain sum, with the wire's roundings.
func (w Wire) oracle(all [][]float32) []float32 {
	if w == BF16 {
		return roundedSum(all)
	}
	return plain(all)
}

// TestEveryWayTakesWhatItsTableSays sums and shares vectors on either side of each decision, over each way, and asks
// who took them; and compares every sum with a plain one, bit for bit.
func TestEveryWayTakesWhatItsTableSays(t *testing.T) {
	const limit = 8 << 10 // of what is short, in bytes of a rank
	onAllWays(t, func(t *testing.T) {
		for _, wire := range []Wire{Float32, BF16} {
			for _, size := range []int{2, 3} {
				shards := 2*size + 1 // so that ranks own different numbers
				groups := testGroups(t, size, shards, func(c *GroupConfig) { c.Wire = wire })
				var spies []*spy
				for _, g := range groups {
					g.tuning.SmallBytes = limit
					spies = append(spies, watch(g))
				}
				last := limit / 4 / groups[0].order.parcels.most() // the longest short vector
				for _, c := range []struct {
					n       int
					private bool // the vectors of the last rank lie outside of its Memory
					sum     int  // who takes the sum
					share   int
				}{
					{1, false, 0, 0}, {last, false, 0, 0}, {last + 1, false, 1, 0}, {70_003, false, 1, 0},
					{last, true, 0, 1}, {last + 1, true, 2, 1}, {70_003, true, 2, 1},
				} {
					if !inPlace(t) { // a private vector is like any other
						c.sum, c.share = min(c.sum, 1), 0
					}
					name := fmt.Sprintf("%v, %d ranks, %d elements, private %v", wire, size, c.n, c.private)
					checkWay(t, name, groups, c.n, c.private)
					for r, s := range spies {
						sums, shares := make([]int, len(s.sums)), make([]int, len(s.shares))
						sums[c.sum], shares[c.share] = 1, 1
						if !slices.Equal(s.sums, sums) || !slices.Equal(s.shares, shares) {
							t.Errorf("%s, rank %d: sums taken %v and shares %v, want %v and %v",
								name, r, s.sums, s.shares, sums, shares)
						}
						clear(s.sums)
						clear(s.shares)
					}
				}
				for _, g := range groups {
					_ = g.Close()
				}
			}
		}
	})
}

// checkWay sums n elements and shares the sum.
func checkWay(t *testing.T, name string, groups []*Group, n int, private bool) {
	t.Helper()
	size := len(groups)
	all := testShards(uint64(n), groups[0].Shards(), n)
	want := groups[0].Wire().oracle(all)
	errs := onAll(size, func(r int) error {
		g := groups[r]
		own, out := copied(g, mine(g, all)), room(g, n)
		if private && r == size-1 {
			out = make([]float32, n)
		}
		if err := g.AllReduce(context.Background(), Key{Step: uint64(n)}, own, out); err != nil {
			return err
		}
		if at := differ(out, want); at >= 0 {
			return fmt.Errorf("element %d: got %v, want %v", at, out[at], want[at])
		}
		var parts []vector.Span
		for p := range size {
			parts = append(parts, vector.Part(n, p, size))
		}
		for i := range out {
			if i < parts[r].Off || i >= parts[r].End() {
				out[i] = -1
			}
		}
		if err := g.Share(context.Background(), Key{Step: uint64(n), Bucket: 1}, out, parts); err != nil {
			return err
		}
		if at := differ(out, want); at >= 0 {
			return fmt.Errorf("shared element %d: got %v, want %v", at, out[at], want[at])
		}
		return nil
	})
	for r, err := range errs {
		if err != nil {
			t.Errorf("%s, rank %d: %v", name, r, err)
		}
	}
}

func TestOneRankIsAWayOfItsOwn(t *testing.T) {
	for _, wire := range []Wire{Float32, BF16} {
		g := testGroups(t, 1, 5, func(c *GroupConfig) { c.Wire = wire })[0]
		if got := g.Transport(); got != "alone" {
			t.Errorf("one rank is connected by %q", got)
		}
		s := watch(g)
		checkWay(t, wire.String()+", alone", []*Group{g}, 100_003, false)
		if !slices.Equal(s.sums, []int{1}) || !slices.Equal(s.shares, []int{1}) {
			t.Errorf("%v: sums taken %v and shares %v, want one each", wire, s.sums, s.shares)
		}
		sum := make([]float64, 2)
		local := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
		if err := g.Total(context.Background(), Key{}, local, sum); err != nil || !slices.Equal(sum, []float64{25, 30}) {
			t.Errorf("total %v, error %v", sum, err)
		}
	}
}

func TestWaysAreToldInWords(t *testing.T) {
	peers := []Peer{{ShardEnd: 1}, {ShardBegin: 1, ShardEnd: 2}}
	for _, c := range []struct {
		name   string
		peers  []Peer
		shared *shared
		want   string
		sums   int
	}{
		{"one rank", peers[:1], nil, "alone", 1},
		{"network", peers, nil, "tcp (no shared memory: why)", 2},
		{"copied", peers, &shared{}, "shared memory (copied; why)", 2},
		{"in place", peers, &shared{homes: &homes{}}, "shared memory, in place", 3},
	} {
		for _, wire := range []Wire{Float32, BF16} {
			g := newGroup(GroupConfig{Peers: c.peers, Wire: wire})
			g.shared = c.shared
			w := g.chooseWay("why")
			if w.name != c.want || len(w.sums) != c.sums || len(w.shares) == 0 || w.total == nil {
				t.Errorf("%s, %v: %q with %d sums and %d shares, want %q with %d sums", c.name, wire, w.name, len(w.sums),
					len(w.shares), c.want, c.sums)
			}
		}
	}
}

// TestAWayWithoutALastResortIsOurBug: the last of a list must take everything.
func TestAWayWithoutALastResortIsOurBug(t *testing.T) {
	never := way{name: "broken", sums: []summer{func(*operation, [][]float32, []float32) (bool, error) {
		return false, nil
	}}}
	for _, c := range []struct {
		name string
		call func() error
	}{
		{"sum", func() error { return never.sum(nil, nil, make([]float32, 1)) }},
		{"share", func() error { return never.share(nil, nil, nil) }},
	} {
		func() {
			defer func() {
				if said := fmt.Sprint(recover()); !strings.HasPrefix(said, "allreduce: broken has no "+c.name) {
					t.Errorf("%s: panic %q", c.name, said)
				}
			}()
			t.Errorf("%s: returned %v, want a panic", c.name, c.call())
		}()
	}
	if err := never.sum(nil, nil, nil); err != nil {
		t.Errorf("nothing to sum: %v", err)
	}
	failing := way{sums: []summer{func(*operation, [][]float32, []float32) (bool, error) { return false, ErrLost }}}
	if err := failing.sum(nil, nil, make([]float32, 1)); !errors.Is(err, ErrLost) {
		t.Errorf("a sum that declined because the group broke: got %v, want %v", err, ErrLost)
	}
}

// linkGroups are the ranks of a group over links in memory; cuts are where the shards of each rank end. wrap may put
// a fault into the link on which rank from sends to rank to.
func linkGroups(cfg GroupConfig, cuts []int, wrap func(from, to int, l link.Link) link.Link) []*Group {
	n := len(cuts)
	begin := 0
	for _, end := range cuts {
		cfg.Peers = append(cfg.Peers, Peer{ShardBegin: begin, ShardEnd: end})
		begin = end
	}
	groups, mesh := make([]*Group, n), make([][]link.Link, n)
	next, prev := make([]link.Link, n), make([]link.Link, n)
	for r := range groups {
		cfg.Rank = r
		groups[r] = newGroup(cfg)
		groups[r].way = groups[r].chooseWay("links in memory")
		mesh[r] = make([]link.Link, n)
	}
	put := func(from, to int, a, b link.Link) (link.Link, link.Link) {
		if wrap != nil {
			return wrap(from, to, a), wrap(to, from, b)
		}
		return a, b
	}
	for a := range n {
		for b := range a {
			x, y := memlink.Pair(link.Options{})
			mesh[a][b], mesh[b][a] = put(a, b, x, y)
		}
		x, y := memlink.Pair(link.Options{})
		b := (a + 1) % n
		next[a], prev[b] = put(a, b, x, y)
	}
	for r, g := range groups {
		g.attach(mesh[r], next[r], prev[r])
		g.start()
	}
	return groups
}

// TestAnyGroupSumsLikeOneRank draws memberships, lengths and tunings: the sum is that of one rank that owns all shards.
func TestAnyGroupSumsLikeOneRank(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var cuts []int
		for shards := 0; len(cuts) < 2 || len(cuts) < 6 && rapid.Bool().Draw(t, "another rank"); {
			shards += rapid.IntRange(1, 12).Draw(t, "shards")
			cuts = append(cuts, shards)
		}
		shards := cuts[len(cuts)-1]
		n := rapid.OneOf(rapid.IntRange(0, 300), rapid.IntRange(15_000, 40_000)).Draw(t, "elements")
		wire := rapid.SampledFrom([]Wire{Float32, BF16}).Draw(t, "wire")
		rate := rapid.SampledFrom([]float64{1e5, 1e9, 1e12}).Draw(t, "bytes a second")
		all := specialFree(wire, rapid.Uint64().Draw(t, "seed"), shards, n)
		want := make([]float32, n)
		if n > 0 {
			want = wire.oracle(all)
		}
		groups := linkGroups(GroupConfig{Timeout: DefaultTimeout, Wire: wire}, cuts, nil)
		errs := onAll(len(cuts), func(r int) error {
			g := groups[r]
			g.tuning = tune(DefaultTimeout/1e6, rate, false)
			out := make([]float32, n)
			if err := g.AllReduce(context.Background(), Key{Step: 1}, mine(g, all), out); err != nil {
				return err
			}
			if at := differ(out, want); at >= 0 {
				return fmt.Errorf("rank %d element %d: got %v, want %v", r, at, out[at], want[at])
			}
			return nil
		})
		for _, g := range groups {
			_ = g.Close()
		}
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	})
}

// TestAnyGroupTotalsLikeOneRank draws memberships of up to 64 ranks: the total is that of one rank that owns all
// shards, whether everybody sends to everybody or blocks of ranks meet.
func TestAnyGroupTotalsLikeOneRank(t *testing.T) {
	check := func(t rapid.TB, cuts []int, n int, rate float64) {
		t.Helper()
		shards := cuts[len(cuts)-1]
		rows := make([][]float64, shards)
		for v, row := range testShards(uint64(shards), shards, n) {
			for _, x := range row {
				rows[v] = append(rows[v], float64(x)/3)
			}
		}
		want := plain(rows)
		groups := linkGroups(GroupConfig{Timeout: DefaultTimeout}, cuts, nil)
		defer closeAll(groups)
		errs := onAll(len(cuts), func(r int) error {
			g, got := groups[r], make([]float64, n)
			g.tuning = tune(time.Millisecond, rate, false)
			for step := range uint64(3) { // ranks may be one ahead of others
				local := slices.Concat(rows[g.first(r):g.first(r+1)]...)
				if err := g.Total(context.Background(), Key{Step: step}, local, got); err != nil {
					return err
				}
				if !slices.Equal(got, want) {
					return fmt.Errorf("step %d: rank %d: got %v, want %v", step, r, got, want)
				}
			}
			return nil
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatalf("ranks that end at %v, %g bytes a second: %v", cuts, rate, err)
		}
	}
	const inRounds, inOneHop = 1e4, 1e15
	for size := 2; size <= 64; size += 1 + size/5 {
		if tune(time.Millisecond, inOneHop, false).inRounds(size, 24) && size < 16 ||
			!tune(time.Millisecond, inRounds, false).inRounds(size, 24) && size > 4 {
			t.Errorf("%d ranks do not go the way this test means", size)
		}
		even, odd := make([]int, size), make([]int, size)
		for r := range size {
			even[r], odd[r] = r+1, 3*r+1+r%2
		}
		check(t, even, 3, inRounds)
		check(t, odd, 3, inRounds)
	}
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(2, 12).Draw(t, "ranks")
		var cuts []int
		for shards := 0; len(cuts) < size; {
			shards += rapid.IntRange(1, 9).Draw(t, "shards")
			cuts = append(cuts, shards)
		}
		rate := rapid.SampledFrom([]float64{inRounds, inOneHop}).Draw(t, "rate")
		check(t, cuts, rapid.IntRange(1, 9).Draw(t, "numbers"), rate)
	})
}

// specialFree are shards that a wire is tested with: NaNs and infinities where it says what becomes of them.
func specialFree(wire Wire, seed uint64, shards, n int) [][]float32 {
	if wire == BF16 {
		return specialShards(seed, shards, n)
	}
	return testShards(seed, shards, n)
}
