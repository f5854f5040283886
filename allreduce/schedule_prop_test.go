package allreduce

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"byol/allreduce/link"
	"byol/internal/vector"
)

// shape is a drawn group and vector.
type shape struct{ size, n, chunk int }

func anyShape(t *rapid.T) shape {
	return shape{
		size:  rapid.IntRange(2, 9).Draw(t, "ranks"),
		n:     rapid.IntRange(0, 200).Draw(t, "elements"),
		chunk: rapid.IntRange(1, 250).Draw(t, "chunk"),
	}
}

// covers says what is wrong with moves that should hold each of n elements once, in chunks numbered in order.
func covers(moves []move, n, chunk int) error {
	at := 0
	for i, m := range moves {
		if m.Off != at || m.Len < 1 || m.Len > chunk || m.Chunk != uint32(i) {
			return fmt.Errorf("move %d is %+v, want chunk %d from element %d on, of 1 to %d", i, m, i, at, chunk)
		}
		at += m.Len
	}
	if at != n {
		return fmt.Errorf("%d of %d elements", at, n)
	}
	return nil
}

// anySpans draws spans that do not overlap, in any order, with gaps between them.
func anySpans(t *rapid.T, size int) (list []vector.Span, n int) {
	list = make([]vector.Span, size)
	for _, r := range rapid.Permutation(upTo(size)).Draw(t, "order") {
		n += rapid.IntRange(0, 5).Draw(t, "gap")
		list[r] = vector.Span{Off: n, Len: rapid.IntRange(0, 40).Draw(t, "length")}
		n += list[r].Len
	}
	return list, n
}

func upTo(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// TestSpreadBringsEverySpanOnce: each link carries all spans but that of the rank it leads to, each element once, and
// all ranks have all of them at the end.
func TestSpreadBringsEverySpanOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyShape(t)
		spans, n := anySpans(t, s.size)
		ranks := make([]simRank, s.size)
		for r := range ranks {
			p := spreadOf(r, spans, s.chunk)
			carried := map[int]int{}
			for _, m := range p.Send {
				if m.Kind != link.Share || m.Len < 1 || m.Len > s.chunk {
					t.Fatalf("rank %d sends %+v", r, m)
				}
				for i := m.Off; i < m.Off+m.Len; i++ {
					carried[i]++
				}
			}
			total := 0
			for q, x := range spans {
				for i := x.Off; i < x.End(); i++ {
					want := 1
					if q == (r+1)%s.size {
						want = 0
					}
					if carried[i] != want {
						t.Fatalf("link from rank %d carries element %d of rank %d %d times, want %d", r, i, q, carried[i], want)
					}
					total += want
				}
			}
			if len(carried) != total {
				t.Fatalf("link from rank %d carries %d elements, want %d", r, len(carried), total)
			}
			ranks[r] = simRank{order: p, buf: make([]int, n)}
			for i := spans[r].Off; i < spans[r].End(); i++ {
				ranks[r].buf[i] = i + 1
			}
		}
		if err := simulate(ranks, 1); err != nil {
			t.Fatal(err)
		}
		for r := range ranks {
			for q, x := range spans {
				for i := x.Off; i < x.End(); i++ {
					if ranks[r].buf[i] != i+1 {
						t.Fatalf("rank %d lacks element %d of rank %d", r, i, q)
					}
				}
			}
		}
	})
}

// TestDirectProperties: a rank sends each element of its shards once to the rank that sums it, each sum once to every
// other, and expects exactly what the others send it.
func TestDirectProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyShape(t)
		type key struct {
			kind     link.Kind
			from, to int
			move     move
		}
		sent, got := map[key]int{}, map[key]int{}
		for r := range s.size {
			parts, totals := make([]int, s.n), make([]int, s.n)
			for _, d := range dealsOf(r, s.size, s.n, s.chunk) {
				if d.Peer == r || d.Peer < 0 || d.Peer >= s.size || d.Len < 1 || d.Len > s.chunk {
					t.Fatalf("rank %d deals %+v", r, d)
				}
				if !d.Send {
					got[key{d.Kind, d.Peer, r, d.move}]++
					continue
				}
				sent[key{d.Kind, r, d.Peer, d.move}]++
				for i := d.Off; i < d.Off+d.Len; i++ {
					if d.Kind == link.Part {
						parts[i]++
					} else {
						totals[i]++
					}
				}
			}
			for i := range s.n {
				// Its own chunk's elements go to nobody as a part, and to all as a total.
				if parts[i]+totals[i]/(s.size-1) != 1 || totals[i]%(s.size-1) != 0 {
					t.Fatalf("rank %d sends element %d %d times as a part and %d as a total", r, i, parts[i], totals[i])
				}
			}
		}
		for k, n := range sent {
			if n != 1 || got[k] != 1 {
				t.Fatalf("%+v is sent %d times and expected %d times", k, n, got[k])
			}
		}
		if len(sent) != len(got) {
			t.Fatalf("%d frames are sent, %d expected", len(sent), len(got))
		}
	})
}

