package allreduce

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// anyHello draws what a process may say of itself.
func anyHello(t *rapid.T) hello {
	return hello{
		role:       rapid.SampledFrom([]role{roleMesh, roleRing}).Draw(t, "role"),
		generation: rapid.Uint64().Draw(t, "generation"),
		members:    rapid.Uint64().Draw(t, "members"),
		rank:       int(rapid.Uint32().Draw(t, "rank")),
		want:       int(rapid.Uint32().Draw(t, "want")),
		size:       int(rapid.Uint32().Draw(t, "size")),
		run:        rapid.StringN(0, -1, maxRunID).Draw(t, "run"),
	}
}

func TestHellosArriveAsTheyWereSent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := anyHello(t)
		var wire bytes.Buffer
		if err := h.send(&wire); err != nil {
			t.Fatal(err)
		}
		whole := wire.Bytes()
		if magic := binary.LittleEndian.Uint32(whole); magic != helloMagic {
			t.Fatalf("begins with %#x, want %#x", magic, helloMagic)
		}
		whole = whole[4:]
		if got, err := receiveHello(bytes.NewReader(append(slices.Clone(whole), "more"...))); err != nil || got != h {
			t.Fatalf("got %+v, error %v; want %+v", got, err, h)
		}
		short := rapid.IntRange(0, len(whole)-1).Draw(t, "bytes that arrive")
		if got, err := receiveHello(bytes.NewReader(whole[:short])); err == nil ||
			!errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("%d of %d bytes: got %+v, error %v", short, len(whole), got, err)
		}
		damaged := slices.Clone(whole)
		at := rapid.IntRange(0, 1).Draw(t, "byte of the version")
		damaged[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "damage"))
		if got, err := receiveHello(bytes.NewReader(damaged)); err == nil || !strings.Contains(err.Error(), "version") {
			t.Fatalf("byte %d damaged: got %+v, error %v", at, got, err)
		}
	})
}

// TestJudge asks rank 2 of 5 about every kind of caller.
func TestJudge(t *testing.T) {
	mine := hello{run: "r", generation: 7, members: 99, rank: 2, size: 5}
	good := hello{run: "r", generation: 7, members: 99, rank: 4, want: 2, size: 5, role: roleMesh}
	for _, c := range []struct {
		name string
		edit func(h *hello)
		want verdict
	}{
		{"a higher rank, for the mesh", func(*hello) {}, welcome},
		{"the rank before, for the ring", func(h *hello) { h.rank, h.role = 1, roleRing }, welcome},
		{"another run", func(h *hello) { h.run = "s" }, otherRun},
		{"another run of another generation", func(h *hello) { h.run, h.generation = "s", 8 }, otherRun},
		{"a generation of the past", func(h *hello) { h.generation = 6 }, youAreStale},
		{"a generation of the future", func(h *hello) { h.generation = 8 }, youAreEarly},
		{"a later one of other members", func(h *hello) { h.generation, h.members = 8, 1 }, youAreEarly},
		{"other members", func(h *hello) { h.members = 98 }, otherPlan},
		{"more members", func(h *hello) { h.size = 6 }, otherPlan},
		{"looking for another", func(h *hello) { h.want = 3 }, notForMe},
		{"ourselves", func(h *hello) { h.rank = 2 }, notForMe},
		{"a rank beyond the group", func(h *hello) { h.rank = 5 }, notForMe},
		{"a negative rank", func(h *hello) { h.rank = -1 }, notForMe},
		{"a lower rank, for the mesh", func(h *hello) { h.rank = 1 }, notForMe},
		{"a rank that is not before us, for the ring", func(h *hello) { h.role = roleRing }, notForMe},
		{"anybody, for a sign of life", func(h *hello) { h.rank, h.role = 0, roleKnock }, welcome},
		{"a stranger, for a sign of life", func(h *hello) { h.run, h.role = "s", roleKnock }, otherRun},
		{"no role", func(h *hello) { h.role = 0 }, notForMe},
	} {
		h := good
		c.edit(&h)
		if got := mine.judge(h); got != c.want {
			t.Errorf("%s: verdict %d (%s), want %d (%s)", c.name, got, verdicts[got], c.want, verdicts[c.want])
		}
	}
}

