package allreduce

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"byol/internal/vector"
)

// TestSumsInPlaceAtAnyOffset sums spans of long vectors, as buckets of a gradient are: at any place, onto the first
// shard, onto vectors of their own, and onto a vector that is none of the shards on some ranks only.
func TestSumsInPlaceAtAnyOffset(t *testing.T) {
	t.Run(inPlaceTest, func(t *testing.T) {
		const n, shards = 100_000, 35
		all := testShards(6, shards, n)
		want := plain(all)
		for _, size := range []int{2, 3, 5} {
			groups := testGroups(t, size, shards, nil)
			for i, span := range []vector.Span{
				{Len: n}, {Off: 1, Len: n - 1}, {Off: 17, Len: 70_001}, {Off: 1003, Len: 30_000},
			} {
				errs := onAll(size, func(r int) error {
					g := groups[r]
					own := copied(g, mine(g, all))
					for k := range own {
						own[k] = own[k][span.Off:][:span.Len]
					}
					out := own[0]
					if (r+i)%2 == 1 {
						out = room(g, span.Len+r)[r:]
					}
					before := slices.Clone(own[1])
					if err := g.AllReduce(context.Background(), Key{Bucket: uint32(i)}, own, out); err != nil {
						return err
					}
					if g.shared.homes.places[r][0] == 0 {
						return errors.New("the vector was not found in its memory")
					}
					if at := differ(out, want[span.Off:][:span.Len]); at >= 0 {
						return fmt.Errorf("element %d: got %v, want %v", at, out[at], want[span.Off+at])
					}
					if differ(own[1], before) >= 0 {
						return errors.New("a shard that is no output has changed")
					}
					return nil
				})
				for r, err := range errs {
					if err != nil {
						t.Errorf("%d ranks, span %v, rank %d: %v", size, span, r, err)
					}
				}
			}
		}
	})
}

func TestOnePrivateVectorKeepsAllCopying(t *testing.T) {
	t.Run(inPlaceTest, func(t *testing.T) {
		const n, size = 100_000, 3
		groups := testGroups(t, size, size, nil)
		all := testShards(6, size, n)
		want := plain(all)
		errs := onAll(size, func(r int) error {
			g := groups[r]
			own := copied(g, mine(g, all))
			if r == 1 {
				own = [][]float32{slices.Clone(own[0])}
			}
			if err := g.AllReduce(context.Background(), Key{}, own, own[0]); err != nil {
				return err
			}
			if at := differ(own[0], want); at >= 0 {
				return fmt.Errorf("element %d: got %v, want %v", at, own[0][at], want[at])
			}
			buf := own[0]
			if err := g.Share(context.Background(), Key{Step: 1}, buf, spans(0, 10, 20, n)); err != nil {
				return err
			}
			if at := differ(buf, want); at >= 0 {
				return fmt.Errorf("shared element %d: got %v, want %v", at, buf[at], want[at])
			}
			return nil
		})
		for r, err := range errs {
			if err != nil {
				t.Errorf("rank %d: %v", r, err)
			}
		}
	})
}

func TestOneRankWithoutMemoryKeepsAllCopying(t *testing.T) {
	closed := testMemory(t)
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	for want, memory := range map[string]*Memory{
		"shared memory (copied; rank 1: it has no memory for it)": nil,
		"shared memory (copied; rank 1: its memory is closed)":    closed,
	} {
		t.Run(sharedTest, func(t *testing.T) {
			groups := testGroups(t, 3, 3, func(c *GroupConfig) {
				if c.Memory = memory; c.Rank != 1 {
					c.Memory = testMemory(t)
				}
			})
			for r, g := range groups {
				if got := g.Transport(); got != want {
					t.Errorf("rank %d is connected by %q, want %q", r, got, want)
				}
			}
		})
	}
}

// TestARankOfABrokenGroupWritesIntoNobodysMemory has a rank that was held up go on after the others gave it up.
func TestARankOfABrokenGroupWritesIntoNobodysMemory(t *testing.T) {
	t.Run(inPlaceTest, func(t *testing.T) {
		const n = 50_000
		groups := testGroups(t, 2, 2, nil)
		late, survivor := groups[0], groups[1]
		out, kept := room(survivor, n), room(survivor, n)
		for i := range kept {
			out[i], kept[i] = 1, float32(i)
		}
		m := survivor.cfg.Memory
		theirs := inHome(late.shared.homes.of[1], place(m.bytes(), out), n)
		if *theirs != 1 {
			t.Fatalf("the other rank sees %v, want 1", *theirs)
		}
		offer, _ := m.offer()
		kill(survivor) // it breaks; the other has not noticed
		_ = survivor.Close()
		*theirs = 2
		if out[0] != 1 {
			t.Errorf("a rank of a broken group wrote %v into the memory of another", out[0])
		}
		if after, err := m.offer(); err != nil || after == offer {
			t.Errorf("the memory is offered as %q (error %v), as before", after, err)
		}
		for i, x := range kept {
			if x != float32(i) || out[i] != 1 {
				t.Fatalf("element %d: got %v and %v, want %v and 1", i, x, out[i], i)
			}
		}
	})
	t.Run(inPlaceTest+"_in_order", func(t *testing.T) {
		groups := testGroups(t, 2, 2, nil)
		before, _ := groups[0].cfg.Memory.offer()
		for _, g := range groups {
			_ = g.Close()
		}
		if after, err := groups[0].cfg.Memory.offer(); err != nil || after != before {
			t.Errorf("a group closed in good order leaves %q (error %v), want the memory as it was", after, err)
		}
	})
}

