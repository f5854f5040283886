package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// plain are views of memory of this process: whoever never sleeps needs no segment.
func plain(t interface{ Fatal(...any) }, geo Geometry) []*Arena {
	mem := make([]byte, geo.Size())
	views := make([]*Arena, geo.Ranks)
	for r := range views {
		var err error
		if views[r], err = NewArena(mem, geo, r); err != nil {
			t.Fatal(err)
		}
	}
	return views
}

// TestBoardProperties puts messages in any order of ranks, each as far ahead as it may be: a round is full when all
// have put theirs, the late rank is the first that hasn't, and everybody reads what was put, however far others are.
func TestBoardProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		geo := Geometry{Ranks: rapid.IntRange(1, 6).Draw(t, "ranks"), Boards: 2, BoardBytes: 40, Cells: 1, CellBytes: 1}
		which := rapid.IntRange(0, 1).Draw(t, "board")
		views := plain(t, geo)
		boards := make([]*Board, geo.Ranks)
		for r, a := range views {
			boards[r] = a.Board(which)
		}
		message := func(r, round int) []byte {
			return fmt.Appendf(nil, "%d of %d %s", r, round, strings.Repeat("x", (r+round)%20))
		}
		put := make([]int, geo.Ranks)  // rounds each rank has put
		read := make([]int, geo.Ranks) // rounds each rank has read
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			r := rapid.IntRange(0, geo.Ranks-1).Draw(t, "rank")
			b := boards[r]
			if put[r] == read[r] {
				m := message(r, put[r])
				copy(b.Message(len(m)), m)
				b.Put([HeadBytes]byte{byte(r), byte(put[r])})
				put[r]++
				continue
			}
			late := -1
			for p := geo.Ranks - 1; p >= 0; p-- {
				if put[p] <= read[r] {
					late = p
				}
			}
			if b.Full() != (late < 0) || b.Late() != late && late >= 0 {
				t.Fatalf("rank %d in round %d: full %v, late %d; ranks have put %v", r, read[r], b.Full(), b.Late(), put)
			}
			if late >= 0 {
				continue
			}
			for p := range geo.Ranks {
				head, got := b.Read(p)
				if want := string(message(p, read[r])); string(got) != want || head != ([HeadBytes]byte{byte(p), byte(read[r])}) {
					t.Fatalf("rank %d in round %d reads %q with head %v of rank %d, want %q", r, read[r], got, head[:2], p, want)
				}
			}
			b.Next()
			read[r]++
		}
	})
}

// TestWindowProperties leads chunks through a window in any order of ranks, and compares what is ready with a plain
// count of what was done; then with a window whose counters go round.
func TestWindowProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ranks, cells := rapid.IntRange(1, 5).Draw(t, "ranks"), rapid.IntRange(1, 4).Draw(t, "cells")
		views := plain(t, Geometry{Ranks: ranks, Boards: 1, BoardBytes: 1, Cells: cells, CellBytes: 8})
		// first is the number of the first cell: 0, or just before the counters go round.
		first := rapid.SampledFrom([]uint64{0, 1 << 32 / uint64(2*ranks) * uint64(cells)}).Draw(t, "first")
		w := views[0].Window()
		for s := first; s < first+uint64(cells); s++ {
			atomic.StoreUint32(&w.word(s).value, w.target(s, 0))
		}
		done := map[uint64]int{} // turns and reads of each cell
		at := make([]uint64, ranks)
		wrote := make([]bool, ranks) // the cell it is at
		for range rapid.IntRange(1, 150).Draw(t, "steps") {
			r := rapid.IntRange(0, ranks-1).Draw(t, "rank")
			s, own := first+at[r], views[r].Window()
			count := r
			if wrote[r] {
				count = ranks
			}
			want := done[s] >= count && (s < first+uint64(cells) || done[s-uint64(cells)] == 2*ranks)
			if got := own.Ready(s, count); got != want {
				t.Fatalf("rank %d, cell %d, %d turns and reads: ready %v, want %v (done %d)", r, s, count, got, want, done[s])
			}
			if !want {
				continue
			}
			done[s]++
			if !wrote[r] {
				binary.LittleEndian.PutUint64(own.Data(s), s)
				own.Written(s, r, 1)
				wrote[r] = true
				continue
			}
			if got := binary.LittleEndian.Uint64(own.Data(s)); got != s {
				t.Fatalf("rank %d reads %d in cell %d", r, got, s)
			}
			own.WasRead(s)
			wrote[r] = false
			at[r]++
		}
	})
}

// TestOneWriterTakesAllTurns at once, as for a share.
func TestOneWriterTakesAllTurns(t *testing.T) {
	views := plain(t, Geometry{Ranks: 4, Boards: 1, BoardBytes: 1, Cells: 2, CellBytes: 8})
	w := views[2].Window()
	if w.Ready(1, 4) {
		t.Error("an empty cell can be read")
	}
	w.Written(1, 0, 4)
	for _, a := range views {
		if !a.Window().Ready(1, 4) {
			t.Errorf("rank %d cannot read it", a.rank)
		}
		if a.Window().Ready(3, 0) {
			t.Errorf("the place is free before rank %d has read", a.rank)
		}
		a.Window().WasRead(1)
	}
	if !w.Ready(3, 0) || w.Ready(3, 1) {
		t.Error("the place is not free, or more than that, when all have read")
	}
}