// TestEveryPairOfRanksConnectsOnce: of two ranks exactly one is welcome for the mesh, and each rank's next for the
// ring.
func TestEveryPairOfRanksConnectsOnce(t *testing.T) {
	for size := 2; size <= 6; size++ {
		for a := range size {
			for b := range size {
				mine := hello{rank: b, size: size}
				mesh := mine.judge(hello{rank: a, want: b, size: size, role: roleMesh}) == welcome
				if mesh != (a > b) {
					t.Errorf("%d ranks: rank %d is welcome to rank %d's mesh: %v", size, a, b, mesh)
				}
				ring := mine.judge(hello{rank: a, want: b, size: size, role: roleRing}) == welcome
				if ring != ((a+1)%size == b) {
					t.Errorf("%d ranks: rank %d is welcome to rank %d's ring: %v", size, a, b, ring)
				}
			}
		}
	}
}

func TestGreetTellsWhatWasAnswered(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer []byte // of a stranger; nil: a verdict
		v      verdict
		is     error
		want   string
	}{
		{name: "welcome", v: welcome},
		{name: "stale", v: youAreStale, is: ErrStale, want: "generation 7, it is in a later generation: 9"},
		{name: "early", v: youAreEarly, is: errRefused, want: "it is not in this generation yet (have generation 9, want 7)"},
		{name: "other run", v: otherRun, is: errRefused, want: "another run"},
		{name: "other plan", v: otherPlan, is: errRefused, want: "other members or another wire"},
		{name: "not for me", v: notForMe, is: errRefused, want: "expects another rank"},
		{name: "another protocol", answer: []byte("HTTP/1.1 400 Bad Request\r\n"), want: "not this protocol"},
		{name: "no verdict", v: verdict(len(verdicts)), want: "not this protocol"},
		{name: "nothing", answer: []byte{}, is: io.EOF, want: "read answer"},
		{name: "half an answer", answer: []byte{0x42, 0x59}, is: io.ErrUnexpectedEOF, want: "read answer"},
	} {
		here, there := net.Pipe()
		early := 0
		heard := make(chan struct{}) // a pipe takes no deadline any more once its other end is closed
		go func() {
			defer there.Close()
			if _, err := io.CopyN(io.Discard, there, 4); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			if _, err := receiveHello(there); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			if c.answer == nil {
				_ = answer(there, notYet, 0)
				_ = answer(there, notYet, 0)
				_ = answer(there, c.v, 9)
				<-heard
			} else {
				_, _ = there.Write(c.answer)
			}
		}()
		err := greet(here, hello{generation: 7, run: "r"}, 5*time.Second, func() { early++ })
		close(heard)
		if c.answer == nil && early != 2 {
			t.Errorf("%s: heard %d times that it is not ready yet, want 2", c.name, early)
		}
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want == "":
		case err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is):
			t.Errorf("%s: got %v, want %v with %q", c.name, err, c.is, c.want)
		}
		_ = here.Close()
	}
	here, there := net.Pipe()
	_ = there.Close()
	err := greet(here, hello{}, time.Second, nil)
	if err == nil || !strings.Contains(err.Error(), "send hello") {
		t.Errorf("nobody there: got %v", err)
	}
}

// TestPlansAreTold apart by what decides sums: the shards of each rank, and the wire. Addresses and hosts don't.
func TestPlansAreToldApart(t *testing.T) {
	base := []Peer{{Address: "a:1", ShardEnd: 2}, {Address: "b:1", ShardBegin: 2, ShardEnd: 3}}
	same := []Peer{{Address: "c:9", ShardEnd: 2, Host: "h"}, {Address: "d:9", ShardBegin: 2, ShardEnd: 3}}
	seen := map[uint64]string{membersHash(base, Float32): "base"}
	if membersHash(same, Float32) != membersHash(base, Float32) {
		t.Error("other addresses are another plan")
	}
	for name, h := range map[string]uint64{
		"bf16":         membersHash(base, BF16),
		"other shards": membersHash([]Peer{{ShardEnd: 1}, {ShardBegin: 1, ShardEnd: 3}}, Float32),
		"one rank":     membersHash(base[:1], Float32),
		"three ranks":  membersHash(append(slices.Clone(base), Peer{ShardBegin: 3, ShardEnd: 4}), Float32),
		"nobody":       membersHash(nil, Float32),
	} {
		if other := seen[h]; other != "" {
			t.Errorf("%s and %s look alike", name, other)
		}
		seen[h] = name
	}
}
