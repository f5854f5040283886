package shm

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const limit = 10 * time.Second

// arenas maps one segment once per rank, as processes would, and views it.
func arenas(t *testing.T, geo Geometry) []*Arena {
	t.Helper()
	first, err := Create(geo.Size())
	if errors.Is(err, ErrUnsupported) {
		t.Skipf("no memory to share on this host: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	views := make([]*Arena, geo.Ranks)
	for r := range views {
		s := first
		if r > 0 {
			if s, err = Open(first.Offer()); err != nil {
				t.Fatal(err)
			}
		}
		t.Cleanup(func() { _ = s.Close() })
		if views[r], err = NewArena(s.Bytes(), geo, r); err != nil {
			t.Fatal(err)
		}
	}
	first.Drop()
	return views
}

// onAll calls f for each rank at the same time.
func onAll(t *testing.T, views []*Arena, f func(r int, a *Arena) error) {
	t.Helper()
	var all sync.WaitGroup
	for r, a := range views {
		all.Go(func() {
			if err := f(r, a); err != nil {
				t.Errorf("rank %d: %v", r, err)
			}
		})
	}
	all.Wait()
}

func TestGeometryDoesNotOverlap(t *testing.T) {
	for _, geo := range []Geometry{{1, 1, 1, 1, 1}, {3, 2, 100, 4, 5000}, {64, 2, 4096, 128, 8192}} {
		mem := make([]byte, geo.Size())
		a, err := NewArena(mem, geo, 0)
		if err != nil {
			t.Fatal(err)
		}
		owner := map[int]string{}
		claim := func(what string, part []byte) {
			off := cap(mem) - cap(part)
			for i := off; i < off+len(part); i++ {
				if by := owner[i]; by != "" {
					t.Fatalf("%+v: byte %d of %s belongs to %s", geo, i, what, by)
				}
				owner[i] = what
			}
		}
		claim("mark", mem[:nonceAt+16])
		claim("abort", mem[abortAt:abortAt+4])
		for r := range geo.Ranks {
			claim(fmt.Sprint("position ", r), mem[ranksAt+r*line:ranksAt+r*line+4])
		}
		for i := range geo.Boards {
			b := a.Board(i)
			claim(fmt.Sprint("word of board ", i), mem[b.base:b.base+8])
			for round := range 2 {
				for r := range geo.Ranks {
					claim(fmt.Sprint("area ", i, round, r), b.area(r))
				}
				b.Next()
			}
		}
		w := a.Window()
		for s := range uint64(geo.Cells) {
			off := geo.cellsAt() + w.place(s)*2*line
			claim(fmt.Sprint("word of cell ", s), mem[off:off+8])
			claim(fmt.Sprint("head of cell ", s), mem[off+line:off+line+HeadBytes])
			claim(fmt.Sprint("cell ", s), w.Data(s))
		}
		if _, err := NewArena(mem[1:], geo, 0); err == nil {
			t.Errorf("%+v: a view of too little memory: no error", geo)
		}
	}
}

func TestBoardBringsEveryMessageToEveryRank(t *testing.T) {
	const rounds = 300
	views := arenas(t, Geometry{Ranks: 5, Boards: 2, BoardBytes: 100, Cells: 1, CellBytes: 1})
	onAll(t, views, func(r int, a *Arena) error {
		b := a.Board(1)
		for u := range rounds {
			if (u+r)%7 == 0 {
				runtime.Gosched()
			}
			n := (u + r) % 101
			m := b.Message(n)
			for i := range m {
				m[i] = byte(u + r + i)
			}
			b.Put([HeadBytes]byte{byte(u), byte(r)})
			if !b.Full() {
				if err := b.Await(limit); err != nil {
					return fmt.Errorf("round %d: %w, late is rank %d", u, err, b.Late())
				}
			}
			for p := range views {
				head, m := b.Read(p)
				if want := [HeadBytes]byte{byte(u), byte(p)}; head != want || len(m) != (u+p)%101 {
					return fmt.Errorf("round %d: rank %d's head %v with %d bytes, want %v with %d",
						u, p, head, len(m), want, (u+p)%101)
				}
				for i, x := range m {
					if x != byte(u+p+i) {
						return fmt.Errorf("round %d: rank %d's byte %d: got %d, want %d", u, p, i, x, byte(u+p+i))
					}
				}
			}
			b.Next()
		}
		return nil
	})
}

func TestWindowLeadsCellsFromRankToRank(t *testing.T) {
	const ranks, cells, chunks = 4, 3, 500
	views := arenas(t, Geometry{Ranks: ranks, Boards: 1, BoardBytes: 1, Cells: cells, CellBytes: 64})
	onAll(t, views, func(r int, a *Arena) error {
		w := a.Window()
		for s := range uint64(chunks) {
			if !w.Ready(s, r) {
				if err := w.Await(s, r, limit); err != nil {
					return fmt.Errorf("turn in cell %d: %w", s, err)
				}
			}
			d := w.Data(s)
			if r == 0 {
				clear(d)
				*w.Head(s) = [HeadBytes]byte{byte(s)}
			}
			d[0] += d[0] + byte(r) + byte(s) // order shows
			w.Written(s, r, 1)
			if err := w.Await(s, ranks, limit); err != nil {
				return fmt.Errorf("read cell %d: %w", s, err)
			}
			want := byte(0)
			for p := range ranks {
				want += want + byte(p) + byte(s)
			}
			if d[0] != want || w.Head(s)[0] != byte(s) {
				return fmt.Errorf("cell %d: got %d with head %d, want %d with %d", s, d[0], w.Head(s)[0], want, byte(s))
			}
			w.WasRead(s)
			w.Publish(uint32(s))
		}
		return nil
	})
}

func TestBehindIsTheSlowestRank(t *testing.T) {
	views := arenas(t, Geometry{Ranks: 3, Boards: 1, BoardBytes: 1, Cells: 1, CellBytes: 1})
	for i, c := range []struct {
		positions []uint32
		want      int
	}{
		{[]uint32{5, 4, 5}, 1}, {[]uint32{5, 5, 5}, 0}, {[]uint32{1, ^uint32(0), 2}, 1}, // a position has gone round
	} {
		for r, p := range c.positions {
			views[r].Window().Publish(p)
		}
		if got := views[0].Window().Behind(); got != c.want {
			t.Errorf("case %d: positions %v: behind is %d, want %d", i, c.positions, got, c.want)
		}
	}
}

func TestWaitsEnd(t *testing.T) {
	geo := Geometry{Ranks: 2, Boards: 1, BoardBytes: 8, Cells: 2, CellBytes: 8}
	for _, c := range []struct {
		name string
		wait func(a *Arena, limit time.Duration) error
	}{
		{"board", func(a *Arena, limit time.Duration) error { return a.Board(0).Await(limit) }},
		{"cell", func(a *Arena, limit time.Duration) error { return a.Window().Await(1, 1, limit) }},
	} {
		views := arenas(t, geo)
		if err := c.wait(views[0], 30*time.Millisecond); !errors.Is(err, ErrTimeout) {
			t.Errorf("%s: nobody comes: got %v, want %v", c.name, err, ErrTimeout)
		}
		start := time.Now()
		time.AfterFunc(20*time.Millisecond, views[1].Abort)
		if err := c.wait(views[0], limit); !errors.Is(err, ErrAborted) {
			t.Errorf("%s: aborted by another rank: got %v, want %v", c.name, err, ErrAborted)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("%s: abort took %v", c.name, took)
		}
		if err := c.wait(views[0], limit); !errors.Is(err, ErrAborted) {
			t.Errorf("%s: aborted before: got %v, want %v", c.name, err, ErrAborted)
		}
	}
}

func TestOpenRefusesOtherMemory(t *testing.T) {
	s, err := Create(5000)
	if errors.Is(err, ErrUnsupported) {
		t.Skipf("no memory to share on this host: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f := strings.Fields(s.Offer())
	for _, c := range []struct {
		name  string
		field int
		value string
		want  string
	}{
		{"another boot", 0, "00000000", "not on one host"},
		{"another user", 1, "4294967290", "different users"},
		{"another process", 2, "999999999", "process namespace"},
		{"a file that is none", 3, "2", "not the memory offered"},
		{"another size", 4, "4096", "not the memory offered"},
		{"another nonce", 5, strings.Repeat("0", 32), "not the memory offered"},
		{"no nonce", 5, "xyz", "bad nonce"},
		{"no number", 3, "x", "read offer"},
	} {
		g := slices.Clone(f)
		g[c.field] = c.value
		o, err := Open(strings.Join(g, " "))
		if err == nil {
			_ = o.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.name, err, c.want)
		}
	}
	o, err := Open(s.Offer())
	if err != nil {
		t.Fatal(err)
	}
	s.Bytes()[4999] = 7
	if o.Bytes()[4999] != 7 {
		t.Error("the two mappings are not of the same memory")
	}
	if err := errors.Join(o.Close(), o.Close()); err != nil {
		t.Errorf("close, twice: %v", err)
	}
}

func TestRenewedMemoryIsOutOfReach(t *testing.T) {
	const size = 64 * page
	s, err := Create(size)
	if err != nil {
		t.Skipf("no memory to share on this host: %v", err)
	}
	defer s.Close()
	if err := s.Commit(0, 8*page); err != nil {
		t.Fatal(err)
	}
	mem := s.Bytes()
	peer, err := Open(s.Offer())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	old := s.Offer()
	mem[2*page], mem[8*page-1] = 7, 8
	if err := s.Renew(8 * page); err != nil {
		t.Fatal(err)
	}
	peer.Bytes()[2*page], peer.Bytes()[3*page] = 9, 9
	if mem[2*page] != 7 || mem[3*page] != 0 || mem[8*page-1] != 8 {
		t.Errorf("got %d, %d and %d, want the contents from before, 7, 0 and 8", mem[2*page], mem[3*page], mem[8*page-1])
	}
	if p, err := Open(old); err == nil {
		t.Error("the offer from before leads to memory")
		_ = p.Close()
	}
	again, err := Open(s.Offer())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	again.Bytes()[3*page] = 5
	if mem[3*page] != 5 {
		t.Errorf("got %d through the new offer, want 5", mem[3*page])
	}
}
