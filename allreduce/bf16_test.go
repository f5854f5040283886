package allreduce

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"byol/allreduce/link"
)

// nearest is the bfloat16 nearest to x, found by measuring how far its two neighbours are.
func nearest(x float32) float32 {
	switch {
	case math.IsNaN(float64(x)):
		return math.Float32frombits(0x7FC00000)
	case math.IsInf(float64(x), 0):
		return x
	}
	value := func(bits uint32) float64 { // of a magnitude; the one after the largest is 2^128
		if bits == 0x7F800000 {
			return 0x1p128
		}
		return float64(math.Float32frombits(bits))
	}
	bits := math.Float32bits(x)
	sign, down := bits&0x80000000, bits&0x7FFFFFFF>>16<<16
	up, size := down+0x10000, math.Abs(float64(x))
	toDown, toUp := size-value(down), value(up)-size // exact: all are multiples of 2^-149 below 2^129 and close
	if toUp < toDown || toUp == toDown && down>>16%2 == 1 {
		down = up
	}
	return math.Float32frombits(sign | down)
}

// roundedSum is the sum a group of BF16 must equal bit for bit.
func roundedSum(shards [][]float32) []float32 {
	rounded := func(v []float32) []float32 {
		out := make([]float32, len(v))
		for i, x := range v {
			out[i] = nearest(x)
		}
		return out
	}
	var all [][]float32
	for _, s := range shards {
		all = append(all, rounded(s))
	}
	return rounded(plain(all))
}

// specials are values where rounding and adding do something else than elsewhere.
func specials() []float32 {
	var list []float32
	for _, bits := range []uint32{
		0, 1, 0x7FFF, 0x8000, 0x8001, 0x18000, 0x7F8000, 0x7FFFFF, 0x800000, // denormals and zero
		0x3F808000, 0x3F818000, 0x3F807FFF, 0x3F808001, // ties and their neighbours, around 1
		0x7F7F7FFF, 0x7F7F8000, 0x7F7FFFFF, 0x7F7F0000, 0x7F800000, // the largest, and infinity
		0x7F800001, 0x7FC00000, 0x7FFFFFFF, 0x7FBFFFFF, // not numbers
	} {
		list = append(list, math.Float32frombits(bits), math.Float32frombits(bits|0x80000000))
	}
	return list
}

// specialShards are testShards in which specials meet numbers and each other.
func specialShards(seed uint64, shards, n int) [][]float32 {
	all, list := testShards(seed, shards, n), specials()
	for v := range all {
		for i := range all[v] {
			switch i % 4 {
			case 0:
				if i/4%shards == v {
					all[v][i] = list[i/4%len(list)]
				}
			case 1:
				all[v][i] = list[(i/4*(2*v+1)+v)%len(list)]
			}
		}
	}
	return all
}

func TestRoundIsNearest(t *testing.T) {
	for upper := range uint32(1 << 16) {
		for _, lower := range []uint32{0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF} {
			x := math.Float32frombits(upper<<16 | lower)
			if got, want := BF16.Round(x), nearest(x); math.Float32bits(got) != math.Float32bits(want) {
				t.Fatalf("%v (%#x): got %v, want %v", x, upper<<16|lower, got, want)
			}
			if got := Float32.Round(x); math.Float32bits(got) != upper<<16|lower {
				t.Fatalf("%v as float32: got %v", x, got)
			}
		}
	}
}

func TestWiresHaveNames(t *testing.T) {
	for name, want := range map[string]Wire{"": Float32, "float32": Float32, "bf16": BF16} {
		if w, err := ParseWire(name); err != nil || w != want || name != "" && w.String() != name {
			t.Errorf("%q: got %v, error %v", name, w, err)
		}
	}
	if _, err := ParseWire("fp8"); err == nil {
		t.Error("an unknown wire: no error")
	}
	var pe *PeerError
	_, err := Form(context.Background(), GroupConfig{Peers: []Peer{{ShardEnd: 1}}, Wire: 7})
	if !errors.As(err, &pe) || pe.Rank != Nobody {
		t.Errorf("a group of an unknown wire: got error %v", err)
	}
}

func TestPackingEqualsPlainGo(t *testing.T) {
	for n := range 150 {
		for off := range 3 {
			v := specialShards(uint64(n), 1, n+off)[0][off:]
			got, want := make([]byte, 2*n+off)[off:], make([]byte, 2*n)
			packBF16(got, v)
			packGo(want, v)
			if !bytes.Equal(got, want) {
				t.Fatalf("%d elements: packed %x, want %x", n, got, want)
			}
			a, b := make([]float32, n+off)[off:], make([]float32, n)
			unpackBF16(a, got)
			unpackGo(b, want)
			if at := differ(a, b); at >= 0 {
				t.Fatalf("%d elements: unpacked element %d as %v, want %v", n, at, a[at], b[at])
			}
			for i := range a {
				if math.Float32bits(a[i]) != math.Float32bits(nearest(v[i])) {
					t.Fatalf("%d elements: element %d travels as %v, want %v", n, i, a[i], nearest(v[i]))
				}
			}
		}
	}
}