// TestRoundsBringEverybodyEverything: what a rank sends in a round, the other expects in the same; two ranks meet once
// at most; and after ⌈log₂⌉ rounds each has the nodes of all. No rank knows more than its block, so all must do their
// part.
func TestRoundsBringEverybodyEverything(t *testing.T) {
	for size := 1; size <= 130; size++ {
		has, met := make([][2]int, size), map[[2]int]bool{}
		plans := make([]map[int]round, size)
		for r := range size {
			has[r], plans[r] = [2]int{r, r + 1}, map[int]round{}
			for _, x := range roundsOf(r, size) {
				plans[r][x.Level] = x
			}
		}
		for level := 0; 1<<level < size; level++ {
			next := make([][2]int, size)
			for r := range size {
				x, meets := plans[r][level]
				if next[r] = has[r]; !meets {
					continue
				}
				theirs := has[x.From]
				if !slices.Contains(plans[x.From][level].To, r) || met[[2]int{x.From, r}] {
					t.Fatalf("%d ranks: rank %d expects what rank %d does not send in round %d, or sent before", size, r, x.From,
						level)
				}
				met[[2]int{x.From, r}] = true
				left, right := has[r], theirs
				if r >= x.Middle {
					left, right = theirs, has[r]
				}
				if left != [2]int{x.Begin, x.Middle} || right != [2]int{x.Middle, x.End} {
					t.Fatalf("%d ranks: rank %d adds %v and %v in round %+v", size, r, left, right, x)
				}
				next[r] = [2]int{x.Begin, x.End}
			}
			has = next
		}
		sent := 0
		for r := range size {
			if has[r] != [2]int{0, size} {
				t.Fatalf("%d ranks: rank %d ends with %v", size, r, has[r])
			}
			for _, x := range plans[r] {
				sent += len(x.To)
			}
		}
		if sent != len(met) {
			t.Fatalf("%d ranks: %d messages are sent, %d expected", size, sent, len(met))
		}
	}
}

// TestTurnsProperties: each chunk is written once and then read once, in order, and never more than a window ahead.
func TestTurnsProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		chunks, cells := rapid.IntRange(0, 300).Draw(t, "chunks"), rapid.IntRange(2, 70).Draw(t, "cells")
		written, read := 0, 0
		for _, turn := range turnsOf(chunks, cells) {
			if turn.Read {
				if turn.Chunk != read || read >= written {
					t.Fatalf("reads chunk %d as number %d, %d are written", turn.Chunk, read, written)
				}
				read++
				continue
			}
			if turn.Chunk != written {
				t.Fatalf("writes chunk %d as number %d", turn.Chunk, written)
			}
			if written++; written-read > cells {
				t.Fatalf("%d chunks are written and not read, of %d cells", written-read, cells)
			}
		}
		if written != chunks || read != chunks {
			t.Fatalf("%d of %d chunks written, %d read", written, chunks, read)
		}
	})
}

// TestCellsHoldTheirChunks: a vector is cut into cells that fit, in order.
func TestCellsHoldTheirChunks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 3<<20).Draw(t, "elements")
		per := cellElements(n)
		if 4*per > cellBytes || per < 1 {
			t.Fatalf("%d elements go into a cell of %d bytes", per, cellBytes)
		}
		if err := covers(cut(link.Reduce, vector.Span{Len: n}, 0, per), n, per); err != nil {
			t.Fatal(err)
		}
		first := rapid.IntRange(0, 1000).Draw(t, "first")
		for i, m := range cut(link.Share, vector.Span{Off: 7, Len: n}, first, per) {
			if m.Chunk != uint32(first+i) || m.Off != 7+i*per {
				t.Fatalf("chunk %d is %+v", i, m)
			}
		}
	})
}

// TestSlicesCoverAVector: the slices of ranks meet, and none begins inside of a cache line.
func TestSlicesCoverAVector(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, size := rapid.IntRange(0, 1<<30).Draw(t, "elements"), rapid.IntRange(1, 64).Draw(t, "ranks")
		if sliceOf(n, 0, size) != 0 || sliceOf(n, size, size) != n {
			t.Fatalf("slices go from %d to %d of %d", sliceOf(n, 0, size), sliceOf(n, size, size), n)
		}
		for r := range size {
			lo, hi := sliceOf(n, r, size), sliceOf(n, r+1, size)
			if lo > hi || lo%16 != 0 {
				t.Fatalf("rank %d of %d has elements [%d, %d)", r, size, lo, hi)
			}
		}
	})
}

func TestSchedulesAreRemembered(t *testing.T) {
	var known map[int]int
	made := 0
	for round := range 3 {
		for n := range 10 {
			if got := remember(&known, n, func() int { made++; return n * n }); got != n*n {
				t.Fatalf("round %d: got %d for %d", round, got, n)
			}
		}
	}
	if made != 10 {
		t.Errorf("10 schedules were made %d times", made)
	}
	for n := range 3 * mostSchedules {
		remember(&known, 100+n, func() int { return 0 })
		if len(known) > mostSchedules {
			t.Fatalf("%d schedules are remembered, at most %d", len(known), mostSchedules)
		}
	}
	var c schedules
	a := c.spread(0, spans(0, 10, 30))
	if again := c.spread(0, spans(0, 10, 30)); &again.Send[0] != &a.Send[0] {
		t.Error("the same spans have another schedule")
	}
	if other := c.spread(0, spans(0, 11, 30)); other.Send[0].Len != 11 {
		t.Errorf("other spans have the schedule of those before: %+v", other)
	}
}