func TestAPlaceOutsideTheMemoryIsRefused(t *testing.T) {
	home := make([]byte, 3*memoryPage)
	for _, c := range []struct {
		place, n int
		ok       bool
	}{
		{memoryPage, memoryPage / 2, true}, {memoryPage, memoryPage/2 + 1, false}, {0, 1, false}, {memoryPage - 4, 1, false},
		{memoryPage + 2, 1, false}, {-memoryPage, 1, false}, {3 * memoryPage, 1, false}, {3*memoryPage - 4, 1, true},
		{1 << 62, 1, false},
	} {
		if got := inHome(home, c.place, c.n); (got != nil) != c.ok {
			t.Errorf("%d elements at %d of %d bytes: got %v, want ok %v", c.n, c.place, len(home), got, c.ok)
		}
	}
	t.Run(inPlaceTest, func(t *testing.T) {
		groups := testGroups(t, 2, 2, nil)
		// Rank 1 takes another range of addresses for its own: it names a place beyond its memory.
		v := [][]float32{room(groups[0], 60_000), room(groups[1], 60_000)}
		groups[1].shared.homes.of[1] = groups[1].shared.homes.of[1][:memoryPage]
		groups[0].shared.homes.of[1] = groups[0].shared.homes.of[1][:memoryPage]
		full := groups[1].cfg.Memory.bytes()
		errs := onAll(2, func(r int) error {
			if r == 1 {
				groups[1].shared.homes.of[1] = full
			}
			return groups[r].AllReduce(context.Background(), Key{}, [][]float32{v[r]}, v[r])
		})
		if bad := wantRank(errs[0], 1, ErrCorrupt); bad != nil {
			t.Error(bad)
		}
	})
}

func TestMemoryHasItsLimits(t *testing.T) {
	m := testMemory(t)
	for _, n := range []int{-1, memoryReach} {
		if _, err := m.Floats(n); err == nil || !strings.Contains(err.Error(), "out of range") {
			t.Errorf("%d elements: got error %v", n, err)
		}
	}
	a, errA := m.Floats(0)
	b, errB := m.Floats(1025)
	if errA != nil || errB != nil || len(a) != 0 || len(b) != 1025 || slices.Max(b) != 0 {
		t.Errorf("got %d and %d elements, errors %v and %v", len(a), len(b), errA, errB)
	}
	b[1024] = 1
	if c, err := m.Floats(1); err != nil || c[0] != 0 {
		t.Errorf("a vector behind another: %v, error %v", c, err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if _, err := m.Floats(1); err == nil {
		t.Error("a closed memory gives vectors")
	}
}

// TestGroupsFollowOneAnother runs generations over the same memories; every second one breaks.
func TestGroupsFollowOneAnother(t *testing.T) {
	t.Run(inPlaceTest, func(t *testing.T) {
		const size, n = 3, 100_000
		memories := make([]*Memory, size)
		vectors := make([][]float32, size)
		all := testShards(2, size, n)
		want := plain(all)
		for r := range size {
			memories[r] = testMemory(t)
			var err error
			if vectors[r], err = memories[r].Floats(n); err != nil {
				t.Fatal(err)
			}
		}
		for generation := range 4 {
			groups := testGroups(t, size, size, func(c *GroupConfig) { c.Memory = memories[c.Rank] })
			errs := onAll(size, func(r int) error {
				g := groups[r]
				for step := range uint64(3) {
					copy(vectors[r], all[r])
					if err := g.AllReduce(context.Background(), Key{Step: step}, vectors[r:r+1], vectors[r]); err != nil {
						return err
					}
					if at := differ(vectors[r], want); at >= 0 {
						return fmt.Errorf("step %d element %d: got %v, want %v", step, at, vectors[r][at], want[at])
					}
				}
				return nil
			})
			if generation%2 == 1 {
				kill(groups[generation%size])
				time.Sleep(time.Millisecond)
			}
			for r, err := range errs {
				if err != nil {
					t.Fatalf("generation %d rank %d: %v", generation, r, err)
				}
				_ = groups[r].Close()
			}
		}
	})
}
