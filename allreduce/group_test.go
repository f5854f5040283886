package allreduce

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"byol/internal/network"
	"byol/internal/vector"
)

// testGroups forms a group of n ranks over V shards in this process, over loopback.
func testGroups(t *testing.T, n, shards int, edit func(*GroupConfig)) []*Group {
	t.Helper()
	before := runtime.NumGoroutine()
	listeners := make([]*Listener, n)
	peers := make([]Peer, n)
	for r := range n {
		l, err := Listen(context.Background(), network.System{}, "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners[r] = l
		peers[r] = Peer{Address: l.Addr(), ShardBegin: shards * r / n, ShardEnd: shards * (r + 1) / n, Host: "here"}
	}
	groups := make([]*Group, n)
	errs := onAll(n, func(r int) error {
		cfg := GroupConfig{
			RunID: "test", Generation: 7, Rank: r, Peers: slices.Clone(peers), Listener: listeners[r],
			Timeout: 10 * time.Second, NoSharedMemory: !useShared(t),
		}
		if inPlace(t) {
			cfg.Memory = testMemory(t)
		}
		if edit != nil {
			edit(&cfg)
		}
		g, err := Form(context.Background(), cfg)
		groups[r] = g
		return err
	})
	t.Cleanup(func() {
		for r, g := range groups {
			if g != nil {
				_ = g.Close()
			}
			_ = listeners[r].Close()
		}
		noLeak(t, before)
	})
	for r, err := range errs {
		if err != nil {
			t.Fatalf("form rank %d of %d: %v", r, n, err)
		}
		got := groups[r].Transport()
		shared, place := strings.HasPrefix(got, "shared memory"), strings.HasSuffix(got, "in place")
		if n > 1 && (useShared(t) != shared || inPlace(t) != place) {
			t.Fatalf("rank %d of %d is connected by %s", r, n, got)
		}
	}
	return groups
}

// Marks of tests, as parts of their names: groups that share memory, and whose vectors lie in it.
const (
	sharedTest  = "shared_memory"
	inPlaceTest = sharedTest + "_in_place"
)

func useShared(t *testing.T) bool { return strings.Contains(t.Name(), sharedTest) }

func inPlace(t *testing.T) bool { return strings.Contains(t.Name(), inPlaceTest) }

// onAllWays runs f over TCP and over shared memory, vectors copied and in place.
func onAllWays(t *testing.T, f func(t *testing.T)) {
	t.Run("tcp", f)
	t.Run(sharedTest, f)
	t.Run(inPlaceTest, f)
}

func testMemory(t *testing.T) *Memory {
	t.Helper()
	m, err := NewMemory()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after that of the group
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// room is a vector in the group's memory, if it has one.
func room(g *Group, n int) []float32 {
	if g.cfg.Memory == nil {
		return make([]float32, n)
	}
	v, err := g.cfg.Memory.Floats(n)
	if err != nil {
		panic(err)
	}
	return v
}

// copied are copies of vectors in the group's memory, if it has one.
func copied(g *Group, vectors [][]float32) [][]float32 {
	list := make([][]float32, len(vectors))
	for i, v := range vectors {
		list[i] = room(g, len(v))
		copy(list[i], v)
	}
	return list
}

// noLeak waits for the number of goroutines to come down to what it was.
func noLeak(t *testing.T, before int) {
	t.Helper()
	for range 200 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	buf := make([]byte, 1<<20)
	t.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
}

// onAll calls f for ranks 0 … n−1 at the same time.
func onAll(n int, f func(r int) error) []error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for r := range n {
		all.Go(func() { errs[r] = f(r) })
	}
	all.Wait()
	return errs
}

// testShards draws V shards of n elements whose sum depends on the order of additions.
func testShards(seed uint64, shards, n int) [][]float32 {
	rng := rand.New(rand.NewPCG(seed, 1))
	all := make([][]float32, shards)
	for v := range all {
		all[v] = make([]float32, n)
		for i := range all[v] {
			u := rng.Uint32() // a sign, an exponent of −12 … 3, and a mantissa
			all[v][i] = math.Float32frombits(u&0x807FFFFF | (115+u>>23&15)<<23)
		}
	}
	return all
}

// plain is the sum the group must equal bit for bit: half the tree and the other half, each as slowly as the whole.
func plain[T vector.Number](shards [][]T) []T {
	if len(shards) == 1 {
		return shards[0]
	}
	half := 1
	for 2*half < len(shards) {
		half *= 2
	}
	sum := slices.Clone(plain(shards[:half]))
	for i, x := range plain(shards[half:]) {
		sum[i] += x
	}
	return sum
}

// differ returns the first index at which bits differ, or −1.
func differ(a, b []float32) int {
	if len(a) != len(b) {
		return min(len(a), len(b))
	}
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return i
		}
	}
	return -1
}