func TestRoundedSumEqualsPlainGo(t *testing.T) {
	for n := 1; n < 150; n++ {
		v := specialShards(uint64(n), 3, n+3)
		for off := range 3 { // any alignment
			a, b, c := v[0][off:off+n], v[1][off:off+n], v[2][off:off+n]
			for _, how := range []rounding{{}, {partial: true}, {open: true}, {true, true}} {
				want, got, far := make([]float32, n), make([]float32, n), make([]float32, n)
				skew, inA, inC := make([]float32, n+1)[1:], slices.Clone(a), slices.Clone(c)
				sumRoundedGo(pointers(want), pointers(a, b, c), 0, n, how)
				sumRoundedOnce(outputs{pointers(got, far), 1}, pointers(a, b, c), n, how)
				sumRoundedOnce(outputs{pointers(inA, far), 1}, pointers(inA, b, c), n, how)
				sumRoundedOnce(outputs{pointers(inC, far, skew), 1}, pointers(a, b, inC), n, how)
				for name, x := range map[string][]float32{
					"near": got, "far": far, "skew": skew, "onto a": inA, "onto c": inC,
				} {
					for i := range x {
						bothNaN := how.open && x[i] != x[i] && want[i] != want[i] // which NaN is rounded away at the end
						if math.Float32bits(x[i]) != math.Float32bits(want[i]) && !bothNaN {
							t.Fatalf("%+v, n %d offset %d %s: element %d: got %v, want %v", how, n, off, name, i, x[i], want[i])
						}
					}
				}
			}
		}
	}
}

// inBF16 makes a group's wire BF16.
func inBF16(c *GroupConfig) { c.Wire = BF16 }

func TestBF16EqualsTheOracle(t *testing.T) { onAllWays(t, testBF16EqualsTheOracle) }

func testBF16EqualsTheOracle(t *testing.T) {
	lengths := []int{0, 1, 7, 1025, 20_001, 70_003}
	if testing.Short() {
		lengths = lengths[:5]
	}
	for _, c := range []struct{ size, shards int }{
		{1, 1}, {1, 3}, {2, 2}, {2, 8}, {3, 3}, {3, 5}, {3, 12}, {4, 4}, {4, 8}, {8, 8}, {8, 24}, {8, 32}, {2, 70},
	} {
		groups := testGroups(t, c.size, c.shards, inBF16)
		for i, n := range lengths {
			if c.shards > 32 && n > 5000 {
				n /= 8
			}
			all := specialShards(uint64(n), c.shards, n)
			want := roundedSum(all)
			errs := onAll(c.size, func(r int) error {
				own := copied(groups[r], mine(groups[r], all))
				out := room(groups[r], n)
				if r%2 == 1 { // odd ranks sum onto their first shard
					out = own[0]
				}
				if err := groups[r].AllReduce(context.Background(), Key{Step: 3, Bucket: uint32(i)}, own, out); err != nil {
					return err
				}
				if at := differ(out, want); at >= 0 {
					return fmt.Errorf("element %d: got %v, want %v", at, out[at], want[at])
				}
				return nil
			})
			for r, err := range errs {
				if err != nil {
					t.Fatalf("%d ranks, %d shards, %d elements, rank %d: %v", c.size, c.shards, n, r, err)
				}
			}
		}
		for _, g := range groups {
			_ = g.Close()
		}
	}
}

// TestBF16OverMemoryLinks sums many times in a row, beside totals, so that ranks run ahead of each other.
func TestBF16OverMemoryLinks(t *testing.T) {
	const size, rounds = 4, 40
	groups := memGroups(t, size, BF16, nil)
	all := specialShards(5, size, 200_001)
	want := roundedSum(all)
	errs := onAll(size, func(r int) error {
		g := groups[r]
		var totals sync.WaitGroup
		var totalErr error
		totals.Go(func() {
			got := make([]float64, 1)
			for step := range uint64(rounds) {
				err := g.Total(context.Background(), Key{Step: step}, []float64{float64(r)}, got)
				totalErr = errors.Join(totalErr, err)
			}
			if got[0] != 6 {
				totalErr = errors.Join(totalErr, fmt.Errorf("total %v", got))
			}
		})
		defer totals.Wait()
		out := make([]float32, len(want))
		for step := range uint64(rounds) {
			n := len(out) - int(step)*4999 // long ones and short ones
			in := [][]float32{all[r][:n]}
			if err := g.AllReduce(context.Background(), Key{Step: step}, in, out[:n]); err != nil {
				return err
			}
			if at := differ(out[:n], want[:n]); at >= 0 {
				return fmt.Errorf("step %d element %d: got %v, want %v", step, at, out[at], want[at])
			}
		}
		totals.Wait()
		return totalErr
	})
	for r, err := range errs {
		if err != nil {
			t.Errorf("rank %d: %v", r, err)
		}
	}
}