func TestArenasRefuseWhatDoesNotFit(t *testing.T) {
	geo := Geometry{Ranks: 2, Boards: 1, BoardBytes: 10, Cells: 2, CellBytes: 10}
	mem := make([]byte, geo.Size())
	for _, c := range []struct {
		name string
		mem  []byte
		rank int
	}{{"too short", mem[:len(mem)-1], 0}, {"no memory", nil, 0}, {"rank 2 of 2", mem, 2}, {"a negative rank", mem, -1}} {
		if _, err := NewArena(c.mem, geo, c.rank); err == nil || !strings.Contains(err.Error(), "view") {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
	a := plain(t, geo)[0]
	for name, f := range map[string]func(){
		"no such board":     func() { a.Board(1) },
		"longer":            func() { a.Board(0).Message(11) },
		"no such board, −1": func() { a.Board(-1) },
	} {
		func() {
			defer func() {
				if said := fmt.Sprint(recover()); !strings.HasPrefix(said, "shm: ") {
					t.Errorf("%s: panic %q", name, said)
				}
			}()
			f()
			t.Errorf("%s: no panic", name)
		}()
	}
}

// TestALengthThatCannotBeIsCut: another process may have written anything.
func TestALengthThatCannotBeIsCut(t *testing.T) {
	views := plain(t, Geometry{Ranks: 1, Boards: 1, BoardBytes: 10, Cells: 1, CellBytes: 1})
	b := views[0].Board(0)
	b.Message(3)
	binary.LittleEndian.PutUint32(b.area(0)[lengthAt:], 1<<31)
	b.Put([HeadBytes]byte{})
	if _, m := b.Read(0); len(m) != 10 {
		t.Errorf("got %d bytes, want the board's 10", len(m))
	}
}

func TestAbortedMemoryIsNeverReady(t *testing.T) {
	views := plain(t, Geometry{Ranks: 1, Boards: 1, BoardBytes: 10, Cells: 1, CellBytes: 1})
	a := views[0]
	b, w := a.Board(0), a.Window()
	b.Message(0)
	b.Put([HeadBytes]byte{})
	w.Written(0, 0, 1)
	if !b.Full() || !w.Ready(0, 1) || a.Aborted() {
		t.Fatal("not ready before")
	}
	a.Abort()
	if b.Full() || w.Ready(0, 1) || !a.Aborted() {
		t.Error("ready after the abort")
	}
	if err := b.Await(time.Hour); !errors.Is(err, ErrAborted) {
		t.Errorf("a wait for a full board: got %v, want %v", err, ErrAborted)
	}
}

// TestManyRanksSleepAndWake: more of them than a mask has bits, each waiting for the one before.
func TestManyRanksSleepAndWake(t *testing.T) {
	const ranks = 40
	views := arenas(t, Geometry{Ranks: ranks, Boards: 1, BoardBytes: 8, Cells: 2, CellBytes: 8})
	onAll(t, views, func(r int, a *Arena) error {
		w, b := a.Window(), a.Board(0)
		for s := range uint64(6) {
			if err := w.Await(s, r, limit); err != nil {
				return fmt.Errorf("turn in cell %d: %w", s, err)
			}
			d := w.Data(s)
			if r == 0 {
				clear(d)
			}
			d[0] += byte(r)
			w.Written(s, r, 1)
			if err := w.Await(s, ranks, limit); err != nil {
				return fmt.Errorf("read of cell %d: %w", s, err)
			}
			if want := byte(ranks * (ranks - 1) / 2 % 256); d[0] != want {
				return fmt.Errorf("cell %d holds %d, want %d", s, d[0], want)
			}
			w.WasRead(s)
			b.Message(0)
			b.Put([HeadBytes]byte{})
			if err := b.Await(limit); err != nil {
				return fmt.Errorf("board: %w, late is rank %d", err, b.Late())
			}
			b.Next()
		}
		return nil
	})
}

func TestSegmentsHaveTheirLimits(t *testing.T) {
	s, err := Create(4 * page)
	if errors.Is(err, ErrUnsupported) {
		t.Skipf("no memory to share on this host: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Bytes()) != 4*page {
		t.Errorf("%d bytes, want %d", len(s.Bytes()), 4*page)
	}
	if err := s.Commit(0, 4*page); err != nil {
		t.Errorf("commit all of it: %v", err)
	}
	if err := s.Commit(3*page, 2*page); err == nil || !strings.Contains(err.Error(), "take 8192 bytes") {
		t.Errorf("commit beyond the end: got %v", err)
	}
	if err := s.Renew(5 * page); err == nil || !strings.Contains(err.Error(), "renew shared memory") {
		t.Errorf("renew more than there is: got %v", err)
	}
	offer := s.Offer()
	s.Drop()
	if o, err := Open(offer); err == nil {
		t.Error("a dropped offer leads to memory")
		_ = o.Close()
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Errorf("close, twice: %v", err)
	}
	if s.Bytes() != nil {
		t.Error("closed memory is still there")
	}
	if _, err := Create(-1); err == nil {
		t.Error("a segment of a negative size")
	}
}