// spans are the parts of a vector between bounds.
func spans(bounds ...int) []vector.Span {
	var list []vector.Span
	for i, lo := range bounds[1:] {
		list = append(list, vector.Span{Off: bounds[i], Len: lo - bounds[i]})
	}
	return list
}

func mine(g *Group, all [][]float32) [][]float32 {
	p := g.cfg.Peers[g.Rank()]
	return all[p.ShardBegin:p.ShardEnd]
}

func TestAllReduceEqualsThePlainSum(t *testing.T) { onAllWays(t, testAllReduceEqualsThePlainSum) }

func testAllReduceEqualsThePlainSum(t *testing.T) {
	const shards = 8
	lengths := []int{0, 1, 7, 1024, 20_000, 200_001}
	var inputs [][][]float32
	var sums [][]float32
	for _, n := range lengths {
		all := testShards(uint64(n), shards, n)
		inputs, sums = append(inputs, all), append(sums, plain(all))
	}
	for _, size := range []int{1, 2, 3, 4, 5, 8} {
		groups := testGroups(t, size, shards, nil)
		for i, n := range lengths {
			all, want := inputs[i], sums[i]
			outs := make([][]float32, size)
			errs := onAll(size, func(r int) error {
				own := copied(groups[r], mine(groups[r], all))
				outs[r] = room(groups[r], n)
				if r%2 == 1 { // odd ranks sum onto their first shard
					outs[r] = own[0]
				}
				return groups[r].AllReduce(context.Background(), Key{Step: 3, Bucket: uint32(i)}, own, outs[r])
			})
			for r := range size {
				if errs[r] != nil {
					t.Fatalf("%d ranks, %d elements, rank %d: %v", size, n, r, errs[r])
				}
				if at := differ(outs[r], want); at >= 0 {
					t.Errorf("%d ranks, %d elements, rank %d: element %d differs: got %v, want %v",
						size, n, r, at, outs[r][at], want[at])
				}
			}
		}
	}
}

func TestTotalBesideAllReduce(t *testing.T) { onAllWays(t, testTotalBesideAllReduce) }

func testTotalBesideAllReduce(t *testing.T) {
	const size, shards, rounds, n = 4, 6, 60, 200_000
	groups := testGroups(t, size, shards, nil)
	all := testShards(1, shards, n)
	want := plain(all)
	// Order shows: the first two cancel out all but the last bits of what was added before.
	value := func(step, v, i int) float64 { return []float64{1e15, 3, -1e15, 0.3, 7e-3, 1.1}[v] + float64(step+i) }
	errs := onAll(size, func(r int) error {
		g := groups[r]
		var sums sync.WaitGroup
		var sumErr error
		sums.Go(func() {
			out, own := room(g, n), copied(g, mine(g, all))
			for b := range 10 {
				if sumErr = g.AllReduce(context.Background(), Key{Bucket: uint32(b)}, own, out); sumErr != nil {
					return
				}
				if at := differ(out, want); at >= 0 {
					sumErr = fmt.Errorf("bucket %d element %d: got %v want %v", b, at, out[at], want[at])
				}
			}
		})
		defer sums.Wait()
		for step := range rounds {
			width := step % 40
			if step == rounds/2 {
				width = 40_000 // 320 KB a shard: several rounds of a board
			}
			local, got := make([]float64, width*g.own()), make([]float64, width)
			each := make([][]float64, shards)
			for v := range each {
				for i := range width {
					each[v] = append(each[v], value(step, v, i))
				}
			}
			for i := range local {
				local[i] = each[g.first(r)+i/width][i%width]
			}
			if err := g.Total(context.Background(), Key{Step: uint64(step)}, local, got); err != nil {
				return err
			}
			for i, w := range plain(each) {
				if got[i] != w {
					return fmt.Errorf("step %d value %d: got %v, want %v", step, i, got[i], w)
				}
			}
		}
		sums.Wait()
		return sumErr
	})
	for r, err := range errs {
		if err != nil {
			t.Errorf("rank %d: %v", r, err)
		}
	}
}