// sparing counts the bytes of frames of sums that a rank sends.
type sparing struct {
	link.Link
	sent *atomic.Int64
}

func (s sparing) Send(h link.Header, payload []byte) error {
	if h.Kind != link.Node {
		s.sent.Add(int64(len(payload)))
	}
	return s.Link.Send(h, payload)
}

func TestBF16TakesTwoBytesAnElement(t *testing.T) {
	const size = 4
	for _, n := range []int{500, 200_001} {
		var sent atomic.Int64
		groups := memGroups(t, size, BF16, func(_, _ int, l link.Link) link.Link { return sparing{l, &sent} })
		errs := onAll(size, func(r int) error {
			v := make([]float32, n)
			return groups[r].AllReduce(context.Background(), Key{}, [][]float32{v}, v)
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		want := int64(2 * 2 * n * (size - 1)) // parts and totals
		if n == 500 {
			want = 2 * int64(n) * size * (size - 1) // everybody to everybody
		}
		if sent.Load() != want {
			t.Errorf("%d elements over %d ranks: %d bytes sent, want %d", n, size, sent.Load(), want)
		}
	}
}

func TestBF16FrameFaults(t *testing.T) {
	const size, n, bad = 4, 300_000, 7
	for _, c := range []struct {
		name string
		kind link.Kind
		from int
		edit func(h *link.Header, payload *[]byte)
		want error
	}{
		{"flipped bit in a part", link.Part, 1, flip, ErrCorrupt},
		{"flipped bit in a total", link.Total, 3, flip, ErrCorrupt},
		{"step of the past", link.Part, 2, func(h *link.Header, _ *[]byte) { h.Step-- }, ErrStale},
		{"chunk out of turn", link.Total, 1, func(h *link.Header, _ *[]byte) { h.Chunk++ }, ErrStale},
		{"generation of the past", link.Total, 0, func(h *link.Header, _ *[]byte) { h.Generation-- }, ErrStale},
		{"truncated part", link.Part, 3, func(_ *link.Header, p *[]byte) { *p = (*p)[:len(*p)/2] }, ErrLost},
		{"a part of float32", link.Part, 0, func(h *link.Header, p *[]byte) {
			*p = append(bytes.Clone(*p), *p...)
			h.Length, h.Sum = uint32(len(*p)), link.Checksum(*p)
		}, ErrStale},
	} {
		t.Run(c.name, func(t *testing.T) {
			var seen atomic.Int32
			groups := memGroups(t, size, BF16, func(from, _ int, l link.Link) link.Link {
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
				_, err := sumLoop(groups[r], n)
				return wantRank(err, c.from, c.want)
			})
			for r, err := range errs {
				if err != nil {
					t.Errorf("rank %d: %v", r, err)
				}
			}
		})
	}
}

func TestBF16SurvivorsNameTheKilledRank(t *testing.T) {
	onAllWays(t, func(t *testing.T) {
		const size, victim = 5, 2
		groups := testGroups(t, size, size, inBF16)
		errs := onAll(size+1, func(r int) error {
			if r == size {
				time.Sleep(30 * time.Millisecond)
				kill(groups[victim])
				return nil
			}
			_, err := sumLoop(groups[r], 500_000)
			if r == victim {
				return nil
			}
			return wantRank(err, victim, ErrLost)
		})
		for r, err := range errs {
			if err != nil {
				t.Errorf("rank %d: %v", r, err)
			}
		}
	})
}

// TestBF16WaitsForARankThatComputes has one rank come late to a short sum, to one of a single round, and to one of
// several.
func TestBF16WaitsForARankThatComputes(t *testing.T) {
	onAllWays(t, func(t *testing.T) {
		const size, busy, limit = 4, 2, 500 * time.Millisecond
		for _, n := range []int{3, 40_000, 1_000_000} {
			groups := testGroups(t, size, size, func(c *GroupConfig) { c.Timeout, c.Wire = limit, BF16 })
			errs := onAll(size, func(r int) error {
				if r == busy {
					time.Sleep(limit + limit/2)
				}
				v := room(groups[r], n)
				return groups[r].AllReduce(context.Background(), Key{Step: 9}, [][]float32{v}, v)
			})
			for r, err := range errs {
				if err != nil {
					t.Errorf("%d elements, rank %d: %v", n, r, err)
				}
			}
		}
	})
}