func TestShareCompletesBuffer(t *testing.T) { onAllWays(t, testShareCompletesBuffer) }

func testShareCompletesBuffer(t *testing.T) {
	for _, size := range []int{1, 2, 3, 5} {
		groups := testGroups(t, size, size, nil)
		for _, n := range []int{0, 3, 1000, 500_001} {
			want := testShards(uint64(n), 1, n)[0]
			var parts []vector.Span
			for r := range size {
				parts = append(parts, vector.Part(n, r, size))
			}
			errs := onAll(size, func(r int) error {
				buf := room(groups[r], n)
				copy(parts[r].Of(buf), parts[r].Of(want))
				if err := groups[r].Share(context.Background(), Key{Step: uint64(n)}, buf, parts); err != nil {
					return err
				}
				if at := differ(buf, want); at >= 0 {
					return fmt.Errorf("element %d: got %v, want %v", at, buf[at], want[at])
				}
				return nil
			})
			for r, err := range errs {
				if err != nil {
					t.Errorf("%d ranks, %d elements, rank %d: %v", size, n, r, err)
				}
			}
		}
	}
}

func TestMisuseIsExplained(t *testing.T) {
	out := make([]float32, 4)
	for _, c := range []struct {
		name string
		call func(ctx context.Context, g *Group) error
		want string
	}{
		{"shards", func(ctx context.Context, g *Group) error {
			return g.AllReduce(ctx, Key{}, [][]float32{out}, out)
		}, "1 shards given, this rank owns 2"},
		{"length", func(ctx context.Context, g *Group) error {
			return g.AllReduce(ctx, Key{}, [][]float32{out, out[:3]}, out)
		}, "shard 1 of this rank has 3 elements, out has 4"},
		{"overlap", func(ctx context.Context, g *Group) error {
			return g.AllReduce(ctx, Key{}, [][]float32{make([]float32, 4), out}, out)
		}, "may only be the first"},
		{"total", func(ctx context.Context, g *Group) error {
			return g.Total(ctx, Key{}, make([]float64, 2), make([]float64, 3))
		}, "total lengths"},
		{"long total", func(ctx context.Context, g *Group) error {
			n := maxMessage/8 + 1
			return g.Total(ctx, Key{}, make([]float64, 2*n), make([]float64, n))
		}, "use AllReduce for long vectors"},
		{"span", func(ctx context.Context, g *Group) error {
			return g.Share(ctx, Key{}, out, []vector.Span{{Off: 2, Len: 3}})
		}, "span 0 is [2, 2+3) of 4"},
		{"closed", func(ctx context.Context, g *Group) error {
			_ = g.Close()
			return g.Total(ctx, Key{}, nil, nil)
		}, "group closed"},
	} {
		g := testGroups(t, 1, 2, nil)[0]
		err := c.call(context.Background(), g)
		var pe *PeerError
		if !errors.As(err, &pe) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want a *PeerError with %q", c.name, err, c.want)
		}
		if err := g.Share(context.Background(), Key{}, nil, spans(0, 0)); err == nil {
			t.Errorf("%s: group is not broken", c.name)
		}
	}
}
